# Language policy: EXEMPT from the Rust-path rule. Compares paths with globs; no computation.
"""Which lanes of work a change touches, and whether one reaches into what its lane leaves alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hpcgate import facts
from hpcgate.evidence.inputs import matches
from hpcgate.facts import WorkLanes
from hpcgate.lanes import LANES
from hpcgate.repo import git

__all__ = ["TRAILER", "Commit", "check", "crossings"]

TRAILER = "Crosses-lanes"


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit with what it touches.

    Attributes
    ----------
    reason : str
        What its message says after `Crosses-lanes:`; empty when it says nothing.
    lanes : tuple of str
        Lanes that own a file it changes.
    crossings : tuple of str
        One sentence for each file that a lane of the commit leaves alone.
    """

    id: str
    subject: str
    reason: str
    lanes: tuple[str, ...]
    crossings: tuple[str, ...]

    @property
    def refused(self) -> bool:
        """Whether it reaches across without saying why."""
        return bool(self.crossings) and not self.reason


def check(root: Path, commits: str) -> list[Commit]:
    """Judge every commit of a range, oldest first; merges are left out.

    Recipes are not judged: they derive from the facts of every lane.

    Parameters
    ----------
    commits : str
        A range as git takes it, such as `main..HEAD`.

    Raises
    ------
    GateError
        If git does not know the range.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> check(find_root(Path(__file__)), "HEAD..HEAD")
    []
    """
    known = facts.load(root)
    derived = tuple(room for lane in LANES.values() for room in lane.rooms)
    judged = []
    for commit in git(root, "rev-list", "--reverse", "--no-merges", commits, "--").split():
        form = f"--format=%s%x00%(trailers:key={TRAILER},valueonly,separator=%x20)%x00"
        shown = git(root, "show", "--name-only", "--no-renames", "-z", form, commit)
        subject, reason, *rest = shown.split("\0")
        files = [name.strip("\n") for name in rest if name.strip("\n")]
        own = [name for name in files if not name.startswith(derived)]
        lanes, found = crossings(known.work, own)
        judged.append(Commit(commit[:12], subject, reason.strip(), lanes, found))
    return judged


def crossings(work: WorkLanes, files: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the lanes that own the files, and what each of these lanes leaves alone among them.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> work = facts.load(find_root(Path(__file__))).work
    >>> crossings(work, ["packaging/spack/facts.yaml", "packaging/easybuild/facts.yaml"])[0]
    ('Spack', 'EasyBuild')
    """
    touched = [
        lane
        for lane in work.lanes
        if any(matches(glob, name) for glob in lane.owns for name in files)
    ]
    found = [
        f"{lane.lane} leaves {name} alone"
        for lane in touched
        for name in files
        if any(matches(glob, name) for glob in lane.leaves_alone)
    ]
    return tuple(lane.lane for lane in touched), tuple(found)

# Language policy: EXEMPT from the Rust-path rule. Compares and writes text files; no computation.
"""Lanes: one set of facts, three ecosystems, recipes that are never edited by hand."""

from __future__ import annotations

from pathlib import Path

from hpcgate import facts as facts_module
from hpcgate.errors import GateError
from hpcgate.facts import Facts
from hpcgate.lanes import agreement, project
from hpcgate.lanes.base import COMMAND, Lane, Problem
from hpcgate.lanes.conda_forge import CondaForgeLane
from hpcgate.lanes.easybuild import EasyBuildLane
from hpcgate.lanes.spack import SpackLane
from hpcgate.repo import read_text, sha256_file, tracked_files, write_text

__all__ = ["COMMAND", "LANES", "Lane", "Problem", "generate", "lint", "register"]

RELEASE = "packaging/release.yaml"

LANES: dict[str, Lane] = {}


def register(lane: Lane) -> None:
    """Add a lane under its name.

    Raises
    ------
    GateError
        If the name is taken, or another lane writes the same room.

    Examples
    --------
    >>> register(SpackLane())
    Traceback (most recent call last):
        ...
    hpcgate.errors.GateError: two lanes are called spack
    """
    if lane.name in LANES:
        raise GateError(f"two lanes are called {lane.name}")
    taken = {room: other.name for other in LANES.values() for room in other.rooms}
    for room in lane.rooms:
        if room in taken:
            raise GateError(f"the lanes {taken[room]} and {lane.name} both write {room}")
    LANES[lane.name] = lane


for _lane in (SpackLane(), EasyBuildLane(), CondaForgeLane()):
    register(_lane)


def generate(root: Path, *, check: bool = False, sdist: Path | None = None) -> list[str]:
    """Write every derived file, or say which ones differ.

    Nothing is written before everything has been rendered, so an error leaves the tree as it was.

    Parameters
    ----------
    root : Path
        The checkout.
    check : bool, default False
        Change nothing.
    sdist : Path, optional
        The source archive this tree builds; its digest becomes `source.sha256`.

    Returns
    -------
    list of str
        Paths relative to `root` that were rewritten or removed, or that differ.

    Examples
    --------
    >>> generate(find_root(), check=True)  # doctest: +SKIP
    []
    """
    shared = facts_module.load(root)
    pinned = shared if sdist is None else _pin(shared, sdist)
    files: dict[str, str] = project.render(pinned, root)
    for lane in LANES.values():
        files.update(lane.render(pinned, root))

    changed = [path for path, text in files.items() if _differs(root / path, text)]
    leftover = [path for path in _room_files(root) if path not in files]
    if not check:
        for path in changed:
            write_text(root / path, files[path])
        for path in leftover:
            (root / path).unlink()
    if pinned != shared:
        if not check:
            facts_module.edit_yaml(root / RELEASE, {"source.sha256": pinned.release.sha256})
        changed.append(RELEASE)
    return sorted(changed + leftover)


def lint(root: Path) -> list[Problem]:
    """Return every convention the committed recipes break, and every disagreement among them."""
    problems = agreement.lint(root)
    for lane in LANES.values():
        problems += lane.lint(root)
    return sorted(problems)


def _pin(shared: Facts, sdist: Path) -> Facts:
    """Return the facts with the digest of an archive in place."""
    if sdist.name != shared.release.sdist:
        raise GateError(
            f"{sdist} is not the source archive {shared.release.sdist} of {RELEASE}",
            hint="build the sdist of this version",
        )
    source = shared.release.source.model_copy(update={"sha256": sha256_file(sdist)})
    release = shared.release.model_copy(update={"source": source})
    return shared.model_copy(update={"release": release})


def _differs(path: Path, text: str) -> bool:
    """Tell whether a file is missing or holds other text."""
    return not path.is_file() or read_text(path) != text


def _room_files(root: Path) -> list[str]:
    """List the files that lie in derived rooms."""
    rooms = tuple(room for lane in LANES.values() for room in lane.rooms)
    return [name for p in tracked_files(root) if (name := p.as_posix()).startswith(rooms)]

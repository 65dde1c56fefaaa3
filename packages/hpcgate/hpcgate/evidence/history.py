# Language policy: EXEMPT from the Rust-path rule. Reads what git prints; hashlib digests.
"""Since when a record is stale: the commit after which an input no longer is what was judged."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

from hpcgate.errors import GateError
from hpcgate.evidence.contract import CONTRACT, contract
from hpcgate.evidence.inputs import Tree
from hpcgate.evidence.ledger import Record
from hpcgate.repo import git, sha256_bytes

__all__ = ["Change", "History"]

GONE = "0" * 40


@dataclass(frozen=True, slots=True)
class Change:
    """One input that differs from what a record judged.

    Attributes
    ----------
    what : str
        The path and how it differs, as in `Record.changed`.
    since : datetime or None
        When the commit was made after which it differed; None where no commit tells.
    commit : str
        That commit.
    note : str
        Why no commit tells, or how far its date can be trusted.
    """

    what: str
    since: datetime | None = None
    commit: str = ""
    note: str = ""

    def __str__(self) -> str:
        """Say it in one line.

        Examples
        --------
        >>> when = datetime(2030, 1, 2, 3, 4, tzinfo=timezone.utc)
        >>> str(Change("a.rs changed", when, "0123456789abcdef"))
        'a.rs changed since 2030-01-02 03:04 UTC (commit 0123456789ab)'
        """
        words = [self.what]
        if self.since is not None:
            words.append(f"since {self.since:%Y-%m-%d %H:%M} UTC (commit {self.commit[:12]})")
        return ", ".join(filter(None, (" ".join(words), self.note)))


class _Version(NamedTuple):
    """A file as a commit left it; `age` counts commits back from the latest."""

    age: int
    commit: str
    when: datetime
    blob: str


class History:
    """The commits of a checkout, read once, and the changes they brought to a record's inputs."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._tree = Tree(self.root)
        self._commits: dict[str, int] = {}
        self._versions: dict[str, list[_Version]] = {}
        self._digests: dict[str, str] = {GONE: ""}
        self.known = (self.root / ".git").exists() and self._read()

    def changes(self, record: Record) -> tuple[Change, ...]:
        """Return what changed since the record, each with the commit that brought it.

        The date of a commit says when, its place in the history says which: a commit counts when
        it comes after the record's own and the file differs from then until today.

        Examples
        --------
        >>> from hpcgate import evidence
        >>> from hpcgate.repo import find_root
        >>> history = History(find_root())
        >>> for record in evidence.load(find_root()):  # doctest: +SKIP
        ...     print(record.id, *history.changes(record), sep="; ")
        """
        if not record.changed:
            return ()
        paths = [what.rpartition(" ")[0] for what in record.changed]
        if not self.known:
            return tuple(
                Change(what, note="no history tells since when") for what in record.changed
            )
        self._digest({version.blob for path in paths for version in self._since(path, record)})
        now = self._tree.select(contract(self.root).check(record.check).inputs)
        return tuple(
            self._change(what, path, record, now.get(path, ""))
            for what, path in zip(record.changed, paths, strict=True)
        )

    def _change(self, what: str, path: str, record: Record, now: str) -> Change:
        judged = record.run.inputs.get(path, "")
        found: _Version | None = None
        for version in self._since(path, record):
            if self._digests[version.blob] == judged:
                break
            found = version
        if found is None:
            return Change(what, note=self._why(path, judged, now))
        cut_off = self._shallow and found.age == len(self._commits) - 1
        note = "or earlier: the history here is cut off" if cut_off else ""
        return Change(what, found.when, found.commit, note)

    def _why(self, path: str, judged: str, now: str) -> str:
        """Say why no commit brought the change."""
        full = self.root / path
        today = self._tree.digest(path) if full.is_file() or full.is_symlink() else ""
        latest = self._versions.get(path, [])[:1]
        self._digest({version.blob for version in latest})
        committed = self._digests[latest[0].blob] if latest else ""
        if today != committed:
            return "not committed yet"
        if today != now or today == judged or not judged:
            return f"as {CONTRACT} selects other inputs"
        return "as the record judged a state that was never committed"

    def _since(self, path: str, record: Record) -> Sequence[_Version]:
        """Return the versions of a file that came after the record, newest first."""
        own = self._commits.get(record.run.commit.removesuffix("+dirty"))
        versions = self._versions.get(path, [])
        if own is not None:
            return [version for version in versions if version.age < own]
        return [version for version in versions if version.when > record.finished]

    def _read(self) -> bool:
        """Read every commit of the main line; false where there is none."""
        options = ("-z", "--raw", "--no-abbrev", "--no-renames", "--first-parent", "-m")
        try:
            listed = git(self.root, "log", *options, "--format=%x01%H %ct", "HEAD", "--")
            shallow = git(self.root, "rev-parse", "--is-shallow-repository").strip()
        except GateError:
            return False
        self._shallow = shallow == "true"
        commit, when, parts = "", datetime.min, iter(listed.split("\0"))
        for part in parts:
            if part.startswith("\x01"):
                commit, _, seconds = part[1:].partition(" ")
                when = datetime.fromtimestamp(int(seconds), timezone.utc)
                self._commits[commit] = len(self._commits)
            elif part.lstrip("\n").startswith(":"):
                version = _Version(len(self._commits) - 1, commit, when, part.split()[3])
                self._versions.setdefault(next(parts), []).append(version)
        return True

    def _digest(self, blobs: Iterable[str]) -> None:
        """Learn the SHA-256 of blobs, which git knows by another digest."""
        wanted = sorted(set(blobs) - self._digests.keys())
        if not wanted:
            return
        command = ["git", "-C", str(self.root), "cat-file", "--batch"]
        asked = "\n".join(wanted).encode() + b"\n"
        given = subprocess.run(command, input=asked, capture_output=True, check=False).stdout
        for blob in wanted:
            head, _, given = given.partition(b"\n")
            size = head.split()[-1]  # "<blob> blob <size>", or "<blob> missing" in a partial clone
            if size.isdigit():
                self._digests[blob] = sha256_bytes(given[: int(size)])
                given = given[int(size) + 1 :]
            else:
                self._digests[blob] = f"unknown {blob}"

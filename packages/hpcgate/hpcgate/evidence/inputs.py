# Language policy: EXEMPT from the Rust-path rule. Matches paths and calls hashlib.
"""What a check depends on: the files its globs name, and their digests today."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from hpcgate.errors import GateError
from hpcgate.repo import git, sha256_bytes, sha256_file, tracked_files

__all__ = ["Tree", "changes", "matches"]


class Tree:
    """The files of a checkout with their digests, each read at most once."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._files: list[str] | None = None
        self._digests: dict[str, str] = {}
        self._selected: dict[tuple[str, ...], dict[str, str]] = {}

    @property
    def files(self) -> list[str]:
        """All tracked paths, relative, with forward slashes."""
        if self._files is None:
            self._files = [path.as_posix() for path in tracked_files(self.root)]
        return self._files

    def select(self, globs: Sequence[str]) -> dict[str, str]:
        """Return path and digest of every file the globs select.

        A glob with a leading `!` takes files away again.
        """
        key = tuple(globs)
        if key not in self._selected:
            wanted = _pattern(*(glob for glob in key if not glob.startswith("!")))
            unwanted = _pattern(*(glob[1:] for glob in key if glob.startswith("!")))
            self._selected[key] = {
                path: self.digest(path)
                for path in self.files
                if wanted.fullmatch(path) and not unwanted.fullmatch(path)
            }
        return self._selected[key]

    def digest(self, path: str) -> str:
        """Return the digest of one file; of a symbolic link, the digest of where it points."""
        if path not in self._digests:
            full = self.root / path
            if full.is_symlink():
                if not full.resolve().is_relative_to(self.root):
                    raise GateError(f"{path}: a symbolic link out of the checkout cannot be input")
                self._digests[path] = sha256_bytes(os.fsencode(os.readlink(full)))
            else:
                self._digests[path] = sha256_file(full)
        return self._digests[path]

    def commit(self, paths: Iterable[str]) -> str:
        """Return the commit of the checkout, with `+dirty` when one of the paths is uncommitted.

        An unpacked archive, or a checkout without a commit, is `unversioned`.
        """
        if not (self.root / ".git").exists():
            return "unversioned"
        try:
            head = git(self.root, "rev-parse", "--verify", "HEAD").strip()
        except GateError:
            return "unversioned"
        listed = git(self.root, "diff", "--name-only", "--no-renames", "-z", "HEAD")
        listed += git(self.root, "ls-files", "-z", "--others", "--exclude-standard")
        return f"{head}+dirty" if set(paths) & set(listed.split("\0")) else head


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Say how inputs differ, one phrase per path.

    Examples
    --------
    >>> changes({"a": "1", "b": "2"}, {"a": "9", "c": "3"})
    ('a changed', 'b removed', 'c added')
    """
    words = []
    for path in sorted({*before, *now}):
        if path not in now:
            words.append(f"{path} removed")
        elif path not in before:
            words.append(f"{path} added")
        elif before[path] != now[path]:
            words.append(f"{path} changed")
    return tuple(words)


def matches(glob: str, path: str) -> bool:
    """Tell whether a path matches a glob; `**` crosses folders, `*` and `?` do not.

    Examples
    --------
    >>> matches("packages/**/Cargo.toml", "packages/pymars/Cargo.toml")
    True
    >>> matches("packages/*.toml", "packages/pymars/Cargo.toml")
    False
    """
    return _pattern(glob).fullmatch(path) is not None


@cache
def _pattern(*globs: str) -> re.Pattern[str]:
    """Return a pattern that matches what any of the globs matches."""
    meaning = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    ways = (
        "".join(
            meaning.get(part, re.escape(part)) for part in re.split(r"(\*\*/|\*\*|\*|\?)", glob)
        )
        for glob in globs
    )
    return re.compile("|".join(ways), re.DOTALL)

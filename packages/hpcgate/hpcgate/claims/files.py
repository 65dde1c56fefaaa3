# Language policy: EXEMPT from the Rust-path rule. Reads files and collects claims; no computation.
"""From files to claims: what each file says, before anybody asks which level the evidence supports.

Many files are shared out to forked workers (H1, not claimed: no gain is measured yet).
"""

from __future__ import annotations

import fnmatch
import gc
import multiprocessing
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath

from hpcgate.claims.judge import Judge
from hpcgate.claims.levels_named import citations
from hpcgate.claims.lexicon import Lexicon
from hpcgate.claims.memory import digest_of
from hpcgate.claims.model import Claim, Finding, Unit
from hpcgate.claims.readers import read
from hpcgate.claims.support import can_fork

__all__ = ["Files", "Judged", "matches", "name_of", "shared_out"]

_ZERO = "0" * 32
_ZEROS = re.compile(r"\b(?:sha256:)?0{32,}\b")


@dataclass(frozen=True, slots=True)
class Judged:
    """What one file says: findings that no level excuses, and units that say something.

    `digest` is there when the file was read and says nothing at all.
    """

    name: str
    findings: tuple[Finding, ...] = ()
    declared: int | None = None
    declared_line: int = 1
    said: tuple[tuple[Unit, tuple[Claim, ...]], ...] = ()
    digest: str = ""


class Files:
    """Read files of one checkout with one lexicon.

    Parameters
    ----------
    root : Path
        The checkout.
    lexicon : Lexicon
        The words of the gate.
    strict : bool
        Refuse placeholders in what is bound upstream.

    Examples
    --------
    >>> from hpcgate.claims.lexicon import load
    >>> from hpcgate.repo import find_root
    >>> Files(find_root(), load(find_root()), strict=True).file(Path("LICENSE")).said
    ()
    """

    def __init__(self, root: Path, lexicon: Lexicon, strict: bool) -> None:
        self.root = root
        self.lexicon = lexicon
        self.strict = strict
        self.judge = Judge(lexicon)

    def file(self, path: Path) -> Judged:
        """Return what a file says; a file that cannot be read is a finding."""
        place = path if path.is_absolute() else self.root / path
        name = name_of(place, self.root)
        raw = self._bytes(place, name)
        if isinstance(raw, Finding):
            return Judged(name, (raw,))
        text = _text(raw, name)
        if isinstance(text, Finding):
            return Judged(name, (text,))
        document = read(Path(name), text, self.lexicon.may_speak)
        found = [Finding(name, p.line, "unreadable", name, p.message) for p in document.problems]
        if self.strict and matches(Path(name), self.lexicon.data.placeholders.upstream):
            found += self.placeholders(name, text)
        read_units = ((unit, tuple(self.judge.claims(unit))) for unit in document.units)
        said = tuple(pair for pair in read_units if pair[1] or citations(pair[0].text))
        if not found and not said and document.declared is None:
            return Judged(name, digest=digest_of(name, raw))
        return Judged(name, tuple(found), document.declared, document.declared_line, said)

    def _bytes(self, place: Path, name: str) -> bytes | Finding:
        """Return what a file holds, or why it cannot be read."""
        inside = not Path(name).is_absolute()
        if inside and place.is_symlink() and not place.resolve().is_relative_to(self.root):
            return Finding(name, 1, "unreadable", name, "a link that leaves the checkout")
        try:
            return place.read_bytes()
        except OSError as error:
            reason = f"cannot be read: {error.strerror}"
            return Finding(name, 1, "unreadable", name, reason)

    def placeholders(self, name: str, text: str) -> Iterator[Finding]:
        """Yield one finding per line that stands for something still missing."""
        if _ZERO not in text and not any(w in text for w in self.lexicon.data.placeholders.words):
            return
        pattern = re.compile(
            "|".join(
                rf"(?<![\w.]){re.escape(w)}(?!\w)" for w in self.lexicon.data.placeholders.words
            )
        )
        for number, row in enumerate(text.split("\n"), 1):
            match = pattern.search(row) or _ZEROS.search(row)
            if match:
                yield Finding(
                    name,
                    number,
                    "placeholder",
                    row.strip()[:120],
                    f"{match[0][:20]} stands for something still missing",
                )


def _text(raw: bytes, name: str) -> str | Finding:
    """Return the text of a file, or why there is none."""
    if b"\0" in raw:
        return Finding(name, 1, "unreadable", name, "binary content in a text file")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        return Finding(name, line, "unreadable", name, "not UTF-8 text")


@contextmanager
def shared_out(files: Files, paths: Sequence[Path]) -> Iterator[Callable[[], list[Judged]]]:
    """Begin to read files and yield a function that waits for all of them, in order."""
    workers = min(os.cpu_count() or 1, len(paths) // _SHARE)
    if workers < _TWO or not can_fork():
        yield lambda: [files.file(path) for path in paths]
        return
    _ = files.lexicon.groups, files.lexicon.marks
    # What is loaded stays: neither the collector nor a worker looks at it again.
    gc.freeze()
    context = multiprocessing.get_context("fork")
    with context.Pool(workers, _begin, (files,)) as pool:
        yield pool.map_async(_forked, paths, chunksize=_SHARE // 16).get


def _begin(files: Files) -> None:
    """Take what to read with; what a worker reads holds no cycles, so it collects seldom."""
    gc.set_threshold(_SELDOM)
    _FORKED.append(files)


def _forked(path: Path) -> Judged:
    return _FORKED[-1].file(path)


# What a worker reads with, handed over by the fork; it is too large to be sent with each file.
_FORKED: list[Files] = []
# A worker pays off from this many files on.
_SHARE = 64
_TWO = 2
_SELDOM = 200_000


def name_of(path: Path, root: Path) -> str:
    """Return a path as findings name it: relative to the checkout, or whole outside of it."""
    absolute, inside = os.path.abspath(path), f"{root}{os.sep}"
    if not absolute.startswith(inside):
        return absolute
    return absolute.removeprefix(inside).replace(os.sep, "/")


def matches(path: PurePath, globs: Iterable[str]) -> bool:
    """Whether a relative path matches a glob in which `**` crosses folders.

    Examples
    --------
    >>> matches(PurePath("a/b/c.lock"), ["**/*.lock"]), matches(PurePath("a"), ["b/**"])
    (True, False)
    """
    return _pattern(tuple(globs)).fullmatch(path.as_posix()) is not None


@lru_cache(maxsize=16)
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    ways = [way for glob in globs for way in (glob, glob.replace("**/", "*"))]
    ways += [glob[3:] for glob in globs if glob.startswith("**/")]
    return re.compile("|".join(map(fnmatch.translate, ways)))

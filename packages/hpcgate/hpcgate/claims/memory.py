# Language policy: EXEMPT from the Rust-path rule. Keeps digests of read files; hashlib digests.
"""The memory: which files said nothing when they were last read, so that a run may leave them out.

Most files of a checkout hold no claim. Their digests lie in the user's cache folder, under a key of
everything that could change the verdict: the code of the gate, its words, and the versions of the
parsers. A digest is made of the very bytes that were judged and of the file's name. A memory that
is missing, damaged or of another key is empty; whatever is not in it is read.

Beside it lie the words as the gate uses them, which hold no verdict: they are the file of words,
read, checked and taken apart. They too are made anew when the code or the file is another.
"""

from __future__ import annotations

import hashlib
import os
import pickle
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import markdown_it
import pydantic
import ruamel.yaml

from hpcgate.claims.model import PATH
from hpcgate.repo import write_text

__all__ = ["Memory", "cache_folder", "digest_of", "prepared"]

Made = TypeVar("Made")

_HEAD = "mars-earth claims memory 1"


class Memory:
    """What a cache file remembers of earlier runs with the same gate and the same words.

    Parameters
    ----------
    root : Path
        The checkout, whose lexicon is part of the key.
    strict : bool
        Whether placeholders counted; part of the key.
    folder : Path
        Where the file lies, usually `cache_folder()`.
    """

    def __init__(self, root: Path, strict: bool, folder: Path) -> None:
        self._path = folder / "claims-silent.txt"
        self._head = f"{_HEAD} {_key(root, strict)}"
        self._known = self._read()

    def silent(self, root: Path, paths: Iterable[Path]) -> dict[Path, str]:
        """Return the files that are known to say nothing; a link is looked at each time."""
        found: dict[Path, str] = {}
        for path in paths if self._known else ():
            place = root / path
            with suppress(OSError):
                digest = digest_of(path.as_posix(), place.read_bytes())
                if digest in self._known and not place.is_symlink():
                    found[path] = digest
        return found

    def keep(self, digests: Iterable[str]) -> None:
        """Remember the files that said nothing in this run, and forget all others."""
        found = {*digests}
        if found != self._known:
            # Without a place to write to, the next run reads all files again.
            with suppress(OSError):
                write_text(self._path, "\n".join((self._head, *sorted(found))) + "\n")

    def _read(self) -> frozenset[str]:
        try:
            head, *lines = self._path.read_text(encoding="ascii").splitlines()
        except (OSError, ValueError):
            return frozenset()
        return frozenset(lines) if head == self._head else frozenset()


def digest_of(name: str, raw: bytes) -> str:
    """Return the digest of a file under its name, which decides how it is read.

    Examples
    --------
    >>> digest_of("a.md", b"text") == digest_of("a.py", b"text")
    False
    """
    return hashlib.sha256(name.encode("utf-8", "surrogateescape") + b"\0" + raw).hexdigest()


def prepared(root: Path, kind: type[Made], make: Callable[[], Made]) -> Made:
    """Return what `make` makes of the words of a checkout, from the cache folder if it lies there.

    Whoever can write to that folder can make the gate run code, as with Python's own bytecode.
    """
    folder = cache_folder()
    if folder is None:
        return make()
    path, key = folder / "claims-words.pickle", _key(root, strict=False)
    # Whatever is wrong with the file, the words can be made again.
    with suppress(Exception):
        head, body = path.read_bytes().split(b"\n", 1)
        if head.decode() == key and isinstance(found := pickle.loads(body), kind):
            return found
    made = make()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as stream:
            stream.write(key.encode() + b"\n" + pickle.dumps(made))
        os.replace(stream.name, path)
    return made


def _key(root: Path, strict: bool) -> str:
    parsers = (markdown_it.__version__, ruamel.yaml.__version__, pydantic.VERSION)
    versions = (sys.version, *map(str, parsers), str(strict))
    whole = hashlib.sha256("\0".join(versions).encode())
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        whole.update(path.read_bytes())
    whole.update((root / PATH).read_bytes())
    return whole.hexdigest()


def cache_folder() -> Path | None:
    """Return the user's folder for what may be forgotten at any time, or None without a home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    base = base if os.path.isabs(base) else os.path.expanduser("~/.cache")
    return Path(base, "mars-earth") if os.path.isabs(base) else None

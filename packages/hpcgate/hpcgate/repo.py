# Language policy: EXEMPT from the Rust-path rule. Reads and writes files; hashlib digests.
"""The checkout: where it is, which files it tracks, how files are read and written."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

from hpcgate.errors import GateError

__all__ = [
    "find_root",
    "git",
    "printable",
    "read_text",
    "sha256_bytes",
    "sha256_file",
    "tracked_files",
    "write_text",
]


def find_root(start: Path | None = None) -> Path:
    """Return the root of the checkout that holds `start`.

    The root is the nearest folder with `packaging/release.yaml`; git is not needed to find it.

    Raises
    ------
    GateError
        If no parent folder is a mars-earth checkout.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / "packaging" / "release.yaml").is_file():
            return folder
    raise GateError(f"{here} is not inside a mars-earth checkout", hint="change into the checkout")


def git(root: Path, *arguments: str) -> str:
    """Return what a git command prints, or raise a GateError with git's own message."""
    try:
        # A name in git is bytes; one that is no UTF-8 stays what the file system calls it.
        done = subprocess.run(
            ["git", "-C", str(root), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            check=True,
        )
    except FileNotFoundError:
        raise GateError("git is not installed", hint="apt-get install git") from None
    except subprocess.CalledProcessError as error:
        raise GateError(f"git {arguments[0]} failed: {error.stderr.strip()}") from None
    return done.stdout


def tracked_files(root: Path) -> list[Path]:
    """List the files git tracks or would track, relative to `root`, sorted.

    Untracked files that are not ignored count too, so that a gate sees a new file before its first
    commit. Outside a git checkout (an unpacked archive) every file counts.
    """
    if not (root / ".git").exists():
        found = [p.relative_to(root) for p in root.rglob("*") if p.is_file()]
        return sorted(found)
    listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    names = {name for name in listed.split("\0") if name}
    return sorted(Path(name) for name in names if os.path.lexists(root / name))


def printable(text: str) -> str:
    r"""Return text as one line that any terminal can show: control characters are spelled out.

    Examples
    --------
    >>> print(printable("red \x1b[31m and\na new line"))
    red \x1b[31m and\na new line
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def sha256_bytes(content: bytes) -> str:
    """Return the SHA-256 of bytes as 64 hexadecimal digits.

    Examples
    --------
    >>> sha256_bytes(b"")[:8]
    'e3b0c442'
    """
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    try:
        with path.open("rb") as stream:
            digest = hashlib.sha256()
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
            return digest.hexdigest()
    except OSError as error:
        raise GateError(f"{path}: cannot be read: {error.strerror}") from None


def read_text(path: Path) -> str:
    """Return a file's text, or raise one clear error when it is missing or is not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise GateError(f"{path}: not UTF-8 text") from None
    except OSError as error:
        raise GateError(f"{path}: cannot be read: {error.strerror}") from None


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        # mkstemp makes private files; a tracked file is readable like its neighbours.
        os.chmod(temporary, path.stat().st_mode if path.exists() else 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise

# Language policy: EXEMPT from the Rust-path rule. Copies files; no computation.
"""Interpreters of this machine whose files can become a conda package."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hpcgate.cleanroom.process import quiet
from hpcgate.lanes.conda_sandbox import Sandbox, Unavailable, ask_tool

__all__ = ["Python", "copy_python", "find_python"]

_LEFT_OUT = (
    *("site-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3"),
    *("__pycache__", "config-*", "*.a", "EXTERNALLY-MANAGED"),
)


@dataclass(frozen=True, slots=True)
class Python:
    """An interpreter whose files can become a conda package."""

    minor: str
    version: str
    prefix: str

    @property
    def executable(self) -> str:
        """Return the path of the interpreter."""
        return f"{self.prefix}/bin/python{self.minor}"


def find_python(minors: tuple[str, ...]) -> Python:
    """Return an interpreter of the first of these versions whose files can be packed.

    Its library has to lie where conda has it; Debian's own Python keeps it elsewhere.

    Raises
    ------
    Unavailable
        If there is none.

    Examples
    --------
    >>> find_python(("3.10",)).minor  # doctest: +SKIP
    '3.10'
    """
    for minor in minors:
        for candidate in _candidates(minor):
            if (found := _packable(candidate, minor)) is not None:
                return found
    raise Unavailable(
        f"no CPython {' or '.join(minors)} that can be packed; Debian's own cannot",
        hint=f"run: pyenv install {minors[0]}",
    )


def _candidates(minor: str) -> Iterator[Path]:
    name = f"python{minor}"
    yield from (Path(folder, name) for folder in os.environ.get("PATH", "").split(os.pathsep))
    yield from sorted(Path.home().glob(f".pyenv/versions/{minor}.*/bin/{name}"), reverse=True)


def _packable(executable: Path, minor: str) -> Python | None:
    show = (
        "import platform, sys, sysconfig; p = sysconfig.get_path;"
        "print(sys.implementation.name, platform.python_version(), sys.base_prefix, p('stdlib'),"
        " p('purelib'), p('platlib'), sep='\\n')"
    )
    line = [str(executable), "-I", "-c", show]
    done = quiet(line) if executable.is_file() else None
    if done is None or done.returncode or len(lines := done.stdout.splitlines()) != 6:
        return None
    kind, version, prefix, *paths = lines
    library = f"{prefix}/lib/python{minor}"
    own = Path(prefix, "bin", f"python{minor}")
    if own.is_file() and executable != own:
        return _packable(own, minor)  # a virtual environment, or a link, leads to its base
    expected = [library, f"{library}/site-packages", f"{library}/site-packages"]
    right = kind == "cpython" and version.startswith(f"{minor}.") and paths == expected
    return Python(minor, version, prefix) if right else None


def copy_python(python: Python, target: Path, sandbox: Sandbox) -> None:
    """Copy an interpreter and its library, so that they run from any folder.

    Examples
    --------
    >>> copy_python(find_python(("3.10",)), Path("stage"), sandbox)  # doctest: +SKIP
    """
    source, name = Path(python.prefix), f"python{python.minor}"
    (target / "bin").mkdir()
    shutil.copy2(Path(python.executable).resolve(), target / "bin" / name)
    for link in ("python", "python3"):
        (target / "bin" / link).symlink_to(name)
    shutil.copytree(
        source / "lib" / name,
        target / "lib" / name,
        symlinks=True,
        ignore=shutil.ignore_patterns(*_LEFT_OUT),
    )
    shared = sorted((source / "lib").glob(f"libpython{python.minor}*.so*"))
    for library in shared:
        shutil.copy2(library, target / "lib" / library.name, follow_symlinks=False)
    binaries = [target / "bin" / name]
    binaries += [target / "lib" / path.name for path in shared if not path.is_symlink()]
    for binary in binaries:
        binary.chmod(0o755)
    ask_tool("strip", "--strip-debug", *(str(path) for path in binaries))
    if shared:
        patchelf = str(sandbox.folder / "path" / "patchelf")
        ask_tool(patchelf, "--set-rpath", "$ORIGIN/../lib", *(str(path) for path in binaries))

# Language policy: EXEMPT from the Rust-path rule. Copies files; no computation.
"""What is built: the sdist, unpacked, with the smoke script where the build looks for it."""

from __future__ import annotations

import contextlib
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

from hpcgate.errors import GateError
from hpcgate.repo import sha256_file

__all__ = ["OUT", "SMOKE_SCRIPT", "built_wheels", "note_source", "only_sdist", "unpacked"]

OUT = Path("build/wheels/out")
SMOKE_SCRIPT = Path("tests/smoke/wheel_smoke.py")


def only_sdist(root: Path) -> Path:
    """Return the one sdist in `dist/`.

    Raises
    ------
    GateError
        If there is none, or more than one.
    """
    found = sorted((root / "dist").glob("mars_earth-*.tar.gz"))
    found = [path for path in found if not path.name.endswith("-bundle.tar.gz")]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise GateError(f"dist/ should hold one sdist; found: {names}", hint="nox -s build")
    return found[0]


def built_wheels(root: Path) -> list[Path]:
    """Return the wheels of `nox -s wheels`, if they come from the sdist of today.

    Examples
    --------
    >>> built_wheels(find_root())  # doctest: +SKIP
    [PosixPath('build/wheels/out/mars_earth-2.0.0-cp310-abi3-manylinux_2_35_x86_64.whl')]
    """
    source = root / OUT / ".sdist"
    if not source.is_file() or source.read_text() != sha256_file(only_sdist(root)):
        return []
    return sorted((root / OUT).glob("*.whl"))


def note_source(root: Path, sdist: Path) -> None:
    """Write beside the wheels which sdist they come from.

    Examples
    --------
    >>> note_source(root, only_sdist(root))  # doctest: +SKIP
    """
    (root / OUT / ".sdist").write_text(sha256_file(sdist))


@contextlib.contextmanager
def unpacked(root: Path, sdist: Path) -> Iterator[Path]:
    """Unpack an sdist below `build/wheels`, and remove it afterwards.

    Examples
    --------
    >>> with unpacked(root, only_sdist(root)) as project:  # doctest: +SKIP
    ...     (project / SMOKE_SCRIPT).is_file()
    True
    """
    project = root / "build" / "wheels" / "project"
    shutil.rmtree(project, ignore_errors=True)
    try:
        with tarfile.open(sdist) as archive:
            archive.extractall(project, filter=_below_first)
        (project / SMOKE_SCRIPT).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / SMOKE_SCRIPT, project / SMOKE_SCRIPT)
        yield project
    except tarfile.TarError as error:
        raise GateError(f"{sdist}: not an sdist: {error}", hint="nox -s build") from None
    finally:
        shutil.rmtree(project, ignore_errors=True)


def _below_first(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """Drop the first folder of every name: the project lies in it."""
    _, _, rest = member.name.partition("/")
    return tarfile.data_filter(member.replace(name=rest), folder) if rest else None

# Language policy: EXEMPT from the Rust-path rule. Unpacks archives; no computation.
"""Wheels as conda packages: where a wheel's files go in an environment, and what it needs."""

from __future__ import annotations

import configparser
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from hpcgate.errors import GateError

__all__ = ["Wheel", "read", "unpack"]

# A shell finds the interpreter beside the script, wherever the environment lies.
_SHEBANG = "#!/bin/sh\n'''exec' \"$(dirname \"$0\")/python\" \"$0\" \"$@\"\n' '''\n"


@dataclass(frozen=True, slots=True)
class Wheel:
    """What the metadata of a wheel says."""

    name: str
    version: str
    requires: tuple[str, ...]

    def depends(self, python: str) -> list[str]:
        """Return the packages it needs on a version of Python, by name, without extras.

        Examples
        --------
        >>> wheel = Wheel("maturin", "1.9", ("tomli>=1.1; python_full_version < '3.11.0'",))
        >>> wheel.depends("3.10.13"), wheel.depends("3.13.0")
        (['tomli'], [])
        """
        place = {
            "python_version": python.rpartition(".")[0],
            "python_full_version": python,
            "implementation_name": "cpython",
            "platform_python_implementation": "CPython",
            "sys_platform": "linux",
            "platform_system": "Linux",
            "os_name": "posix",
            "extra": "",
        }
        wanted = map(Requirement, self.requires)
        return sorted(
            {canonicalize_name(r.name) for r in wanted if not r.marker or r.marker.evaluate(place)}
        )


def read(path: Path) -> Wheel:
    """Read the metadata of a wheel.

    Raises
    ------
    GateError
        If the file is not a wheel.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
            found, _ = parse_email(archive.read(name))
        requires = tuple(found.get("requires_dist", ()))
        for requirement in requires:
            Requirement(requirement)
        return Wheel(canonicalize_name(found["name"]), found["version"], requires)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile, InvalidRequirement) as error:
        raise GateError(f"{path}: not a wheel: {error}") from None


def unpack(path: Path, prefix: Path, minor: str) -> None:
    """Lay the files of a wheel out as an environment has them, with its commands.

    Examples
    --------
    >>> unpack(Path("click-8.1.0-py3-none-any.whl"), Path("stage"), "3.10")  # doctest: +SKIP
    """
    library = prefix / "lib" / f"python{minor}" / "site-packages"
    folders = {"purelib": library, "platlib": library, "scripts": prefix / "bin", "data": prefix}
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            parts = PurePosixPath(entry.filename).parts
            if ".." in parts or entry.filename.startswith("/"):
                raise GateError(f"{path}: {entry.filename} leads out of the wheel")
            folder = library
            script = False
            if parts[0].endswith(".data"):
                if entry.is_dir() or parts[1] not in folders:
                    continue
                folder, script, parts = folders[parts[1]], parts[1] == "scripts", parts[2:]
            if entry.is_dir():
                continue
            content = archive.read(entry)
            if script and content.startswith(b"#!python"):
                content = _SHEBANG.encode() + content.partition(b"\n")[2]
            executable = script or bool(entry.external_attr >> 16 & 0o111)
            _write(folder.joinpath(*parts), content, executable=executable)
        for name in archive.namelist():
            if name.endswith(".dist-info/entry_points.txt"):
                _commands(archive.read(name).decode(), prefix / "bin")


def _commands(text: str, folder: Path) -> None:
    """Write one script for each command that the wheel declares."""
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(text)
    for name, target in parser["console_scripts"].items() if "console_scripts" in parser else ():
        module, _, function = target.partition("[")[0].strip().partition(":")
        top = function.partition(".")[0]
        call = f"import sys\nfrom {module} import {top}\nsys.exit({function}())\n"
        _write(folder / name, (_SHEBANG + call).encode(), executable=True)


def _write(path: Path, content: bytes, *, executable: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755 if executable else 0o644)

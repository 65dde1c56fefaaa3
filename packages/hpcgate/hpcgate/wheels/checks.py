# Language policy: EXEMPT from the Rust-path rule. Asks tools about files; no computation.
"""What a wheel must pass wherever it was built: tags, size, and what three tools say of it."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from hpcgate.cleanroom.process import Result, run_group
from hpcgate.errors import GateError
from hpcgate.smoke import Smoke

__all__ = ["LARGEST", "check", "check_metadata", "fits", "platforms", "refuse_foreign"]

# Bytes; what a wheel may take of an index and of a site's mirror.
LARGEST = 6_000_000


def platforms(wheel: Path) -> tuple[str, ...]:
    """Return the platform tags in a wheel's name.

    Raises
    ------
    GateError
        If the name is not a wheel's.

    Examples
    --------
    >>> platforms(Path("mars_earth-2.0.0-cp310-abi3-macosx_11_0_arm64.whl"))
    ('macosx_11_0_arm64',)
    """
    try:
        tags = parse_wheel_filename(wheel.name)[3]
    except InvalidWheelFilename as error:
        raise GateError(f"{wheel.name}: not the name of a wheel: {error}") from None
    return tuple(sorted({tag.platform for tag in tags}))


def fits(wheel: Path, machine: str) -> bool:
    """Say whether a wheel is for Linux with glibc on an architecture.

    Examples
    --------
    >>> fits(Path("mars_earth-2.0.0-cp310-abi3-manylinux2014_aarch64.whl"), "aarch64")
    True
    """
    found = platforms(wheel)
    linux = [tag for tag in found if tag.startswith(("linux_", "manylinux"))]
    return "any" in found or any(tag.endswith(f"_{machine}") for tag in linux)


def refuse_foreign(wheel: Path, machine: str = "") -> None:
    """Raise when a wheel is for another platform than a room: Linux with glibc.

    Parameters
    ----------
    wheel : Path
        The wheel; its name tells what it is for.
    machine : str
        The architecture of the room, this machine's by default.

    Raises
    ------
    GateError
        With the tags of the wheel and the architecture of the room.

    Examples
    --------
    >>> refuse_foreign(Path("mars_earth-2.0.0-cp310-abi3-win_amd64.whl"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    hpcgate.errors.GateError: ...win_amd64.whl: a wheel for win_amd64; ...
    """
    machine = machine or platform.machine()
    if fits(wheel, machine):
        return
    found = ", ".join(platforms(wheel))
    raise GateError(
        f"{wheel.name}: a wheel for {found}; a room here is glibc Linux on {machine}",
        hint="take the wheel to a machine of its platform, or give another with --wheel",
    )


def check(smoke: Smoke, wheel: Path) -> None:
    """Add what the tools say of one wheel, and its size.

    Examples
    --------
    >>> check(Smoke(), Path("build/wheels/out/a.whl"))  # doctest: +SKIP
    """
    kind = "-".join(wheel.name.split("-")[2:]).removesuffix(".whl").replace("_", "-")
    kind = kind.replace(".", "-").lower()
    size = wheel.stat().st_size
    smoke.measurements[f"{kind}_bytes"] = size
    smoke.add(f"at-most-6-mb-{kind}", size <= LARGEST, f"{size} bytes")
    if any(tag.startswith(("manylinux", "musllinux")) for tag in platforms(wheel)):
        told = _ask("auditwheel", "show", "--json", str(wheel))
        smoke.add(f"auditwheel-{kind}", *_compatible(wheel, told.stdout, told.stderr))
    if "-abi3-" in wheel.name:
        told = _ask("abi3audit", "--strict", "--summary", str(wheel))
        found = told.stderr.strip().rpartition(": ")[2]
        smoke.add(f"abi3audit-{kind}", told.ok, found if told.ok and found else told.why)


def check_metadata(smoke: Smoke, files: Sequence[Path]) -> None:
    """Add what twine says of every file, as an index would judge it.

    Examples
    --------
    >>> check_metadata(Smoke(), [Path("dist/mars_earth-2.0.0.tar.gz")])  # doctest: +SKIP
    """
    told = _ask("twine", "--no-color", "check", "--strict", *map(str, files))
    names = ", ".join(path.name for path in files)
    smoke.add("twine-check", told.ok, names if told.ok else told.why)


def _ask(tool: str, *arguments: str) -> Result:
    """Run one of this environment's tools; a wide terminal keeps its sentences whole."""
    return run_group(
        [sys.executable, "-m", tool, *arguments],
        environment={**os.environ, "COLUMNS": "1000", "NO_COLOR": "1"},
        timeout=300.0,
    )


def _compatible(wheel: Path, printed: str, complained: str) -> tuple[bool, str]:
    """Say whether auditwheel finds the wheel at least as compatible as its name claims."""
    try:
        overall = str(json.loads(printed)["overall_tag"])
    except (ValueError, KeyError, TypeError):
        return False, (complained.strip().splitlines() or ["it printed no report"])[-1]
    return overall in platforms(wheel), f"consistent with {overall}"

# Language policy: EXEMPT from the Rust-path rule. Drives builds and checks; no computation.
"""`nox -s wheels`: build wheels as this machine allows, check each, use the host's, record."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from rich.console import Console

from hpcgate import smoke_wheel
from hpcgate.cleanroom import EngineName
from hpcgate.errors import GateError
from hpcgate.evidence import Outcome
from hpcgate.repo import find_root, sha256_file, write_text
from hpcgate.sdist import make_sdist
from hpcgate.smoke import Smoke, conclude, exit_status
from hpcgate.wheels import checks
from hpcgate.wheels.cross import TARGETS, target_of
from hpcgate.wheels.project import OUT, note_source, only_sdist, unpacked
from hpcgate.wheels.ways import LOG, WAYS, BuildError, Way, build

__all__ = ["main", "run"]

CHECK = "wheels"
# The oldest that the NumPy of today runs on; the core itself asks for less (see old-processor).
OLD_PROCESSORS = ("Nehalem",)
_WAY = "the first of official, own and zig that works by default; cross only when it is named"
# What the ways that need no registry leave to the workflow.
NOT_BUILT = "musllinux, cp314t: Debian has neither Rust's library for musl nor that Python"


def run(
    root: Path,
    way: Way | None = None,
    *,
    only: str = "",
    architectures: str = "",
    engine: EngineName = "auto",
    recorded: bool = True,
) -> Outcome:
    """Build, check, use and record the wheels of the sdist in `dist/`.

    Parameters
    ----------
    root : Path
        The checkout.
    way, only, architectures
        As for `hpcgate.wheels.build`.
    engine : {"auto", "podman", "docker", "apptainer", "bwrap", "chroot"}
        What runs the room in which the host's wheel is used.
    recorded : bool
        False prints only, as on a runner whose ledger nobody keeps.

    Examples
    --------
    >>> run(find_root())  # doctest: +SKIP
    'pass'
    """
    # This machine's own wheels are one check; those for another architecture are one each.
    check, command = CHECK, f"nox -s {CHECK}"
    if way == "cross":
        target_of(architectures)
        check, command = (
            f"{CHECK}-{architectures.replace('_', '-')}",
            f"{command} -- --way cross --archs {architectures}",
        )
    sdist, smoke, wheels = only_sdist(root), Smoke(), list[Path]()
    try:
        wheels = _build(smoke, root, sdist, way, only, architectures)
        for wheel in wheels:
            checks.check(smoke, wheel)
        checks.check_metadata(smoke, [sdist, *wheels])
        _twice(smoke, root, sdist)
        _use(smoke, root, wheels, engine)
    except BuildError as error:
        smoke.add("builds", False, str(error))
    except GateError as error:
        smoke.unavailable = str(error)
    write_text(root / LOG.with_name("wheels-use.log"), "\n".join(smoke.log))
    title = ", ".join(path.name for path in wheels) or sdist.name
    return conclude(
        smoke,
        root,
        [sdist, *wheels],
        check,
        title=title,
        logs=f"log {LOG}",
        command=command,
        recorded=recorded,
    )


def _build(
    smoke: Smoke, root: Path, sdist: Path, way: Way | None, only: str, architectures: str
) -> list[Path]:
    began = time.monotonic()
    with Console(stderr=True).status("wheels (some minutes)"), unpacked(root, sdist) as project:
        built = build(root, project, root / OUT, way, only=only, architectures=architectures)
    note_source(root, sdist)
    smoke.tools |= built.tools
    smoke.measurements |= built.measurements
    # From nothing: an image of ours that had to be made first is part of it.
    smoke.measurements["wheel_seconds"] = round(time.monotonic() - began, 3)
    if hasattr(os, "getloadavg"):
        smoke.measurements["load_average"] = round(os.getloadavg()[1], 2)
    if built.refused:
        smoke.tools["not here"] = "; ".join(built.refused)
    if built.way in ("own", "zig", "cross"):
        smoke.tools["not built"] = NOT_BUILT
    smoke.add(f"builds-by-{built.way}", bool(built.wheels), f"{len(built.wheels)} wheels")
    if built.offline:
        smoke.add("builds-without-network", True, "the crates of the sdist suffice")
    return built.wheels


def _twice(smoke: Smoke, root: Path, sdist: Path) -> None:
    """Build the sdist again: the bytes must be the same."""
    with tempfile.TemporaryDirectory(dir=root / "build") as folder:
        again = make_sdist(root, Path(folder))
        digest, same = sha256_file(again), sha256_file(again) == sha256_file(sdist)
    smoke.add("sdist-twice-is-the-same-bytes", same, f"sha256 {digest}")


def _use(smoke: Smoke, root: Path, wheels: Sequence[Path], engine: EngineName) -> None:
    """Use each abi3 wheel where nothing can be built: this machine's on old processors too."""
    if platform.system() != "Linux":
        return  # cibuildwheel has used it in an environment of its own
    for wheel in wheels:
        machine = next((name for name in _rooms() if checks.fits(wheel, name)), None)
        if machine is None or "-abi3-" not in wheel.name:
            continue  # musllinux: used in its own image
        image, provided = _rooms()[machine]
        old = OLD_PROCESSORS if machine == platform.machine() == "x86_64" else ()
        smoke_wheel.examine(
            smoke,
            root,
            wheel,
            engine,
            image=image,
            processors=old,
            machine=machine,
            provided=provided,
        )


def _rooms() -> dict[str, tuple[str, bool]]:
    """Return the room in which a wheel of each architecture is used; ours need no emulator."""
    others = {name: (target.room, target.provided) for name, target in TARGETS.items()}
    return {**others, platform.machine(): (smoke_wheel.IMAGE, False)}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the session from the command line; anything but a pass is exit status 1."""
    parser = argparse.ArgumentParser(prog="nox -s wheels --", description=__doc__)
    parser.add_argument("--way", choices=WAYS, help=_WAY)
    parser.add_argument("--only", default="", help="build identifiers for cibuildwheel")
    parser.add_argument("--archs", default="", help="for cibuildwheel, and one for cross")
    parser.add_argument("--engine", choices=get_args(EngineName), default="auto")
    parser.add_argument("--unrecorded", action="store_true", help="write no evidence")
    options = parser.parse_args(arguments)
    outcome = run(
        find_root(),
        options.way,
        only=options.only,
        architectures=options.archs,
        engine=options.engine,
        recorded=not options.unrecorded,
    )
    return 0 if outcome == "pass" else 1


if __name__ == "__main__":
    sys.exit(exit_status(CHECK, main))

# Language policy: EXEMPT from the Rust-path rule. Drives a clean room; no computation.
"""The smoke session of the wheel: install it where nothing can be built, use it, record it."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from rich.console import Console

from hpcgate.cleanroom import THREADS, EngineName, Room, open_room
from hpcgate.cleanroom.process import Result
from hpcgate.errors import GateError
from hpcgate.evidence import Outcome
from hpcgate.repo import find_root, write_text
from hpcgate.smoke import Smoke, conclude, exit_status

__all__ = ["main", "run"]

CHECK = "smoke-wheel"
IMAGE = "debian-bookworm"
SCRIPT = Path("tests/smoke/wheel_smoke.py")
LOG = Path(f"build/logs/{CHECK}.log")
# What pip says when the index is out of reach, which says nothing about the wheel.
_NO_INDEX = re.compile(
    r"NewConnectionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|SSLError|"
    r"CERTIFICATE_VERIFY_FAILED|Temporary failure in name resolution|Network is unreachable"
)


def run(root: Path, wheel: Path, engine: EngineName = "auto") -> Outcome:
    """Install a wheel in a clean room, use it there, and write the evidence.

    Parameters
    ----------
    root : Path
        The checkout.
    wheel : Path
        The wheel, whatever machine built it.
    engine : {"auto", "podman", "docker", "bwrap"}
        What runs the room.

    Returns
    -------
    {"pass", "fail", "unavailable"}
        Unavailable when no room or no package index can be had here.

    Examples
    --------
    >>> run(find_root(), Path("dist/mars_earth.whl"))  # doctest: +SKIP
    'pass'
    """
    if wheel.suffix != ".whl" or not wheel.is_file():
        raise GateError(f"{wheel}: no such wheel", hint="build one with nox")
    console = Console(stderr=True)
    smoke = Smoke()
    try:
        _try(smoke, root, wheel, engine, console)
    except GateError as error:
        smoke.unavailable = str(error)
    write_text(root / LOG, "\n".join(smoke.log))
    return conclude(smoke, root, [wheel], CHECK, title=wheel.name, logs=f"log {LOG}")


def _try(smoke: Smoke, root: Path, wheel: Path, engine: EngineName, console: Console) -> None:
    guests = {wheel: f"/mnt/wheel/{wheel.name}", root / SCRIPT: "/mnt/smoke.py"}
    began = time.monotonic()
    with console.status("clean room (half a minute the first time)") as status:
        opened = open_room(
            IMAGE, root, engine=engine, network=True, mounts=guests, environment=THREADS
        )
        with opened as room:
            smoke.tools |= {"engine": room.engine, "image": room.image}
            smoke.measurements["room_seconds"] = round(time.monotonic() - began, 3)
            # A room that finds a build tool does not open.
            smoke.add("clean-room-holds-no-build-tool", True, f"{len(room.packages)} packages")
            status.update("pip install")
            if _install(smoke, room, wheel):
                status.update("fit, save, load, replay")
                _use(smoke, room)


def _install(smoke: Smoke, room: Room, wheel: Path) -> bool:
    """Install the wheel with its dependencies, as wheels only."""
    made = room.run(["python3", "-m", "venv", "/work/venv"])
    pip = ["/work/venv/bin/pip", "install", "--disable-pip-version-check", "--no-cache-dir"]
    done = made
    if made.ok:
        done = room.run([*pip, "--only-binary", ":all:", f"/mnt/wheel/{wheel.name}"])
    _keep(smoke, "install", done)
    smoke.measurements["install_seconds"] = round(made.seconds + done.seconds, 3)
    if not done.ok and _NO_INDEX.search(done.stdout + done.stderr):
        raise GateError("no package index can be reached from the clean room", hint=f"see {LOG}")
    smoke.add("installs-from-wheels-only", done.ok, "pip install" if done.ok else done.why)
    return done.ok


def _use(smoke: Smoke, room: Room) -> None:
    """Run the smoke script without a network and take in its report."""
    done = room.run(["/work/venv/bin/python", "-I", "/mnt/smoke.py"], network=False)
    _keep(smoke, "use", done)
    smoke.measurements["use_seconds"] = done.seconds
    smoke.take_in("smoke-script-reports", done, silent=f"it printed no report: {done.why}")


def _keep(smoke: Smoke, step: str, done: Result) -> None:
    smoke.log += [f"== {step}: exit {done.returncode}, {done.seconds} s", done.stdout, done.stderr]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the session from the command line; anything but a pass is exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m hpcgate.smoke_wheel", description=__doc__)
    parser.add_argument("--engine", choices=get_args(EngineName), default="auto")
    parser.add_argument("--wheel", type=Path, help="the one wheel in dist/ by default")
    options = parser.parse_args(arguments)
    root = find_root()
    wheel = options.wheel or _only_wheel(root)
    return 0 if run(root, wheel.resolve(), options.engine) == "pass" else 1


def _only_wheel(root: Path) -> Path:
    wheels = sorted((root / "dist").glob("*.whl"))
    if len(wheels) != 1:
        found = ", ".join(path.name for path in wheels) or "none"
        raise GateError(
            f"dist/ should hold one wheel; found: {found}",
            hint="build one with nox, or give --wheel",
        )
    return wheels[0]


if __name__ == "__main__":
    sys.exit(exit_status(CHECK, main))

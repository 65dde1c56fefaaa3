# Language policy: EXEMPT from the Rust-path rule. Drives a clean room; no computation.
"""The smoke session of the wheel: install it where nothing can be built, use it, record it."""

from __future__ import annotations

import argparse
import platform
import re
import shutil
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
from hpcgate.smoke import Smoke, conclude, exit_status, read_report
from hpcgate.wheels.checks import refuse_foreign

__all__ = ["examine", "main", "run"]

CHECK = "smoke-wheel"
IMAGE = "debian-bookworm"
SCRIPT = Path("tests/smoke/wheel_smoke.py")
LOG = Path(f"build/logs/{CHECK}.log")
# Of one command; an emulated machine takes many times as long as this one.
_SECONDS = 1800.0
_GET_EMULATOR = "apt-get install qemu-user-static"
# What the room runs first: the least that is a fit and a prediction.
FIRST = """\
import numpy as np
import pymars as earth
x = np.linspace(0.0, 1.0, 50).reshape(-1, 1)
y = np.abs(x[:, 0] - 0.5)
assert np.abs(earth.Earth().fit(x, y).predict(x) - y).max() < 0.1
"""
# Runs a command and leaves what its processes used; pip itself does one thing at a time.
_TIMED = ("sh", "-c", '"$@"; status=$?; times > /work/.times; exit $status', "timed")
_TIMES = re.compile(r"(\d+)m([\d.]+)s (\d+)m([\d.]+)s\s*\Z")
# What pip says when the index is out of reach, which says nothing about the wheel.
_NO_INDEX = re.compile(
    r"NewConnectionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|SSLError|"
    r"CERTIFICATE_VERIFY_FAILED|Temporary failure in name resolution|Network is unreachable"
)


def run(
    root: Path, wheel: Path, engine: EngineName = "auto", processors: Sequence[str] = ()
) -> Outcome:
    """Install a wheel in a clean room, use it there, and write the evidence.

    Parameters
    ----------
    root : Path
        The checkout.
    wheel : Path
        The wheel, whatever machine built it.
    engine : {"auto", "podman", "docker", "apptainer", "bwrap", "chroot"}
        What runs the room.
    processors : sequence of str
        As for `examine`; with one, nothing is recorded, as another session does.

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
    refuse_foreign(wheel)
    smoke = Smoke()
    try:
        examine(smoke, root, wheel, engine, processors=processors)
    except GateError as error:
        smoke.unavailable = str(error)
    write_text(root / LOG, "\n".join(smoke.log))
    title, logs = wheel.name, f"log {LOG}"
    return conclude(smoke, root, [wheel], CHECK, title=title, logs=logs, recorded=not processors)


def examine(
    smoke: Smoke,
    root: Path,
    wheel: Path,
    engine: EngineName = "auto",
    *,
    image: str = IMAGE,
    processors: Sequence[str] = (),
    machine: str = "",
    provided: bool = False,
) -> None:
    """Install a wheel in a clean room and use it there, on old processors too.

    Parameters
    ----------
    smoke : Smoke
        Takes in what is seen.
    image : str
        The definition of the room in `containers/`.
    machine : str
        The architecture of that room, this machine's by default.
    provided : bool
        The room's own packages hold all that the wheel needs; no index is asked.
    processors : sequence of str
        Names of processors as qemu has them. The smoke script runs on each; programs that it starts
        do not.

    Raises
    ------
    GateError
        If the wheel is for another platform, or no room, no package index or no emulator is here.

    Examples
    --------
    >>> examine(Smoke(), root, wheel, processors=["Nehalem"])  # doctest: +SKIP
    """
    refuse_foreign(wheel, machine)
    guests = {wheel: f"/mnt/wheel/{wheel.name}", root / SCRIPT: "/mnt/smoke.py"}
    if processors:
        guests[_emulator()] = "/mnt/qemu"
    variables = dict(THREADS)
    if machine not in ("", platform.machine()):
        variables["PIP_COMPILE"] = "0"  # emulated, that takes most of the time
    began = time.monotonic()
    with Console(stderr=True).status("clean room (half a minute the first time)") as status:
        opened = open_room(
            image,
            root,
            engine=engine,
            network=not provided,
            mounts=guests,
            environment=variables,
            timeout=_SECONDS,
        )
        with opened as room:
            smoke.tools |= {"engine": room.engine, "image": room.image}
            smoke.measurements["room_seconds"] = round(time.monotonic() - began, 3)
            # A room that finds a build tool does not open.
            smoke.add("clean-room-holds-no-build-tool", True, f"{len(room.packages)} packages")
            status.update("pip install")
            if _install(smoke, room, wheel, provided):
                status.update("fit, save, load, replay")
                _use(smoke, room)
                for processor in processors:
                    status.update(f"the same on an emulated {processor}")
                    _emulate(smoke, room, processor)


def _install(smoke: Smoke, room: Room, wheel: Path, provided: bool = False) -> bool:
    """Fetch what the wheel needs, as wheels only; install all without a network, and predict."""
    pip = ["/work/venv/bin/pip", "--disable-pip-version-check"]
    given = f"/mnt/wheel/{wheel.name}"
    fetch = [*pip, "download", "--no-cache-dir", "--only-binary", ":all:", "--dest=/work/wheels"]
    install = [*pip, "install", "--no-index", "--find-links=/work/wheels", given]
    packages = ["--system-site-packages"] if provided else []
    done = room.run(["python3", "-m", "venv", *packages, "/work/venv"])
    if done.ok and not provided:
        done = room.run([*fetch, given])
        _keep(smoke, "download", done)
        smoke.measurements["download_seconds"] = done.seconds
        if not done.ok and _NO_INDEX.search(done.stdout + done.stderr):
            raise GateError(
                "no package index can be reached from the clean room", hint=f"see {LOG}"
            )
    if done.ok:
        done = room.run([*_TIMED, *install], network=False)
    _keep(smoke, "install", done)
    smoke.add("installs-from-wheels-only", done.ok, "pip install" if done.ok else done.why)
    if done.ok:
        smoke.measurements["install_seconds"] = done.seconds
        if used := _processor_seconds(room):
            smoke.measurements["install_processor_seconds"] = used
        first = room.run(["/work/venv/bin/python", "-I", "-c", FIRST], network=False)
        _keep(smoke, "first prediction", first)
        smoke.add("first-prediction", first.ok, "fit and predict" if first.ok else first.why)
        smoke.measurements["first_prediction_seconds"] = round(done.seconds + first.seconds, 3)
    return done.ok


def _processor_seconds(room: Room) -> float:
    """Return what the command before used of a processor: other work on the machine has no part."""
    found = _TIMES.search((room.work / ".times").read_text(encoding="utf-8"))
    if found is None:
        return 0.0
    user_minutes, user, system_minutes, system = map(float, found.groups())
    return round(60 * (user_minutes + system_minutes) + user + system, 2)


def _use(smoke: Smoke, room: Room) -> None:
    """Run the smoke script without a network and take in its report."""
    done = room.run(["/work/venv/bin/python", "-I", "/mnt/smoke.py"], network=False)
    _keep(smoke, "use", done)
    smoke.measurements["use_seconds"] = done.seconds
    smoke.take_in("smoke-script-reports", done, silent=f"it printed no report: {done.why}")


def _emulate(smoke: Smoke, room: Room, processor: str) -> None:
    """Run the smoke script on an emulated processor."""
    name = processor.lower()
    line = ["/mnt/qemu", "-cpu", processor, "/work/venv/bin/python", "-I", "/mnt/smoke.py"]
    done = room.run(line, network=False)
    _keep(smoke, processor, done)
    smoke.measurements[f"{name}_seconds"] = done.seconds
    report = read_report(done.stdout)
    good = report is not None and report.agrees(done) and done.ok
    smoke.add(f"works-on-{name}", good, f"{len(report.tests)} tests" if report else done.why)


def _emulator() -> Path:
    """Find an emulator of x86-64 that needs none of this machine's libraries."""
    if platform.machine() != "x86_64":
        raise GateError("old processors of x86-64 are not emulated on another machine")
    found = shutil.which("qemu-x86_64-static")
    if found is None:
        raise GateError("qemu-x86_64-static is not installed", hint=_GET_EMULATOR)
    return Path(found)


def _keep(smoke: Smoke, step: str, done: Result) -> None:
    smoke.log += [f"== {step}: exit {done.returncode}, {done.seconds} s", done.stdout, done.stderr]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the session from the command line; anything but a pass is exit status 1."""
    parser = argparse.ArgumentParser(prog="python -m hpcgate.smoke_wheel", description=__doc__)
    parser.add_argument("--engine", choices=get_args(EngineName), default="auto")
    parser.add_argument("--wheel", type=Path, help="the one wheel in dist/ by default")
    parser.add_argument(
        "--processor", action="append", default=[], help="use it on this one of qemu's too"
    )
    options = parser.parse_args(arguments)
    root = find_root()
    wheel = options.wheel or _only_wheel(root)
    return 0 if run(root, wheel.resolve(), options.engine, options.processor) == "pass" else 1


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

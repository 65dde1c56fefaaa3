# Language policy: EXEMPT from the Rust-path rule. Drives a clean room; no computation.
"""The smoke session of the wheel: install it where nothing can be built, use it, record it."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated, get_args

from pydantic import Field, ValidationError, field_validator
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hpcgate.cleanroom import EngineName, Room, open_room
from hpcgate.cleanroom.process import Result
from hpcgate.errors import GateError
from hpcgate.evidence import record
from hpcgate.evidence.statement import Outcome
from hpcgate.facts import FactModel
from hpcgate.repo import find_root, write_text

__all__ = ["Report", "Smoke", "Test", "main", "run"]

IMAGE = "debian-bookworm"
SCRIPT = Path("tests/smoke/wheel_smoke.py")
LOG = Path("build/logs/smoke-wheel.log")
# What pip says when the index is out of reach, which says nothing about the wheel.
_NO_INDEX = re.compile(
    r"NewConnectionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|SSLError|"
    r"CERTIFICATE_VERIFY_FAILED|Temporary failure in name resolution|Network is unreachable"
)

_Name = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class Test(FactModel):
    """Hold what one test of the smoke script showed."""

    name: _Name
    passed: bool
    detail: str


class Report(FactModel):
    """Hold the line of JSON that the smoke script prints."""

    tests: Annotated[tuple[Test, ...], Field(min_length=1)]
    versions: dict[str, str]
    measurements: dict[str, float]

    @field_validator("tests")
    @classmethod
    def _named_once(cls, tests: tuple[Test, ...]) -> tuple[Test, ...]:
        names = [test.name for test in tests]
        if len(set(names)) != len(names):
            raise ValueError("two tests have one name")
        return tests


@dataclass(slots=True)
class Smoke:
    """Gather what a run shows, until it is recorded."""

    tests: list[Test] = field(default_factory=list)
    tools: dict[str, str] = field(default_factory=dict)
    measurements: dict[str, float] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    unavailable: str = ""

    @property
    def outcome(self) -> Outcome:
        """Return pass only when something was tested and nothing failed."""
        if self.unavailable:
            return "unavailable"
        return "pass" if self.tests and all(test.passed for test in self.tests) else "fail"

    @property
    def reason(self) -> str:
        """Say why it is not a pass; empty for a pass."""
        failed = [test for test in self.tests if not test.passed]
        if self.unavailable or self.outcome == "pass":
            return self.unavailable
        if not failed:
            return "nothing was tested"
        first = failed[0]
        detail = (first.detail.splitlines() or ["no detail"])[0]
        others = f"; also {', '.join(test.name for test in failed[1:])}" if failed[1:] else ""
        return f"{first.name}: {detail}{others}"

    def add(self, name: str, passed: bool, detail: str) -> None:
        """Add one test."""
        self.tests.append(Test(name=name, passed=passed, detail=detail))


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
    started = datetime.now(timezone.utc)
    smoke = Smoke()
    try:
        _try(smoke, root, wheel, engine, console)
    except GateError as error:
        smoke.unavailable = str(error)
    write_text(root / LOG, "\n".join(smoke.log))
    entry = record(
        root,
        "smoke-wheel",
        smoke.outcome,
        subjects=[wheel],
        command="nox -s smoke-wheel",
        started=started,
        finished=datetime.now(timezone.utc),
        reason=smoke.reason,
        tools=smoke.tools,
        measurements=smoke.measurements,
        passed=[test.name for test in smoke.tests if test.passed],
        failed=[test.name for test in smoke.tests if not test.passed],
    )
    console.print(_table(smoke, wheel))
    console.print(f"{smoke.outcome}  {smoke.reason}".strip(), highlight=False, markup=False)
    console.print(f"evidence {entry.id}, log {LOG}", highlight=False, markup=False)
    return smoke.outcome


def _try(smoke: Smoke, root: Path, wheel: Path, engine: EngineName, console: Console) -> None:
    guests = {wheel: f"/mnt/wheel/{wheel.name}", root / SCRIPT: "/mnt/smoke.py"}
    # Without a limit the linear algebra reserves address space for every core of a large machine.
    threads = {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    began = time.monotonic()
    with console.status("clean room (half a minute the first time)") as status:
        opened = open_room(
            IMAGE, root, engine=engine, network=True, mounts=guests, environment=threads
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
    try:
        report = Report.model_validate_json((done.stdout.strip().splitlines() or [""])[-1])
    except ValidationError:
        smoke.add("smoke-script-reports", False, f"it printed no report: {done.why}")
        return
    smoke.tests += report.tests
    smoke.tools |= report.versions
    smoke.measurements |= report.measurements
    honest = done.ok == all(test.passed for test in report.tests)
    smoke.add("smoke-script-reports", honest, f"{len(report.tests)} tests, exit {done.returncode}")


def _keep(smoke: Smoke, step: str, done: Result) -> None:
    smoke.log += [f"== {step}: exit {done.returncode}, {done.seconds} s", done.stdout, done.stderr]


def _table(smoke: Smoke, wheel: Path) -> Table:
    table = Table("test", "outcome", "detail", title=wheel.name, title_justify="left")
    for test in smoke.tests:
        table.add_row(test.name, "pass" if test.passed else "[red]fail[/red]", escape(test.detail))
    for name, value in {**smoke.tools, **smoke.measurements}.items():
        table.add_row(name, "", escape(str(value)), style="dim")
    return table


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
    try:
        sys.exit(main())
    except (GateError, OSError) as error:
        print(f"smoke-wheel: {error}", file=sys.stderr)
        sys.exit(2)

# Language policy: EXEMPT from the Rust-path rule. Gathers and records outcomes; no computation.
"""The frame of every smoke session: gather what it shows, read the report, judge, record, print."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, field_validator
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hpcgate.cleanroom.process import Result
from hpcgate.errors import GateError
from hpcgate.evidence import Outcome, record
from hpcgate.facts import FactModel

__all__ = ["Report", "Smoke", "Test", "conclude", "exit_status", "read_report"]


class Test(FactModel):
    """Hold what one test showed."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
    passed: bool
    detail: str


class Report(FactModel):
    """Hold the line of JSON that a smoke script prints last."""

    tests: Annotated[tuple[Test, ...], Field(min_length=1)]
    versions: dict[str, str]
    measurements: dict[str, float]

    @field_validator("tests")
    @classmethod
    def _named_once(cls, tests: tuple[Test, ...]) -> tuple[Test, ...]:
        if len({test.name for test in tests}) != len(tests):
            raise ValueError("two tests have one name")
        return tests

    def agrees(self, done: Result) -> bool:
        """Say whether the script's exit status and its tests tell the same."""
        return done.ok == all(test.passed for test in self.tests)


@dataclass(slots=True)
class Smoke:
    """Gather what a run shows, until `conclude` records it."""

    tests: list[Test] = field(default_factory=list)
    tools: dict[str, str] = field(default_factory=dict)
    measurements: dict[str, float] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    unavailable: str = ""
    started: datetime = field(default_factory=lambda: datetime.now(timezone.utc))

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

    def take_in(self, name: str, done: Result, *, silent: str, see: str = "") -> None:
        """Add the tests of a script that has run, and `name`: it reported, and honestly.

        Without a report the detail is `silent`; `see` follows the detail of a failed test.
        """
        report = read_report(done.stdout)
        if report is None:
            self.add(name, False, silent)
            return
        for test in report.tests:
            follows = f"; {see}" if see and not test.passed else ""
            self.add(test.name, test.passed, f"{test.detail}{follows}")
        self.tools |= report.versions
        self.measurements |= report.measurements
        self.add(name, report.agrees(done), f"{len(report.tests)} tests, exit {done.returncode}")


def read_report(printed: str) -> Report | None:
    r"""Read the last line that a smoke script printed; None when that is no report.

    Examples
    --------
    >>> line = '{"tests": [{"name": "fits", "passed": true, "detail": ""}],'
    >>> read_report(f'chatter\n{line} "versions": {{}}, "measurements": {{}}}}').tests[0].name
    'fits'
    >>> read_report("Segmentation fault") is None
    True
    """
    try:
        return Report.model_validate_json((printed.strip().splitlines() or [""])[-1])
    except ValidationError:
        return None


def conclude(
    smoke: Smoke,
    root: Path,
    subjects: Sequence[Path],
    check: str,
    *,
    title: str,
    logs: str = "",
    command: str = "",
    recorded: bool = True,
) -> Outcome:
    """Print what a run has shown, record it, and return its outcome.

    Parameters
    ----------
    subjects : sequence of Path
        The files that were judged.
    check : str
        The check in `packaging/levels.yaml`; without `command`, the session has its name.
    title, logs : str
        What stands above the table, and what follows the name of the record.
    command : str
        What repeats the run, when that is more than the name of the session.
    recorded : bool
        False prints only.

    Examples
    --------
    >>> conclude(Smoke(), find_root(), [], "smoke-wheel", title="a.whl")  # doctest: +SKIP
    'fail'
    """
    finished = datetime.now(timezone.utc)
    console = Console(stderr=True)
    # Before the record: a ledger that refuses it takes nothing of what was seen.
    console.print(_table(smoke, title))
    console.print(f"{smoke.outcome}  {smoke.reason}".strip(), highlight=False, markup=False)
    if recorded:
        entry = record(
            root,
            check,
            smoke.outcome,
            subjects=subjects,
            command=command or f"nox -s {check}",
            started=smoke.started,
            finished=finished,
            reason=smoke.reason,
            tools=smoke.tools,
            measurements=smoke.measurements,
            passed=[test.name for test in smoke.tests if test.passed],
            failed=[test.name for test in smoke.tests if not test.passed],
        )
        shown = ", ".join(filter(None, [f"evidence {entry.id}", logs]))
        console.print(shown, highlight=False, markup=False)
    return smoke.outcome


def _table(smoke: Smoke, title: str) -> Table:
    table = Table("test", "outcome", title=title, title_justify="left")
    table.add_column("detail", overflow="fold")
    for test in smoke.tests:
        table.add_row(test.name, "pass" if test.passed else "[red]fail[/red]", escape(test.detail))
    for name, value in {**smoke.tools, **smoke.measurements}.items():
        table.add_row(name, "", escape(str(value)), style="dim")
    return table


def exit_status(check: str, main: Callable[[], int]) -> int:
    """Run a session's `main`; bad input and a missing tool are one line and status 2.

    So is an interrupt, with status 130: what was open has then been closed.

    Examples
    --------
    >>> exit_status("smoke-wheel", lambda: 1)
    1
    """
    try:
        return main()
    except (GateError, OSError) as error:
        print(f"{check}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"{check}: interrupted; nothing is recorded", file=sys.stderr)
        return 130

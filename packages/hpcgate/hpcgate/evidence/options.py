# Language policy: EXEMPT from the Rust-path rule. Reads options; no computation.
"""Record from words, as a session gives them on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from hpcgate.errors import GateError
from hpcgate.evidence.contract import contract
from hpcgate.evidence.junit import read_junit
from hpcgate.evidence.ledger import Record, record
from hpcgate.evidence.statement import Outcome

__all__ = ["record_options"]


def record_options(
    root: Path,
    check: str,
    *,
    outcome: str | None = None,
    subjects: Sequence[Path] = (),
    command: str,
    started: str,
    finished: str,
    reason: str = "",
    tools: Sequence[str] = (),
    measurements: Sequence[str] = (),
    passed: Sequence[str] = (),
    failed: Sequence[str] = (),
    junit: Path | None = None,
    only: str = "",
) -> Record:
    """Record a check from option texts.

    Parameters
    ----------
    tools, measurements : sequence of str
        `name=value`; a measurement that reads as a number is one. The tools of the check's session
        are asked for their versions and need not be given.
    junit : Path, optional
        A JUnit XML file with the tests. The outcome is then a failure when a test failed or none
        passed, whatever `outcome` hopes for.
    only : str, optional
        Take only the tests of that file whose name holds this text.

    Raises
    ------
    GateError
        As `record`, and when neither an outcome nor a JUnit file is given.

    Examples
    --------
    >>> record_options(root, "tests", command="nox -s tests", junit=Path("build/junit.xml"),
    ...                started="2030-01-02T03:04:05Z", finished="2030-01-02T03:05:05Z",
    ...                subjects=[Path("noxfile.py")])  # doctest: +SKIP
    """
    if junit is not None:
        good, bad = read_junit(junit, only)
        passed, failed = (*passed, *good), (*failed, *bad)
        if outcome in (None, "pass") and (failed or not passed):
            outcome = "fail"
            reason = reason or (f"{len(failed)} tests failed" if failed else "no test ran")
    if outcome is None:
        if junit is None:
            raise GateError(f"check {check}: no outcome", hint="give --outcome or --junit")
        outcome = "pass"
    return record(
        root,
        check,
        cast(Outcome, outcome),  # a word from outside; `record` checks it
        subjects=subjects,
        command=command,
        started=started,
        finished=finished,
        reason=reason,
        tools={**_versions(root, check), **dict(_pair(text) for text in tools)},
        measurements={name: _number(value) for name, value in map(_pair, measurements)},
        passed=passed,
        failed=failed,
    )


def _versions(root: Path, check: str) -> dict[str, str]:
    """Return the versions of what the check's session uses, so that nobody has to type them."""
    from hpcgate.doctor import versions

    session = contract(root).check(check).session
    return versions(root, session) if session else {}


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise GateError(f"{text!r} is not name=value")
    return name, value


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text

# Language policy: EXEMPT from the Rust-path rule. Compares records with facts; no computation.
"""The level: computed from the ledger and from nothing else.

A requirement is met when the record that decides its check is a pass. The latest pass or failure of
a check decides. A record that says `unavailable` neither confirms nor contradicts an earlier one,
so it decides only when nothing else does, and it never meets a requirement. A damaged file decides
like a failure, so that damaging a failure cannot bring an earlier pass back.
"""

from __future__ import annotations

import difflib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from hpcgate.errors import GateError
from hpcgate.evidence import Check, Finding, Ledger, Record, contract, scan

__all__ = [
    "Assessment",
    "RequirementStatus",
    "Status",
    "ago",
    "assess",
    "explain",
    "level_name",
    "markdown",
    "satisfied",
]

NONE = -1


class Status(BaseModel):
    """What the ledger says about one check.

    `satisfied` is the verdict; `state` says whether the record still describes today's files, and
    `age` how long ago the run ended.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str
    outcome: Literal["pass", "fail", "unavailable", "missing"]
    state: Literal["current", "stale", "tampered", "none"] = "none"
    reason: str = ""
    finished: datetime | None = None
    age: str = ""
    record: str = ""
    path: str = ""
    digest: str = ""
    satisfied: bool = False


class RequirementStatus(Status):
    """What the ledger says about one requirement."""

    id: str
    level: int
    title: str
    deliverable: str
    remedy: str


class Assessment(BaseModel):
    """The level with everything that decided it.

    Attributes
    ----------
    level : int
        The highest n such that every requirement of H0..Hn is met; -1 for none.
    claimable : int
        The level without the verdict of the claims gate: what the gate itself judges against.
    release : bool
        Whether only current records counted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    level: int
    level_name: str
    claimable: int
    release: bool
    requirements: tuple[RequirementStatus, ...]
    checks: dict[str, Status]


def assess(root: Path, *, release: bool = False) -> Assessment:
    """Compute the level that the ledger supports.

    On a working tree a stale pass still counts; with `release` only a current one does.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> assess(find_root(Path(__file__))).level_name in ("none", "H0", "H1", "H2", "H3", "H4")
    True
    """
    facts, ledger = contract(root.resolve()), scan(root)
    now = datetime.now(timezone.utc)
    checks = {
        name: _judge(name, check, ledger, release, now) for name, check in facts.checks.items()
    }
    requirements = tuple(
        RequirementStatus(
            **checks[wanted.check].model_dump(),
            id=wanted.id,
            level=wanted.level,
            title=wanted.title,
            deliverable=wanted.deliverable,
            remedy=wanted.remedy,
        )
        for wanted in facts.requirements
    )
    level = _level(requirements)
    return Assessment(
        level=level,
        level_name=level_name(level),
        claimable=_level(tuple(r for r in requirements if r.check != facts.claims_check)),
        release=release,
        requirements=requirements,
        checks=checks,
    )


def explain(assessment: Assessment) -> list[str]:
    """Return one line per unmet requirement of the next level: the command, then why.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> for line in explain(assess(find_root())):  # doctest: +SKIP
    ...     print(line)
    nox -s smoke-wheel  # The wheel installs and works in a clean root (missing: no record)
    """
    following = assessment.level + 1
    lines = [
        f"{wanted.remedy}  # {wanted.title} ({wanted.outcome}: {wanted.reason})"
        for wanted in assessment.requirements
        if wanted.level == following and not wanted.satisfied
    ]
    return lines or ["# every requirement of H0 to H4 is met"]


def satisfied(assessment: Assessment, requirement: str) -> bool:
    """Tell whether a requirement is met; an unknown id is an error that names the nearest one."""
    known = {status.id: status.satisfied for status in assessment.requirements}
    if requirement not in known:
        close = difflib.get_close_matches(requirement, known, n=1, cutoff=0.0)
        raise GateError(
            f"packaging/levels.yaml has no requirement {requirement!r}",
            hint=f"did you mean {close[0]!r}?",
        )
    return known[requirement]


def level_name(level: int) -> str:
    """Return the name of a level.

    Examples
    --------
    >>> level_name(2), level_name(-1)
    ('H2', 'none')
    """
    return "none" if level == NONE else f"H{level}"


def ago(elapsed: timedelta) -> str:
    """Say how long ago in one short word.

    Examples
    --------
    >>> ago(timedelta(hours=30)), ago(timedelta(seconds=-5))
    ('1 d', '0 s')
    """
    seconds = max(0, int(elapsed.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def markdown(root: Path) -> str:
    """Return the requirements of every level as one Markdown table."""
    facts = contract(root.resolve())
    rows = ["| Level required | Id | Evidence required | Kind | Command |"]
    rows += ["| --- | --- | --- | --- | --- |"]
    rows += [
        f"| H{wanted.level} | `{wanted.id}` | {wanted.title} "
        f"| {facts.checks[wanted.check].kind} | `{wanted.remedy}` |"
        for wanted in facts.requirements
    ]
    return "\n".join(rows) + "\n"


def _level(requirements: tuple[RequirementStatus, ...]) -> int:
    unmet = [wanted.level for wanted in requirements if not wanted.satisfied]
    return min(unmet) - 1 if unmet else 4


def _judge(name: str, check: Check, ledger: Ledger, release: bool, now: datetime) -> Status:
    """Turn the entry that decides a check into its status."""
    if check.session is None:
        return Status(check=name, outcome="unavailable", reason=check.reason)
    deciding = _deciding(name, ledger)
    if deciding is None:
        return Status(check=name, outcome="missing", reason="no record")
    if isinstance(deciding, Finding):
        reason = f"{deciding.problem}: {deciding.message}"
        return Status(
            check=name, outcome="fail", state="tampered", reason=reason, path=deciding.path
        )
    reason = deciding.reason
    if deciding.state == "stale":
        more = f" and {len(deciding.changed) - 1} more" if len(deciding.changed) > 1 else ""
        stale = f"stale: {deciding.changed[0]}{more}"
        if release and deciding.outcome == "pass":
            stale += "; a release accepts current evidence only"
        reason = "; ".join(filter(None, (reason, stale)))
    return Status(
        check=name,
        outcome=deciding.outcome,
        state=deciding.state,
        reason=reason,
        finished=deciding.finished,
        age=ago(now - deciding.finished),
        record=deciding.id,
        path=deciding.path,
        digest=deciding.digest,
        satisfied=deciding.outcome == "pass" and (deciding.state == "current" or not release),
    )


def _deciding(check: str, ledger: Ledger) -> Record | Finding | None:
    """Return the latest record or damaged file of a check, conclusive ones first."""
    mine = [known for known in ledger.records if known.check == check and known.state != "tampered"]
    conclusive: list[tuple[str, Record | Finding]] = [
        (known.stamp, known) for known in mine if known.outcome != "unavailable"
    ]
    conclusive += [(found.stamp, found) for found in ledger.findings if _blocks(found, check)]
    if conclusive:
        return max(conclusive, key=lambda entry: entry[0])[1]
    return mine[-1] if mine else None


def _blocks(finding: Finding, check: str) -> bool:
    return finding.check == check and finding.stamp != ""

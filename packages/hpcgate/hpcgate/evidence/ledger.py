# Language policy: EXEMPT from the Rust-path rule. Reads and writes JSON records.
"""The ledger below `submissions/evidence/`: append a record, load all, judge each one's state."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from hpcgate.errors import GateError
from hpcgate.evidence.contract import CONTRACT, Contract, contract, host_class
from hpcgate.evidence.inputs import Tree, changes
from hpcgate.evidence.statement import Outcome, Run, as_utc, build, parse, reasons
from hpcgate.repo import git, printable, sha256_bytes, sha256_file, write_text

__all__ = ["LEDGER", "Finding", "Ledger", "Record", "load", "record", "scan"]

LEDGER = Path("submissions/evidence")
STAMP = "%Y%m%dT%H%M%S%fZ"
FILE_NAME = re.compile(r"(\d{8}T\d{12}Z)-([0-9a-f]{64})\.json")
# The largest record known is below 100 kB; a reader that takes any size can be made to run out.
MOST_BYTES = 8 << 20
# Clocks are wrong by minutes at worst; a record from further ahead cannot be believed.
CLOCK_TOLERANCE = timedelta(minutes=10)

State = Literal["current", "stale", "tampered"]


@dataclass(frozen=True, slots=True)
class Record:
    """One run of one check, and whether today's files still are the files it judged."""

    path: str
    digest: str
    state: State
    changed: tuple[str, ...]
    run: Run

    @property
    def id(self) -> str:
        """Check and the first digits of the digest; documents and packets cite it."""
        return f"{self.run.check}/{self.digest[:12]}"

    @property
    def stamp(self) -> str:
        """The UTC time in the file's name; later stamps sort after earlier ones."""
        return Path(self.path).name.partition("-")[0]

    @property
    def check(self) -> str:
        """Name of the check that ran."""
        return self.run.check

    @property
    def outcome(self) -> Outcome:
        """One of `pass`, `fail` and `unavailable`."""
        return self.run.outcome

    @property
    def reason(self) -> str:
        """Why it failed or could not run; empty for a pass."""
        return self.run.reason

    @property
    def finished(self) -> datetime:
        """When the run ended, in UTC."""
        return self.run.finished_on


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with one file of the ledger.

    `check` and `stamp` place it among the records of its check. A file whose time cannot be
    believed has the stamp "~", which sorts after every time: it stands in the way of the check
    until someone looks at it.
    """

    path: str
    problem: str
    message: str
    check: str = ""
    stamp: str = ""

    def __str__(self) -> str:
        return printable(f"{self.path}: {self.problem}: {self.message}")


@dataclass(frozen=True, slots=True)
class Ledger:
    """Every readable record, oldest first, and every finding."""

    records: tuple[Record, ...]
    findings: tuple[Finding, ...]


def record(
    root: Path,
    check: str,
    outcome: Outcome,
    *,
    subjects: Iterable[Path] = (),
    command: str,
    started: datetime | str,
    finished: datetime | str,
    reason: str = "",
    tools: Mapping[str, str] | None = None,
    measurements: Mapping[str, Any] | None = None,
    passed: Sequence[str] = (),
    failed: Sequence[str] = (),
) -> Record:
    """Append what a check showed to the ledger, and return the record.

    Parameters
    ----------
    root : Path
        The checkout.
    check : str
        A name below `checks:` in `packaging/levels.yaml`; its globs give the inputs.
    outcome : {"pass", "fail", "unavailable"}
        Everything but a pass needs a `reason`.
    subjects : iterable of Path
        The files that were judged, for example the wheel. A run that did not get as far as an
        artefact (fail, unavailable) may leave them out: then it judged its inputs.
    command : str
        What was run.
    started, finished : datetime or str
        When, with an offset from UTC.
    tools, measurements : mapping, optional
        Versions of the tools used; finite numbers or words that were measured.
    passed, failed : sequence of str
        Names of tests.

    Returns
    -------
    Record
        The new record, or the latest current one when this run says nothing new.

    Raises
    ------
    GateError
        If the check is unknown, has no session or no inputs, a subject is missing, the times are
        in the wrong order or lie before the latest record of the check.
    """
    root = root.resolve()
    facts = contract(root)
    if facts.check(check).session is None:
        raise GateError(f"no session records {check} yet: {facts.checks[check].reason}")
    tree = Tree(root)
    inputs = tree.select(facts.checks[check].inputs)
    if not inputs:
        raise GateError(f"check {check}: its inputs in {CONTRACT} select no file")
    named = _subjects(root, subjects)
    if not named and outcome == "pass":
        raise GateError(f"check {check}: a pass needs at least one subject")
    try:
        run = Run(
            kind=facts.checks[check].kind,
            check=check,
            outcome=outcome,
            reason=reason,
            host_class=host_class(root),
            commit=tree.commit(inputs),
            command=command,
            started_on=as_utc(started),
            finished_on=as_utc(finished),
            tools=dict(tools or {}),
            measurements=dict(measurements or {}),
            inputs=inputs,
            subjects=named or inputs,
            passed=tuple(passed),
            failed=tuple(failed),
        )
    except ValidationError as error:
        raise GateError(f"check {check}: no record: {reasons(error)}") from None
    if run.finished_on > datetime.now(timezone.utc) + CLOCK_TOLERANCE:
        raise GateError(f"check {check}: it ends in the future", hint="set the clock")
    ledger = scan(root)
    sound = (known for known in ledger.records if known.state != "tampered")
    earlier = [known for known in sound if known.check == check]
    if earlier:
        latest = earlier[-1]
        damaged = any(f.check == check and f.stamp > latest.stamp for f in ledger.findings)
        if latest.state == "current" and _says(latest.run) == _says(run) and not damaged:
            return latest
        if run.finished_on <= latest.finished:
            raise GateError(
                f"check {check}: it ends before the latest record {latest.id} does",
                hint="the clock ran backwards; set it",
            )
    described = [path for path in ("noxfile.py", str(CONTRACT)) if (root / path).is_file()]
    configuration = {path: tree.digest(path) for path in described}
    content = build(run, configuration)
    digest = sha256_bytes(content)
    path = LEDGER / check / f"{run.finished_on.strftime(STAMP)}-{digest}.json"
    write_text(root / path, content.decode())
    return Record(path.as_posix(), digest, "current", (), run)


def load(root: Path) -> list[Record]:
    """Return every readable record with its state, oldest first.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> [record.id for record in load(find_root()) if record.state == "stale"]  # doctest: +SKIP
    ['smoke-wheel/3f2a9c01be77']
    """
    return list(scan(root).records)


def scan(root: Path) -> Ledger:
    """Read the whole ledger once: records and findings."""
    root = root.resolve()
    facts, tree = contract(root), Tree(root)
    records: list[Record] = []
    findings = _removed(root)
    for path, problem in _files(root):
        relative = path.relative_to(root).as_posix()
        if problem:
            check = path.name if path.parent == root / LEDGER else path.parent.name
            findings.append(Finding(relative, *problem, check, "~"))
        else:
            _read(path, relative, facts, tree, records, findings)
    records.sort(key=lambda known: (known.finished, known.digest))
    return Ledger(tuple(records), tuple(findings))


def _files(root: Path) -> Iterator[tuple[Path, tuple[str, str] | None]]:
    """Walk the ledger: each entry but folders, with what is wrong with its kind, if anything."""
    top = root / LEDGER
    if top.resolve() != top:
        yield top, ("symlink", "the ledger is a plain folder")
        return
    closed: list[OSError] = []
    for folder, folders, names in os.walk(top, onerror=closed.append):
        folders.sort()
        here = Path(folder)
        for name in sorted({*names, *(f for f in folders if (here / f).is_symlink())}):
            mode = (here / name).lstat().st_mode
            if stat.S_ISLNK(mode):
                yield here / name, ("symlink", "a record is a plain file")
            elif not stat.S_ISREG(mode):
                yield here / name, ("special", "a record is a plain file")
            elif here != top or name != "README.md":
                yield here / name, None
    for error in closed:
        if os.path.lexists(error.filename):
            yield Path(error.filename), ("unreadable", error.strerror or "cannot be read")


def _read(
    path: Path,
    relative: str,
    facts: Contract,
    tree: Tree,
    records: list[Record],
    findings: list[Finding],
) -> None:
    """Add the file's record, its finding, or both (a tampered record that can still be read)."""
    check = path.parent.name
    if path.name.startswith("."):
        findings.append(Finding(relative, "leftover", "an interrupted write; delete it"))
        return
    name = FILE_NAME.fullmatch(path.name)
    if name is None or path.parent.parent != tree.root / LEDGER:
        message = "is not <check>/<UTC stamp>-<sha256>.json"
        findings.append(Finding(relative, "wrong-name", message, check, "~"))
        return
    stamp, claimed = name.groups()

    def found(problem: str, message: str, when: str = stamp) -> None:
        findings.append(Finding(relative, problem, message, check, when))

    try:
        if path.stat().st_size > MOST_BYTES:
            found("too-large", f"a record has at most {MOST_BYTES >> 20} MiB")
            return
        content = path.read_bytes()
    except OSError as error:
        found("unreadable", error.strerror or "cannot be read")
        return
    digest = sha256_bytes(content)
    tampered = digest != claimed
    try:
        run = parse(content)
    except GateError as error:
        kind = "half-written" if "not whole JSON" in error.message else "unreadable"
        found(kind, error.message + ("; the digest in its name differs" if tampered else ""))
        return
    if tampered:
        found("tampered", "its bytes do not match the digest in its name")
        records.append(Record(relative, digest, "tampered", (), run))
    elif run.finished_on.strftime(STAMP) != stamp or run.check != check:
        found("wrong-name", f"it is a record of {run.check} at {run.finished_on.isoformat()}", "~")
    elif run.finished_on > datetime.now(timezone.utc) + CLOCK_TOLERANCE:
        found("clock", f"it ends in the future, at {run.finished_on.isoformat()}")
    elif check not in facts.checks:
        found("unknown-check", f"{CONTRACT} has no check {check}")
    elif facts.checks[check].session is None:
        found("unknown-check", f"no session records {check} yet")
    elif run.kind != facts.checks[check].kind:
        found("wrong-kind", f"{CONTRACT} wants a {facts.checks[check].kind}, not a {run.kind}")
    else:
        changed = changes(run.inputs, tree.select(facts.checks[check].inputs))
        records.append(Record(relative, digest, "stale" if changed else "current", changed, run))


def _removed(root: Path) -> list[Finding]:
    """Find records that git knows and the checkout lacks: the ledger only grows."""
    if not (root / ".git").exists():
        return []
    try:
        git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    except GateError:
        return []
    options = ("--name-only", "--no-renames", "--diff-filter=D", "-z")
    gone = git(root, "diff", *options, "HEAD", "--", str(LEDGER))
    findings = []
    for name in filter(None, gone.split("\0")):
        path = Path(name)
        stamp = match.group(1) if (match := FILE_NAME.fullmatch(path.name)) else ""
        message = f"it was committed and is gone; run: git restore {name}"
        findings.append(Finding(name, "removed", message, path.parent.name, stamp))
    return findings


def _subjects(root: Path, paths: Iterable[Path]) -> dict[str, str]:
    """Name each subject by its path in the checkout, or by its file name outside of it."""
    named: dict[str, str] = {}
    for path in paths:
        full = (root / path).resolve()
        if not full.is_file():
            raise GateError(f"subject {path} is not a file")
        inside = full.is_relative_to(root)
        name = full.relative_to(root).as_posix() if inside else full.name
        if name in named:
            raise GateError(f"two subjects are named {name}")
        named[name] = sha256_file(full)
    return named


def _says(run: Run) -> tuple[object, ...]:
    """Return what makes a run news. Times, commit and tool versions alone do not."""
    return (run.outcome, run.reason, run.host_class, run.inputs, run.subjects, run.failed)

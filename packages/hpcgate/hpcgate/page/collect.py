# Language policy: EXEMPT from the Rust-path rule. Gathers records and findings; no computation.
"""What the page shows, gathered from the ledger, the gates and the benchmark records."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from hpcgate import claims
from hpcgate.claims.gate import scope
from hpcgate.errors import GateError
from hpcgate.evidence import Change, Contract, Finding, History, Record, contract, latest, scan
from hpcgate.evidence.inputs import Tree
from hpcgate.facts import load
from hpcgate.levels import Assessment, RequirementStatus, assess
from hpcgate.packets import Packet, build
from hpcgate.page.plots import plot
from hpcgate.repo import tracked_files

__all__ = ["Benchmark", "Content", "Entry", "collect", "read_benchmark"]

BENCHMARKS = Path("docs/benchmarks")


@dataclass(frozen=True, slots=True)
class Entry:
    """One record with what changed since, and whether it is the latest of its check."""

    record: Record
    changes: tuple[Change, ...]
    latest: bool


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One file of `docs/benchmarks`: its facts, rows and drawing; or why it is unreadable."""

    path: str
    about: str = ""
    facts: tuple[tuple[str, str], ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()
    drawing: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """Everything on the page; `since` tells from when on a record is stale."""

    name: str
    version: str
    commit: str
    contract: Contract
    assessment: Assessment
    by_level: dict[int, tuple[RequirementStatus, ...]]
    lacking: dict[str, tuple[RequirementStatus, ...]]
    entries: dict[str, tuple[Entry, ...]]
    since: dict[str, datetime]
    states: Counter[str]
    findings: tuple[Finding, ...]
    benchmarks: tuple[Benchmark, ...]
    texts: dict[str, int]
    claims: tuple[claims.Finding, ...]
    packets: tuple[Packet, ...]
    packet_problem: str


def collect(root: Path, *, release: bool = False) -> Content:
    """Gather the content of the page from a checkout."""
    facts, ledger, assessment = contract(root), scan(root), assess(root, release=release)
    release_facts = load(root).release
    history, newest = History(root), latest(ledger)
    entries: dict[str, list[Entry]] = {}
    for record in reversed(ledger.records):
        entry = Entry(record, history.changes(record), newest.get(record.check) == record)
        entries.setdefault(record.check, []).append(entry)
    following = [w for w in assessment.requirements if w.level == assessment.level + 1]
    lacking: dict[str, list[RequirementStatus]] = {}
    for wanted in following:
        if not wanted.satisfied:
            lacking.setdefault(wanted.remedy, []).append(wanted)
    packets, problem = _packets(root, release)
    texts = Counter(path.suffix.lstrip(".") or path.name for path in scope(root))
    return Content(
        name=release_facts.name,
        version=str(release_facts.version),
        commit=Tree(root).commit(path.as_posix() for path in tracked_files(root)),
        contract=facts,
        assessment=assessment,
        by_level={n: tuple(w for w in assessment.requirements if w.level == n) for n in range(5)},
        lacking={remedy: tuple(wanted) for remedy, wanted in lacking.items()},
        entries={check: tuple(entries[check]) for check in sorted(entries)},
        since={
            entry.record.id: min(dated)
            for mine in entries.values()
            for entry in mine
            if (dated := [change.since for change in entry.changes if change.since])
        },
        states=Counter(record.state for record in ledger.records),
        findings=ledger.findings,
        benchmarks=tuple(read_benchmark(root, path) for path in _benchmarks(root)),
        texts=dict(texts.most_common()),
        claims=tuple(claims.check(root, strict=True)),
        packets=packets,
        packet_problem=problem,
    )


def _packets(root: Path, release: bool) -> tuple[tuple[Packet, ...], str]:
    """Assemble the packets without writing them; a packet that cannot be is said, not fatal."""
    try:
        return tuple(build(root, check=True, release=release)), ""
    except GateError as error:
        return (), str(error)


def _benchmarks(root: Path) -> list[Path]:
    return [p for p in tracked_files(root) if p.parent == BENCHMARKS and p.suffix == ".json"]


def read_benchmark(root: Path, path: Path) -> Benchmark:
    """Read one benchmark record; every shape is shown, a known one is drawn too."""
    name = path.as_posix()
    try:
        if not (root / path).resolve().is_relative_to(root):
            return Benchmark(name, problem="a symbolic link out of the checkout")
        data = json.loads((root / path).read_text(encoding="utf-8"))
    except OSError as error:
        return Benchmark(name, problem=f"cannot be read: {error.strerror}")
    except (ValueError, RecursionError):
        return Benchmark(name, problem="is not JSON text")
    if not isinstance(data, dict):
        return Benchmark(name, problem="is not a map")
    cases = data.get("cases")
    cases = cases if isinstance(cases, list) else []
    rows = [case for case in cases if isinstance(case, dict)]
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    return Benchmark(
        name,
        str(data.get("about", "")),
        tuple((key, _words(data[key])) for key in data if key not in ("about", "cases")),
        columns,
        tuple(tuple(row.get(key, "") for key in columns) for row in rows),
        plot(data, rows),
    )


def _words(value: Any) -> str:
    """Write a value of a benchmark record in one line."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(inner)}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)

# Language policy: EXEMPT from the Rust-path rule. Compares records with digests; no computation.
"""The verdict on the ledger: what is wrong, what is stale and since when, and how much is sound."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from hpcgate.evidence.history import Change, History
from hpcgate.evidence.ledger import Finding, Ledger, Record, scan

__all__ = ["latest", "summary", "verify"]

SHOWN = 5


def verify(root: Path, *, release: bool = False) -> list[Finding]:
    """Return what is wrong with the ledger; with `release` a stale record is a finding too.

    Only the latest record of a check can be stale in a way that matters; older ones are history.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> [finding.problem for finding in verify(find_root())]
    []
    """
    ledger = scan(root)
    findings = list(ledger.findings)
    if release:
        findings += [
            Finding(known.path, "stale", "; ".join(map(str, changes)), known.check)
            for known, changes in _stale(root, ledger)
        ]
    return sorted(findings, key=str)


def summary(root: Path) -> list[str]:
    """Say which latest records are stale, by which inputs and since when, and count all states.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> summary(find_root())[-1].endswith("findings")
    True
    """
    ledger = scan(root)
    lines = []
    for known, changes in _stale(root, ledger):
        more = f"; and {len(changes) - SHOWN} more" if len(changes) > SHOWN else ""
        lines.append(f"stale: {known.id}: " + "; ".join(map(str, changes[:SHOWN])) + more)
    states = Counter(known.state for known in ledger.records)
    counts = ", ".join(f"{states[state]} {state}" for state in ("current", "stale", "tampered"))
    return [*lines, f"{len(ledger.records)} records: {counts}; {len(ledger.findings)} findings"]


def latest(ledger: Ledger) -> dict[str, Record]:
    """Return the latest sound record of each check."""
    return {known.check: known for known in ledger.records if known.state != "tampered"}


def _stale(root: Path, ledger: Ledger) -> list[tuple[Record, tuple[Change, ...]]]:
    """Return the latest records that are stale, with what changed."""
    found = [known for known in latest(ledger).values() if known.state == "stale"]
    history = History(root) if found else None
    return [(known, history.changes(known)) for known in found] if history else []

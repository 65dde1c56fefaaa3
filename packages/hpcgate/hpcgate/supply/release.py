# Language policy: EXEMPT from the Rust-path rule. Compares records with rules; no computation.
"""What keeps a release back: an audit that did not pass, of late, on the files of today.

A commit may go on where an auditor cannot ask; a release may not. So the latest record of each
check counts here, even where it says `unavailable` after an older pass.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from hpcgate.evidence import contract, latest, scan

__all__ = ["blockers"]


def blockers(root: Path, now: datetime | None = None) -> list[str]:
    """Return one line for each audit that keeps a release back, with what to run.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> for line in blockers(find_root()):  # doctest: +SKIP
    ...     print(line)
    npm-audit: unavailable: npm audit gives no answer; run: nox -s audit
    """
    facts, ledger = contract(root), scan(root)
    rule, records = facts.release, latest(ledger)
    now, most = now or datetime.now(timezone.utc), timedelta(days=rule.most_days)
    found = []
    for name in rule.checks:
        damaged = [finding for finding in ledger.findings if finding.check == name]
        known = records.get(name)
        if damaged:
            why = str(damaged[-1])
        elif known is None:
            why = "no record"
        elif known.outcome != "pass":
            why = f"{known.outcome}: {known.reason}"
        elif known.state != "current":
            why = f"stale: {', '.join(known.changed[:3])} since"
        elif now - known.finished > most:
            age = (now - known.finished).days
            why = f"passed {age} days ago; {rule.most_days} is the limit"
        else:
            continue
        found.append(f"{name}: {why}; run: nox -s {facts.checks[name].session}")
    return found

# Language policy: EXEMPT from the Rust-path rule. Matches findings with suppressions.
"""Suppressions: a finding may be left out by name, with a reason, until a date.

They live in `packaging/claims.yaml`. One that has expired, and one that matches nothing, is a
finding itself, so that none outlives its reason.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date

from hpcgate.claims.lexicon import PATH, Suppression
from hpcgate.claims.model import Finding

__all__ = ["apply"]


def apply(
    findings: Sequence[Finding],
    suppressions: Sequence[Suppression],
    checked: Collection[str],
    today: date,
) -> list[Finding]:
    """Return the findings that remain, and one for each suppression that must go.

    Parameters
    ----------
    findings : sequence of Finding
        What the gate found.
    suppressions : sequence of Suppression
        What the lexicon leaves out.
    checked : collection of str
        The files that were read; a suppression for another file is left alone.
    today : date
        The day on which a suppression must still be valid.

    Examples
    --------
    >>> apply([Finding("a.md", 1, "placeholder", "x", "y")], [], ["a.md"], date.today())[0].path
    'a.md'
    """
    left = list(findings)
    for entry in suppressions:
        if entry.path not in checked:
            continue
        hit = [f for f in left if _matches(entry, f)]
        if today > entry.expires:
            left.append(_gone(entry, "suppression-expired", f"expired on {entry.expires}"))
        elif hit:
            left = [f for f in left if f not in hit]
        else:
            left.append(_gone(entry, "suppression-idle", "matches no finding"))
    return left


def _matches(entry: Suppression, finding: Finding) -> bool:
    said = " ".join(finding.text.split())
    return (finding.path, finding.rule) == (entry.path, entry.rule) and entry.text in said


def _gone(entry: Suppression, rule: str, why: str) -> Finding:
    return Finding(PATH, 1, rule, entry.text, f"the suppression for {entry.path} {why}; remove it")

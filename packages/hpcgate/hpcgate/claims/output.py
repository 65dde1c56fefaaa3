# Language policy: EXEMPT from the Rust-path rule. Writes findings as text; no computation.
"""Findings as text for people, and as JSON or SARIF 2.1.0 for tools."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePath
from typing import Any

from hpcgate.claims.model import RULES, Finding

__all__ = ["FORMATS", "github", "sarif"]

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_FINGERPRINT = "marsEarthClaim/v1"


def _text(findings: Sequence[Finding]) -> str:
    """Write what was said, why it is refused, what would support it, and what would pass."""
    lines: list[str] = []
    for finding in findings:
        needs = f" (needs H{finding.required})" if finding.required is not None else ""
        lines.append(f"{finding.path}:{finding.line}: {finding.rule}{needs}")
        lines.append(f'  text:     "{finding.text}"')
        lines.append(f"  reason:   {finding.reason}")
        if finding.evidence:
            lines.append(f"  evidence: {finding.evidence}")
        if finding.wording:
            lines.append(f"  passes:   {finding.wording}")
    return "".join(f"{line}\n" for line in lines)


def _json(findings: Sequence[Finding]) -> str:
    rows = [
        {
            "ruleId": finding.rule,
            "level": "error",
            "file": finding.path,
            "line": finding.line,
            "text": finding.text,
            "message": finding.reason,
            "requiredLevel": _level(finding),
            "evidence": finding.evidence,
            "wording": finding.wording,
            "fingerprint": fingerprint,
        }
        for finding, fingerprint in zip(findings, _fingerprints(findings), strict=True)
    ]
    return json.dumps({"version": 1, "findings": rows}, indent=2, ensure_ascii=False) + "\n"


def sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return one SARIF run with a result per finding.

    Examples
    --------
    >>> sarif([Finding("a.md", 2, "claim-above-level", "On many.", "why", 3)])["runs"][0][
    ...     "results"
    ... ][0]["properties"]["requiredLevel"]
    'H3'
    """
    order = list(RULES)
    rules = [{"id": rule, "shortDescription": {"text": text}} for rule, text in RULES.items()]
    results = [
        {
            "ruleId": finding.rule,
            "ruleIndex": order.index(finding.rule),
            "kind": "fail",
            "level": "error",
            "message": {"text": _message(finding)},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": _uri(finding.path)},
                        "region": {"startLine": finding.line},
                    }
                }
            ],
            "partialFingerprints": {_FINGERPRINT: fingerprint},
            "properties": {"requiredLevel": _level(finding)}
            if finding.required is not None
            else {},
        }
        for finding, fingerprint in zip(findings, _fingerprints(findings), strict=True)
    ]
    driver = {"name": "hpcgate-claims", "rules": rules}
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
        ],
    }


def _sarif(findings: Sequence[Finding]) -> str:
    return json.dumps(sarif(findings), indent=2, ensure_ascii=False) + "\n"


def _level(finding: Finding) -> str | None:
    return None if finding.required is None else f"H{finding.required}"


def _message(finding: Finding) -> str:
    parts = [f'{finding.reason}: "{finding.text}"']
    if finding.evidence:
        parts.append(f"Evidence needed: {finding.evidence}.")
    if finding.wording:
        parts.append(f"Would pass: {finding.wording}")
    return " ".join(parts)


def _uri(path: str) -> str:
    return Path(path).as_uri() if PurePath(path).is_absolute() else path.replace(" ", "%20")


def _fingerprints(findings: Sequence[Finding]) -> list[str]:
    """Return one stable name per finding: by file, rule and words, not by line."""
    seen: Counter[str] = Counter()
    names: list[str] = []
    for finding in findings:
        said = "\0".join((finding.path, finding.rule, " ".join(finding.text.split())))
        base = hashlib.sha256(said.encode()).hexdigest()[:32]
        seen[base] += 1
        names.append(f"{base}:{seen[base]}")
    return names


def github(findings: Sequence[Finding]) -> str:
    r"""Write findings as workflow commands, which GitHub shows beside the line.

    Examples
    --------
    >>> github([Finding("a.md", 2, "placeholder", "x, y", "why")])
    '::error file=a.md,line=2,title=placeholder::why: "x, y"\n'
    """
    lines = []
    for finding in findings:
        needs = f" (needs H{finding.required})" if finding.required is not None else ""
        where = f"file={_property(finding.path)},line={finding.line}"
        title = _property(f"{finding.rule}{needs}")
        lines.append(f"::error {where},title={title}::{_escape(_message(finding))}\n")
    return "".join(lines)


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")


FORMATS: dict[str, Callable[[Sequence[Finding]], str]] = {
    "text": _text,
    "json": _json,
    "sarif": _sarif,
    "github": github,
}

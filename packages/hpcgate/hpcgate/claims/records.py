# Language policy: EXEMPT from the Rust-path rule. Compares a number in a text with a record.
"""Numbers about speed: how much a text claims, and whether a benchmark record supports it.

A text points at a record by naming `docs/benchmarks/<name>.json`. The record supports a number when
one of its `ratios` is at least as large; `against` says what was compared, and a text that names
somebody else is not supported by it:

    "ratios": [{"what": "parsing", "against": "markdown-it", "ratio": 3.2}]
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

__all__ = ["claimed_ratio", "unsupported"]

FOLDER = "docs/benchmarks"
# A number may be rounded up by this much.
ROUNDING = 1.05

_NAMES = {
    "twice": 2.0, "double": 2.0, "doubles": 2.0, "thrice": 3.0, "triple": 3.0, "triples": 3.0,
    "half": 2.0, "halves": 2.0, "third": 3.0, "quarter": 4.0, "fifth": 5.0, "tenth": 10.0,
    "two": 2.0, "three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0, "seven": 7.0, "eight": 8.0,
    "nine": 9.0, "ten": 10.0, "twelve": 12.0, "twenty": 20.0, "fifty": 50.0, "hundred": 100.0,
    "a hundred": 100.0, "hundreds of": 100.0, "thousand": 1000.0, "several": 2.0, "many": 2.0,
    "an order of magnitude": 10.0,
}  # fmt: skip
_NUMBER = r"(?P<number>\d+(?:[.,]\d+)?)"
_WORD = r"(?P<word>" + "|".join(sorted(_NAMES, key=len, reverse=True)) + ")"
_COUNT = rf"(?:{_NUMBER}|\b{_WORD}\b)"
_FASTER = (
    r"(?:fast(?:er)?|quick(?:er)?|speedier|speed-?\s?ups?|speed|acceleration|throughput|less time"
    r"|shorter|gain|improvement|performance|lower latency)"
)
_PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_NUMBER}\s*[x×](?=\s|-|$|[.,;)])(?:.{{0,40}}?\b{_FASTER}\b)",
        rf"\b{_FASTER}\b.{{0,30}}?(?:of|by|to|is|was|:|=)\s*(?:a factor of\s*)?{_NUMBER}"
        r"(?:\s*[x×]|(?=\s*(?:[.,;)]|$|(?:on|with|over|than|and|at|for|in)\b)))",
        rf"{_COUNT}[\s-]*(?:times|fold)[\s-]+(?:as\s+|more\s+)?{_FASTER}",
        rf"\b{_WORD}fold\s+{_FASTER}",
        rf"\b(?P<word>an order of magnitude)\s+{_FASTER}",
        r"\b(?:time|latency)\s+in\s+(?P<word>half)\b",
        rf"\b{_WORD}\s+(?:as\s+(?:fast|quick)|the\s+(?:speed|throughput|performance))",
        rf"(?:in|takes?|took|needs?)\s+(?:a\s+)?{_WORD}\s+(?:of\s+)?the\s+time",
        r"\b(?P<word>halves|half|double|doubles)\s+the\s+(?:run ?time|time|speed|throughput)",
    )
)
_LESS = re.compile(
    rf"{_NUMBER}\s*(?:%|per ?cent)\s*(?:less|shorter|lower|reduction|smaller)\b", re.IGNORECASE
)
_MORE = re.compile(
    rf"{_NUMBER}\s*(?:%|per ?cent)\s*(?:faster|quicker|more|higher|speed)", re.IGNORECASE
)
_RECORD = re.compile(rf"(?:{FOLDER}/|benchmarks/|\b)(?P<name>[\w-]+)\.json\b")
_THAN = re.compile(
    r"\b(?:than|over|against|versus|vs\.?|compared (?:to|with)|as)\s+(?P<who>[^.,;()]+)"
)


def claimed_ratio(text: str) -> float | None:
    """Return the factor between two run times that a text names, or None without a number.

    Examples
    --------
    >>> claimed_ratio("It is 10x faster than R earth."), claimed_ratio("It takes 50 % less time.")
    (10.0, 2.0)
    """
    found = [_value(match) for pattern in _PATTERNS for match in pattern.finditer(text)]
    found += [1 + _value(match) / 100 for match in _MORE.finditer(text)]
    found += [1 / (1 - _value(m) / 100) for m in _LESS.finditer(text) if _value(m) < _WHOLE]
    return max(found, default=None)


_WHOLE = 100


def _value(match: re.Match[str]) -> float:
    groups = match.groupdict()
    if groups.get("number"):
        return float(groups["number"].replace(",", "."))
    return _NAMES[groups["word"].lower()]


def unsupported(root: Path, text: str, near: str) -> str | None:
    """Say why no record supports the number in a sentence, or None where there is no quarrel."""
    wanted = claimed_ratio(text)
    if wanted is None:
        return None
    names = [match["name"] for match in _RECORD.finditer(near)]
    if not names:
        return f"a factor of {wanted:g} without a benchmark record"
    reasons = [_refused(root / FOLDER / f"{name}.json", wanted, text) for name in names]
    return None if None in reasons else reasons[0]


def _refused(path: Path, wanted: float, text: str) -> str | None:
    ratios = _ratios(path)
    if ratios is None:
        return f"{FOLDER}/{path.name} is no record that can be read"
    if not ratios:
        return f"{FOLDER}/{path.name} records no ratio"
    who = _THAN.search(text)
    fit = [r for r in ratios if who is None or _same(str(r.get("against", "")), who["who"])]
    if not fit:
        return f"{FOLDER}/{path.name} does not compare with {who['who'].strip() if who else ''!r}"
    best = max(float(r["ratio"]) for r in fit)
    if best * ROUNDING < wanted:
        return f"{FOLDER}/{path.name} supports a factor of {best:g}, not of {wanted:g}"
    return None


@lru_cache(maxsize=64)
def _ratios(path: Path) -> tuple[dict[str, Any], ...] | None:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    found = data.get("ratios", []) if isinstance(data, dict) else []
    return tuple(
        r for r in found if isinstance(r, dict) and isinstance(r.get("ratio"), int | float)
    )


def _same(recorded: str, said: str) -> bool:
    """Whether the words of one name stand in the other."""
    one, other = ({*re.findall(r"\w+", text.lower())} - _SMALL for text in (recorded, said))
    return bool(one) and (one <= other or other <= one)


_SMALL = {"the", "a", "an", "of", "its", "version", "code", "before", "on", "with"}

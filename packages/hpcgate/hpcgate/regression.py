# Language policy: EXEMPT from the Rust-path rule. Compares a few figures of two records.
"""Refuse a benchmark that is slower than the committed baseline of its host class."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import PositiveFloat, PositiveInt

from hpcgate.facts import FactModel, load_model

__all__ = ["Thresholds", "judge", "read_baseline", "thresholds"]


class Thresholds(FactModel):
    """When the review of one benchmark refuses; see `packaging/benchmarks.yaml`."""

    slower_at_most: PositiveFloat
    rounds: PositiveInt
    attempts: PositiveInt
    pairs: dict[str, str]


class _Benchmarks(FactModel):
    replay: Thresholds


def thresholds(root: Path) -> Thresholds:
    """Read the thresholds of the replay benchmark."""
    return load_model(_Benchmarks, root, "packaging/benchmarks.yaml").replay


def read_baseline(path: Path) -> dict[str, Any] | None:
    """Read a committed record; None where there is none that can be read."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def judge(
    baseline: Mapping[str, Any] | None,
    found: Mapping[str, float],
    host_class: str,
    rules: Thresholds,
) -> list[str]:
    """Compare figures with a baseline, pair by pair; return why they are refused.

    What cannot be compared is refused: no baseline, one of another host class, a pair that is
    missing on either side.

    Examples
    --------
    >>> rules = Thresholds(slower_at_most=0.05, rounds=5, attempts=1, pairs={"additive": "read"})
    >>> baseline = {"host_class": "small", "pairs": {"additive": {"over_reference": 1.0}}}
    >>> judge(baseline, {"additive": 1.04}, "small", rules)
    []
    >>> judge(baseline, {"additive": 1.06}, "small", rules)
    ['additive: 1.0600 of its reference, 6.0 % above the baseline 1.0000; at most 5 % is let pass']
    >>> judge(None, {"additive": 1.0}, "small", rules)
    ['there is no baseline; run nox -s bench on a quiet machine and commit its record']
    """
    if baseline is None:
        return ["there is no baseline; run nox -s bench on a quiet machine and commit its record"]
    known = baseline.get("host_class")
    if known != host_class:
        return [f"the baseline is of host class {known!r}, this machine is {host_class!r}"]
    refused = []
    for name in rules.pairs:
        before = _figure(baseline.get("pairs"), name)
        now = found.get(name)
        if before is None or now is None or not now > 0:
            where = "the baseline" if before is None else "this run"
            refused.append(f"{name}: {where} has no figure; nothing was compared")
        elif not now <= before * (1 + rules.slower_at_most):
            refused.append(
                f"{name}: {now:.4f} of its reference, {100 * (now / before - 1):.1f} % above the "
                f"baseline {before:.4f}; at most {100 * rules.slower_at_most:g} % is let pass"
            )
    return refused


def _figure(pairs: Any, name: str) -> float | None:
    pair = pairs.get(name) if isinstance(pairs, dict) else None
    value = pair.get("over_reference") if isinstance(pair, dict) else None
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0
    return float(value) if good and value is not None else None

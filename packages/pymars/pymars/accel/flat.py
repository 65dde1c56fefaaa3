# Language policy: EXEMPT from the Rust-path rule. Lists terms as arrays; no computation.
"""A ModelSpec as plain arrays, for tiers that take no documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["CATEGORICAL", "HINGE_LEFT", "HINGE_RIGHT", "LINEAR", "MISSING", "NONE", "PRESENT"]
__all__ += ["Flat", "flatten"]

NONE, LINEAR, HINGE_RIGHT, HINGE_LEFT, CATEGORICAL, MISSING, PRESENT = range(7)

Array = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Flat:
    """The terms of a model; `*_start[k]` to `*_start[k + 1]` are the entries of term k.

    Attributes
    ----------
    kind : ndarray of int64
        Of the term's own factor, as the constants of this module.
    feature, column : ndarray of int64
        Input column of the factor; column of the design matrix, -1 for a term without coefficients.
    knot, impute : ndarray of float64
        Of the factor; `impute` is NaN where a missing input stays missing.
    parents_start, parents : ndarray of int64
        Terms whose product the factor multiplies.
    levels_start, levels : ndarray
        Category codes for which a categorical factor is 1.
    coefficients : ndarray of shape (columns, responses), float64
    """

    kind: Whole
    feature: Whole
    column: Whole
    knot: Array
    impute: Array
    parents_start: Whole
    parents: Whole
    levels_start: Whole
    levels: Array
    coefficients: Array


def flatten(spec: Mapping[str, Any]) -> Flat:
    """List the terms of a valid ModelSpec.

    Examples
    --------
    >>> spec = {"features": [{"name": "x"}], "terms": [
    ...     {"kind": "hinge", "feature": 0, "knot": 1.0, "side": "left", "coefficients": [2.0]}]}
    >>> flatten(spec).kind.tolist() == [HINGE_LEFT]
    True
    """
    terms, features = spec["terms"], spec["features"]
    parents = [t.get("parents", [t["parent"]] if "parent" in t else []) for t in terms]
    levels = [
        [features[t["feature"]]["categories"].index(level) for level in t.get("levels", ())]
        for t in terms
    ]
    numbers = iter(range(len(terms)))
    own = [features[t["feature"]] if "feature" in t else {} for t in terms]
    return Flat(
        kind=_whole([_kind(t) for t in terms]),
        feature=_whole([t.get("feature", 0) for t in terms]),
        column=_whole([next(numbers) if "coefficients" in t else -1 for t in terms]),
        knot=np.array([t.get("knot", 0.0) for t in terms]),
        impute=np.array([f.get("impute", np.nan) for f in own]),
        parents_start=_starts(parents),
        parents=_whole([parent for each in parents for parent in each]),
        levels_start=_starts(levels),
        levels=np.array([level for each in levels for level in each], dtype=np.float64),
        coefficients=np.array([t["coefficients"] for t in terms if "coefficients" in t]),
    )


def _kind(term: Mapping[str, Any]) -> int:
    kind = term["kind"]
    if kind == "hinge":
        return HINGE_RIGHT if term["side"] == "right" else HINGE_LEFT
    if kind == "missingness":
        return MISSING if term["when"] == "missing" else PRESENT
    return {"linear": LINEAR, "categorical": CATEGORICAL}.get(kind, NONE)


def _starts(lists: list[list[int]]) -> Whole:
    ends = [0]
    for each in lists:
        ends.append(ends[-1] + len(each))
    return _whole(ends)


def _whole(values: list[int]) -> Whole:
    return np.array(values, dtype=np.int64)

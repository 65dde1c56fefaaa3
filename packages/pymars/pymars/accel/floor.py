"""The Python floor: what a ModelSpec means, in NumPy.

Slow and plain on purpose. It shares no code with the core, so that agreement of the two is
evidence. The conformance vectors are its results.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["design_matrix", "linear_predictor", "predict"]

Array = NDArray[np.float64]


def design_matrix(spec: Mapping[str, Any], X: Array) -> Array:
    """Evaluate every term with coefficients on rows.

    Parameters
    ----------
    spec : dict
        A valid ModelSpec.
    X : ndarray of shape (rows, features), float64
        Missing is NaN; a categorical feature holds positions of its categories.

    Returns
    -------
    ndarray of shape (rows, columns), float64

    Examples
    --------
    >>> spec = {"features": [{"name": "x"}], "terms": [
    ...     {"kind": "hinge", "feature": 0, "knot": 1.0, "side": "right", "coefficients": [1.0]}]}
    >>> design_matrix(spec, np.array([[0.0], [3.0]])).ravel().tolist()
    [0.0, 2.0]
    """
    values: list[Array] = []
    for term in spec["terms"]:
        value = np.ones(X.shape[0])
        parents = term.get("parents", [term["parent"]] if "parent" in term else [])
        for k, parent in enumerate(parents):
            value = values[parent] if k == 0 else value * values[parent]
        if term["kind"] not in ("constant", "interaction"):
            value = value * _factor(term, spec["features"][term["feature"]], X[:, term["feature"]])
        values.append(value)
    kept = [
        value for term, value in zip(spec["terms"], values, strict=True) if "coefficients" in term
    ]
    return np.stack(kept, axis=1)


def predict(spec: Mapping[str, Any], X: Array) -> Array:
    """Replay a model on rows: the inverse link of the linear predictor, per row and response.

    Parameters are those of :func:`design_matrix`.

    Returns
    -------
    ndarray of shape (rows, responses), float64
    """
    eta = linear_predictor(spec, X)
    with np.errstate(all="ignore"):
        return _respond(spec.get("link"), eta)


def linear_predictor(spec: Mapping[str, Any], X: Array) -> Array:
    """Sum the terms: ((0 + c0 v0) + c1 v1) + ... per row and response.

    Parameters are those of :func:`design_matrix`.

    Returns
    -------
    ndarray of shape (rows, responses), float64
    """
    columns = design_matrix(spec, X)
    coefficients = [term["coefficients"] for term in spec["terms"] if "coefficients" in term]
    total = np.zeros((X.shape[0], len(coefficients[0])))
    for k, weights in enumerate(coefficients):
        total = total + np.asarray(weights, dtype=np.float64) * columns[:, k : k + 1]
    return total


def _factor(term: Mapping[str, Any], feature: Mapping[str, Any], x: Array) -> Array:
    missing = np.isnan(x)
    if term["kind"] == "missingness":
        return np.where(missing == (term["when"] == "missing"), 1.0, 0.0)
    if "impute" in feature:
        x = np.where(missing, float(feature["impute"]), x)
    if term["kind"] == "linear":
        return x
    if term["kind"] == "categorical":
        codes = [feature["categories"].index(level) for level in term["levels"]]
        return np.where(np.isnan(x), np.nan, np.isin(x, codes))
    d = x - term["knot"] if term["side"] == "right" else term["knot"] - x
    # Where d is NaN the comparison is false and NaN passes through.
    return np.where(d <= 0.0, 0.0, d)


def _respond(link: str | None, eta: Array) -> Array:
    if link is None:
        return eta
    if link == "log":
        return _exp(eta)
    if link == "inverse":
        return 1.0 / eta
    if link == "logit":
        e = _exp(-np.abs(eta))
        return np.where(eta >= 0.0, 1.0 / (1.0 + e), e / (1.0 + e))
    if link == "cloglog":
        u = _exp(eta)
        series = np.zeros_like(u)
        for i in range(14, 0, -1):
            series = series * -u + 1.0 / math.factorial(i)
        return np.where(u > 0.5, 1.0 - _exp(-u), u * series)
    e = _exp(eta - np.fmax.reduce(eta, axis=1)[:, None])
    total = np.zeros(len(e))
    for k in range(e.shape[1]):
        total = total + e[:, k]
    return e / total[:, None]


LN2_HIGH = float.fromhex("0x1.62e42feep-1")
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")


def _exp(x: Array) -> Array:
    """exp(x) from sums and products alone, so that its bits are the same everywhere."""
    inside = np.where((x > 709.78) | (x < -745.0) | np.isnan(x), 0.0, x)
    k = np.rint(inside * math.log2(math.e))
    r = (inside - k * LN2_HIGH) - k * LN2_LOW
    series = np.zeros_like(r)
    for i in range(14, -1, -1):
        series = series * r + 1.0 / math.factorial(i)
    half = np.floor(k / 2.0)
    found = series * np.ldexp(1.0, half.astype(int)) * np.ldexp(1.0, (k - half).astype(int))
    found = np.where(x > 709.78, np.inf, np.where(x < -745.0, 0.0, found))
    return np.where(np.isnan(x), np.nan, found)

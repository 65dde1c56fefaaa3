"""The Python floor: what a ModelSpec means, in NumPy.

Slow and plain on purpose. It shares no code with the core, so that agreement of the two is
evidence. The conformance vectors are its results.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["design_matrix", "predict"]

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
    """Replay a model on rows: ((0 + c0 v0) + c1 v1) + ... per row and response.

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

"""The Python floor: what a ModelSpec means, and what two scores of training mean, in NumPy.

Slow and plain on purpose. It shares no code with the core, so that agreement of the two is
evidence. The conformance vectors are its results.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["design_matrix", "gcv_path", "knot_scan", "linear_predictor", "predict", "respond"]

Array = NDArray[np.float64]


@np.errstate(all="ignore")
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
    return respond(spec.get("link"), linear_predictor(spec, X))


@np.errstate(all="ignore")
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


@np.errstate(all="ignore")
def respond(link: str | None, eta: Array) -> Array:
    """Return the inverse link of linear predictors, one column per response.

    Examples
    --------
    >>> respond("inverse", np.array([[4.0]])).item()
    0.25
    """
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


def gcv_path(r: Array, z: Array, rss: float, n: int, penalty: float) -> Array:
    """Drop the term that costs least, again and again, from B = QR.

    Dropping term k raises the RSS by b_k^2 over the k-th diagonal element of the inverse of B'B,
    where b = R^-1 z are the coefficients (the partial F test of Draper and Smith, 1998, ch. 6).
    What is left is made a triangle again by a new QR.

    Parameters
    ----------
    r : ndarray of shape (terms, terms)
        The triangle; the first term always stays.
    z : ndarray of shape (terms, responses)
        Q'y.
    rss : float
        Residual sum of squares with all terms.
    n : int
        Rows.
    penalty : float
        Of the GCV; -1 counts no parameters.

    Returns
    -------
    ndarray of shape (terms, 3)
        Row k is the model of k + 1 terms: its RSS, its GCV, and the term that goes next (-1: none).

    Examples
    --------
    >>> gcv_path(np.eye(2), np.array([[3.0], [4.0]]), 1.0, 10, 3.0)[:, [0, 2]].tolist()
    [[17.0, -1.0], [1.0, 1.0]]
    """
    order, found = list(range(len(r))), []
    while order:
        inverse = np.linalg.inv(r)
        costs = ((inverse @ z) ** 2).sum(axis=1) / (inverse**2).sum(axis=1)
        k = 1 + int(costs[1:].argmin()) if len(order) > 1 else 0
        found.append((rss, _gcv(rss, n, len(order), penalty), order.pop(k) if k else -1))
        if k == 0:
            break
        q, triangle = np.linalg.qr(np.delete(r, k, axis=1), mode="complete")
        rotated = q.T @ z
        rss = rss + float((rotated[-1] ** 2).sum())
        r, z = triangle[:-1], rotated[:-1]
    return np.array(found[::-1])


def knot_scan(x: Array, parent: Array, frame: Array, residual: Array, knots: Array) -> Array:
    """Score every candidate knot of one variable under one parent.

    For each knot t the columns L = p (x - mean x) and h = p max(x - t, 0) are made orthogonal to
    the frame and then to each other; a column that keeps no more than a share of 1e-6 of its
    squared norm adds nothing. The gain is by how much the RSS falls (Friedman 1991, section 3.9).

    Parameters
    ----------
    x, parent : ndarray of shape (rows,)
        The variable, and the values of the parent term p.
    frame : ndarray of shape (rows, terms)
        Orthonormal columns that span the model.
    residual : ndarray of shape (rows, responses)
        What the model leaves of the responses; orthogonal to the frame.
    knots : ndarray of shape (knots,)
        Rising.

    Returns
    -------
    ndarray of shape (knots,)

    Examples
    --------
    >>> x = np.arange(4.0)
    >>> bend = np.array([[-0.5], [-0.5], [-0.5], [1.5]])
    >>> knot_scan(x, np.ones(4), np.full((4, 1), 0.5), bend, np.array([1.0, 2.0])).round(9).tolist()
    [2.333333333, 3.0]
    """
    linear = parent * (x - (x.mean() if len(x) else 0.0))
    along = residual.T @ linear
    outside = linear - frame @ (frame.T @ linear)
    norm = outside @ outside
    if not norm > SPAN * (linear @ linear):
        norm, outside = np.inf, np.zeros_like(linear)
    gains = np.full(len(knots), (along**2).sum() / norm)
    for k, knot in enumerate(knots):
        hinge = parent * np.maximum(x - knot, 0.0)
        beyond = hinge - frame @ (frame.T @ hinge)
        cross = beyond @ outside / norm
        beyond = beyond - cross * outside
        left = beyond @ beyond
        if left > SPAN * (hinge @ hinge):
            gains[k] += ((residual.T @ hinge - cross * along) ** 2).sum() / left
    return gains


SPAN = 1e-6


def _gcv(rss: float, n: int, terms: int, penalty: float) -> float:
    effective = 0.0 if penalty == -1.0 else terms + penalty * (terms - 1) / 2.0
    return math.inf if effective >= n else (rss / n) / (1.0 - effective / n) ** 2


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

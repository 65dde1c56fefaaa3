"""Seeded arguments of any size for each compute function: for benchmarks, tests and self-checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pymars.runtime import load_model

__all__ = ["make"]

FEATURES, TERMS, KNOTS = 10, 20, 500


def make(function: str, size: int, seed: int = 0) -> tuple[Any, ...]:
    """Return the arguments of a function, of a size along its axis.

    Examples
    --------
    >>> model, X = make("predict", 3)
    >>> model, X.shape
    (<Model: 21 terms on 10 features>, (3, 10))
    """
    return _MAKERS[function](size, np.random.default_rng(seed))


def model_spec(seed: int = 0) -> dict[str, Any]:
    """Return a ModelSpec with hinges, products, a linear and a categorical term."""
    rng = np.random.default_rng(seed)
    features: list[dict[str, Any]] = [{"name": f"x{j}"} for j in range(FEATURES - 1)]
    features.append({"name": "kind", "categories": ["a", "b", "c"]})
    terms: list[dict[str, Any]] = [{"kind": "constant", "coefficients": [1.0]}]
    for k in range(1, TERMS - 1):
        term: dict[str, Any] = {
            "kind": "hinge",
            "feature": k % (FEATURES - 1),
            "knot": float(rng.normal()),
            "side": "right" if k % 2 else "left",
            "coefficients": [float(rng.normal())],
        }
        terms.append({**term, "parent": k - 2} if k % 3 == 0 else term)
    terms.append({"kind": "linear", "feature": 0, "coefficients": [0.5]})
    levels = {"kind": "categorical", "feature": FEATURES - 1, "levels": ["a", "c"]}
    terms.append({**levels, "coefficients": [1.5]})
    return {
        "spec_version": "1.0",
        "allow_missing": False,
        "features": features,
        "responses": ["y"],
        "terms": terms,
    }


def _replay(size: int, rng: np.random.Generator) -> tuple[Any, ...]:
    X = rng.normal(size=(size, FEATURES))
    X[:, -1] = rng.integers(0, 3, size)
    return load_model(model_spec()), X


def _path(size: int, rng: np.random.Generator) -> tuple[Any, ...]:
    rows = 20 * size
    r = np.linalg.qr(rng.normal(size=(rows, size)), mode="r")
    return r, rng.normal(size=(size, 1)) * np.linspace(3.0, 0.1, size)[:, None], 50.0, rows, 3.0


def _scan(size: int, rng: np.random.Generator) -> tuple[Any, ...]:
    x, columns = rng.normal(size=size), rng.normal(size=(size, TERMS))
    columns[:, 0] = 1.0
    frame = np.linalg.qr(columns)[0]
    y = np.maximum(x - 0.3, 0.0) + 0.1 * rng.normal(size=size)
    residual = y - frame @ (frame.T @ y)
    parent = np.maximum(columns[:, 1 % columns.shape[1]], 0.0)
    return x, parent, frame, residual, np.unique(rng.choice(x, min(KNOTS, size), replace=False))


_MAKERS: dict[str, Callable[[int, np.random.Generator], tuple[Any, ...]]] = {
    "predict": _replay,
    "design_matrix": _replay,
    "gcv_path": _path,
    "knot_scan": _scan,
}

"""The search on bins: its columns are exact, and its models are near those of the exact search."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pymars as earth


def table(kind: str) -> tuple[Any, Any, Any, dict[str, Any]]:
    """Rows, responses, weights and options that the search must tell apart."""
    rng = np.random.default_rng(7)
    X = rng.uniform(size=(1500, 6))
    y = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 5 * X[:, 2] + rng.normal(size=len(X))
    options: dict[str, Any] = {"max_degree": 2}
    weights = None
    if kind == "weights":
        weights = rng.uniform(0.1, 3, size=len(X))
    elif kind == "responses":
        y = np.c_[y, 100 * X[:, 3] * X[:, 4] + rng.normal(size=len(X))]
        options["scale_y"] = True
    elif kind == "categories":
        X = pd.DataFrame(X, columns=list("abcdef"))
        X["group"] = pd.Categorical(rng.choice(["u", "v", "w"], size=len(X)))
        y = y + 4 * (X["group"] == "v") * X["a"]
    elif kind == "signed parents":
        # A linear term that is negative in half of the rows, with hinges under it.
        X = rng.normal(size=(1500, 4)) + np.array([0.0, 300.0, 0.0, 0.0])
        y = X[:, 1] + X[:, 0] * np.abs(X[:, 2]) + 0.1 * rng.normal(size=len(X))
        options["linpreds"] = [0, 1]
    elif kind == "missing":
        X[rng.uniform(size=X.shape) < 0.1] = np.nan
        options["allow_missing"] = True
    elif kind == "degree 3":
        options["max_degree"] = 3
    elif kind == "many bins":
        options["max_bins"] = 1000
    return X, y, weights, options


KINDS = [
    "plain",
    "weights",
    "responses",
    "categories",
    "signed parents",
    "missing",
    "degree 3",
    "many bins",
]


@pytest.mark.parametrize("kind", KINDS)
def test_coefficients_are_those_of_least_squares(kind: str) -> None:
    X, y, weights, options = table(kind)
    model = earth.Earth(knots="hist", **options).fit(X, y, weights)
    columns = model.design_matrix(X)
    root = np.sqrt(np.ones(len(columns)) if weights is None else weights)[:, None]
    responses = np.asarray(y).reshape(len(columns), -1)
    solution = np.linalg.lstsq(root * columns, root * responses, rcond=None)[0]
    residual = root * (responses - columns @ solution)
    assert model.rss_ == pytest.approx(float((residual**2).sum()), rel=1e-9)
    np.testing.assert_allclose(
        np.asarray(model.predict(X)).reshape(responses.shape),
        columns @ solution,
        atol=1e-7 * np.abs(responses).max(),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_models_are_near_those_of_the_exact_search(kind: str) -> None:
    X, y, weights, options = table(kind)
    binned = earth.Earth(knots="hist", **options).fit(X, y, weights)
    options.pop("max_bins", None)
    exact = earth.Earth(**options).fit(X, y, weights)
    assert binned.gcv_ <= 1.02 * exact.gcv_


def test_an_offset_of_the_response_does_not_matter() -> None:
    X, y, _, options = table("plain")
    here = earth.Earth(knots="hist", **options).fit(X, y)
    far = earth.Earth(knots="hist", **options).fit(X, y + 1e6)
    assert far.gcv_ == pytest.approx(here.gcv_, rel=1e-7)

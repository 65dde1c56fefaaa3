# Language policy: EXEMPT from the Rust-path rule. Draws the tables of the comparison with R earth.
"""Seeded tables for the comparison with R earth; four decimals, so that the files stay small."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes

Table = Any  # a DataFrame; pandas comes without types here
Random = np.random.Generator


def _frame(X: Any, y: Any, **more: Any) -> Table:
    table = pd.DataFrame(np.round(X, 4), columns=[f"x{j}" for j in range(np.shape(X)[1])])
    for k, response in enumerate(np.atleast_2d(np.asarray(y).T)):
        table["y" if np.ndim(y) == 1 else f"y{k}"] = np.round(response, 4)
    for name, values in more.items():
        table[name] = values
    return table


def friedman(seed: int, n: int = 300, p: int = 6) -> Table:
    """Draw the additive and interacting function of Friedman (1991), noise of sd 1."""
    random = np.random.default_rng(seed)
    X = random.random((n, p))
    y = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2
    return _frame(X, y + 10 * X[:, 3] + 5 * X[:, 4] + random.normal(size=n))


def additive(seed: int, n: int = 400, p: int = 8) -> Table:
    """Draw one smooth curve per column of a correlated normal sample."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, p)) + 0.6 * random.normal(size=(n, 1))
    y = sum(np.sin((j + 1) * X[:, j] / 2) / (j + 1) for j in range(p))
    return _frame(X, y + 0.2 * random.normal(size=n))


def product(seed: int, n: int = 350, p: int = 5) -> Table:
    """Draw a response of pure products."""
    random = np.random.default_rng(seed)
    X = random.uniform(-1, 1, (n, p))
    y = 3 * X[:, 0] * X[:, 1] + np.maximum(X[:, 2] - 0.2, 0) * X[:, 3]
    return _frame(X, y + X[:, 4] + 0.2 * random.normal(size=n))


def threeway(seed: int, n: int = 500, p: int = 6) -> Table:
    """Draw a product of three hinges beside two curves."""
    random = np.random.default_rng(seed)
    X = random.random((n, p))
    h = np.maximum(X - 0.3, 0)
    y = 12 * h[:, 0] * h[:, 1] * h[:, 2] + np.abs(X[:, 3] - 0.5) + X[:, 4] ** 2
    return _frame(X, y + 0.05 * random.normal(size=n))


def ties(seed: int, n: int = 300, p: int = 4) -> Table:
    """Draw columns of few values, the first with a third of its rows at the top."""
    random = np.random.default_rng(seed)
    X = random.integers(0, [9, 12, 20, 5][:p], (n, p)).astype(float)
    X[:, 0] = np.minimum(X[:, 0], 5)
    y = np.abs(X[:, 0] - 3) + 0.2 * X[:, 1] * (X[:, 2] > 8) + X[:, 3]
    return _frame(X, y + 0.5 * random.normal(size=n))


def responses(seed: int, n: int = 250, p: int = 4) -> Table:
    """Draw three responses of different size on the same columns."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, p))
    first = np.maximum(X[:, 0], 0) - X[:, 1]
    second = 30 * np.abs(X[:, 1]) + 20 * X[:, 2] * X[:, 0]
    third = 0.1 * X[:, 3] ** 2
    Y = np.c_[first, second, third] + random.normal(size=(n, 3)) * [0.3, 5, 0.05]
    return _frame(X, Y)


def weights(seed: int, n: int = 200, p: int = 4) -> Table:
    """Draw rows whose noise follows their weight; `w0` has zeros, `w2` is constant."""
    random = np.random.default_rng(seed)
    X = random.random((n, p)) * [1, 4, 10, 2]
    w = np.round(random.uniform(0.2, 3, n), 3)
    y = np.abs(X[:, 0] - 0.4) * 5 + np.minimum(X[:, 1], 2) + 0.1 * X[:, 2] * X[:, 3]
    zeros = np.where(random.random(n) < 0.1, 0.0, w)
    return _frame(X, y + 0.3 * random.normal(size=n) / np.sqrt(w), w=w, w0=zeros, w2=2.0)


def factors(seed: int, n: int = 300) -> Table:
    """Draw two numbers, a factor of four levels and one of two."""
    random = np.random.default_rng(seed)
    X = random.uniform(0, 5, (n, 2))
    kind, flag = random.integers(0, 4, n), random.integers(0, 2, n)
    y = np.abs(X[:, 0] - 2) + kind % 3 + flag * np.maximum(X[:, 1] - 2, 0)
    table = _frame(X, y + 0.3 * random.normal(size=n))
    table.insert(2, "kind", np.array(["ash", "beech", "cedar", "elm"])[kind])
    table.insert(3, "flag", np.array(["no", "yes"])[flag])
    return table


def units(seed: int, n: int = 250) -> Table:
    """Draw columns in large units, two of them almost the same."""
    random = np.random.default_rng(seed)
    base = random.normal(size=(n, 4))
    X = base * [1e3, 50, 200, 7] + [5e4, 0, 1e3, -20]
    X[:, 2] = 0.2 * X[:, 0] + 20 * base[:, 2]
    y = np.maximum(base[:, 0], 0) * base[:, 1] + np.abs(base[:, 3])
    return _frame(X, 100 * (y + 0.3 * random.normal(size=n)))


def noise(seed: int, n: int = 120, p: int = 6) -> Table:
    """Draw a response that does not depend on anything."""
    random = np.random.default_rng(seed)
    return _frame(random.random((n, p)), random.normal(size=n))


def wide(seed: int, n: int = 40, p: int = 50) -> Table:
    """Draw more columns than rows."""
    random = np.random.default_rng(seed)
    X = np.round(random.normal(size=(n, p)), 2)
    return _frame(X, X[:, 3] + np.maximum(X[:, 7], 0) + 0.3 * random.normal(size=n))


def small(seed: int, n: int = 200, p: int = 5) -> Table:
    """Draw columns of norm 1, as the scaled form of diabetes has."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, p)) / np.sqrt(n)
    y = 50 * np.maximum(X[:, 0], 0) + 300 * X[:, 1] * X[:, 2]
    return _frame(X, y + random.normal(size=n))


def curve(seed: int, n: int = 200) -> Table:
    """Draw one predictor."""
    random = np.random.default_rng(seed)
    X = np.sort(random.uniform(0, 10, (n, 1)), axis=0)
    table = _frame(X, np.sin(X[:, 0]) + 0.2 * random.normal(size=n))
    return table.rename(columns={"x0": "time"})  # R earth cuts the x off the name of a lone column


def diabetes(seed: int) -> Table:
    """Take diabetes in its original units; the seed is not used."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    return _frame(X, y)


DRAWN: dict[str, Callable[[int], Table]] = {
    f.__name__: f
    for f in (
        friedman, additive, product, threeway, ties, responses, weights, factors, units, noise,
        wide, small, curve, diabetes,
    )
}  # fmt: skip

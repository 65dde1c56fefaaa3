"""Pruning paths and knot gains are what refits by least squares say."""

import numpy as np
import pytest

import pymars as earth
from pymars import errors


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    X = rng.uniform(-1.0, 1.0, (300, 3))
    y = np.maximum(X[:, 0] - 0.2, 0.0) * 3.0 + X[:, 1] * X[:, 2] + 0.05 * rng.normal(size=300)
    model = earth.Earth(max_degree=2).fit(X, y)
    return model, X, y


def rss_of(columns, y):
    left = y - columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
    return float((left**2).sum())


def test_each_step_is_a_refit_without_the_cheapest_term(data):
    model, X, y = data
    columns = earth.design_matrix(model, X)
    labels = [row["label"] for row in earth.inspect(model)["terms"]]
    kept = list(range(columns.shape[1]))
    for step in reversed(earth.pruning_path(model, X, y)):
        assert step.n_terms == len(kept)
        assert step.rss == pytest.approx(rss_of(columns[:, kept], y), rel=1e-9)
        n, terms = len(y), len(kept)
        effective = terms + 3.0 * (terms - 1) / 2.0
        assert step.gcv == pytest.approx(step.rss / n / (1 - effective / n) ** 2, rel=1e-12)
        if len(kept) == 1:
            assert step.next_term is None
            break
        after = {k: rss_of(columns[:, [j for j in kept if j != k]], y) for k in kept[1:]}
        cheapest = min(after, key=after.get)
        assert step.next_term == labels[cheapest]
        kept.remove(cheapest)


def test_a_heavier_penalty_prefers_fewer_terms(data):
    model, X, y = data
    best = [
        min(earth.pruning_path(model, X, y, penalty=p), key=lambda step: step.gcv).n_terms
        for p in (-1.0, 3.0, 60.0)
    ]
    assert best == sorted(best, reverse=True)
    assert best[0] > best[-1]


@pytest.mark.parametrize("parent", [0, 1])
def test_a_gain_is_what_a_refit_takes_off_the_rss(data, parent):
    _, X, y = data
    small = earth.Earth(max_degree=1, max_terms=3).fit(X, y)
    columns = earth.design_matrix(small, X)
    p = columns[:, parent]
    places = np.quantile(X[p != 0.0, 2], [0.1, 0.3, 0.5, 0.7, 0.9])
    knots, gains = earth.knot_gains(small, X, y, "x2", parent=parent, knots=places)
    np.testing.assert_array_equal(knots, places)
    for knot, gain in zip(knots, gains, strict=True):
        pair = [p * np.maximum(X[:, 2] - knot, 0.0), p * np.maximum(knot - X[:, 2], 0.0)]
        after = rss_of(np.column_stack([columns, *pair]), y)
        assert gain == pytest.approx(rss_of(columns, y) - after, rel=1e-7, abs=1e-9)


def test_several_responses_add_up(data):
    model, X, y = data
    both = np.column_stack([y, X[:, 0]])
    path, first, second = (earth.pruning_path(model, X, v) for v in (both, y, X[:, 0]))
    assert path[-1].rss == pytest.approx(first[-1].rss + second[-1].rss)
    gains = [earth.knot_gains(model, X, v, 0)[1] for v in (both, y, X[:, 0])]
    np.testing.assert_allclose(gains[0], gains[1] + gains[2], 1e-6, 1e-9)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"y": ["a"] * 300}, errors.InvalidDataError, "not numeric"),
        ({"y": np.zeros(7)}, errors.ShapeMismatchError, "as many rows"),
        ({"y": np.zeros((300, 1, 1))}, errors.ShapeMismatchError, "as many rows"),
        ({"y": np.full(300, np.nan)}, errors.InvalidDataError, "missing or infinite"),
        ({"X": slice(2), "y": np.zeros(2)}, errors.InvalidDataError, "pass more rows"),
        ({"X": "constant"}, errors.InvalidDataError, "depends on those before it"),
    ],
)
def test_data_that_cannot_be_scored_are_refused(data, change, error, message):
    model, X, y = data
    given = change.get("X")
    if isinstance(given, slice):
        X = X[given]
    elif given == "constant":
        X = np.tile(X[:1], (300, 1))
    with pytest.raises(error, match=message):
        earth.pruning_path(model, X, change.get("y", y))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feature": "nothing"}, "no feature 'nothing'; there are x0, x1, x2"),
        ({"feature": 9}, "name a numeric one"),
        ({"feature": 0, "parent": 99}, "the model has columns 0 to"),
        ({"feature": 0, "knots": [0.5, 0.1]}, "do not rise"),
    ],
)
def test_bad_questions_are_refused(data, options, message):
    model, X, y = data
    with pytest.raises(errors.InvalidArgumentError, match=message):
        earth.knot_gains(model, X, y, **options)

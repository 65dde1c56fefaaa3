"""Training against brute force: an independent search and an independent elimination."""

import itertools

import numpy as np
import pytest

import pymars as earth


def rss_of(columns, y):
    coefficients, *_ = np.linalg.lstsq(columns, y, rcond=None)
    return float(np.sum((y - columns @ coefficients) ** 2))


def hinges(parent, x, knot):
    return np.c_[parent * np.maximum(0, x - knot), parent * np.maximum(0, knot - x)]


def data(seed, n=60, p=3):
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(n, p))
    y = (
        3 * np.abs(X[:, 0] - 0.5)
        + X[:, 1] * np.maximum(0, X[:, 2] - 0.4)
        + 0.1 * rng.normal(size=n)
    )
    return X, y


@pytest.mark.parametrize("seed", range(5))
def test_the_first_step_is_the_best_pair_of_all(seed):
    X, y = data(seed)
    # Spans of 1 and 5 leave every value a knot but five at each end.
    model = earth.Earth(max_terms=3, minspan=1, endspan=5, penalty=0.0).fit(X, y)
    one = np.ones(len(y))
    best = min(
        rss_of(np.c_[one, hinges(one, x, knot)], y) for x in X.T for knot in np.sort(x)[5:-5]
    )
    assert model.record_.forward[1].rss == pytest.approx(best, rel=1e-10)


@pytest.mark.parametrize("seed", range(5))
def test_a_step_of_degree_two_is_the_best_of_all(seed):
    X, y = data(seed, n=80)
    model = earth.Earth(
        max_terms=5, max_degree=2, minspan=1, endspan=1, penalty=0.0, thresh=0.0
    ).fit(X, y)
    first = earth.Earth(
        max_terms=3, max_degree=2, minspan=1, endspan=1, penalty=0.0, thresh=0.0
    ).fit(X, y)
    B = first.design_matrix(X)
    assert B.shape[1] == 3
    used = first.get_model_spec()["terms"][1]["feature"]
    n = len(y)
    best = np.inf
    for parent, v in itertools.product(range(3), range(X.shape[1])):
        if parent and v == used:
            continue
        end = 3 if parent else 1  # the end zone of an interaction is three times as long
        on = B[:, parent] != 0
        order = np.argsort(-X[:, v], kind="stable")
        above = 0
        for position, row in enumerate(order[:-1]):
            above += on[row]
            knot = X[order[position + 1], v]
            if not on[row] or above < end or n - position <= end:
                continue
            h = hinges(B[:, parent], X[:, v], knot)
            linear = B[:, parent] * (X[:, v] - X[:, v].mean())
            base = np.c_[B, linear]
            beyond = h[:, 0] - base @ np.linalg.lstsq(base, h[:, 0], rcond=None)[0]
            centred = h[:, 0] - h[:, 0].mean()
            if beyond @ beyond <= 0.01 * (centred @ centred):
                continue  # refused as almost dependent while the model is small
            best = min(best, rss_of(np.c_[B, h], y))
    assert model.record_.forward[2].rss == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("degree", [1, 2])
def test_pruning_visits_what_backward_elimination_passes(degree):
    # Strong structure and few terms, so that penalty 0 keeps every term and all are known.
    rng = np.random.default_rng(11)
    X = rng.uniform(size=(600, 3))
    y = np.sin(6 * X[:, 0]) + X[:, 1] ** 2 * (1 + X[:, 2]) + 0.05 * rng.normal(size=600)
    options = {"max_terms": 11 - 2 * degree, "max_degree": degree, "thresh": 0.0}
    model = earth.Earth(**options).fit(X, y)
    whole = earth.Earth(**options, penalty=0.0).fit(X, y)
    n, grown = len(y), model.record_.forward[-1].n_terms
    assert len(whole.basis_) == grown
    B = whole.design_matrix(X)
    order, best = list(range(grown)), {}
    while True:
        for size in range(1, len(order) + 1):
            rss = rss_of(B[:, order[:size]], y)
            best[size] = min(best.get(size, np.inf), rss)
        if len(order) == 1:
            break
        drop = min(order[1:], key=lambda k: rss_of(B[:, [j for j in order if j != k]], y))
        order.remove(drop)
    found = {step.n_terms: step.rss for step in model.record_.pruning}
    assert found == pytest.approx(best, rel=1e-9)
    effective = {m: m + 3.0 * (m - 1) / 2 for m in best}
    gcv = {m: best[m] / n / (1 - effective[m] / n) ** 2 for m in best}
    chosen = min(gcv, key=lambda m: (gcv[m], m))
    assert len(model.basis_) == chosen
    assert model.gcv_ == pytest.approx(gcv[chosen], rel=1e-9)


def test_figures_are_those_of_the_predictions():
    X, y = data(3, n=200)
    weights = np.random.default_rng(0).uniform(0.5, 2.0, size=200)
    model = earth.Earth(max_degree=2).fit(X, y, sample_weight=weights)
    error = y - model.predict(X)
    rss = np.sum(weights * error**2)
    mean = np.average(y, weights=weights)
    tss = np.sum(weights * (y - mean) ** 2)
    assert model.rss_ == pytest.approx(rss, rel=1e-9)
    assert model.rsq_ == pytest.approx(1 - rss / tss, rel=1e-9)


def test_coefficients_solve_the_weighted_least_squares():
    X, y = data(4, n=200)
    weights = np.random.default_rng(1).uniform(0.1, 5.0, size=200)
    model = earth.Earth(max_degree=2).fit(X, y, sample_weight=weights)
    root = np.sqrt(weights)
    B = model.design_matrix(X)
    expected, *_ = np.linalg.lstsq(B * root[:, None], y * root, rcond=None)
    assert model.coef_ == pytest.approx(expected, rel=1e-7)


def test_offsets_and_scales_of_a_column_change_nothing():
    X, y = data(5, n=300)
    plain = earth.Earth(max_degree=2).fit(X, y)
    moved = earth.Earth(max_degree=2).fit(X * [1e-9, 1e6, 1.0] + [0.0, 1e7, 1e6], y)
    assert moved.gcv_ == pytest.approx(plain.gcv_, rel=1e-6)
    assert len(moved.basis_) == len(plain.basis_)


def test_several_responses_share_the_terms():
    X, y = data(6, n=300)
    both = np.c_[y, X[:, 2] ** 2]
    model = earth.Earth(max_degree=2).fit(X, both)
    assert model.coef_.shape == (len(model.basis_), 2)
    B = model.design_matrix(X)
    expected, *_ = np.linalg.lstsq(B, both, rcond=None)
    assert model.coef_ == pytest.approx(expected, rel=1e-7)
    assert model.predict(X).shape == (300, 2)
    assert model.score(X, both) > 0.9


def test_knots_are_values_of_the_data():
    X, y = data(7, n=200)
    spec = earth.Earth(max_degree=2).fit(X, y).get_model_spec()
    knots = [(t["feature"], t["knot"]) for t in spec["terms"] if t["kind"] == "hinge"]
    assert knots
    assert all(knot in X[:, feature] for feature, knot in knots)

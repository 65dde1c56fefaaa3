"""The pruning methods against least squares on every subset, and what `nprune` does."""

import itertools

import numpy as np
import pytest

import pymars as earth
from pymars.errors import InvalidArgumentError, LimitExceededError

METHODS = ["backward", "none", "exhaustive", "forward", "seqrep"]


def rss_of(columns, y):
    coefficients, *_ = np.linalg.lstsq(columns, y, rcond=None)
    return float(np.sum((y - columns @ coefficients) ** 2))


def problem(seed, responses=1, n=80):
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(n, 4))
    signal = np.sin(5 * X[:, 0]) + X[:, 1] * np.maximum(0, X[:, 2] - 0.4)
    y = np.column_stack([signal + k * X[:, 3] for k in range(responses)])
    y = y + 0.2 * rng.normal(size=y.shape)
    return X, y[:, 0] if responses == 1 else y


def fitted(problem, **options):
    options = {"max_terms": 11, "max_degree": 2, "thresh": 0.0, "penalty": 2.0} | options
    return earth.Earth(**options).fit(*problem)


def sizes(model):
    return {step.n_terms: step.rss for step in model.record_.pruning}


def columns(problem):
    """Everything that the forward pass made, in order of growth."""
    return fitted(problem, pmethod="none").design_matrix(problem[0])


@pytest.mark.parametrize("responses", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_exhaustive_finds_the_best_of_all_subsets(seed, responses):
    data = problem(seed, responses)
    B = columns(data)
    found = sizes(fitted(data, pmethod="exhaustive"))
    assert set(found) == set(range(1, B.shape[1] + 1))
    for size, rss in found.items():
        subsets = itertools.combinations(range(1, B.shape[1]), size - 1)
        best = min(rss_of(B[:, [0, *subset]], data[1]) for subset in subsets)
        assert rss == pytest.approx(best, rel=1e-9)


def forward_by_least_squares(B, y):
    """Adding the best term; the first terms in order of growth count as well."""
    kept, left = [0], list(range(1, B.shape[1]))
    best = {size: rss_of(B[:, :size], y) for size in range(1, B.shape[1] + 1)}
    while left:
        rss, term = min((rss_of(B[:, [*kept, term]], y), term) for term in left)
        kept.append(term)
        left.remove(term)
        best[len(kept)] = min(best[len(kept)], rss)
    return best


@pytest.mark.parametrize("seed", range(5))
def test_forward_adds_the_best_term(seed):
    data = problem(seed)
    found = sizes(fitted(data, pmethod="forward"))
    assert found == pytest.approx(forward_by_least_squares(columns(data), data[1]), rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_sequential_replacement_cannot_be_bettered_by_dropping_one_for_another(seed):
    """It lies between a forward pass and all subsets; at two terms it is the best."""
    data = problem(seed)
    all_of = {method: sizes(fitted(data, pmethod=method)) for method in METHODS}
    for size, rss in all_of["seqrep"].items():
        assert rss >= all_of["exhaustive"][size] * (1 - 1e-12)
    assert all_of["seqrep"][2] == pytest.approx(all_of["exhaustive"][2], rel=1e-12)
    assert all_of["seqrep"][3] <= all_of["forward"][3] * (1 + 1e-12)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("nprune", [1, 2, 4, 100])
def test_nprune_bounds_the_model(method, nprune):
    data = problem(1)
    model = fitted(data, pmethod=method, nprune=nprune)
    grown = model.record_.forward[-1].n_terms
    assert len(model.basis_) <= min(nprune, grown)
    allowed = [step for step in model.record_.pruning if step.n_terms <= nprune]
    if method == "none":
        assert len(model.basis_) == min(nprune, grown)
        B = columns(data)[:, :nprune]
        assert model.rss_ == pytest.approx(rss_of(B, data[1]), rel=1e-9)
    else:
        assert model.gcv_ == pytest.approx(min(step.gcv for step in allowed), rel=1e-9)
    residual = data[1] - model.predict(data[0])
    assert model.rss_ == pytest.approx(np.sum(residual**2), rel=1e-9)


def test_an_exhaustive_search_has_a_limit_that_is_named():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(400, 10))
    y = np.sin(20 * X).sum(axis=1)
    with pytest.raises(
        LimitExceededError, match=r"the limit is 50; lower max_terms, or use .*seqrep"
    ):
        earth.Earth(pmethod="exhaustive", max_terms=101, thresh=0.0).fit(X, y)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"pmethod": "best"}, "expected one of backward, none, exhaustive, forward, seqrep"),
        ({"pmethod": None}, "pmethod is 'None'|pmethod is \"None\""),
        ({"nprune": 0}, "nprune is 0"),
        ({"nprune": 2.5}, "nprune is 2.5"),
    ],
)
def test_bad_options_are_named(options, says):
    with pytest.raises(InvalidArgumentError, match=says):
        earth.Earth(**options).fit(*problem(0))

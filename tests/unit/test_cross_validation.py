"""`pmethod="cv"`: each fold against a fit of its own, and the choice against the means."""

import numpy as np
import pytest

import pymars as earth
from pymars.errors import InvalidArgumentError, InvalidDataError
from pymars.folds import draw_folds


def problem(seed=0, n=120):
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(n, 4))
    y = np.sin(6 * X[:, 0]) + X[:, 1] * X[:, 2] + 0.3 * rng.normal(size=n)
    return X, y


@pytest.fixture(scope="module")
def fitted():
    options = {"max_degree": 2, "nfold": 4, "ncross": 2, "random_state": 3}
    return earth.Earth(pmethod="cv", **options).fit(*problem())


def test_each_fold_is_a_fit_to_the_other_rows(fitted):
    X, y = problem()
    drawn = draw_folds(y.reshape(-1, 1), 4, 2, True, 3)
    assert [(fold.cross, fold.fold) for fold in fitted.record_.folds] == [
        (cross, fold) for cross in range(2) for fold in range(4)
    ]
    for fold in fitted.record_.folds[::3]:
        out = drawn[fold.cross] == fold.fold
        chosen = earth.Earth(max_degree=2).fit(X[~out], y[~out])
        assert len(chosen.basis_) == fold.n_terms
        assert chosen.score(X[out], y[out]) == pytest.approx(fold.rsq[fold.n_terms - 1], rel=1e-9)
        assert chosen.record_.forward[-1].n_terms == len(fold.rsq)
        compared = 0
        for size, rsq in enumerate(fold.rsq, start=1):
            # Without a price for knots the largest size allowed wins, unless its last term is idle.
            model = earth.Earth(max_degree=2, nprune=size, penalty=0.0).fit(X[~out], y[~out])
            if len(model.basis_) == size:
                assert model.score(X[out], y[out]) == pytest.approx(rsq, rel=1e-9, abs=1e-12)
                compared += 1
        assert compared > len(fold.rsq) / 2


def test_the_number_of_terms_has_the_best_mean(fitted):
    X, y = problem()
    mean = np.array(fitted.record_.mean_rsq)
    assert len(mean) == fitted.record_.forward[-1].n_terms
    for size, value in enumerate(mean, start=1):
        there = [f.rsq[size - 1] for f in fitted.record_.folds if len(f.rsq) >= size]
        if 2 * len(there) >= len(fitted.record_.folds):
            assert value == pytest.approx(np.mean(there), rel=1e-12)
        else:
            assert np.isnan(value)
    assert len(fitted.basis_) == np.nanargmax(mean) + 1
    same_size = earth.Earth(max_degree=2, nprune=len(fitted.basis_), penalty=0.0).fit(X, y)
    assert np.array_equal(fitted.predict(X), same_size.predict(X))


def test_nprune_bounds_the_choice():
    X, y = problem()
    model = earth.Earth(pmethod="cv", nprune=2, random_state=0).fit(X, y)
    assert len(model.basis_) <= 2


def test_a_seed_makes_it_reproducible():
    X, y = problem()
    first, second = (earth.Earth(pmethod="cv", random_state=5).fit(X, y) for _ in range(2))
    # As text, since NaN is not equal to NaN.
    assert str(first.record_) == str(second.record_)
    assert first.export_model() == second.export_model()
    other = earth.Earth(pmethod="cv", random_state=6).fit(X, y)
    assert other.record_.folds != first.record_.folds
    assert earth.Earth().fit(X, y).record_.folds == ()


def test_weights_and_several_responses():
    X, y = problem()
    Y = np.column_stack([y, 2 * y])
    # Stratified folds are drawn once per response, and the default stop counts responses.
    options = {"pmethod": "cv", "random_state": 1, "stratify": False, "thresh": 0.001}
    one = earth.Earth(**options).fit(X, y)
    two = earth.Earth(**options).fit(X, Y)
    assert two.predict(X)[:, 1] == pytest.approx(2 * two.predict(X)[:, 0], abs=1e-9)
    assert len(two.basis_) == len(one.basis_)
    weights = np.where(np.arange(len(y)) < 100, 1.0, 0.0)
    part = earth.Earth(pmethod="cv", random_state=1).fit(X, y, sample_weight=weights)
    assert np.isfinite(part.predict(X)).all()


def test_folds_are_as_equal_as_can_be_also_within_a_class():
    y = np.zeros((103, 1))
    y[:20] = 1.0
    folds = draw_folds(y, 5, 3, True, 0)
    for groups in folds:
        assert np.bincount(groups[:20]).tolist() == [4] * 5
    plain = draw_folds(y, 5, 1, False, 0)[0]
    assert set(np.bincount(plain)) == {20, 21}
    assert len(np.unique(draw_folds(y[:3], 10, 1, True, 0))) == 3


def test_classifiers_choose_by_it_too():
    X, y = problem()
    model = earth.EarthClassifier(pmethod="cv", nfold=5, random_state=0).fit(X, y > 0.3)
    assert len(model.record_.folds) == 5
    assert len(model.basis_) == np.nanargmax(model.record_.mean_rsq) + 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"nfold": 1}, "nfold is 1"),
        ({"nfold": 2.5}, "nfold is 2.5"),
        ({"ncross": 0}, "ncross 0"),
        ({"ncross": 1001}, "at most 1000"),
    ],
)
def test_bad_options_are_named(options, says):
    with pytest.raises(InvalidArgumentError, match=says):
        earth.Earth(pmethod="cv", **options).fit(*problem())


def test_a_fold_that_cannot_be_fitted_is_named():
    X, y = problem()
    y = np.zeros_like(y)
    y[0] = 1.0
    with pytest.raises(InvalidDataError, match=r"fold \d+ of 1 .*constant.*stratify"):
        earth.Earth(pmethod="cv", random_state=0).fit(X, y)

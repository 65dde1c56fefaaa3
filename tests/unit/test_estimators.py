"""Classes and generalised linear models under scikit-learn's conventions, and bad input."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import pymars as earth
from pymars.errors import InvalidArgumentError, InvalidDataError, ShapeMismatchError

NEGATIVE = {"check_regressor_multioutput": "its responses are negative, which no count is"}


@pytest.mark.parametrize(
    ("estimator", "departs"),
    [
        (earth.Earth(allow_missing=True), {}),
        (earth.EarthRegressor(), {}),
        (earth.EarthClassifier(), {}),
        (earth.EarthClassifier(max_degree=2, allow_missing=True), {}),
        (earth.GLMEarth(), {}),
        (earth.GLMEarth(allow_missing=True), {}),
        (earth.GLMEarth(family="poisson"), NEGATIVE),
        (earth.GLMEarth(family="gamma", link="log"), NEGATIVE),
        (earth.GLMEarth(family="gamma"), NEGATIVE),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scikit_learns_own_checks(estimator, departs):
    found = check_estimator(estimator, expected_failed_checks=departs, on_fail=None)
    failed = {r["check_name"]: repr(r["exception"]) for r in found if r["status"] == "failed"}
    assert not failed
    assert len(found) > 40


@pytest.fixture(scope="module")
def two():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(400, 3))
    odds = 6 * np.abs(X[:, 0] - 0.5) - 3 * X[:, 1]
    y = np.where(rng.uniform(size=400) < 1 / (1 + np.exp(-odds)), "yes", "no")
    return X, y


def test_two_classes(two):
    X, y = two
    model = earth.EarthClassifier().fit(X, y)
    assert list(model.classes_) == ["no", "yes"]
    p = model.predict_proba(X)
    assert p.shape == (400, 2)
    assert p.sum(axis=1) == pytest.approx(np.ones(400))
    assert p[:, 1] == pytest.approx(1 / (1 + np.exp(-model.decision_function(X))), rel=1e-12)
    assert np.array_equal(model.predict(X), model.classes_[p.argmax(axis=1)])
    assert np.exp(model.predict_log_proba(X)) == pytest.approx(p)
    # Maximum likelihood balances each term: B'(y - p) = 0.
    imbalance = model.design_matrix(X).T @ ((y == "yes") - p[:, 1])
    assert imbalance == pytest.approx(np.zeros(len(model.basis_)), abs=1e-6)
    straight = LogisticRegression().fit(X, y)
    assert model.score(X, y) > straight.score(X, y)
    assert 0 < model.deviance_ < model.null_deviance_
    (went,) = model.link_fits_
    assert went.outcome == "converged"
    assert went.deviance_ratio == pytest.approx(1 - model.deviance_ / model.null_deviance_)


def test_more_classes():
    rng = np.random.default_rng(4)
    X = rng.uniform(size=(400, 3))
    y = np.digitize(X[:, 0] + X[:, 1] + 0.4 * rng.normal(size=400), [0.7, 1.3])
    labels = np.array(["a", "b", "c"])[y]
    model = earth.EarthClassifier().fit(X, labels)
    p = model.predict_proba(X)
    assert p.shape == (400, 3)
    assert p.sum(axis=1) == pytest.approx(np.ones(400))
    scores = model.decision_function(X)
    assert p == pytest.approx(np.exp(scores) / np.exp(scores).sum(axis=1)[:, None], rel=1e-12)
    imbalance = model.design_matrix(X).T @ (np.eye(3)[y] - p)
    assert imbalance == pytest.approx(np.zeros_like(imbalance), abs=1e-6)
    assert model.score(X, labels) > 0.6
    # A stored model gives the probabilities; it does not know the labels.
    assert np.array_equal(earth.predict(model.export_model(), X), p)
    with pytest.raises(InvalidArgumentError, match="labels"):
        earth.EarthClassifier.from_model(model)


@pytest.mark.parametrize("labels", [[0, 1], [True, False], [-1.0, 3.0], ["", "b"], ["u", "v", ""]])
def test_labels_of_any_kind(labels):
    rng = np.random.default_rng(1)
    X = rng.uniform(size=(200, 2))
    noisy = np.clip(X[:, 0] + 0.25 * rng.normal(size=200), 0, 0.999)
    y = np.array(labels)[(noisy * len(labels)).astype(int)]
    model = earth.EarthClassifier().fit(X, y)
    assert set(model.predict(X)) <= set(labels)
    assert model.classes_.dtype == y.dtype
    assert model.score(X, y) > 0.6


def test_weights_count_as_repeated_rows_in_the_link(two):
    X, y = two
    weights = np.random.default_rng(2).integers(0, 3, size=400)
    model = earth.EarthClassifier(nprune=1).fit(X, y, sample_weight=weights)
    share = weights[y == "yes"].sum() / weights.sum()
    assert model.predict_proba(X)[:, 1] == pytest.approx(np.full(400, share), rel=1e-9)


def test_a_separated_class_is_said_and_stays_finite():
    X = np.linspace(0, 1, 200).reshape(-1, 1)
    with pytest.warns(ConvergenceWarning, match="separation.*lower max_terms"):
        model = earth.EarthClassifier().fit(X, X[:, 0] > 0.5)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.decision_function(X)).all()
    assert model.score(X, X[:, 0] > 0.5) == 1.0
    assert model.link_fits_[0].outcome == "separated"
    three = np.digitize(X[:, 0], [0.3, 0.6])
    with pytest.warns(ConvergenceWarning, match="separation"):
        model = earth.EarthClassifier().fit(X, three)
    assert np.isfinite(model.predict_proba(X)).all()
    assert model.score(X, three) > 0.98


def test_a_fit_that_converges_warns_of_nothing(two):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        earth.EarthClassifier().fit(*two)


@pytest.mark.parametrize(
    ("family", "link", "mean"),
    [
        ("binomial", "logit", lambda eta: 1 / (1 + np.exp(-eta))),
        ("binomial", "cloglog", lambda eta: 1 - np.exp(-np.exp(eta))),
        ("poisson", "log", np.exp),
        ("gamma", "inverse", lambda eta: 1 / eta),
        ("gamma", "log", np.exp),
    ],
)
def test_means_and_linear_predictors(family, link, mean):
    rng = np.random.default_rng(3)
    X = rng.uniform(size=(300, 2))
    signal = 0.5 + np.abs(X[:, 0] - 0.4) + 0.3 * X[:, 1]
    y = {
        "binomial": lambda: (rng.uniform(size=300) < signal / 2).astype(float),
        "poisson": lambda: rng.poisson(4 * signal),
        "gamma": lambda: rng.gamma(5, signal / 5),
    }[family]()
    model = earth.GLMEarth(family=family, link=link, max_terms=9).fit(X, y)
    assert model.export_model().link == link
    assert model.predict(X) == pytest.approx(mean(model.linear_predictor(X)), rel=1e-12)
    assert np.corrcoef(model.predict(X), signal)[0, 1] > 0.7
    assert 0 < model.deviance_ < model.null_deviance_
    default = earth.GLMEarth(family=family, max_terms=9).fit(X, y)
    assert default.export_model().link == {"binomial": "logit", "poisson": "log"}.get(
        family, "inverse"
    )
    both = earth.GLMEarth(family=family, link=link, max_terms=9).fit(X, np.column_stack([y, y]))
    assert both.predict(X).shape == (300, 2)
    assert len(both.link_fits_) == 2
    again = earth.GLMEarth.from_model(model)
    assert np.array_equal(again.predict(X), model.predict(X))


def test_a_summary_names_the_link(two):
    X, y = two
    model = earth.EarthClassifier().fit(X, y)
    assert model.summary().splitlines()[-1].startswith("link logit  deviance ")
    assert "link" not in earth.GLMEarth().fit(X, X[:, 0]).summary()


def test_gaussian_is_earth(two):
    X, _ = two
    y = X[:, 0] ** 2
    model = earth.GLMEarth().fit(X, y)
    assert model.export_model() == earth.Earth().fit(X, y).export_model()
    assert model.deviance_ == model.rss_
    assert model.null_deviance_ == pytest.approx(np.sum((y - y.mean()) ** 2))


X_GOOD = np.random.default_rng(5).uniform(size=(60, 2))
Y_GOOD = np.round(5 * X_GOOD[:, 0])


@pytest.mark.parametrize(
    ("options", "y", "kind", "says"),
    [
        ({"family": "normal"}, Y_GOOD, InvalidArgumentError, "family is .normal.; expected one of"),
        ({"family": "poisson", "link": "logit"}, Y_GOOD, InvalidArgumentError, "takes log"),
        ({"family": "gaussian", "link": "log"}, Y_GOOD, InvalidArgumentError, "gaussian takes"),
        ({"family": "multinomial"}, Y_GOOD, InvalidArgumentError, "use EarthClassifier"),
        ({"family": "binomial"}, Y_GOOD, InvalidDataError, "lies from 0 to 1"),
        ({"family": "poisson"}, Y_GOOD - 1, InvalidDataError, "a count is 0 or more"),
        ({"family": "gamma"}, Y_GOOD, InvalidDataError, "is above 0"),
    ],
)
def test_bad_families_and_responses_are_named(options, y, kind, says):
    model = earth.GLMEarth(**options)
    with pytest.raises(kind, match=says):
        model.fit(X_GOOD, y)
    assert not hasattr(model, "model_")


@pytest.mark.parametrize(
    ("y", "weights", "kind", "says"),
    [
        (None, None, ValueError, "None"),
        (np.ones(60), None, InvalidDataError, r"1 class\(es\)"),
        (np.arange(59) % 2, None, ShapeMismatchError, "59"),
        (np.linspace(0, 1, 60), None, ValueError, "Unknown label type"),
        (np.where(np.arange(60) == 3, np.nan, np.arange(60) % 2), None, ValueError, "NaN"),
        (np.arange(60) % 2, np.arange(60) % 2, InvalidDataError, r"1 class\(es\)"),
        (np.arange(60) % 2, np.zeros(60), InvalidDataError, "zero"),
        (np.arange(60) % 2, -np.ones(60), InvalidDataError, "negative"),
    ],
)
def test_bad_labels_are_one_clear_error(y, weights, kind, says):
    model = earth.EarthClassifier()
    with pytest.raises(kind, match=says):
        model.fit(X_GOOD, y, sample_weight=weights)
    assert not hasattr(model, "classes_")


def test_life_with_scikit_learn(two):
    X, y = two
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    assert is_classifier(earth.EarthClassifier())
    assert not is_regressor(earth.EarthClassifier())
    assert is_regressor(earth.GLMEarth())
    model = make_pipeline(StandardScaler().set_output(transform="pandas"), earth.EarthClassifier())
    assert cross_val_score(model, frame, y, cv=3).mean() > 0.6
    search = GridSearchCV(model, {"earthclassifier__max_degree": [1, 2]}, cv=3).fit(frame, y)
    assert search.best_params_
    assert list(model.fit(frame, y)[-1].feature_names_in_) == ["a", "b", "c"]
    restored = pickle.loads(pickle.dumps(model))
    assert np.array_equal(restored.predict_proba(frame), model.predict_proba(frame))
    options = earth.GLMEarth(family="poisson", max_degree=2, nprune=4)
    assert clone(options).get_params() == options.get_params()
    assert options.get_params()["max_degree"] == 2
    assert "max_terms" in earth.EarthClassifier().get_params()
    with pytest.raises(TypeError, match="colour"):
        earth.EarthClassifier(colour="red")
    with pytest.raises(NotFittedError):
        earth.EarthClassifier().predict_proba(X)

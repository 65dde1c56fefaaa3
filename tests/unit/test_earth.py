"""The estimator: inputs by kind, scikit-learn's conventions, bad input."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, make_friedman1
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import pymars as earth
from pymars.errors import (
    InvalidArgumentError,
    InvalidDataError,
    InvalidDtypeError,
    InvalidValueError,
    MissingValueError,
    ShapeMismatchError,
    UnknownColumnError,
)

NAMES = ["age", "dose", "weight"]


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(3)
    X = rng.uniform(size=(150, 3))
    return X, np.abs(X[:, 0] - 0.4) * 4 + X[:, 1]


@pytest.fixture(scope="module")
def fitted(table):
    X, y = table
    return earth.Earth().fit(pd.DataFrame(X, columns=NAMES), y)


FRAMES = {
    "pandas": lambda X: pd.DataFrame(X, columns=NAMES),
    "polars": lambda X: pl.DataFrame(dict(zip(NAMES, X.T, strict=True))),
    "arrow": lambda X: pa.table(dict(zip(NAMES, X.T, strict=True))),
    "dict": lambda X: dict(zip(NAMES, X.T, strict=True)),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_tables_are_read_by_name(kind, table, fitted):
    X, y = table
    frame = FRAMES[kind](X)
    model = earth.Earth().fit(frame, y)
    assert model.export_model() == fitted.export_model()
    assert list(model.feature_names_in_) == NAMES
    expected = fitted.predict(pd.DataFrame(X, columns=NAMES))
    assert np.array_equal(model.predict(frame), expected)
    turned = {name: X[:, j] for j, name in reversed(list(enumerate(NAMES)))} | {"extra": X[:, 0]}
    assert np.array_equal(earth.predict(model, pd.DataFrame(turned)), expected)


@pytest.mark.parametrize("kind", FRAMES)
def test_a_missing_column_is_named_with_the_nearest(kind, table, fitted):
    X, _ = table
    frame = dict(zip(["age", "doze", "weight"], X.T, strict=True))
    make = {"pandas": pd.DataFrame, "polars": pl.DataFrame, "arrow": pa.table, "dict": dict}[kind]
    with pytest.raises(UnknownColumnError, match=r"'dose' \(is 'doze' meant\?\)"):
        fitted.predict(make(frame))


@pytest.mark.parametrize(
    "change",
    [
        np.asfortranarray,
        lambda X: X.tolist(),
        lambda X: np.repeat(X, 2, axis=0)[::2],
        lambda X: X[::-1][::-1],
        lambda X: X.astype(">f8"),
        lambda X: X.astype(object),
        pytest.param(lambda X: X.view(np.ndarray), id="view"),
    ],
)
def test_arrays_of_any_layout(change, table):
    X, y = table
    plain = earth.Earth().fit(X, y)
    other = earth.Earth().fit(change(X), y)
    assert other.export_model() == plain.export_model()
    assert np.array_equal(other.predict(change(X)), plain.predict(X))


def test_inputs_are_not_changed_and_may_be_read_only(table):
    X, y = (array.copy() for array in table)
    X.flags.writeable = y.flags.writeable = False
    before = X.copy(), y.copy()
    model = earth.Earth(allow_missing=True).fit(X, y)
    model.predict(X)
    assert np.array_equal(X, before[0])
    assert np.array_equal(y, before[1])


def test_categories_are_read_by_label():
    rng = np.random.default_rng(0)
    labels = rng.choice(["low", "mid", "high"], size=200)
    X = pd.DataFrame({"x": rng.uniform(size=200), "group": pd.Categorical(labels)})
    y = X["x"] + 2.0 * (labels == "mid")
    model = earth.Earth().fit(X, y)
    assert model.score(X, y) > 0.999
    assert any("group in {mid}" in str(term) for term in model.basis_)
    # Other codes for the same labels: the labels count.
    other = X.assign(group=pd.Categorical(labels, categories=["mid", "high", "low", "none"]))
    assert np.array_equal(model.predict(other), model.predict(X))
    frame = pl.DataFrame({"x": X["x"].to_numpy(), "group": labels}).with_columns(
        pl.col("group").cast(pl.Enum(["low", "mid", "high"]))
    )
    assert np.array_equal(model.predict(frame), model.predict(X))
    arrow = pa.table({"x": X["x"].to_numpy(), "group": pa.array(labels).dictionary_encode()})
    assert np.array_equal(model.predict(arrow), model.predict(X))
    with pytest.raises(InvalidValueError, match="'huge', which the model does not know"):
        model.predict(X.assign(group=pd.Categorical(["huge"] * 200)))


def test_missing_values_need_leave():
    rng = np.random.default_rng(1)
    X = rng.uniform(size=(200, 2))
    y = X[:, 0].copy()
    X[:50, 0] = np.nan
    y[:50] = 7.0
    with pytest.raises(MissingValueError, match=r"row 0 has no value \(NaN\)"):
        earth.Earth().fit(X, y)
    model = earth.Earth(allow_missing=True).fit(X, y)
    assert model.score(X, y) > 0.99
    assert any(str(term) == "missing(x0)" for term in model.basis_)
    strict = earth.Earth().fit(X[50:], y[50:])
    with pytest.raises(MissingValueError, match="row 0"):
        strict.predict(X)
    nullable = pd.DataFrame({"a": pd.array([1, None, 3] * 20, dtype="Int64")})
    assert earth.Earth(allow_missing=True).fit(nullable, np.arange(60.0)).n_features_in_ == 1


X_GOOD = np.random.default_rng(5).uniform(size=(30, 2))
Y_GOOD = X_GOOD[:, 0] ** 2
BAD_FITS = {
    "empty": (np.empty((0, 2)), np.empty(0), InvalidDataError, "empty"),
    "no columns": (np.empty((30, 0)), Y_GOOD, InvalidDataError, "empty"),
    "one row": (X_GOOD[:1], Y_GOOD[:1], InvalidDataError, "at least 2"),
    "constant y": (X_GOOD, np.ones(30), InvalidDataError, "constant"),
    "y too short": (X_GOOD, Y_GOOD[:29], ShapeMismatchError, "29"),
    "y of text": (X_GOOD, ["a"] * 30, InvalidDataError, "not numbers"),
    "y missing": (X_GOOD, np.where(np.arange(30) == 4, np.nan, Y_GOOD), MissingValueError, "row 4"),
    "y infinite": (X_GOOD, np.where(np.arange(30) == 4, np.inf, Y_GOOD), InvalidDataError, "row 4"),
    "y none": (X_GOOD, None, InvalidDataError, "None"),
    "one dimension": (X_GOOD[:, 0], Y_GOOD, ShapeMismatchError, "reshape"),
    "three dimensions": (X_GOOD[None], Y_GOOD, ShapeMismatchError, "3D"),
    "infinite": (np.where(X_GOOD > 0.9, np.inf, X_GOOD), Y_GOOD, InvalidDataError, "inf"),
    "huge": (X_GOOD * 1e200, Y_GOOD, InvalidDataError, "1e100"),
    "objects": (np.array([["a", 1]] * 30, dtype=object), Y_GOOD, InvalidDtypeError, "object"),
    "text": (np.array([["a", "b"]] * 30), Y_GOOD, InvalidDtypeError, "dtype"),
    "complex": (X_GOOD * 1j, Y_GOOD, InvalidDtypeError, "Complex"),
    "text column": (
        pd.DataFrame({"a": ["u"] * 30}),
        Y_GOOD,
        InvalidDtypeError,
        "'a' holds text",
    ),
    "ragged": ([[1.0], [1.0, 2.0]], [1.0, 2.0], ShapeMismatchError, "not a table"),
    "no value at all": (np.full((30, 1), np.nan), Y_GOOD, MissingValueError, "row 0"),
}


@pytest.mark.parametrize("name", BAD_FITS)
def test_bad_data_are_one_clear_error(name):
    X, y, kind, says = BAD_FITS[name]
    model = earth.Earth()
    with pytest.raises(kind, match=says) as caught:
        model.fit(X, y)
    assert isinstance(caught.value, ValueError)
    assert not hasattr(model, "model_"), "a failed fit leaves nothing behind"


def test_a_failed_fit_keeps_the_model_before():
    model = earth.Earth().fit(X_GOOD, Y_GOOD)
    before = model.predict(X_GOOD)
    with pytest.raises(InvalidDataError):
        model.fit(X_GOOD, np.ones(30))
    assert np.array_equal(model.predict(X_GOOD), before)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"max_degree": 0}, "max_degree is 0"),
        ({"max_degree": 1.5}, "max_degree is 1.5"),
        ({"max_degree": True}, "max_degree is True"),
        ({"max_terms": 0}, "max_terms is 0"),
        ({"max_terms": -3}, "max_terms is -3"),
        ({"max_terms": 10**30}, "max_terms is 1000"),
        ({"penalty": -0.5}, "penalty is -0.5"),
        ({"penalty": "low"}, "penalty is 'low'"),
        ({"penalty": float("nan")}, "penalty is NaN"),
        ({"thresh": 1}, "thresh is 1"),
        ({"minspan": 1.5}, "minspan is 1.5"),
        ({"minspan": 31}, "minspan is 31, X has 30 rows"),
        ({"endspan": -1}, "endspan is negative"),
        ({"endspan": 1.0}, "endspan is 1.0"),
        ({"adjust_endspan": 11}, "adjust_endspan is 11"),
        ({"newvar_penalty": -0.1}, "newvar_penalty is -0.1"),
        ({"fast_k": -1}, "fast_k is -1"),
        ({"fast_k": 5}, "fast_k is for R.s rules"),
        ({"fast_beta": float("inf")}, "fast_beta is inf"),
        ({"linpreds": 2}, "linpreds holds 2"),
        ({"linpreds": 1.5}, "linpreds is 1.5"),
        ({"auto_linpreds": "yes"}, "auto_linpreds is 'yes'"),
        ({"scale_y": 2}, "scale_y is 2"),
        ({"compat": "mda"}, "compat is 'mda'"),
        ({"allowed": "x0"}, "allowed is 'x0'"),
        ({"allowed": ["x0"]}, "allowed holds 'x0'"),
        ({"allowed": lambda degree: True}, "allowed takes 1 arguments"),
        ({"allowed": lambda *_: None}, "allowed returned None"),
    ],
)
def test_bad_options_are_named(options, says):
    with pytest.raises(InvalidArgumentError, match=says):
        earth.Earth(**options).fit(X_GOOD, Y_GOOD)


@pytest.mark.parametrize(
    ("weights", "kind"),
    [
        (np.full(30, -1.0), InvalidDataError),
        (np.zeros(30), InvalidDataError),
        (np.full(30, np.nan), InvalidDataError),
        (np.ones(29), ShapeMismatchError),
        (np.ones((30, 2)), ShapeMismatchError),
        (["a"] * 30, InvalidDataError),
    ],
)
def test_bad_weights_are_one_clear_error(weights, kind):
    with pytest.raises(kind):
        earth.Earth().fit(X_GOOD, Y_GOOD, sample_weight=weights)


def test_predict_checks_its_rows(fitted):
    model = earth.Earth().fit(X_GOOD, Y_GOOD)
    with pytest.raises(ShapeMismatchError, match="expecting 2 features"):
        model.predict(np.ones((3, 5)))
    with pytest.raises(ShapeMismatchError, match="2 features"):
        earth.predict(model, np.ones((3, 5)))
    with pytest.raises(NotFittedError):
        earth.Earth().predict(X_GOOD)
    with pytest.raises(NotFittedError):
        earth.save_model(earth.Earth(), "never.json")
    assert model.predict(np.empty((0, 2))).shape == (0,)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8])
def test_few_rows(n):
    rng = np.random.default_rng(n)
    X, y = rng.normal(size=(n, 3)), rng.normal(size=n)
    model = earth.Earth(max_degree=2).fit(X, y)
    assert np.isfinite(model.predict(X)).all()


def test_more_columns_than_rows():
    rng = np.random.default_rng(8)
    X, y = rng.normal(size=(20, 60)), rng.normal(size=20)
    assert np.isfinite(earth.Earth(max_degree=2).fit(X, y).predict(X)).all()


def test_constant_and_duplicated_columns_do_no_harm():
    X = np.c_[X_GOOD, np.ones(30), X_GOOD[:, 0]]
    model = earth.Earth().fit(X, Y_GOOD)
    assert model.score(X, Y_GOOD) > 0.99
    used = {term["feature"] for term in model.get_model_spec()["terms"] if "feature" in term}
    assert used <= {0, 1}, "neither the constant nor the second copy is needed"


def test_a_stored_model_makes_an_estimator(tmp_path, fitted, table):
    X = pd.DataFrame(table[0], columns=NAMES)
    path = earth.save_model(fitted, tmp_path / "model.json")
    again = earth.Earth.from_model(path)
    assert np.array_equal(again.predict(X), fitted.predict(X))
    assert again.gcv_ == fitted.gcv_
    assert again.get_params()["penalty"] == 3.0
    assert again.get_model_spec() == fitted.get_model_spec()
    assert "GCV" in again.summary()


def test_an_estimator_wants_columns_as_they_were_in_fit_and_a_model_finds_them(fitted, table):
    X = pd.DataFrame(table[0], columns=NAMES)
    other = X[NAMES[::-1]]
    with pytest.raises(ValueError, match=r"same order.*\n.*feature_names_in_"):
        fitted.predict(other)
    expected = fitted.predict(X)
    assert np.array_equal(fitted.predict(other[fitted.feature_names_in_]), expected)
    assert np.array_equal(earth.predict(fitted.export_model(), other), expected)
    assert np.array_equal(fitted.predict(X.assign(more=1.0)), expected)
    with pytest.raises(UnknownColumnError, match=r"now missing:\n- dose\n; 'dose' \(is 'doze'"):
        fitted.predict(X.rename(columns={"dose": "doze"}))


def test_scikit_learn_takes_it(table):
    X, y = table
    model = clone(earth.EarthRegressor(max_degree=2)).fit(X, y)
    again = pickle.loads(pickle.dumps(model))
    assert np.array_equal(again.predict(X), model.predict(X))
    pipeline = make_pipeline(StandardScaler(), earth.EarthRegressor()).fit(X, y)
    assert pipeline.score(X, y) > 0.99
    search = GridSearchCV(earth.Earth(), {"penalty": [2.0, 3.0]}, cv=3, n_jobs=2).fit(X, y)
    assert search.best_score_ > 0.9


@pytest.mark.parametrize("estimator", [earth.Earth(), earth.EarthRegressor(max_degree=2)])
def test_scikit_learns_own_checks(estimator):
    found = check_estimator(estimator, on_fail=None)
    failed = {r["check_name"]: repr(r["exception"]) for r in found if r["status"] == "failed"}
    assert not failed
    assert len(found) > 40


def test_real_and_simulated_data_reach_the_known_quality():
    X, y = load_diabetes(return_X_y=True)
    held_out = np.arange(len(y)) % 4 == 0
    model = earth.Earth().fit(X[~held_out], y[~held_out])
    assert model.score(X[held_out], y[held_out]) > 0.4
    train = make_friedman1(2000, 10, noise=1.0, random_state=1)
    test = make_friedman1(2000, 10, noise=1.0, random_state=2)
    assert earth.Earth(max_degree=2).fit(*train).score(*test) > 0.94


def test_a_progress_bar_is_shown_on_demand(capfd, table):
    earth.Earth(verbose=True).fit(*table)
    shown = capfd.readouterr()
    assert "growing terms" in shown.err
    assert shown.out == ""
    earth.Earth().fit(*table)
    assert capfd.readouterr().err == ""


def test_summary_names_terms_and_figures(fitted):
    text = fitted.summary()
    assert "(Intercept)" in text
    assert "h(age-" in text
    assert f"GCV {fitted.gcv_:.6g}" in text

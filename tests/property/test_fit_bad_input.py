"""Whatever the rows hold, a fit ends with a model that is right or with one clear error."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

import pymars
from pymars.errors import EarthError, InvalidDataError, MissingValueError

COLUMNS = ["plain", "constant", "duplicate", "tied", "missing", "all missing", "infinite", "huge"]


@st.composite
def odd_tables(draw, columns=COLUMNS, least=1):
    """A table whose columns are each of some odd kind, responses, and weights or none."""
    n = draw(st.integers(least, 40))
    kinds = draw(st.lists(st.sampled_from(columns), min_size=1, max_size=6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.normal(size=(n, len(kinds))) * 10.0 ** draw(st.integers(-6, 6))
    for j, kind in enumerate(kinds):
        if kind == "constant":
            X[:, j] = 3.0
        elif kind == "duplicate":
            X[:, j] = X[:, 0]
        elif kind == "tied":
            X[:, j] = rng.integers(0, 3, size=n)
        elif kind == "missing":
            X[rng.uniform(size=n) < 0.3, j] = np.nan
        elif kind == "all missing":
            X[:, j] = np.nan
        elif kind == "infinite":
            X[rng.integers(n), j] = draw(st.sampled_from([np.inf, -np.inf]))
        elif kind == "huge":
            X[:, j] *= 1e90
    y = rng.normal(size=n)
    return X, y, kinds


def holds(model, X, y, weights=None):
    """What is true of every model: finite predictions, and figures that are those of the rows."""
    kept = np.ones(len(y)) if weights is None else weights
    found = model.predict(X)
    assert np.isfinite(found[kept > 0]).all()
    residual = np.sum(kept * (y - found) ** 2)
    mean = np.average(y, weights=kept)
    total = np.sum(kept * (y - mean) ** 2)
    assert residual == pytest.approx(model.rss_, rel=1e-6, abs=1e-8 * total)
    assert residual <= total * (1 + 1e-8)


@given(odd_tables(), st.integers(1, 3), st.booleans())
def test_odd_columns_give_a_true_model_or_one_error(table, degree, allow_missing):
    X, y, kinds = table
    model = pymars.Earth(max_degree=degree, allow_missing=allow_missing)
    try:
        model.fit(X, y)
    except EarthError as error:
        assert isinstance(error, ValueError)
        assert len(str(error)) > 20
        bad = {"missing", "all missing", "infinite"} & set(kinds)
        assert bad or len(y) < 2, f"{kinds}: {error}"
        assert not hasattr(model, "model_")
        if isinstance(error, MissingValueError):
            assert not allow_missing
    else:
        assert not {"infinite", "all missing"} & set(kinds)
        holds(model, X, y)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_a_handful_of_rows(n, p, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, p)), rng.normal(size=n)
    if n == 1:
        with pytest.raises(InvalidDataError, match="at least 2"):
            pymars.Earth().fit(X, y)
        return
    for method in ("backward", "none", "exhaustive", "forward", "seqrep"):
        holds(pymars.Earth(max_degree=2, pmethod=method).fit(X, y), X, y)


@given(odd_tables(columns=["plain", "tied"], least=2), st.data())
def test_weights_of_zero_leave_rows_out_and_negative_ones_are_refused(table, data):
    X, y, _ = table
    weights = np.array(data.draw(st.lists(st.sampled_from([-1.0, 0.0, 0.0, 0.5, 1.0, 2.0]),
                                          min_size=len(y), max_size=len(y))))  # fmt: skip
    model = pymars.Earth()
    kept = weights > 0
    if (weights < 0).any() or kept.sum() < 2:
        with pytest.raises(InvalidDataError, match="weight"):
            model.fit(X, y, sample_weight=weights)
        return
    model.fit(X, y, sample_weight=weights)
    holds(model, X, y, weights)
    alone = pymars.Earth().fit(X[kept], y[kept], sample_weight=weights[kept])
    assert model.export_model() == alone.export_model()


@given(odd_tables(columns=["plain"], least=2), st.data())
def test_a_response_that_is_no_number_names_its_row(table, data):
    X, y, _ = table
    row = data.draw(st.integers(0, len(y) - 1))
    y[row] = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    with pytest.raises((MissingValueError, InvalidDataError), match=f"row {row} "):
        pymars.Earth().fit(X, y)


@given(st.integers(2, 12), st.integers(15, 60), st.integers(1, 2), st.integers(0, 2**32 - 1))
def test_more_columns_than_rows(n, p, degree, seed):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, p)), rng.normal(size=n)
    holds(pymars.Earth(max_degree=degree, max_terms=21).fit(X, y), X, y)


@settings(max_examples=30)
@given(st.integers(5, 60), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_pure_noise_ends_soon(n, p, seed):
    """Small noisy data once kept a forward pass going for ever (py-earth, issue 44)."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, p)), rng.normal(size=n)
    for thresh in (None, 0.0, 0.001):
        model = pymars.Earth(max_degree=3, max_terms=101, thresh=thresh, minspan=1, endspan=1)
        model.fit(X, y)
        assert len(model.record_.forward) <= 51
        holds(model, X, y)


@given(odd_tables(columns=["plain", "constant", "duplicate", "tied"]),
       st.integers(1, 4))  # fmt: skip
def test_classes_give_probabilities_or_one_error(table, classes):
    X, y, _ = table
    labels = np.digitize(y, np.linspace(-1, 1, classes)[1:])
    model = pymars.EarthClassifier(max_degree=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            model.fit(X, labels)
        except EarthError:
            assert len(np.unique(labels)) < 2 or len(labels) < 2
            return
    p = model.predict_proba(X)
    assert p.shape == (len(y), len(np.unique(labels)))
    assert p.sum(axis=1) == pytest.approx(np.ones(len(y)))
    assert (p >= 0).all()
    assert set(model.predict(X)) <= set(labels)
    assert model.deviance_ <= model.null_deviance_ * (1 + 1e-9) + 1e-9


@given(odd_tables(columns=["plain", "constant", "duplicate", "tied"], least=2),
       st.sampled_from([("binomial", "logit"), ("binomial", "cloglog"), ("poisson", "log"),
                        ("gamma", "log"), ("gamma", "inverse")]))  # fmt: skip
def test_families_give_finite_models(table, family):
    X, y, _ = table
    y = {
        "binomial": lambda: (y > 0).astype(float),
        "poisson": lambda: np.floor(np.exp(y)),
        "gamma": lambda: np.exp(2 * y),
    }[family[0]]()
    model = pymars.GLMEarth(family=family[0], link=family[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            model.fit(X, y)
        except InvalidDataError as error:
            assert "constant" in str(error)
            return
    found = model.predict(X)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(found).all()
    assert (found >= 0).all()
    assert model.deviance_ <= model.null_deviance_ * (1 + 1e-9) + 1e-9

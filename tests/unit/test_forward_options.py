"""The options of the forward pass do what their names say, with R's rules and with ours."""

import itertools

import numpy as np
import pytest

import pymars as earth
from pymars.errors import InvalidArgumentError, UnknownColumnError

BOTH = pytest.mark.parametrize("compat", [None, "earth"])


def data(seed=5, n=300, p=4):
    random = np.random.default_rng(seed)
    X = random.uniform(-1, 1, (n, p))
    y = 3 * X[:, 0] * X[:, 1] + np.abs(X[:, 2]) + X[:, 3] + 0.1 * random.normal(size=n)
    return X, y


def features(model):
    """Sets of features of the terms."""
    return [{f.split("-")[-1].strip("h()") for f in map(name_of, t.factors)} for t in model.basis_]


def name_of(factor):
    return next(
        part
        for part in factor.replace("(", "-").replace(")", "-").replace("+", "-").split("-")
        if part.startswith("x")
    )


@BOTH
def test_groups_say_which_features_may_meet(compat):
    X, y = data()
    free = earth.Earth(max_degree=2, compat=compat).fit(X, y)
    assert {"x0", "x1"} in features(free)
    kept = earth.Earth(max_degree=2, allowed=[["x0", 2], {"x3"}], compat=compat).fit(X, y)
    pairs = [term for term in features(kept) if len(term) == 2]
    assert all(pair == {"x0", "x2"} for pair in pairs)
    assert {"x3"} in features(kept)


@BOTH
def test_a_function_is_asked(compat):
    X, y = data()
    asked = []

    def allowed(degree, pred, parents, names, first):
        asked.append((degree, pred, tuple(parents), first))
        assert names == ["x0", "x1", "x2", "x3"]
        return degree == 1 or pred != 1

    model = earth.Earth(max_degree=2, allowed=allowed, compat=compat).fit(X, y)
    assert asked[0] == (1, 0, (0, 0, 0, 0), True)
    assert [first for *_, first in asked].count(True) == 1
    assert {2, 1} == {degree for degree, *_ in asked}
    for degree, pred, parents, _ in asked:
        assert degree == 1 + np.count_nonzero(parents)
        assert parents[pred] == 0
        assert set(parents) <= {-1, 0, 1, 2}
    for term in model.basis_:
        assert not (term.degree == 2 and "x1" in name_of(term.factors[1]))


@BOTH
def test_what_the_function_raises_comes_out_and_changes_nothing(compat):
    X, y = data()
    model = earth.Earth(max_degree=2, compat=compat).fit(X, y)
    before = model.predict(X)

    class OddError(Exception):
        pass

    def allowed(degree, pred, parents):
        if degree == 2:
            raise OddError("no")
        return True

    model.set_params(allowed=allowed)
    with pytest.raises(OddError, match="no"):
        model.fit(X, y)
    assert np.array_equal(model.predict(X), before)


@BOTH
def test_linear_features_have_no_knots(compat):
    X, y = data()
    model = earth.Earth(linpreds=["x2", 3], compat=compat).fit(X, y)
    for term in model.basis_:
        assert not any(f.startswith("h(") and name_of(f) in {"x2", "x3"} for f in term.factors)
    assert any("x3" in term.factors for term in model.basis_)
    with pytest.raises(UnknownColumnError, match="linpreds names 'age'"):
        earth.Earth(linpreds="age").fit(X, y)


@BOTH
def test_true_or_a_flag_per_feature_says_which_are_linear(compat):
    X, y = data()
    p = X.shape[1]
    every = earth.Earth(linpreds=list(range(p)), compat=compat).fit(X, y)
    assert earth.Earth(linpreds=True, compat=compat).fit(X, y).basis_ == every.basis_
    assert not any(factor.startswith("h(") for term in every.basis_ for factor in term.factors)
    some = earth.Earth(linpreds=[2], compat=compat).fit(X, y)
    flags = np.arange(p) == 2
    assert earth.Earth(linpreds=flags, compat=compat).fit(X, y).basis_ == some.basis_
    none = earth.Earth(compat=compat).fit(X, y)
    assert earth.Earth(linpreds=False, compat=compat).fit(X, y).basis_ == none.basis_
    with pytest.raises(InvalidArgumentError, match=f"linpreds has 2 flags for {p} features"):
        earth.Earth(linpreds=[True, False]).fit(X, y)


@BOTH
def test_a_straight_line_needs_no_knot(compat):
    x = np.linspace(0, 1, 100).reshape(-1, 1)
    line = earth.Earth(compat=compat).fit(x, 2 * x[:, 0])
    assert [str(t) for t in line.basis_] == ["(Intercept)", "x0"]
    hinge = earth.Earth(auto_linpreds=False, compat=compat).fit(x, 2 * x[:, 0])
    assert [str(t) for t in hinge.basis_] == ["(Intercept)", "h(x0-0)"]
    assert np.allclose(hinge.predict(x), 2 * x[:, 0])


@BOTH
def test_spans_keep_knots_apart(compat):
    x = np.arange(200.0).reshape(-1, 1)
    y = np.sin(x[:, 0] / 8)
    model = earth.Earth(minspan=40, endspan=30, compat=compat, thresh=0.0).fit(x, y)
    knots = sorted({t["knot"] for t in model.get_model_spec()["terms"] if t["kind"] == "hinge"})
    assert knots and knots[0] >= 29 and knots[-1] <= 170
    assert all(b - a >= 40 for a, b in itertools.pairwise(knots))
    few = earth.Earth(minspan=-3, endspan=1, compat=compat, thresh=0.0).fit(x, y)
    knots = {t["knot"] for t in few.get_model_spec()["terms"] if t["kind"] == "hinge"}
    assert 1 <= len(knots) <= 3
    wide = earth.Earth(minspan=1e-9, endspan=1e-9, compat=compat).fit(x, y)
    usual = earth.Earth(compat=compat).fit(x, y)
    assert wide.rss_ >= usual.rss_


@BOTH
def test_a_new_variable_must_gain_more(compat):
    X, y = data()
    y = X[:, 0] + 0.9 * X[:, 1]
    free = earth.Earth(compat=compat).fit(X, y)
    held = earth.Earth(compat=compat, newvar_penalty=100.0).fit(X, y)
    assert len(set.union(*features(free)[1:])) >= len(set.union(*features(held)[1:]))


@BOTH
def test_responses_of_other_scales_count_alike_when_scaled(compat):
    random = np.random.default_rng(8)
    X = random.uniform(-1, 1, (200, 2))
    Y = np.c_[1e-3 * np.abs(X[:, 0]), 1e3 * X[:, 1] + random.normal(size=200)]
    options = {"pmethod": "none", "thresh": 0.001, "compat": compat}
    model = earth.Earth(scale_y=True, **options).fit(X, Y)
    assert np.corrcoef(model.predict(X)[:, 0], Y[:, 0])[0, 1] > 0.99
    assert model.rss_ == pytest.approx(((Y - model.predict(X)) ** 2).sum(), rel=1e-6)
    plain = earth.Earth(**options).fit(X, Y)
    assert np.corrcoef(plain.predict(X)[:, 0], Y[:, 0])[0, 1] < 0.9


def test_the_penalty_of_r_depends_on_the_degree():
    X, y = data()
    for degree, penalty in ((1, 2.0), (2, 3.0)):
        model = earth.Earth(max_degree=degree, compat="earth").fit(X, y)
        assert model.get_model_spec()["fit"]["penalty"] == penalty
    free = earth.Earth(penalty=-1, compat="earth").fit(X, y)
    assert free.gcv_ == pytest.approx(free.rss_ / len(y))


def test_r_has_no_new_variable_penalty_with_weights():
    X, y = data()
    weights = np.linspace(1, 2, len(y))
    with pytest.raises(InvalidArgumentError, match="newvar_penalty with sample_weight"):
        earth.Earth(compat="earth", newvar_penalty=0.1).fit(X, y, sample_weight=weights)

"""The search itself: orders, bins, interruption, and looking ahead."""

import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import pymars as earth
from pymars.errors import InvalidArgumentError


def friedman(n, seed=0, p=10, sd=1.0):
    """Friedman (1991), eq. 61: five features matter, the others do not."""
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(n, p))
    signal_part = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2
    return X, signal_part + 10 * X[:, 3] + 5 * X[:, 4] + sd * rng.normal(size=n)


def fit(X, y, **options):
    return earth.Earth(**{"max_degree": 2, **options}).fit(X, y)


def terms(model):
    return [str(term) for term in model.basis_]


@pytest.mark.parametrize("options", [{}, {"knots": "hist"}, {"max_degree": 3}])
def test_the_model_does_not_depend_on_the_number_of_threads(options):
    X, y = friedman(20_000)
    try:
        earth.set_runtime_threads(1)
        one = fit(X, y, **options)
        earth.set_runtime_threads(2)
        two = fit(X, y, **options)
    finally:
        earth.set_runtime_threads(None)
    assert one.get_model_spec() == two.get_model_spec()


def test_neither_the_order_of_columns_nor_that_of_rows_changes_the_model():
    pandas = pytest.importorskip("pandas")
    X, y = friedman(500)
    X = np.round(X, 2)  # ties
    X[:, 7] = X[:, 3]  # and two columns that say the same
    table = pandas.DataFrame(X, columns=list("abcdefghij"))
    model = fit(table, y)
    columns = np.random.default_rng(1).permutation(10)
    rows = np.random.default_rng(2).permutation(500)
    other = fit(table.iloc[rows, columns], y[rows])
    assert sorted(terms(model)) == sorted(terms(other))
    assert "h" not in {str(term)[2] for term in model.basis_[1:]}, "d and h tie, d comes first"
    assert model.gcv_ == pytest.approx(other.gcv_, rel=1e-9)


def test_bins_fit_as_well_as_all_knots():
    X, y = friedman(20_000)
    unseen, truth = friedman(20_000, seed=1)
    exact, binned = fit(X, y), fit(X, y, knots="hist")
    assert abs(exact.score(unseen, truth) - binned.score(unseen, truth)) < 5e-4
    knots = {
        (term["feature"], term["knot"])
        for term in fit(X, y, knots="hist", max_bins=4).get_model_spec()["terms"]
        if term["kind"] == "hinge"
    }
    per_feature = np.bincount([feature for feature, _ in knots])
    assert per_feature.max() <= 3, "four bins have three borders"


def test_bins_of_many_rows_are_told_from_some_of_them():
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(300_000, 1))
    y = np.abs(x[:, 0] - 0.3)
    model = earth.Earth(knots="hist", max_terms=3, thresh=0.001).fit(x, y)
    assert model.rsq_ > 0.999
    assert model.get_model_spec()["terms"][1]["knot"] in x, "a knot is a value of the data"


@pytest.mark.parametrize("options", [{"knots": "all"}, {"knots": "hist", "max_bins": 1}])
def test_bins_out_of_range_are_refused(options):
    with pytest.raises(InvalidArgumentError):
        fit(*friedman(50), **options)


def test_looking_ahead_passes_a_plateau_that_a_threshold_does_not():
    rng = np.random.default_rng(3)
    X = rng.uniform(size=(4000, 6))
    # The product of centred features has no main effect, so the first step gains next to nothing.
    y = 8 * (X[:, 0] - 0.5) * (X[:, 1] - 0.5) + 0.1 * rng.normal(size=4000)
    assert fit(X, y, thresh=0.01).rsq_ < 0.1
    assert fit(X, y).rsq_ > 0.95


@pytest.mark.parametrize("seed", range(5))
def test_pure_noise_gives_few_terms(seed):
    rng = np.random.default_rng(seed)
    model = fit(rng.uniform(size=(1000, 10)), rng.normal(size=1000))
    assert len(model.basis_) <= 3
    assert "noise" in model.record_.stop


def test_a_first_column_that_an_offset_moves_far_away_gives_the_same_terms():
    X, y = friedman(1000)
    plain, moved = fit(X, y), fit(X + 1e6, y)
    assert len(plain.basis_) == len(moved.basis_)
    assert plain.gcv_ == pytest.approx(moved.gcv_, rel=1e-6)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT to send to one process")
def test_ctrl_c_ends_a_fit():
    code = """
        import os, signal, threading
        import numpy as np
        import pymars as earth
        rng = np.random.default_rng(0)
        X = rng.uniform(size=(200_000, 20))
        y = rng.normal(size=200_000) + X[:, 0] * X[:, 1]
        try:
            print("started", flush=True)
            earth.Earth(max_degree=3, thresh=0.0, max_terms=201).fit(X, y)
        except KeyboardInterrupt:
            print("interrupted")
    """
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "started\n"
    child.send_signal(signal.SIGINT)
    out, _ = child.communicate(timeout=120)
    assert out == "interrupted\n"

"""Training holds for all tables: it ends, gives finite models, and says what it did truly."""

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pymars

sys.path.insert(0, str(Path(__file__).parent))
from strategies import training_tables


@given(training_tables(), st.integers(1, 3))
def test_every_table_gives_a_true_model(table, degree):
    X, y = table
    model = pymars.Earth(max_degree=degree).fit(X, y)
    found = model.predict(X)
    assert np.isfinite(found).all()
    assert model.rss_ == pytest.approx(np.sum((y - found) ** 2), rel=1e-6, abs=1e-9)
    assert model.rss_ <= np.sum((y - y.mean()) ** 2) * (1 + 1e-9)
    steps = model.record_.forward
    assert all(b.rss <= a.rss * (1 + 1e-12) for a, b in itertools.pairwise(steps))
    degrees = [term.degree for term in model.basis_]
    assert max(degrees) <= degree
    assert degrees[0] == 0
    assert pymars.load_model(model.export_model().to_json()) == model.export_model()


@given(training_tables())
def test_a_fit_is_deterministic(table):
    X, y = table
    first, second = (pymars.Earth(max_degree=2).fit(X, y) for _ in range(2))
    assert first.export_model() == second.export_model()


@given(training_tables(), st.floats(1e-3, 1e3))
def test_the_scale_of_the_response_changes_no_term(table, scale):
    X, y = table
    plain = pymars.Earth().fit(X, y)
    scaled = pymars.Earth().fit(X, y * scale)
    assert scaled.rsq_ == pytest.approx(plain.rsq_, rel=1e-6, abs=1e-6)


@given(
    seed=st.integers(0, 10_000),
    options=st.sampled_from(
        [{}, {"max_degree": 2}, {"knots": "hist", "max_bins": 16}, {"allow_missing": True}]
    ),
)
def test_a_row_of_whole_weight_is_so_many_rows(seed, options):
    rng = np.random.default_rng(seed)
    X = rng.uniform(size=(60, 3)).round(2)
    y = np.abs(X[:, 0] - 0.4) + X[:, 1] + 0.1 * rng.normal(size=60)
    if "allow_missing" in options:
        X[rng.uniform(size=X.shape) < 0.1] = np.nan
    times = rng.integers(0, 4, size=60)
    # A short forward pass: near ties, rounding decides later ones.
    options = {**options, "max_terms": 11, "thresh": 0.001}
    weighted = pymars.Earth(**options).fit(X, y, sample_weight=times)
    repeated = pymars.Earth(**options).fit(X.repeat(times, axis=0), y.repeat(times))
    assert weighted.gcv_ == pytest.approx(repeated.gcv_, rel=1e-6)
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-6, atol=1e-6)


def test_other_weights_have_no_unit():
    rng = np.random.default_rng(1)
    X = rng.uniform(size=(200, 3))
    y = np.abs(X[:, 0] - 0.4) + X[:, 1] + 0.1 * rng.normal(size=200)
    weights = rng.uniform(0.5, 1.5, size=200)
    one = pymars.Earth().fit(X, y, sample_weight=weights)
    other = pymars.Earth().fit(X, y, sample_weight=weights / weights.sum())
    np.testing.assert_allclose(one.predict(X), other.predict(X), rtol=1e-8)

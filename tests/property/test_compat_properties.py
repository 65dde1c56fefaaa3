"""R's rules hold for all tables: the fit ends and gives a finite model or one clear error."""

import sys
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import pymars
from pymars.errors import InvalidArgumentError, InvalidDataError

sys.path.insert(0, str(Path(__file__).parent))
from strategies import training_tables

OPTIONS = st.fixed_dictionaries(
    {
        "max_degree": st.integers(1, 3),
        "auto_linpreds": st.booleans(),
        "minspan": st.sampled_from([None, 1, 5, -1, -3, 0.3]),
        "endspan": st.sampled_from([None, 1, 4, 0.2]),
        "thresh": st.sampled_from([0.0, 0.001]),
        "fast_k": st.sampled_from([0, 3, 20]),
        "penalty": st.sampled_from([None, -1, 0]),
    }
)


@settings(suppress_health_check=[HealthCheck.filter_too_much])
@given(training_tables(), OPTIONS, st.booleans(), st.integers(0, 3))
def test_every_table_gives_a_model_or_one_error(table, options, weighted, seed):
    X, y = table
    weights = np.random.default_rng(seed).choice([0, 1, 2.5], len(y)) if weighted else None
    try:
        model = pymars.Earth(compat="earth", **options).fit(X, y, sample_weight=weights)
    except (InvalidArgumentError, InvalidDataError) as error:
        assert any(
            word in str(error) for word in ("minspan", "endspan", "sample_weight", "constant")
        )
        return
    found = model.predict(X)
    assert np.isfinite(found).all()
    total = ((y - y.mean()) ** 2).sum() if weights is None else np.inf
    assert ((y - found) ** 2).sum() <= total * (1 + 1e-6) + 1e-9

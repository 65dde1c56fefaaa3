"""What properties are tried on: models and tables of every shape."""

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

settings.register_profile(
    "mars",
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],  # the first example loads scikit-learn
)
settings.load_profile("mars")

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False) | st.sampled_from(
    [0.0, -0.0, 1e-300, 1e100, -1e100]
)
CATEGORIES = ["red", "green", "blue"]


@st.composite
def specs(draw):
    """A valid ModelSpec with any mix of kinds, parents and degrees."""
    n_features = draw(st.integers(1, 4))
    features = []
    for j in range(n_features):
        feature = {"name": f"x{j}"}
        if draw(st.booleans()):
            feature["categories"] = CATEGORIES
        if draw(st.booleans()):
            feature["impute"] = (
                draw(st.integers(0, 2)) if "categories" in feature else draw(NUMBERS)
            )
        features.append(feature)
    n_responses = draw(st.integers(1, 3))
    terms = [{"kind": "constant"}]
    for position in range(1, draw(st.integers(1, 8)) + 1):
        terms.append(draw(_term(features, position)))
    for term in terms:
        if draw(st.booleans()):
            term["coefficients"] = draw(
                st.lists(NUMBERS, min_size=n_responses, max_size=n_responses)
            )
    terms[0]["coefficients"] = [1.0] * n_responses
    return {
        "spec_version": "1.0",
        "allow_missing": draw(st.booleans()),
        "features": features,
        "responses": [f"y{k}" for k in range(n_responses)],
        "terms": terms,
    }


@st.composite
def _term(draw, features, position):
    kinds = ["linear", "hinge", "categorical", "missingness"]
    if position >= 2:
        kinds.append("interaction")
    kind = draw(st.sampled_from(kinds))
    if kind == "interaction":
        # Two parents at most, and eight terms: the degree stays below the limit only with care.
        parents = draw(st.lists(st.integers(0, min(position - 1, 3)), min_size=2, max_size=2))
        return {"kind": kind, "parents": parents}
    wanted = kind == "categorical"
    fitting = [
        j for j, f in enumerate(features) if kind == "missingness" or ("categories" in f) == wanted
    ]
    if not fitting:
        return {"kind": "missingness", "feature": 0, "when": "present"}
    term = {"kind": kind, "feature": draw(st.sampled_from(fitting))}
    if kind == "hinge":
        term |= {"knot": draw(NUMBERS), "side": draw(st.sampled_from(["right", "left"]))}
    elif kind == "categorical":
        term["levels"] = draw(st.lists(st.sampled_from(CATEGORIES), min_size=1, unique=True))
    elif kind == "missingness":
        term["when"] = draw(st.sampled_from(["missing", "present"]))
    if draw(st.booleans()):
        term["parent"] = draw(st.integers(0, position - 1))
    return term


@st.composite
def rows_for(draw, spec):
    """Rows that fit a model, with missing values where it allows them."""
    n = draw(st.integers(0, 12))
    table = np.empty((n, len(spec["features"])))
    missing = st.just(float("nan")) if spec["allow_missing"] else st.nothing()
    for j, feature in enumerate(spec["features"]):
        values = st.sampled_from([0.0, 1.0, 2.0]) if "categories" in feature else NUMBERS
        table[:, j] = draw(st.lists(values | missing, min_size=n, max_size=n))
    return table


@st.composite
def training_tables(draw):
    """Small, tied, constant, duplicated or wide inputs with a response that varies."""
    n = draw(st.integers(2, 40))
    p = draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    X = rng.normal(size=(n, p)) * 10.0 ** draw(st.integers(-8, 8))
    if draw(st.booleans()):
        X = np.round(X / np.abs(X).max() * draw(st.integers(1, 4)))
    if draw(st.booleans()):
        X[:, -1] = X[:, 0]
    if draw(st.booleans()):
        X[:, 0] = 1.0
    y = rng.normal(size=n)
    return X, y

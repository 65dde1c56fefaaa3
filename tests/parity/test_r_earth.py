"""With `compat="earth"` the models are those of R earth.

`scripts/parity/reference.py` wrote R's models; the problems were chosen before the rules were
worked out.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pymars as earth

HERE = Path(__file__).parent
DATA = HERE / "data"
REFERENCE = json.loads((HERE / "r_earth.json").read_text())
MODELS: dict[str, dict[str, Any]] = REFERENCE["models"]
WEIGHTS = ["w", "w0", "w2"]
KNOT = 1e-9
GCV = 1e-8
COEFFICIENT = 1e-6
#: The bound of the project, and the share that must be equal to the last term.
WITHIN, LEAST_EQUAL = 0.01, 0.85

#: Where paths part: the problem, the step, the cause as far as it is known.
DIVERGENCES: dict[str, tuple[int, str]] = {}


def alone(degree: int, pred: int, parents: list[int]) -> bool:
    """Say that x0 enters alone."""
    return degree == 1 or (pred != 0 and parents[0] == 0)


#: The constraints that `scripts/parity/reference.py` states in R.
ALLOWED: dict[str, Any] = {"x0 alone": alone, "groups": [["x0", "x1"], ["x2", 3, 4]]}


def fit(model: dict[str, Any], folder: Path = DATA) -> earth.Earth:
    """Fit our model to the problem of a model of R's."""
    table = pd.read_csv(folder / f"{model['table']}.csv")
    inputs = table.drop(columns=[*model["responses"], *WEIGHTS], errors="ignore")
    for name in inputs.columns:
        if not pd.api.types.is_numeric_dtype(inputs[name]):
            inputs[name] = pd.Categorical(inputs[name], sorted(set(inputs[name])))
    options = dict(model["options"])
    weights = options.pop("weights", None)
    if "allowed" in options:
        options["allowed"] = ALLOWED[options["allowed"]]
    estimator = earth.Earth(**options, compat="earth")
    y = table[model["responses"]].to_numpy()
    return estimator.fit(inputs, y, None if weights is None else table[weights].to_numpy())


def our_terms(estimator: earth.Earth) -> list[tuple[Any, ...]]:
    """List the factors of our terms as R writes them: name, direction, cut."""
    spec = estimator.get_model_spec()
    names = [feature["name"] for feature in spec["features"]]
    factors: list[list[tuple[str, int, float]]] = []
    found = []
    for term in spec["terms"]:
        own = list(factors[term["parent"]]) if "parent" in term else []
        if term["kind"] == "hinge":
            direction = 1 if term["side"] == "right" else -1
            own.append((names[term["feature"]], direction, term["knot"]))
        elif term["kind"] == "linear":
            own.append((names[term["feature"]], 2, 0.0))
        elif term["kind"] == "categorical":
            own.append((names[term["feature"]] + term["levels"][0], 2, 0.0))
        factors.append(own)
        if "coefficients" in term:
            found.append(tuple(sorted(own)))
    return found


def their_terms(model: dict[str, Any]) -> list[tuple[Any, ...]]:
    """List the factors of R's selected terms; a cut of a linear factor says nothing.

    A column of zeros and ones is the same with a hinge at zero.
    """
    flags = {"kind", "flag", "pclass", "sex"}

    def plain(name: str, direction: int, cut: float) -> tuple[str, int, float]:
        is_flag = any(name.startswith(flag) for flag in flags)
        return (
            (name, 2, 0.0) if direction == 2 or (is_flag and cut == 0) else (name, direction, cut)
        )

    selected = [model["terms"][k] for k in model["selected"]]
    return [tuple(sorted(plain(*factor) for factor in term)) for term in selected]


def difference(model: dict[str, Any], estimator: earth.Earth) -> str:
    """Say where the models part, or nothing when they are equal."""
    ours, theirs = our_terms(estimator), their_terms(model)
    ratio = estimator.gcv_ / model["gcv"] if model["gcv"] else 1.0
    note = f"GCV {ratio:.6f} of R's"
    grown = max(step.n_terms for step in estimator.record_.pruning)
    if (grown, len(ours)) != (len(model["terms"]), len(theirs)):
        return f"{grown} and {len(ours)} terms, R {len(model['terms'])} and {len(theirs)}; {note}"
    order = [sorted(range(len(all_)), key=all_.__getitem__) for all_ in (ours, theirs)]
    for a, b in zip(*order, strict=True):
        one, other = ours[a], theirs[b]
        same = [f[:2] for f in one] == [f[:2] for f in other]
        if not same or not np.allclose(cuts(one), cuts(other), rtol=KNOT, atol=KNOT):
            return f"{one} for R's {other}; {note}"
        scale = np.abs(model["coefficients"][b]).max()
        found = np.array(estimator.basis_[a].coefficients) - model["coefficients"][b]
        if np.abs(found).max() > COEFFICIENT * max(scale, 1.0):
            return f"coefficients of {one} differ by {found}; {note}"
    return "" if abs(ratio - 1) <= GCV else f"the terms are equal; {note}"


def cuts(term: tuple[Any, ...]) -> list[float]:
    return [cut for _, _, cut in term]


@pytest.mark.parametrize("name", MODELS)
def test_the_model_is_that_of_r_earth(name: str) -> None:
    model = MODELS[name]
    estimator = fit(model)
    found = difference(model, estimator)
    if name in DIVERGENCES:
        assert found, "no longer a divergence: take it off the list"
        assert estimator.gcv_ <= model["gcv"] * (1 + WITHIN), found
    else:
        assert not found


def test_nearly_all_problems_are_equal() -> None:
    assert set(DIVERGENCES) <= set(MODELS)
    assert len(MODELS) >= 30
    assert 1 - len(DIVERGENCES) / len(MODELS) >= LEAST_EQUAL
    page = (HERE.parents[1] / "docs" / "r_earth.md").read_text()
    assert f"{len(MODELS) - len(DIVERGENCES)} of {len(MODELS)} problems" in page
    assert "earth 5.3" in REFERENCE["versions"]


def test_the_problems_cover_the_options() -> None:
    options = Counter(name for model in MODELS.values() for name in model["options"])
    degrees = {model["options"].get("max_degree", 1) for model in MODELS.values()}
    assert degrees == {1, 2, 3}
    for name in (
        "max_terms", "penalty", "thresh", "minspan", "endspan", "adjust_endspan", "newvar_penalty",
        "fast_k", "fast_beta", "linpreds", "auto_linpreds", "allowed", "scale_y", "weights",
    ):  # fmt: skip
        assert options[name], name
    assert any(model["options"].get("minspan", 0) < 0 for model in MODELS.values())
    assert any(len(model["responses"]) > 1 for model in MODELS.values())


def test_the_difference_is_noticed() -> None:
    model = MODELS["friedman, degree 2"]
    other = fit({**model, "options": {**model["options"], "minspan": 4}})
    assert difference(model, other)
    terms = [list(term) for term in model["terms"]]
    k = model["selected"][1]
    name, direction, cut = terms[k][0]
    terms[k] = [[name, direction, cut + 1e-6], *terms[k][1:]]
    assert difference({**model, "terms": terms}, fit(model))
    assert "GCV" in difference({**model, "gcv": model["gcv"] * (1 + 1e-7)}, fit(model))

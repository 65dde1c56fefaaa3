"""Subsets of every size, and cross-validation, against R earth on terms that leave no choice."""

import json
from pathlib import Path

import numpy as np
import pytest

import pymars as earth

REFERENCE = json.loads((Path(__file__).parent / "pruning_reference.json").read_text())
OPTIONS = {
    "compat": "earth",
    "linpreds": list(range(12)),
    "thresh": 0.0,
    "max_terms": 51,
    "penalty": 2.0,
}


@pytest.mark.parametrize("method", range(4))
@pytest.mark.parametrize("case", REFERENCE["cases"], ids=lambda case: f"seed {case['seed']}")
def test_the_best_subset_of_each_size_is_rs(case, method):
    x, y, expected = np.array(case["x"]), np.array(case["y"]), case["methods"][method]
    model = earth.Earth(pmethod=expected["pmethod"], **OPTIONS).fit(x, y)
    found = [step.rss for step in reversed(model.record_.pruning)]
    assert found == pytest.approx(expected["rss"], rel=1e-10)
    assert model.gcv_ == pytest.approx(expected["gcv"], rel=1e-10)
    bound = earth.Earth(pmethod=expected["pmethod"], nprune=5, **OPTIONS).fit(x, y)
    assert bound.gcv_ == pytest.approx(expected["bound_gcv"], rel=1e-10)


def test_the_methods_do_differ():
    """Else the cases would show nothing."""
    tables = [[tuple(m["rss"]) for m in case["methods"]] for case in REFERENCE["cases"]]
    rounded = [{tuple(np.round(rss, 6)) for rss in table} for table in tables]
    assert max(len(distinct) for distinct in rounded) == 4


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=lambda case: f"seed {case['seed']}")
def test_folds_are_judged_as_r_judges_them(case, monkeypatch):
    x, y = np.array(case["x"]), np.array(case["y"])
    folds = (np.array(case["groups"]) - 1).astype(np.uint32)
    monkeypatch.setattr("pymars.folds.draw_folds", lambda *_: folds)
    model = earth.Earth(pmethod="cv", nfold=5, ncross=2, **OPTIONS).fit(x, y)
    for fold, expected, by_gcv in zip(
        model.record_.folds, case["rsq"], case["by_gcv"], strict=True
    ):
        there = [value for value in expected if value is not None]
        assert fold.rsq == pytest.approx(there, rel=1e-9, abs=1e-12)
        assert fold.n_terms == by_gcv
    assert model.record_.mean_rsq == pytest.approx(case["mean_rsq"], rel=1e-9)
    assert len(model.basis_) == np.argmax(case["mean_rsq"]) + 1

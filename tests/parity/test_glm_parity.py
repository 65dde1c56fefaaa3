"""GLM coefficients and deviances against R's glm() on R earth's terms."""

import json
from pathlib import Path

import numpy as np
import pytest

from pymars import _core
from pymars.runtime import Model

REFERENCE = json.loads((Path(__file__).parent / "glm_reference.json").read_text())
CASES = REFERENCE["cases"]


def spec_of(case):
    """R's terms as a ModelSpec, so that the fit of the link is judged alone."""
    k = len(case["y"][0])
    terms = []
    for directions, cuts in zip(case["dirs"], case["cuts"], strict=True):
        factors = [(j, d, c) for j, (d, c) in enumerate(zip(directions, cuts, strict=True)) if d]
        chain = [
            {"kind": "linear", "feature": j}
            if d == 2
            else {"kind": "hinge", "feature": j, "knot": c, "side": "right" if d > 0 else "left"}
            for j, d, c in factors
        ] or [{"kind": "constant"}]
        for depth, term in enumerate(chain):
            terms.append(term | ({"parent": len(terms) - 1} if depth else {}))
        terms[-1]["coefficients"] = [1.0] * k
    return {
        "spec_version": "1.0",
        "allow_missing": False,
        "features": [{"name": f"x{j}"} for j in range(len(case["x"][0]))],
        "responses": [f"y{i}" for i in range(k)],
        "terms": terms,
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_coefficients_and_deviances_are_those_of_r(case):
    x, y, weights = (np.array(case[key], dtype=float) for key in ("x", "y", "weights"))
    start = Model(_core.Model.from_json(json.dumps(spec_of(case)).encode()))
    core, figures = _core.refit(start._core, x, y, weights, case["family"], case["link"])
    fitted = Model(core)
    found = [t["coefficients"] for t in fitted.spec["terms"] if "coefficients" in t]
    expected = np.array(case["coefficients"])
    assert np.array(found) == pytest.approx(expected, rel=1e-6, abs=1e-6 * np.abs(expected).max())
    assert [f[0] for f in figures] == pytest.approx(case["deviance"], rel=1e-9)
    assert [f[1] for f in figures] == pytest.approx(case["null_deviance"], rel=1e-9)
    assert {f[3] for f in figures} == {"converged"}

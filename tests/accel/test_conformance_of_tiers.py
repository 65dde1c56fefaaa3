"""Every tier meets the frozen vectors of the conformance suite, within 1e-10."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support import assert_same
from test_sidecar import program  # noqa: F401

import pymars as earth
from pymars import accel
from pymars.accel import floor, inputs
from pymars.accel.go import Sidecar

FOLDER = Path(__file__).parents[1] / "conformance"
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())
CASES = [case for path in MANIFEST["cases"] for case in json.loads((FOLDER / path).read_text())]


def expected(case, what):
    found = np.array(case[what], dtype=np.float64)
    flat = what == "predictions" and found.ndim == 2 and found.shape[1] == 1
    return found[:, 0] if flat else found


def rows(case):
    return np.array(case["rows"], dtype=np.float64)


def close(found, wanted):
    scale = np.abs(wanted[np.isfinite(wanted)]).max(initial=1.0)
    np.testing.assert_allclose(found, wanted, 1e-10, 1e-10 * scale)


@pytest.mark.parametrize("tier", ["python", "rust", "mojo", "julia"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_tier_in_the_process(case, tier):
    why = accel.predict.available()[tier]
    if why:
        pytest.skip(f"the {tier} tier {why}")
    model = earth.load_model(case["spec"])
    with accel.using(tier), np.errstate(all="ignore"):
        close(earth.design_matrix(model, rows(case)), expected(case, "design_matrix"))
        found = earth.predict(model, rows(case))
        before = earth.linear_predictor(model, rows(case))
    close(found, expected(case, "predictions"))
    assert accel.predict.last_tier == tier
    with np.errstate(all="ignore"):
        after = floor.respond(model.link, before.reshape(len(before), -1))
    close(after.reshape(found.shape), found)
    out = np.empty_like(found)
    with accel.using(tier), np.errstate(all="ignore"):
        assert earth.predict(model, rows(case), out=out) is out
    np.testing.assert_array_equal(out, found)


def test_the_sidecar(program):  # noqa: F811
    with Sidecar(program) as sidecar:
        for case in CASES:
            (found,) = sidecar.predict([case["spec"]], rows(case))
            wanted = expected(case, "predictions")
            assert found.shape == wanted.shape
            close(found, wanted)


@pytest.mark.parametrize("tier", ["python", "mojo"])
@pytest.mark.parametrize(
    "out",
    [
        np.empty(3),
        np.empty((5, 2)),
        np.empty(5, dtype=np.float32),
        np.empty(10)[::2],
        [0.0] * 5,
        np.broadcast_to(np.empty(1), (5,)),
    ],
    ids=["rows", "columns", "dtype", "strides", "list", "read-only"],
)
def test_an_out_that_does_not_fit_is_refused_alike(tier, out):
    if accel.predict.available()[tier]:
        pytest.skip(f"the {tier} tier {accel.predict.available()[tier]}")
    model, X = inputs.make("predict", 5)
    outcomes = []
    for which in ("rust", tier):
        with accel.using(which), pytest.raises(ValueError, match="out") as caught:
            earth.predict(model, X, out=out)
        outcomes.append(type(caught.value))
    assert_same("predict", outcomes[1], outcomes[0])

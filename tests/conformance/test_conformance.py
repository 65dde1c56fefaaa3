"""Every entry point of the Python package meets the frozen vectors and refuses hostile models."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import pymars
from pymars.accel import floor

HERE = Path(__file__).parent
MANIFEST = json.loads((HERE / "manifest.json").read_text())
HOSTILE = json.loads((HERE / "hostile" / "expected.json").read_text())
SCHEMA = jsonschema.Draft202012Validator(
    json.loads((HERE / "schema" / "model_spec-1.1.schema.json").read_text())
)
CASES = [case for path in MANIFEST["cases"] for case in json.loads((HERE / path).read_text())]
# What a JSON schema cannot say: order and range of positions, degree, labels, versions.
BEYOND_SCHEMA = {
    "self_parent", "cyclic_parents", "parent_out_of_range", "feature_out_of_range", "feature_huge",
    "coefficient_count", "feature_twice", "no_coefficients", "degree_chain", "degree_doubling",
    "hinge_on_category", "level_unknown", "impute_category",
}  # fmt: skip


def table(values):
    return np.array(values, dtype=np.float64)


def same(found, expected):
    """Equal bit for bit, NaN where NaN is due (its payload is free)."""
    expected = table(expected)
    return found.shape == expected.shape and np.array_equal(found, expected, equal_nan=True)


def test_the_vectors_are_frozen():
    for path, digest in {**MANIFEST["cases"], **MANIFEST["hostile"]}.items():
        found = hashlib.sha256((HERE / path).read_bytes()).hexdigest()
        assert found == digest, f"{path} changed; see scripts/freeze_conformance.py"


def test_the_floor_still_gives_the_vectors():
    script = HERE.parents[1] / "scripts" / "freeze_conformance.py"
    done = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_kind_and_every_way_of_missing_is_covered():
    kinds = {term["kind"] for case in CASES for term in case["spec"]["terms"]}
    assert kinds == {
        "constant", "linear", "hinge", "categorical", "missingness", "interaction",
    }  # fmt: skip
    assert any("propagated" in case["name"] for case in CASES)
    assert any("imputed" in case["name"] for case in CASES)
    links = {case["spec"].get("link") for case in CASES}
    assert links == {None, "logit", "cloglog", "log", "inverse", "softmax"}
    assert len(CASES) > 90


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_replay(case):
    spec, rows = case["spec"], table(case["rows"])
    SCHEMA.validate(spec)
    text = json.dumps(spec)
    loaded = pymars.load_model(text)
    for model in (loaded, spec, text, loaded.to_json()):
        assert same(pymars.predict(model, rows), case["predictions"])
        assert same(pymars.design_matrix(model, rows), case["design_matrix"])
    many = np.tile(rows, (4000, 1))
    one = pymars.predict(loaded, many, threads=1)
    assert same(one, case["predictions"] * 4000)
    for threads in (2, 3):
        assert np.array_equal(pymars.predict(loaded, many, threads=threads), one, equal_nan=True)
    by_column = np.asfortranarray(rows)
    assert same(pymars.predict(loaded, by_column), case["predictions"])
    assert same(
        pymars.predict(loaded, np.tile(rows, 2)[:, : rows.shape[1]][::1]), case["predictions"]
    )
    assert same(floor.predict(spec, rows), case["predictions"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_model_survives_the_round_trip(case):
    model = pymars.load_model(case["spec"])
    assert pymars.load_model(model.to_json()) == model
    assert model.spec == case["spec"]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_models_are_refused(name):
    expected = HOSTILE[name]
    with pytest.raises(pymars.errors.EarthError) as caught:
        pymars.load_model(HERE / "hostile" / name)
    assert caught.value.category == expected["category"]
    assert expected["says"] in str(caught.value)
    assert len(str(caught.value)) < 4000


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, expected in HOSTILE.items()
        if expected["category"] == "invalid_spec" and Path(name).stem not in BEYOND_SCHEMA
    ],
)
def test_the_schema_refuses_them_too(name):
    document = json.loads((HERE / "hostile" / name).read_text())
    with pytest.raises(jsonschema.ValidationError):
        SCHEMA.validate(document)


def test_nesting_without_end():
    with pytest.raises(pymars.errors.MalformedSpecError, match="recursion limit"):
        pymars.load_model('{"a":' + "[" * 10_000_000)


def test_a_document_beyond_the_limit():
    with pytest.raises(pymars.errors.LimitExceededError, match="268435456"):
        pymars.load_model("{" + " " * (256 << 20))


def test_a_model_without_a_link_stays_a_document_of_1_0():
    """Readers of 1.0 take every model that does not need more."""
    for case in CASES:
        needed = "1.1" if "link" in case["spec"] else "1.0"
        assert case["spec"]["spec_version"] == needed
        assert json.loads(pymars.load_model(case["spec"]).to_json())["spec_version"] == needed


def test_the_linear_predictor_is_what_the_link_turns_into_the_response():
    for case in CASES:
        x = table(case["rows"])
        eta = pymars.linear_predictor(case["spec"], x)
        without = {k: v for k, v in case["spec"].items() if k != "link"}
        assert np.array_equal(eta, pymars.predict(without, x), equal_nan=True)
        assert np.array_equal(eta, floor.linear_predictor(case["spec"], x), equal_nan=True)


def test_a_newer_minor_version_warns_and_keeps_what_it_knows():
    spec = dict(CASES[0]["spec"], spec_version="1.7", colour="red")
    with pytest.warns(UserWarning, match=r"1\.7"):
        model = pymars.load_model(spec)
    assert pymars.validate(spec)
    assert same(pymars.predict(model, table(CASES[0]["rows"])), CASES[0]["predictions"])

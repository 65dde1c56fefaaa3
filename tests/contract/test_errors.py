"""One error vocabulary: the facts, the core and the Python classes agree."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

import pymars
from pymars import _core, errors

ROOT = Path(__file__).parents[2]
CATALOGUE = YAML(typ="safe").load(ROOT / "packaging" / "errors.yaml")["errors"]
# C has statuses for what cannot happen in Python, or is an exception of Python's own there.
FAILURES = [row for row in CATALOGUE if row["code"] and row["layer"] != "capi"]
PAGE = (ROOT / "docs" / "model_spec.md").read_text()


def test_codes_and_categories_are_unique():
    assert [row["code"] for row in CATALOGUE] == list(range(len(CATALOGUE)))
    assert len({row["category"] for row in CATALOGUE}) == len(CATALOGUE)


def test_the_core_has_its_rows():
    core = [(row["code"], row["category"]) for row in CATALOGUE if row["layer"] == "core"]
    assert _core.error_catalogue() == core


def test_python_has_a_class_for_every_failure():
    classes = {code: kind.category for code, kind in errors.BY_CODE.items()}
    assert classes == {row["code"]: row["category"] for row in FAILURES}
    for kind in errors.BY_CODE.values():
        assert issubclass(kind, errors.EarthError)
        assert kind.__name__ in errors.__all__


@pytest.mark.parametrize("row", FAILURES, ids=lambda row: row["category"])
def test_a_code_makes_its_exception(row):
    made = errors.from_code(row["code"], "what happened")
    assert (made.code, made.category) == (row["code"], row["category"])
    assert str(made) == "what happened"


def test_the_page_names_what_a_reader_can_meet():
    for category in ("malformed_spec", "unsupported_version", "invalid_spec", "limit_exceeded"):
        code = next(row["code"] for row in CATALOGUE if row["category"] == category)
        assert f"| {code} | `{category}` |" in PAGE


def test_the_page_states_the_limits_of_the_core():
    source = (ROOT / "packages/rust-runtime/core/src/spec.rs").read_text()
    for stated, written in [
        ("268 435 456", "MAX_JSON_BYTES: usize = 256 << 20"),
        ("| terms | 100 000 |", "MAX_TERMS: usize = 100_000"),
        ("| features | 1 000 000 |", "MAX_FEATURES: usize = 1_000_000"),
        ("| responses | 10 000 |", "MAX_RESPONSES: usize = 10_000"),
        ("| factors of one term | 32 |", "MAX_DEGREE: usize = 32"),
        ("| 1e100 |", "MAX_MAGNITUDE: f64 = 1e100"),
    ]:
        assert stated in PAGE
        assert written in source
    assert f"ModelSpec {pymars.SPEC_VERSION}" in PAGE

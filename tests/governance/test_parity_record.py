"""The recorded comparison with R earth says what the documents say of it."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[2]
RECORD = json.loads((ROOT / "docs/benchmarks/r_earth_parity.json").read_text())


def cases(data: str, degree: int) -> list[dict]:
    found = [c for c in RECORD["cases"] if data in c["data"] and c["degree"] == degree]
    assert found, f"no case of {data}, degree {degree}"
    return found


def test_held_out_quality_is_within_the_tolerance():
    assert RECORD["tolerance"] == 0.01
    judged = cases("original units", 1) + cases("original units", 2) + cases("Friedman", 1)
    judged += cases("Friedman", 2) + cases("scaled columns", 1)
    assert len(judged) == 32
    for case in judged:
        assert case["difference"] == case["rsq"] - case["rsq_r_earth"]
        assert abs(case["difference"]) <= RECORD["tolerance"], case


def test_the_page_quotes_the_record():
    page = (ROOT / "docs" / "r_earth.md").read_text()
    original = cases("original units", 1) + cases("original units", 2)
    friedman = cases("Friedman", 1) + cases("Friedman", 2)
    assert max(abs(c["difference"]) for c in original) < 0.0004
    assert max(abs(c["difference"]) for c in friedman) < 1e-9
    equal = sum(abs(c["gcv"] / c["gcv_r_earth"] - 1) < 1e-8 for c in original + friedman)
    assert f"{equal} of these {len(original + friedman)}" in page
    worst = max(abs(c["difference"]) for c in cases("scaled columns", 2))
    assert f"up to {worst:.3f}" in page


def test_the_settings_were_equal():
    assert RECORD["settings"] == {"max_terms": 21, "penalty": 3.0, "thresh": 0.001}
    script = (ROOT / "scripts" / "r_earth.R").read_text()
    assert "penalty = 3, nk = 21, thresh = 0.001" in script
    assert "earth 5." in RECORD["versions"]
    assert RECORD["host_class"]

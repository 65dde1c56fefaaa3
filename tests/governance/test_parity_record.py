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
    assert len(RECORD["cases"]) == 42
    for case in RECORD["cases"]:
        assert case["difference"] == case["rsq"] - case["rsq_r_earth"]
        assert abs(case["difference"]) <= RECORD["tolerance"], case


def test_the_page_quotes_the_record():
    page = (ROOT / "docs" / "r_earth.md").read_text()
    found = RECORD["cases"]
    equal = sum(abs(c["gcv"] / c["gcv_r_earth"] - 1) < 1e-8 for c in found)
    assert f"{equal} of {len(found)} fits" in page
    assert len(cases("original units", 2)) == len(cases("scaled columns", 2)) == 10


def test_the_settings_were_equal():
    settings = {"max_terms": 21, "penalty": 3.0, "thresh": 0.001, "compat": "earth"}
    assert RECORD["settings"] == settings
    script = (ROOT / "scripts" / "parity" / "held_out.R").read_text()
    assert "penalty = 3, nk = 21, thresh = 0.001" in script
    assert "earth 5." in RECORD["versions"]
    assert RECORD["host_class"]

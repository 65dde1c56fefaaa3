"""The order of tiers is what the records say, by one rule."""

import json
from pathlib import Path

import pytest

from hpcgate import chains
from hpcgate.errors import GateError
from hpcgate.repo import find_root

ROOT = find_root(Path(__file__))


def seconds(median, spread=0.01, within=True):
    low, high = median * (1 - spread), median * (1 + spread)
    return {"parity": {"within": within}, "warm_seconds": {"median": median, "q1": low, "q3": high}}


def result(size, **tiers):
    return {
        "size": size,
        "tiers": {"python": {"warm_seconds": seconds(1.0)["warm_seconds"]}, **tiers},
    }


def orders(*results, host="big", canonical=("big",)):
    return chains.derive_from({"hosts": {host: {"results": list(results)}}}, canonical)


def test_the_least_median_is_first_and_the_floor_last():
    found = orders(result(10, rust=seconds(0.3), mojo=seconds(0.2)))
    assert found["default"] == [{"up_to": None, "tiers": ["mojo", "rust", "python"]}]


@pytest.mark.parametrize(
    "tier",
    [
        seconds(0.91),  # less than 10 % below the floor
        seconds(0.8, spread=0.3),  # quartiles that meet
        seconds(0.1, within=False),  # another result
        {"parity": {"within": True}},  # not measured
    ],
)
def test_what_does_not_beat_the_floor_stays_out(tier):
    assert orders(result(10, rust=tier))["default"] == [{"up_to": None, "tiers": ["python"]}]


def test_ten_per_cent_are_enough():
    found = orders(result(10, rust=seconds(0.9)))
    assert found["default"] == [{"up_to": None, "tiers": ["rust", "python"]}]


def test_equal_neighbours_are_one_band_and_the_last_has_no_end():
    fast, slow = seconds(0.1), seconds(2.0)
    found = orders(result(1000, rust=fast), result(1, rust=slow), result(10, rust=slow),
                   result(100, rust=fast))  # fmt: skip
    assert found["default"] == [
        {"up_to": 10, "tiers": ["python"]},
        {"up_to": None, "tiers": ["rust", "python"]},
    ]


def test_only_canonical_hosts_order_the_default():
    found = orders(result(1, rust=seconds(0.1)), host="laptop")
    assert found["default"] == []
    assert found["hosts"]["laptop"][0]["tiers"] == ["rust", "python"]


def test_the_shipped_orders_are_those_of_the_records():
    assert chains.write(ROOT, check=True) == [], "run: hpcgate chains"


def test_a_record_that_was_edited_is_refused(tmp_path):
    for name in ("packaging/language.yaml", "packaging/hosts.yaml"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        target.write_text((ROOT / name).read_text())
    for path in (ROOT / "docs/benchmarks").glob("*.json"):
        target = tmp_path / "docs/benchmarks" / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text())
    (tmp_path / chains.PAGE).write_text("<!-- generated:tiers -->\n\n<!-- /generated:tiers -->\n")
    (tmp_path / "docs/examples/accel").mkdir(parents=True)
    (tmp_path / "packages/pymars/pymars/accel").mkdir(parents=True)
    assert len(chains.write(tmp_path)) == 3
    assert chains.write(tmp_path) == []
    # No source lies in this copy, so every record is older than its sources.
    assert all("changed since it was measured" in line for line in chains.stale(tmp_path))
    record = tmp_path / "docs/benchmarks/predict.json"
    kept = record.read_text()
    record.write_text(kept.replace('"median": ', '"median": 1', 1))
    with pytest.raises(GateError, match="not what was measured"):
        chains.derive(tmp_path)
    record.write_text(json.dumps(chains.seal({**json.loads(kept), "function": "fit"})))
    with pytest.raises(GateError, match="no record of predict"):
        chains.derive(tmp_path)
    record.write_text(json.dumps(chains.seal({**json.loads(kept), "note": "quick"})))
    with pytest.raises(GateError, match="note"):
        chains.derive(tmp_path)
    record.unlink()
    with pytest.raises(GateError, match=r"predict\.json is missing"):
        chains.derive(tmp_path)


@pytest.mark.parametrize("function", ["design_matrix", "gcv_path", "knot_scan", "predict"])
def test_a_record_says_where_it_comes_from(function):
    record = json.loads((ROOT / f"docs/benchmarks/{function}.json").read_text())
    assert record["schema"] == 1
    for part in record["hosts"].values():
        assert part["sources"]
        assert part["command"] == "nox -s bench-tiers"
        assert {"versions", "load_before", "unavailable", "cold"} <= set(part)
        assert set(part["unavailable"]) | set(part["results"][0]["tiers"]) >= {
            "rust",
            "mojo",
            "julia",
        }
        for measured in part["results"]:
            for name, tier in measured["tiers"].items():
                assert name == "python" or "largest_difference" in tier["parity"]

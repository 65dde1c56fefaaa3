"""The review of the replay benchmark refuses what is slower, and what it cannot compare."""

import json
from pathlib import Path

import pytest

from hpcgate.errors import GateError
from hpcgate.evidence.contract import contract
from hpcgate.regression import Thresholds, judge, read_baseline, thresholds

ROOT = Path(__file__).parents[2]
RULES = Thresholds(
    slower_at_most=0.05, rounds=5, attempts=1, pairs={"additive": "read", "load": "cached"}
)
FOUND = {"additive": 1.5, "load": 200.0}


def record(**pairs):
    figures = {"additive": 1.5, "load": 200.0} | pairs
    return {
        "host_class": "small",
        "pairs": {name: {"over_reference": value} for name, value in figures.items()},
    }


def test_equal_figures_and_better_ones_pass():
    assert judge(record(), FOUND, "small", RULES) == []
    assert judge(record(), {"additive": 1.57, "load": 1.0}, "small", RULES) == []


@pytest.mark.parametrize(
    ("baseline", "found", "host", "says"),
    [
        (None, FOUND, "small", "no baseline"),
        (record(), FOUND, "large", "host class 'small'"),
        (record(), {**FOUND, "additive": 1.58}, "small", "additive: 1.5800"),
        (record(), {"load": 200.0}, "small", "additive: this run has no figure"),
        (record(), {**FOUND, "additive": float("nan")}, "small", "additive: this run"),
        (record(additive=None), FOUND, "small", "additive: the baseline has no figure"),
        (record(additive="fast"), FOUND, "small", "additive: the baseline has no figure"),
        ({"host_class": "small"}, FOUND, "small", "additive: the baseline has no figure"),
        ({"host_class": "small", "pairs": []}, FOUND, "small", "load: the baseline has no figure"),
        ({}, FOUND, "small", "host class None"),
    ],
)
def test_it_fails_closed(baseline, found, host, says):
    assert any(says in line for line in judge(baseline, found, host, RULES))


def test_a_record_that_cannot_be_read_is_none(tmp_path):
    assert read_baseline(tmp_path / "absent.json") is None
    for text in ("", "[1]", "{"):
        (tmp_path / "odd.json").write_text(text)
        assert read_baseline(tmp_path / "odd.json") is None


def test_the_thresholds_are_data(tmp_path):
    rules = thresholds(ROOT)
    assert rules.slower_at_most == 0.05
    assert rules.rounds >= 5
    (tmp_path / "packaging").mkdir()
    text = (ROOT / "packaging/benchmarks.yaml").read_text()
    (tmp_path / "packaging/benchmarks.yaml").write_text(text.replace("attempts: 5", "attempts: 0"))
    with pytest.raises(GateError, match="attempts"):
        thresholds(tmp_path)


def test_the_committed_record_can_be_a_baseline():
    found = json.loads((ROOT / "docs/benchmarks/replay.json").read_text())
    pairs = found["pairs"]
    figures = {name: pair["over_reference"] for name, pair in pairs.items()}
    rules = thresholds(ROOT)
    assert judge(found, figures, found["host_class"], rules) == []
    assert {name: pair["reference"] for name, pair in pairs.items()} == rules.pairs
    assert found["rounds"] >= 5
    for peer in found["peers"].values():
        for name in ("additive", "products"):
            if "unavailable" not in peer:
                ours = found["python"][name]["checksum"]
                assert peer[name]["checksum"] == pytest.approx(ours, rel=1e-9), name


def test_every_check_of_the_bench_session_is_known():
    checks = contract(ROOT).checks
    for name in ("bench-replay", "bench-threads", "bench-memory", "bench-regression", "threads"):
        assert checks[name].session == "bench"

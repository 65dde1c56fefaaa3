"""The gate is measured on labelled snippets that were written before it saw them."""

import json
import math
from pathlib import Path

import pytest

from hpcgate.claims import gate, lexicon
from hpcgate.claims.gate import Support
from hpcgate.facts import read_yaml

ROOT = Path(__file__).resolve().parents[2]
OWN = ROOT / "tests" / "governance" / "claims" / "own.jsonl"
SHARED = ROOT.parent / "shared" / "claims" / "examples.jsonl"


def test_own_set_is_well_formed() -> None:
    """Ids are unique, labels agree with levels, and both labels are common."""
    rows = _rows(OWN)
    assert len({row["id"] for row in rows}) == len(rows) >= 120
    wrong = [row["id"] for row in rows if row["label"] == "violation" and not _possible(row)]
    assert wrong == []
    violations = sum(row["label"] == "violation" for row in rows)
    assert 0.4 < violations / len(rows) < 0.6


BATCHES = sorted(OWN.parent.glob("batch-*.jsonl"))
LISTED = {batch["file"]: batch for batch in read_yaml(OWN.parent / "batches.yaml")["batches"]}


@pytest.mark.parametrize("path", [OWN, *BATCHES, SHARED], ids=lambda path: path.stem)
def test_scores_reach_the_thresholds(path: Path, tmp_path: Path) -> None:
    """F1, MCC and the recall at each level are high enough on each set."""
    if not path.is_file():
        pytest.skip(f"{path.name} does not lie beside this checkout; the own set counts alone")
    rows = _rows(path)
    flagged = {row["id"]: _flagged(row, tmp_path) for row in rows}
    missed = [r["id"] for r in rows if r["label"] == "violation" and not flagged[r["id"]]]
    extra = [r["id"] for r in rows if r["label"] == "ok" and flagged[r["id"]]]
    told = f"missed {missed}, flagged without cause {extra}"
    f1, mcc = _f1_mcc(rows, len(missed), len(extra))
    assert f1 >= 0.90, told
    assert mcc >= 0.80, told
    for level in range(1, 5):
        wanted = [r for r in rows if r["label"] == "violation" and r["required_level"] == level]
        found = [r for r in wanted if flagged[r["id"]]]
        assert len(found) >= 0.8 * len(wanted), f"recall at H{level}: {told}"


def test_each_batch_says_what_it_was_worth_at_first_sight() -> None:
    """Every frozen batch is listed with its size and the score before the gate knew it."""
    assert sorted(LISTED) == [path.name for path in BATCHES]
    for path in BATCHES:
        assert LISTED[path.name]["first_sight"]["snippets"] == len(_rows(path)), path.name
        assert 0 < LISTED[path.name]["first_sight"]["f1"] <= 1, path.name


def test_the_thresholds_can_fail() -> None:
    """Flagging everything does not reach the thresholds."""
    rows = _rows(OWN)
    f1, mcc = _f1_mcc(rows, 0, sum(row["label"] == "ok" for row in rows))
    assert f1 < 0.90
    assert mcc < 0.80


def _rows(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _possible(row: dict) -> bool:
    ceiling = row["evidence_level"]
    declared = row["doc_level"]
    lowest = ceiling if declared is None else min(ceiling, declared)
    return row["required_level"] > lowest or (declared or 0) > ceiling


def _flagged(row: dict, folder: Path) -> bool:
    path = folder / row["id"] / row["file"]
    path.parent.mkdir(exist_ok=True)
    text = row["text"]
    if row["doc_level"] is not None:
        level = f"hpc_level: H{row['doc_level']}\n"
        text = f"---\n{level}---\n\n{text}" if path.suffix == ".md" else f"# {level}{text}"
    path.write_text(text, encoding="utf-8")
    judge = gate.Gate(ROOT, lexicon.load(ROOT), Support(row["evidence_level"], {}), strict=False)
    return bool(judge.file(path))


def _f1_mcc(rows: list[dict], missed: int, extra: int) -> tuple[float, float]:
    positive = sum(row["label"] == "violation" for row in rows)
    hit, right = positive - missed, len(rows) - positive - extra
    product = (hit + extra) * positive * (right + extra) * (right + missed)
    mcc = (hit * right - extra * missed) / math.sqrt(product) if product else 0.0
    return 2 * hit / (2 * hit + missed + extra), mcc

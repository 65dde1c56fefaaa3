"""A benchmark is a kind of evidence of its own: numbers, under a predicate that says so."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from hpcgate import evidence
from hpcgate.errors import GateError
from hpcgate.evidence.statement import PREDICATES
from hpcgate.repo import find_root

ROOT = find_root(Path(__file__).parent)
CHECK = "bench-replay"
CONTRACT = ROOT.parent / "shared" / "seeds" / "hpc_contracts.txt"


def test_a_benchmark_record_holds_its_numbers_under_its_own_predicate(checkout: Any) -> None:
    record = checkout.record(CHECK, measurements={"median_seconds": 0.25, "rows": 1000})
    found = json.loads((checkout.root / record.path).read_text())
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["predicateType"] == PREDICATES["benchmark"]
    assert set(found["predicate"]) == {"result", "configuration", "marsEarth"}
    assert found["predicate"]["marsEarth"]["measurements"] == {"median_seconds": 0.25, "rows": 1000}
    assert evidence.load(checkout.root) == [record]
    assert record.run.kind == "benchmark"


def test_the_address_of_the_predicate_leads_to_its_description() -> None:
    page, _, version = PREDICATES["benchmark"].rpartition("/blob/main/")[2].partition("#")
    assert (
        f"\n## {version} " in (ROOT / page).read_text()
        or f"\n## {version}\n" in (ROOT / page).read_text()
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measurements": {}}, "at least one measured number"),
        ({"measurements": {"note": "quick"}}, "at least one measured number"),
        ({"measurements": {"done": True}}, "at least one measured number"),
        ({"measurements": {"s": float("inf")}}, "finite"),
        ({"passed": ["t::a"]}, "not tests"),
    ],
)
def test_a_benchmark_without_a_number_is_not_recorded(
    checkout: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(GateError, match=message):
        checkout.record(CHECK, **options)


def test_a_benchmark_that_could_not_run_needs_no_number(checkout: Any) -> None:
    record = checkout.record(CHECK, "unavailable", measurements={}, subjects=())
    assert record.outcome == "unavailable"


@pytest.mark.parametrize(("kind", "check"), [("test", CHECK), ("benchmark", "smoke-wheel")])
def test_evidence_of_the_wrong_kind_is_a_finding(checkout: Any, kind: str, check: str) -> None:
    """A test that passed is no measurement, and a measurement is no test."""
    record = checkout.record(check)
    path = checkout.root / record.path
    found = json.loads(path.read_text())
    found["predicateType"] = PREDICATES[kind]
    found["predicate"]["marsEarth"]["measurements"] = {"seconds": 1}
    content = json.dumps(found).encode()
    path.unlink()
    stamp = path.name.partition("-")[0]
    path.with_name(f"{stamp}-{hashlib.sha256(content).hexdigest()}.json").write_bytes(content)
    (finding,) = evidence.verify(checkout.root)
    assert finding.problem == "wrong-kind"
    assert evidence.load(checkout.root) == []


# -- The contract, item by item --------------------------------------------------------------------


def words(text: str) -> str:
    return " ".join(text.split())


def test_every_deliverable_of_the_contract_is_a_requirement() -> None:
    if not CONTRACT.is_file():
        pytest.skip("the text of the contract does not lie beside this checkout")
    text = CONTRACT.read_text()
    quoted = {(w.level, words(w.deliverable)) for w in evidence.contract(ROOT).requirements}
    level, required = -1, False
    wanted = []
    for line in text.splitlines():
        if heading := re.match(r"H([0-4]): ", line):
            level = int(heading[1])
        elif re.fullmatch(r"[A-Z].*:", line):
            required = line == "Required deliverables:"
        elif required and line.startswith("- "):
            wanted.append((level, line[2:]))
        elif required and wanted:
            wanted[-1] = (level, f"{wanted[-1][1]} {line}")
    assert len(wanted) == 26
    for level, deliverable in wanted:
        # A bullet may go on with the state of today, which is no deliverable.
        assert any(
            level == known and words(deliverable).startswith(quote) for known, quote in quoted
        ), deliverable
    for _, quote in quoted:
        assert quote in words(text), quote


def test_measured_deliverables_want_a_benchmark_and_no_other() -> None:
    facts = evidence.contract(ROOT)
    wanted = {w.id for w in facts.requirements if facts.checks[w.check].kind == "benchmark"}
    assert wanted == {"h1-baselines", "h1-gain", "h1-thresholds", "h1-memory", "h3-benchmarks"}

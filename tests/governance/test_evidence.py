"""Evidence: what is recorded, what is refused, and what damage looks like."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import socket
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement

from hpcgate import evidence
from hpcgate.errors import GateError
from hpcgate.evidence import LEDGER, Record, junit, statement
from hpcgate.evidence.inputs import matches
from hpcgate.repo import find_root

ROOT = find_root(Path(__file__).parent)
CHECK = "smoke-wheel"
INPUT = "packages/Cargo.lock"
NOW = datetime.now(timezone.utc)


def document(checkout: Any, record: Record) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((checkout.root / record.path).read_text())
    return loaded


def forge(checkout: Any, record: Record, content: bytes, stamp: str = "") -> Path:
    """Replace a record by other bytes under a name whose digest matches them."""
    path = checkout.root / record.path
    stamp = stamp or path.name.partition("-")[0]
    path.unlink()
    forged: Path = path.with_name(f"{stamp}-{hashlib.sha256(content).hexdigest()}.json")
    forged.write_bytes(content)
    return forged


def problems(checkout: Any) -> list[str]:
    return [finding.problem for finding in evidence.verify(checkout.root)]


# -- What a record holds ---------------------------------------------------------------------------


def test_a_record_is_an_in_toto_statement_named_by_its_digest(checkout: Any) -> None:
    record = checkout.record(
        CHECK, tools={"pip": "25.0"}, measurements={"seconds": 2}, passed=["t::a"]
    )
    content = (checkout.root / record.path).read_bytes()
    found = json.loads(content)
    parsed = json_format.ParseDict(found, statement_pb2.Statement())
    Statement.copy_from_pb(parsed).validate()
    assert found["_type"] == "https://in-toto.io/Statement/v1"
    assert found["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert found["predicate"]["result"] == "PASSED"
    assert found["predicate"]["passedTests"] == ["t::a"]
    assert found["subject"] == [
        {
            "name": "dist/wheel.whl",
            "digest": {"sha256": hashlib.sha256(b"content\n").hexdigest()},
        }
    ]
    ours = found["predicate"]["marsEarth"]
    assert set(ours) == {
        "check", "outcome", "reason", "hostClass", "commit", "command", "startedOn", "finishedOn",
        "tools", "measurements", "inputs",
    }  # fmt: skip
    assert ours["measurements"] == {"seconds": 2}
    assert INPUT in ours["inputs"]
    assert Path(record.path).name.endswith(f"Z-{hashlib.sha256(content).hexdigest()}.json")
    assert record.id == f"{CHECK}/{record.digest[:12]}"


def test_what_was_written_is_what_is_loaded(checkout: Any) -> None:
    record = checkout.record(CHECK, measurements={"seconds": 1.5}, passed=["a", "b"])
    assert evidence.load(checkout.root) == [record]
    assert evidence.verify(checkout.root) == []


def test_a_record_never_names_the_machine(checkout: Any) -> None:
    record = checkout.record(CHECK)
    text = (checkout.root / record.path).read_text()
    name = socket.gethostname()
    assert len(name) < 4 or name not in text
    assert str(checkout.root) not in text


@pytest.mark.parametrize("outcome", ["fail", "unavailable"])
def test_a_foreign_reader_never_takes_another_outcome_for_a_pass(
    checkout: Any, outcome: evidence.Outcome
) -> None:
    record = checkout.record(CHECK, outcome, subjects=())
    found = document(checkout, record)
    assert found["predicate"]["result"] == "FAILED"
    # It judged no artefact, so its subjects are its inputs.
    assert {subject["name"] for subject in found["subject"]} == set(record.run.inputs)


def test_the_commit_says_whether_the_inputs_are_committed(checkout: Any) -> None:
    clean = checkout.record(CHECK)
    checkout.write(INPUT, "changed\n")
    dirty = checkout.record(CHECK)
    assert len(clean.run.commit) == 40
    assert dirty.run.commit == clean.run.commit + "+dirty"


def test_an_uncommitted_file_that_is_no_input_does_not_matter(checkout: Any) -> None:
    checkout.write("docs/other.md", "changed\n")
    assert "+dirty" not in checkout.record("smoke-spack").run.commit


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("packages/**", "packages/a/b.rs", True),
        ("packages/**/Cargo.toml", "packages/Cargo.toml", True),
        ("packages/*.toml", "packages/a/Cargo.toml", False),
        ("docs/hpc_*.md", "docs/hpc_contracts.md", True),
        ("docs/hpc_*.md", "docs/index.md", False),
        ("README.md", "docs/README.md", False),
        ("a.b", "axb", False),
    ],
)
def test_globs(glob: str, path: str, expected: bool) -> None:
    assert matches(glob, path) is expected


def test_a_glob_can_take_files_away(checkout: Any) -> None:
    checkout.write("tests/unit/test_x.py")
    inputs = checkout.record("tests").run.inputs
    assert "tests/unit/test_x.py" in inputs
    assert "tests/smoke/file" not in inputs


# -- Host classes ----------------------------------------------------------------------------------


def test_the_host_class_comes_from_the_facts(checkout: Any) -> None:
    text = "classes:\n  - {name: here, system: %s, machine: %s, cpus: [1, 4096]}\n"
    checkout.write("packaging/hosts.yaml", text % (platform.system(), platform.machine()))
    assert evidence.host_class(checkout.root) == "here"
    checkout.write("packaging/hosts.yaml", text % ("Plan9", "vax"))
    assert evidence.host_class(checkout.root) == f"other-{platform.machine()}"


def test_a_host_class_with_bounds_in_the_wrong_order_is_refused(checkout: Any) -> None:
    text = "classes:\n  - {name: here, system: Linux, machine: x86_64, cpus: [4, 1]}\n"
    checkout.write("packaging/hosts.yaml", text)
    with pytest.raises(GateError, match="lower bound"):
        evidence.host_class(checkout.root)


# -- What is refused -------------------------------------------------------------------------------


def test_an_unknown_check_names_the_nearest(checkout: Any) -> None:
    with pytest.raises(GateError, match="did you mean 'smoke-wheel'"):
        checkout.record("smoke-weel")


def test_a_check_without_a_session_cannot_be_recorded(checkout: Any) -> None:
    path = checkout.root / "packaging/levels.yaml"
    path.write_text(
        path.read_text().replace("session: smoke-wheel", "session: null\n    reason: later")
    )
    with pytest.raises(GateError, match="no session records smoke-wheel yet: later"):
        checkout.record(CHECK)


def test_a_check_whose_inputs_select_nothing_is_an_error(checkout: Any) -> None:
    levels = checkout.root / "packaging" / "levels.yaml"
    inputs = "      - packages/Cargo.toml\n      - packages/Cargo.lock\n"
    text = levels.read_text()
    assert inputs in text, "the check `build` lists these first"
    start = text.index(inputs)
    end = text.index("\n\n", start)
    levels.write_text(text[:start] + "      - nowhere/**" + text[end:])
    with pytest.raises(GateError, match="select no file"):
        checkout.record("build")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"subjects": ()}, "needs at least one subject"),
        ({"subjects": ["dist/none.whl"]}, "is not a file"),
        ({"outcome": "fail", "reason": ""}, "needs a reason"),
        ({"failed": ["t::a"]}, "although t::a failed"),
        ({"command": ""}, "command: "),
        ({"measurements": {"seconds": float("nan")}}, "finite"),
        ({"started": NOW, "finished": NOW - timedelta(hours=1)}, "ends before it starts"),
        ({"started": "2030-01-01T00:00:00", "finished": NOW}, "no offset"),
        ({"started": "yesterday", "finished": NOW}, "not an ISO 8601"),
        ({"started": NOW, "finished": NOW + timedelta(days=1)}, "in the future"),
    ],
)
def test_what_cannot_be_true_is_not_recorded(
    checkout: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(GateError, match=message):
        checkout.record(CHECK, **options)
    assert not (checkout.root / LEDGER).exists()


def test_a_clock_that_runs_backwards_is_refused(checkout: Any) -> None:
    checkout.record(CHECK, started=NOW, finished=NOW)
    early = NOW - timedelta(minutes=5)
    with pytest.raises(GateError, match="clock ran backwards"):
        checkout.record(CHECK, "fail", started=early, finished=early)


def test_an_input_that_links_out_of_the_checkout_is_refused(checkout: Any) -> None:
    (checkout.root / "spack/link").symlink_to("/etc/hostname")
    with pytest.raises(GateError, match="out of the checkout"):
        checkout.record("smoke-spack")


def test_an_input_that_links_inside_the_checkout_counts_by_its_target(checkout: Any) -> None:
    link = checkout.root / "spack/link"
    link.symlink_to("file")
    checkout.record("smoke-spack")
    link.unlink()
    link.symlink_to("../README.md")
    assert evidence.load(checkout.root)[0].changed == ("spack/link changed",)


# -- Nothing new, nothing written ------------------------------------------------------------------


def test_a_run_that_says_nothing_new_is_not_written(checkout: Any) -> None:
    first = checkout.record(CHECK)
    assert checkout.record(CHECK) == first
    assert len(evidence.load(checkout.root)) == 1


@pytest.mark.parametrize("news", ["outcome", "input", "subject"])
def test_a_run_that_says_something_new_is_written(checkout: Any, news: str) -> None:
    checkout.record(CHECK)
    if news == "input":
        checkout.write(INPUT, "changed\n")
    if news == "subject":
        checkout.write("dist/wheel.whl", "changed\n")
    checkout.record(CHECK, "fail" if news == "outcome" else "pass")
    assert len(evidence.load(checkout.root)) == 2


# -- States ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "change"),
    [
        ("change", f"{INPUT} changed"),
        ("remove", f"{INPUT} removed"),
        ("add", "packages/pymars/new.py added"),
    ],
)
def test_a_record_is_stale_once_its_inputs_differ(checkout: Any, action: str, change: str) -> None:
    checkout.record(CHECK)
    if action == "change":
        checkout.write(INPUT, "changed\n")
    elif action == "remove":
        (checkout.root / INPUT).unlink()
    else:
        checkout.write("packages/pymars/new.py")
    (record,) = evidence.load(checkout.root)
    assert (record.state, record.changed) == ("stale", (change,))
    assert evidence.verify(checkout.root) == []
    assert [f.problem for f in evidence.verify(checkout.root, release=True)] == ["stale"]


def test_a_file_that_is_no_input_leaves_a_record_current(checkout: Any) -> None:
    checkout.record(CHECK)
    checkout.write("docs/other.md", "changed\n")
    assert evidence.load(checkout.root)[0].state == "current"


@pytest.mark.parametrize("where", [0, 0.25, 0.5, 0.75, -1])
def test_one_changed_byte_is_found(checkout: Any, where: float) -> None:
    path = checkout.root / checkout.record(CHECK).path
    content = bytearray(path.read_bytes())
    content[int(len(content) * where) if where >= 0 else -1] ^= 1
    path.write_bytes(bytes(content))
    assert problems(checkout) in (["tampered"], ["half-written"], ["unreadable"])
    assert all(record.state == "tampered" for record in evidence.load(checkout.root))


def test_an_edited_outcome_is_tampered(checkout: Any) -> None:
    path = checkout.root / checkout.record(CHECK, "fail").path
    text = path.read_text().replace('"FAILED"', '"PASSED"').replace('"fail"', '"pass"')
    path.write_text(text)
    assert problems(checkout) == ["tampered"]
    assert [record.state for record in evidence.load(checkout.root)] == ["tampered"]


# -- Damage ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("renamed", [False, True])
def test_a_half_written_record_is_a_named_finding(checkout: Any, renamed: bool) -> None:
    record = checkout.record(CHECK)
    path = checkout.root / record.path
    cut = path.read_bytes()[:200]
    if renamed:
        forge(checkout, record, cut)
    else:
        path.write_bytes(cut)
    assert problems(checkout) == ["half-written"]
    assert evidence.load(checkout.root) == []


def _without_digest(found: dict[str, Any]) -> None:
    found["subject"][0]["digest"] = {"sha1": "0" * 40}


def _backwards(found: dict[str, Any]) -> None:
    ours = found["predicate"]["marsEarth"]
    ours["startedOn"] = "2099-01-01T00:00:00+00:00"


def _contradiction(found: dict[str, Any]) -> None:
    found["predicate"]["result"] = "FAILED"


def _hidden_failure(found: dict[str, Any]) -> None:
    found["predicate"]["failedTests"] = ["t::a"]


def _other_predicate(found: dict[str, Any]) -> None:
    found["predicateType"] = "https://slsa.dev/provenance/v1"


def _field_too_many(found: dict[str, Any]) -> None:
    found["predicate"]["marsEarth"]["level"] = "H4"


def _no_subject(found: dict[str, Any]) -> None:
    found["subject"] = []


def _no_inputs(found: dict[str, Any]) -> None:
    found["predicate"]["marsEarth"]["inputs"] = {}


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (_without_digest, "subjects"),
        (_backwards, "ends before it starts"),
        (_contradiction, "contradicts"),
        (_hidden_failure, "although t::a failed"),
        (_other_predicate, "predicate is not"),
        (_field_too_many, "level"),
        (_no_subject, "subject"),
        (_no_inputs, "inputs"),
    ],
)
def test_a_well_named_record_that_cannot_be_true_is_refused(
    checkout: Any, edit: Any, message: str
) -> None:
    record = checkout.record(CHECK)
    found = document(checkout, record)
    edit(found)
    forge(checkout, record, json.dumps(found).encode())
    (finding,) = evidence.verify(checkout.root)
    assert finding.problem == "unreadable"
    assert message in finding.message
    assert evidence.load(checkout.root) == []


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff\xfe binary",
        b"[]",
        b"null",
        b"{}",
        b'{"_type": 3}',
        b'{"predicate": []}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"1" * 10_000,
    ],
)
def test_bytes_that_are_no_record_are_a_finding(checkout: Any, content: bytes) -> None:
    forge(checkout, checkout.record(CHECK), content)
    (finding,) = evidence.verify(checkout.root)
    assert finding.problem in ("unreadable", "half-written")
    assert "\n" not in str(finding)


def test_a_record_in_another_folder_or_under_another_time_is_a_wrong_name(checkout: Any) -> None:
    record = checkout.record(CHECK)
    content = (checkout.root / record.path).read_bytes()
    forge(checkout, record, content, stamp="20200101T000000000000Z")
    assert problems(checkout) == ["wrong-name"]


@pytest.mark.parametrize("name", ["notes.txt", "20200101T000000Z.json", "x/y.json"])
def test_a_file_with_another_name_is_a_finding(checkout: Any, name: str) -> None:
    checkout.write(f"{LEDGER}/{CHECK}/{name}")
    assert problems(checkout) == ["wrong-name"]


def test_a_record_from_the_future_is_a_finding(checkout: Any) -> None:
    record = checkout.record(CHECK)
    found = document(checkout, record)
    ahead = datetime(2099, 1, 1, tzinfo=timezone.utc)
    found["predicate"]["marsEarth"]["finishedOn"] = ahead.isoformat()
    forge(checkout, record, json.dumps(found).encode(), stamp="20990101T000000000000Z")
    assert problems(checkout) == ["clock"]
    assert evidence.load(checkout.root) == []


def test_a_record_of_a_check_that_is_gone_is_a_finding(checkout: Any) -> None:
    record = checkout.record(CHECK)
    found = document(checkout, record)
    found["predicate"]["marsEarth"]["check"] = "gone"
    path = forge(checkout, record, json.dumps(found).encode())
    moved = checkout.root / LEDGER / "gone" / path.name
    moved.parent.mkdir()
    path.rename(moved)
    assert problems(checkout) == ["unknown-check"]


def test_a_symbolic_link_is_not_followed(checkout: Any, tmp_path: Path) -> None:
    record = checkout.record(CHECK)
    path = checkout.root / record.path
    outside = tmp_path / path.name
    path.rename(outside)
    path.symlink_to(outside)
    assert problems(checkout) == ["symlink"]
    assert evidence.load(checkout.root) == []


def test_a_ledger_that_is_a_link_is_not_read(checkout: Any, tmp_path: Path) -> None:
    checkout.record(CHECK)
    (checkout.root / LEDGER).rename(tmp_path / "elsewhere")
    (checkout.root / LEDGER).symlink_to(tmp_path / "elsewhere")
    assert problems(checkout) == ["symlink"]
    assert evidence.load(checkout.root) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read every file")
def test_a_record_that_cannot_be_opened_is_a_finding(checkout: Any) -> None:
    (checkout.root / checkout.record(CHECK).path).chmod(0)
    assert problems(checkout) == ["unreadable"]


def test_an_interrupted_write_is_a_finding(checkout: Any) -> None:
    record = checkout.record(CHECK)
    checkout.write(f"{LEDGER}/{CHECK}/.{Path(record.path).name}.abc")
    assert problems(checkout) == ["leftover"]
    assert len(evidence.load(checkout.root)) == 1


@pytest.mark.parametrize("staged", [False, True])
def test_a_committed_record_that_is_gone_is_a_finding(checkout: Any, staged: bool) -> None:
    record = checkout.record(CHECK)
    checkout.commit()
    if staged:
        checkout.git("rm", "--quiet", record.path)
    else:
        (checkout.root / record.path).unlink()
    (finding,) = evidence.verify(checkout.root)
    assert (finding.problem, finding.path) == ("removed", record.path)


def test_the_ledger_of_this_checkout_holds() -> None:
    assert [str(finding) for finding in evidence.verify(ROOT)] == []


# -- Words from a session --------------------------------------------------------------------------

SUITES = {
    "good": '<testsuites><testsuite><testcase classname="m" name="a"/></testsuite></testsuites>',
    "bad": '<testsuite><testcase name="a"/><testcase name="b"><failure/></testcase></testsuite>',
    "error": '<testsuite><testcase name="b"><error/></testcase></testsuite>',
    "skipped": '<testsuite><testcase name="b"><skipped/></testcase></testsuite>',
    "empty": "<testsuite/>",
}


@pytest.mark.parametrize(
    ("suite", "passed", "failed"),
    [
        ("good", ("m (1)",), ()),
        ("bad", ("tests (1)",), ("tests::b",)),
        ("error", (), ("tests::b",)),
        ("skipped", (), ()),
        ("empty", (), ()),
    ],
)
def test_junit_names(
    tmp_path: Path, suite: str, passed: tuple[str, ...], failed: tuple[str, ...]
) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(SUITES[suite])
    assert junit.read_junit(path) == (passed, failed)


def test_junit_names_can_be_narrowed(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    case = '<testcase classname="{}" name="a">{}</testcase>'
    inner = case.format("tests.unit", "<failure/>") + case.format("tests.conformance", "")
    path.write_text(f"<testsuite>{inner}</testsuite>")
    assert junit.read_junit(path, "conformance") == (("tests.conformance (1)",), ())
    assert junit.read_junit(path, "unit") == ((), ("tests.unit::a",))
    assert junit.read_junit(path, "nowhere") == ((), ())


@pytest.mark.parametrize(
    "content", [b"", b"<testsuite>", b"\x00", b'<!DOCTYPE x [<!ENTITY a "b">]><testsuite/>']
)
def test_what_is_not_junit_is_one_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "junit.xml"
    path.write_bytes(content)
    with pytest.raises(GateError, match=r"junit\.xml"):
        junit.read_junit(path)


@pytest.mark.parametrize(
    ("suite", "expected"),
    [("good", "pass"), ("bad", "fail"), ("error", "fail"), ("skipped", "fail"), ("empty", "fail")],
)
@pytest.mark.parametrize("hoped", [None, "pass"])
def test_the_tests_decide_the_outcome(
    checkout: Any, tmp_path: Path, suite: str, expected: str, hoped: evidence.Outcome | None
) -> None:
    path = tmp_path / "junit.xml"
    path.write_text(SUITES[suite])
    record = evidence.record_options(
        checkout.root,
        "tests",
        outcome=hoped,
        subjects=[Path("dist/wheel.whl")],
        command="nox -s tests",
        started="2026-01-01T00:00:00Z",
        finished="2026-01-01T01:00:00+01:00",
        tools=["pytest=8.4"],
        measurements=["seconds=1.5", "engine=bwrap"],
        junit=path,
    )
    assert record.outcome == expected
    assert record.run.tools["pytest"] == "8.4"
    assert {"python3", "git", "cargo"} <= set(record.run.tools), "packaging/tools.yaml names them"
    assert record.run.measurements == {"seconds": 1.5, "engine": "bwrap"}


@pytest.mark.parametrize(
    ("options", "message"),
    [({}, "no outcome"), ({"outcome": "pass", "tools": ["pytest"]}, "not name=value")],
)
def test_options_without_sense_are_refused(
    checkout: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(GateError, match=message):
        evidence.record_options(
            checkout.root,
            CHECK,
            subjects=[Path("dist/wheel.whl")],
            command="x",
            started="2026-01-01T00:00:00Z",
            finished="2026-01-01T00:00:00Z",
            **options,
        )


def test_the_library_refuses_what_we_would_write_wrongly(checkout: Any) -> None:
    run = checkout.record(CHECK).run.model_copy(update={"subjects": {}})
    with pytest.raises(ValueError, match="subject"):
        statement.build(run, {})

"""The frame of the smoke sessions: what counts as a pass, and what is recorded and printed."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hpcgate.cleanroom import Result
from hpcgate.errors import GateError
from hpcgate.smoke import Smoke, conclude, exit_status, read_report

HERE = Path("checkout")


def report(*tests: tuple[str, bool], **other: Any) -> str:
    listed = [{"name": name, "passed": passed, "detail": "d"} for name, passed in tests]
    return json.dumps({"tests": listed, "versions": {}, "measurements": {}, **other})


def judge(stdout: str, returncode: int = 0, see: str = "") -> Smoke:
    smoke = Smoke()
    done = Result(returncode, stdout, "last words", 0.1)
    smoke.take_in("script-reports", done, silent=f"no report: {done.why}", see=see)
    return smoke


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    class Entry:
        id = "smoke-test/0"

    def record(root: Path, check: str, outcome: str, **fields: Any) -> Entry:
        calls.append({"root": root, "check": check, "outcome": outcome, **fields})
        return Entry()

    monkeypatch.setattr("hpcgate.smoke.record", record)
    return calls


# The report of a script


def test_a_whole_report_passes() -> None:
    versions, measurements = {"numpy": "2"}, {"vectors": 95.0}
    told = report(("fits", True), ("replays", True), versions=versions, measurements=measurements)
    smoke = judge(f"chatter\n{told}\n")
    assert (smoke.outcome, smoke.reason) == ("pass", "")
    assert [test.name for test in smoke.tests] == ["fits", "replays", "script-reports"]
    assert (smoke.tools, smoke.measurements) == (versions, measurements)


@pytest.mark.parametrize(
    ("stdout", "returncode", "reason"),
    [
        ("", 0, "script-reports: no report: last words"),
        ("all is well", 0, "no report"),
        (report(), 0, "no report"),
        (report(("fits", True), ("fits", True)), 0, "no report"),
        (report(("It fits", True)), 0, "no report"),
        (report(("fits", True), extra=1), 0, "no report"),
        (report(("fits", True)) + "\nSegmentation fault", 139, "no report"),
        (report(("fits", False)), 1, "fits: d"),
        (report(("fits", False)), 0, "also script-reports"),
        (report(("fits", True)), 139, "1 tests, exit 139"),
    ],
)
def test_everything_else_fails(stdout: str, returncode: int, reason: str) -> None:
    smoke = judge(stdout, returncode)
    assert smoke.outcome == "fail"
    assert reason in smoke.reason


def test_only_a_failed_test_names_its_log() -> None:
    smoke = judge(report(("fits", True), ("replays", False)), 1, see="see use.log")
    details = [test.detail for test in smoke.tests]
    assert details == ["d", "d; see use.log", "2 tests, exit 1"]


def test_what_is_no_json_is_no_report() -> None:
    assert read_report("") is None
    assert read_report(" \n") is None
    assert read_report("{'tests': []}") is None


# The verdict


def test_nothing_tested_is_a_failure() -> None:
    assert (Smoke().outcome, Smoke().reason) == ("fail", "nothing was tested")


def test_what_cannot_run_here_is_no_failure() -> None:
    smoke = Smoke(unavailable="no engine")
    smoke.add("fits", False, "d")
    assert (smoke.outcome, smoke.reason) == ("unavailable", "no engine")


def test_a_failure_without_words_is_named_all_the_same() -> None:
    smoke = Smoke()
    smoke.add("fits", False, "")
    assert smoke.reason == "fits: no detail"


# The record and the lines


def test_what_was_seen_is_recorded_and_printed(
    recorded: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    smoke = Smoke(tools={"pip": "25"}, measurements={"use_seconds": 0.1})
    smoke.add("fits", True, "[5] rows")
    smoke.add("replays", False, "off by one")
    subjects = [HERE / "a.whl"]
    assert conclude(smoke, HERE, subjects, "smoke-test", title="a.whl", logs="log x.log") == "fail"
    (call,) = recorded
    began, ended = call.pop("started"), call.pop("finished")
    assert isinstance(began, datetime) and began == smoke.started <= ended
    assert call == {
        "root": HERE,
        "check": "smoke-test",
        "outcome": "fail",
        "subjects": subjects,
        "command": "nox -s smoke-test",
        "reason": "replays: off by one",
        "tools": {"pip": "25"},
        "measurements": {"use_seconds": 0.1},
        "passed": ["fits"],
        "failed": ["replays"],
    }
    out, err = capsys.readouterr()
    assert out == "" and "[5] rows" in err
    assert err.splitlines()[0].strip() == "a.whl"
    assert err.splitlines()[-2:] == [
        "fail  replays: off by one",
        "evidence smoke-test/0, log x.log",
    ]


def test_a_pass_has_no_reason(
    recorded: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    smoke = Smoke()
    smoke.add("fits", True, "")
    again = "nox -s smoke-test -- --twice"
    assert conclude(smoke, HERE, [], "smoke-test", title="t", command=again) == "pass"
    assert recorded[0]["command"] == again
    assert (recorded[0]["outcome"], recorded[0]["reason"]) == ("pass", "")
    assert capsys.readouterr().err.splitlines()[-2:] == ["pass", "evidence smoke-test/0"]


def test_a_rehearsal_is_printed_and_not_recorded(
    recorded: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    smoke = Smoke(unavailable="no engine")
    assert conclude(smoke, HERE, [], "smoke-test", title="t", recorded=False) == "unavailable"
    assert recorded == []
    assert capsys.readouterr().err.splitlines()[-1] == "unavailable  no engine"


# The program


@pytest.mark.parametrize("status", [0, 1])
def test_the_status_of_a_session_is_kept(status: int) -> None:
    assert exit_status("smoke-test", lambda: status) == status


@pytest.mark.parametrize("error", [GateError("no wheel", hint="build one"), OSError("disk full")])
def test_bad_input_is_one_line_and_status_two(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def main() -> int:
        raise error

    assert exit_status("smoke-test", main) == 2
    assert capsys.readouterr() == ("", f"smoke-test: {error}\n")

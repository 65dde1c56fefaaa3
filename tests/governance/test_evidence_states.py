"""Current, stale since when, and tampered: told apart, and said so on the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from hpcgate import evidence
from hpcgate.evidence import LEDGER, Change, History

CHECK = "smoke-wheel"
INPUT = "packages/Cargo.lock"
LATER = datetime(2031, 5, 6, 7, 8, tzinfo=timezone.utc)


def commit(checkout: Any, when: datetime, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("GIT_COMMITTER_DATE", when.isoformat())
    checkout.commit()
    done = subprocess.run(
        ["git", "-C", checkout.root, "rev-parse", "HEAD"], capture_output=True, text=True
    )
    return done.stdout.strip()


def changes(checkout: Any) -> tuple[Change, ...]:
    return History(checkout.root).changes(evidence.load(checkout.root)[-1])


def verify(checkout: Any, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hpcgate.evidence", "verify", *options]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [*command, "--root", checkout.root], capture_output=True, text=True, env=environment
    )


# -- Since when ------------------------------------------------------------------------------------


def test_a_current_record_has_no_changes(checkout: Any) -> None:
    checkout.record(CHECK)
    assert changes(checkout) == ()


def test_the_first_commit_that_changed_an_input_tells_since_when(
    checkout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.record(CHECK)
    checkout.write(INPUT, "changed\n")
    first = commit(checkout, LATER, monkeypatch)
    checkout.write(INPUT, "changed again\n")
    commit(checkout, LATER + timedelta(days=1), monkeypatch)
    (change,) = changes(checkout)
    assert (change.since, change.commit, change.note) == (LATER, first, "")
    assert str(change) == f"{INPUT} changed since 2031-05-06 07:08 UTC (commit {first[:12]})"


def test_a_change_that_was_taken_back_in_between_does_not_count(
    checkout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (checkout.root / INPUT).read_text()
    checkout.record(CHECK)
    for days, text in enumerate(["changed\n", before, "changed\n"]):
        (checkout.root / INPUT).write_text(text)
        commit(checkout, LATER + timedelta(days=days), monkeypatch)
    (change,) = changes(checkout)
    assert change.since == LATER + timedelta(days=2)


@pytest.mark.parametrize("how", ["added", "removed"])
def test_an_input_that_came_or_went_has_its_commit(
    checkout: Any, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    checkout.record(CHECK)
    if how == "added":
        checkout.write("packages/pymars/new.py")
    else:
        (checkout.root / INPUT).unlink()
    made = commit(checkout, LATER, monkeypatch)
    (change,) = changes(checkout)
    assert change.what.endswith(how)
    assert (change.since, change.commit) == (LATER, made)


def test_what_is_not_committed_has_no_date(checkout: Any) -> None:
    checkout.record(CHECK)
    checkout.write(INPUT, "changed\n")
    checkout.write("packages/pymars/new.py")
    assert [str(change) for change in changes(checkout)] == [
        f"{INPUT} changed, not committed yet",
        "packages/pymars/new.py added, not committed yet",
    ]


def test_a_state_that_was_recorded_before_its_commit_is_found(
    checkout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record judged an edit; the commit of that edit is no change, the next one is."""
    checkout.write(INPUT, "edited\n")
    checkout.record(CHECK)
    commit(checkout, LATER, monkeypatch)
    assert changes(checkout) == ()
    checkout.write(INPUT, "edited again\n")
    commit(checkout, LATER + timedelta(days=1), monkeypatch)
    (change,) = changes(checkout)
    assert change.since == LATER + timedelta(days=1)


def test_a_state_that_was_never_committed_is_said(checkout: Any) -> None:
    before = (checkout.root / INPUT).read_text()
    checkout.write(INPUT, "edited\n")
    checkout.record(CHECK)
    (checkout.root / INPUT).write_text(before)
    (change,) = changes(checkout)
    assert change.note == "as the record judged a state that was never committed"


def test_a_commit_dated_before_the_record_still_counts(
    checkout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another machine's clock may run behind; the place in the history decides."""
    checkout.record(CHECK)
    checkout.write(INPUT, "changed\n")
    early = datetime(2020, 1, 1, tzinfo=timezone.utc)
    commit(checkout, early, monkeypatch)
    (change,) = changes(checkout)
    assert change.since == early


def test_a_record_whose_commit_was_rebased_away_goes_by_the_dates(
    checkout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.write("docs/other.md", "first\n")
    checkout.commit()
    checkout.record(CHECK)
    checkout.git("commit", "--quiet", "--amend", "--no-edit", "--message", "another")
    checkout.write(INPUT, "changed\n")
    commit(checkout, LATER, monkeypatch)
    (change,) = changes(checkout)
    assert change.since == LATER


def test_a_check_that_selects_other_inputs_is_said(checkout: Any) -> None:
    checkout.record(CHECK)
    levels = checkout.root / "packaging/levels.yaml"
    text = levels.read_text()
    where = text.index("  smoke-wheel:\n")
    old = text[where:].replace("      - packages/Cargo.lock\n", "      - README.md\n", 1)
    levels.write_text(text[:where] + old)
    assert [str(change) for change in changes(checkout)] == [
        "README.md added, as packaging/levels.yaml selects other inputs",
        f"{INPUT} removed, as packaging/levels.yaml selects other inputs",
    ]


def test_a_history_that_is_cut_off_says_so(
    checkout: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    checkout.record(CHECK)
    checkout.write(INPUT, "changed\n")
    commit(checkout, LATER, monkeypatch)
    clone = tmp_path / "clone"
    source = f"file://{checkout.root}"
    subprocess.run(["git", "clone", "--quiet", "--depth=1", source, clone], check=True)
    (record,) = evidence.load(clone)
    (change,) = History(clone).changes(record)
    assert change.note == "or earlier: the history here is cut off"


def test_an_unpacked_archive_has_no_history(checkout: Any) -> None:
    checkout.record(CHECK)
    checkout.write(INPUT, "changed\n")
    (checkout.root / ".git").rename(checkout.root / "git")
    assert [str(change) for change in changes(checkout)] == [
        f"{INPUT} changed, no history tells since when"
    ]


# -- On the command line ---------------------------------------------------------------------------


def test_verify_tells_the_three_states_apart(
    checkout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout.record("recipes")
    stale = checkout.record(CHECK)
    bad = checkout.record("smoke-spack")
    path = checkout.root / bad.path
    path.write_bytes(path.read_bytes().replace(b"nox -s x", b"nox -s y"))
    checkout.write("packages/pymars/new.py")
    made = commit(checkout, LATER, monkeypatch)
    done = verify(checkout)
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        f"{bad.path}: tampered: its bytes do not match the digest in its name",
        f"stale: {stale.id}: packages/pymars/new.py added since 2031-05-06 07:08 UTC "
        f"(commit {made[:12]})",
        "3 records: 1 current, 1 stale, 1 tampered; 1 findings",
    ]


def test_verify_accepts_stale_on_a_working_tree_and_refuses_it_for_a_release(
    checkout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = checkout.record(CHECK)
    checkout.write(INPUT, "changed\n")
    commit(checkout, LATER, monkeypatch)
    assert verify(checkout).returncode == 0
    done = verify(checkout, "--release")
    assert done.returncode == 1
    assert f"{record.path}: stale: {INPUT} changed since 2031-05-06 07:08 UTC" in done.stdout


def _binary(root: Path, path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 10)


def _half(root: Path, path: Path) -> None:
    path.write_bytes(path.read_bytes()[:300])


def _link(root: Path, path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def _folder_link(root: Path, path: Path) -> None:
    elsewhere = root.parent / "elsewhere"
    path.parent.rename(elsewhere)
    path.parent.symlink_to(elsewhere)


def _fifo(root: Path, path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _strange_name(root: Path, path: Path) -> None:
    os.rename(path, os.fsencode(path.parent) + b"/\xff\n\x1b[31m.json")


def _huge(root: Path, path: Path) -> None:
    with path.open("ab") as stream:
        stream.truncate(9 << 20)


def _ledger_is_a_file(root: Path, path: Path) -> None:
    (root / LEDGER).rename(root / "moved")
    (root / LEDGER).write_text("not a folder\n")


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (_binary, "unreadable"),
        (_half, "half-written"),
        (_link, "symlink"),
        (_folder_link, "symlink"),
        (_fifo, "special"),
        (_strange_name, "wrong-name"),
        (_huge, "too-large"),
        (_ledger_is_a_file, "unreadable"),
    ],
)
def test_damage_to_the_ledger_is_a_named_finding_and_no_pass(
    checkout: Any, damage: Any, problem: str
) -> None:
    damage(checkout.root, checkout.root / checkout.record(CHECK).path)
    done = verify(checkout)
    assert done.returncode == 1
    assert done.stderr == ""
    first, *rest = done.stdout.splitlines()
    assert f": {problem}: " in first
    assert rest == ["0 records: 0 current, 0 stale, 0 tampered; 1 findings"]
    explained = subprocess.run(
        [sys.executable, "-m", "hpcgate.cli", "level", "--explain", "--root", checkout.root],
        capture_output=True,
        text=True,
    )
    assert explained.returncode == 0, explained.stderr
    assert "Level: none (0 of " in explained.stdout
    assert "nox -s smoke-wheel  # " in explained.stdout


def _invalid_yaml(root: Path) -> None:
    (root / "packaging/levels.yaml").write_text("checks: [unclosed\n")


def _binary_yaml(root: Path) -> None:
    (root / "packaging/levels.yaml").write_bytes(b"\x00\xff\xfe")


def _no_contract(root: Path) -> None:
    (root / "packaging/levels.yaml").unlink()


def _input_out_of_the_tree(root: Path) -> None:
    (root / "packages/pymars/link.py").symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    "damage", [_invalid_yaml, _binary_yaml, _no_contract, _input_out_of_the_tree]
)
@pytest.mark.parametrize("command", [["evidence", "verify"], ["evidence", "list"], ["level"]])
def test_facts_that_cannot_be_read_are_one_line_and_status_2(
    checkout: Any, damage: Any, command: list[str]
) -> None:
    checkout.record(CHECK)
    damage(checkout.root)
    done = subprocess.run(
        [sys.executable, "-m", "hpcgate.cli", *command, "--root", checkout.root],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("hpcgate: ")

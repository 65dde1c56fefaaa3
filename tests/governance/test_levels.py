"""Levels: what counts, what does not, and that nothing but the ledger raises them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hpcgate import claims, evidence, levels, report
from hpcgate.errors import GateError
from hpcgate.evidence.inputs import matches
from hpcgate.levels import Assessment, assess, explain, satisfied
from hpcgate.repo import find_root, tracked_files

ROOT = find_root(Path(__file__).parent)
CHECK = "smoke-wheel"
REQUIREMENT = "h0-clean-install"
INPUT = "packages/pymars/file"


def status(assessment: Assessment, requirement: str = REQUIREMENT) -> levels.RequirementStatus:
    return next(found for found in assessment.requirements if found.id == requirement)


def printed(assessment: Assessment) -> str:
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(report.table(assessment))
    return capture.get()


# -- What counts -----------------------------------------------------------------------------------


def test_without_records_there_is_no_level(checkout: Any) -> None:
    assessment = assess(checkout.root)
    assert (assessment.level, assessment.level_name) == (-1, "none")
    assert {found.outcome for found in assessment.requirements} == {"missing"}


def test_a_level_is_reached_with_every_requirement_up_to_it(checkout: Any) -> None:
    requirements = evidence.contract(checkout.root).requirements
    for level in range(5):
        for wanted in requirements:
            if wanted.level == level:
                checkout.record(wanted.check)
        assert assess(checkout.root).level == level
        assert assess(checkout.root, release=True).level == level


def test_a_higher_level_needs_the_lower_ones(checkout: Any) -> None:
    for wanted in evidence.contract(checkout.root).requirements:
        if wanted.level == 1:
            checkout.record(wanted.check)
    assert assess(checkout.root).level == -1


def test_each_requirement_alone_holds_its_level_back(checkout: Any) -> None:
    records = {record.check: record for record in checkout.reach(4)}
    for wanted in evidence.contract(checkout.root).requirements:
        path = checkout.root / records[wanted.check].path
        content = path.read_bytes()
        path.unlink()
        assert assess(checkout.root).level == wanted.level - 1, wanted.id
        path.write_bytes(content)
    assert assess(checkout.root).level == 4


# -- The three ways to lose it ---------------------------------------------------------------------


@pytest.mark.parametrize("committed", [False, True])
def test_deleting_a_record_lowers_the_level(checkout: Any, committed: bool) -> None:
    records = checkout.reach(0)
    if committed:
        checkout.commit()
    assert assess(checkout.root).level == 0
    (checkout.root / records[0].path).unlink()
    assert assess(checkout.root).level == -1


def test_deleting_the_latest_record_does_not_bring_an_older_one_back(checkout: Any) -> None:
    checkout.reach(0)
    failed = checkout.record(CHECK, "fail")
    checkout.commit()
    (checkout.root / failed.path).unlink()
    found = status(assess(checkout.root))
    assert (found.outcome, found.satisfied) == ("fail", False)
    assert "git restore" in found.reason
    checkout.record(CHECK)
    assert assess(checkout.root).level == 0


def test_editing_one_byte_lowers_the_level(checkout: Any) -> None:
    checkout.reach(0)
    path = checkout.root / next(r.path for r in evidence.load(checkout.root) if r.check == CHECK)
    content = path.read_bytes()
    path.write_bytes(content.replace(b"nox -s x", b"nox -s y"))
    found = status(assess(checkout.root))
    assert (found.outcome, found.state, found.satisfied) == ("fail", "tampered", False)
    assert assess(checkout.root).level == -1
    path.write_bytes(content)
    assert assess(checkout.root).level == 0


def test_changing_an_input_makes_it_stale_and_a_release_refuses_it(checkout: Any) -> None:
    checkout.reach(0)
    checkout.write(INPUT, "changed\n")
    on_tree, for_release = assess(checkout.root), assess(checkout.root, release=True)
    assert on_tree.level == 0
    assert for_release.level == -1
    assert status(on_tree).state == status(for_release).state == "stale"
    assert f"{INPUT} changed" in status(on_tree).reason
    assert "a release accepts current evidence only" in status(for_release).reason
    assert "pass (stale)" in printed(on_tree)


# -- Which record decides --------------------------------------------------------------------------


def test_unavailable_never_counts(checkout: Any) -> None:
    checkout.reach(0)
    for record in evidence.load(checkout.root):
        (checkout.root / record.path).unlink()
        checkout.record(record.check, "unavailable")
    assessment = assess(checkout.root)
    assert assessment.level == -1
    found = status(assessment)
    assert (found.outcome, found.satisfied, found.reason) == ("unavailable", False, "because")


def test_a_machine_that_cannot_run_a_check_does_not_contradict_one_that_could(
    checkout: Any,
) -> None:
    checkout.reach(0)
    checkout.record(CHECK, "unavailable")
    assert assess(checkout.root).level == 0


def test_a_machine_that_cannot_run_a_check_does_not_hide_its_failure(checkout: Any) -> None:
    checkout.record(CHECK, "fail")
    checkout.record(CHECK, "unavailable")
    assert status(assess(checkout.root)).outcome == "fail"


def test_the_latest_of_pass_and_failure_decides(checkout: Any) -> None:
    checkout.reach(0)
    checkout.record(CHECK, "fail")
    assert assess(checkout.root).level == -1
    checkout.record(CHECK)
    assert assess(checkout.root).level == 0


@pytest.mark.parametrize("damage", ["edit", "cut", "empty", "rename", "link"])
def test_damaging_a_failure_does_not_bring_an_earlier_pass_back(checkout: Any, damage: str) -> None:
    checkout.reach(0)
    path = checkout.root / checkout.record(CHECK, "fail").path
    content = path.read_bytes()
    if damage == "edit":
        path.write_bytes(content.replace(b'"fail"', b'"pass"'))
    elif damage == "cut":
        path.write_bytes(content[:100])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "rename":
        path.rename(path.with_name("20200101T000000000000Z" + path.name[22:]))
    else:
        path.unlink()
        path.symlink_to("/nowhere")
    assert assess(checkout.root).level == -1


def test_a_new_run_heals_a_damaged_record(checkout: Any) -> None:
    checkout.reach(0)
    path = checkout.root / checkout.record(CHECK, "fail").path
    path.write_bytes(b"cut")
    checkout.record(CHECK)
    assert assess(checkout.root).level == 0
    assert [finding.problem for finding in evidence.verify(checkout.root)] == ["half-written"]


def test_a_check_without_a_session_is_unavailable_whatever_the_ledger_holds(checkout: Any) -> None:
    checkout.reach(0)
    path = checkout.root / "packaging/levels.yaml"
    text = path.read_text().replace("session: smoke-wheel", "session: null\n    reason: later")
    path.write_text(text)
    found = status(assess(checkout.root))
    assert (found.outcome, found.reason, found.satisfied) == ("unavailable", "later", False)


# -- The claims gate and the level -----------------------------------------------------------------


def test_the_gate_judges_against_the_level_without_itself(checkout: Any) -> None:
    facts = evidence.contract(checkout.root)
    for wanted in facts.requirements:
        if wanted.level == 0 and wanted.check != facts.claims_check:
            checkout.record(wanted.check)
    assessment = assess(checkout.root)
    assert (assessment.level, assessment.claimable) == (-1, 0)
    checkout.record(facts.claims_check)
    assert assess(checkout.root).level == 0
    checkout.record(facts.claims_check, "fail")
    assert (assess(checkout.root).level, assess(checkout.root).claimable) == (-1, 0)


PAGE = """\
---
hpc_level: H0
---

# Page

The wheel installs in a clean root (evidence: h0-clean-install).
"""


@pytest.mark.parametrize("how", ["delete", "edit", "fail", "unavailable"])
def test_a_page_that_relied_on_a_lost_record_fails_the_claims_gate(checkout: Any, how: str) -> None:
    page = checkout.write("docs/page.md", PAGE)
    records = {record.check: record for record in checkout.reach(0)}
    assert claims.check(checkout.root, [page], strict=True) == []
    path = checkout.root / records[CHECK].path
    if how == "delete":
        path.unlink()
    elif how == "edit":
        path.write_bytes(path.read_bytes()[:-2] + b" \n")
    elif how == "fail":
        checkout.record(CHECK, "fail")
    else:
        path.unlink()
        checkout.record(CHECK, "unavailable")
    assert claims.check(checkout.root, [page], strict=True) != []


def test_a_page_that_relied_on_a_stale_record_holds_on_a_working_tree(checkout: Any) -> None:
    page = checkout.write("docs/page.md", PAGE)
    checkout.reach(0)
    checkout.write(INPUT, "changed\n")
    assert claims.check(checkout.root, [page], strict=True) == []


# -- What people read ------------------------------------------------------------------------------


def test_what_the_next_level_lacks_is_a_list_of_commands(checkout: Any) -> None:
    checkout.reach(0)
    assert all(line.startswith("nox -s ") for line in explain(assess(checkout.root)))
    assert len(explain(assess(checkout.root))) == sum(
        wanted.level == 1 for wanted in evidence.contract(checkout.root).requirements
    )
    complete = assess(checkout.root).model_copy(update={"level": 4})
    assert explain(complete) == ["# every requirement of H0 to H4 is met"]


def test_satisfied_follows_the_requirement(checkout: Any) -> None:
    assert satisfied(assess(checkout.root), REQUIREMENT) is False
    checkout.record(CHECK)
    assert satisfied(assess(checkout.root), REQUIREMENT) is True
    with pytest.raises(GateError, match="did you mean 'h0-clean-install'"):
        satisfied(assess(checkout.root), "h0-clean-instal")


def test_the_table_names_every_requirement_in_100_columns_without_colour(checkout: Any) -> None:
    checkout.record(CHECK, "fail", reason="the [bold]wheel[/bold] does not import")
    text = printed(assess(checkout.root))
    for wanted in evidence.contract(checkout.root).requirements:
        assert f"{wanted.id} " in text
    assert "the [bold]wheel[/bold] does not import" in " ".join(text.split())
    assert "Level: none (0 of " in text
    assert max(len(line) for line in text.splitlines()) <= 100
    assert "\x1b" not in text


def test_the_list_of_records_shows_their_state(checkout: Any) -> None:
    record = checkout.record(CHECK)
    checkout.write(INPUT, "changed\n")
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(report.records(evidence.load(checkout.root)))
    assert record.id in capture.get()
    assert "stale" in capture.get()
    assert f"{INPUT} changed" in " ".join(capture.get().split())


def test_the_page_shows_the_table_of_the_facts() -> None:
    page = (ROOT / "docs/hpc_contracts.md").read_text()
    block = re.search(r"<!-- generated:levels -->(.*)<!-- /generated:levels -->", page, re.DOTALL)
    assert block is not None
    assert block.group(1).strip() == levels.markdown(ROOT).strip(), "run: nox -s gen"


# -- The facts themselves --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("claims_check: claims", "claims_check: clams", "unknown check clams"),
        ("claims_check: claims", "claim_check: claims", "did you mean `claims_check`"),
        ("check: smoke-wheel", "check: smoke-weel", "unknown check smoke-weel"),
        ("id: h0-spack", "id: h0-claims", "occurs twice"),
        ("id: h0-spack, level: H0", "id: h0-spack, level: H1", "does not start with its level"),
        ("level: H0, check: claims", "level: H7, check: claims", "not one of H0"),
        ("session: build", "session: null", "needs a reason"),
        ("  - level: H4\n", "  - level: H3\n", "each once, in order"),
        ("    shows: The sdist and the wheel build from this tree.\n", "", "shows: missing"),
    ],
)
def test_a_contract_that_contradicts_itself_is_refused(
    checkout: Any, old: str, new: str, message: str
) -> None:
    path = checkout.root / "packaging/levels.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(GateError, match=message):
        assess(checkout.root)


def test_every_level_has_requirements_and_each_has_its_remedy() -> None:
    facts = evidence.contract(ROOT)
    assert {wanted.level for wanted in facts.requirements} == {0, 1, 2, 3, 4}
    for wanted in facts.requirements:
        session = facts.checks[wanted.check].session
        assert session is None or wanted.remedy == f"nox -s {session}", wanted.id


def test_every_glob_of_a_check_with_a_session_selects_a_file() -> None:
    files = [path.as_posix() for path in tracked_files(ROOT)]
    for name, check in evidence.contract(ROOT).checks.items():
        for glob in check.inputs if check.session else ():
            assert any(matches(glob.lstrip("!"), path) for path in files), f"{name}: {glob}"

"""Packets: what they declare, what they quote, and when they are refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hpcgate import packets
from hpcgate.errors import GateError
from hpcgate.facts import read_yaml
from hpcgate.packets.base import placeholders
from hpcgate.repo import find_root

ROOT = find_root(Path(__file__).parent)
HPSF, E4S = "submissions/hpsf", "submissions/e4s"
UPSTREAM = [f"submissions/upstream/{lane}" for lane in ("spack", "easybuild", "conda-forge")]
FORM_IDS = [
    "project-name", "project-description", "mission-alignment", "project-website",
    "open-source-license", "code-of-conduct", "governance-practices", "tac-sponsors",
    "source-control", "issue-tracking", "external-dependencies", "release-methodology",
    "software-quality", "leadership-team", "mainline-committers", "decision-making",
    "maturity-level", "communication-channels", "social-media", "financial-sponsorships",
    "infrastructure-needs",
]  # fmt: skip


def edit(checkout: Any, name: str, old: str, new: str) -> None:
    path = checkout.root / "packaging" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def manifest(checkout: Any, folder: str = HPSF) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((checkout.root / folder / "manifest.json").read_text())
    return loaded


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# -- Level and evidence ----------------------------------------------------------------------------


def test_without_evidence_a_packet_declares_nothing_and_cannot_be_filed(checkout: Any) -> None:
    for packet in packets.build(checkout.root):
        found = manifest(checkout, packet.path)
        assert set(found) == {
            "target", "declared_level", "supported_level", "items", "non_claims", "fileable",
            "blockers",
        }  # fmt: skip
        assert (found["declared_level"], found["supported_level"]) == ("none", "none")
        assert found["fileable"] is packet.fileable is False
        assert any("not published" in blocker for blocker in found["blockers"])
        assert any("no contract level" in blocker for blocker in found["blockers"])
        assert len(found["non_claims"]) == 5
        assert "cannot be filed" in packet.summary()


def test_a_packet_quotes_each_record_by_path_and_digest(checkout: Any) -> None:
    records = {record.check: record for record in checkout.reach(0)}
    packets.build(checkout.root)
    items = {item["check"]: item for item in manifest(checkout)["items"]}
    assert set(items) == set(records)
    for check, record in records.items():
        assert items[check]["record"] == record.id
        assert items[check]["path"] == record.path
        assert items[check]["sha256"] == record.digest
        assert items[check]["counts"] is True
        assert record.id in (checkout.root / HPSF / "proposal.md").read_text()


def test_at_h0_it_says_packaging_readiness_only(checkout: Any) -> None:
    checkout.reach(0)
    packets.build(checkout.root)
    for folder, page in ((HPSF, "proposal.md"), (E4S, "packet.md")):
        text = (checkout.root / folder / page).read_text()
        assert manifest(checkout, folder)["declared_level"] == "H0"
        assert text.startswith("---\nhpc_level: H0\n---\n")
        assert "packaging readiness only" in text
        assert "Level H1 is not claimed" in text
        assert "Level H0 is not claimed" not in text


def test_at_h1_it_no_longer_says_packaging_readiness_only(checkout: Any) -> None:
    checkout.reach(1)
    packets.build(checkout.root)
    text = (checkout.root / HPSF / "proposal.md").read_text()
    assert "packaging readiness only" not in text
    assert "Level H2 is not claimed" in text


def test_a_packet_may_declare_less_than_the_evidence_supports(checkout: Any) -> None:
    checkout.reach(0)
    edit(checkout, "hpsf/packet.yaml", "declared_level: supported", "declared_level: none")
    packets.build(checkout.root)
    found = manifest(checkout)
    assert (found["declared_level"], found["supported_level"]) == ("none", "H0")


@pytest.mark.parametrize(("reached", "declared"), [(None, "H0"), (0, "H1"), (0, "H4")])
def test_a_packet_that_declares_more_is_refused(
    checkout: Any, reached: int | None, declared: str
) -> None:
    if reached is not None:
        checkout.reach(reached)
    edit(checkout, "e4s/packet.yaml", "declared_level: supported", f"declared_level: {declared}")
    with pytest.raises(GateError, match=f"declared_level {declared} is above the supported level"):
        packets.build(checkout.root)
    assert not (checkout.root / HPSF).exists()


def test_deleting_a_record_takes_the_declared_level_away(checkout: Any) -> None:
    records = checkout.reach(0)
    edit(checkout, "hpsf/packet.yaml", "declared_level: supported", "declared_level: H0")
    packets.build(checkout.root)
    (checkout.root / records[0].path).unlink()
    with pytest.raises(GateError, match="above the supported level none"):
        packets.build(checkout.root)


def test_a_release_accepts_current_evidence_only(checkout: Any) -> None:
    checkout.reach(0)
    checkout.write("packages/pymars/file", "changed\n")
    packets.build(checkout.root)
    assert manifest(checkout)["declared_level"] == "H0"
    packets.build(checkout.root, release=True)
    found = manifest(checkout)
    assert found["declared_level"] == "none"
    assert not any("working tree" in blocker for blocker in found["blockers"])
    stale = next(item for item in found["items"] if item["check"] == "smoke-wheel")
    assert (stale["outcome"], stale["counts"]) == ("pass", False)


def test_a_packet_can_be_filed_once_nothing_is_in_the_way(checkout: Any) -> None:
    edit(checkout, "release.yaml", "published: false", "published: true")
    edit(checkout, "hpsf/packet.yaml", "tac_sponsors: []", "tac_sponsors: [first, second]")
    checkout.reach(0)
    built = packets.build(checkout.root, release=True)
    assert {packet.blockers for packet in built} == {()}
    assert all(packet.fileable for packet in built)
    assert "it can be filed" in built[0].summary()


# -- The same evidence, the same bytes -------------------------------------------------------------


def test_building_twice_changes_nothing(checkout: Any) -> None:
    checkout.reach(0)
    first = packets.build(checkout.root)
    before = files(checkout.root / "submissions")
    second = packets.build(checkout.root)
    assert all(packet.changed for packet in first)
    assert not any(packet.changed for packet in second)
    assert files(checkout.root / "submissions") == before


def test_a_check_changes_nothing_and_names_what_differs(checkout: Any) -> None:
    assert all(packet.changed for packet in packets.build(checkout.root, check=True))
    assert not (checkout.root / HPSF).exists()
    packets.build(checkout.root)
    checkout.write(f"{HPSF}/proposal.md", "edited\n")
    checkout.write(f"{HPSF}/extra.md")
    (checkout.root / HPSF / "ballot.yaml").unlink()
    (checkout.root / E4S / "testsuite/validation_tests/py-mars-earth/run.sh").chmod(0o644)
    hpsf, e4s, *upstream = packets.build(checkout.root, check=True)
    assert not any(packet.changed for packet in upstream)
    assert hpsf.changed == ("ballot.yaml", "extra.md", "proposal.md")
    assert e4s.changed == ("testsuite/validation_tests/py-mars-earth/run.sh",)
    packets.build(checkout.root)
    assert not any(packet.changed for packet in packets.build(checkout.root, check=True))


def test_a_packet_is_replaced_whole_or_not_at_all(
    checkout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    packets.build(checkout.root)
    before = files(checkout.root / "submissions")
    checkout.reach(0)
    written = 0
    real = packets.write_text

    def fails_late(path: Path, text: str) -> None:
        nonlocal written
        written += "packet" in path.parts
        if written > 2:
            raise OSError("no space left")
        real(path, text)

    monkeypatch.setattr(packets, "write_text", fails_late)
    with pytest.raises(OSError, match="no space"):
        packets.build(checkout.root)
    after = files(checkout.root / "submissions")
    assert {k: v for k, v in after.items() if not k.startswith("evidence/")} == before


# -- Forms -----------------------------------------------------------------------------------------


def test_the_proposal_answers_the_form_in_its_order(checkout: Any) -> None:
    packets.build(checkout.root)
    form = [
        field["id"] for field in read_yaml(checkout.root / "packaging/hpsf/form.yaml")["fields"]
    ]
    assert form == FORM_IDS
    given = list(read_yaml(checkout.root / HPSF / "proposal.yaml"))
    assert given == [name for name in FORM_IDS if name in given]
    required = {
        field["id"]
        for field in read_yaml(checkout.root / "packaging/hpsf/form.yaml")["fields"]
        if field.get("required")
    }
    assert required <= set(given)
    text = (checkout.root / HPSF / "proposal.md").read_text()
    places = [
        text.index(f"### {field['label']}\n")
        for field in read_yaml(checkout.root / "packaging/hpsf/form.yaml")["fields"]
        if field["id"] in given
    ]
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("hpsf/answers.yaml", "project-name:", "project-nme:", "no such id"),
        ("hpsf/answers.yaml", "project-name:", "project-nme:", "project-name: the form requires"),
        ("hpsf/answers.yaml", '"{{ release.name }}"', '""', "project-name: the form requires"),
        ("hpsf/answers.yaml", '"{{ release.name }}"', "TBD", "unfinished text 'TBD'"),
        ("hpsf/answers.yaml", '"{{ release.name }}"', "<your name>", "unfinished text"),
        ("hpsf/answers.yaml", '"{{ release.name }}"', '"{{ release.nme }}"', "nme"),
        ("hpsf/answers.yaml", '"{{ release.name }}"', "[a]", "is not a text"),
        ("hpsf/answers.yaml", '"{{ settings.maturity }}"', "Mature", "is not one of Emerging"),
        ("hpsf/packet.yaml", "maturity: Emerging", "maturity: Great", "maturity"),
        ("hpsf/packet.yaml", "tac_sponsors:", "tac_sponsor:", "did you mean `tac_sponsors`"),
        ("e4s/answers.yaml", 'ecp: "No"', "ecp: Perhaps", "is not one of Yes, No, Unsure"),
        ("e4s/answers.yaml", "terms: I agree", "terms: I do not agree", "is not one of I agree"),
        ("e4s/packet.yaml", "README.md", "READ.md", "READ.md does not exist"),
        ("e4s/policies.yaml", "id: P9", "id: P10", "P10"),
        ("e4s/policies.yaml", "[tests, conformance]", "[tests, conformity]", "did you mean"),
        ("hpsf/ballot.yaml", "number: 12", "number: 13", "12"),
        ("hpsf/proposal.md.j2", "## The form", "## TODO", "unfinished text 'TODO'"),
        ("hpsf/proposal.md.j2", "{% for field", "{% foreach field", "proposal.md.j2"),
    ],
)
def test_a_packet_with_a_wrong_answer_is_refused(
    checkout: Any, name: str, old: str, new: str, message: str
) -> None:
    edit(checkout, name, old, new)
    with pytest.raises(GateError, match=message):
        packets.build(checkout.root)
    assert not (checkout.root / "submissions").exists()


@pytest.mark.parametrize(
    "text", ["TBD", "a TODO here", "<name>", "{{ x }}", "see example.org", "to be decided"]
)
def test_unfinished_texts_are_seen(text: str) -> None:
    assert placeholders(text)


@pytest.mark.parametrize(
    "text", ["<https://github.com/a>", "x < y and y > x", "<!-- note -->", "today", "todos los"]
)
def test_finished_texts_are_left_alone(text: str) -> None:
    assert placeholders(text) == []


@pytest.mark.parametrize("name", ["hpsf/answers.yaml", "e4s/answers.yaml"])
def test_a_text_above_the_level_is_refused(checkout: Any, name: str) -> None:
    checkout.reach(0)
    packets.build(checkout.root)
    before = files(checkout.root / "submissions")
    edit(checkout, name, "(MARS)", "(MARS) on GPUs across many nodes with MPI")
    with pytest.raises(GateError, match="fails the claims gate at level H0"):
        packets.build(checkout.root)
    assert files(checkout.root / "submissions") == before


# -- HPSF ------------------------------------------------------------------------------------------


def test_nobody_is_invented(checkout: Any) -> None:
    checkout.reach(0)
    packets.build(checkout.root)
    ready = json.loads((checkout.root / HPSF / "readiness.json").read_text())
    assert ready["fileable"] is False
    assert "2 of 2 sponsors from the council are missing" in ready["blockers"]
    answers = read_yaml(checkout.root / HPSF / "proposal.yaml")
    maintainers = read_yaml(checkout.root / "packaging/release.yaml")["maintainers"]
    listed = "\n".join(f"- {name}" for name in maintainers)
    assert answers["leadership-team"].strip() == listed
    assert answers["mainline-committers"].strip() == listed
    assert "No member of the council has agreed" in answers["tac-sponsors"]


@pytest.mark.parametrize(("named", "missing"), [("[first]", 1), ("[a, b, c]", 0)])
def test_sponsors_are_counted(checkout: Any, named: str, missing: int) -> None:
    edit(checkout, "hpsf/packet.yaml", "tac_sponsors: []", f"tac_sponsors: {named}")
    found = [text for text in packets.build(checkout.root)[0].blockers if "sponsors" in text]
    assert found == ([f"{missing} of 2 sponsors from the council are missing"] if missing else [])


def test_the_presentation_fits_its_time_and_names_what_is_unmet(checkout: Any) -> None:
    checkout.reach(0)
    packets.build(checkout.root)
    text = (checkout.root / HPSF / "presentation.md").read_text()
    minutes = [int(found) for found in re.findall(r"^\| (\d+) \|", text, re.M)]
    assert sum(minutes) == 20
    assert "level H0, and what the next level lacks" in text
    assert "- Criterion 1, " in text and "0 of 2 are named" in text


def test_a_stage_that_needs_users_names_their_absence(checkout: Any) -> None:
    edit(checkout, "hpsf/packet.yaml", "maturity: Emerging", "maturity: Established")
    assert any("3 production users" in text for text in packets.build(checkout.root)[0].blockers)


def test_the_ballot_has_twelve_lines_and_follows_the_evidence(checkout: Any) -> None:
    packets.build(checkout.root)
    before = read_yaml(checkout.root / HPSF / "ballot.yaml")["criteria"]
    assert [line["number"] for line in before] == list(range(1, 13))
    assert before[1]["status"] == "unmet"
    records = {record.check: record for record in checkout.reach(0)}
    packets.build(checkout.root)
    after = read_yaml(checkout.root / HPSF / "ballot.yaml")["criteria"]
    assert after[1]["status"] == "met"
    assert f"record {records['smoke-spack'].id}" in after[1]["evidence"]
    assert {line["status"] for line in after if line["stage"] != "Emerging"} == {"not applicable"}


# -- E4S -------------------------------------------------------------------------------------------


def statuses(checkout: Any) -> dict[str, int]:
    path = checkout.root / E4S / ".e4s/e4s-policy-compatability-1.0.yaml"
    (group,) = read_yaml(path)["policy_groups"]
    return {line["id"]: line["policy_status"] for line in group["Official"]["policies"]}


def test_a_policy_is_complete_only_with_evidence(checkout: Any) -> None:
    packets.build(checkout.root)
    before = statuses(checkout)
    assert list(before) == [f"P{number}" for number in range(1, 10)]
    assert 2 not in before.values()
    checkout.record("tests")
    packets.build(checkout.root)
    assert statuses(checkout)["P9"] == 1
    checkout.record("conformance")
    packets.build(checkout.root)
    assert statuses(checkout)["P9"] == 2
    checkout.record("tests", "fail")
    packets.build(checkout.root)
    assert statuses(checkout)["P9"] == 1


def test_a_policy_about_releases_waits_for_one(checkout: Any) -> None:
    checkout.record("recipes")
    packets.build(checkout.root)
    assert statuses(checkout)["P3"] == 1
    edit(checkout, "release.yaml", "published: false", "published: true")
    checkout.record("recipes")
    packets.build(checkout.root)
    assert statuses(checkout)["P3"] == 2


@pytest.mark.parametrize(("level", "expected"), [(2, "False"), (3, "True")])
def test_the_catalogue_says_accelerable_only_from_h3(
    checkout: Any, level: int, expected: str
) -> None:
    checkout.reach(level)
    packets.build(checkout.root)
    text = (checkout.root / E4S / ".e4s/e4s.yaml").read_text()
    assert f"  Accelerable: {expected}\n" in text
    assert "  MemberProduct: False\n" in text


def test_the_documents_of_the_catalogue_entry_exist() -> None:
    for path in read_yaml(ROOT / "packaging/e4s/packet.yaml")["docs"]:
        assert (ROOT / path).is_file(), path


def test_the_suite_entry_is_runnable_shell(checkout: Any) -> None:
    packets.build(checkout.root)
    suite = checkout.root / E4S / "testsuite/validation_tests/py-mars-earth"
    assert {path.name for path in suite.iterdir()} == {
        "setup.sh", "compile.sh", "run.sh", "clean.sh", "replay.py",
    }  # fmt: skip
    for path in suite.glob("*.sh"):
        assert os.access(path, os.X_OK)
        assert path.read_text().startswith("#!/bin/bash -e\n")
        subprocess.run(["bash", "-n", path], check=True)
    assert "spackLoadUnique py-mars-earth" in (suite / "setup.sh").read_text()
    compile((suite / "replay.py").read_text(), "replay.py", "exec")


def test_the_ids_of_the_request_form(checkout: Any) -> None:
    packets.build(checkout.root)
    given = read_yaml(checkout.root / E4S / "new_package.yaml")
    assert list(given) == ["name", "contact", "Description", "spack", "ecp", "terms"]
    # A reader of YAML 1.1 must not see a truth value.
    assert "ecp: 'No'" in (checkout.root / E4S / "new_package.yaml").read_text()


def test_the_packets_of_this_checkout_can_be_assembled() -> None:
    # Whether the committed ones are current is asked by `nox -s packets -- --check`: a test that
    # records evidence must not make the next run of the tests fail.
    assert [packet.path for packet in packets.build(ROOT, check=True)] == [
        HPSF, E4S, *UPSTREAM,
    ]  # fmt: skip


# -- Upstream --------------------------------------------------------------------------------------

BUILTIN = "submissions/upstream/spack"
RECIPE = "repos/spack_repo/builtin/packages/py_mars_earth/package.py"


def test_the_recipe_for_upstream_is_ours_under_its_licence_header(checkout: Any) -> None:
    packets.build(checkout.root)
    head, _, body = (checkout.root / BUILTIN / RECIPE).read_text().partition("\n")
    ours = (ROOT / "spack/spack_repo/mars/packages/py_mars_earth/package.py").read_text()
    assert head == "# Copyright Spack Project Developers. See COPYRIGHT file for details."
    assert body == ours.partition("\n")[2]


def test_without_a_record_nobody_is_asked_to_look(checkout: Any) -> None:
    packets.build(checkout.root)
    assert "the check smoke-spack has no passing record" in manifest(checkout, BUILTIN)["blockers"]
    assert "Do not file this yet" in (checkout.root / BUILTIN / "pull_request.md").read_text()


def test_the_text_of_the_request_quotes_its_record(checkout: Any) -> None:
    record = checkout.record("smoke-spack", tools={"spack": "1.2.0.dev0"}, passed=["audit"])
    packets.build(checkout.root)
    text = (checkout.root / BUILTIN / "pull_request.md").read_text()
    assert "\n# py-mars-earth: add new package\n" in f"\n{text}"
    assert f"`{record.id}`" in text and "| spack | 1.2.0.dev0 |" in text
    assert "\naudit.\n" in text
    # Every dependency of the recipe is named with the file it was read from.
    recipe = (checkout.root / BUILTIN / RECIPE).read_text()
    for name in re.findall(r'depends_on\("([a-z-]+)', recipe):
        assert f"| `{name}" in text, name


STAGED = "submissions/upstream/conda-forge"


def test_staged_recipes_gets_our_recipe_and_the_settings_of_the_feedstock(checkout: Any) -> None:
    packets.build(checkout.root)
    folder = checkout.root / STAGED / "recipes" / "mars-earth"
    home = ROOT / "conda-forge"
    ours = [home / "conda-forge.yml", *(home / "recipes" / "mars-earth").iterdir()]
    assert {path.name for path in folder.iterdir()} == {path.name for path in ours}
    for path in ours:
        assert (folder / path.name).read_text() == path.read_text().partition("\n")[2]


def boxes(checkout: Any) -> dict[str, bool]:
    """Return the checklist: the first words of each line, and whether it is ticked."""
    text = (checkout.root / STAGED / "pull_request.md").read_text()
    found = re.findall(r"^- \[(.)\] ((?:\S+ ){2}\S+)", text, re.MULTILINE)
    assert len(found) == 11
    return {words: mark == "x" for mark, words in found}


def test_a_box_is_ticked_where_a_record_shows_it(checkout: Any) -> None:
    packets.build(checkout.root)
    assert [words for words, ticked in boxes(checkout).items() if ticked] == ["Title of this"]
    passed = ["package-is-as-it-should-be", "recipe-keeps-the-rules"]
    checkout.record("smoke-conda-forge", tools={"channel": "70 stand-ins"}, passed=passed)
    packets.build(checkout.root)
    assert "| channel | 70 stand-ins |" in (checkout.root / STAGED / "pull_request.md").read_text()
    # The release is not published, and nobody has commented yet.
    assert [words for words, ticked in boxes(checkout).items() if not ticked] == [
        "Source is from", "GitHub users listed", "When in trouble,",
    ]  # fmt: skip
    edit(checkout, "release.yaml", "published: false", "published: true")
    packets.build(checkout.root)
    assert boxes(checkout)["Source is from"]


EASYCONFIGS = "submissions/upstream/easybuild"
EASYCONFIG = "easybuild/easyconfigs/m/mars-earth/mars-earth-2.0.0-gfbf-2025b.eb"


def test_the_easyconfig_for_upstream_is_ours_without_its_mark(checkout: Any) -> None:
    packets.build(checkout.root)
    offered = (checkout.root / EASYCONFIGS / EASYCONFIG).read_text()
    mark, _, body = (ROOT / EASYCONFIG).read_text().partition("\n\n")
    assert mark.startswith("# Generated by") and offered == body


def test_the_request_names_the_modules_that_meet_the_bounds(checkout: Any) -> None:
    record = checkout.record("smoke-easybuild", tools={"easybuild": "5.4.1"}, passed=["build"])
    packets.build(checkout.root)
    text = (checkout.root / EASYCONFIGS / "pull_request.md").read_text()
    assert f"`{record.id}`" in text and "| easybuild | 5.4.1 |" in text
    for module in ("maturin", "SciPy-bundle", "scikit-learn", "Python-bundle-PyPI"):
        assert f"comes from the module `{module}`" in text
    assert f"eb --new-pr {EASYCONFIG} --pr-descr" in text

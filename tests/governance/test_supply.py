"""Supply chain: crates and their licences, the SBOM, the table of the HPSF packet, provenance."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance

from hpcgate import packets
from hpcgate.errors import GateError
from hpcgate.facts import load, read_yaml
from hpcgate.repo import find_root, git, sha256_file
from hpcgate.supply import crates as crates_module
from hpcgate.supply.crates import LOCK, TABLE, crates, table_text
from hpcgate.supply.environment import environment_sbom
from hpcgate.supply.parts import parts
from hpcgate.supply.provenance import (
    Build,
    Toolchain,
    provenance,
    signature_words,
    verify_provenance,
)
from hpcgate.supply.sbom import release_sbom, verify_sbom

ROOT = find_root(Path(__file__).parent)
TOOLS = Toolchain("1.95.0", "5" * 40, (("cargo", "1.95.0"), ("maturin", "1.16.0")))
BUILD = Build("build", "2030-01-02T03:04:05Z", "2030-01-02T03:05:05Z")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GITHUB_")]:
        monkeypatch.delenv(name)
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)


def damage(checkout: Any, name: str, old: str, new: str) -> None:
    path = checkout.root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


# -- Crates ----------------------------------------------------------------------------------------


def test_the_committed_table_is_what_cargo_says() -> None:
    assert (ROOT / TABLE).read_text() == table_text(ROOT), "run: nox -s gen"


def test_a_procedural_macro_and_a_build_script_are_not_linked() -> None:
    use = {crate.name: crate.use for crate in crates(ROOT)}
    assert (use["serde"], use["rayon"], use["mars-earth-core"]) == ("linked",) * 3
    assert (use["serde_derive"], use["syn"], use["autocfg"]) == ("build",) * 3


def test_licences_of_direct_crates_agree_with_the_facts() -> None:
    derived = {crate.name: crate.licence for crate in crates(ROOT)}
    facts = load(ROOT).dependencies.crates
    assert {name: derived[name] for name in facts} == {n: c.licence for n, c in facts.items()}


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (TABLE, "  autocfg ", "  autoconf ", r"crates.yaml lacks autocfg \S+; run: nox -s gen"),
        (LOCK, 'name = "autocfg"', 'name = "autoconf"', "crates.yaml lacks autoconf"),
        (LOCK, "[[package]]", "[[package", "is not a lock file of cargo"),
        (LOCK, 'name = "autocfg"', 'nam = "autocfg"', "is not a lock file of cargo: 'name'"),
        (LOCK, ' "crossbeam-epoch",', ' "crossbeam-epoch 9.9.9",', "names 0 crates, not one"),
        (TABLE, "licence: MIT,", "licence: Some Licence,", "licence"),
        (TABLE, "use: linked", "use: lnked", "linked"),
    ],
)
def test_a_lock_or_table_that_does_not_fit_is_one_line(
    checkout: Any, name: str, old: str, new: str, message: str
) -> None:
    damage(checkout, name, old, new)
    with pytest.raises(GateError, match=message) as caught:
        crates(checkout.root)
    assert "\n" not in str(caught.value)


def test_without_a_lock_there_is_one_line(checkout: Any) -> None:
    (checkout.root / LOCK).unlink()
    for call in (crates, table_text, release_sbom, parts):
        with pytest.raises(GateError, match=r"^packages/Cargo.lock is missing; run: cargo") as said:
            call(checkout.root)
        assert "\n" not in str(said.value)


def crate_workspace(folder: Path, licence: str) -> Path:
    """Write a workspace of one crate that needs no other, so that cargo asks no index."""
    home = folder / "packages"
    (home / "src").mkdir(parents=True)
    (home / "src/lib.rs").write_text("")
    head = '[package]\nname = "alone"\nversion = "1.0.0"\nedition = "2021"\n'
    (home / "Cargo.toml").write_text(head + licence)
    (home / "Cargo.lock").write_text(
        'version = 3\n\n[[package]]\nname = "alone"\nversion = "1.0.0"\n'
    )
    return folder


@pytest.mark.parametrize(
    ("licence", "message"),
    [
        ("", r"^crate alone 1.0.0 has no SPDX licence \(none\); use another crate$"),
        ('license-file = "TERMS"\n', r"has no SPDX licence \(only the file TERMS\)"),
        ('license = "Fair use"\n', r"^crate alone 1.0.0: licence 'Fair use': "),
    ],
)
def test_a_crate_without_a_licence_is_one_line(tmp_path: Path, licence: str, message: str) -> None:
    with pytest.raises(GateError, match=message) as caught:
        table_text(crate_workspace(tmp_path, licence))
    assert "\n" not in str(caught.value)


def test_a_slash_in_an_old_manifest_means_or(tmp_path: Path) -> None:
    found = table_text(crate_workspace(tmp_path, 'license = "MIT/Apache-2.0"\n'))
    assert "  alone 1.0.0: {licence: MIT OR Apache-2.0, use: linked}\n" in found


def test_what_cargo_refuses_is_one_line(tmp_path: Path) -> None:
    root = crate_workspace(tmp_path, 'license = "MIT"\n')
    (root / "packages/Cargo.toml").write_text("[package\n")
    with pytest.raises(GateError, match=r"^cargo metadata: ") as caught:
        table_text(root)
    assert "\n" not in str(caught.value)


def test_without_cargo_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = crate_workspace(tmp_path, 'license = "MIT"\n')
    (root / "packaging").mkdir()
    (root / "packaging/tools.yaml").write_text((ROOT / "packaging/tools.yaml").read_text())
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(GateError, match=r"^cargo is not installed; run: "):
        crates_module.table_text(root)


# -- SBOM ------------------------------------------------------------------------------------------


def test_the_document_names_every_crate_and_package_with_licence_and_digest() -> None:
    document = json.loads(release_sbom(ROOT))
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    found = {component["bom-ref"]: component for component in document["components"]}
    text = (ROOT / LOCK).read_text()
    locked = re.findall(r'name = "(.*)"\nversion = "(.*)"\nsource.*\nchecksum = "(.*)"', text)
    assert len(locked) == text.count("checksum = ") > 30
    for name, version, digest in locked:
        crate = found.pop(f"pkg:cargo/{name}@{version}")
        assert crate["hashes"] == [{"alg": "SHA-256", "content": digest}]
        assert crate["licenses"][0]["expression"]
        assert crate["scope"] in ("required", "excluded")
    python = {name: one for name, one in found.items() if name.startswith("pkg:pypi/")}
    listed = load(ROOT).dependencies.by_role("run", "extra", "build")
    assert set(python) == {f"pkg:pypi/{name}" for name in listed}
    numpy = {line["name"]: line["value"] for line in python["pkg:pypi/numpy"]["properties"]}
    assert numpy == {"mars-earth:bounds": ">=1.23", "mars-earth:role": "run"}
    own = re.findall(r'name = "(.*)"\nversion = "(.*)"\n(?!source)', text)
    assert ("mars-earth-core", "2.0.0") in own
    assert set(found) - set(python) == {f"workspace:{name}@{version}" for name, version in own}


def test_every_part_is_reached_from_the_release() -> None:
    document = json.loads(release_sbom(ROOT))
    edges = {line["ref"]: line.get("dependsOn", []) for line in document["dependencies"]}
    waiting, reached = [document["metadata"]["component"]["bom-ref"]], set()
    while waiting:
        here = waiting.pop()
        if here not in reached:
            reached.add(here)
            waiting += edges[here]
    assert reached - {document["metadata"]["component"]["bom-ref"]} == {
        component["bom-ref"] for component in document["components"]
    }


def test_the_same_inputs_are_the_same_bytes(checkout: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = release_sbom(checkout.root)
    assert release_sbom(checkout.root) == first
    name = socket.gethostname()
    assert str(checkout.root) not in first and (len(name) < 4 or name not in first)
    damage(checkout, "packaging/dependencies.yaml", '">=1.23"', '">=1.24"')
    changed = json.loads(release_sbom(checkout.root))
    assert changed["serialNumber"] != json.loads(first)["serialNumber"]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    dated = json.loads(release_sbom(checkout.root))
    assert dated["metadata"]["timestamp"] == "1970-01-01T00:00:00+00:00"


def test_the_time_is_that_of_the_facts_and_not_of_the_last_commit(checkout: Any) -> None:
    first = release_sbom(checkout.root)
    checkout.write("docs/other.md", "changed\n")
    checkout.commit()
    assert release_sbom(checkout.root) == first


@pytest.mark.parametrize("word", ["today", "1e3", "9" * 30])
def test_a_wrong_time_is_one_line(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", word)
    with pytest.raises(GateError, match="is not a number of seconds"):
        release_sbom(ROOT)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.update(specVersion="9.9"), "9.9"),
        (lambda d: d.update(surprise=1), "surprise"),
        (lambda d: d["components"][0].pop("name"), "'name' is a required property"),
        (lambda d: d["components"][0]["hashes"][0].update(content="xyz"), "xyz"),
        (lambda d: d["components"][0].update(scope="sometimes"), "sometimes"),
        (lambda d: d["components"][0].update(licenses=[{"expression": 3}]), "expression"),
        (lambda d: d.update(serialNumber="one"), "one"),
    ],
)
def test_a_broken_document_is_refused(edit: Any, message: str) -> None:
    document = json.loads(release_sbom(ROOT))
    edit(document)
    with pytest.raises(GateError, match=r"is not CycloneDX 1\.6") as caught:
        verify_sbom(json.dumps(document), "broken.json")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_document_that_is_cut_off_is_one_line() -> None:
    with pytest.raises(GateError, match=r"^cut.json is not JSON: [^\n]+$"):
        verify_sbom(release_sbom(ROOT)[:500], "cut.json")


def test_the_environment_is_described_in_exact_versions() -> None:
    from importlib.metadata import version

    text = environment_sbom(ROOT)
    assert text == environment_sbom(ROOT)
    found = {one["bom-ref"]: one for one in json.loads(text)["components"]}
    assert f"pkg:pypi/pydantic@{version('pydantic')}" in found
    assert "purl" not in found[f"pkg:pypi/hpcgate@{version('hpcgate')}"]
    edges = {line["ref"]: line.get("dependsOn", []) for line in json.loads(text)["dependencies"]}
    needs = edges[f"pkg:pypi/pydantic@{version('pydantic')}"]
    assert any(need.startswith("pkg:pypi/pydantic-core@") for need in needs)
    assert "file://" not in text and str(ROOT) not in text


# -- The table of the HPSF packet ------------------------------------------------------------------


def test_the_table_and_the_answer_of_the_packet_follow_the_sbom(checkout: Any) -> None:
    packets.build(checkout.root)
    text = (checkout.root / "submissions/hpsf/dependencies.csv").read_text()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["name", "version", "licence", "kind"]
    listed = sorted((row["name"], row["licence"]) for row in rows)
    described = [
        (one["name"], one["licenses"][0]["expression"])
        for one in json.loads(release_sbom(checkout.root))["components"]
        if "purl" in one
    ]
    assert listed == sorted(described)
    answer = read_yaml(checkout.root / "submissions/hpsf/proposal.yaml")["external-dependencies"]
    named = re.findall(r"^- (\S+) (\S+) \((.+?)\): (.+?)\.(?: |$)", answer, re.MULTILINE)
    assert len(named) == answer.count("\n- ")
    given = {(row["name"], row["version"], row["kind"], row["licence"]) for row in rows}
    assert set(named) <= given
    direct = set(load(ROOT).dependencies.crates)
    python = {row["name"] for row in rows if row["kind"].startswith("Python")}
    assert {name for name, *_ in named} == direct | python
    rest = [row for row in rows if row["kind"].startswith("Rust") and row["name"] not in direct]
    assert f"They bring {len(rest)} further crates" in answer
    for row in rest:
        assert row["licence"] in answer


def test_a_packet_is_not_built_from_a_table_that_lacks_a_crate(checkout: Any) -> None:
    damage(checkout, LOCK, 'name = "autocfg"', 'name = "autoconf"')
    with pytest.raises(GateError, match="lacks autoconf"):
        packets.build(checkout.root)
    assert not (checkout.root / "submissions/hpsf").exists()


# -- Provenance ------------------------------------------------------------------------------------


def state(checkout: Any, *names: str, **options: Any) -> Path:
    """Write a statement about files in `dist/`, beside them."""
    artefacts = [checkout.write(f"dist/{name}", f"{name}\n") for name in names]
    options.setdefault("toolchain", TOOLS)
    path = checkout.root / "dist/x.provenance.json"
    path.write_text(provenance(checkout.root, artefacts, BUILD, **options))
    return Path(path)


def test_the_statement_says_what_was_built_from_what(checkout: Any) -> None:
    sbom = checkout.write("dist/x.cdx.json", "{}\n")
    path = state(checkout, "a.tar.gz", "a.whl", "site.tar.gz", byproducts=[sbom])
    content = json.loads(path.read_text())
    assert content["_type"] == "https://in-toto.io/Statement/v1"
    assert content["predicateType"] == "https://slsa.dev/provenance/v1"
    subjects = {one["name"]: one["digest"]["sha256"] for one in content["subject"]}
    assert subjects == {
        name: sha256_file(path.parent / name) for name in ("a.tar.gz", "a.whl", "site.tar.gz")
    }
    found = json_format.ParseDict(content["predicate"], Provenance())
    used = {
        one.name or one.uri: dict(one.digest)
        for one in found.build_definition.resolved_dependencies
    }
    assert used["source"] == {"gitCommit": git(checkout.root, "rev-parse", "HEAD").strip()}
    assert used[LOCK] == {"sha256": sha256_file(checkout.root / LOCK)}
    assert used["rustc"] == {"gitCommit": "5" * 40}
    for crate in crates(checkout.root):
        if crate.sha256:
            assert used[f"pkg:cargo/{crate.name}@{crate.version}"] == {"sha256": crate.sha256}
    assert found.run_details.metadata.started_on.ToJsonString() == "2030-01-02T03:04:05Z"
    assert found.run_details.byproducts[0].digest["sha256"] == sha256_file(sbom)
    assert verify_provenance(path) == subjects


def test_no_host_and_no_path_of_it_is_named(checkout: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    text = state(checkout, "a.whl", toolchain=Toolchain.here(ROOT)).read_text()
    assert str(checkout.root) not in text
    name = socket.gethostname()
    assert len(name) < 4 or name not in text
    assert text.count("#builder-own-machine") == 1
    assert "invocationId" not in text


def test_files_that_no_commit_holds_are_not_ascribed_to_one(checkout: Any) -> None:
    checkout.write("packages/pymars/file", "changed\n")
    content = json.loads(state(checkout, "a.whl").read_text())
    (source,) = [
        one
        for one in content["predicate"]["buildDefinition"]["resolvedDependencies"]
        if one.get("name") == "source"
    ]
    assert "digest" not in source
    assert source["annotations"]["uncommitted"].endswith("+dirty")


def test_a_run_of_github_is_named_by_its_public_address(
    checkout: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"ACTIONS": "true", "SERVER_URL": "https://github.com", "REPOSITORY": "o/r",
            "RUN_ID": "7", "RUN_ATTEMPT": "2"}  # fmt: skip
    for name, value in said.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    run = json.loads(state(checkout, "a.whl").read_text())["predicate"]["runDetails"]
    assert run["builder"]["id"].endswith("#builder-github-actions")
    assert run["metadata"]["invocationId"] == "https://github.com/o/r/actions/runs/7/attempts/2"


def test_the_builders_and_the_build_type_are_explained(checkout: Any) -> None:
    text = state(checkout, "a.whl").read_text()
    page = (ROOT / "docs/supply_chain.md").read_text()
    headings = {
        line.lstrip("# ").lower().replace(" ", "-") for line in page.splitlines() if line[:1] == "#"
    }
    named = set(re.findall(r"supply_chain\.md#([a-z-]+)", text)) | {"builder-github-actions"}
    assert len(named) == 3 and named <= headings


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda d: d.update(predicateType="https://slsa.dev/provenance/v0.2"), "the predicate is"),
        (lambda d: d.update(_type="https://in-toto.io/Statement/v0.1"), "is not SLSA"),
        (lambda d: d["subject"].clear(), "is not SLSA"),
        (lambda d: d["predicate"].update(level=3), "level"),
        (lambda d: d["predicate"]["runDetails"].pop("builder"), "builder.id are required"),
        (lambda d: d["predicate"]["buildDefinition"].pop("buildType"), "are required"),
        (lambda d: d["subject"][0]["digest"].update(sha256="0" * 64), "a.whl is not the file"),
        (lambda d: d["subject"][0].update(name="../a.whl"), "is not a plain file name"),
        (lambda d: d["subject"][0].update(name="b.whl"), "b.whl: cannot be read"),
        (lambda d: d.update(subject="a.whl"), "is not SLSA"),
    ],
)
def test_a_broken_statement_is_one_line(checkout: Any, edit: Any, message: str) -> None:
    path = state(checkout, "a.whl")
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))
    with pytest.raises(GateError, match=re.escape(message)) as caught:
        verify_provenance(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b"null"])
def test_what_is_no_statement_is_one_line(checkout: Any, content: bytes) -> None:
    path = state(checkout, "a.whl")
    path.write_bytes(content)
    with pytest.raises(GateError) as caught:
        verify_provenance(path)
    assert "x.provenance.json" in str(caught.value) and "\n" not in str(caught.value)


def test_an_artefact_that_changed_is_named(checkout: Any) -> None:
    path = state(checkout, "a.whl")
    (path.parent / "a.whl").write_text("other\n")
    with pytest.raises(GateError, match=r"^a\.whl is not the file that x\.provenance\.json speaks"):
        verify_provenance(path)


def test_artefacts_that_cannot_be_stated_are_refused(checkout: Any) -> None:
    here = checkout.write("dist/a.whl")
    twin = checkout.write("other/a.whl")
    link = checkout.root / "dist/link.whl"
    link.symlink_to(here)
    for given, message in [
        ([], "no artefact"),
        ([here, twin], "two artefacts are named a.whl"),
        ([link], "an artefact is a plain file"),
        ([here.parent], "an artefact is a plain file"),
        ([checkout.root / "dist/none.whl"], "an artefact is a plain file"),
    ]:
        with pytest.raises(GateError, match=message):
            provenance(checkout.root, given, BUILD, toolchain=TOOLS)


def test_a_build_that_ends_before_it_starts_is_refused(checkout: Any) -> None:
    build = Build("build", BUILD.finished, BUILD.started)
    with pytest.raises(GateError, match="before it starts"):
        provenance(checkout.root, [checkout.write("dist/a.whl")], build, toolchain=TOOLS)


def test_unsigned_says_unsigned(checkout: Any) -> None:
    path = state(checkout, "a.whl")
    assert signature_words(path).startswith("unsigned")
    path.with_name(f"{path.name}.sigstore.json").write_text("{}")
    assert "this command does not check it" in signature_words(path)

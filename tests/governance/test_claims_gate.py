"""The gate reads by structure, names bad input, and speaks to tools."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

from hpcgate.claims import check, main
from hpcgate.claims.gate import Gate, Support, scope
from hpcgate.claims.lexicon import load
from hpcgate.claims.model import RULES

ROOT = Path(__file__).resolve().parents[2]
GPU = "Replay runs on a GPU.\n"


@pytest.fixture
def page(tmp_path):
    """Write a file and return what the gate says about it at a level."""

    def write(text, *, name="page.md", level=1, strict=False, met=None):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return Gate(ROOT, load(ROOT), Support(level, met or {}), strict).file(path)

    return write


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("page.md", "One.\n\nTwo.\n\n" + GPU, 5),
        ("module.py", "x = 1\n\n\ndef f():\n    '''Replay on a GPU.'''\n", 5),
        ("module.py", "x = 1\n# Replay runs on a GPU.\n", 2),
        ("a.yaml", "x: 1\nnote: Replay runs on a GPU\n", 2),
        ("a.json", '{\n "x": 1,\n "note": "Replay runs on a GPU"\n}\n', 3),
        ("a.toml", "x = 1\n[y]\nnote = 'Replay runs on a GPU'\n", 3),
        ("a.rs", "fn f() {}\n/// Replay runs on a GPU.\nfn g() {}\n", 2),
        ("a.rs", "//! Replay runs on a GPU.\n", 1),
        ("a.eb", "name = 'x'\ndescription = 'Replay runs on a GPU'\n", 2),
        ("package.py", "class A:\n    variant('cuda', default=False)\n", 2),
        ("a.sh", "#!/bin/sh\n# Replay runs on a GPU.\n", 2),
        ("package.py", "class A(CudaPackage):\n    pass\n", 1),
        ("DESCRIPTION", "Package: a\nTitle: Splines\n    on a GPU\n", 2),
        ("package.json", '{\n "description": "Splines on a GPU"\n}\n', 2),
        ("CITATION.cff", "title: a\nkeywords: [gpu]\n", 2),
        ("Cargo.toml", '[package]\nkeywords = ["gpu"]\n', 2),
        ("Cargo.toml", "[features]\ndefault = []\ncuda = []\n", 3),
        ("install.sh", "cd /tmp\nmars-replay --device cuda:0 plan.json\n", 2),
        ("a.jl", 'x = 1\n"""\nReplay on a GPU.\n"""\nf(x) = x\n', 3),
        ("a.R", "#' Replay on a GPU.\nf <- 1\n", 1),
        ("a.go", "// Replay on a GPU.\nfunc F() {}\n", 1),
        ("a.ts", "/** Replay on a GPU. */\n", 1),
        ("a.cs", "/// <summary>Replay on a GPU.</summary>\n", 1),
        ("Dockerfile", 'FROM x\nLABEL a.description="Splines on a GPU"\n', 2),
        ("page.md", "![](https://img.shields.io/badge/GPU-ready-green)\n", 1),
        ("cli.py", "import click\nclick.option('--x', help='Replay on a GPU')\n", 2),
    ],
)
def test_every_reader_finds_a_claim_and_its_line(page, name, text, line):
    findings = page(text, name=name)
    assert [(f.rule, f.line, f.required) for f in findings] == [("claim-above-level", line, 3)]
    assert page(text, name=name, level=3) == []


def test_the_name_of_a_record_beside_its_digest_is_no_claim(page):
    named = {"check": "bench-gpu", "record": "gpu/1f2e", "path": "a/gpu.json", "sha256": "1f2e"}
    assert page(json.dumps(named), name="a.json") == []
    said = {**named, "note": "Replay runs on a GPU"}
    assert [finding.required for finding in page(json.dumps(said), name="a.json")] == [3]
    del named["sha256"]
    assert page(json.dumps(named), name="a.json") != [], "without a digest it may be a feature"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("page.md", b"\xff\xfe text", "not UTF-8"),
        ("page.md", b"text \0 more", "binary"),
        ("page.md", b"---\nhpc_level: [\n---\n", "front matter is not YAML"),
        ("page.md", b"---\nhpc_level: H9\n---\n", "not one of H0"),
        ("page.md", b"---\nhpc_level: H1\n", "never closed"),
        ("a.yaml", b"a: [1\n", "not YAML"),
        ("a.yaml", b"a: 1\na: 2\n", "repeated"),
        ("a.json", b"{", "not JSON"),
        ("a.json", b"[" * 100_000, "nested too deeply|not JSON"),
        ("a.toml", b"a = = 1", "not TOML"),
        ("a.py", b"def f(:\n", "not Python"),
        ("a.eb", b"name = (\n", "not Python"),
        ("DESCRIPTION", b"Title: a\nno field here\n", "not a DESCRIPTION"),
        ("a.yaml", b"[" * 100_000, "not YAML|nested too deeply"),
        ("a.yaml", b"- " * 100_000, "not YAML|nested too deeply"),
        ("a.yaml", b"{a: " * 100_000, "not YAML|nested too deeply"),
    ],
)
def test_bad_input_is_a_named_finding(page, name, content, message):
    import re

    findings = page(content, name=name)
    assert [f.rule for f in findings] == ["unreadable"]
    assert re.search(message, findings[0].reason)


def test_a_missing_file_and_a_link_out_of_the_tree_are_findings(tmp_path):
    root = tmp_path / "checkout"
    (root / "packaging").mkdir(parents=True)
    shutil.copy(ROOT / "packaging" / "claims.yaml", root / "packaging")
    gate = Gate(root, load(root), Support(1, {}), strict=False)
    assert [f.rule for f in gate.file(root / "missing.md")] == ["unreadable"]
    outside = tmp_path / "outside.md"
    outside.write_text("Nothing.\n")
    (root / "link.md").symlink_to(outside)
    assert "link" in gate.file(Path("link.md"))[0].reason


def test_the_ceiling_is_the_lower_of_evidence_and_declaration(page):
    declared = "---\nhpc_level: H1\n---\n\n" + GPU
    assert [f.required for f in page(declared, level=4)] == [3]
    assert "the file declares H1" in page(declared, level=4)[0].reason
    assert page(declared.replace("H1", "H3"), level=4) == []


def test_a_declaration_above_the_evidence_is_a_finding(page):
    assert [f.rule for f in page("---\nhpc_level: H2\n---\n\nText.\n")] == ["level-above-evidence"]
    assert [f.rule for f in page("# hpc_level: H2\nx: 1\n", name="a.yaml")] == [
        "level-above-evidence"
    ]
    assert [f.rule for f in page("Implemented contract level: H4.\n")] == ["level-above-evidence"]
    assert page("Implemented contract level: H1.\n") == []
    assert [f.required for f in page("---\nhpc_level: H0\n---\n", level=-1)] == [0]
    [comment] = page("# Implemented contract level H2.\n", name="module.py")
    assert comment.rule == "level-above-evidence"


def test_a_citation_must_be_met(page):
    text = "It installs (evidence: h0-spack).\n"
    assert page(text, met={"h0-spack": True}) == []
    assert "is not met" in page(text, met={"h0-spack": False})[0].reason
    assert "is unknown" in page(text)[0].reason
    assert page("Cite it as `(evidence: an-id)`.\n") == []


@pytest.mark.parametrize("word", ["TODO", "TBD", "FIXME", "https://example.org/x", "0" * 64])
def test_placeholders_are_refused_upstream_and_only_there(word):
    gate = Gate(ROOT, load(ROOT), Support(1, {}), strict=True)
    found = list(gate.files.placeholders("spack/package.py", f"x = '{word}'\n"))
    assert [f.rule for f in found] == ["placeholder"]
    assert list(gate.files.placeholders("spack/package.py", "x = 'fine'\n")) == []


def test_strict_mode_decides_about_placeholders(tmp_path):
    root = tmp_path
    (root / "packaging").mkdir()
    (root / "spack").mkdir()
    (root / "docs").mkdir()
    shutil.copy(ROOT / "packaging" / "claims.yaml", root / "packaging")
    for name in ("spack/notes.md", "docs/notes.md"):
        (root / name).write_text("The address is TBD.\n")
    for strict, name, count in ((True, "spack", 1), (False, "spack", 0), (True, "docs", 0)):
        gate = Gate(root, load(root), Support(1, {}), strict)
        assert len(gate.file(Path(f"{name}/notes.md"))) == count


def test_structure_decides(page):
    assert page("No support for:\n\n- MPI\n- GPUs\n") == []
    assert len(page("It supports:\n\n- MPI\n- GPUs\n")) == 2
    assert page("| Device | Works |\n| --- | --- |\n| GPU | no |\n") == []
    assert len(page("| Device | Works |\n| --- | --- |\n| GPU | yes |\n")) == 1
    assert page("## GPUs\n\nNot supported.\n") == []
    assert len(page("## GPUs\n\nInstall the driver.\n")) == 1
    assert page("arrow:\n  copies: 0\n", name="a.yaml")
    assert not page("arrow:\n  copies: 1\n", name="a.yaml")


def test_a_qualified_sentence_needs_level_and_limitation(page):
    qualified = "Level H3: optional GPU replay, not validated; the implemented level is H1.\n"
    assert page(qualified) == []
    assert len(page("Level H3: GPU replay.\n")) == 1
    assert len(page("Optional GPU replay.\n")) == 1
    assert len(page(qualified.replace("level is H1", "level is H3"))) == 2


def test_sarif_is_valid_and_stable(tmp_path, capsys):
    path = tmp_path / "page.md"
    path.write_text(GPU + "\nIt spans several nodes.\n")
    argv = ["--path", str(path), "--assume-evidence", "H1", "--format", "sarif"]
    assert main(argv) == 1
    first = json.loads(capsys.readouterr().out)
    schema = json.loads((ROOT / "tests/governance/claims/sarif.schema.json").read_text())
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.validate(first, schema)
    results = first["runs"][0]["results"]
    assert [r["properties"]["requiredLevel"] for r in results] == ["H3", "H4"]
    path.write_text("A new first line.\n\n" + path.read_text())
    main(argv)
    second = json.loads(capsys.readouterr().out)["runs"][0]["results"]
    assert [r["partialFingerprints"] for r in second] == [r["partialFingerprints"] for r in results]
    broken = json.loads(json.dumps(first))
    del broken["runs"][0]["results"][0]["message"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_text_and_json_say_what_would_help(tmp_path, capsys):
    path = tmp_path / "page.md"
    path.write_text(GPU)
    argv = ["--path", str(path), "--assume-evidence", "H1"]
    assert main(argv) == 1
    captured = capsys.readouterr()
    for part in (f"{path}:1", "Replay runs on a GPU.", "needs H3", "evidence:", "passes:"):
        assert part in captured.out
    assert "1 finding" in captured.err
    main([*argv, "--format", "json"])
    row = json.loads(capsys.readouterr().out)["findings"][0]
    assert (row["requiredLevel"], row["level"], row["line"]) == ("H3", "error", 1)


def test_the_proposed_wording_passes(page):
    for level, text in load(ROOT).data.levels.items():
        wording = text.wording.format(ceiling="H0")
        assert page(f"{wording}\n", level=0) == [], level


def test_the_flag_wins_over_the_variable(tmp_path, monkeypatch):
    path = tmp_path / "page.md"
    path.write_text(GPU)
    monkeypatch.setenv("HPC_EVIDENCE_LEVEL", "H3")
    assert main(["--path", str(path)]) == 0
    assert main(["--path", str(path), "--assume-evidence", "H1"]) == 1
    assert main(["--path", str(path), "--assume-evidence", "none"]) == 1


def test_a_bad_level_is_one_line_and_status_two(capsys, monkeypatch):
    assert main(["--assume-evidence", "H7"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.setenv("HPC_EVIDENCE_LEVEL", "high")
    assert main([]) == 2
    assert "HPC_EVIDENCE_LEVEL" in capsys.readouterr().err


def test_the_scope_leaves_out_only_what_the_data_names():
    read = {path.as_posix() for path in scope(ROOT)}
    assert "docs/hpc_claim_review_checklist.md" in read
    assert not read & {"packaging/claims.yaml", "LICENSE", "tests/governance/claims/own.jsonl"}


def test_our_own_texts_pass_at_every_level():
    own = [
        ROOT / "docs/hpc_claim_review_checklist.md",
        *(ROOT / "packages/hpcgate/hpcgate/claims").rglob("*.py"),
        *(ROOT / "scripts").glob("check_hpc_claims.*"),
    ]
    assert check(ROOT, own, level=0) == []


def test_every_rule_has_a_sentence():
    assert all(text.endswith(".") for text in RULES.values())


def test_long_texts_take_linear_work():
    """A text without a full stop is cut, so that no sentence grows without bound."""
    from hpcgate.claims.words import sentences

    parts = sentences("no gpu and mpi , " * 5000)
    assert max(len(part.words) for part in parts) <= 200


@pytest.mark.parametrize(
    ("name", "piece"),
    [
        ("page.md", "It uses a GPU. "),
        ("page.md", "GPU? "),
        ("page.md", "gpu and mpi, "),
        ("page.md", "    assert gpu "),
        ("page.md", "| gpu | yes |\n"),
    ],
)
def test_work_grows_with_the_text_and_not_faster(page, name, piece):
    """Twice the text takes about twice the calls; calls are counted, not seconds."""
    assert _calls(lambda: page(piece * 400, name=name)) < 2.6 * _calls(
        lambda: page(piece * 200, name=name)
    )


def _calls(work):
    count = 0

    def profile(_frame, event, _argument):
        nonlocal count
        count += event == "call"

    work()  # what is loaded once is loaded here
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def test_the_script_runs_from_any_folder(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(GPU)
    for script in ("check_hpc_claims.py", "check_hpc_claims.sh"):
        done = subprocess.run(
            [str(ROOT / "scripts" / script), "--path", "page.md", "--assume-evidence", "H1"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        )
        assert done.returncode == 1, done.stderr
        assert "needs H3" in done.stdout


def test_the_script_names_the_install_command_when_libraries_are_missing(tmp_path):
    checkout = tmp_path / "checkout"
    (checkout / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts" / "check_hpc_claims.py", checkout / "scripts")
    done = subprocess.run(
        [sys.executable, "-S", "-E", str(checkout / "scripts" / "check_hpc_claims.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "pip install ./packages/hpcgate" in done.stderr


def test_changed_files_out_of_scope_are_left_out(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main(["--assume-evidence", "H0", "LICENSE", "packaging/claims.yaml"]) == 0
    assert main(["--assume-evidence", "H0", "--path", "packaging/claims.yaml"]) == 1
    capsys.readouterr()


def test_many_files_are_judged_alike_and_in_order(tmp_path):
    """Shared out to workers or not, the findings are the same and in the order of the files."""
    paths = []
    for number in range(200):
        path = tmp_path / f"page-{number}.md"
        path.write_text(GPU if number % 3 else "It fits splines.\n")
        paths.append(path)
    together = check(ROOT, paths, level=1)
    alone = [finding for path in paths for finding in check(ROOT, [path], level=1)]
    assert together == alone
    assert len(together) == 133

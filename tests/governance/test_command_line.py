"""Each command of hpcgate, on a checkout: what it prints, what it leaves alone, how it ends."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from hpcgate import cli, evidence
from hpcgate.errors import GateError
from hpcgate.repo import find_root, git, tracked_files

ROOT = find_root(Path(__file__))


def call(*words: object) -> Result:
    result = CliRunner().invoke(cli.app, [str(word) for word in words])
    assert result.exception is None or isinstance(result.exception, SystemExit | GateError)
    return result


def test_the_level_is_told_as_a_table_as_json_and_with_what_lacks(checkout: Any) -> None:
    root = ["--root", checkout.root]
    assert "none" in call("level", *root).output
    told = json.loads(call("level", *root, "--json").output)
    assert (told["level"], told["release"]) == (-1, False)
    assert "nox -s claims  #" in call("level", *root, "--explain").output
    checkout.reach(0)
    assert json.loads(call("level", *root, "--json").output)["level"] == 0
    told = json.loads(call("level", *root, "--json", "--release").output)
    assert (told["level"], told["release"]) == (0, True)


def test_the_ledger_is_listed_verified_and_drawn(checkout: Any) -> None:
    root = ["--root", checkout.root]
    record = checkout.record("tests")
    assert "tests" in call("evidence", "list", *root).output
    assert call("evidence", "verify", *root).exit_code == 0
    path = checkout.root / record.path
    path.write_text(path.read_text().replace("nox -s x", "nox -s y"))
    done = call("evidence", "verify", *root)
    assert done.exit_code == 1 and "tampered" in done.output


def test_what_is_generated_here_is_what_the_facts_give() -> None:
    before = git(ROOT, "status", "--porcelain")
    assert call("generate", "--check", "--root", ROOT).exit_code == 0
    assert call("chains", "--check", "--root", ROOT).exit_code == 0
    assert call("policy", "--root", ROOT).output == ""
    assert git(ROOT, "status", "--porcelain") == before


def test_a_difference_is_named_and_ends_with_status_1(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for path in tracked_files(ROOT):
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, copy / path)
    subprocess.run(["git", "init", "-q", copy], check=True)
    orders = copy / "packages/pymars/pymars/accel/chains.json"
    kept = orders.read_text()
    orders.write_text("{}\n")
    done = call("chains", "--check", "--root", copy)
    assert (done.exit_code, orders.read_text()) == (1, "{}\n")
    assert "differs: packages/pymars/pymars/accel/chains.json" in done.output
    assert call("chains", "--root", copy).exit_code == 0
    assert orders.read_text() == kept
    recipe = next((copy / "spack").rglob("package.py"))
    recipe.write_text(recipe.read_text() + "\n")
    done = call("generate", "--check", "--root", copy)
    assert done.exit_code == 1 and f"differs: {recipe.relative_to(copy)}" in done.output
    page = copy / "docs/language_policy.md"
    kept = page.read_text()
    page.write_text(kept.replace("### Palette", "### Colours"))
    done = call("policy", "--root", copy)
    assert done.exit_code == 1 and "docs/language_policy.md" in done.output
    assert "wrote: docs/language_policy.md" in call("policy", "--fix", "--root", copy).output
    assert page.read_text() == kept
    crates = copy / "packaging/supply/crates.yaml"
    kept = crates.read_text()
    crates.write_text(kept + "\n")
    done = call("crates", "--check", "--root", copy)
    assert done.exit_code == 1 and "differs: packaging/supply/crates.yaml" in done.output
    assert "wrote: packaging/supply/crates.yaml" in call("crates", "--root", copy).output
    assert crates.read_text() == kept
    assert call("crates", "--check", "--root", copy).output == ""


def test_the_bill_of_materials_and_the_provenance_are_written_and_verified(tmp_path: Path) -> None:
    out = tmp_path / "dist"
    assert call("sbom", "write", "--root", ROOT, "--out", out).exit_code == 0
    (document,) = out.glob("*.cdx.json")
    assert "valid CycloneDX 1.6" in call("sbom", "verify", document).output
    assert call("sbom", "write", "--root", ROOT, "--out", out, "--environment").exit_code == 0
    assert (out / "tests-environment.cdx.json").is_file()
    document.write_text("{}")
    assert isinstance(call("sbom", "verify", document).exception, GateError)
    artefact = out / "artefact.txt"
    artefact.write_text("content\n")
    times = ["--started=2026-01-01T00:00:00Z", "--finished=2026-01-01T00:01:00Z"]
    done = call("provenance", "write", artefact, *times, "--out", out, "--root", ROOT)
    assert done.exit_code == 0, done.output
    (statement,) = out.glob("*.provenance.json")
    told = call("provenance", "verify", statement).output
    assert "artefact.txt" in told and "unsigned" in told
    artefact.write_text("other\n")
    assert isinstance(call("provenance", "verify", statement).exception, GateError)


def test_the_tools_are_listed() -> None:
    assert "cargo" in call("doctor", "--root", ROOT).output


def test_a_gate_error_is_one_line_and_status_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "hpcgate.cli", "level", "--root", tmp_path],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2 and done.stderr.startswith("hpcgate: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["packets", "status"])
def test_packets_are_compared_and_left_alone(command: str) -> None:
    before = git(ROOT, "status", "--porcelain")
    words = ["--check"] if command == "packets" else []
    assert call(command, *words, "--root", ROOT).exit_code in (0, 1)
    assert git(ROOT, "status", "--porcelain") == before


def test_commands_that_refuse_say_why(checkout: Any, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("It runs on every GPU.\n")
    done = call("claims", "--strict", page)
    assert done.exit_code == 1 and "needs H3" in done.output
    (tmp_path / "SHA256SUMS").write_text(f"{64 * '0'}  gone.txt\n")
    done = call("bundle", "--verify", tmp_path)
    assert done.exit_code == 1 and "gone.txt: missing" in done.output
    report = tmp_path / "coverage.json"
    report.write_text("{}")
    assert isinstance(call("policy", "--root", ROOT, "--coverage", report).exception, GateError)
    done = call("release", "--root", checkout.root)
    assert done.exit_code == 1 and done.output.count("no record; run: nox -s audit") == len(
        evidence.contract(checkout.root).release.checks
    )
    for name in evidence.contract(checkout.root).release.checks:
        moment = datetime.now(timezone.utc)
        checkout.record(name, started=moment, finished=moment)
    assert call("release", "--root", checkout.root).output == "every audit passed\n"
    assert "wrote: build/evidence.html" in call("evidence", "page", "--root", checkout.root).output
    words = ["evidence", "record", "tests", "--command=nox -s tests", "--outcome=unavailable"]
    words += ["--reason=no wheel", "--started=2026-01-01T00:00:00Z"]
    words += ["--finished=2026-01-01T00:01:00Z", "--root", str(checkout.root)]
    assert call(*words).output.startswith("unavailable: submissions/evidence/tests/")

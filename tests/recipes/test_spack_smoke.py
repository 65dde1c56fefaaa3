"""The Spack smoke: what it reads, writes and decides, without a Spack."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from hpcgate import facts
from hpcgate.cleanroom.process import Result
from hpcgate.errors import GateError
from hpcgate.evidence import load
from hpcgate.facts import read_yaml
from hpcgate.lanes import spack_host as host
from hpcgate.lanes import spack_refusals as refusals
from hpcgate.lanes import spack_site as site
from hpcgate.lanes import spack_smoke
from hpcgate.lanes import spack_source as source
from hpcgate.lanes import spack_style as style
from hpcgate.lanes.spack_session import COMMANDS, ENVIRONMENT, LOGS, Session, StageFailed
from hpcgate.repo import find_root, sha256_file
from hpcgate.smoke import Smoke, read_report

from .conftest import Checkout

ROOT = find_root(Path(__file__).parent)
PLACES = host.Places("/work", "/opt/packages", "/opt/rust")
TOOLS = site.Tools("3.11.2", "/usr", "12.2.0", "/usr", "1.95.0")

# What `spack test results -l` of Spack 1.2 prints, shortened.
PRINTED = """\
==> Results for test suite 'mars':
==> test specs:
==>   mars-earth-2.0.0-cc3wj5r PASSED
==> Testing package mars-earth-2.0.0-cc3wj5r
==> [2030-01-02-03:04:05.000000] test: test_cli: check that the tool runs
mars-earth, version 2.0.0
PASSED: MarsEarth::test_cli
MarsEarth::test_cli .. PASSED
==>   py-mars-earth-2.0.0-v6gc6xm PASSED
PASSED: PyMarsEarth::test_cli
PASSED: PyMarsEarth::test_fit_and_replay
pymars
pymars.cli
PASSED: PyMarsEarth::test_imports
PASSED: PyMarsEarth::test_imports
"""
EXPECTED = {"PyMarsEarth": {"test_cli", "test_fit_and_replay"}, "MarsEarth": {"test_cli"}}


# Results of the recipes' tests


def test_a_whole_run_passes() -> None:
    results = spack_smoke.read_test_results(PRINTED, EXPECTED)
    assert results == {
        "spack-test-mars-earth": True,
        "mars-earth-test-cli": True,
        "spack-test-py-mars-earth": True,
        "py-mars-earth-test-cli": True,
        "py-mars-earth-test-fit-and-replay": True,
        "py-mars-earth-test-imports": True,
    }


def test_an_empty_run_fails_everything() -> None:
    results = spack_smoke.read_test_results("==> Spack test mars\n", EXPECTED)
    assert len(results) == 5
    assert not any(results.values())


@pytest.mark.parametrize(
    ("old", "new", "failing"),
    [
        ("PASSED: PyMarsEarth::test_cli\n", "", {"py-mars-earth-test-cli"}),
        (
            "PASSED: PyMarsEarth::test_fit_and_replay",
            "FAILED: PyMarsEarth::test_fit_and_replay",
            {"py-mars-earth-test-fit-and-replay"},
        ),
        (
            "PASSED: MarsEarth::test_cli",
            "SKIPPED: MarsEarth::test_cli",
            {"mars-earth-test-cli"},
        ),
        ("cc3wj5r PASSED", "cc3wj5r NO_TESTS", {"spack-test-mars-earth"}),
        (
            "PASSED: PyMarsEarth::test_imports\nPASSED",
            "PASSED: PyMarsEarth::test_imports\nFAILED",
            {"py-mars-earth-test-imports"},
        ),
        ("pymars\n", "==> Detected the following modules: []\n", {"imports-are-not-empty"}),
    ],
    ids=["not-run", "failed", "skipped", "no-tests", "one-import-failed", "nothing-imported"],
)
def test_what_did_not_pass_is_named(old: str, new: str, failing: set[str]) -> None:
    assert old in PRINTED
    results = spack_smoke.read_test_results(PRINTED.replace(old, new, 1), EXPECTED)
    assert {name for name, passed in results.items() if not passed} == failing


# Wheels and externals


def wheel(folder: Path, name: str, version: str, *needs: str) -> None:
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {need}" for need in needs)]
    path = folder / f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{name}-{version}.dist-info/METADATA", "\n".join([*lines, "", "text"]))


@pytest.fixture
def wheels(tmp_path: Path) -> list[site.Wheel]:
    wheel(tmp_path, "rich", "15.0.0", "Pygments>=2", 'ipywidgets; extra == "jupyter"')
    wheel(tmp_path, "Pygments", "2.21.0", 'colorama; sys_platform == "win32"')
    wheel(tmp_path, "joblib", "1.6.0", "cloudpickle")
    wheel(tmp_path, "cloudpickle", "3.1.2", 'tomli; python_version < "3.11"')
    wheel(tmp_path, "unwanted", "1")
    return site.read_wheels(tmp_path, "3.11.2")


def test_only_what_applies_here_is_needed(wheels: list[site.Wheel]) -> None:
    assert {w.package: w.needs for w in wheels} == {
        "py-rich": ("pygments",),
        "py-pygments": (),
        "py-joblib": ("cloudpickle",),
        "py-cloudpickle": (),
        "py-unwanted": (),
    }


def test_a_need_that_was_not_downloaded_is_named(tmp_path: Path) -> None:
    wheel(tmp_path, "rich", "15.0.0", "pygments")
    with pytest.raises(GateError, match=r"rich-15.*needs pygments"):
        site.read_wheels(tmp_path, "3.11.2")


def test_what_a_recipe_does_not_know_lies_in_its_prefix(wheels: list[site.Wheel]) -> None:
    known = {"py-rich": ["python", "py-pygments"], "py-joblib": ["python"], "py-pygments": []}
    contents = site.assign(wheels, ["rich", "joblib"], known)
    names = {package: [w.name for w in inside] for package, inside in contents.items()}
    assert names == {
        "py-rich": ["rich"],
        "py-pygments": ["pygments"],
        "py-joblib": ["joblib", "cloudpickle"],
    }
    section = site.externals(contents, known, TOOLS, PLACES)
    (rich,) = section["py-rich"]["externals"]  # type: ignore[misc]
    assert rich["spec"] == "py-rich@15.0.0"
    assert rich["prefix"] == "/work/externals/py-rich"
    assert [need["spec"] for need in rich["dependencies"]] == ["python", "py-pygments"]
    assert all(entry["buildable"] is False for entry in section.values())
    assert len({e["externals"][0]["prefix"] for e in section.values()}) == len(section) - 1  # type: ignore[index]


def test_every_requirement_of_the_recipe_is_an_external() -> None:
    needed = site.requirements(facts.load(ROOT).dependencies)
    names = {re.split(r"[<>=]", text)[0] for text in needed}
    assert names == {
        "maturin", "numpy", "scikit-learn", "click", "pyarrow", "matplotlib",
    }  # fmt: skip


def test_the_scope_is_yaml_that_says_what_it_should(tmp_path: Path) -> None:
    files = site.scope({"python": {"buildable": False}}, PLACES)
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    read = {name: read_yaml(tmp_path / name) for name in files}
    assert all(list(data) == [name.removesuffix(".yaml")] for name, data in read.items())
    assert read["repos.yaml"]["repos"] == {"builtin": "/opt/packages/spack_repo/builtin"}
    assert read["bootstrap.yaml"]["bootstrap"] == {"enable": False}
    assert read["mirrors.yaml"]["mirrors"]["local"]["binary"] is False
    assert read["packages.yaml"]["packages"] == {"python": {"buildable": False}}
    paths = [v for v in read["config.yaml"]["config"].values() if isinstance(v, str)]
    assert paths and all(path.startswith("/work/") for path in paths)


def test_the_mirror_is_addressed_by_digest(tmp_path: Path) -> None:
    archive = tmp_path / "x-1.tar.gz"
    archive.write_bytes(b"bytes")
    digest = sha256_file(archive)
    stored = site.store(tmp_path / "mirror", archive)
    assert stored.relative_to(tmp_path).parts[1:] == (
        "_source-cache", "archive", digest[:2], f"{digest}.tar.gz",
    )  # fmt: skip
    # Under the recipe's digest, so that Spack is the one to refuse other bytes.
    assert site.store(tmp_path / "mirror", archive, "ab" * 32).name == f"{'ab' * 32}.tar.gz"


# What this machine has


def fake_spack(folder: Path) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "spack").write_text("#!/bin/sh\nexit 1\n")
    (folder / "bin" / "spack").chmod(0o755)
    return folder


def test_spack_is_found_by_option_variable_and_path(tmp_path: Path) -> None:
    spack = fake_spack(tmp_path / "spack")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "spack").symlink_to(spack / "bin" / "spack")
    assert source.spack_of(ROOT, spack, {}) == spack
    assert source.spack_of(ROOT, None, {"SPACK_ROOT": str(spack), "PATH": ""}) == spack
    assert source.spack_of(ROOT, None, {"PATH": str(tmp_path / "links")}) == spack


def test_a_folder_that_is_no_spack_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GateError, match=r"holds no bin/spack; give --spack-root"):
        source.spack_of(ROOT, tmp_path, {})


def test_the_builtin_repository_is_found(tmp_path: Path) -> None:
    spack = fake_spack(tmp_path / "spack")
    repo = tmp_path / "checkout" / "repos" / "spack_repo" / "builtin"
    repo.mkdir(parents=True)
    (repo / "repo.yaml").write_text("repo:\n  namespace: builtin\n")
    for named in (tmp_path / "checkout", tmp_path / "checkout" / "repos", repo):
        assert source.packages_of(ROOT, named, spack, {}) == tmp_path / "checkout" / "repos"
    variable = {"SPACK_PACKAGES_ROOT": str(tmp_path / "checkout")}
    assert source.packages_of(ROOT, None, spack, variable) == tmp_path / "checkout" / "repos"
    with pytest.raises(GateError, match="holds no spack_repo/builtin; give --packages"):
        source.packages_of(ROOT, tmp_path, spack, {})


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    line = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(line, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def forge(checkout: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two repositories that git takes for the pinned ones, at the pinned commits."""
    facts_file = checkout.root / "packaging/spack/facts.yaml"
    for name, held in {
        "spack": "bin/spack",
        "spack-packages": "repos/spack_repo/builtin/repo.yaml",
    }.items():
        origin = tmp_path / "forge" / f"{name}.git"
        (origin / held).parent.mkdir(parents=True)
        (origin / held).write_text("exit 1\n")
        git(origin, "init", "-q")
        git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
        git(origin, "add", ".")
        git(origin, "commit", "-qm", "pinned")
        pinned = read_yaml(facts_file)["packages" if name != "spack" else "spack"]["commit"]
        facts_file.write_text(
            facts_file.read_text().replace(pinned, git(origin, "rev-parse", "HEAD"))
        )
        (origin / held).write_text("later\n")
        git(origin, "commit", "-qam", "not pinned")
    config = tmp_path / "gitconfig"
    config.write_text(f'[url "{tmp_path}/forge/"]\n  insteadOf = https://github.com/spack/\n')
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))
    return tmp_path / "forge"


def test_the_pinned_commits_are_cloned_where_none_is_given(checkout: Checkout, forge: Path) -> None:
    spack = source.spack_of(checkout.root, None, {"PATH": ""})
    assert (spack / "bin" / "spack").read_text() == "exit 1\n"
    assert source.commit_of(spack).startswith(spack.name.removeprefix("spack-"))
    found = source.packages_of(checkout.root, None, spack, {})
    assert (found / "spack_repo/builtin/repo.yaml").read_text() == "exit 1\n"
    # The second time nothing is fetched.
    (forge / "spack.git").rename(forge / "gone")
    assert source.spack_of(checkout.root, None, {"PATH": ""}) == spack


def test_a_clone_that_fails_leaves_nothing(checkout: Checkout, forge: Path) -> None:
    (forge / "spack.git").rename(forge / "gone")
    with pytest.raises(GateError, match=r"no spack: none is given, and git cannot fetch [0-9a-f]+"):
        source.spack_of(checkout.root, None, {"PATH": ""})
    assert list((checkout.root / "build" / "spack").iterdir()) == []


def test_the_style_checkers_are_those_of_the_builtin_repository(tmp_path: Path) -> None:
    pins = tmp_path / style.PINS
    pins.parent.mkdir(parents=True)
    pins.write_text("clingo==5.8.0\nruff==0.15.11\nvermin==1.8.0\n")
    assert style.checkers(tmp_path) == ["ruff==0.15.11", "vermin==1.8.0"]


@pytest.mark.parametrize(
    ("described", "passed"),
    [("Install pyarrow", True), ("Show the relationship of terms", False), ("With CUDA", False)],
)
def test_the_catalogue_search_reads_the_variants_only(
    tmp_path: Path, described: str, passed: bool
) -> None:
    printed = (
        "PythonPackage:   py-mars-earth\n\nDescription:\n    A ship of rocm.\n\n"
        f"Variants:\n    arrow [false]    false, true\n        {described}\n\n"
        "Dependencies:\n    cuda\n"
    )
    tried = session(tmp_path, Result(0, "", "", 0.1))
    with contextlib.nullcontext() if passed else pytest.raises(StageFailed):
        style.check_catalogue(tried, printed)
    assert (tried.smoke.outcome == "pass") is passed


def test_without_a_variants_section_nothing_is_shown(tmp_path: Path) -> None:
    with pytest.raises(StageFailed):
        style.check_catalogue(session(tmp_path, Result(0, "", "", 0.1)), "nothing of the kind\n")


# Bad input


def test_a_case_is_refused_only_with_the_message_and_the_log(tmp_path: Path) -> None:
    (tmp_path / "scope").mkdir()
    archive = tmp_path / "x.tar.gz"
    archive.write_bytes(b"bytes")
    case = refusals.Case("spoiled", lambda *_: None, "checksum failed")
    outcomes = {}
    for said in ("==> Error: checksum failed for x\n", "==> Error: something else\n", None):
        result = Result(0, "", "", 0.1) if said is None else Result(1, "", said, 0.1)
        tried = session(tmp_path, result)
        tried = replace(tried, root=ROOT, logs=tmp_path / "logs")
        shutil.rmtree(tmp_path / "bad", ignore_errors=True)
        refusals.refuse(tried, case, archive)
        (test,) = tried.smoke.tests
        outcomes[said] = test.passed
        assert (tmp_path / "logs" / "spoiled" / "install.log").is_file()
    assert list(outcomes.values()) == [True, False, False]


def test_what_is_left_behind_fails_a_case(tmp_path: Path) -> None:
    (tmp_path / "scope").mkdir()
    (tmp_path / "opt" / "linux" / "py-mars-earth-2.0.0-abc").mkdir(parents=True)
    archive = tmp_path / "x.tar.gz"
    archive.write_bytes(b"bytes")
    tried = session(tmp_path, Result(1, "", "==> Error: refused\n", 0.1))
    tried = replace(tried, root=ROOT, logs=tmp_path / "logs")
    refusals.refuse(tried, refusals.Case("spoiled", lambda *_: None, "refused"), archive)
    assert [(t.passed, "py-mars-earth-2.0.0-abc" in t.detail) for t in tried.smoke.tests] == [
        (False, True)
    ]


def test_one_crate_is_taken_out_of_an_archive(tmp_path: Path) -> None:
    archive = tmp_path / "x.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("x/Cargo.toml", "x/vendor/serde-1.0/lib.rs", "x/vendor/serde_json-1.0/lib.rs"):
            tar.addfile(tarfile.TarInfo(name))
    with tarfile.open(fileobj=io.BytesIO(refusals.without_crate(archive, "serde"))) as tar:
        found = tar.getnames()
    assert found == ["x/Cargo.toml", "x/vendor/serde_json-1.0/lib.rs"]
    with pytest.raises(GateError, match="holds no crate tokio to leave out"):
        refusals.without_crate(archive, "tokio")


def test_each_bad_input_stands_in_the_guide() -> None:
    guide = (ROOT / "docs" / "install-spack.md").read_text()
    rows = guide.partition("## What Spack says")[2].partition("\n## ")[0].count("\n| ") - 2
    assert rows == len(refusals.CASES)


def test_nothing_of_the_caller_leaks_into_the_machine_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SPACK_ROOT", "SPACK_ENV", "PYTHONPATH", "CARGO_HOME", "PIP_TARGET"):
        monkeypatch.setenv(name, "/leak")
    with host.room(tmp_path, "none", tmp_path, tmp_path) as (room, places):
        seen = room.run(["env"]).stdout
        assert room.work.is_dir()
    assert "/leak" not in seen
    assert f"SPACK_USER_CONFIG_PATH={places.work}/scope" in seen
    assert not room.work.exists()


# The session


class FakeRoom:
    """Answers every command with the same result."""

    engine = "fake"
    image = "fake"

    def __init__(self, work: Path, result: Result) -> None:
        self.work = work
        self.result = result
        self.networks: list[bool | None] = []

    def run(
        self,
        command: Sequence[str] | str,
        *,
        network: bool | None = None,
        timeout: float | None = None,
    ) -> Result:
        self.networks.append(network)
        return self.result


def session(tmp_path: Path, result: Result) -> Session:
    status = Console(file=io.StringIO()).status("")
    return Session(tmp_path, facts.load(ROOT), Smoke(), FakeRoom(tmp_path, result), PLACES, status)


def test_a_failing_stage_names_its_log_and_ends_the_session(tmp_path: Path) -> None:
    said = "==> Error: ChecksumError: sha256 checksum failed for x\n    Expected a\nmore\n"
    failing = session(tmp_path, Result(1, "printed", said, 1.5))
    with pytest.raises(StageFailed):
        failing.stage("install")
    assert failing.smoke.outcome == "fail"
    assert failing.smoke.reason == (
        "install: ChecksumError: sha256 checksum failed for x Expected a"
        " (see build/logs/smoke-spack/install.log)"
    )
    log = (tmp_path / LOGS / "install.log").read_text()
    assert "spack install --fresh mars-earth@2.0.0" in log and "printed" in log
    assert failing.smoke.measurements == {"install_seconds": 1.5}


def test_a_stage_has_no_network_and_a_preparation_only_on_request(tmp_path: Path) -> None:
    passing = session(tmp_path, Result(0, "", "", 0.1))
    passing.stage("audit")
    passing.prepare("tools", "true")
    passing.prepare("download", "true", network=True)
    assert isinstance(passing.room, FakeRoom)
    assert passing.room.networks == [False, False, None]


def test_a_preparation_that_fails_judges_nothing(tmp_path: Path) -> None:
    failing = session(tmp_path, Result(1, "", "no index\n", 0.1))
    with pytest.raises(GateError, match=r"download: no index; see .*download\.log"):
        failing.prepare("download", "false", network=True)
    assert not failing.smoke.tests


def test_without_a_spack_the_outcome_is_unavailable(
    checkout: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SPACK_ROOT", raising=False)
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(checkout.root)
    assert spack_smoke.main([]) == 1
    (record,) = [r for r in load(checkout.root) if r.check == "smoke-spack"]
    assert (record.outcome, record.state) == ("unavailable", "current")
    assert record.reason.startswith("no spack: none is given, and git cannot fetch")
    assert "unavailable" in capsys.readouterr().err


def test_without_an_sdist_nothing_is_recorded(checkout: Checkout) -> None:
    checkout.sdist.unlink()
    with pytest.raises(GateError, match=r"is missing; python -m hpcgate\.sdist --sdist-only"):
        spack_smoke.run(checkout.root)
    assert not load(checkout.root)


# The guide


def blocks(language: str) -> list[tuple[str, str]]:
    """Return each block of the guide with the text that follows it."""
    text = (ROOT / "docs" / "install-spack.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```\n\n?(.*?)(?=^```|\Z)", text, re.M | re.S)


def test_each_block_of_the_guide_is_run_or_says_why_not() -> None:
    version = str(facts.load(ROOT).release.version)
    run = {". $SPACK_ROOT/share/spack/setup-env.sh"}
    for commands in COMMANDS.values():
        run |= set(commands.replace("{version}", version).splitlines())
    shown: set[str] = set()
    found = blocks("sh")
    for position, (block, after) in enumerate(found):
        # Two blocks may share the sentence below the second.
        below = next(text for _, text in found[position:] if "The smoke session" in text)
        if "The smoke session does not run this: " in after:
            continue
        assert re.match(r"(.*\n)*The smoke session runs this", below), block
        lines = set(block.splitlines())
        assert lines <= run, f"the session does not run: {lines - run}"
        shown |= lines
    assert run == shown, f"the guide does not show: {run - shown}"


def test_the_environment_of_the_guide_is_the_one_that_is_run() -> None:
    version = str(facts.load(ROOT).release.version)
    ((shown, _),) = blocks("yaml")
    assert shown == ENVIRONMENT.replace("{version}", version)


def test_the_report_of_the_script_is_the_one_that_is_read() -> None:
    script = (ROOT / "tests" / "smoke" / "spack" / "use_installed.py").read_text()
    names = re.findall(r"^    (\w+),$", script.split("TESTS:")[1].split("\n)")[0], re.M)
    tests = [{"name": n.replace("_", "-"), "passed": True, "detail": ""} for n in names]
    report = {"tests": tests, "versions": {"numpy": "2"}, "measurements": {"vectors": 95}}
    read = read_report(json.dumps(report))
    assert read is not None and len(read.tests) == 5

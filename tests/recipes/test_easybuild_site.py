"""The stand-in site of the EasyBuild lane, and the sources that an air-gapped site carries."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hpcgate.cleanroom.process import Result
from hpcgate.errors import GateError
from hpcgate.lanes import easybuild_site, easybuild_sources
from hpcgate.lanes.easybuild_lint import EasyConfig, read_easyconfig, read_easyconfigs
from hpcgate.lanes.easybuild_site import Module, render_module, site_facts
from hpcgate.lanes.easybuild_sources import fill_sources

from .conftest import ROOT, Checkout

PYTHON = Module(
    full_name="Python/3.13.5-GCCcore-14.3.0",
    name="Python",
    version="3.13.5",
    needs=("GCCcore/14.3.0",),
    extensions={"pip": "25.1.1", "flit_core": "3.12.0"},
)


def ran(stdout: str = "", code: int = 0, stderr: str = "") -> Result:
    return Result(code, stdout, stderr, 1.0)


class FakeRoom:
    """Answer commands that hold a text; every other one succeeds."""

    def __init__(self, answers: dict[str, Result]) -> None:
        self.answers = answers

    def run(self, command: str) -> Result:
        return next((answer for part, answer in self.answers.items() if part in command), ran())


# -- The stand-in site -------------------------------------------------------------------------


def test_a_stand_in_says_that_it_is_one_and_offers_what_it_has() -> None:
    root = "/mnt/site/software/Python/3.13.5-GCCcore-14.3.0"
    assert render_module(PYTHON, programs=True, library="lib/x").splitlines()[1:] == [
        'whatis("Description: stand-in for Python/3.13.5-GCCcore-14.3.0, not built by EasyBuild")',
        'conflict("Python")',
        'depends_on("GCCcore/14.3.0")',
        f'setenv("EBROOTPYTHON", "{root}")',
        'setenv("EBVERSIONPYTHON", "3.13.5")',
        f'prepend_path("PATH", "{root}/bin")',
        f'prepend_path("PYTHONPATH", "{root}/lib/x")',
    ]


def test_an_empty_stand_in_offers_no_path() -> None:
    empty = Module(full_name="gfbf/2025b", name="gfbf", version="2025b", needs=(), extensions={})
    text = render_module(empty, programs=False, library="")
    assert "PATH" not in text and 'setenv("EBROOTGFBF"' in text


def test_names_become_variables_the_way_easybuild_does_it() -> None:
    name = "scikit-learn/1.7.1-gfbf-2025b"
    module = Module(full_name=name, name="scikit-learn", version="1.7.1", needs=(), extensions={})
    assert "EBROOTSCIKITMINLEARN" in render_module(module, programs=False, library="")


def test_versions_come_from_upstream_alone() -> None:
    assert PYTHON.pin("flit-core") == "flit-core==3.12.0"
    assert PYTHON.pin("Python") == "Python==3.13.5"
    with pytest.raises(GateError, match="upstream's easyconfig has no numpy"):
        PYTHON.pin("numpy")


@pytest.mark.parametrize("generation", ["2025a", "2025b", "2026.1"])
def test_upstream_names_every_module_and_every_wheel(
    checkout: Checkout, generation: str, tmp_path: Path
) -> None:
    (path,) = checkout.root.glob(f"easybuild/**/*-{generation}.eb")
    script = ROOT / easybuild_site.PLAN
    line = [sys.executable, str(script), str(path), str(tmp_path / "scratch")]
    done = subprocess.run(line, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    plan = json.loads(done.stdout.splitlines()[-1])["modules"]
    modules = {entry["name"]: Module.model_validate(entry) for entry in plan}
    facts = site_facts(ROOT)
    pins = {modules[name].pin(one) for name, named in facts.wheels.items() for one in named}
    assert (generation == "2026.1") == (pins >= facts.instead.keys())
    assert set(facts.programs) <= set(modules)
    known = [entry["full_name"] for entry in plan]
    for entry in plan:
        assert set(entry["needs"]) <= set(known[: known.index(entry["full_name"])])


def test_a_version_that_upstream_patches_has_a_release_that_stands_for_it() -> None:
    maturin = Module(full_name="maturin/1", name="maturin", version="1", needs=(), extensions={})
    facts = site_facts(ROOT).model_copy(update={"instead": {"maturin==1": "maturin==1.0.1"}})
    script = easybuild_site._fill(maturin, facts, {"Python": PYTHON})
    assert " maturin==1.0.1\n" in script


@pytest.mark.parametrize(("here", "fits"), [("3.13\n", True), ("3.12\n", False)])
def test_another_python_cannot_stand_for_the_module(here: str, fits: bool, tmp_path: Path) -> None:
    room: Any = FakeRoom({"version_info": ran(here)})
    if fits:
        assert easybuild_site._python_minor(room, tmp_path, {"Python": PYTHON}) == "3.13"
    else:
        with pytest.raises(GateError, match=r"Python 3\.12, which cannot stand for Python/3\.13"):
            easybuild_site._python_minor(room, tmp_path, {"Python": PYTHON})


def test_a_failing_step_of_the_site_names_its_log(tmp_path: Path) -> None:
    failed = ran("", 1, "noise\nERROR: No matching distribution found for numpy==9\n")
    room: Any = FakeRoom({"pip": failed})
    with pytest.raises(GateError, match=r"No matching distribution.*site-numpy\.log"):
        easybuild_site._run(room, tmp_path, "numpy", "pip install numpy==9")
    assert "noise" in (tmp_path / "site-numpy.log").read_text()


# -- Sources -----------------------------------------------------------------------------------


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[EasyConfig, Path, Path]:
    """Return an easyconfig with one crate, its archive, and an empty folder."""
    sdist, crate = tmp_path / "x-1.tar.gz", tmp_path / "registry/cache/index/heck-0.5.0.crate"
    crate.parent.mkdir(parents=True)
    sdist.write_bytes(b"archive")
    crate.write_bytes(b"crate")
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in
               (("x-1.tar.gz", b"archive"), ("heck-0.5.0.tar.gz", b"crate"))}  # fmt: skip
    checksums = [{name: digest} for name, digest in digests.items()]
    monkeypatch.setenv("CARGO_HOME", str(tmp_path))
    monkeypatch.setattr(easybuild_sources, "run_group", lambda *_, **__: ran())
    config = read_easyconfig("x.eb", f"checksums = {checksums!r}")
    return config, sdist, tmp_path / "sources"


def test_the_sourcepath_holds_every_source_flat(sources: tuple[EasyConfig, Path, Path]) -> None:
    config, sdist, folder = sources
    folder.mkdir()
    (folder / "left-over").touch()
    assert fill_sources(config, sdist, Path("."), folder) == []
    assert sorted(path.name for path in folder.iterdir()) == ["heck-0.5.0.tar.gz", "x-1.tar.gz"]
    assert (folder / "heck-0.5.0.tar.gz").read_bytes() == b"crate"


def test_an_archive_with_another_digest_is_not_used(
    sources: tuple[EasyConfig, Path, Path],
) -> None:
    config, sdist, folder = sources
    sdist.write_bytes(b"another archive")
    (problem,) = fill_sources(config, sdist, Path("."), folder)
    assert re.fullmatch(r"x-1\.tar\.gz: sha256 \w{64}, .* names \w{64}; run: nox -s gen", problem)
    assert not (folder / "x-1.tar.gz").exists()


def test_a_crate_that_cargo_did_not_fetch_is_named(sources: tuple[EasyConfig, Path, Path]) -> None:
    config, sdist, folder = sources
    (sdist.parent / "registry/cache/index/heck-0.5.0.crate").unlink()
    (problem,) = fill_sources(config, sdist, Path("."), folder)
    assert problem.startswith("heck-0.5.0.tar.gz: not in cargo's cache")


def test_a_fetch_that_fails_is_not_a_fault_of_the_recipe(
    sources: tuple[EasyConfig, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, sdist, folder = sources
    failed = ran("", 101, "error: failed to download")
    monkeypatch.setattr(easybuild_sources, "run_group", lambda *_, **__: failed)
    with pytest.raises(GateError, match="cargo cannot fetch the crates: error: failed"):
        fill_sources(config, sdist, Path("."), folder)


def test_a_cargo_home_that_breaks_the_fetch_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = '[source.crates-io]\nreplace-with = "none-such"\n'
    (tmp_path / "config.toml").write_text(settings)
    monkeypatch.setenv("CARGO_HOME", str(tmp_path))
    config = read_easyconfig("x.eb", "checksums = []")
    with pytest.raises(GateError, match=r"cargo cannot fetch the crates: .*none-such") as caught:
        fill_sources(config, tmp_path / "x.tar.gz", ROOT / "packages", tmp_path / "sources")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "sources").exists()


def test_the_list_of_sources_is_the_one_of_every_easyconfig(checkout: Checkout) -> None:
    (listed,) = checkout.root.glob("easybuild/sources/*.sha256")
    lines = [line.split("  ") for line in listed.read_text().splitlines()[1:]]
    configs = read_easyconfigs(checkout.root)
    assert len(configs) == 3
    for config in configs:
        assert [{name: digest} for digest, name in lines] == config.values["checksums"]


def test_a_generation_without_a_clean_root_is_named() -> None:
    with pytest.raises(GateError, match="no clean root for generation 2031x"):
        site_facts(ROOT).image("2031x")

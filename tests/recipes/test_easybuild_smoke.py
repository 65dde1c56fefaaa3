"""The EasyBuild session without EasyBuild: stand-in site, sources, verdicts, and its page."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcgate.cleanroom.process import Result
from hpcgate.errors import GateError
from hpcgate.evidence import load
from hpcgate.lanes import easybuild_site, easybuild_smoke
from hpcgate.lanes.easybuild_lint import EasyConfig, read_easyconfig, read_easyconfigs
from hpcgate.lanes.easybuild_site import Module, Site, fill_sources, render_module, site_facts
from hpcgate.lanes.easybuild_smoke import stages, why

from .conftest import ROOT, Checkout

PAGE = ROOT / "docs" / "install-easybuild.md"
STAGES = {stage.name: stage for stage in stages("mars-earth", "2.0.0", "gfbf-2025b")}
PYTHON = Module(
    full_name="Python/3.13.5-GCCcore-14.3.0",
    name="Python",
    version="3.13.5",
    needs=("GCCcore/14.3.0",),
    extensions={"pip": "25.1.1", "flit_core": "3.12.0"},
)
REPORT = {
    "tests": [{"name": "replays", "passed": True, "detail": "95 cases"}],
    "versions": {"numpy": "2.3.2"},
    "measurements": {"vectors": 95},
}


def ran(stdout: str = "", code: int = 0, stderr: str = "") -> Result:
    return Result(code, stdout, stderr, 1.0)


class FakeRoom:
    """Answer every stage with success, except where a test says otherwise."""

    engine = "fake 1"
    image = "fake sha256:0"

    def __init__(self, answers: dict[str, Result]) -> None:
        self.answers = {"use_module.py": ran(json.dumps(REPORT)), **answers}
        self.commands: list[str] = []

    def run(self, command: list[str] | str, **_: Any) -> Result:
        text = command if isinstance(command, str) else " ".join(command)
        self.commands.append(text)
        return next((answer for part, answer in self.answers.items() if part in text), ran())


@pytest.fixture
def session(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeRoom]:
    """Return a function that runs the session in a fake room and returns the room."""
    for name in ("tests/conformance/manifest.json", "tests/smoke/easybuild/use_module.py"):
        target = checkout.root / name
        target.parent.mkdir(parents=True)
        target.write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(easybuild_smoke, "prepare", lambda *_, **__: Site(Path("/"), (), 0.0))
    monkeypatch.setattr(easybuild_smoke, "fill_sources", lambda *_: [])

    def run(answers: dict[str, Result] | None = None, **options: Any) -> FakeRoom:
        room = FakeRoom(answers or {})

        @contextlib.contextmanager
        def opened(*_: Any, **__: Any) -> Iterator[FakeRoom]:
            yield room

        monkeypatch.setattr(easybuild_smoke, "open_room", opened)
        easybuild_smoke.run(checkout.root, checkout.sdist, **options)
        return room

    return run


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


@pytest.mark.parametrize("generation", ["2025a", "2025b"])
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
    for name, distributions in facts.wheels.items():
        assert all(modules[name].pin(distribution) for distribution in distributions)
    assert set(facts.programs) <= set(modules)
    known = [entry["full_name"] for entry in plan]
    for entry in plan:
        assert set(entry["needs"]) <= set(known[: known.index(entry["full_name"])])


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
    monkeypatch.setattr(easybuild_site, "run_group", lambda *_, **__: ran())
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
    monkeypatch.setattr(easybuild_site, "run_group", lambda *_, **__: failed)
    with pytest.raises(GateError, match="cargo cannot fetch the crates: error: failed"):
        fill_sources(config, sdist, Path("."), folder)


# -- Verdicts ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "== building...\n== FAILED: Installation ended unsuccessfully: shell command 'tar ...' "
            "failed with exit code 2 in extract step for x.eb (took 1 secs)\n== Summary:\n",
            "shell command 'tar ...' failed with exit code 2 in extract step for x.eb",
        ),
        ("ERROR: Can't find path x.eb\n", "Can't find path x.eb"),
        (
            "Lmod has detected the following error:  These module(s) are unknown: mars-earth\n",
            "These module(s) are unknown: mars-earth",
        ),
        ("bash: line 1: eb: command not found\n", "bash: line 1: eb: command not found"),
        ("", "exit 1"),
    ],
)
def test_easybuild_says_why_in_one_line(output: str, reason: str) -> None:
    assert why(ran("", 1, output)) == reason


def test_a_pass_is_recorded_with_what_was_used(
    session: Callable[..., FakeRoom], checkout: Checkout
) -> None:
    room = session({"rustc --version": ran("rust 1.88.0\nlmod 8.7.60\n")})
    (entry,) = load(checkout.root)
    assert (entry.outcome, entry.reason, entry.state) == ("pass", "", "current")
    assert {"sources-have-their-digests", "replays", *STAGES} - {"unload"} <= set(entry.run.passed)
    assert entry.run.tools["rust"] == "1.88.0" and "stand-in" in entry.run.tools["site"]
    assert {"build_seconds", "vectors"} <= set(entry.run.measurements)
    assert {Path(name).suffix for name in entry.run.subjects} == {".eb", ".gz"}
    assert any("--optarch=GENERIC" in command for command in room.commands)


def test_a_failing_build_ends_the_session_and_names_the_log(
    session: Callable[..., FakeRoom], checkout: Checkout
) -> None:
    failed = ran("== FAILED: Installation ended unsuccessfully: no gcc (took 2 secs)", 1)
    room = session({"--optarch": failed})
    (entry,) = load(checkout.root)
    assert entry.outcome == "fail"
    assert entry.reason == "build: no gcc; see build/logs/smoke-easybuild/build.log"
    assert not any("module load mars-earth" in command for command in room.commands)
    assert "no gcc" in (checkout.root / "build/logs/smoke-easybuild/build.log").read_text()


def test_the_compiler_s_own_words_are_found(
    session: Callable[..., FakeRoom], checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = checkout.root / "build/logs/smoke-easybuild"
    said = "  error: subprocess-exited-with-error\n      error[E0425]: no value `x`\n"

    class Failing(FakeRoom):
        def run(self, command: list[str] | str, **options: Any) -> Result:
            (logs / "eb" / "out.txt").write_text(said)
            return super().run(command, **options)

    monkeypatch.setattr(sys.modules[__name__], "FakeRoom", Failing)
    output = "\x1b[31mERROR: Shell command failed!\x1b[0m\n"
    output += "\x1b[1m    output (stdout + stderr)  ->  /mnt/logs/out.txt\x1b[0m\n"
    session({"--optarch": ran("", 1, output)})
    (entry,) = load(checkout.root)
    assert entry.reason.startswith("build: Shell command failed!: error[E0425]: no value `x`; see")
    assert entry.reason.endswith("smoke-easybuild/eb/out.txt")


@pytest.mark.parametrize(
    ("printed", "code", "reason"),
    [
        ("no JSON", 1, "no report"),
        (json.dumps(REPORT), 1, "1 tests, exit 1"),
        (json.dumps({**REPORT, "tests": []}), 0, "no report"),
    ],
)
def test_a_script_that_does_not_report_honestly_fails(
    session: Callable[..., FakeRoom], checkout: Checkout, printed: str, code: int, reason: str
) -> None:
    session({"use_module.py": ran(printed, code)})
    (entry,) = load(checkout.root)
    assert entry.outcome == "fail" and reason in entry.reason


def test_without_lmod_it_is_unavailable(
    session: Callable[..., FakeRoom], checkout: Checkout
) -> None:
    room = session({"test -r": ran("", 1)})
    (entry,) = load(checkout.root)
    assert entry.outcome == "unavailable"
    assert "the clean root has no Lmod" in entry.reason
    assert not any("eb " in command for command in room.commands)


def test_a_site_that_cannot_be_made_is_unavailable(
    session: Callable[..., FakeRoom], checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> Site:
        raise GateError("the stand-in site cannot be made: easybuild: no index")

    monkeypatch.setattr(easybuild_smoke, "prepare", fails)
    session()
    (entry,) = load(checkout.root)
    assert (entry.outcome, "no index" in entry.reason) == ("unavailable", True)


def test_wrong_sources_fail_before_a_room_opens(
    session: Callable[..., FakeRoom], checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(easybuild_smoke, "fill_sources", lambda *_: ["x: sha256 1, not 2"])
    room = session()
    (entry,) = load(checkout.root)
    assert entry.reason == "sources-have-their-digests: x: sha256 1, not 2"
    assert entry.outcome == "fail" and room.commands == []


def test_a_rehearsal_carries_the_digest_at_hand_and_records_nothing(
    session: Callable[..., FakeRoom], checkout: Checkout
) -> None:
    before = {config.file: config.text for config in read_easyconfigs(checkout.root)}
    checkout.sdist.write_bytes(b"changed since")
    session(rehearse=True)
    assert load(checkout.root) == []
    (copy,) = (checkout.root / "build/rooms/easybuild/rehearsal").glob("easybuild/**/*.eb")
    assert hashlib.sha256(b"changed since").hexdigest() in copy.read_text()
    assert {config.file: config.text for config in read_easyconfigs(checkout.root)} == before


def test_another_generation_is_tried_but_not_recorded(
    session: Callable[..., FakeRoom], checkout: Checkout
) -> None:
    room = session(generation="2025a")
    assert any("gfbf-2025a.eb" in command for command in room.commands)
    assert load(checkout.root) == []


def test_wrong_arguments_are_one_line(checkout: Checkout) -> None:
    with pytest.raises(GateError, match=r"no generation '2031x'.*known: 2025a, 2025b"):
        easybuild_smoke.run(checkout.root, checkout.sdist, generation="2031x")
    with pytest.raises(GateError, match=r"not a source archive mars_earth-2\.0\.0\.tar\.gz"):
        easybuild_smoke.run(checkout.root, checkout.root / "dist/other.tar.gz")


# -- The page ----------------------------------------------------------------------------------


def blocks(text: str) -> list[tuple[str, str]]:
    """Return the commands of every block, with the sentence that follows it."""
    return re.findall(r"```sh\n(.*?)```\n\n([^\n]+)", text, re.DOTALL)


def disagreements(text: str) -> list[str]:
    """Return the lines of a page that no stage executes although the page says so."""
    found = []
    for commands, sentence in blocks(text):
        executed = re.match(r"Executed by the smoke session, stage `([a-z-]+)`[.,]", sentence)
        if executed:
            known = STAGES[executed[1]].commands.splitlines()
            found += [line for line in commands.splitlines() if line not in known]
        elif not re.match(r"Not executed: \S", sentence):
            found.append(sentence)
    return found


def test_every_command_of_the_page_is_executed_or_says_why_not() -> None:
    text = PAGE.read_text()
    assert text.count("```sh") == len(blocks(text)) > 5
    assert disagreements(text) == []
    assert "stand-in" in text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("--optarch=GENERIC\n", "--optarch=Intel:xHost\n"),
        ("Not executed: ", "It is known that "),
        ("module load mars-earth/2.0.0-gfbf-2025b\n", "module load mars-earth\n"),
    ],
)
def test_a_page_that_says_other_than_the_session_does_is_found(old: str, new: str) -> None:
    text = PAGE.read_text()
    assert old in text
    assert disagreements(text.replace(old, new)) != []

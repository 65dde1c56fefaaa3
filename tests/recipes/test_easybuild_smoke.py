"""The verdicts of the EasyBuild session, without EasyBuild."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcgate.cleanroom.process import Result
from hpcgate.errors import GateError
from hpcgate.evidence import load
from hpcgate.evidence.contract import contract
from hpcgate.lanes import easybuild_bad_input, easybuild_smoke
from hpcgate.lanes.easybuild_lint import read_easyconfigs
from hpcgate.lanes.easybuild_log import why
from hpcgate.lanes.easybuild_site import Site, site_facts
from hpcgate.lanes.easybuild_smoke import Options
from hpcgate.lanes.easybuild_stages import stages, upstream_tests

from .conftest import ROOT, Checkout

COMMANDS = {stage.name: stage.commands for stage in stages("mars-earth", "2.0.0", "gfbf-2025b")}
STAGES = set(COMMANDS)
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
        self.prefixes: list[Path] = []

    def ran(self, stage: str) -> bool:
        """Say whether the commands of a stage were typed."""
        return any(command.endswith(COMMANDS[stage]) for command in self.commands)

    def run(self, command: list[str] | str, **_: Any) -> Result:
        text = command if isinstance(command, str) else " ".join(command)
        self.commands.append(text)
        return next((answer for part, answer in self.answers.items() if part in text), ran())


@pytest.fixture
def session(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeRoom]:
    """Return a function that runs the session in a fake room and returns the room."""
    scripts = [f"tests/smoke/easybuild/{name}" for name in easybuild_smoke.SCRIPT_NAMES]
    for name in ("tests/conformance/manifest.json", *scripts):
        target = checkout.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    monkeypatch.setattr(easybuild_smoke, "prepare", lambda *_, **__: Site(Path("/"), (), 0.0))
    monkeypatch.setattr(easybuild_smoke, "fill_sources", lambda *_: [])

    def run(answers: dict[str, Result] | None = None, **options: Any) -> FakeRoom:
        room = FakeRoom(answers or {})

        @contextlib.contextmanager
        def opened(*_: Any, writable: dict[Path, str], **__: Any) -> Iterator[FakeRoom]:
            (prefix,) = [here for here, there in writable.items() if there == "/mnt/prefix"]
            room.prefixes.append(prefix)
            yield room

        monkeypatch.setattr(easybuild_smoke, "open_room", opened)
        easybuild_smoke.run(checkout.root, checkout.sdist, Options(**options))
        return room

    return run


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
    assert {"sources-have-their-digests", "replays", *STAGES} <= set(entry.run.passed)
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
    assert not room.ran("use") and not room.ran("sanity-check")
    assert "no gcc" in (checkout.root / "build/logs/smoke-easybuild/build.log").read_text()


def test_the_stages_aside_have_a_prefix_of_their_own(
    session: Callable[..., FakeRoom], checkout: Checkout
) -> None:
    room = session({"EASYBUILD_DISABLE_RPATH=1\neb": ran("ERROR: no space left\n", 1)})
    assert len(set(room.prefixes)) == 2
    (entry,) = load(checkout.root)
    assert entry.run.failed == ("second-build",)
    assert not room.ran("failed-rebuild") and not room.ran("rebuild")
    assert room.ran("module-only")


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
    copies = [*(checkout.root / "build/rooms/easybuild/rehearsal").glob("easybuild/**/*.*")]
    digest = hashlib.sha256(b"changed since").hexdigest()
    assert len(copies) == 4 and all(digest in copy.read_text() for copy in copies)
    assert {config.file: config.text for config in read_easyconfigs(checkout.root)} == before


def test_another_generation_has_a_check_of_its_own(
    session: Callable[..., FakeRoom], checkout: Checkout
) -> None:
    room = session(generation="2026.1")
    assert any("gfbf-2026.1.eb" in command for command in room.commands)
    (entry,) = load(checkout.root)
    assert (entry.check, entry.outcome) == ("easybuild-2026-1", "pass")
    assert entry.run.command == "nox -s smoke-easybuild -- --generation 2026.1"


def test_every_generation_can_be_recorded() -> None:
    facts = site_facts(ROOT)
    checks = [easybuild_smoke._check(name, facts.generation, Options())[0] for name in facts.images]
    assert checks == ["easybuild-2025a", "smoke-easybuild", "easybuild-2026-1"]
    assert {contract(ROOT).check(check).session for check in checks} == {"smoke-easybuild"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"generation": "2031x"}, r"no generation '2031x'.*known: 2025a, 2025b, 2026\.1"),
        ({"generation": "2025a", "edges": True}, "with generation 2025b only"),
        ({"easyconfigs": Path("/none-such")}, "not a checkout of easybuild-easyconfigs"),
    ],
)
def test_wrong_arguments_are_one_line(
    checkout: Checkout, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(GateError, match=message):
        easybuild_smoke.run(checkout.root, checkout.sdist, Options(**options))
    assert load(checkout.root) == []


def test_another_archive_is_one_line(checkout: Checkout) -> None:
    with pytest.raises(GateError, match=r"not a source archive mars_earth-2\.0\.0\.tar\.gz"):
        easybuild_smoke.run(checkout.root, checkout.root / "dist/other.tar.gz", Options())


# -- Upstream's tests --------------------------------------------------------------------------


def test_without_a_checkout_upstream_s_tests_are_unavailable(
    session: Callable[..., FakeRoom], checkout: Checkout
) -> None:
    session()
    (entry,) = load(checkout.root)
    assert entry.run.tools["upstream-tests"].startswith("unavailable: no --easyconfigs")


def test_with_a_checkout_upstream_s_tests_are_run_and_judged(
    session: Callable[..., FakeRoom], checkout: Checkout, tmp_path: Path
) -> None:
    (tmp_path / "test/easyconfigs").mkdir(parents=True)
    (tmp_path / "test/easyconfigs/easyconfigs.py").touch()
    said = {"name": "upstream-pr-https", "passed": False, "detail": "not https"}
    report = ran(json.dumps({**REPORT, "tests": [said]}), 1)
    session({"upstream_tests.py": report}, easyconfigs=tmp_path)
    (entry,) = load(checkout.root)
    assert entry.run.failed == ("upstream-pr-https",)
    assert "upstream-tests" in entry.run.passed
    assert entry.run.tools["upstream-tests"] == "a checkout without git"


def test_our_file_lies_among_upstream_s(tmp_path: Path) -> None:
    ours = "easybuild/easyconfigs/m/mars-earth/mars-earth-2.0.0-gfbf-2025b.eb"
    theirs = ("m/make/make-1.eb", "m/mars-earth/mars-earth-1.eb", "z/zlib/zlib-1.eb")
    for name in theirs:
        path = tmp_path / "theirs/easybuild/easyconfigs" / name
        path.parent.mkdir(parents=True)
        path.touch()
    (tmp_path / "mars" / ours).parent.mkdir(parents=True)
    (tmp_path / "mars" / ours).touch()
    script = upstream_tests("mars-earth", ours).commands.replace("$EB_PYTHON", "echo")
    for inside, here in (
        ("/mnt/easyconfigs", "theirs"),
        ("/mnt/mars", "mars"),
        ("/tmp/upstream", "copy"),
        ("/tmp/present", "present"),
    ):
        script = script.replace(inside, str(tmp_path / here))
    done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name in ("m/make", "m/mars-earth", "z/zlib", "m/mars-earth/mars-earth-2.0.0-gfbf-2025b.eb"):
        assert (tmp_path / "copy/easybuild/easyconfigs" / name).exists(), name


# -- Bad input ---------------------------------------------------------------------------------

SAYS = {
    "missing-crate": "no matching package named `autocfg` found",
    "other-crate/mars-earth": "checksum for `autocfg v1.5.1` changed between lock files",
    "other-crate/sources": "Checksum verification for /x/autocfg-1.5.1.tar.gz failed",
    "other-python": "Missing modules for dependencies (use --robot?): Python/3.12.5",
    "short": "Failed to create directory /mnt/bad/short/c: [Errno 30] Read-only file system",
    "unset EASYBUILD_ALLOW": "You seem to be running EasyBuild with root privileges",
}


@pytest.fixture
def sources(checkout: Checkout) -> None:
    """Put archives with true digests among the sources of the recorded generation."""
    folder = checkout.root / easybuild_smoke.ROOMS / "sources-2025b"
    folder.mkdir(parents=True)
    for config in read_easyconfigs(checkout.root):
        for name in (name for entry in config.values["checksums"] for name in entry):
            (folder / name).write_bytes(gzip.compress(name.encode()))
            old = next(pair[name] for pair in config.values["checksums"] if name in pair)
            new = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            path = checkout.root / config.file
            path.write_text(path.read_text().replace(old, new))


@pytest.mark.usefixtures("sources")
def test_bad_input_is_refused_in_one_line(
    session: Callable[..., FakeRoom], checkout: Checkout
) -> None:
    answers = {part: ran(f"ERROR: {said}\n", 1) for part, said in SAYS.items()}
    session(answers, edges=True)
    (entry,) = load(checkout.root)
    assert (entry.check, entry.outcome, entry.reason) == ("easybuild-edges", "pass", "")
    assert entry.run.command == "nox -s smoke-easybuild -- --edges"
    assert {"missing-crate", "root-without-permission", "callers-variables"} < {*entry.run.passed}
    assert not STAGES & {*entry.run.passed}


@pytest.mark.usefixtures("sources")
def test_a_room_without_root_cannot_refuse_root(
    session: Callable[..., FakeRoom], checkout: Checkout
) -> None:
    answers = {part: ran(f"ERROR: {said}\n", 1) for part, said in SAYS.items()}
    session({**answers, "id -u": ran("", 1)}, edges=True)
    (entry,) = load(checkout.root)
    assert entry.outcome == "pass"
    assert "root-without-permission" not in entry.run.passed
    assert entry.run.tools["root-without-permission"].startswith("not tried")


@pytest.mark.usefixtures("sources")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (ran(), "missing-crate: it was not refused"),
        (ran("ERROR: no space left\n", 1), "missing-crate: it does not say no matching package"),
    ],
)
def test_bad_input_that_passes_or_fails_otherwise_is_a_failure(
    session: Callable[..., FakeRoom], checkout: Checkout, answer: Result, reason: str
) -> None:
    answers = {part: ran(f"ERROR: {said}\n", 1) for part, said in SAYS.items()}
    session({**answers, "missing-crate": answer}, edges=True)
    (entry,) = load(checkout.root)
    assert entry.outcome == "fail" and entry.reason.startswith(reason)
    assert entry.run.failed == ("missing-crate",)


@pytest.mark.usefixtures("sources")
def test_bad_input_that_changes_the_site_is_a_failure(
    session: Callable[..., FakeRoom], checkout: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Changing(FakeRoom):
        def run(self, command: list[str] | str, **options: Any) -> Result:
            if "other-python" in str(command):
                left = checkout.root / easybuild_smoke.ROOMS / "prefix/modules/all/mars-earth.lua"
                left.write_text("half made")
            return super().run(command, **options)

    monkeypatch.setattr(sys.modules[__name__], "FakeRoom", Changing)
    session({p: ran(f"ERROR: {said}\n", 1) for p, said in SAYS.items()}, edges=True)
    (entry,) = load(checkout.root)
    assert entry.reason.startswith("other-python: the site has changed")


@pytest.mark.usefixtures("sources")
def test_each_broken_input_is_broken_in_one_place(checkout: Checkout, tmp_path: Path) -> None:
    (good,) = [config for config in read_easyconfigs(checkout.root) if "2025b" in config.file]
    name, ours = "autocfg-1.5.1.tar.gz", Path(good.file).name
    sources = checkout.root / easybuild_smoke.ROOMS / "sources-2025b"
    easybuild_bad_input.lay_out(good, sources, tmp_path)

    lines = set(good.text.splitlines())
    missing = lines - set((tmp_path / "missing-crate" / ours).read_text().splitlines())
    assert len(missing) == 2 and all("autocfg" in line for line in missing)
    (python,) = lines - set((tmp_path / "other-python" / ours).read_text().splitlines())
    assert "('Python', '3.13.5')" in python
    (crate,) = lines - set((tmp_path / "other-crate" / ours).read_text().splitlines())
    assert name in crate

    packed = tmp_path / "other-crate/sources" / name
    assert packed.read_bytes() != (sources / name).read_bytes()
    assert gzip.decompress(packed.read_bytes()) == gzip.decompress((sources / name).read_bytes())
    lacking = {path.name for path in sources.iterdir()} - {
        path.name for path in (tmp_path / "short").iterdir()
    }
    assert lacking == {name}

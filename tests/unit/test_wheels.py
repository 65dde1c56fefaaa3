"""Wheels without building one: choice of the way, bad input, and leaving nothing behind.

Stand-ins on PATH are programs that fail as the real ones do; what surrounds them runs for real.
"""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpcgate.cleanroom import load_image
from hpcgate.cleanroom.containers import Launcher
from hpcgate.cleanroom.emulation import DEBIAN
from hpcgate.errors import GateError
from hpcgate.repo import find_root
from hpcgate.smoke import Smoke, exit_status
from hpcgate.smoke_wheel import examine
from hpcgate.wheels import BuildError, build, session, ways
from hpcgate.wheels.checks import LARGEST, check, platforms, refuse_foreign
from hpcgate.wheels.project import SMOKE_SCRIPT, built_wheels, note_source, only_sdist, unpacked

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CHECKOUT = find_root(Path(__file__))
HERE = f"mars_earth-2.0.0-cp310-abi3-manylinux_2_17_{os.uname().machine}.whl"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Leave only the programs on PATH that a test writes, and what a shell script needs."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in ("sh", "sleep", "touch", "unshare", "env"):
        found = next(p for p in ("/bin", "/usr/bin") if Path(p, name).exists())
        (folder / name).symlink_to(Path(found, name))
    monkeypatch.setenv("PATH", str(folder))

    def write(name: str, script: str) -> Path:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
        return folder / name

    return write


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with an sdist, and the smoke script that goes with it."""
    root = tmp_path / "checkout"
    (root / "dist").mkdir(parents=True)
    (root / SMOKE_SCRIPT).parent.mkdir(parents=True)
    (root / SMOKE_SCRIPT).write_text("print('smoke')\n")
    with tarfile.open(root / "dist" / "mars_earth-2.0.0.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("mars_earth-2.0.0/pyproject.toml")
        member.size = 9
        archive.addfile(member, io.BytesIO(b"[project]"))
    return root


@pytest.fixture
def driver(programs: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let a shell script be cibuildwheel."""

    def write(script: str) -> None:
        monkeypatch.setattr(ways, "_cibuildwheel", lambda: "4")
        monkeypatch.setattr(ways.sys, "executable", str(programs("driver", script)))

    return write


def drive(root: Path, engine: Launcher | None = None) -> ways.Built:
    with unpacked(root, only_sdist(root)) as project:
        return ways._drive("machine", root, project, root / "out", {}, ways._Choice("", ""), engine)


# What is built


def test_the_sdist_is_unpacked_with_the_script_beside_it_and_goes_again(checkout: Path) -> None:
    with unpacked(checkout, only_sdist(checkout)) as project:
        assert (project / "pyproject.toml").read_text() == "[project]"
        assert (project / SMOKE_SCRIPT).read_text() == "print('smoke')\n"
    assert not project.exists()


def test_a_broken_sdist_is_one_clear_line(checkout: Path) -> None:
    only_sdist(checkout).write_bytes(b"no archive")
    with pytest.raises(GateError, match="not an sdist"), unpacked(checkout, only_sdist(checkout)):
        pass
    assert not (checkout / "build" / "wheels" / "project").exists()


def test_no_sdist_and_two_are_refused(checkout: Path) -> None:
    (checkout / "dist" / "mars_earth-2.0.1.tar.gz").touch()
    with pytest.raises(GateError, match=r"mars_earth-2\.0\.0.*mars_earth-2\.0\.1"):
        only_sdist(checkout)
    for path in (checkout / "dist").iterdir():
        path.unlink()
    with pytest.raises(GateError, match="found: none; nox -s build"):
        only_sdist(checkout)


def test_wheels_of_another_sdist_are_not_taken(checkout: Path) -> None:
    assert built_wheels(checkout) == []
    out = checkout / "build" / "wheels" / "out"
    out.mkdir(parents=True)
    (out / HERE).touch()
    note_source(checkout, only_sdist(checkout))
    assert built_wheels(checkout) == [out / HERE]
    only_sdist(checkout).write_bytes(b"changed")
    assert built_wheels(checkout) == []


def test_an_sdist_that_is_not_the_same_twice_fails(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (checkout / "build").mkdir()
    for content, same in ((only_sdist(checkout).read_bytes(), True), (b"another", False)):

        def again(root: Path, out: Path, written: bytes = content) -> Path:
            (out / "sdist").write_bytes(written)
            return out / "sdist"

        monkeypatch.setattr(session, "make_sdist", again)
        smoke = Smoke()
        session._twice(smoke, checkout, only_sdist(checkout))
        assert [test.passed for test in smoke.tests] == [same]
    assert list((checkout / "build").iterdir()) == []


# The way


def test_without_engine_and_compiler_every_way_says_why(
    checkout: Path, programs: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "_pinned", lambda name: "registry/image@sha256:0")
    with pytest.raises(GateError) as error:
        build(checkout, checkout, checkout / "out")
    message = str(error.value)
    assert "official: neither podman nor docker is installed" in message
    assert re.search(r"own: .*rustc", message)
    assert re.search(r"zig: (ziglang is not installed|no Rust toolchain)", message)


def test_an_image_that_cannot_be_pulled_is_named_with_the_engine_s_words(
    checkout: Path, programs: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "_pinned", lambda name: "registry/image@sha256:0")
    programs("docker", "echo 'no such host' >&2; exit 1")
    with pytest.raises(GateError, match="official: docker cannot pull: no such host"):
        build(checkout, checkout, checkout / "out", "official")


def test_a_way_of_another_system_is_refused(checkout: Path) -> None:
    if sys.platform == "linux":
        with pytest.raises(GateError, match="machine is not for Linux: official, own, zig, cross"):
            build(checkout, checkout, checkout / "out", "machine")


@pytest.mark.parametrize("given", [[], ["--archs", "s390x"]])
def test_the_way_cross_names_its_architectures(
    given: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_status("wheels", lambda: session.main(["--way", "cross", *given])) == 2
    assert "--archs x86_64 or --archs aarch64 or --archs ppc64le" in capsys.readouterr().err


def test_the_way_cross_is_never_chosen_by_itself(
    checkout: Path, programs: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ways, "_pinned", lambda name: "registry/image@sha256:0")
    with pytest.raises(GateError) as error:
        build(checkout, checkout, checkout / "out", architectures="aarch64")
    assert "cross" not in str(error.value)


def test_a_wheel_of_each_architecture_has_its_room() -> None:
    for machine, (image, _) in session._rooms().items():
        architectures = load_image(CHECKOUT, image).architectures
        assert [DEBIAN[name] for name in architectures] in ([], [machine])


# Bad ends


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        ("error: failed to write: No space left on device (os error 28)", "the disk is full"),
        ("Temporary failure in name resolution", "no package index can be reached"),
    ],
)
def test_what_the_machine_lacks_is_no_fault_of_the_project(
    checkout: Path, driver: Any, printed: str, message: str
) -> None:
    driver(f"echo '{printed}' >&2; exit 1")
    with pytest.raises(GateError, match=message) as error:
        drive(checkout)
    assert not isinstance(error.value, BuildError)
    assert not (checkout / "build" / "wheels" / "project").exists()


def test_a_project_that_does_not_build_fails(checkout: Path, driver: Any) -> None:
    driver("echo 'error: mismatched types'; exit 1")
    with pytest.raises(BuildError, match="cibuildwheel failed: mismatched types; see build/logs"):
        drive(checkout)


def test_a_build_error_is_recorded_as_a_failure_and_a_lack_as_unavailable(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, str]] = []

    def conclude(smoke: Smoke, *arguments: object, **options: object) -> str:
        seen.append((smoke.outcome, smoke.reason))
        return smoke.outcome

    monkeypatch.setattr(session, "conclude", conclude)
    for error in (BuildError("mismatched types"), GateError("the disk is full")):

        def refuse(*arguments: object, raised: GateError = error, **options: object) -> None:
            raise raised

        monkeypatch.setattr(session, "build", refuse)
        session.run(checkout)
    assert seen == [("fail", "builds: mismatched types"), ("unavailable", "the disk is full")]


def test_an_interrupt_removes_the_containers_of_this_build_and_the_project(
    checkout: Path, driver: Any, programs: Callable[[str, str], Path], tmp_path: Path
) -> None:
    log, started = tmp_path / "podman.log", tmp_path / "started"
    programs("podman", f'echo "$@" >> {log}; case $1 in ps) echo 0f3c;; esac')
    driver(f"touch {started}; trap '' TERM; sleep 300")

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    def press() -> None:
        deadline = time.monotonic() + 60
        while not started.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGALRM)

    before = signal.signal(signal.SIGALRM, interrupt)
    finger = threading.Thread(target=press)
    finger.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            drive(checkout, Launcher("podman", "podman 4"))
    finally:
        finger.join()
        signal.signal(signal.SIGALRM, before)
    listed, removed = log.read_text().splitlines()
    assert re.fullmatch(r"ps -aq --filter label=mars-earth-wheels=\d+-[0-9a-f]{8}", listed)
    assert removed == "rm -f 0f3c"
    assert not (checkout / "build" / "wheels" / "project").exists()


def test_an_interrupt_is_one_line_and_its_own_status(capsys: pytest.CaptureFixture[str]) -> None:
    def main() -> int:
        raise KeyboardInterrupt

    assert exit_status("wheels", main) == 130
    assert capsys.readouterr().err == "wheels: interrupted; nothing is recorded\n"


@pytest.mark.parametrize(
    "tag", ["macosx_11_0_arm64", "win_amd64", "musllinux_1_2_x86_64", "manylinux_2_28_s390x"]
)
def test_a_wheel_for_another_platform_opens_no_room(tmp_path: Path, tag: str) -> None:
    wheel = tmp_path / f"mars_earth-2.0.0-cp310-abi3-{tag}.whl"
    with pytest.raises(GateError, match=f"a wheel for {tag}; a room here is glibc Linux on"):
        examine(Smoke(), tmp_path, wheel)
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_for_this_platform_is_not_refused() -> None:
    refuse_foreign(Path(HERE))
    refuse_foreign(Path("mars_earth-2.0.0-py3-none-any.whl"))
    assert (
        len(platforms(Path("a-1-cp310-abi3-manylinux2014_x86_64.manylinux_2_17_x86_64.whl"))) == 2
    )


def test_a_name_that_is_no_wheel_s_is_refused() -> None:
    with pytest.raises(GateError, match="not the name of a wheel"):
        platforms(Path("wheel.whl"))


def test_a_wheel_that_is_too_large_or_unreadable_fails(tmp_path: Path) -> None:
    wheel = tmp_path / "mars_earth-2.0.0-cp314-cp314t-manylinux_2_28_x86_64.whl"
    wheel.write_bytes(b"\0" * (LARGEST + 1))
    smoke = Smoke()
    check(smoke, wheel)
    told = {test.name.partition("-cp314")[0]: test.passed for test in smoke.tests}
    assert told == {"at-most-6-mb": False, "auditwheel": False}


# Facts


def test_the_settings_name_every_platform_and_a_test_that_fits_and_replays() -> None:
    text = (CHECKOUT / "packages" / "pymars" / "pyproject.toml").read_text()
    settings = tomllib.loads(text)["tool"]["cibuildwheel"]
    for machine in ("x86_64", "aarch64", "ppc64le"):
        assert settings["linux"][f"manylinux-{machine}-image"] == "manylinux_2_28"
        assert settings["linux"][f"musllinux-{machine}-image"] == "musllinux_1_2"
    assert {"cp310-*", "cp314t-*"} <= set(settings["build"])
    assert settings["test-command"].endswith(SMOKE_SCRIPT.as_posix())
    assert settings["test-skip"] == ["*ppc64le"]


@pytest.mark.parametrize("path", sorted((CHECKOUT / ".github" / "workflows").glob("*.yml")))
def test_actions_are_pinned_by_commit(path: Path) -> None:
    for action in re.findall(r"uses: (\S+)", path.read_text()):
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", action), action


def test_the_workflow_calls_the_session_for_every_platform() -> None:
    text = (CHECKOUT / ".github" / "workflows" / "wheels.yml").read_text()
    assert "nox -s wheels -- ${{ matrix.arguments }}" in text
    for words in ("x86_64", "aarch64", "ppc64le", "arm64", "AMD64", "ARM64"):
        assert f"--archs {words}" in text

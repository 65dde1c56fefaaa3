"""Every engine of this machine shows the same clean room. Opt-in: `pytest tests/smoke`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcgate.cleanroom import EngineName, Room, open_room
from hpcgate.cleanroom.emulation import emulated
from hpcgate.cleanroom.process import run_group
from hpcgate.errors import GateError
from hpcgate.repo import find_root

CHECKOUT = find_root(Path(__file__))
IMAGE = "debian-bookworm"


@pytest.fixture(scope="module", params=["podman", "docker", "apptainer", "bwrap", "chroot"])
def engine(request: pytest.FixtureRequest) -> EngineName:
    name: EngineName = request.param
    try:
        with open_room(IMAGE, CHECKOUT, engine=name):
            return name
    except GateError as error:
        pytest.skip(str(error))


@pytest.fixture
def room(engine: EngineName, tmp_path: Path) -> Iterator[Room]:
    (tmp_path / "given").write_text("given\n")
    (tmp_path / "shared").mkdir()
    with open_room(
        IMAGE,
        CHECKOUT,
        engine=engine,
        mounts={tmp_path / "given": "/mnt/deep/given"},
        writable={tmp_path / "shared": "/mnt/shared"},
        environment={"GIVEN": "yes"},
        memory=2 << 30,
    ) as opened:
        yield opened


def test_it_says_what_it_is(room: Room, engine: EngineName) -> None:
    assert room.image.startswith(f"{IMAGE} sha256:")
    assert any(package.startswith("python3-venv ") for package in room.packages)
    assert any(word in room.engine.lower() for word in (engine, "bubblewrap"))


def test_no_variable_of_the_machine_gets_in(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_MACHINE", "x")
    seen = room.run(["env"]).stdout
    assert "SECRET" not in seen
    assert "GIVEN=yes" in seen and "HOME=/work" in seen


def test_the_root_is_read_only(room: Room) -> None:
    for path in ("/usr/x", "/etc/x", "/x", "/mnt/deep/given"):
        assert not room.run(f"echo x > {path}").ok, path


def test_work_lasts_and_tmp_does_not(room: Room) -> None:
    assert room.run("echo 1 > /work/kept; echo 2 > /tmp/lost; echo 3 > /mnt/shared/out").ok
    assert room.run("cat /mnt/deep/given kept; ls /tmp").stdout == "given\n1\n"
    assert (room.work / "kept").read_text() == "1\n"


def test_programs_in_tmp_can_run(room: Room) -> None:
    script = "printf '#!/bin/sh\\necho ran' > /tmp/x; chmod +x /tmp/x; /tmp/x"
    assert room.run(script).stdout.strip() == "ran"


def test_there_is_no_network(room: Room) -> None:
    up = "import pathlib; print(*sorted(p.name for p in pathlib.Path('/sys/class/net').glob('*')))"
    connect = "import socket; socket.create_connection(('192.0.2.1', 9), timeout=5)"
    assert set(room.run(["python3", "-c", up]).stdout.split()) <= {"lo"}
    done = room.run(["python3", "-c", connect])
    assert "Network is unreachable" in done.stderr


def test_memory_is_bounded(room: Room) -> None:
    done = room.run(["python3", "-c", "bytearray(3 << 30)"])
    assert "MemoryError" in done.stderr


def test_a_timeout_ends_everything(room: Room) -> None:
    done = room.run("(while :; do date > /mnt/shared/beat; sleep 0.1; done) & wait", timeout=3)
    assert done.returncode == 124
    assert room.run("cp /mnt/shared/beat one; sleep 1; cmp one /mnt/shared/beat").ok


def test_every_engine_starts_from_the_same_root(engine: EngineName) -> None:
    with open_room(IMAGE, CHECKOUT, engine=engine) as first:
        listed = first.run(["dpkg-query", "--show", "--showformat=${Package} ${Version}\\n"]).stdout
    assert listed.splitlines() == [package.rpartition(" ")[0] for package in first.packages]


def test_programs_of_another_architecture_run_and_the_machine_stays_as_it_is() -> None:
    if shutil.which("arch-test") is None:
        pytest.skip("arch-test is not installed")
    registry = Path("/proc/sys/fs/binfmt_misc")
    before = sorted(registry.iterdir())
    for architecture in ("arm64", "ppc64el"):
        try:
            words = emulated(architecture)
        except GateError as error:
            pytest.skip(str(error))
        done = run_group([*words, "arch-test", architecture], environment=os.environ, timeout=60)
        if done.returncode == 125:
            pytest.skip(done.why)
        assert done.ok, done.why
    assert sorted(registry.iterdir()) == before

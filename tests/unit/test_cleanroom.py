"""The clean room without a container: definitions, choice of engine, limits, and leaving no trace.

`Plain` is an engine that starts commands directly on this machine, so that everything around the
engine runs for real.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from hpcgate import cleanroom, smoke_wheel
from hpcgate.cleanroom import Result, emulation, load_image, open_room
from hpcgate.cleanroom.containers import Container, Launcher
from hpcgate.cleanroom.emulation import DEBIAN, emulated
from hpcgate.cleanroom.engines import choose, container, installed
from hpcgate.cleanroom.process import run_group
from hpcgate.cleanroom.roots import Image, Root, make_root
from hpcgate.cleanroom.trees import Apptainer, Bubblewrap, Chroot
from hpcgate.cleanroom.view import View
from hpcgate.errors import GateError
from hpcgate.repo import find_root
from hpcgate.smoke import Smoke

CHECKOUT = find_root(Path(__file__))
DEFINITION = """\
why: a test
origin: Debian
suite: bookworm
variant: minbase
packages: [python3]
absent: [no-such-compiler]
"""


class Plain:
    name = "plain"
    version = "plain 1"

    def __init__(self) -> None:
        self.stopped: list[str] = []

    def command(self, name: str, view: View, private: Path) -> list[str]:
        return []

    def environment(self, view: View) -> Mapping[str, str]:
        return {**view.environment, "ROOM_NETWORK": str(view.network)}

    def stop(self, name: str) -> None:
        self.stopped.append(name)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "containers").mkdir()
    (tmp_path / "containers" / "test.yaml").write_text(DEFINITION)
    return tmp_path


@pytest.fixture
def plain(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Plain:
    engine = Plain()
    root = Root(checkout / "tree", "test sha256:0", ("python3 3.11 amd64",))
    monkeypatch.setattr(cleanroom, "installed", lambda name: ["plain"])
    monkeypatch.setattr(cleanroom, "make_root", lambda name, image, where: root)
    monkeypatch.setattr(cleanroom, "choose", lambda names, made: engine)
    return engine


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Leave only the programs on PATH that a test writes."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def write(name: str, script: str) -> None:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)

    return write


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for what another process does; a busy machine may need a while."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


# Definitions


@pytest.mark.parametrize("path", sorted((CHECKOUT / "containers").glob("*.yaml")))
def test_committed_definitions_load(path: Path) -> None:
    assert load_image(CHECKOUT, path.stem).packages


def test_the_image_of_the_wheel_smoke_holds_no_build_tool() -> None:
    image = load_image(CHECKOUT, "debian-bookworm")
    assert {"gcc", "cargo", "rustc", "maturin", "pip3"} <= set(image.absent)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("suite:", "suit:", "suit: unknown key, did you mean `suite`?"),
        ("suite: bookworm\n", "", "suite: missing"),
        ("[python3]", "[]", "packages"),
        ("[python3]", "['python3;reboot']", "packages"),
        ("minbase", "everything", "variant"),
    ],
)
def test_wrong_definitions_are_refused(checkout: Path, old: str, new: str, message: str) -> None:
    (checkout / "containers" / "test.yaml").write_text(DEFINITION.replace(old, new))
    with pytest.raises(GateError) as error:
        load_image(checkout, "test")
    assert "containers/test.yaml" in str(error.value)
    assert message in str(error.value)


def test_an_unknown_image_names_the_known_ones(checkout: Path) -> None:
    with pytest.raises(GateError, match="there are: test"):
        load_image(checkout, "tset")


def test_only_content_changes_the_digest(checkout: Path) -> None:
    image = load_image(checkout, "test")
    assert image.model_copy(update={"why": "another", "absent": ()}).digest == image.digest
    for change in ({"packages": ("python3", "gcc")}, {"suite": "trixie"}, {"origin": "Ubuntu"}):
        assert image.model_copy(update=change).digest != image.digest


# Engines and roots


@pytest.mark.parametrize("engine", ["auto", "podman", "docker", "apptainer", "bwrap", "chroot"])
def test_no_engine_names_the_command_that_installs_one(
    engine: cleanroom.EngineName, programs: Callable[[str, str], None]
) -> None:
    with pytest.raises(GateError) as error:
        installed(engine)
    assert "no container engine is installed" in error.value.message
    assert "apt-get install" in error.value.hint


def test_engines_are_tried_in_order(programs: Callable[[str, str], None]) -> None:
    for name in ("bwrap", "docker"):
        programs(name, "exit 0")
    assert installed("auto") == ["docker", "bwrap"]
    assert installed("bwrap") == ["bwrap"]
    for name in ("podman", "apptainer", "buildah"):
        programs(name, "exit 0")
    assert installed("auto") == ["podman", "docker", "apptainer", "bwrap", "chroot"]


def test_an_engine_that_does_not_run_is_refused_with_its_own_words(
    tmp_path: Path, programs: Callable[[str, str], None]
) -> None:
    programs("docker", "echo 'no daemon' >&2; exit 1")
    programs("tar", "exit 0")
    programs("bwrap", "echo 'no namespaces' >&2; exit 1")
    (tmp_path / "tree").mkdir()
    with pytest.raises(GateError) as error:
        choose(("docker", "bwrap"), Root(tmp_path / "tree", "test", ()))
    assert "docker: import failed: no daemon" in error.value.message
    assert "bwrap: no namespaces" in error.value.message


def test_an_engine_that_claims_success_without_running_is_refused(
    tmp_path: Path, programs: Callable[[str, str], None]
) -> None:
    programs("bwrap", "exit 0")
    (tmp_path / "tree").mkdir()
    with pytest.raises(GateError, match="no container engine works here"):
        choose(("bwrap",), Root(tmp_path / "tree", "test", ()))


def test_a_driver_needs_podman_or_docker(
    tmp_path: Path, programs: Callable[[str, str], None]
) -> None:
    programs("bwrap", "exit 0")
    with pytest.raises(GateError, match="neither podman nor docker is installed"):
        container(Root(tmp_path / "tree", "test", ()))


def test_podman_is_tried_again_in_a_private_mount_namespace(
    tmp_path: Path, programs: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    (tmp_path / "tree").mkdir()
    programs("tar", "exit 0")
    programs("podman", "echo 'cgroups in hybrid mode not supported' >&2; exit 125")
    programs("unshare", f'echo "$@" >> {tmp_path}/words')
    with pytest.raises(GateError, match="hybrid mode"):
        container(Root(tmp_path / "tree", "test", ()))
    words = (tmp_path / "words").read_text()
    assert "mount -t cgroup2" in words and "containers/sandbox.conf" in words
    settings = (CHECKOUT / "containers" / "sandbox.conf").read_text()
    assert 'cgroups = "disabled"' in settings and "nofile=" in settings and "nproc=" in settings


def test_no_engine_writes_a_variable_on_a_command_line(
    tmp_path: Path, programs: Callable[[str, str], None]
) -> None:
    for name in ("podman", "docker", "apptainer", "bwrap", "buildah"):
        programs(name, "exit 0")
    programs("unshare", "exit 0")
    (tmp_path / "tree").mkdir()
    (tmp_path / "private").mkdir()
    root, podman = Root(tmp_path / "tree", "test", ()), Launcher("podman", "podman 4")
    view = View(((tmp_path, "/work", True),), True, {"PIP_INDEX_URL": "name:password@index"})
    for engine in (Bubblewrap(root), Apptainer(root), Chroot(root), Container(podman, "image")):
        line = engine.command("room", view, tmp_path / "private")
        assert "password" not in " ".join(line), engine.name
        assert "/work" in " ".join(line), engine.name


def test_without_mmdebstrap_the_root_says_how_to_install_it(
    checkout: Path, programs: Callable[[str, str], None]
) -> None:
    with pytest.raises(GateError, match="apt-get install mmdebstrap"):
        make_root("test", load_image(checkout, "test"), checkout)


def test_a_failed_root_leaves_a_log_and_nothing_else(
    checkout: Path, programs: Callable[[str, str], None]
) -> None:
    programs("mmdebstrap", "echo 'E: no such suite' >&2; echo 'I: cleaning' >&2; exit 25")
    with pytest.raises(GateError, match="bookworm failed: no such suite"):
        make_root("test", load_image(checkout, "test"), checkout)
    assert list((checkout / "build" / "roots").iterdir()) == []
    assert "no such suite" in (checkout / "build/logs/root-test.log").read_text()


def test_mirrors_and_proxies_come_from_apt(
    checkout: Path, programs: Callable[[str, str], None]
) -> None:
    programs("mmdebstrap", 'printf "%s\\n" "$@"; exit 1')
    programs("apt-config", "echo 'Acquire::http::Proxy \"p:1\";'; echo 'APT::Sandbox \"x\";'")
    targets = ["Debian|bookworm|main|m:/debian/", "Debian|bookworm-security|main|m:/security/"]
    others = ["Other|bookworm|main|m:/other/", "Debian|sid|main|m:/d/", "Debian|bookworm|contrib|m"]
    programs("apt-get", "\n".join(f"echo '{line}'" for line in targets + others + targets))
    with pytest.raises(GateError):
        make_root("test", load_image(checkout, "test"), checkout)
    arguments = (checkout / "build/logs/root-test.log").read_text().splitlines()
    assert [a for a in arguments if a.startswith("deb ")] == [
        "deb m:/debian/ bookworm main",
        "deb m:/security/ bookworm-security main",
    ]
    assert [a for a in arguments if "aptopt" in a] == ['--aptopt=Acquire::http::Proxy "p:1";']


# Other architectures


def test_programs_of_this_machine_need_no_emulator() -> None:
    own = next(name for name, machine in DEBIAN.items() if machine == os.uname().machine)
    assert emulated("") == emulated(own) == []


def test_a_foreign_root_without_an_emulator_says_how_to_install_one(
    checkout: Path, programs: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulation, "_REGISTRY", checkout)
    programs("mmdebstrap", "exit 1")
    image = load_image(checkout, "test").model_copy(update={"architectures": (elsewhere(),)})
    with pytest.raises(GateError, match="apt-get install qemu-user-static"):
        make_root("test", image, checkout)
    assert list((checkout / "build" / "roots").iterdir()) == []


@pytest.mark.parametrize(
    ("rule", "there"),
    [
        ("enabled\ninterpreter /usr/bin/qemu\nflags: OCF\n", True),
        ("enabled\ninterpreter /usr/bin/qemu\nflags: \n", False),
        ("disabled\ninterpreter /usr/bin/qemu\nflags: F\n", False),
    ],
)
def test_an_emulator_of_the_whole_machine_is_taken_when_every_root_sees_it(
    checkout: Path,
    programs: Callable[[str, str], None],
    monkeypatch: pytest.MonkeyPatch,
    rule: str,
    there: bool,
) -> None:
    machine = DEBIAN[elsewhere()]
    monkeypatch.setattr(emulation, "_REGISTRY", checkout)
    (checkout / f"qemu-{machine}").write_text(rule)
    programs(f"qemu-{machine}-static", "exit 0")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    words = emulated(elsewhere())
    assert (words == []) is there
    if words:
        assert words[-2] == machine and Path(words[2]).name == "foreign.py"
        monkeypatch.setattr("os.geteuid", lambda: 1000)
        with pytest.raises(GateError, match="only root can do that"):
            emulated(elsewhere())


def elsewhere() -> str:
    """Name an architecture that this machine does not have."""
    return next(name for name, machine in DEBIAN.items() if machine != os.uname().machine)


# Running


def test_a_timeout_kills_the_whole_group() -> None:
    stopped = []
    done = run_group(
        ["/bin/sh", "-c", "sleep 300 & echo $!; wait"],
        environment=os.environ,
        timeout=1.5,
        stop=lambda: stopped.append(1),
    )
    assert done.returncode == 124
    assert "ran out of time" in done.why
    wait_until(lambda: gone(int(done.stdout)))
    assert stopped == [1]


@pytest.fixture
def alarm() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGALRM."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    yield
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("alarm")
def test_an_interrupt_kills_the_whole_group(tmp_path: Path) -> None:
    def press() -> None:
        wait_until(lambda: pid.exists() and pid.read_text().endswith("\n"))
        os.kill(os.getpid(), signal.SIGALRM)

    pid = tmp_path / "pid"
    finger = threading.Thread(target=press)
    finger.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            run_group(
                ["/bin/sh", "-c", f"sleep 300 & echo $! > {pid}; wait"],
                environment=os.environ,
                timeout=120,
            )
    finally:
        finger.join()
    wait_until(lambda: gone(int(pid.read_text())))


@pytest.mark.usefixtures("alarm")
def test_an_interrupt_while_a_program_starts_kills_it(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []

    class Slow(subprocess.Popen[str]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)
            os.kill(os.getpid(), signal.SIGALRM)
            time.sleep(0.1)

    monkeypatch.setattr(subprocess, "Popen", Slow)
    with pytest.raises(KeyboardInterrupt):
        run_group(["/bin/sleep", "300"], environment=os.environ, timeout=120)
    assert started[0].returncode == -signal.SIGKILL


def test_a_program_that_is_missing_is_one_clear_error() -> None:
    with pytest.raises(GateError, match="no-such-program: cannot be started"):
        run_group(["no-such-program"], environment=os.environ, timeout=5)


def test_the_environment_is_the_rooms_own(
    checkout: Path, plain: Plain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_MACHINE", "x")
    monkeypatch.setenv("PIP_INDEX_URL", "index:/simple")
    monkeypatch.setenv("https_proxy", "proxy:1")
    with open_room("test", checkout, environment={"GIVEN": "yes"}) as room:
        closed = room.run(["env"]).stdout
    with open_room("test", checkout, network=True) as room:
        opened = room.run(["env"]).stdout
        cut = room.run(["env"], network=False).stdout
    assert "SECRET" not in closed + opened
    assert "GIVEN=yes" in closed and "HOME=/work" in closed
    assert "PIP_INDEX_URL" not in closed and "proxy" not in closed
    assert "PIP_INDEX_URL=index:/simple" in opened and "https_proxy=proxy:1" in opened
    assert "ROOM_NETWORK=True" in opened and "ROOM_NETWORK=False" in cut


def test_memory_and_time_are_bounded(checkout: Path, plain: Plain) -> None:
    with open_room("test", checkout, memory=1 << 30, timeout=60) as room:
        assert room.run("ulimit -v").stdout.strip() == str(1 << 20)
        assert plain.stopped == []
        assert room.run("sleep 300", timeout=0.1).returncode == 124
        assert plain.stopped == [room.work.parent.name]
    with open_room("test", checkout, timeout=2) as room:
        assert room.run("sleep 300").returncode == 124


def test_a_script_stops_at_its_first_error(checkout: Path, plain: Plain) -> None:
    with open_room("test", checkout) as room:
        done = room.run("false; echo reached")
    assert not done.ok
    assert "reached" not in done.stdout


def test_a_room_leaves_nothing_behind(checkout: Path, plain: Plain) -> None:
    with pytest.raises(KeyboardInterrupt), open_room("test", checkout) as room:
        locked = room.work / "locked"
        locked.mkdir()
        (locked / "file").touch()
        locked.chmod(0o500)
        raise KeyboardInterrupt
    assert list((checkout / "build" / "rooms").iterdir()) == []


def test_rooms_of_killed_sessions_are_swept_and_others_kept(checkout: Path, plain: Plain) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    rooms = checkout / "build" / "rooms"
    dead, ours, other = (
        rooms / f"{name}-{pid}-abcd"
        for name, pid in (
            ("plain-room", gone.pid),
            ("plain-room", os.getpid()),
            ("podman-room", gone.pid),
        )
    )
    for folder in (dead, ours, other):
        folder.mkdir(parents=True)
    with open_room("test", checkout):
        assert plain.stopped == [dead.name]
        assert not dead.exists()
        assert ours.exists() and other.exists()


def test_a_room_with_a_build_tool_is_refused(checkout: Path, plain: Plain) -> None:
    definition = checkout / "containers" / "test.yaml"
    definition.write_text(DEFINITION.replace("no-such-compiler", "no-such-compiler, sh"))
    with pytest.raises(GateError, match=r"not clean, it holds .*/sh"), open_room("test", checkout):
        pass


def test_a_mount_that_does_not_exist_is_refused(checkout: Path, plain: Plain) -> None:
    absent = checkout / "absent.whl"
    with (
        pytest.raises(GateError, match=r"absent.whl: no such file or folder to mount at /mnt/w"),
        open_room("test", checkout, mounts={absent: "/mnt/w"}),
    ):
        pass


# The verdict of smoke-wheel


class Scripted:
    """Stand in for a room whose commands print what a test gives them, in turn."""

    def __init__(self, *results: tuple[int, str]) -> None:
        self.results = iter(results)

    def run(self, command: object, **options: object) -> Result:
        returncode, stdout = next(self.results)
        return Result(returncode, stdout, "last words", 0.1)


def report(*tests: tuple[str, bool], **other: Any) -> str:
    listed = [{"name": name, "passed": passed, "detail": "d"} for name, passed in tests]
    return json.dumps({"tests": listed, "versions": {}, "measurements": {}, **other})


def judge(stdout: str, returncode: int = 0) -> Smoke:
    smoke = Smoke()
    smoke_wheel._use(smoke, Scripted((returncode, stdout)))  # type: ignore[arg-type]
    return smoke


def test_the_script_that_is_used_is_believed_only_with_a_report() -> None:
    good = judge(report(("fits", True)))
    assert [test.name for test in good.tests] == ["fits", "smoke-script-reports"]
    assert (good.outcome, good.measurements["use_seconds"]) == ("pass", 0.1)
    assert judge("", 139).reason == "smoke-script-reports: it printed no report: last words"


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    calls: list[dict[str, Any]] = []

    class Entry:
        id = "smoke-wheel/0"

    def record(root: Path, check: str, outcome: str, **fields: Any) -> Entry:
        calls.append({"check": check, "outcome": outcome, **fields})
        return Entry()

    monkeypatch.setattr("hpcgate.smoke.record", record)
    yield calls


def test_no_engine_is_recorded_as_unavailable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorded: list[dict[str, Any]]
) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise GateError("no container engine", hint="apt-get install one")

    monkeypatch.setattr(smoke_wheel, "open_room", refuse)
    wheel = tmp_path / "a-1-py3-none-any.whl"
    wheel.touch()
    assert smoke_wheel.run(tmp_path, wheel) == "unavailable"
    (call,) = recorded
    assert call["outcome"] == "unavailable"
    assert call["reason"] == "no container engine; apt-get install one"
    assert isinstance(call["started"], datetime) and call["started"] <= call["finished"]


@pytest.mark.parametrize(
    "words",
    ["NewConnectionError(...): Temporary failure in name resolution", "CERTIFICATE_VERIFY_FAILED"],
)
def test_an_index_out_of_reach_says_nothing_about_the_wheel(words: str) -> None:
    smoke, room = Smoke(), Scripted((0, ""), (1, words))
    with pytest.raises(GateError, match="no package index can be reached"):
        smoke_wheel._install(smoke, room, Path("a.whl"))  # type: ignore[arg-type]
    assert smoke.tests == []


def test_a_wheel_that_does_not_install_fails() -> None:
    smoke, room = Smoke(), Scripted((0, ""), (1, "not a supported wheel"))
    assert not smoke_wheel._install(smoke, room, Path("a.whl"))  # type: ignore[arg-type]
    assert smoke.outcome == "fail"


def test_a_wheel_for_another_platform_is_bad_input(
    tmp_path: Path, recorded: list[dict[str, Any]]
) -> None:
    wheel = tmp_path / "a-1-cp310-abi3-win_amd64.whl"
    wheel.touch()
    with pytest.raises(GateError, match="a wheel for win_amd64"):
        smoke_wheel.run(tmp_path, wheel)
    assert recorded == []


def test_a_missing_wheel_is_bad_input(tmp_path: Path, recorded: list[dict[str, Any]]) -> None:
    with pytest.raises(GateError, match="no such wheel"):
        smoke_wheel.run(tmp_path, tmp_path / "absent.whl")
    assert recorded == []


def test_image_is_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_image(CHECKOUT, "debian-bookworm").suite = "trixie"  # type: ignore[misc]
    assert Image.model_config["extra"] == "forbid"

"""Programs of another architecture: who starts them, in a namespace that goes with them.

The program is a header that names another architecture, and `echo` stands where an operator has
qemu, so that Linux itself shows what it hands over.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from hpcgate.cleanroom import emulation, foreign
from hpcgate.cleanroom.emulation import DEBIAN, emulated, is_foreign
from hpcgate.errors import GateError

OTHERS = sorted(set(foreign.MACHINES) - {os.uname().machine})
REGISTRY = Path("/proc/sys/fs/binfmt_misc")


def start(
    machine: str, emulator: object, *command: object, file: bool = True, words: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run the file alone, or as the module whose lines coverage counts."""
    run = ["-I", foreign.__file__] if file else ["-W", "ignore", "-m", foreign.__name__]
    line = [*words, sys.executable, *run, machine, emulator, *command]
    return subprocess.run([str(word) for word in line], capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def allowed() -> None:
    """Ask Linux, not the module, whether a namespace may have a registry of its own."""
    script = f"exec mount -t binfmt_misc none {REGISTRY}"
    line = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    done = subprocess.run(line, capture_output=True) if shutil.which("unshare") else None
    if os.geteuid() != 0 or done is None or done.returncode:
        pytest.skip("no root with a binfmt_misc of its own here (Linux 6.7 and user namespaces)")


@pytest.fixture
def program(tmp_path: Path) -> Callable[[str, int], Path]:
    def write(machine: str, kind: int = 2) -> Path:
        number = foreign.MACHINES[machine]
        header = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HH", kind, number)
        path = tmp_path / f"program-{machine}-{kind}"
        path.write_bytes(header + bytes(108))
        path.chmod(0o755)
        return path

    return write


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize("machine", OTHERS)
@pytest.mark.parametrize("kind", [2, 3], ids=["fixed", "position-independent"])
def test_linux_hands_a_foreign_program_to_the_emulator(
    machine: str, kind: int, program: Callable[[str, int], Path]
) -> None:
    path = program(machine, kind)
    done = start(machine, shutil.which("echo"), path, "a word")
    assert (done.returncode, done.stdout) == (0, f"{path} a word\n"), done.stderr
    with pytest.raises(OSError, match="Exec format error"):  # out here, nothing has changed
        subprocess.run([path])


@pytest.mark.usefixtures("allowed")
def test_no_other_program_is_handed_over(program: Callable[[str, int], Path]) -> None:
    shared, other = program(OTHERS[0], 1), program(OTHERS[1], 2)
    for path in (shared, other):
        done = start(OTHERS[0], shutil.which("echo"), path)
        assert done.returncode == 125 and "Exec format error" in done.stderr
    assert start(OTHERS[0], shutil.which("echo"), "sh", "-c", "exit 7").returncode == 7


@pytest.mark.usefixtures("allowed")
def test_everybody_has_the_number_that_he_has_outside(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.chown(tmp_path / "file", 65534, 4321)
    done = start(OTHERS[0], shutil.which("echo"), "stat", "-c", "%u %g", tmp_path / "file")
    assert done.stdout == "65534 4321\n", done.stderr


@pytest.mark.usefixtures("allowed")
@pytest.mark.parametrize(("what", "file"), [("emulator", True), ("command", False)])
def test_what_does_not_exist_is_one_line(tmp_path: Path, what: str, file: bool) -> None:
    there = {"emulator": shutil.which("echo"), "command": "true"} | {what: tmp_path / "absent"}
    done = start(OTHERS[0], there["emulator"], there["command"], file=file)
    assert done.returncode == 125
    assert done.stderr.startswith(f"no programs of {OTHERS[0]} here: [Errno 2]")
    assert done.stderr.count("\n") == 1


def test_who_may_not_number_everybody_is_refused_in_one_line() -> None:
    # Root inside a user namespace is not root of the machine.
    words = ("unshare", "--user", "--map-root-user") if os.geteuid() == 0 else ()
    if words and subprocess.run([*words, "true"], capture_output=True).returncode:
        pytest.skip("no user namespaces here, so root cannot become somebody else")
    done = start(OTHERS[0], shutil.which("echo"), "true", file=False, words=words)
    assert done.returncode == 125
    assert done.stderr.startswith(f"no programs of {OTHERS[0]} here: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.usefixtures("allowed")
def test_the_words_before_a_command_line_run_it_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Callable[[str, int], Path]
) -> None:
    machine = next(name for name in DEBIAN.values() if name in OTHERS)
    emulator = tmp_path / f"qemu-{machine}-static"
    emulator.write_bytes(Path(shutil.which("echo") or "").read_bytes())
    emulator.chmod(0o755)
    monkeypatch.setattr(emulation, "_REGISTRY", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    architecture = next(name for name, called in DEBIAN.items() if called == machine)
    assert is_foreign(architecture)
    path = program(machine, 2)
    done = subprocess.run([*emulated(architecture), path], capture_output=True, text=True)
    assert done.stdout == f"{path}\n", done.stderr


def test_a_rule_that_cannot_be_read_is_no_emulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = next(name for name in DEBIAN.values() if name in OTHERS)
    architecture = next(name for name, called in DEBIAN.items() if called == machine)
    (tmp_path / f"qemu-{machine}").mkdir()
    monkeypatch.setattr(emulation, "_REGISTRY", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GateError, match=f"qemu-{machine}-static is not installed"):
        emulated(architecture)

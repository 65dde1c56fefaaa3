"""A build of wheels that really ends badly leaves nothing behind. Opt-in: `pytest tests/smoke`.

Run in the environment of `nox -s wheels`, with an sdist in `dist/`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpcgate.cleanroom.containers import Launcher, launchers
from hpcgate.repo import find_root

CHECKOUT = find_root(Path(__file__))
SESSION = [sys.executable, "-m", "hpcgate.wheels.session", "--unrecorded"]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("cibuildwheel") is None, reason="the environment of nox -s wheels"
)


@pytest.mark.skipif(os.geteuid() != 0, reason="a full disk needs root, for a small file system")
@pytest.mark.parametrize("megabytes", [4, 40])
def test_a_full_disk_is_one_line_and_leaves_nothing(megabytes: int) -> None:
    if shutil.which("rustc") is None:
        pytest.skip("no Rust toolchain")
    mount = 'mkdir -p "$1" && mount -t tmpfs -o size="$2"m tmpfs "$1"'
    script = f'{mount} && shift 2 && "$@"; find "$0"'
    folder = str(CHECKOUT / "build" / "wheels")
    inside = ["unshare", "-m", "sh", "-c", script, folder, folder, str(megabytes)]
    line = [*inside, *SESSION, "--way=zig"]
    done = subprocess.run(line, cwd=CHECKOUT, capture_output=True, text=True, timeout=600)
    told = " ".join(done.stderr.split())
    assert "the disk is full" in told or "No space left on device" in told
    assert "Traceback" not in told
    assert set(done.stdout.split()) <= {folder, f"{folder}/out"}


def test_ctrl_c_in_the_middle_removes_the_container_and_the_folder() -> None:
    found = [engine for engine in launchers() if _names(engine) is not None]
    if not found or shutil.which("rustc") is None:
        pytest.skip("no container engine works here, or no Rust toolchain")
    engine = found[-1]
    process = subprocess.Popen(
        [*SESSION, "--way=own"],
        cwd=CHECKOUT,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts a job in the background lets it ignore the key.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    deadline = time.monotonic() + 600
    while not _names(engine) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(1)
    assert process.poll() is None, "it ended before it was interrupted"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 130
    assert told.strip().endswith("wheels: interrupted; nothing is recorded")
    assert not _names(engine)
    assert not (CHECKOUT / "build" / "wheels" / "project").exists()


def _names(engine: Launcher) -> list[str] | None:
    """List the containers of builds of wheels; None when the engine does not answer."""
    line = [engine.program, "ps", "-q", "--filter", "label=mars-earth-wheels"]
    done = subprocess.run(engine.around(line), capture_output=True, text=True)
    return done.stdout.split() if done.returncode == 0 else None

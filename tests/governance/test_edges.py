"""What small helpers of hpcgate do where the machine lacks something, or breaks off."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hpcgate import repo
from hpcgate.claims.model import Document
from hpcgate.claims.readers import _guarded
from hpcgate.cleanroom import toolchain
from hpcgate.cleanroom.containers import Container, Launcher
from hpcgate.errors import GateError
from hpcgate.lanes.conda_sandbox import ask_tool
from hpcgate.lanes.spack_session import Session
from hpcgate.repo import find_root
from hpcgate.supply import advisories

ROOT = find_root(Path(__file__))


def test_outside_a_checkout_and_without_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(GateError, match="is not inside a mars-earth checkout"):
        find_root(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GateError, match="git is not installed"):
        repo.git(ROOT, "status")
    with pytest.raises(GateError, match="git is not installed"):
        advisories.clone(tmp_path, tmp_path)
    with pytest.raises(GateError, match="rustc does not run"):
        toolchain.rust_toolchain()
    assert list((tmp_path / "build").rglob("*.md")) == []


@pytest.mark.skipif(not shutil.which("rustc"), reason="no rustc here")
def test_the_toolchain_is_not_the_folder_of_shims() -> None:
    version, folder = toolchain.rust_toolchain()
    assert version.count(".") == 2 and (folder / "lib").is_dir()


def test_a_database_that_does_not_come_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = tmp_path / "git"
    slow.write_text("#!/bin/sh\nexec sleep 30\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(advisories, "SECONDS", 0.2)
    with pytest.raises(GateError, match=r"did not come in 0\.2 s"):
        advisories.clone(tmp_path, tmp_path)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    place = tmp_path / "page.md"
    repo.write_text(place, "words\n")
    with pytest.raises(UnicodeEncodeError):
        repo.write_text(place, "\ud800")
    assert place.read_text() == "words\n"
    assert list(tmp_path.iterdir()) == [place]


def test_what_nests_too_deeply_is_a_problem_of_the_document() -> None:
    def reader(*_: Any) -> Document:
        raise RecursionError

    document = _guarded(reader, "a.md", "", None)
    assert document.problems[0].message == "nested too deeply to be read"


def test_a_tool_that_fails_is_told_in_its_own_words() -> None:
    with pytest.raises(GateError, match="sh -c failed: no such luck"):
        ask_tool("sh", "-c", "echo no such luck >&2; exit 3")


def test_an_image_says_who_it_is(tmp_path: Path) -> None:
    program = tmp_path / "engine"
    program.write_text('#!/bin/sh\necho "$4"\n')
    program.chmod(0o755)
    engine = Container(Launcher(str(program), "engine 1"), "an-image:1")
    assert engine.identity == "an-image:1 an-image:1" or engine.identity.startswith("an-image:1 ")


def test_logs_of_failed_builds_leave_the_room(tmp_path: Path) -> None:
    log = tmp_path / "work/stage/x/spack-stage-mars-earth-2.0.0/spack-build-out.txt"
    log.parent.mkdir(parents=True)
    log.write_text("it failed\n")
    (tmp_path / "logs").mkdir()
    session = SimpleNamespace(
        room=SimpleNamespace(work=tmp_path / "work"), root=tmp_path, logs=Path("logs")
    )
    kept = Session._keep_build_logs(session)  # type: ignore[arg-type]
    assert kept == ["build log logs/build-mars-earth-2.0.0.log"]
    assert (tmp_path / "logs/build-mars-earth-2.0.0.log").read_text() == "it failed\n"


def test_the_gate_reads_the_whole_tree_in_forks() -> None:
    command = [sys.executable, "scripts/check_hpc_claims.py", "--strict", "--fresh"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout

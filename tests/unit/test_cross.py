"""Wheels for other architectures: what is done in the room, with maturin's part written here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpcgate.cleanroom import load_image
from hpcgate.errors import GateError
from hpcgate.repo import find_root
from hpcgate.wheels import BuildError, build
from hpcgate.wheels.cross import TARGETS, build_cross, target_of

CHECKOUT = find_root(Path(__file__))
# An environment whose pip brings, for two pinned names, a maturin that says what it was asked for.
PYTHON = """\
[ "$1 $2" = "-m venv" ] || exit 2
mkdir -p "$3/bin"
cat > "$3/bin/pip" <<'END'
#!/bin/sh
case "$*" in "install -q --no-cache-dir maturin==1.8.1 ziglang==0.13.0") exit 0;; *) exit 1;; esac
END
cat > "$3/bin/maturin" <<'END'
#!/bin/sh
cat pyproject.toml || exit 3
while [ "$1" ]; do echo "$1"; [ "$1" = --out ] && out=$2; shift; done
echo made here > made && cp made "$out/a-1-py3-none-any.whl"
END
chmod +x "$3/bin/pip" "$3/bin/maturin"
"""


@pytest.fixture(autouse=True)
def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have both tools installed here, as far as their metadata tell."""
    for name, version in (("maturin", "1.8.1"), ("ziglang", "0.13.0")):
        told = tmp_path / "site" / f"{name}-{version}.dist-info"
        told.mkdir(parents=True)
        (told / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "out").mkdir()
    return tmp_path / "project"


@pytest.mark.parametrize("machine", sorted(TARGETS))
def test_the_project_is_copied_and_built_for_the_target_without_network(
    machine: str, project: Path, definitions: Path, here: Any
) -> None:
    here.program("python3", PYTHON)
    here.program("rustc", "echo rustc 1.85.0 '(4d91de4e4 2025-02-17)'")
    done, tools = build_cross(definitions, project, project.parent / "out", machine)
    assert done.ok, done.stderr
    target = target_of(machine)
    line = f"build --release --zig --target {target.rust} --offline --locked --compatibility"
    assert done.stdout.split()[1:-1] == [*line.split(), target.tag, "--out"]
    assert (project.parent / "out" / "a-1-py3-none-any.whl").read_text() == "made here\n"
    assert sorted(path.name for path in project.iterdir()) == ["pyproject.toml"]
    assert tools == {
        "engine": "here 1",
        "builder_image": "test sha256:0",
        "rustc": "1.85.0",
        "maturin": "1.8.1",
        "ziglang": "0.13.0",
    }
    assert here.networks[-2:] == [True, False]


def test_a_room_without_rust_tells_no_version(project: Path, definitions: Path, here: Any) -> None:
    here.program("python3", PYTHON)
    _, tools = build_cross(definitions, project, project.parent / "out", "aarch64")
    assert tools["rustc"] == "unknown"


def test_tools_that_cannot_be_installed_are_named_with_pip_s_words(
    project: Path, definitions: Path, here: Any
) -> None:
    here.program("python3", "echo 'No matching distribution found for ziglang' >&2; exit 1")
    with pytest.raises(GateError, match="cannot be installed in the room: No matching dist"):
        build_cross(definitions, project, project.parent / "out", "aarch64")
    assert list((definitions / "build" / "rooms").iterdir()) == []


def test_the_way_cross_returns_the_wheels_and_with_what_they_were_made(
    project: Path, definitions: Path, here: Any
) -> None:
    here.program("python3", PYTHON)
    here.program("rustc", "echo rustc 1.85.0")
    out = project.parent / "out"
    built = build(definitions, project, out, "cross", architectures="ppc64le")
    assert [path.name for path in built.wheels] == ["a-1-py3-none-any.whl"]
    assert (built.way, built.tools["way"], built.offline) == ("cross", "cross", True)
    assert built.measurements["build_seconds"] >= 0
    log = (definitions / "build" / "logs" / "wheels.log").read_text()
    assert "powerpc64le-unknown-linux-gnu" in log


def test_a_project_that_does_not_build_there_is_its_own_fault(
    project: Path, definitions: Path, here: Any
) -> None:
    failing = PYTHON.replace("cat pyproject.toml", "echo 'error: no field' >&2; false")
    here.program("python3", failing)
    with pytest.raises(BuildError, match="maturin build --zig failed: no field"):
        build(definitions, project, project.parent / "out", "cross", architectures="aarch64")


def test_every_target_has_its_rooms() -> None:
    for target in TARGETS.values():
        assert {"rustc", "cargo"} & set(load_image(CHECKOUT, target.builder).packages)
        assert load_image(CHECKOUT, target.room).packages
    with pytest.raises(GateError, match="no architecture 's390x'; --archs x86_64 or"):
        target_of("s390x")

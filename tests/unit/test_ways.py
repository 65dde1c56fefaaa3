"""The ways to build wheels, each to its end: what the builder is told, and what comes back.

The builders are small modules that say what they were asked for and leave a file; engine and rustc
are scripts. How the builders fail is in `test_wheels.py`.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpcgate.cleanroom import load_image
from hpcgate.errors import GateError
from hpcgate.wheels import BuildError, build, ways

Script = Callable[[str, str], Path]
DIGEST = f"sha256:{'0' * 64}"
IMAGE = f"registry.invalid/manylinux_2_28@{DIGEST}"
# Leaves a wheel where it is told to, and beside it what it was told.
BUILDER = """\
import json, os, sys
from pathlib import Path
if sys.argv[1:] == ["version"]:
    sys.exit(print("0.13.0"))
names = [flag for flag in ("--output-dir", "--out") if flag in sys.argv]
out = Path(sys.argv[sys.argv.index(names[0]) + 1])
told = {"words": sys.argv[1:], "folder": os.getcwd(), "environment": dict(os.environ)}
(out / "told.json").write_text(json.dumps(told))
(out / "a-1-py3-none-any.whl").write_bytes(b"wheel")
"""
# Has every image, pulls every image, and touches the probe in the room's folder.
ENGINE = """\
case "$1" in
--version) echo engine 4;;
run) for word; do case $word in *:/work:rw) touch "${word%%:*}/probe";; esac; done;;
esac
"""


@pytest.fixture
def builders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the builders in front of any that are here, with their metadata."""
    site = tmp_path / "site"
    versions = {"cibuildwheel": "4.0.0", "maturin": "1.8.1", "ziglang": "0.13.0"}
    for name, version in versions.items():
        (site / name).mkdir(parents=True)
        (site / name / "__init__.py").touch()
        (site / name / "__main__.py").write_text(BUILDER)
        told = site / f"{name}-{version}.dist-info"
        told.mkdir()
        (told / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    resources = site / "cibuildwheel" / "resources"
    resources.mkdir()
    pins = f"[{platform.machine()}]\nmanylinux_2_28 = {IMAGE} # 2026.10\n[ia64]\n"
    (resources / "pinned_docker_images.cfg").write_text(pins)
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("PIP_INDEX_URL", "index:/simple")
    return site


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def told(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "told.json").read_text())
    return found


pytestmark = pytest.mark.skipif(platform.system() != "Linux", reason="Linux has these ways alone")


def test_the_official_way_builds_in_the_pinned_image_and_passes_what_was_chosen(
    builders: Path, definitions: Path, project: Path, script: Script
) -> None:
    out = project.parent / "out"
    out.mkdir()
    (out / "of-yesterday.whl").touch()
    script("podman", ENGINE + f'[ "$1" != pull ] || echo "$@" > {out}/pulled')
    built = build(definitions, project, out, only="cp310-*", architectures="native")
    assert [path.name for path in built.wheels] == ["a-1-py3-none-any.whl"]
    assert (out / "pulled").read_text() == f"pull --quiet {IMAGE}\n"
    seen = told(out)
    assert seen["words"] == ["--output-dir", str(out), str(project)]
    assert seen["folder"] == str(project)
    passed = seen["environment"]
    assert (passed["CIBW_BUILD"], passed["CIBW_ARCHS"]) == ("cp310-*", "native")
    engine, _, create = passed["CIBW_CONTAINER_ENGINE"].partition(";")
    assert engine == "podman" and "--label=mars-earth-wheels=" in create
    assert built.tools == {"way": "official", "cibuildwheel": "4.0.0", "engine": "engine 4"}
    assert built.refused == [] and not built.offline


def test_our_own_way_mounts_the_toolchain_and_hands_the_index_on(
    builders: Path, definitions: Path, project: Path, script: Script, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    image = load_image(definitions, ways.IMAGE)
    made = definitions / "build" / "roots" / image.digest
    (made / "tree").mkdir(parents=True)
    (made / "packages.txt").write_text("python3 3.11 amd64\n")
    recipe = definitions / ways.RECIPE
    recipe.parent.mkdir(parents=True)
    recipe.write_text("ARG BASE\nFROM ${BASE}\n")
    bundle = tmp_path / "ca.pem"
    bundle.write_text("a certificate\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    script("podman", ENGINE)
    script("rustc", 'case "$1" in --version) echo rustc 1.85.0 "(x)";; *) echo /opt/rust;; esac')
    out = project.parent / "out"
    built = build(definitions, project, out, "own")
    passed, machine = told(out)["environment"], platform.machine()
    assert passed["CIBW_BUILD"] == f"cp311-manylinux_{machine}"
    wanted = passed[f"CIBW_MANYLINUX_{machine.upper()}_IMAGE"]
    assert wanted.startswith("localhost/mars-earth-wheel-builder:")
    create = passed["CIBW_CONTAINER_ENGINE"]
    assert "--volume=/opt/rust:/opt/rust:ro" in create and f"--volume={bundle}:" in create
    handed = passed["CIBW_ENVIRONMENT_PASS_LINUX"].split()
    assert {"PIP_INDEX_URL", "PIP_CERT", "SSL_CERT_FILE", "PIP_COMPILE"} <= set(handed)
    assert passed["PIP_INDEX_URL"] == "index:/simple"
    assert built.tools["rustc"] == "1.85.0"
    assert built.tools["builder_image"].startswith(f"{ways.IMAGE} sha256:")


def test_where_no_image_can_be_pulled_zig_builds_without_network_and_the_rest_say_why(
    builders: Path, definitions: Path, project: Path, script: Script
) -> None:
    script("podman", 'case "$1" in pull) echo "no such host" >&2;; esac; exit 1')
    script("docker", "echo 'no daemon' >&2; exit 1")
    script("rustc", 'case "$1" in --version) echo rustc 1.85.0 "(x)";; *) echo /opt/rust;; esac')
    (definitions / "containers" / f"{ways.IMAGE}.yaml").unlink()
    out = project.parent / "out"
    built = build(definitions, project, out)
    assert built.way == "zig"
    official, own = built.refused
    assert official.startswith("official: podman cannot pull: no such host; ")
    assert official.endswith("docker cannot pull: no daemon")
    assert own.startswith("own: ") and "no image definition" in own
    line = "build --release --zig --compatibility manylinux2014 --offline --locked --out"
    assert told(out)["words"] == [*line.split(), str(out)]
    assert told(out)["environment"]["SOURCE_DATE_EPOCH"] == "315532800"
    assert built.tools == {"way": "zig", "zig": "0.13.0", "rustc": "1.85.0", "maturin": "1.8.1"}
    assert built.measurements["build_seconds"] >= 0
    cut = shutil.which("unshare") and not os.system(
        "unshare --map-root-user --net true 2>/dev/null"
    )
    assert built.offline is bool(cut)


def test_zig_without_a_module_or_without_rust_is_not_here(
    builders: Path, definitions: Path, project: Path, script: Script
) -> None:
    script("rustc", "exit 1")
    with pytest.raises(GateError, match="zig: no Rust toolchain: rustc does not run"):
        build(definitions, project, project.parent / "out", "zig")


def test_another_system_builds_on_the_machine_itself(
    builders: Path, definitions: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    out = project.parent / "out"
    built = build(definitions, project, out)
    assert (built.way, len(built.wheels)) == ("machine", 1)
    assert "CIBW_CONTAINER_ENGINE" not in told(out)["environment"]
    with pytest.raises(GateError, match="the way zig is not for Darwin: machine"):
        build(definitions, project, out, "zig")


def test_a_build_that_says_nothing_fails_with_its_status(
    builders: Path, definitions: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    (builders / "cibuildwheel" / "__main__.py").write_text("raise SystemExit(3)\n")
    with pytest.raises(BuildError, match=r"cibuildwheel failed: exit 3; see build/logs/wheels.log"):
        build(definitions, project, project.parent / "out")


def test_an_architecture_without_a_pinned_image_is_named(
    builders: Path, definitions: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "ia64")
    with pytest.raises(GateError, match="knows no manylinux_2_28 image for ia64"):
        build(definitions, project, project.parent / "out", "official")


def test_without_cibuildwheel_the_ways_that_need_it_say_so(
    definitions: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(name: str) -> str:
        raise ways.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(ways.metadata, "version", absent)
    with pytest.raises(GateError, match=r"cibuildwheel is not installed; it needs Python 3.11"):
        build(definitions, project, project.parent / "out", "official")

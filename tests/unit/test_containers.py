"""Containers without an engine: facts, bad input, and parts that stand by themselves."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from hpcgate.cleanroom import load_image
from hpcgate.cleanroom.containers import Container, Launcher
from hpcgate.cleanroom.images import build_image
from hpcgate.containers import load_facts, runtime, session, systems
from hpcgate.errors import GateError
from hpcgate.facts import read_yaml
from hpcgate.repo import find_root
from hpcgate.smoke import Smoke

CHECKOUT = find_root(Path(__file__))
RUNTIME = CHECKOUT / "containers" / "runtime"
WHEEL = "mars_earth-2.0.0-cp310-abi3-manylinux_2_28_x86_64.whl"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    path = tmp_path / WHEEL
    path.write_bytes(b"wheel")
    return path


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Container]:
    """Let a shell script be podman, and leave nothing else on PATH but a shell."""
    folder = tmp_path / "programs"
    folder.mkdir()
    (folder / "sh").symlink_to(shutil.which("sh") or "/bin/sh")
    monkeypatch.setenv("PATH", str(folder))

    def write(script: str) -> Container:
        (folder / "podman").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "podman").chmod(0o755)
        return Container(Launcher("podman", "podman 4"), "localhost/base:1")

    return write


# Facts


def test_every_foreign_image_has_a_digest_or_says_why_not() -> None:
    images = load_facts(CHECKOUT).images
    assert {"rocky-9", "ubuntu-24.04"} <= set(images)
    for name, image in images.items():
        assert bool(image.digest) != bool(image.reason), name
        if image.digest:
            assert image.address == f"{image.image.partition(':')[0]}@{image.digest}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("digest: sha256:8", "digest: sha256:zz8", "digest"),
        ("digest: null", "digest: latest", "digest"),
        ("    known: ", "    knwon: ", "unknown key, did you mean `known`"),
        ("    reason: ", "    known: ", "say why there is no digest"),
    ],
)
def test_wrong_facts_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (CHECKOUT / "packaging" / "containers.yaml").read_text()
    (tmp_path / "packaging").mkdir()
    (tmp_path / "packaging" / "containers.yaml").write_text(text.replace(old, new, 1))
    with pytest.raises(GateError) as error:
        load_facts(tmp_path)
    assert "packaging/containers.yaml" in str(error.value)
    assert message in str(error.value)


def test_every_part_is_a_check_of_this_session() -> None:
    checks = read_yaml(CHECKOUT / "packaging" / "levels.yaml")["checks"]
    ours = {name for name, check in checks.items() if check["session"] == session.CHECK}
    assert ours == set(session.PARTS)


# The runtime image


def test_the_runtime_image_has_no_root_no_compiler_and_no_installer() -> None:
    recipe = (RUNTIME / "Containerfile").read_text()
    last = recipe.rpartition("\nFROM ")[2]
    assert re.search(r"^USER (?!0\b)\d+:\d+$", last, re.MULTILINE)
    assert "pip" not in last and "apt" not in last
    assert {"cc", "gcc", "rustc", "pip", "apt"} <= set(load_image(CHECKOUT, runtime.BASE).absent)


def test_no_secret_of_the_machine_becomes_part_of_an_image() -> None:
    for path in (CHECKOUT / "containers").glob("*/Containerfile"):
        text = path.read_text()
        assert not re.search(r"^(ENV|ARG|COPY) .*(PIP_|secrets|\.pem)", text, re.MULTILINE), path
        assert "--mount=type=secret" in text, path


def test_the_definition_for_apptainer_has_a_test_and_a_runscript() -> None:
    text = (RUNTIME / "mars-earth.def").read_text()
    assert "%test\n" in text and "predict(x)" in text
    assert '%runscript\n    exec /opt/mars-earth/bin/mars-earth "$@"' in text


def test_the_service_is_closed() -> None:
    service = read_yaml(RUNTIME / "compose.yaml")["services"]["mars-earth"]
    assert service["network_mode"] == "none" and service["read_only"] is True
    assert service["cap_drop"] == ["ALL"] and service["security_opt"] == ["no-new-privileges"]
    assert not service["user"].startswith("0")


# Bad input


def test_an_image_that_exists_is_not_built_again_and_each_input_makes_another(
    tmp_path: Path, engine: Callable[[str], Container]
) -> None:
    podman = engine("exit 0")
    recipe, given = tmp_path / "Containerfile", tmp_path / "a.whl"
    recipe.write_text("ARG BASE\nFROM ${BASE}\n")
    given.write_bytes(b"1")
    built = [build_image(podman, recipe, "x", log=tmp_path / "log", context={given: "a.whl"})]
    given.write_bytes(b"2")
    built.append(build_image(podman, recipe, "x", log=tmp_path / "log", context={given: "a.whl"}))
    built.append(build_image(podman, recipe, "x", log=tmp_path / "log", arguments={"A": "1"}))
    assert len(set(built)) == 3
    assert all(re.fullmatch(r"localhost/x:[0-9a-f]{16}", name) for name in built)


@pytest.mark.parametrize(
    "words",
    [
        "Error: no space left on device",
        "Error: initializing source: no such host",
        "Error: unexpected EOF reading the layer",
    ],
)
def test_an_image_that_cannot_be_built_is_one_line_and_leaves_a_log_alone(
    tmp_path: Path, engine: Callable[[str], Container], words: str
) -> None:
    podman = engine(f'case "$1" in image) exit 1;; esac; echo "{words}" >&2; exit 125')
    recipe = tmp_path / "runtime" / "Containerfile"
    recipe.parent.mkdir()
    recipe.write_text("ARG BASE\nFROM ${BASE}\n")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(GateError) as error:
        build_image(podman, recipe, "x", log=tmp_path / "image.log")
    why = words.removeprefix("Error: ")
    assert error.value.message == f"runtime: the image cannot be built: {why}"
    assert sorted(tmp_path.iterdir()) == sorted([*before, tmp_path / "image.log"])


def test_an_image_without_digest_and_one_that_cannot_be_pulled_say_why(
    tmp_path: Path, wheel: Path, engine: Callable[[str], Container]
) -> None:
    engine("echo 'lookup registry: no such host' >&2; exit 125")
    with pytest.raises(GateError) as error:
        systems.try_images(Smoke(), tmp_path, wheel, load_facts(CHECKOUT))
    message = error.value.message
    assert "rocky-9: podman cannot pull: lookup registry: no such host" in message
    assert "opensuse-leap-16.0: no digest: each digest that could be found" in message


def test_without_an_engine_nothing_is_pulled(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GateError, match="rocky-9: neither podman nor docker is installed"):
        systems.try_images(Smoke(), tmp_path, wheel, load_facts(CHECKOUT))


def test_apptainer_and_compose_that_are_missing_name_what_installs_them(
    tmp_path: Path, engine: Callable[[str], Container]
) -> None:
    podman = engine("exit 1")
    with pytest.raises(GateError, match="apptainer is not installed; see"):
        runtime.try_apptainer(Smoke(), tmp_path, podman)
    docker = Container(Launcher("docker", "docker 28"), "mars-earth:1")
    with pytest.raises(GateError, match=r"docker: cannot be started|no compose program"):
        runtime.try_compose(Smoke(), tmp_path, docker)
    assert list((tmp_path / "build" / "containers").iterdir()) == []


def test_one_part_that_cannot_run_takes_nothing_from_the_others(
    tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def good(smoke: Smoke, *arguments: object) -> None:
        smoke.add("works", True, "")

    def broken(*arguments: object) -> Container:
        raise GateError("no container engine works here")

    monkeypatch.setattr(session, "load_facts", lambda root: None)
    monkeypatch.setattr(systems, "try_recipes", good)
    monkeypatch.setattr(systems, "try_images", good)
    monkeypatch.setattr(runtime, "build", broken)
    monkeypatch.setattr("hpcgate.smoke.Console", lambda **options: Console(file=io.StringIO()))
    outcomes = session.run(tmp_path, wheel, recorded=False)
    assert outcomes == {
        "containers-recipes": "pass",
        "containers-images": "pass",
        "runtime-image": "unavailable",
        "apptainer-image": "unavailable",
        "compose": "unavailable",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nothing"], "no part nothing; there are: containers-recipes"),
        (["--wheel", "absent.whl"], "no such wheel; build one with nox -s wheels"),
    ],
)
def test_bad_arguments_are_one_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from hpcgate.smoke import exit_status

    assert exit_status(session.CHECK, lambda: session.main(arguments)) == 2
    printed: Any = capsys.readouterr()
    assert message in printed.err and "Traceback" not in printed.err


def test_a_wheel_for_another_platform_reaches_no_image(tmp_path: Path) -> None:
    foreign = tmp_path / "mars_earth-2.0.0-cp310-abi3-win_arm64.whl"
    foreign.touch()
    for refuse in (
        lambda: runtime.build(CHECKOUT, foreign),
        lambda: systems.try_images(Smoke(), CHECKOUT, foreign, load_facts(CHECKOUT)),
    ):
        with pytest.raises(GateError, match="a wheel for win_arm64"):
            refuse()


def test_the_scripts_of_the_engines_are_valid_shell() -> None:
    from hpcgate.cleanroom import containers, trees

    for script in (containers._PRIVATE, trees._CHROOT):
        assert subprocess.run(["sh", "-n", "-c", script]).returncode == 0

"""The parts of `nox -s containers`, each to its end.

A script is the engine and the image that it runs; what is asked of them and judged is real.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hpcgate.cleanroom import load_image
from hpcgate.cleanroom.containers import Container, Launcher
from hpcgate.containers import load_facts, runtime, session, systems
from hpcgate.errors import GateError
from hpcgate.evidence import Outcome
from hpcgate.repo import find_root
from hpcgate.smoke import Smoke

CHECKOUT = find_root(Path(__file__))
WHEEL = "mars_earth-2.0.0-cp310-abi3-manylinux_2_28_x86_64.whl"
TESTS = [{"name": "fits", "passed": True, "detail": ""}]
REPORT = json.dumps({"tests": TESTS, "versions": {"numpy": "2"}, "measurements": {"rows": 5}})
# Has every image, and is the inside of one: its user, its command line and the smoke script.
IMAGE = f"""\
case "$*" in
*--version) [ "$1" = run ] && echo mars-earth, version 2.0.0 || echo engine 4;;
*Size*) echo ${{SIZE:-200000000}};;
*.Id*) echo sha256:0123;;
*"id -u") echo ${{WHO:-1000}};;
*smoke.py) [ "$1" = run ] && echo '{REPORT}';;
"run "*"/work:rw"*" touch /work/probe")
    for word; do case $word in *:/work:rw) touch "${{word%%:*}}/probe";; esac; done;;
esac
"""


Script = Callable[[str, str], Path]


@pytest.fixture
def root(definitions: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the definitions, the recipes and the smoke script of this one."""
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setenv("PIP_INDEX_URL", "index:/simple")
    for name in ("foreign", "runtime"):
        shutil.copytree(CHECKOUT / "containers" / name, definitions / "containers" / name)
    for name in ("packaging/containers.yaml", "tests/smoke/wheel_smoke.py"):
        (definitions / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CHECKOUT / name, definitions / name)
    (definitions / WHEEL).write_bytes(b"wheel")
    return definitions


@pytest.fixture
def docker(script: Script) -> Container:
    script("docker", IMAGE)
    return Container(Launcher("docker", "docker 28"), "mars-earth:1")


def results(smoke: Smoke) -> dict[str, bool]:
    return {test.name: test.passed for test in smoke.tests}


# The runtime image


def test_the_runtime_image_stands_on_two_roots_of_ours(root: Path, script: Script) -> None:
    made = []
    for name in (runtime.BASE, runtime.BUILDER):
        made.append(root / "build" / "roots" / load_image(root, name).digest)
        (made[-1] / "tree").mkdir(parents=True)
        (made[-1] / "packages.txt").write_text("python3 3.13 amd64\n")
    log = root / "asked"
    script(
        "podman",
        f'echo "$@" >> {log}\n'
        f'case "$*" in *"inspect localhost/mars-earth:"*) exit 1;; esac\n{IMAGE}',
    )
    engine = runtime.build(root, root / WHEEL)
    assert engine.image.startswith("localhost/mars-earth:") and engine.name == "podman"
    (asked,) = (line for line in log.read_text().splitlines() if line.startswith("build "))
    for argument, folder in zip(("BASE", "BUILDER"), made, strict=True):
        assert f"--build-arg={argument}=localhost/mars-earth-room:{folder.name[:16]}" in asked
    assert (root / "build" / "logs" / "image-runtime.log").exists()


def test_an_image_that_works_passes(root: Path, docker: Container) -> None:
    smoke = Smoke()
    runtime.try_image(smoke, root, docker)
    assert results(smoke) == {
        "below-350-mb": True,
        "holds-no-compiler-and-no-installer": True,
        "user-is-not-root": True,
        "command-line-answers": True,
        "fits": True,
        "smoke-script-reports": True,
    }
    assert smoke.measurements["image_bytes"] == 200_000_000 and smoke.measurements["rows"] == 5
    assert smoke.tools["image"] == "mars-earth:1 sha256:0123"
    assert list((root / "build" / "rooms").iterdir()) == []


@pytest.mark.parametrize(
    ("variable", "value", "failing"),
    [
        ("SIZE", str(runtime.LARGEST), "below-350-mb"),
        ("SIZE", "0", "below-350-mb"),
        ("WHO", "0", "user-is-not-root"),
    ],
)
def test_an_image_that_is_too_large_or_has_root_fails(
    root: Path, docker: Container, monkeypatch: pytest.MonkeyPatch, variable: str, value: str,
    failing: str,
) -> None:  # fmt: skip
    monkeypatch.setenv(variable, value)
    smoke = Smoke()
    runtime.try_image(smoke, root, docker)
    assert [name for name, passed in results(smoke).items() if not passed] == [failing]


# Apptainer

APPTAINER = f"""\
case "$1" in
--version) echo apptainer version 1.3.4;;
build) [ -z "$NO_BUILD" ] || {{ echo "FATAL: $NO_BUILD" >&2; exit 255; }}
    while [ $# -gt 2 ]; do shift; done; echo sif > "$1";;
test) exit ${{TESTED:-0}};;
run) echo mars-earth, version 2.0.0;;
exec) echo '{REPORT}';;
esac
"""


@pytest.mark.parametrize("name", ["docker", "podman"])
def test_the_file_for_clusters_is_built_tested_and_used_without_a_network(
    root: Path, script: Script, name: str
) -> None:
    asked = script("apptainer", f'echo "$@" >> "$0.log"\n{APPTAINER}')
    saved = script(name, 'echo "$@" > "$0.log"')
    smoke = Smoke()
    runtime.try_apptainer(smoke, root, Container(Launcher(name, name), "mars-earth:1"))
    assert results(smoke) == dict.fromkeys(
        ("builds", "passes-its-test", "runscript-answers", "fits", "smoke-script-reports"), True
    )
    assert smoke.measurements["sif_bytes"] == 4
    assert smoke.tools["apptainer"] == "apptainer version 1.3.4"
    lines = Path(f"{asked}.log").read_text().splitlines()
    used = [line for line in lines if line.split()[0] in ("test", "run", "exec")]
    assert len(used) == 3 and all("--network=none" in line for line in used)
    archive = Path(f"{saved}.log").read_text()
    assert ("--format=docker-archive" in archive) is (name == "podman")
    assert list((root / "build" / "containers").iterdir()) == []


def test_a_definition_that_does_not_build_fails_and_ends_there(
    root: Path, docker: Container, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    script("apptainer", APPTAINER)
    monkeypatch.setenv("NO_BUILD", "while performing build: no space left on device")
    smoke = Smoke()
    runtime.try_apptainer(smoke, root, docker)
    assert results(smoke) == {"builds": False}
    assert smoke.reason == "builds: FATAL: while performing build: no space left on device"


def test_a_file_that_fails_its_own_test_fails(
    root: Path, docker: Container, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    script("apptainer", APPTAINER)
    monkeypatch.setenv("TESTED", "1")
    smoke = Smoke()
    runtime.try_apptainer(smoke, root, docker)
    assert smoke.reason == "passes-its-test: exit 1"


def test_an_image_that_cannot_be_saved_is_no_fault_of_the_definition(
    root: Path, script: Script
) -> None:
    script("apptainer", APPTAINER)
    script("docker", "echo 'no space left on device' >&2; exit 1")
    with pytest.raises(GateError, match="the image cannot be saved: no space left on device"):
        runtime.try_apptainer(Smoke(), root, Container(Launcher("docker", "d"), "mars-earth:1"))


# The service

COMPOSE = """\
case "$*" in
"compose version") echo Docker Compose version v2.30;;
*" down") touch "$0.down";;
*" fit "*) cd "$MARS_EARTH_FOLDER" && [ -s train.csv ] && echo '{}' > model.json;;
*" predict "*) cd "$MARS_EARTH_FOLDER" && [ -e model.json ] &&
    head -n ${LINES:-51} train.csv > predicted.csv;;
esac
"""


@pytest.mark.parametrize(("lines", "good"), [("51", True), ("50", False)])
def test_the_service_fits_and_replays_in_the_folder_that_it_is_given(
    root: Path, script: Script, monkeypatch: pytest.MonkeyPatch, lines: str, good: bool
) -> None:
    program = script("docker", COMPOSE)
    monkeypatch.setenv("LINES", lines)
    smoke = Smoke()
    runtime.try_compose(smoke, root, Container(Launcher("docker", "docker 28"), "mars-earth:1"))
    assert results(smoke) == {
        "service-fits": True,
        "service-replays": True,
        "predictions-lie-in-the-folder": good,
    }
    assert smoke.tools["compose"] == "Docker Compose version v2.30"
    assert Path(f"{program}.down").exists()
    assert list((root / "build" / "containers").iterdir()) == []


def test_podman_without_its_compose_names_what_installs_it(
    root: Path, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = script("python", "echo 'No module named podman_compose' >&2; exit 1")
    monkeypatch.setattr(runtime.sys, "executable", str(program))
    with pytest.raises(GateError, match=r"no compose program for podman: No module.*podman-co"):
        runtime.try_compose(Smoke(), root, Container(Launcher("podman", "podman 4"), "x:1"))


# Systems of others


def test_images_of_others_that_can_be_pulled_are_used_and_the_rest_are_named(
    root: Path, script: Script
) -> None:
    refused = f'case "$*" in *rocky*) echo "no such host" >&2; exit 125;; esac\n{IMAGE}'
    script("docker", refused)
    script("podman", "exit 1")
    smoke = Smoke()
    systems.try_images(smoke, root, root / WHEEL, load_facts(root))
    assert results(smoke) == {"works-on-ubuntu-24-04": True}
    assert smoke.tools["ubuntu-24.04"].startswith("ubuntu@sha256:")
    untried = smoke.tools["not tried"].split("; ")
    assert "docker cannot pull: no such host" in untried[0] and untried[0].startswith("rocky-9: ")
    assert untried[1].startswith("opensuse-leap-16.0: no digest")
    assert smoke.log[-1].startswith("== not tried: opensuse")


def test_an_image_on_which_the_script_reports_nothing_fails(root: Path, script: Script) -> None:
    script("docker", IMAGE.replace(REPORT, "Segmentation fault"))
    script("podman", "exit 1")
    smoke = Smoke()
    systems.try_images(smoke, root, root / WHEEL, load_facts(root))
    assert set(results(smoke).values()) == {False}


def test_the_wheel_is_used_in_a_room_of_every_recipe(root: Path, here: Any) -> None:
    here.python(REPORT)
    smoke, facts = Smoke(), load_facts(root)
    systems.try_recipes(smoke, root, root / WHEEL, facts, "auto")
    assert results(smoke) == {f"works-on-{name}": True for name in facts.recipes}
    assert smoke.tools["engine"] == "here 1"
    assert {f"{name}_install_seconds" for name in facts.recipes} <= set(smoke.measurements)


def test_a_recipe_on_which_the_script_fails_is_named(root: Path, here: Any) -> None:
    here.python(REPORT, at_once="exit 139")
    smoke = Smoke()
    systems.try_recipes(smoke, root, root / WHEEL, load_facts(root), "auto")
    assert set(results(smoke).values()) == {False}
    assert smoke.reason.startswith("works-on-debian-bookworm: first-prediction")


# The session


def test_the_session_takes_the_newest_wheel_and_records_each_part(
    root: Path, monkeypatch: pytest.MonkeyPatch, docker: Container
) -> None:
    concluded: dict[str, tuple[Outcome, str]] = {}

    def conclude(smoke: Smoke, *given: Any, command: str, **options: Any) -> Outcome:
        concluded[given[2]] = (smoke.outcome, command)
        return smoke.outcome

    monkeypatch.setattr(session, "conclude", conclude)
    monkeypatch.setattr(session, "find_root", lambda: root)
    monkeypatch.setattr(runtime, "build", lambda *given: docker)
    (root / "dist").mkdir()
    (root / WHEEL).rename(root / "dist" / WHEEL)
    assert session.main(["runtime-image", "--unrecorded"]) == 0
    assert concluded == {
        "runtime-image": ("pass", "nox -s containers -- runtime-image"),
    }
    assert (root / "build" / "logs" / "runtime-image.log").read_text().startswith("== use: exit 0")
    monkeypatch.setenv("WHO", "0")
    assert session.main(["runtime-image"]) == 1
    (root / "dist" / WHEEL).unlink()
    with pytest.raises(GateError, match="no wheel is built yet, or several are; nox -s wheels"):
        session.main([])

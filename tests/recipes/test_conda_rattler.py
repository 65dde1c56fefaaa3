"""What the session asks of rattler-build and rattler, done with both; every channel is on disk."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hpcgate.lanes import conda_rattler
from hpcgate.lanes.conda_channel import PLATFORM
from hpcgate.repo import sha256_file


def ask(folder: Path, **request: Any) -> tuple[Any, subprocess.CompletedProcess[str]]:
    """Do one piece of work in a process of its own, as the module that coverage counts."""
    asked, answer = folder / "request.json", folder / "answer.json"
    asked.write_text(json.dumps(request))
    answer.unlink(missing_ok=True)
    line = [sys.executable, "-W", "ignore", "-m", conda_rattler.__name__, str(asked), str(answer)]
    home = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
    for path in home.values():
        Path(path).mkdir(exist_ok=True)
    done = subprocess.run(line, env={**os.environ, **home}, capture_output=True, text=True)
    return json.loads(answer.read_text()) if answer.exists() else None, done


def staged(folder: Path, name: str, version: str, **more: Any) -> dict[str, Any]:
    files = folder / f"{name}-{version}"
    (files / "share").mkdir(parents=True)
    (files / "share" / f"{name}.txt").write_text(f"{name}\n")
    some = {"build": "0", "depends": [], "run_exports": {}, "files": str(files)}
    return {"name": name, "version": version, **some, **more}


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A channel with a library that exports itself, and a Python that is no program."""
    folder = tmp_path_factory.mktemp("channel")
    packages = [
        staged(folder, "python", "3.10.4"),
        staged(folder, "lib", "1.2", run_exports={"strong": ["lib >=1.2"]}),
    ]
    made = folder / "made"
    _, done = ask(folder, work="pack", out=str(made), packages=packages, platform=PLATFORM)
    assert done.returncode == 0, done.stderr
    assert "## python 3.10.4 0" in done.stdout
    _, done = ask(folder, work="index", channel=str(made))
    assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe that builds against the library, carries a test, and skips a newer Python."""
    source = tmp_path / "source" / "text.txt"
    source.parent.mkdir()
    source.write_text("one\n")
    written = {
        "package": {"name": "tiny", "version": "1.0"},
        "source": {"url": source.as_uri(), "sha256": sha256_file(source)},
        "build": {
            "number": 0,
            "script": ["cp text.txt $PREFIX/"],
            "skip": ["not is_python_min"],
        },
        "requirements": {"host": ["python", "lib"]},
        "tests": [{"script": ["cat $PREFIX/text.txt", "test -e $PREFIX/share/lib.txt"]}],
    }
    path = tmp_path / "recipe" / "recipe.yaml"
    path.parent.mkdir()
    path.write_text(json.dumps(written))
    return path


def pins(oldest: bool) -> dict[str, list[object]]:
    return {"python": ["3.10.*"], "is_python_min": [oldest]}


def test_a_channel_tells_its_versions(tmp_path: Path, channel: Path) -> None:
    names = ["python", "lib", "absent"]
    asked = {"work": "find", "names": names, "platform": PLATFORM}
    found, _ = ask(tmp_path, channel=channel.as_uri(), **asked)
    assert found == {"read": True, "versions": {"python": ["3.10.4"], "lib": ["1.2"]}}
    found, done = ask(tmp_path, channel=(tmp_path / "nowhere").as_uri(), **asked)
    assert not found["read"] and "\n" not in found["why"]
    assert done.returncode == 0 and found["why"] in done.stderr


def test_a_plan_leaves_nothing_to_decide(tmp_path: Path, recipe: Path) -> None:
    asked = {"recipe": str(recipe), "build": PLATFORM, "target": "linux-aarch64"}
    plans, done = ask(tmp_path, work="render", variants=pins(True), **asked)
    assert done.returncode == 0, done.stderr
    (plan,) = plans
    assert plan["package"]["version"] == "1.0"
    assert plan["requirements"]["host"]


def test_a_package_is_built_tested_and_installed(
    tmp_path: Path, channel: Path, recipe: Path
) -> None:
    places = {"channels": [channel.as_uri()], "out": str(tmp_path / "out"), "platform": PLATFORM}
    built, done = ask(tmp_path, work="build", recipe=str(recipe), variants=pins(True), **places)
    assert done.returncode == 0, done.stderr
    unpacked = Path(built["unpacked"])
    assert (unpacked / "text.txt").read_text() == "one\n"
    about = json.loads((unpacked / "info" / "index.json").read_text())
    assert "lib >=1.2" in about["depends"]  # what the library exports to those who build with it
    assert len(built["tests"]) == 1
    tried, done = ask(
        tmp_path, work="test", package=built["path"], number=0, channels=[channel.as_uri()]
    )
    assert tried == {"passed": True, "why": ""}, done.stdout
    own = tmp_path / "own"
    (own / PLATFORM).mkdir(parents=True)
    Path(built["path"]).rename(own / PLATFORM / Path(built["path"]).name)
    ask(tmp_path, work="index", channel=str(own))
    prefix = tmp_path / "prefix"
    records, done = ask(
        tmp_path,
        work="install",
        channels=[own.as_uri(), channel.as_uri()],
        specs=["tiny"],
        prefix=str(prefix),
    )
    assert done.returncode == 0, done.stderr
    assert records[0] == "lib 1.2 0" and records[-1].startswith("tiny 1.0 ")
    assert (prefix / "text.txt").read_text() == "one\n"
    assert (prefix / "share" / "lib.txt").read_text() == "lib\n"


@pytest.mark.parametrize("oldest", [True, False])
def test_a_variant_that_is_to_be_skipped_is_not_built(
    tmp_path: Path, channel: Path, recipe: Path, oldest: bool
) -> None:
    variants = tmp_path / "variants.yaml"
    variants.write_text(json.dumps(pins(oldest)))
    built, done = ask(
        tmp_path,
        work="skips",
        recipe=str(recipe),
        variant_file=str(variants),
        channels=[channel.as_uri()],
        out=str(tmp_path / "out"),
        platform=PLATFORM,
    )
    assert done.returncode == 0, done.stderr
    assert bool(built) is oldest


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"work": "nonsense"}, "KeyError: 'nonsense'"),
        ({"work": "render", "recipe": "/no/recipe.yaml"}, "TypeError: "),
    ],
)
def test_work_that_fails_is_one_line_without_an_answer(
    tmp_path: Path, request_: dict[str, Any], said: str
) -> None:
    answer, done = ask(tmp_path, **request_)
    assert answer is None and done.returncode == 1
    assert done.stderr.startswith(said) and done.stderr.count("\n") == 1

"""Bad input to the conda-forge lane ends in one clear line; rattler-build and rattler are real."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hpcgate import facts
from hpcgate.errors import GateError
from hpcgate.lanes import conda_forge_smoke as smoke_session
from hpcgate.lanes import conda_sandbox
from hpcgate.lanes.conda_channel import PLATFORM, Channel
from hpcgate.lanes.conda_sandbox import Sandbox, open_sandbox
from hpcgate.lanes.conda_session import Session
from hpcgate.lanes.conda_standins import StandIns
from hpcgate.repo import sha256_file
from hpcgate.smoke import Smoke

from .conftest import ROOT, Checkout

FACTS = facts.load(ROOT)
STANDINS = facts.load_model(StandIns, ROOT, smoke_session.STANDINS)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with open_sandbox(tmp_path, Path("logs")) as made:
        made.add_patchelf()
        yield made


def a_recipe(sandbox: Sandbox, sha256: str = "", test: str = "true") -> dict[str, Any]:
    """Write a recipe that packs one text file, and return what `build` is asked for."""
    source = sandbox.folder / "source" / "text.txt"
    source.parent.mkdir()
    source.write_text("one\n")
    written = {
        "package": {"name": "tiny", "version": "1.0"},
        "source": {"url": source.as_uri(), "sha256": sha256 or sha256_file(source)},
        "build": {"noarch": "generic", "script": ["cp text.txt $PREFIX/"]},
        "tests": [{"script": [test]}],
    }
    # Alone in its folder, which rattler-build copies into the package.
    recipe = sandbox.folder / "recipe" / "recipe.yaml"
    recipe.parent.mkdir()
    recipe.write_text(json.dumps(written))
    channel = sandbox.folder / "empty"
    sandbox.ask("index", "index-empty", channel=str(channel))
    return {
        "recipe": str(recipe),
        "variants": {},
        "channels": [channel.as_uri()],
        "out": str(sandbox.folder / "out"),
        "platform": PLATFORM,
    }


def packages(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*.conda")]


def test_an_archive_with_another_digest_builds_nothing(sandbox: Sandbox) -> None:
    with pytest.raises(GateError, match=r"(?i)checksum.*; see logs/build\.log") as caught:
        sandbox.ask("build", "build", **a_recipe(sandbox, sha256="ab" * 32))
    assert "\n" not in str(caught.value)
    assert "ab" * 32 in (sandbox.root / "logs" / "build.log").read_text()
    assert packages(sandbox.folder / "out") == []


@pytest.mark.parametrize(("test", "outcome"), [("true", "pass"), ("echo wrong; false", "fail")])
def test_a_package_that_fails_its_test_is_in_no_channel(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, test: str, outcome: str
) -> None:
    wanted = a_recipe(sandbox, test=test)
    built = sandbox.ask("build", "build", **wanted)
    (channel,) = wanted["channels"]
    session = Session(ROOT, sandbox.root, sandbox.root, sandbox, FACTS, STANDINS, Smoke())
    session.channel = Channel(channel, ("3.10", "3.13"), {}, {})
    session.package, session.carried = Path(built["path"]), tuple(built["tests"])
    stages = ("package_passes_its_tests", "own_channel_holds_it")
    kept = {name: stage for name, stage in smoke_session.STAGES.items() if name in stages}
    monkeypatch.setattr(smoke_session, "STAGES", kept)
    smoke_session._stages(session)
    assert session.smoke.outcome == outcome
    if outcome == "pass":
        assert packages(session.own_channel) == [session.package.name]
        return
    assert not session.own_channel.exists()
    assert "see logs/test-1-commands.log" in session.smoke.reason
    assert "wrong" in (sandbox.root / "logs" / "test-1-commands.log").read_text()


def test_a_python_below_the_floor_is_refused_by_the_solver(sandbox: Sandbox) -> None:
    folder = sandbox.folder / "files"
    folder.mkdir()
    (folder / "file.txt").write_text("x\n")
    some = {"build": "0", "files": str(folder), "run_exports": {}, "depends": []}
    below, floor = ({**some, "name": "python", "version": v} for v in ("3.9.1", "3.10.1"))
    ours = {**some, "name": FACTS.release.name, "version": "1", "depends": ["python >=3.10"]}
    channel = sandbox.folder / "channel"
    sandbox.ask("pack", "pack", out=str(channel), packages=[below, floor, ours], platform=PLATFORM)
    sandbox.ask("index", "index", channel=str(channel))
    asked = {"channels": [channel.as_uri()], "prefix": str(sandbox.folder / "new")}
    specs = [FACTS.release.name, "python 3.9.*"]
    with pytest.raises(GateError, match=r"python.*see logs/below\.log") as caught:
        sandbox.ask("install", "below", specs=specs, **asked)
    assert "\n" not in str(caught.value)
    assert not (sandbox.folder / "new").exists()
    found = sandbox.ask("install", "floor", specs=[FACTS.release.name, "python 3.10.*"], **asked)
    assert found == [f"{FACTS.release.name} 1 0", "python 3.10.1 0"]


# -- the whole session -----------------------------------------------------------------------------


def broken(checkout: Checkout, monkeypatch: pytest.MonkeyPatch, how: str) -> list[str]:
    """Break one thing, and return the options of the session."""
    if how == "digest":
        checkout.sdist.write_bytes(b"another archive")
    elif how == "two formats":
        folder = checkout.root / "conda-forge" / "recipes" / "mars-earth"
        (folder / "meta.yaml").write_text("package: {}\n")
    elif how == "a tool leaks":
        leaking = (*conda_sandbox._COMMANDS, "python3")
        monkeypatch.setattr(conda_sandbox, "_COMMANDS", leaking)
    elif how == "old python":
        pins = checkout.root / "pins.yaml"
        shutil.copyfile(checkout.root / "packaging/conda-forge/variants.yaml", pins)
        checkout.replace("pins.yaml", '"3.10"', '"3.9"')
        return ["--channel", "file:///nowhere", "--variants", str(pins)]
    return []


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("digest", "source-has-the-digest: the recipe has sha256"),
        ("two formats", "recipe-keeps-the-rules: .*meta.yaml lies beside recipe.yaml"),
        ("a tool leaks", "nothing-of-the-machine-leaks: .*python3 of this machine can be reached"),
        ("old python", "channel-is-there: pins.yaml: Python 3.9 is below the floor 3.10"),
    ],
)
def test_bad_input_is_one_line_and_status_1(
    checkout: Checkout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: str,
    said: str,
) -> None:
    options = broken(checkout, monkeypatch, how)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(checkout.root)
    assert smoke_session.main(options) == 1
    printed = "".join(capsys.readouterr().err.splitlines())
    assert re.search(f"fail  {said}", printed), printed
    assert "Traceback" not in printed
    assert f"logs {smoke_session.LOGS}" in printed
    assert packages(checkout.root / "build") == []

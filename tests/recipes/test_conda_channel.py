"""A channel that is asked for has to show what it holds; rattler reads real channels on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hpcgate import facts
from hpcgate.evidence.ledger import load
from hpcgate.lanes import conda_forge_smoke as smoke_session
from hpcgate.lanes.conda_channel import PLATFORM, VARIANTS, given_channel
from hpcgate.lanes.conda_sandbox import Sandbox, Unavailable, open_sandbox

from .conftest import ROOT, Checkout

FACTS = facts.load(ROOT)
NEWER = ("3.13", "3.12")
NAMES = [
    *(d.names.conda for d in FACTS.dependencies.by_role("build", "run", "tool").values()),
    *("gcc_linux-64", "rust_linux-64", "sysroot_linux-64", "python-abi3", "pip"),
]


def a_channel(sandbox: Sandbox, names: list[Any], pythons: tuple[str, ...]) -> str:
    """Make a channel of empty packages, and return its address."""
    files = sandbox.folder / "files"
    files.mkdir()
    (files / "file.txt").write_text("x\n")
    some = {"build": "0", "files": str(files), "run_exports": {}, "depends": []}
    packages = [{**some, "name": name, "version": "1.0"} for name in names]
    packages += [{**some, "name": "python", "version": version} for version in pythons]
    channel = sandbox.folder / "channel"
    sandbox.ask("pack", "pack", out=str(channel), packages=packages, platform=PLATFORM)
    sandbox.ask("index", "index", channel=str(channel))
    return channel.as_uri()


@pytest.mark.parametrize(
    ("names", "pythons", "lacks"),
    [
        (NAMES, ("3.10.4", "3.12.1", "3.11.2"), ""),
        (NAMES, ("3.12.1",), r"has no Python 3\.10, or none of 3\.13, 3\.12"),
        (NAMES, ("3.10.4",), r"has no Python 3\.10, or none of 3\.13, 3\.12"),
        (
            [n for n in NAMES if n != "abi3audit"],
            ("3.10.4", "3.12.1"),
            "has no abi3audit; see logs",
        ),
    ],
)
def test_a_channel_shows_what_it_holds(
    tmp_path: Path, names: list[Any], pythons: tuple[str, ...], lacks: str
) -> None:
    with open_sandbox(tmp_path, Path("logs")) as sandbox:
        uri = a_channel(sandbox, names, pythons)
        asked = (uri, ROOT / VARIANTS, NEWER, FACTS, sandbox)
        if lacks:
            with pytest.raises(Unavailable, match=lacks):
                given_channel(*asked)
            return
        channel = given_channel(*asked)
    assert (channel.uri, channel.minors) == (uri, ("3.10", "3.12"))
    assert channel.described == {"channel": "the channel on disk, with the pins of variants.yaml"}
    assert channel.variants("3.10")["c_stdlib_version"] == ["2.17"]
    assert channel.variants("3.10")["is_python_min"] == [True]


def test_a_channel_that_cannot_be_reached_is_unavailable(checkout: Checkout) -> None:
    nowhere = (checkout.root / "nowhere").as_uri()
    assert smoke_session.run(checkout.root, checkout.sdist, channel=nowhere) == "unavailable"
    (record,) = load(checkout.root)
    assert record.reason.startswith("the channel on disk cannot be read: ")
    assert str(checkout.root) not in record.reason
    assert "see build/logs/smoke-conda-forge/channel.log" in record.reason
    assert "source-has-the-digest" in record.run.passed


def test_the_pins_are_those_of_the_recipe_tests() -> None:
    pins = facts.read_yaml(ROOT / VARIANTS)
    assert pins["python_min"] == [str(FACTS.release.floors.python)]
    assert pins["python"] == [f"{FACTS.release.floors.python}.* *_cpython"]

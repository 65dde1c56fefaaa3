"""The doctor: a tool is here with a version, or is named with the command that installs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from hpcgate import doctor
from hpcgate.doctor import Tool
from hpcgate.errors import GateError
from hpcgate.facts import read_yaml
from hpcgate.repo import find_root

ROOT = find_root(Path(__file__).parent)
FACTS = """\
tools:
  python3: {version: [python3, --version], install: apt-get install python3, used_by: [x]}
  nothing: {version: [no-such-tool, -v], install: apt-get install nothing, used_by: [x]}
  old: {version: [python3, --version], minimum: "99.0", install: wait, used_by: [x]}
  broken: {version: [python3, -c, "raise SystemExit(3)"], install: mend it, used_by: [x]}
  mute: {version: [python3, -c, "print('hello')"], install: mend it, used_by: [x]}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "packaging").mkdir()
    (tmp_path / "packaging/tools.yaml").write_text(FACTS)
    return tmp_path


def test_a_tool_that_is_here_tells_its_version(root: Path) -> None:
    assert doctor.require("python3", root).startswith("3.")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", r"^nothing is not installed; run: apt-get install nothing$"),
        ("old", r"^old 3\.\S+ is not usable: older than 99\.0; run: wait$"),
        ("broken", r"^broken is not installed; run: mend it$"),
        ("mute", r"^mute is not usable: tells no version; run: mend it$"),
        ("pyton3", r"has no tool 'pyton3'"),
    ],
)
def test_a_tool_that_cannot_be_used_is_one_line_with_the_command(
    root: Path, name: str, message: str
) -> None:
    with pytest.raises(GateError, match=message) as caught:
        doctor.require(name, root)
    assert "\n" not in str(caught.value)


def test_a_tool_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SECONDS", 0.2)
    slow = Tool(version=("sleep", "60"), install="-", used_by=("x",))
    assert doctor.probe(slow).problem == "does not run: TimeoutExpired"


def test_the_table_shows_versions_and_commands(root: Path) -> None:
    console = Console(width=100, color_system=None)
    with console.capture() as capture:
        console.print(doctor.table(root))
    lines = {line.split()[0]: line for line in capture.get().splitlines() if line.strip()}
    assert "missing" in lines["nothing"]
    assert "apt-get install nothing" in lines["nothing"]
    assert "apt-get" not in lines["python3"]
    assert max(map(len, lines.values())) <= 100


def test_every_tool_has_a_command_that_installs_it() -> None:
    for name, tool in read_yaml(ROOT / "packaging/tools.yaml")["tools"].items():
        assert Tool(**tool).install, name


def test_a_misspelt_key_names_the_right_one(root: Path) -> None:
    path = root / "packaging/tools.yaml"
    path.write_text(path.read_text().replace("used_by", "usedby"))
    with pytest.raises(GateError, match="did you mean `used_by`"):
        doctor.table(root)

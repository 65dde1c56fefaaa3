"""A room without walls for what happens in clean rooms, and programs that a test writes."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from hpcgate import cleanroom
from hpcgate.cleanroom.roots import Root
from hpcgate.cleanroom.view import View
from hpcgate.repo import find_root

CHECKOUT = find_root(Path(__file__))
# What every root of ours holds, as far as the tests use it.
BASE = ("sh", "env", "cat", "cp", "id", "mkdir", "mv", "rm", "sleep", "touch", "chmod")
# Replaces every path of the room by that of this machine, in words and variables, and becomes the
# command.
TRANSLATE = r"""
import json, os, re, sys
places = json.loads(sys.argv[1])
guests = "|".join(sorted(map(re.escape, places), key=len, reverse=True))
pattern = re.compile(rf"(?:(?<=file://)|(?<![\w./-]))({guests})(?![\w-])")
def here(text):
    return pattern.sub(lambda found: places[found[1]], text)
words = [here(word) for word in sys.argv[2:]]
os.environ.update({k: here(v) for k, v in os.environ.items() if k not in ("PATH", "PYTHONPATH")})
os.chdir(places["/work"])
os.execvp(words[0], words)
"""

# Makes an environment; pip says what it says in a good run, python runs the smoke script.
PYTHON = r"""
for folder; do :; done
mkdir -p "$folder/bin"
printf '#!/bin/sh\nexit ${PIP:-0}\n' > "$folder/bin/pip"
cat > "$folder/bin/python" <<'END'
#!/bin/sh
AT_ONCE
case "$*" in *smoke.py) echo 'REPORT';; esac
END
chmod +x "$folder/bin/pip" "$folder/bin/python"
"""


class Here:
    """An engine that starts a room's commands on this machine, with a PATH of its own."""

    name, version = "here", "here 1"

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self.networks: list[bool] = []
        self.variables: dict[str, str] = {}
        self.cut: tuple[str, ...] = ()  # words that cut the network, where a test asks for that

    def program(self, name: str, script: str) -> Path:
        """Let a shell script be a program in the room."""
        (self._programs / name).unlink(missing_ok=True)
        (self._programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (self._programs / name).chmod(0o755)
        return self._programs / name

    def python(self, report: str, *, at_once: str = "") -> None:
        """Let environments be made in the room, whose smoke script reports this."""
        self.program("python3", PYTHON.replace("REPORT", report).replace("AT_ONCE", at_once))

    def command(self, name: str, view: View, private: Path) -> list[str]:
        self.networks.append(view.network)
        places = {guest: str(host) for host, guest, _ in view.binds}
        cut = [] if view.network else self.cut
        return [*cut, sys.executable, "-I", "-S", "-c", TRANSLATE, json.dumps(places)]

    def environment(self, view: View) -> Mapping[str, str]:
        return {**view.environment, **self.variables, "PATH": str(self._programs)}

    def stop(self, name: str) -> None:
        pass


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    """Open every room of this test over no root, with the programs that the test writes."""
    programs = tmp_path / "programs-of-the-room"
    programs.mkdir()
    for name in BASE:
        (programs / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    engine = Here(programs)
    monkeypatch.setenv("PIP_INDEX_URL", "index:/simple")  # else pip is asked, which takes its time
    root = Root(tmp_path / "no-root", "test sha256:0", ("python3 3.11 amd64",))
    monkeypatch.setattr(cleanroom, "installed", lambda name: ["here"])
    monkeypatch.setattr(cleanroom, "make_root", lambda name, image, where: root)
    monkeypatch.setattr(cleanroom, "choose", lambda names, made: engine)
    return engine


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """Write a program that stands in front of those of this machine."""
    folder = tmp_path / "scripts"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder), prepend=":")

    def write(name: str, text: str) -> Path:
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)
        return folder / name

    return write


@pytest.fixture
def definitions(tmp_path: Path) -> Path:
    """A checkout that holds the committed definitions of rooms, and nothing else."""
    root = tmp_path / "with-definitions"
    (root / "containers").mkdir(parents=True)
    for path in (CHECKOUT / "containers").glob("*.yaml"):
        shutil.copyfile(path, root / "containers" / path.name)
    return root

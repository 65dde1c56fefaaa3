# Language policy: EXEMPT from the Rust-path rule. Asks tools for their version.
"""Which tools the sessions need, which are here, and the command that installs the others."""

from __future__ import annotations

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from packaging.version import Version
from pydantic import Field
from rich import box
from rich.table import Table
from rich.text import Text

from hpcgate.errors import GateError
from hpcgate.facts import FactModel, load_model
from hpcgate.repo import find_root

__all__ = ["Found", "Tool", "probe", "require", "table", "versions"]

TOOLS = "packaging/tools.yaml"
SECONDS = 20


class Tool(FactModel):
    """How one tool tells its version, and how it is installed."""

    version: Annotated[tuple[str, ...], Field(min_length=1)]
    minimum: Annotated[str, Field(pattern=r"^\d+(\.\d+)*$")] | None = None
    install: Annotated[str, Field(min_length=1)]
    used_by: Annotated[tuple[str, ...], Field(min_length=1)]


class _Tools(FactModel):
    tools: dict[str, Tool]


@dataclass(frozen=True, slots=True)
class Found:
    """What a probe saw: a version, or why the tool cannot be used."""

    version: str
    problem: str


def probe(tool: Tool) -> Found:
    """Ask a tool for its version.

    Examples
    --------
    >>> probe(Tool(version=("no-such-tool",), install="-", used_by=("-",))).problem
    'missing'
    """
    executable = shutil.which(tool.version[0])
    if executable is None:
        return Found("", "missing")
    try:
        done = subprocess.run(
            [executable, *tool.version[1:]],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Found("", f"does not run: {type(error).__name__}")
    seen = re.search(r"\d+(\.\d+)+", done.stdout + done.stderr)
    if done.returncode != 0 or seen is None:
        return Found("", "missing" if done.returncode else "tells no version")
    if tool.minimum and Version(seen.group()) < Version(tool.minimum):
        return Found(seen.group(), f"older than {tool.minimum}")
    return Found(seen.group(), "")


def require(name: str, root: Path | None = None) -> str:
    """Return the version of a tool, or raise one line that names the command that installs it.

    Parameters
    ----------
    name : str
        A name in `packaging/tools.yaml`.

    Raises
    ------
    GateError
        If the tool is missing, too old or does not run.

    Examples
    --------
    >>> require("python3")  # doctest: +SKIP
    '3.11.2'
    """
    tools = _tools(root or find_root())
    if name not in tools:
        raise GateError(f"{TOOLS} has no tool {name!r}", hint=f"known: {', '.join(tools)}")
    found = probe(tools[name])
    if found.problem:
        seen = f"{name} {found.version}".strip()
        raise GateError(f"{seen} is {_phrase(found.problem)}", hint=f"run: {tools[name].install}")
    return found.version


def versions(root: Path, session: str) -> dict[str, str]:
    """Return the version of every tool here that a session uses, for its record.

    Examples
    --------
    >>> versions(find_root(), "build")["python3"].startswith("3.")
    True
    """
    words = ("every session", session)
    used = {
        name: tool
        for name, tool in _tools(root).items()
        if any(by.partition(" (")[0] in words for by in tool.used_by)
    }
    with ThreadPoolExecutor(max_workers=8) as pool:
        seen = zip(used, pool.map(probe, used.values()), strict=True)
        return {name: found.version for name, found in seen if found.version}


def table(root: Path) -> Table:
    """Return every tool with its version, or with the command that installs it."""
    tools = _tools(root)
    with ThreadPoolExecutor(max_workers=8) as pool:
        seen = list(pool.map(probe, tools.values()))
    grid = Table(box=box.SIMPLE_HEAD, width=100, pad_edge=False, header_style="bold")
    grid.add_column("Tool", no_wrap=True)
    grid.add_column("Version", no_wrap=True)
    grid.add_column("Install with", ratio=1)
    grid.add_column("Used by", ratio=1)
    for (name, tool), found in zip(tools.items(), seen, strict=True):
        version = f"{found.version} ({found.problem})" if found.problem else found.version
        grid.add_row(
            name,
            Text(version if found.version else found.problem),
            Text(tool.install if found.problem else ""),
            Text(", ".join(tool.used_by)),
        )
    return grid


def _tools(root: Path) -> dict[str, Tool]:
    return load_model(_Tools, root, TOOLS).tools


def _phrase(problem: str) -> str:
    return "not installed" if problem == "missing" else f"not usable: {problem}"

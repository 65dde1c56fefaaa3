"""Programs that use the C library (H2, not claimed), and how they are run."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "c"
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-pedantic"]


def need(*tools: str) -> None:
    """Skip, with the name, where a tool is missing."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed; nox -s doctor names the command")


def run(command: list[str], **options: object) -> str:
    """Run a program and return what it prints; it must end well."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def flags_of(prefix: Path, *options: str) -> list[str]:
    """Ask pkg-config for the flags of the installed library."""
    where = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib" / "pkgconfig")}
    return run(["pkg-config", *options, "mars_earth"], env=where).split()

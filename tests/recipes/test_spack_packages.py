"""Spack: what can be known about a package file without Spack."""

from __future__ import annotations

import ast
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from hpcgate.errors import GateError
from hpcgate.facts import load
from hpcgate.lanes.spack import spack_range
from hpcgate.lanes.spack_lint import read_package

from .conftest import ROOT, Checkout


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        (">=1.8,<2", "@1.8:1"),
        (">=1.23", "@1.23:"),
        ("<2", "@:1"),
        (">=1,<2", "@1"),
        ("<2.0.0", "@:1"),
        (">=0.2,<0.10", "@0.2:0.9"),
        ("~=1.4.2", "@1.4.2:1.4"),
        ("==1.4.*", "@1.4"),
        ("==1.4.2", "@=1.4.2"),
        ("", ""),
    ],
)
def test_bounds_become_inclusive_ranges(bounds: str, expected: str) -> None:
    assert spack_range(SpecifierSet(bounds)) == expected


@pytest.mark.parametrize("bounds", ["!=1.5", "<=2", ">1", "<0", "<2rc1", "===1"])
def test_bounds_that_spack_cannot_say_are_refused(bounds: str) -> None:
    with pytest.raises(GateError, match="Spack has no range for"):
        spack_range(SpecifierSet(bounds))


def need(tool: str) -> None:
    """Fail, rather than skip, where a tool is missing."""
    if importlib.util.find_spec(tool) is None:
        pytest.fail(f"{tool} is missing; run: pip install {tool}")


def packages(checkout: Checkout) -> list[Path]:
    return sorted(checkout.root.glob("spack/**/package.py"))


def test_the_files_run_on_the_oldest_python_that_spack_supports(checkout: Checkout) -> None:
    need("vermin")
    program = "from vermin import main; main()"
    command = [sys.executable, "-c", program, "-t=3.6-", "--violations", "--no-tips"]
    library = packages(checkout)[1]
    done = subprocess.run([*command, str(library)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    library.write_text(library.read_text() + "\nif (newer := True):\n    pass\n")
    assert subprocess.run([*command, str(library)], capture_output=True).returncode == 1


def test_the_files_are_formatted_as_spack_wants(checkout: Checkout) -> None:
    need("ruff")
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--check", "--line-length=99"]
    done = subprocess.run([*command, *map(str, packages(checkout))], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_bundle_forwards_version_and_variants(checkout: Checkout) -> None:
    bundle, library = (read_package(path.read_text()) for path in packages(checkout))
    extras = load(ROOT).dependencies.extras
    assert [d.arguments for d in bundle.calls("variant")] == [(name,) for name in extras]
    assert [d.arguments for d in library.calls("variant")] == [(name,) for name in extras]
    assert {(d.arguments[0], d.keywords["when"]) for d in bundle.calls("depends_on")} == {
        ("py-mars-earth@2.0.0", "@2.0.0"),
        *((f"py-mars-earth{sign}{name}", f"{sign}{name}") for name in extras for sign in "+~"),
    }


def test_the_catalogue_finds_the_tests_by_text(checkout: Checkout) -> None:
    for path in packages(checkout):
        assert "def test_" in path.read_text()


def test_the_code_that_the_test_runs_is_python(checkout: Checkout) -> None:
    _, library = packages(checkout)
    tree = ast.parse(library.read_text())
    codes = [
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and getattr(node.targets[0], "id", "") == "code"
    ]
    assert len(codes) == 2
    for code in codes:
        compile(code, "test", "exec")

# Language policy: EXEMPT from the Rust-path rule. Reads recipe YAML; no computation.
"""Rules of conda-forge's staged-recipes that can be checked without conda."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpcgate.errors import GateError
from hpcgate.facts import read_yaml
from hpcgate.lanes.base import Problem, is_sha256, is_spdx
from hpcgate.repo import read_text

__all__ = ["lint", "read_recipes", "specs"]

ORDER = (
    "schema_version",
    "context",
    "package",
    "source",
    "build",
    "requirements",
    "tests",
    "about",
    "extra",
)
REQUIREMENTS = ["build", "host", "run", "run_constraints"]
# A name, then what is wanted of it, then a build: three fields at most, one space between them.
SPEC = re.compile(r"[a-z0-9_.-]+( [^ ]*[^ =<>!~,])?( [^ ]+)?")
# The global pinning sets these; a recipe that sets them too is refused.
PINNED = ("python_min", "is_abi3", "is_python_min", "SP_DIR")
COMPILER_C, COMPILER_RUST = "${{ compiler('c') }}", "${{ compiler('rust') }}"


def lint(root: Path) -> list[Problem]:
    """Return the problems of every derived recipe."""
    problems = []
    folders = sorted(path for path in (root / "conda-forge" / "recipes").glob("*") if path.is_dir())
    if not folders:
        problems.append(Problem("conda-forge", "present", "no recipe"))
    for folder in folders:
        path = folder / "recipe.yaml"
        file = path.relative_to(root).as_posix()
        if (folder / "meta.yaml").exists():
            problems.append(Problem(file, "one-format", "meta.yaml lies beside recipe.yaml"))
        try:
            recipe = read_yaml(path)
            found = [Problem(file, rule, text) for rule, text in _broken(recipe, folder.name)]
        except GateError as error:
            problems.append(Problem(file, "syntax", error.message))
            continue
        except (AttributeError, TypeError) as error:
            problems.append(Problem(file, "shape", f"a section has the wrong type: {error}"))
            continue
        text = read_text(path)
        if re.search(r"\$\{\{(?! \S)|(?<!\S )\}\}", text):
            found.append(Problem(file, "jinja", "write ${{ name }}, with one space on either side"))
        if not text.endswith("\n") or text.endswith("\n\n"):
            found.append(Problem(file, "newline", "the file ends with exactly one newline"))
        problems += found
    return problems


def read_recipes(root: Path) -> dict[str, dict[str, Any]]:
    """Return every derived recipe that is valid YAML, by path."""
    found = {}
    for path in sorted((root / "conda-forge" / "recipes").glob("*/recipe.yaml")):
        try:
            found[path.relative_to(root).as_posix()] = read_yaml(path)
        except GateError:  # `lint` reports it
            continue
    return found


def specs(entries: object) -> list[str]:
    """Return the specs of a requirements list, with both branches of every selector.

    Examples
    --------
    >>> specs(["pip", {"if": "is_abi3", "then": ["python-abi3"], "else": "python"}])
    ['pip', 'python-abi3', 'python']
    """
    if isinstance(entries, list):
        return [spec for entry in entries for spec in specs(entry)]
    if isinstance(entries, dict):
        return [spec for branch in ("then", "else") for spec in specs(entries.get(branch, []))]
    return [str(entries)]


def _broken(recipe: dict[str, Any], folder: str) -> Iterator[tuple[str, str]]:
    """Yield the rule and the message of every broken rule."""
    if list(recipe) != list(ORDER):
        yield "order", f"the sections are {', '.join(ORDER)}"
        if missing := [section for section in ORDER if section not in recipe]:
            yield "sections", f"missing: {', '.join(missing)}"
            return
    if recipe["schema_version"] != 1:
        yield "schema", "schema_version is 1"
    if recipe["package"].get("name") != folder or not re.fullmatch(r"[a-z0-9_.-]+", folder):
        yield "name", f"the package is called {folder}, like its folder, in small letters"
    if not isinstance(recipe["context"].get("version"), str):
        yield "version", "context.version is a text, in quotes"
    for name in PINNED:
        if name in recipe["context"]:
            yield "pinned", f"{name} comes from the global pinning"
    source = recipe["source"]
    if not is_sha256(source.get("sha256")):
        yield "sha256", "the source has no true sha256"
    if "git" in source or not str(source.get("url", "")).startswith("https://"):
        yield "source", "the source is an archive at an https address"
    if str(source.get("url", "")).endswith(".whl"):
        yield "source", "a compiled wheel is not a source"
    if str(source.get("url", "")).startswith("https://pypi.io"):
        yield "source", "pypi.io is no address for sources any more"
    yield from _broken_build(recipe["build"], recipe["requirements"])
    yield from _broken_requirements(recipe["requirements"])
    yield from _broken_tests(recipe["tests"])
    yield from _broken_command(folder, recipe["build"], recipe["tests"])
    yield from _broken_about(recipe["about"], recipe["extra"])


def _broken_build(build: dict[str, Any], requirements: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the build and its requirements."""
    if build.get("number") != 0:
        yield "number", "a new recipe has build number 0"
    wanted = specs(requirements.get("build", []))
    if any("compiler(" in spec for spec in wanted) and "${{ stdlib('c') }}" not in wanted:
        yield "stdlib", "a compiler needs ${{ stdlib('c') }} beside it"
    if COMPILER_RUST not in wanted:
        yield "compiler", f"build needs {COMPILER_RUST}, written with single quotes"
    elif COMPILER_C not in wanted:
        yield "compiler", f"rustc links with the C compiler, so build needs {COMPILER_C}"
    if "cargo-bundle-licenses" not in wanted:
        yield "licences", "a Rust package needs cargo-bundle-licenses"
    if "noarch" in build:
        yield "noarch", "a package with a compiled module is not noarch"


def _broken_requirements(requirements: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the lists of requirements, and with single specs."""
    if list(requirements) != REQUIREMENTS:
        yield "requirements-order", f"the requirements are {', '.join(REQUIREMENTS)}"
    host, run = (specs(requirements.get(key, [])) for key in ("host", "run"))
    for name in ("python", "pip", "maturin"):
        if name not in [spec.split()[0] for spec in host]:
            yield "host", f"{name} is missing from host"
    if "python" not in [spec.split()[0] for spec in run]:
        yield "run-python", "what is built with python runs with python"
    for spec in host + run + specs(requirements.get("run_constraints", [])):
        if spec.startswith("python ") or spec.startswith(("python>", "python<", "python=")):
            yield "python", f"`{spec}`: python has no bounds in a compiled package"
        elif not SPEC.fullmatch(spec):
            yield "spec", f"`{spec}` is not a name, a space, and bounds without a space"
    if "ignore_run_exports" in requirements:
        yield "run-exports", "ignore_run_exports is no longer wanted"


def _broken_tests(tests: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield what the tests lack."""
    python: dict[str, Any] = next((test["python"] for test in tests if "python" in test), {})
    if not python.get("imports"):
        yield "imports", "no import test"
    if python.get("pip_check") is not True:
        yield "pip-check", "the Python test runs pip check"
    versions = specs(python.get("python_version", []))
    if versions != ["${{ python_min }}.*", "*"]:
        yield "python-version", "test on ${{ python_min }}.* (when abi3) and on *"
    scripts = [line for test in tests for line in specs(_branch(test, "script"))]
    if not any(line.startswith("pytest ") for line in scripts):
        yield "pytest", "the package carries tests for pytest"
    if not any("abi3audit" in line and "--assume-minimum-abi3" in line for line in scripts):
        yield "abi3audit", "the extension module of an abi3 package is audited"


def _broken_command(
    name: str, build: dict[str, Any], tests: list[dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the command of the package."""
    commands = (build.get("python") or {}).get("entry_points") or []
    if not any(str(command).startswith(f"{name} = ") for command in commands):
        # The wheel's own script names the Python of the build; an abi3 package serves others too.
        yield "command", f"python.entry_points of an abi3 package has the command {name}"
    scripts = [line for test in tests for line in specs(_branch(test, "script"))]
    if not any(line.startswith(f"{name} ") for line in scripts):
        yield "command-test", f"no test runs the command {name}"


def _broken_about(about: dict[str, Any], extra: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the description."""
    if not is_spdx(about.get("license")):
        yield "licence", f"{about.get('license')!r} is not an SPDX expression"
    if not {"LICENSE", "THIRDPARTY.yml"} <= set(about.get("license_file") or []):
        yield "license-file", "LICENSE and THIRDPARTY.yml are packaged"
    for key in ("homepage", "summary"):
        if not about.get(key):
            yield "about", f"{key} is missing"
    maintainers = extra.get("recipe-maintainers")
    if not maintainers or not isinstance(maintainers, list):
        yield "maintainers", "a list of people maintains the recipe"
    elif strange := [m for m in maintainers if "/" in m and not m.startswith("conda-forge/")]:
        yield "maintainers", f"{strange[0]} is not a team of conda-forge"


def _branch(test: dict[str, Any], key: str) -> object:
    """Return a key of a test, also when the test stands behind a selector."""
    inner = test.get("then", test)
    return inner.get(key, [])

# Language policy: EXEMPT from the Rust-path rule. Reads YAML; no computation.
"""Rules for the two files beside the recipe: the feedstock's settings, conda-build's recipe."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpcgate.errors import GateError
from hpcgate.facts import read_yaml
from hpcgate.lanes.base import Problem
from hpcgate.lanes.conda_forge_lint import read_recipes, specs

__all__ = ["lint"]

SETTINGS = "conda-forge/conda-forge.yml"
CONDA_BUILD = "conda-forge/conda-build/meta.yaml"
PLATFORMS = {
    *("linux_64", "linux_aarch64", "linux_ppc64le", "osx_64", "osx_arm64", "win_64", "win_arm64")
}


def lint(root: Path) -> list[Problem]:
    """Return the problems of both files; a checkout without recipes has neither."""
    recipes = read_recipes(root)
    if not recipes:
        return []
    problems = []
    for file, check in ((SETTINGS, _settings), (CONDA_BUILD, _conda_build)):
        try:
            problems += [Problem(file, *found) for found in check(root / file, *recipes.values())]
        except GateError as error:
            problems.append(Problem(file, "syntax", error.message))
        except (AttributeError, KeyError, TypeError) as error:
            problems.append(Problem(file, "shape", f"a section is missing or misshapen: {error}"))
    return problems


def _settings(path: Path, recipe: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with conda-forge.yml, by the schema of conda-smithy 2026.8."""
    settings = read_yaml(path)
    used = {"conda_build_tool", "build_platform", "test"}
    if unknown := sorted(set(settings) - used):
        yield "settings", f"{', '.join(unknown)}: the lane sets {', '.join(sorted(used))} only"
    if settings.get("conda_build_tool") != "rattler-build":
        yield "settings", "a recipe.yaml needs conda_build_tool: rattler-build"
    if settings.get("test") not in ("native", "native_and_emulated"):
        yield "settings", "test is native or native_and_emulated"
    for target, build in settings["build_platform"].items():
        if not {target, build} <= PLATFORMS:
            yield "settings", f"build_platform: {target}: {build} are not two platforms"
        # A platform that is built on another one needs the recipe's branch for it.
        elif target != build and "cross-python" not in str(recipe["requirements"]["build"]):
            yield "cross", f"{target} is built on {build}, and the recipe has no cross-python"


def _conda_build(path: Path, recipe: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield where conda-build's recipe differs from the one that conda-forge gets."""
    old = read_yaml(path)
    version = recipe["context"]["version"]
    requirements, about = recipe["requirements"], recipe["about"]
    for key, said, expected in (
        ("name", old["package"]["name"], recipe["package"]["name"]),
        ("version", old["package"]["version"], version),
        ("url", old["source"]["url"], recipe["source"]["url"].replace("${{ version }}", version)),
        ("sha256", old["source"]["sha256"], recipe["source"]["sha256"]),
        ("number", old["build"]["number"], recipe["build"]["number"]),
        ("host", old["requirements"]["host"], _without_abi3(requirements["host"])),
        ("run", old["requirements"]["run"], requirements["run"]),
        ("conflicts", old["requirements"]["run_constrained"], requirements["run_constraints"]),
        ("imports", old["test"]["imports"], recipe["tests"][0]["python"]["imports"]),
        *((key, old["about"][key], about[key]) for key in ("summary", "license", "license_file")),
        ("maintainers", old["extra"]["recipe-maintainers"], recipe["extra"]["recipe-maintainers"]),
    ):
        if said != expected:
            yield "conda-build", f"{key} is {said!r}, recipe.yaml has {expected!r}"


def _without_abi3(host: object) -> list[str]:
    return [spec for spec in specs(host) if spec != "python-abi3"]

# Language policy: EXEMPT from the Rust-path rule. Writes recipes from facts; no computation.
"""The conda-forge lane: one recipe in the v1 format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from packaging.specifiers import SpecifierSet
from pydantic import Field

from hpcgate.errors import GateError
from hpcgate.facts import Dependency, FactModel, Facts, bounds_text, load_model
from hpcgate.lanes import conda_forge_lint
from hpcgate.lanes.base import Problem, render_template

__all__ = ["CondaForgeLane", "conda_range"]


class CondaForgeFacts(FactModel):
    """Hold `packaging/conda-forge/facts.yaml`."""

    extension: Annotated[str, Field(pattern=r"^[a-z_/]+$")]


class CondaForgeLane:
    """Render and check the recipe."""

    name = "conda-forge"
    rooms = ("conda-forge/",)

    def render(self, facts: Facts, root: Path) -> dict[str, str]:
        """Return the recipe."""
        lane = load_model(CondaForgeFacts, root, "packaging/conda-forge/facts.yaml")
        release, known = facts.release, facts.dependencies
        text = render_template(
            root,
            "packaging/conda-forge/recipe.yaml.j2",
            lane=lane,
            release=release,
            url=release.source.url.replace("{version}", "${{ version }}"),
            build=[_spec(d) for d in known.by_role("build").values()],
            run=[_spec(d) for d in known.by_role("run").values()],
        )
        return {f"conda-forge/recipes/{release.name}/recipe.yaml": text}

    def lint(self, root: Path) -> list[Problem]:
        """Return the rules of staged-recipes that the committed recipe breaks."""
        return conda_forge_lint.lint(root)


def conda_range(bounds: SpecifierSet) -> str:
    """Say version bounds in conda's words.

    Raises
    ------
    GateError
        If conda cannot say the same.

    Examples
    --------
    >>> conda_range(SpecifierSet("<2,>=1.8"))
    '>=1.8,<2'
    """
    for part in bounds:
        if part.operator == "===":
            raise GateError(f"conda has no range for {part}", hint="use ==")
    return bounds_text(bounds)


def _spec(dependency: Dependency) -> str:
    """Return the conda spec of a dependency, which has to have a conda name."""
    if dependency.names.conda is None:
        raise GateError(
            f"packaging/dependencies.yaml: a {dependency.role} dependency has no conda name",
            hint="add names.conda",
        )
    return f"{dependency.names.conda} {conda_range(dependency.bounds)}".rstrip()

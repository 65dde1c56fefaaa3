# Language policy: EXEMPT from the Rust-path rule. Writes recipes from facts; no computation.
"""The conda-forge lane: a recipe, the settings of its feedstock, and a recipe for conda-build."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from packaging.specifiers import SpecifierSet
from pydantic import Field

from hpcgate.errors import GateError
from hpcgate.facts import Dependency, FactModel, Facts, bounds_text, load_model
from hpcgate.lanes import conda_forge_lint, conda_settings_lint
from hpcgate.lanes.base import Problem, render_template

__all__ = ["CondaForgeLane", "conda_range"]


# As conda-forge.yml spells them.
_Platform = Annotated[str, Field(pattern=r"^(linux|osx|win)_(64|aarch64|arm64|ppc64le)$")]


class CondaForgeFacts(FactModel):
    """Hold `packaging/conda-forge/facts.yaml`."""

    extension: Annotated[str, Field(pattern=r"^[a-z_/]+$")]
    conflicts: dict[Annotated[str, Field(pattern=r"^[a-z0-9_.-]+$")], str]
    build_platform: dict[_Platform, _Platform]


class CondaForgeLane:
    """Render and check the recipe."""

    name = "conda-forge"
    rooms = ("conda-forge/",)

    def render(self, facts: Facts, root: Path) -> dict[str, str]:
        """Return the recipe, the settings of the feedstock, and the recipe for conda-build.

        conda-build's lies in a folder of its own: conda-forge refuses two formats side by side.
        """
        lane = load_model(CondaForgeFacts, root, "packaging/conda-forge/facts.yaml")
        release, known = facts.release, facts.dependencies

        def fill(template: str, version: str = "") -> str:
            return render_template(
                root,
                f"packaging/conda-forge/{template}.j2",
                lane=lane,
                release=release,
                url=release.source.url.replace("{version}", version),
                build=[_spec(d) for d in known.by_role("build").values()],
                run=[_spec(d) for d in known.by_role("run").values()],
            )

        folder = f"conda-forge/recipes/{release.name}"
        return {
            f"{folder}/recipe.yaml": fill("recipe.yaml", "${{ version }}"),
            f"{folder}/test_installed.py": fill("test_installed.py"),
            "conda-forge/conda-forge.yml": fill("conda-forge.yml"),
            "conda-forge/conda-build/meta.yaml": fill("meta.yaml", str(release.version)),
        }

    def upstream(self, facts: Facts, root: Path) -> dict[str, str]:
        """Return the folder that staged-recipes takes; it moves the settings to the feedstock."""
        folder = f"recipes/{facts.release.name}"
        ours = self.render(facts, root)
        ours.pop("conda-forge/conda-build/meta.yaml")
        # There nothing is generated: the first line, which says so, stays here.
        return {
            f"{folder}/{Path(path).name}": text.partition("\n")[2] for path, text in ours.items()
        }

    def lint(self, root: Path) -> list[Problem]:
        """Return the rules of conda-forge that the committed files break."""
        return [*conda_forge_lint.lint(root), *conda_settings_lint.lint(root)]


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

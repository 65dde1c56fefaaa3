# Language policy: EXEMPT from the Rust-path rule. Writes recipes from facts; no computation.
"""The Spack lane: a repository with the library and a bundle of the project's own name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from packaging.specifiers import Specifier, SpecifierSet
from packaging.version import Version
from pydantic import Field

from hpcgate.errors import GateError
from hpcgate.facts import Dependency, FactModel, Facts, Licence, load_model
from hpcgate.lanes import spack_lint
from hpcgate.lanes.base import Problem, render_template

__all__ = ["FACTS", "Pin", "SpackFacts", "SpackLane", "spack_range"]

FACTS = "packaging/spack/facts.yaml"
LIBRARY = "py_mars_earth.py.j2"


class Pin(FactModel):
    """Name one commit of one git repository."""

    repository: Annotated[str, Field(pattern=r"^https://\S+\.git$")]
    commit: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")]


class SpackFacts(FactModel):
    """Hold `packaging/spack/facts.yaml`."""

    namespace: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    api: Annotated[str, Field(pattern=r"^v\d+\.\d+$")]
    recipe_licence: Licence
    builtin_copyright: Annotated[str, Field(min_length=1)]
    spack: Pin
    packages: Pin


class SpackLane:
    """Render and check the Spack repository."""

    name = "spack"
    rooms = ("spack/", "spack-repo-index.yaml")

    def render(self, facts: Facts, root: Path) -> dict[str, str]:
        """Return the repository: its two package files, its description and its index."""
        values = _values(facts, root)
        home = f"spack/spack_repo/{values['lane'].namespace}"
        targets = {
            "spack-repo-index.yaml": "spack-repo-index.yaml.j2",
            f"{home}/repo.yaml": "repo.yaml.j2",
            f"{home}/packages/{_folder(values['library'])}/package.py": LIBRARY,
            f"{home}/packages/{_folder(facts.release.name)}/package.py": "mars_earth.py.j2",
        }
        return {
            path: render_template(root, f"packaging/spack/{template}", **values)
            for path, template in targets.items()
        }

    def lint(self, root: Path) -> list[Problem]:
        """Return the Spack conventions that the committed packages break."""
        return spack_lint.lint(root)

    def upstream(self, facts: Facts, root: Path) -> dict[str, str]:
        """Return the library's package file as the builtin repository wants it.

        The bundle stays in our repository, where its name is ours to give.
        """
        values = _values(facts, root)
        path = f"repos/spack_repo/builtin/packages/{_folder(values['library'])}/package.py"
        values["copyright_line"] = values["lane"].builtin_copyright
        return {path: render_template(root, f"packaging/spack/{LIBRARY}", **values)}


def _values(facts: Facts, root: Path) -> dict[str, Any]:
    """Return what the templates of the lane may name."""
    release, known = facts.release, facts.dependencies
    library = f"py-{release.name}"
    return {
        "lane": load_model(SpackFacts, root, FACTS),
        "copyright_line": "",
        "release": release,
        "library": library,
        "library_class": _class_name(library),
        "bundle_class": _class_name(release.name),
        "extras": known.extras,
        "build": [_spec(d) for d in known.by_role("build").values() if d.names.spack],
        "run": [_spec(d) for d in known.by_role("run").values()],
        "optional": [(d.extra, _spec(d)) for d in known.by_role("extra").values()],
    }


def spack_range(bounds: SpecifierSet) -> str:
    """Say version bounds in Spack's words, where both ends of a range are inclusive.

    Raises
    ------
    GateError
        If Spack cannot say the same.

    Examples
    --------
    >>> spack_range(SpecifierSet(">=1.8,<2")), spack_range(SpecifierSet(">=13"))
    ('@1.8:1', '@13:')
    """
    low, high = "", ""
    for part in bounds:
        version = part.version.removesuffix(".*")
        if part.operator == ">=":
            low = version
        elif part.operator == "<":
            high = _just_below(part)
        elif part.operator == "~=":
            low, high = version, version.rpartition(".")[0]
        elif part.operator == "==" and part.version.endswith(".*"):
            low, high = version, version
        elif part.operator == "==":
            return f"@={version}"
        else:
            raise GateError(f"Spack has no range for {part}", hint="use >=, <, ~= or ==")
    return f"@{low}:{high}" if low != high else f"@{low}" if low else ""


def _just_below(part: Specifier) -> str:
    """Return the last series below an exclusive upper bound: 1 for 2, 1.9 for 1.10."""
    bound = Version(part.version)
    numbers = list(bound.release)
    while numbers and numbers[-1] == 0:
        numbers.pop()
    if not numbers or bound.is_prerelease or bound.is_postrelease:
        raise GateError(f"Spack has no range for {part}", hint="bound by a plain version above 0")
    numbers[-1] -= 1
    return ".".join(str(number) for number in numbers)


def _spec(dependency: Dependency) -> str:
    """Return the Spack spec of a dependency, which has to have a Spack name."""
    if dependency.names.spack is None:
        raise GateError(
            f"packaging/dependencies.yaml: a {dependency.role} dependency has no Spack name",
            hint="add names.spack",
        )
    return f"{dependency.names.spack}{spack_range(dependency.bounds)}"


def _folder(package: str) -> str:
    """Return the folder of a package."""
    return package.replace("-", "_")


def _class_name(package: str) -> str:
    """Return the class name that Spack expects for a package."""
    return "".join(part.capitalize() for part in package.split("-"))

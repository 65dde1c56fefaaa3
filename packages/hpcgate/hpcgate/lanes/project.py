# Language policy: EXEMPT from the Rust-path rule. Writes tables from facts; no computation.
"""Files that derive from the shared facts and belong to no lane."""

from __future__ import annotations

from pathlib import Path

from hpcgate import levels
from hpcgate.facts import Dependency, Facts, bounds_text
from hpcgate.lanes.base import render_template
from hpcgate.lanes.blocks import fill_block, markdown_table

__all__ = ["render"]


def render(facts: Facts, root: Path) -> dict[str, str]:
    """Return CODEOWNERS, CITATION.cff and the pages with derived tables, by path.

    A page that does not exist yet is left out; a page without its markers is an error.
    """
    files = {
        ".github/CODEOWNERS": render_template(
            root, "packaging/project/CODEOWNERS.j2", work=facts.work
        ),
        "CITATION.cff": render_template(
            root, "packaging/project/CITATION.cff.j2", release=facts.release
        ),
    }
    tables = {
        "docs/hpc_parallel_execution_guide.md": ("lanes", _lane_table(facts)),
        "docs/dependency_policy.md": ("dependencies", _dependency_tables(facts)),
        "docs/hpc_contracts.md": ("levels", levels.markdown(root)),
    }
    for page, (name, content) in tables.items():
        if (root / page).exists():
            files[page] = fill_block(root / page, name, content)
    return files


def _lane_table(facts: Facts) -> str:
    """Show who may touch what."""
    return markdown_table(
        ["Lane", "Level", "Owns", "Leaves alone", "Owners"],
        [
            [
                lane.lane,
                lane.level,
                ", ".join(f"`{glob}`" for glob in lane.owns),
                ", ".join(f"`{glob}`" for glob in lane.leaves_alone),
                ", ".join(f"@{owner}" for owner in lane.owners),
            ]
            for lane in facts.work.lanes
        ],
    )


def _dependency_tables(facts: Facts) -> str:
    """Show every dependency, first the packages, then the crates."""
    floors = facts.release.floors
    packages = [
        ["Python", "build, run", f"`>={floors.python}`", "PSF-2.0", "The host language",
         "`python`", "`Python`", "`python`"],
        ["Rust", "build", f"`>={floors.rust}`", "MIT OR Apache-2.0", "Compiles the core",
         "`rust`", "`Rust`", "`compiler('rust')`"],
    ]  # fmt: skip
    for name, found in facts.dependencies.packages.items():
        names = (found.names.spack, found.names.easybuild, found.names.conda)
        packages.append(
            [
                name,
                _role(found),
                f"`{bounds_text(found.bounds)}`" if str(found.bounds) else "any",
                found.licence,
                found.reason,
                *(f"`{known}`" if known else "not listed" for known in names),
            ]
        )
    crates = [[f"`{n}`", c.licence, c.reason] for n, c in facts.dependencies.crates.items()]
    head = [
        "Dependency",
        "Role",
        "Versions",
        "Licence",
        "Reason",
        "Spack",
        "EasyBuild",
        "conda-forge",
    ]
    return "\n\n".join(
        [markdown_table(head, packages), markdown_table(["Crate", "Licence", "Reason"], crates)]
    )


def _role(dependency: Dependency) -> str:
    """Name the role, with the extra that brings the dependency."""
    if dependency.extra is None:
        return dependency.role
    return f"extra `{dependency.extra}`"

# Language policy: EXEMPT from the Rust-path rule. Fills tables with text; no computation.
"""The tables in `docs/language_policy.md` that show the data."""

from __future__ import annotations

from pathlib import Path

from hpcgate.lanes.blocks import fill_block, markdown_table
from hpcgate.policy.data import Function, Policy

__all__ = ["BLOCK", "PAGE", "render"]

PAGE = "docs/language_policy.md"
BLOCK = "language"


def render(root: Path, policy: Policy) -> str:
    """Return the text of the page with current tables, or raise when a marker is missing."""
    return fill_block(root / PAGE, BLOCK, _tables(policy))


def _tables(policy: Policy) -> str:
    palette = [(name, x.niche, x.state, x.reason or "—") for name, x in policy.palette.items()]
    functions = [(f"`{name}`", *_function_cells(x)) for name, x in policy.functions.items()]
    modules = [
        (f"`{path}`", x.status, x.category or x.until or "—", x.reason)
        for path, x in sorted(policy.modules.items())
    ]
    return "\n\n".join(
        (
            "### Palette",
            markdown_table(("Language", "Niche", "State", "Why not wired"), palette),
            "### Compute functions",
            markdown_table(("Function", "Size", "Floor", "Tiers", "Tolerance"), functions),
            "### Categories of exemption",
            markdown_table(("Category", "Why it computes nothing"), policy.categories.items()),
            "### Modules",
            markdown_table(("Module", "Status", "Category or limit", "Reason"), modules),
        )
    )


def _function_cells(function: Function) -> tuple[str, ...]:
    waiver, tolerance = function.floor_waiver, function.tolerance
    return (
        function.size_axis,
        f"none, waived until {waiver.until}: {waiver.reason}" if waiver else f"`{function.floor}`",
        ", ".join(f"{tier.language}: `{tier.entry}`" for tier in function.tiers),
        f"atol {tolerance.atol:g}, rtol {tolerance.rtol:g}" if tolerance else "—",
    )

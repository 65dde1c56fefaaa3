# Language policy: EXEMPT from the Rust-path rule. Fills tables with text; no computation.
"""The tables in `docs/language_policy.md` that show the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hpcgate.lanes.blocks import fill_block, markdown_table
from hpcgate.policy.data import Function, Policy, Tier

__all__ = ["BLOCK", "PAGE", "render"]

PAGE = "docs/language_policy.md"
BLOCK = "language"


def render(root: Path, policy: Policy) -> str:
    """Return the text of the page with current tables, or raise when a marker is missing."""
    return fill_block(root / PAGE, BLOCK, _tables(policy))


def _tables(policy: Policy) -> str:
    palette = [
        (
            name,
            x.niche,
            f"`{x.probe}`",
            f"`{x.extra}`" if x.extra else "—",
            _files([pin.file for pin in x.pins]),
            _places(x.platforms, "MUST"),
            _places(x.platforms, "MAY"),
        )
        for name, x in policy.palette.items()
    ]
    functions = [(f"`{name}`", *_function_cells(x)) for name, x in policy.functions.items()]
    promises = [(f"`{name}`", *_promise_cells(x)) for name, x in policy.functions.items()]
    uncovered = [
        (f"`{path}`", str(x.least), f"`{session}`", x.until, x.reason)
        for path, (session, x) in sorted(policy.excuses.items())
    ]
    calls = [
        (f"`{name}`", "yes" if x.computes else "no", x.reason, _files(x.checked_by))
        for name, x in policy.core_calls.items()
    ]
    modules = [
        (f"`{path}`", x.status, x.category or x.until or "—", x.reason)
        for path, x in sorted(policy.modules.items())
    ]
    gone = [
        (x.language, ", ".join(x.functions), str(x.since), x.removal, x.reason)
        for x in policy.deprecations
    ]
    columns = ("Language", "Niche", "Probe", "Extra", "Pins", "MUST be on", "MAY be on")
    return "\n\n".join(
        (
            "### Palette",
            markdown_table(columns, palette),
            "### Compute functions",
            markdown_table(("Function", "Size", "Floor", "Tiers", "Tolerance"), functions),
            "### What they promise",
            markdown_table(("Function", "Invariants", "Record", "Called by"), promises),
            "### Calls of the core without a dispatcher",
            markdown_table(("Call", "Computes", "Why", "Checked by"), calls),
            "### Tiers that go",
            markdown_table(("Tier", "Functions", "Since", "Gone with", "Reason"), gone)
            if gone
            else "None.",
            "### Categories of exemption",
            markdown_table(("Category", "Why it computes nothing"), policy.categories.items()),
            "### Modules that the tests run less of",
            markdown_table(("Module", "Run, %", "Session", "Until", "Why"), uncovered)
            if uncovered
            else "None.",
            "### Modules",
            markdown_table(("Module", "Status", "Category or limit", "Reason"), modules),
        )
    )


def _files(paths: Sequence[str]) -> str:
    return ", ".join(f"`{path}`" for path in paths) or "—"


def _places(platforms: Mapping[str, str], word: str) -> str:
    return ", ".join(name for name, said in platforms.items() if said == word) or "—"


def _function_cells(function: Function) -> tuple[str, ...]:
    return (
        function.size_axis,
        f"`{function.floor}`",
        ", ".join(_tier(tier) for tier in function.tiers),
        f"atol {function.tolerance.atol:g}, rtol {function.tolerance.rtol:g}",
    )


def _tier(tier: Tier) -> str:
    outside = "" if tier.in_chain else " (beside the process)"
    return f"{tier.language}: `{tier.entry}`{outside}"


def _promise_cells(function: Function) -> tuple[str, ...]:
    return (
        ", ".join(name.replace("_", " ") for name in function.invariants) or "—",
        f"`{function.benchmark}`",
        _files(function.call_sites),
    )

# Language policy: EXEMPT from the Rust-path rule. Replaces marked text; no computation.
"""Derived tables inside hand-written pages, between two marker comments."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from hpcgate.errors import GateError
from hpcgate.repo import read_text

__all__ = ["fill_block", "markdown_table"]


def fill_block(path: Path, name: str, content: str) -> str:
    """Return the text of a page with one marked block replaced.

    Parameters
    ----------
    path : Path
        The page; it is read, not written.
    name : str
        The block lies between `<!-- generated:NAME -->` and `<!-- /generated:NAME -->`.
    content : str
        Markdown, without the markers.

    Raises
    ------
    GateError
        If the page is missing, or does not hold the two markers exactly once and in order.
    """
    start, end = f"<!-- generated:{name} -->", f"<!-- /generated:{name} -->"
    text = read_text(path)
    block = re.compile(rf"^{re.escape(start)}$.*?^{re.escape(end)}$", re.DOTALL | re.MULTILINE)
    if text.count(start) != 1 or text.count(end) != 1 or not block.search(text):
        raise GateError(
            f"{path}: the markers of the block `{name}` are missing or not in order",
            hint=f"put {start} and {end} on lines of their own, once",
        )
    filled = f"{start}\n\n{content.strip()}\n\n{end}"
    return block.sub(lambda _: filled, text)


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a Markdown table.

    Examples
    --------
    >>> print(markdown_table(["lane", "level"], [["Spack", "H0"]]))
    | lane | level |
    | --- | --- |
    | Spack | H0 |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines
    )

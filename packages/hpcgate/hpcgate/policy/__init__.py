# Language policy: EXEMPT from the Rust-path rule. Offers check and fix; no computation.
"""The language policy: which language computes what, as data that a gate holds every module to."""

from __future__ import annotations

import json
from pathlib import Path

from hpcgate.errors import GateError
from hpcgate.policy.coverage import check_coverage
from hpcgate.policy.data import (
    DATA,
    HEADER,
    Finding,
    Module,
    Tree,
    comment_sign,
    read,
    stated_reason,
)
from hpcgate.policy.page import PAGE, render
from hpcgate.policy.rules import RULES
from hpcgate.repo import read_text, write_text

__all__ = ["Finding", "check", "check_coverage", "fix", "read"]


def check(root: Path) -> list[Finding]:
    """Return every breach of the language policy in a checkout, sorted.

    Examples
    --------
    >>> check(find_root())  # doctest: +SKIP
    []
    """
    tree = read(root)
    return sorted(finding for rule in RULES for finding in rule(tree))


def fix(root: Path) -> list[str]:
    """Write headers, the generated tables, and rows for modules whose header states the exemption.

    A status is never decided here: a header follows its row, and a row is added only where the
    module already says that it is exempt. The category is left for its author to choose.

    Returns
    -------
    list of str
        The files that were written, relative to `root`.

    Examples
    --------
    >>> fix(find_root())  # doctest: +SKIP
    ['docs/language_policy.md']
    """
    tree = read(root)
    written = []
    if rows := _stated_rows(tree):
        write_text(root / DATA, tree.text.rstrip("\n") + "\n" + rows)
        written.append(DATA)
        tree = read(root)
    for path in sorted(tree.policy.modules.keys() & tree.modules.keys()):
        text, row = tree.modules[path], tree.policy.modules[path]
        renewed = _with_header(text, path, row)
        if renewed != text:
            write_text(root / path, renewed)
            written.append(path)
    page = render(root, tree.policy)
    if page != read_text(root / PAGE):
        write_text(root / PAGE, page)
        written.append(PAGE)
    return written


def _stated_rows(tree: Tree) -> str:
    """Return the text of rows for modules that have none and say in line 1 that they are exempt."""
    new = sorted(tree.modules.keys() - tree.policy.modules.keys())
    stated = ((path, stated_reason(tree.modules[path])) for path in new)
    rows = "".join(
        f"  {path}:\n    status: exempt\n    reason: {json.dumps(reason, ensure_ascii=False)}\n"
        for path, reason in stated
        if reason
    )
    last = [line for line in tree.text.splitlines() if line[:1].isalpha()][-1]
    if rows and last != "modules:":
        raise GateError(f"{DATA}: `modules:` is not the last section", hint="move it to the end")
    return rows


def _with_header(text: str, path: str, row: Module) -> str:
    """Return a module with the first line its row asks for: the exemption, or no claim of one."""
    body = text if stated_reason(text) is None else text.partition("\n")[2]
    exempt = row.status == "exempt"
    return f"{comment_sign(path)} {HEADER} {row.reason}\n{body}" if exempt else body

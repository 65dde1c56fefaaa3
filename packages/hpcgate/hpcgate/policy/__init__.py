# Language policy: EXEMPT from the Rust-path rule. Offers check and fix; no computation.
"""The language policy: which language computes what, as data that a gate holds every module to."""

from __future__ import annotations

import json
from pathlib import Path

from hpcgate.errors import GateError
from hpcgate.policy.data import DATA, HEADER, Tree, comment_sign, read, stated_reason
from hpcgate.policy.page import PAGE, render
from hpcgate.policy.rules import RULES, Finding
from hpcgate.repo import read_text, write_text

__all__ = ["Finding", "check", "fix"]


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

    A status is never decided here: a row is added only where the module already says that it is
    exempt, and its category is left for its author to choose.

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
    for path, row in tree.policy.modules.items():
        text = tree.modules.get(path)
        if text is not None and row.status == "exempt" and stated_reason(text) != row.reason:
            write_text(root / path, _with_header(text, path, row.reason))
            written.append(path)
    renewed = render(root, tree.policy)
    if renewed != read_text(root / PAGE):
        write_text(root / PAGE, renewed)
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


def _with_header(text: str, path: str, reason: str) -> str:
    if stated_reason(text) is not None:
        text = text.partition("\n")[2]
    return f"{comment_sign(path)} {HEADER} {reason}\n{text}"

# Language policy: EXEMPT from the Rust-path rule. Compares shares with a list; no computation.
"""Ask whether the tests run enough of each module, and whether the excuses still hold."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hpcgate.errors import GateError
from hpcgate.policy.data import DATA, MODULE_ROOT, Finding, Tree, is_one_sentence, read, source
from hpcgate.repo import read_text

__all__ = ["check_coverage", "excuses"]

COVERED = 95  # per cent of a module that tests must run


def excuses(tree: Tree) -> Iterator[Finding]:
    """Ask whether each row under `uncovered:` is of a module and a session, and still has time."""
    for path, (session, row) in tree.policy.excuses.items():
        if path not in tree.modules:
            message = "there is no such module; delete the row"
        elif tree.is_due(row.until):
            message = f"its tests were due by {row.until}; write them and delete the row"
        elif not is_one_sentence(row.reason):
            message = "`reason:` must be one sentence that ends with a full stop"
        elif not 0 <= row.least < COVERED:
            message = f"`least:` must lie from 0 to {COVERED - 1}"
        elif not _is_session(source(tree, "noxfile.py"), session):
            message = f"noxfile.py has no session {session}; mend its name"
        else:
            continue
        yield Finding(DATA, tree.row_line("uncovered"), "coverage", f"{path}: {message}")


def check_coverage(root: Path, report: Path) -> list[Finding]:
    """Return the modules of a coverage report (JSON) of which the tests run too little.

    Raises
    ------
    GateError
        If the report cannot be read.
    """
    tree = read(root)
    known, excused = _shares(report, tree), tree.policy.excuses
    found = []
    for path in sorted(tree.modules):
        if path.endswith(".py"):
            excuse = excused.get(path)
            owed = excuse[1].least if excuse else COVERED
            share, line = known.get(path, (0.0, 1))
            if share < owed:
                message = (
                    f"{share:.1f} % of it is run by tests, {owed} % are owed; test line {line}"
                )
                found.append(Finding(path, line, "coverage", f"{message} and on"))
            elif excuse and share >= COVERED:
                message = f"{path}: {share:.1f} % are run by tests; delete the row"
                found.append(Finding(DATA, tree.row_line("uncovered"), "coverage", message))
    return found


def _shares(report: Path, tree: Tree) -> dict[str, tuple[float, int]]:
    """Return for each module the share that was run, and the first line that was not."""
    try:
        files: dict[str, Any] = json.loads(read_text(report))["files"]
        shares = {}
        for name, facts in files.items():
            # An installed module has another folder in front of the path inside its package.
            tail = [path for path in tree.modules if f"/{name}".endswith(f"/{_inside(path)}")]
            for path in tail[:1]:
                missing = facts.get("missing_lines") or [1]
                shares[path] = (float(facts["summary"]["percent_covered"]), int(missing[0]))
        return shares
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        hint = "run: nox -s tests"
        raise GateError(f"{report} is no coverage report: {error}", hint=hint) from None


def _inside(path: str) -> str:
    """Return a path without `packages/<project>/`."""
    return path.removeprefix(MODULE_ROOT).partition("/")[2]


def _is_session(noxfile: str, name: str) -> bool:
    return f'name="{name}"' in noxfile or f"def {name}(session" in noxfile

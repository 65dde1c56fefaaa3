# Language policy: EXEMPT from the Rust-path rule. Compares calls with a list; no computation.
"""Ask whether anything calls the extension past the dispatchers.

What has tiers is called through its dispatcher, so that a tier can be chosen, passed over and told
afterwards. What has none stands in `core_calls:` with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from hpcgate.policy.computation import calls_of
from hpcgate.policy.data import DATA, Finding, Tree, is_one_sentence, line_of

__all__ = ["bypasses"]

LIBRARY = "packages/pymars/"
TIERS = "packages/pymars/pymars/accel/"
CALL = re.compile(r"(?:.*\.)?_core\.(?:\w+\.)*(\w+)")


def bypasses(tree: Tree) -> Iterator[Finding]:
    """Ask whether each call of the extension goes through a dispatcher, or says why not."""
    listed, seen = tree.policy.core_calls, set()
    for path, text in tree.modules.items():
        if not path.startswith(LIBRARY) or path.startswith(TIERS) or not path.endswith(".py"):
            continue
        if "_core." not in text:  # spares parsing most modules
            continue
        for call in sorted(calls_of(text)):
            found = CALL.fullmatch(call)
            if found is None:
                continue
            seen.add(found[1])
            if found[1] not in listed:
                message = f"{call} goes past the dispatchers; call pymars.accel, or list it under "
                line = line_of(text, rf"_core\.(?:\w+\.)*{found[1]}\(")
                yield Finding(path, line, "call", f"{message}`core_calls:` with its reason")
    for name in listed:
        for message in _faults(tree, name, name in seen):
            yield Finding(DATA, tree.row_line(name), "call", f"{name}: {message}")


def _faults(tree: Tree, name: str, called: bool) -> Iterator[str]:
    row = tree.policy.core_calls[name]
    if not called:
        yield "nobody calls it past the dispatchers; delete it under `core_calls:`"
    if not is_one_sentence(row.reason):
        yield "`reason:` must be one sentence that ends with a full stop"
    if row.computes and not row.checked_by:
        yield "it computes without a floor; name the tests that check it under `checked_by:`"
    for path in row.checked_by:
        if not (tree.root / path).is_file():
            yield f"there is no {path}; mend `checked_by:`"

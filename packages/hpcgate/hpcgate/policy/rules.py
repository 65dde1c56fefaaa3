# Language policy: EXEMPT from the Rust-path rule. Compares rows, headers and pins with the tree.
"""The rules of the language policy; each yields the findings of one question."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from hpcgate.errors import GateError
from hpcgate.policy.computation import find_computation
from hpcgate.policy.data import (
    DATA,
    HEADER,
    Function,
    Module,
    Tree,
    comment_sign,
    line_of,
    stated_reason,
)
from hpcgate.policy.page import BLOCK, PAGE, render
from hpcgate.repo import read_text, tracked_files

__all__ = ["RULES", "Finding"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Name one breach of the policy and the edit that mends it.

    Examples
    --------
    >>> print(Finding("packages/a.py", 1, "row", "no row; add one to packaging/language.yaml"))
    packages/a.py:1: [row] no row; add one to packaging/language.yaml
    """

    file: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: [{self.rule}] {self.message}"


def _palette(tree: Tree) -> Iterator[Finding]:
    """Ask whether each language is wired, or says why it is not."""
    used = {tier.language for function in tree.policy.functions.values() for tier in function.tiers}
    used |= {"python"} if any(f.floor for f in tree.policy.functions.values()) else set()
    for name, language in tree.policy.palette.items():
        if language.state == "not wired" and not language.reason:
            message = f"{name} is not wired and says no reason; add `reason:` to its entry"
        elif language.state == "not wired" and name in used:
            message = f"{name} serves a function; set its `state: wired` and drop the reason"
        elif language.state == "wired" and name not in used:
            message = f"{name} serves no function; set `state: not wired` with a reason"
        else:
            continue
        yield Finding(DATA, tree.row_line(name), "palette", message)


def _functions(tree: Tree) -> Iterator[Finding]:
    """Ask whether each compute function has a floor that exists, and tiers that exist."""
    for name, function in tree.policy.functions.items():
        for message in _function_faults(tree, function):
            yield Finding(DATA, tree.row_line(name), "function", f"{name}: {message}")


def _function_faults(tree: Tree, function: Function) -> Iterator[str]:
    if bool(function.floor) == bool(function.floor_waiver):
        yield "give either `floor: module:function` or `floor_waiver:` with reason and until"
    if function.floor:
        path, name = _floor_path(function.floor)
        if not re.search(rf"^def {re.escape(name)}\(", tree.modules.get(path, ""), re.MULTILINE):
            yield f"no {function.floor} in the tree; write the floor or mend its name"
        elif not _is_compiled(tree, path):
            yield f"its floor {path} has no row with `status: compiled`"
    if function.floor_waiver and tree.is_due(function.floor_waiver.until):
        yield f"the floor was due by {function.floor_waiver.until}; write it and name it here"
    if function.floor and function.tolerance is None:
        yield "a floor and tiers without a tolerance; add `tolerance: {atol, rtol}`"
    if not function.tiers:
        yield "no compiled tier; add one under `tiers:`"
    for tier in function.tiers:
        if tier.language not in tree.policy.palette:
            yield f"{tier.language} is not in the palette ({', '.join(tree.policy.palette)})"
        if tier.source not in tree.modules:
            yield f"its {tier.language} source {tier.source} is missing; mend `source:`"
        elif not _is_compiled(tree, tier.source):
            yield f"its {tier.language} source {tier.source} has no row with `status: compiled`"


def _rows(tree: Tree) -> Iterator[Finding]:
    """Ask whether every module has its row and every row its module and its defence."""
    for path in tree.modules.keys() - tree.policy.modules.keys():
        message = f"no row; add `{path}:` with status and reason under `modules:` in {DATA}"
        yield Finding(path, 1, "row", message)
    for path, row in tree.policy.modules.items():
        for message in _row_faults(tree, path, row):
            yield Finding(DATA, tree.row_line(path), "row", f"{path}: {message}")


def _row_faults(tree: Tree, path: str, row: Module) -> Iterator[str]:
    if path not in tree.modules:
        yield "there is no such module; delete the row or mend its path"
    if not _is_one_sentence(row.reason):
        yield "`reason:` must be one sentence that ends with a full stop"
    if row.status == "exempt" and row.category not in tree.policy.categories:
        yield f"set `category:` to one of {', '.join(tree.policy.categories)}"
    if row.status != "exempt" and row.category:
        yield f"only exempt rows have a category; delete `category: {row.category}`"
    if row.status == "floor-only" and tree.is_due(row.until):
        yield "the compiled path is due; add it, or set `until:` to a later version and say why"
    if row.status != "floor-only" and row.until:
        yield f"only floor-only rows run out; delete `until: {row.until}`"


def _headers(tree: Tree) -> Iterator[Finding]:
    """Ask whether the first line of each module says what its row says."""
    for path, row in tree.policy.modules.items():
        stated = stated_reason(tree.modules.get(path, ""))
        if row.status == "exempt" and path in tree.modules and stated != row.reason:
            want = f"{comment_sign(path)} {HEADER} {row.reason}"
            yield Finding(path, 1, "header", f"line 1 must be `{want}`; run hpcgate policy --fix")
        elif row.status != "exempt" and stated is not None:
            message = f"claims exemption but its row says {row.status}; run hpcgate policy --fix"
            yield Finding(path, 1, "header", message)


def _computation(tree: Tree) -> Iterator[Finding]:
    """Ask whether a module that claims exemption visibly computes."""
    mend = f"in an exempt module; move it into the core, or change the row in {DATA}"
    for path, row in tree.policy.modules.items():
        if row.status == "exempt" and path.endswith(".py"):
            try:
                found = find_computation(tree.modules.get(path, ""))
            except SyntaxError as error:
                yield Finding(path, error.lineno or 1, "syntax", "not Python; mend the syntax")
            else:
                for line, what in found:
                    yield Finding(path, line, "computes", f"{what} {mend}")


def _tables_current(tree: Tree) -> Iterator[Finding]:
    """Ask whether the page shows the data."""
    try:
        renewed = render(tree.root, tree.policy)
    except GateError as error:
        yield Finding(PAGE, 1, "table", str(error))
        return
    page = read_text(tree.root / PAGE)
    if renewed != page:
        line = line_of(page, f"generated:{BLOCK}")
        yield Finding(PAGE, line, "table", "not what the data says; run hpcgate policy --fix")


def _pins(tree: Tree) -> Iterator[Finding]:
    """Ask whether what builds the project is pinned."""
    lock = "packages/Cargo.lock"
    if not (tree.root / lock).is_file():
        yield Finding(lock, 1, "pin", "missing; run cargo generate-lockfile in packages/")
    yield from _maturin_pin(tree.root)
    for path in tracked_files(tree.root):
        if path.parent.as_posix() == ".github/workflows" and path.suffix in (".yml", ".yaml"):
            yield from _action_pins(path.as_posix(), read_text(tree.root / path))


def _maturin_pin(root: Path) -> Iterator[Finding]:
    name = "packages/pymars/pyproject.toml"
    pattern = r"""["'](maturin\b[^"']*)["']"""
    text = read_text(root / name) if (root / name).is_file() else ""
    found = re.search(pattern, text)
    try:
        bounds = {spec.operator for spec in Requirement(found[1]).specifier} if found else set()
    except InvalidRequirement:
        bounds = set()
    if not bounds & {"<", "<=", "==", "~="}:
        message = "maturin has no upper bound in build-system.requires; write maturin>=1.8,<2"
        yield Finding(name, line_of(text, pattern), "pin", message)


def _action_pins(path: str, text: str) -> Iterator[Finding]:
    for number, line in enumerate(text.splitlines(), 1):
        used = re.match(r"\s*-?\s*uses:\s*([^\s#]+)\s*(#\s*v\d\S*)?", line)
        if used and not used[1].startswith("./"):
            if not re.fullmatch(r"[^@]+@[0-9a-f]{40}", used[1]):
                message = f"{used[1]} is not pinned; write the 40-digit commit after the @"
                yield Finding(path, number, "pin", message)
            elif not used[2]:
                message = f"{used[1]} does not say its version; add the comment `# vX.Y.Z`"
                yield Finding(path, number, "pin", message)


def _floor_path(name: str) -> tuple[str, str]:
    """Split `package.module:function` into the path of the module and the function."""
    module, _, function = name.partition(":")
    return f"packages/pymars/{module.replace('.', '/')}.py", function


def _is_compiled(tree: Tree, path: str) -> bool:
    return path in tree.policy.modules and tree.policy.modules[path].status == "compiled"


def _is_one_sentence(text: str) -> bool:
    return text.endswith(".") and ". " not in text and len(text.split()) >= 2


RULES: tuple[Callable[[Tree], Iterator[Finding]], ...] = (
    _palette,
    _functions,
    _rows,
    _headers,
    _computation,
    _tables_current,
    _pins,
)

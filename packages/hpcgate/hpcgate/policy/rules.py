# Language policy: EXEMPT from the Rust-path rule. Compares rows, headers and pins with the tree.
"""The rules of the language policy; each yields the findings of one question."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from packaging.version import InvalidVersion, Version

from hpcgate.errors import GateError
from hpcgate.policy.bypass import bypasses
from hpcgate.policy.computation import calls_of, find_computation
from hpcgate.policy.coverage import excuses
from hpcgate.policy.data import (
    DATA,
    HEADER,
    MODULE_ROOT,
    Deprecation,
    Finding,
    Function,
    Module,
    Tier,
    Tree,
    comment_sign,
    is_one_sentence,
    line_of,
    source,
    stated_reason,
)
from hpcgate.policy.page import BLOCK, PAGE, render
from hpcgate.policy.pins import pins
from hpcgate.repo import read_text

__all__ = ["RULES"]

USERS = "packages/pymars/"  # modules that read what users bring, of any size
ARCHIVE = "docs/benchmarks/archived/"
NOTICE = 2  # minor versions between the announcement and the removal of a tier


def _palette(tree: Tree) -> Iterator[Finding]:
    """Ask whether each language serves a function, and has a probe that exists."""
    used = {tier.language for function in tree.policy.functions.values() for tier in function.tiers}
    used |= {"python"} if tree.policy.functions else set()
    for name, language in tree.policy.palette.items():
        path, probe = _floor_path(language.probe)
        package = f"{path.removesuffix('.py')}/__init__.py"
        text = tree.modules.get(path) or tree.modules.get(package, "")
        if name not in used:
            message = f"{name} serves no function; give one a tier in it, or delete its entry"
        elif not _defines(text, probe):
            message = f"{name}: no {language.probe} in the tree; write the probe or mend its name"
        elif not language.pins:
            message = f"{name}: nothing is pinned; name a file and a pattern under `pins:`"
        elif not language.platforms:
            message = f"{name}: say under `platforms:` where it MUST and where it MAY be there"
        else:
            continue
        yield Finding(DATA, tree.row_line(name), "palette", message)


def _functions(tree: Tree) -> Iterator[Finding]:
    """Ask whether each compute function has a floor that exists, and tiers that exist."""
    for name, function in tree.policy.functions.items():
        for message in _function_faults(tree, function):
            yield Finding(DATA, tree.row_line(name), "function", f"{name}: {message}")


def _function_faults(tree: Tree, function: Function) -> Iterator[str]:
    path, name = _floor_path(function.floor, function.folder)
    if not _defines(source(tree, path), name):
        yield f"no {function.floor} in the tree; write the floor or mend its name"
    elif not _is_compiled(tree, path):
        yield f"its floor {path} has no row with `status: compiled`"
    if not function.tiers:
        yield "no compiled tier; add one under `tiers:`"
    for tier in function.tiers:
        if tier.language not in tree.policy.palette:
            yield f"{tier.language} is not in the palette ({', '.join(tree.policy.palette)})"
        if not source(tree, tier.source):
            yield f"its {tier.language} source {tier.source} is missing; mend `source:`"
        elif not _is_compiled(tree, tier.source):
            yield f"its {tier.language} source {tier.source} has no row with `status: compiled`"


def _calls(tree: Tree) -> Iterator[Finding]:
    """Ask whether each function is called where its row says so, and each dispatcher has a row."""
    for name, function in tree.policy.functions.items():
        line = tree.row_line(name)
        if not function.call_sites:
            message = f"{name}: nobody calls it; wire it, and name the place under `call_sites:`"
            yield Finding(DATA, line, "call", message)
        for site in function.call_sites:
            path, _, what = site.partition(":")
            if not what or what not in calls_of(source(tree, path)):
                message = f"{name}: {path} does not call {what or 'it'}; wire it, or mend the site"
                yield Finding(DATA, line, "call", message)
    for path, text in tree.modules.items():
        for name in re.findall(r"""^@?(?:\w+ = )?register\(\s*["'](\w+)["']""", text, re.MULTILINE):
            if path.endswith(".py") and name not in tree.policy.functions:
                message = f"{name} is a dispatcher without a row; add it under `functions:`"
                yield Finding(path, line_of(text, rf"register\(\s*[\"']{name}"), "call", message)


def _measured(tree: Tree) -> Iterator[Finding]:
    """Ask whether each function has a record, of the sizes that stand for real work."""
    for name, function in tree.policy.functions.items():
        line = tree.row_line(name)
        if not (tree.root / function.benchmark).is_file():
            message = f"{name}: no {function.benchmark}; run nox -s bench-tiers -- {name}"
            yield Finding(DATA, line, "benchmark", message)
        if not set(function.production) <= set(function.sizes):
            message = f"{name}: `production:` holds a size that `sizes:` does not; add it there"
            yield Finding(DATA, line, "benchmark", message)


def _deprecations(tree: Tree) -> Iterator[Finding]:
    """Ask whether each tier that goes has two minor versions of notice and still has its time."""
    for gone in tree.policy.deprecations:
        for message in _deprecation_faults(tree, gone):
            yield Finding(DATA, tree.row_line("deprecations"), "deprecation",
                          f"{gone.language}: {message}")  # fmt: skip


def _deprecation_faults(tree: Tree, gone: Deprecation) -> Iterator[str]:
    tiers = {tier.language for name in gone.functions for tier in _tiers_of(tree, name)}
    if not is_one_sentence(gone.reason):
        yield "`reason:` must be one sentence that ends with a full stop"
    if tree.is_due(gone.removal) and gone.language in tiers:
        yield f"its removal was due with {gone.removal}; delete its tiers and this entry"
    if not tree.is_due(gone.removal) and gone.language not in tiers:
        yield f"its tiers are gone before {gone.removal}; put them back until then"
    try:
        since, removal = Version(gone.since_version), Version(gone.removal)
        between = sorted({Version(minor).release[:2] for minor in gone.minors})
    except InvalidVersion:
        yield "`since_version:`, `minors:` and `removal:` must be versions, such as 2.1.0 and 3.0.0"
        return
    if removal.release[1:] != (0, 0) or removal.major <= since.major:
        yield f"{removal} is no major version after {since}; a tier is removed by one alone"
    if (
        len([minor for minor in between if since.release[:2] < minor < removal.release[:2]])
        < NOTICE
    ):
        yield f"name under `minors:` {NOTICE} minor versions or more that lie before {removal}"
    if not (tree.root / gone.archived).is_file():
        yield f"no {gone.archived}; keep the last measurement of the tier there"
    elif not gone.archived.startswith(ARCHIVE):
        yield f"{gone.archived} lies outside {ARCHIVE}; move it there"
    if gone.since.isoformat() not in source(tree, "DEPRECATIONS.md"):
        yield f"DEPRECATIONS.md does not say it; add an entry with the date {gone.since}"


def _rows(tree: Tree) -> Iterator[Finding]:
    """Ask whether every module has its row and every row its module and its defence."""
    for path in tree.modules.keys() - tree.policy.modules.keys():
        message = f"no row; add `{path}:` with status and reason under `modules:` in {DATA}"
        yield Finding(path, 1, "row", message)
    for number, line in enumerate(tree.text.splitlines(), 1):
        if open_word := re.search(r"\b(TBD|TODO|FIXME)\b", line):
            yield Finding(DATA, number, "row", f"{open_word[0]} is no answer; decide, and say it")
    for path, row in tree.policy.modules.items():
        for message in _row_faults(tree, path, row):
            yield Finding(DATA, tree.row_line(path), "row", f"{path}: {message}")


def _row_faults(tree: Tree, path: str, row: Module) -> Iterator[str]:
    if path not in tree.modules:
        yield "there is no such module; delete the row or mend its path"
    if not is_one_sentence(row.reason):
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
                users = path.startswith(USERS)
                found = find_computation(tree.modules.get(path, ""), patterns=users)
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


def _floor_path(name: str, folder: str = "packages/pymars") -> tuple[str, str]:
    """Split `package.module:function` into the path of the module and the function."""
    module, _, function = name.partition(":")
    return f"{folder}/{module.replace('.', '/')}.py", function


def _defines(text: str, function: str) -> bool:
    return re.search(rf"^def {re.escape(function)}\(", text, re.MULTILINE) is not None


def _tiers_of(tree: Tree, function: str) -> tuple[Tier, ...]:
    known = tree.policy.functions.get(function)
    return known.tiers if known else ()


def _is_compiled(tree: Tree, path: str) -> bool:
    """Whether a module has such a row; what lies outside `packages/` has none."""
    if not path.startswith(MODULE_ROOT):
        return True
    return path in tree.policy.modules and tree.policy.modules[path].status == "compiled"


RULES: tuple[Callable[[Tree], Iterator[Finding]], ...] = (
    _palette,
    _functions,
    _calls,
    bypasses,
    _measured,
    _deprecations,
    _rows,
    _headers,
    _computation,
    _tables_current,
    pins,
    excuses,
)

# Language policy: EXEMPT from the Rust-path rule. Compares rows, headers and pins with the tree.
"""The rules of the language policy; each yields the findings of one question."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from hpcgate.errors import GateError
from hpcgate.policy.computation import calls_of, find_computation
from hpcgate.policy.data import (
    DATA,
    HEADER,
    MODULE_ROOT,
    Deprecation,
    Function,
    Module,
    Tier,
    Tree,
    comment_sign,
    line_of,
    stated_reason,
)
from hpcgate.policy.page import BLOCK, PAGE, render
from hpcgate.repo import read_text, tracked_files

__all__ = ["RULES", "Finding"]

USERS = "packages/pymars/"  # modules that read what users bring, of any size
ARCHIVE = "docs/benchmarks/archived/"
NOTICE = 2  # minor versions between the announcement and the removal of a tier


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
    """Ask whether each language serves a function, and has a probe that exists."""
    used = {tier.language for function in tree.policy.functions.values() for tier in function.tiers}
    used |= {"python"} if any(f.floor for f in tree.policy.functions.values()) else set()
    for name, language in tree.policy.palette.items():
        path, probe = _floor_path(language.probe)
        package = f"{path.removesuffix('.py')}/__init__.py"
        text = tree.modules.get(path) or tree.modules.get(package, "")
        if name not in used:
            message = f"{name} serves no function; give one a tier in it, or delete its entry"
        elif not _defines(text, probe):
            message = f"{name}: no {language.probe} in the tree; write the probe or mend its name"
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
    if bool(function.floor) == bool(function.floor_waiver):
        yield "give either `floor: module:function` or `floor_waiver:` with reason and until"
    if function.floor:
        path, name = _floor_path(function.floor, function.folder)
        if not _defines(_source(tree, path), name):
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
        if not _source(tree, tier.source):
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
            if not what or what not in calls_of(_source(tree, path)):
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
    if not _is_one_sentence(gone.reason):
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
    if gone.since.isoformat() not in _source(tree, "DEPRECATIONS.md"):
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


def _pins(tree: Tree) -> Iterator[Finding]:
    """Ask whether what builds the project is pinned."""
    for language in tree.policy.palette.values():
        for pin in language.pins:
            text = _source(tree, pin.file)
            if not text:
                yield Finding(pin.file, 1, "pin", f"missing; {pin.mend}")
            elif not re.search(pin.pattern, text, re.MULTILINE):
                yield Finding(pin.file, 1, "pin", pin.mend)
    for path in tracked_files(tree.root):
        if path.parent.as_posix() == ".github/workflows" and path.suffix in (".yml", ".yaml"):
            yield from _action_pins(path.as_posix(), read_text(tree.root / path))
        elif path.name in ("Containerfile", "Dockerfile"):
            yield from _image_pins(path.as_posix(), read_text(tree.root / path))


def _image_pins(path: str, text: str) -> Iterator[Finding]:
    stages = {"scratch"}
    for number, line in enumerate(text.splitlines(), 1):
        # An argument without a default names no image: the caller does.
        if asked := re.match(r"ARG\s+(\w+)\s*$", line, re.IGNORECASE):
            stages.update({f"${asked[1]}", f"${{{asked[1]}}}"})
        used = re.match(r"FROM\s+(?:--\S+\s+)?(\S+)(?:\s+AS\s+(\S+))?", line, re.IGNORECASE)
        if used and used[1] not in stages and not re.search(r"@sha256:[0-9a-f]{64}$", used[1]):
            message = f"{used[1]} is not pinned; write @sha256: and the digest after it"
            yield Finding(path, number, "pin", message)
        if used and used[2]:
            stages.add(used[2])


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


def _floor_path(name: str, folder: str = "packages/pymars") -> tuple[str, str]:
    """Split `package.module:function` into the path of the module and the function."""
    module, _, function = name.partition(":")
    return f"{folder}/{module.replace('.', '/')}.py", function


def _defines(text: str, function: str) -> bool:
    return re.search(rf"^def {re.escape(function)}\(", text, re.MULTILINE) is not None


def _source(tree: Tree, path: str) -> str:
    """Return the text of a file, empty where there is none."""
    if path in tree.modules:
        return tree.modules[path]
    place = tree.root / path
    return read_text(place) if place.is_file() else ""


def _tiers_of(tree: Tree, function: str) -> tuple[Tier, ...]:
    known = tree.policy.functions.get(function)
    return known.tiers if known else ()


def _is_compiled(tree: Tree, path: str) -> bool:
    """Whether a module has such a row; what lies outside `packages/` has none."""
    if not path.startswith(MODULE_ROOT):
        return True
    return path in tree.policy.modules and tree.policy.modules[path].status == "compiled"


def _is_one_sentence(text: str) -> bool:
    return text.endswith(".") and ". " not in text and len(text.split()) >= 2


RULES: tuple[Callable[[Tree], Iterator[Finding]], ...] = (
    _palette,
    _functions,
    _calls,
    _measured,
    _deprecations,
    _rows,
    _headers,
    _computation,
    _tables_current,
    _pins,
)

# Language policy: EXEMPT from the Rust-path rule. Walks a syntax tree; no computation.
"""Read Python by its syntax tree: docstrings, comments, help texts; recipes by their fields."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
import warnings
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import replace

from hpcgate.claims.model import Document, Problem, Unit
from hpcgate.claims.readers import fields, markdown

Hint = Callable[[str], bool]

__all__ = ["read", "read_recipe"]

_TEXT_KEYS = frozenset(
    {
        "help",
        "description",
        "summary",
        "long_description",
        "epilog",
        "short_help",
        "classifiers",
        "keywords",
    }
)
_DIRECTIVES = frozenset({"variant", "depends_on", "extends", "provides"})
_TOOL = re.compile(r"#\s*(?:!|noqa|type:|ruff|fmt:|pragma|mypy|pylint|-\*-|hpc_level)")
_LEVEL = re.compile(r"\bH[0-4]\b|\(evidence: ")
_PROMPT = re.compile(r"^\s*(?:>>>|\.\.\.)(?: |$)")
# The file parses, so a quotation mark outside a comment begins a string that ends.
_STRING_OR_COMMENT = re.compile(
    r'''"""(?:[^\\]|\\.)*?"""|\'{3}(?:[^\\]|\\.)*?\'{3}'''
    r"""|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|(?P<comment>\#[^\n]*)""",
    re.DOTALL,
)
_KEYWORDS = {key: re.compile(rf"{key}\s*=") for key in sorted(_TEXT_KEYS)}
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
_HOLDING = (
    *(ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef, ast.If, ast.For, ast.AsyncFor),
    *(ast.While, ast.With, ast.AsyncWith, ast.Try, ast.ExceptHandler, ast.Match, ast.match_case),
    getattr(ast, "TryStar", ast.Try),  # from Python 3.11 on
)
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def read(_name: str, text: str, hint: Hint) -> Document:
    """Return docstrings, comments and texts that users see."""
    return _document(text, hint, recipe=False)


def read_recipe(_name: str, text: str, hint: Hint) -> Document:
    """Return a Spack package or an easyconfig: the same, and its directives and fields."""
    return _document(text, hint, recipe=True)


def _document(text: str, hint: Hint, *, recipe: bool) -> Document:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            # A piece of a recipe may be indented as a whole; its lines stay where they are.
            tree = ast.parse(textwrap.dedent(text) if text[:1] in " \t" else text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        return Document((), problems=(Problem(line, f"not Python: {error.args[0]}"),))
    found = [*_comments(text, hint)]
    for node in ast.walk(tree) if recipe else _telling(tree, _called(text)):
        if isinstance(node, _DOCUMENTED):
            found += _docstring(node, hint)
            if recipe and isinstance(node, ast.ClassDef):
                found += _bases(node)
        elif isinstance(node, ast.Call):
            found += _texts(node)
            if recipe:
                found += _directive(node)
    if recipe:
        found += _assignments(tree)
    return Document(tuple(sorted(found, key=lambda unit: unit.line)))


def _called(text: str) -> list[int]:
    """Return the lines on which a call may be given a text that users see."""
    return sorted(
        text.count("\n", 0, match.start()) + 1
        for key, pattern in _KEYWORDS.items()
        if key in text
        for match in pattern.finditer(text)
    )


def _telling(tree: ast.Module, lines: list[int]) -> Iterator[ast.AST]:
    """Yield a module, the statements that hold others, and all that covers one of the lines."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if _covers(node, lines):
            waiting.extend(
                child
                for child in ast.iter_child_nodes(node)
                if isinstance(child, _HOLDING) or _covers(child, lines)
            )
            continue
        for name in _BLOCKS:
            if below := getattr(node, name, None):
                waiting.extend(child for child in below if isinstance(child, _HOLDING))


def _covers(node: ast.AST, lines: list[int]) -> bool:
    """Whether a node stands on one of the lines; one without a place may."""
    above = getattr(node, "decorator_list", None)
    first = getattr(above[0] if above else node, "lineno", 0)
    place = bisect_left(lines, first)
    return place < len(lines) and (not first or lines[place] <= node.end_lineno)  # type: ignore[attr-defined]


def _docstring(node: ast.AST, hint: Hint) -> Iterator[Unit]:
    """Yield the units of a docstring; its examples are code, its text stays together."""
    first = node.body[0] if node.body else None  # type: ignore[attr-defined]
    if not (isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)):
        return
    docstring = first.value.value
    if not isinstance(docstring, str) or not (hint(docstring) or _LEVEL.search(docstring)):
        return
    line = first.lineno + len(docstring) - len(docstring.lstrip("\n"))
    rows = inspect.cleandoc(docstring).split("\n")
    prose: list[str] = []
    code: list[tuple[int, str]] = []
    shown = False
    for place, row in enumerate(rows):
        prompt = _PROMPT.match(row)
        # What an example prints follows it up to the next empty line.
        shown = bool(prompt) or (shown and bool(row.strip()))
        prose.append("" if shown else row)
        if prompt:
            code.append((place, row.strip()[4:]))
    whole = "\n".join(prose)
    for unit in markdown.units(whole, line - 1, docstring=True):
        yield replace(unit, near=f"{unit.near}\n{whole}")
    for place, row in code:
        yield Unit(row, line + place, kind="code", near=whole)


def _comments(text: str, hint: Hint) -> Iterator[Unit]:
    """Yield comments; lines that follow each other are one comment."""
    behind = (row.partition("#")[2] for row in text.split("\n") if "#" in row)
    said = "\n".join(row.lstrip("#:! ") for row in behind)
    if not (hint(said) or _LEVEL.search(said)):
        return
    block: list[str] = []
    start = last = 0
    row, seen = 1, 0
    for token in _STRING_OR_COMMENT.finditer(text):
        comment = token["comment"]
        if comment is None or _TOOL.match(comment):
            continue
        row += text.count("\n", seen, token.start())
        seen = token.start()
        if block and row != last + 1:
            yield _comment(block, start)
            block = []
        if not block:
            start = row
        block.append(comment.lstrip("#:! ").rstrip())
        last = row
    if block:
        yield _comment(block, start)


def _comment(block: list[str], line: int) -> Unit:
    text = "\n".join(block)
    return Unit(text, line, near=text)


def _texts(node: ast.Call) -> Iterator[Unit]:
    """Yield texts that users see: help, description, classifiers."""
    for keyword in node.keywords:
        if keyword.arg in _TEXT_KEYS:
            for text, line in _strings(keyword.value):
                yield Unit(text, line, near=text)


def _bases(node: ast.ClassDef) -> Iterator[Unit]:
    """Yield what a Spack package is built on: `CudaPackage` brings a variant for CUDA."""
    for base in node.bases:
        name = base.attr if isinstance(base, ast.Attribute) else getattr(base, "id", "")
        words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
        yield Unit(words, node.lineno, leads=("variant",), near=words)


def _directive(node: ast.Call) -> Iterator[Unit]:
    """Yield what a directive of a Spack package names: a variant or a dependency."""
    if isinstance(node.func, ast.Name) and node.func.id in _DIRECTIVES and node.args:
        for text, line in _strings(node.args[0]):
            name = re.split(r"[@%+~^ ]", text)[0]
            told = (node.args[0], *(k.value for k in node.keywords if k.arg == "description"))
            near = " . ".join(said for part in told for said, _ in _strings(part))
            yield Unit(name, line, leads=(node.func.id.replace("_", " "),), near=near)


def _assignments(tree: ast.Module) -> Iterator[Unit]:
    """Yield the fields of an easyconfig."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            key = node.targets[0].id
            try:
                value = ast.literal_eval(node.value)
            except (ValueError, TypeError, SyntaxError):
                for text, line in _strings(node.value):
                    yield from fields.leaf((key,), text, line)
                continue
            yield from fields.flatten((key,), value, _Line(node.lineno))


class _Line:
    """Give every value of a field the line of the field."""

    def __init__(self, line: int) -> None:
        self.line = line

    def __call__(self, _value: object) -> int:
        return self.line


def _strings(node: ast.AST) -> Iterator[tuple[str, int]]:
    for child in ast.walk(node):
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield child.value, child.lineno

# Language policy: EXEMPT from the Rust-path rule. Walks a syntax tree; no computation.
"""Read Python by its syntax tree: docstrings, comments, help texts; recipes by their fields."""

from __future__ import annotations

import ast
import inspect
import io
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import replace

from hpcgate.claims.model import Document, Problem, Unit
from hpcgate.claims.readers import fields, markdown

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
_PROMPT = re.compile(r"^\s*(?:>>>|\.\.\.)(?: |$)")
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def read(_name: str, text: str) -> Document:
    """Return docstrings, comments and texts that users see."""
    return _document(text, recipe=False)


def read_recipe(_name: str, text: str) -> Document:
    """Return a Spack package or an easyconfig: the same, and its directives and fields."""
    return _document(text, recipe=True)


def _document(text: str, *, recipe: bool) -> Document:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        return Document((), problems=(Problem(line, f"not Python: {error.args[0]}"),))
    found = [*_docstrings(tree), *_texts(tree), *_comments(text)]
    if recipe:
        found += [*_directives(tree), *_assignments(tree)]
    return Document(tuple(sorted(found, key=lambda unit: unit.line)))


def _docstrings(tree: ast.AST) -> Iterator[Unit]:
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and node.body:
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                if isinstance(first.value.value, str):
                    yield from _prose(first.value.value, first.lineno)


def _prose(docstring: str, line: int) -> Iterator[Unit]:
    """Yield the units of a docstring; its examples are code, its text stays together."""
    text = inspect.cleandoc(docstring)
    line += len(docstring) - len(docstring.lstrip("\n"))
    code = [(i, row) for i, row in enumerate(text.split("\n")) if _PROMPT.match(row)]
    prose = "\n".join("" if _PROMPT.match(row) else row for row in text.split("\n"))
    for unit in markdown.units(prose, line - 1, docstring=True):
        yield replace(unit, near=f"{unit.near}\n{prose}")
    for place, row in code:
        yield Unit(row.strip()[4:], line + place, kind="code", near=prose)


def _comments(text: str) -> Iterator[Unit]:
    """Yield comments; lines that follow each other are one comment."""
    block: list[str] = []
    start = last = 0
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(text).readline))
    except (tokenize.TokenError, SyntaxError):
        return
    for token in tokens:
        if token.type != tokenize.COMMENT or _TOOL.match(token.string):
            continue
        row = token.start[0]
        if block and row != last + 1:
            yield _comment(block, start)
            block = []
        if not block:
            start = row
        block.append(token.string.lstrip("#:! ").rstrip())
        last = row
    if block:
        yield _comment(block, start)


def _comment(block: list[str], line: int) -> Unit:
    text = "\n".join(block)
    return Unit(text, line, near=text)


def _texts(tree: ast.AST) -> Iterator[Unit]:
    """Yield texts that users see: help, description, classifiers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg in _TEXT_KEYS:
                    for text, line in _strings(keyword.value):
                        yield Unit(text, line, near=text)


def _directives(tree: ast.AST) -> Iterator[Unit]:
    """Yield what the directives of a Spack package name: variants and dependencies."""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        if node.func.id in _DIRECTIVES and node.args:
            for text, line in _strings(node.args[0]):
                name = re.split(r"[@%+~^ ]", text)[0]
                yield Unit(name, line, leads=(node.func.id.replace("_", " "),), near=text)


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
            yield from fields.flatten((key,), value, lambda _v, n=node: n.lineno)


def _strings(node: ast.AST) -> Iterator[tuple[str, int]]:
    for child in ast.walk(node):
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield child.value, child.lineno

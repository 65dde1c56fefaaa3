# Language policy: EXEMPT from the Rust-path rule. Collects comments; no computation.
"""Read the comments of source files: a run of comment lines is one text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import PurePath

from hpcgate.claims.model import Document, Unit
from hpcgate.claims.readers import markdown

Hint = Callable[[str], bool]

__all__ = ["SUFFIXES", "read"]

_SLASHES = re.compile(r"\s*(?://[/!]?|/\*[*!]?|\*/|\*(?=\s|$))\s?(?P<text>.*?)(?:\*/)?$")
# Instructions to a tool, not prose: `//go:build`, `// +build`, `// eslint-disable`.
_TOOL = re.compile(r"\s*//\s?(?:go:|\+build|eslint|@ts-|nolint|prettier|clang-format)")
# In Rust a comment inside a body speaks to whoever changes the body; one at the margin is prose.
_DOC = re.compile(r"(?:\s*//[/!]|//(?=[^/!]|$))\s?(?P<text>.*?)$")
_HASH = re.compile(r"\s*#['!]?\s?(?P<text>.*)$")
_STYLES = {
    ".rs": _DOC,
    **dict.fromkeys((".h", ".c", ".go", ".cs", ".ts", ".js", ".hpp", ".mojo"), _SLASHES),
    **dict.fromkeys((".sh", ".r", ".jl", ".def", ".bash"), _HASH),
}
_TRIPLE = re.compile(r'^"""(?P<text>.*?)"""', re.MULTILINE | re.DOTALL)
_LEVEL = re.compile(r"\bH[0-4]\b|\(evidence: ")
# `LABEL org.opencontainers.image.description="..."`
_LABEL = re.compile(r"(?P<key>\w{1,60})\s*=\s*\"(?P<text>[^\"]{1,2000})\"")
_IMAGES = ("dockerfile", "containerfile")
_OURS = re.compile(r"\b(?:pymars|mars[-_])")
_NAMED = re.compile(r"([A-Z]\w*[a-z]\w*) (?=[a-z]+s )")
SUFFIXES = tuple(_STYLES)


def read(name: str, text: str, hint: Hint) -> Document:
    """Return the comments of a source file as Markdown units."""
    style = _STYLES.get(PurePath(name).suffix.lower(), _HASH)
    found = [*_units(text, style, hint)]
    if PurePath(name).suffix == ".jl":
        found += _quoted(text, hint)
    if PurePath(name).suffix in (".sh", ".bash"):
        found += _commands(text, hint)
    if PurePath(name).name.lower().endswith(_IMAGES):
        found += _labels(text)
    return Document(tuple(sorted(found, key=lambda unit: unit.line)))


def _commands(text: str, hint: Hint) -> Iterator[Unit]:
    """Yield the commands of a script as an example of how our tools are started."""
    for number, row in enumerate(text.split("\n"), 1):
        if not _HASH.match(row) and _OURS.search(row) and hint(row):
            yield Unit(row, number, kind="code", near=row)


def _labels(text: str) -> Iterator[Unit]:
    """Yield what the labels of an image say of it."""
    for number, row in enumerate(text.split("\n"), 1):
        for match in _LABEL.finditer(row) if row.lstrip().startswith("LABEL ") else ():
            yield Unit(match["text"], number, kind="field", leads=(match["key"],), near=row)


def _quoted(text: str, hint: Hint) -> Iterator[Unit]:
    """Yield the units of Julia docstrings, which stand in three quotes before a definition."""
    for match in _TRIPLE.finditer(text):
        whole = match["text"]
        if hint(whole) or _LEVEL.search(whole):
            above = text.count("\n", 0, match.start("text"))
            for unit in markdown.units(whole, above, docstring=True):
                yield replace(unit, near=f"{unit.near}\n{whole}")


def _units(text: str, style: re.Pattern[str], hint: Hint) -> Iterator[Unit]:
    block: list[str] = []
    start = 0
    for number, row in enumerate([*text.split("\n"), ""], 1):
        match = style.match(row)
        if match is not None and not row.startswith("#!") and not _TOOL.match(row):
            start = start if block else number
            block.append(match["text"])
        elif block:
            whole = _said_of("\n".join(block), row)
            if not whole.startswith("SAFETY:") and (hint(whole) or _LEVEL.search(whole)):
                for unit in markdown.units(whole, start - 1, docstring=True):
                    yield replace(unit, near=f"{unit.near}\n{whole}")
            block = []


def _said_of(text: str, below: str) -> str:
    """Return a comment that opens with the name of what it stands above, as in Go, without it."""
    match = _NAMED.match(text)
    if match is None or not re.search(rf"\b{match[1]}\b", below):
        return text
    return f"It {text[match.end() :]}"

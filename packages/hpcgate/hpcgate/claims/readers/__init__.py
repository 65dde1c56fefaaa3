# Language policy: EXEMPT from the Rust-path rule. Chooses a reader by file name; no computation.
"""Readers: one small module per family of files, all yielding the same units.

A reader knows the structure of its files (heading, list, cell, docstring, field) and nothing about
claims. A file that is not what its name says becomes a problem, never an exception.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import PurePath

from hpcgate.claims.model import Document, Problem
from hpcgate.claims.readers import comments, fields, markdown, python

__all__ = ["known", "read"]

Hint = Callable[[str], bool]
Reader = Callable[[str, str, Hint], Document]

_BY_SUFFIX: dict[str, Reader] = {
    **dict.fromkeys((".md", ".markdown", ".txt", ".rst", ".qmd", ".rmd"), markdown.read),
    **dict.fromkeys((".py", ".pyi"), python.read),
    ".eb": python.read_recipe,
    **dict.fromkeys((".yaml", ".yml", ".cff"), fields.read_yaml),
    ".json": fields.read_json,
    ".toml": fields.read_toml,
    **dict.fromkeys(comments.SUFFIXES, comments.read),
}
_BY_NAME: dict[str, Reader] = {
    "package.py": python.read_recipe,
    "README": markdown.read,
    "DESCRIPTION": fields.read_dcf,
    "Dockerfile": comments.read,
    "Containerfile": comments.read,
}
# A declaration, not a sentence that begins with the name of the field.
_LEVEL_LINE = re.compile(r"^\W{0,4}\s*hpc_level:\s*(?P<level>\S+)(?!\S|\s+\w+\s+\w)")


def known(path: PurePath) -> bool:
    """Whether a reader knows this kind of file.

    Examples
    --------
    >>> known(PurePath("docs/page.md")), known(PurePath("model.bin"))
    (True, False)
    """
    return _reader(path) is not None


def read(path: PurePath, text: str, hint: Hint = bool) -> Document:
    """Return a file as units; a kind that no reader knows is read as plain prose.

    Parameters
    ----------
    path : PurePath
        The name of the file, which decides the reader.
    text : str
        What the file holds.
    hint : callable
        Whether a text is worth cutting up; a reader may leave out what is not.

    Examples
    --------
    >>> [unit.text for unit in read(PurePath("a.md"), "# Title").units]
    ['Title']
    """
    reader = _reader(path) or markdown.read
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    first, _, rest = text.partition("\n")
    match = _LEVEL_LINE.match(first)
    if match is None or (reader is markdown.read and first.startswith("---")):
        return _guarded(reader, path.name, text, hint)
    # The level line is blanked so that line numbers stay right and JSON stays JSON.
    document = _guarded(reader, path.name, "\n" + rest, hint)
    level = parse_level(match["level"])
    if level is None:
        bad = Problem(1, f"hpc_level: {match['level']!r} is not one of H0, H1, H2, H3, H4")
        return Document(document.units, None, 1, (*document.problems, bad))
    return Document(document.units, level, 1, document.problems)


def _guarded(reader: Reader, name: str, text: str, hint: Hint) -> Document:
    try:
        return reader(name, text, hint)
    except RecursionError:
        return Document((), problems=(Problem(1, "nested too deeply to be read"),))


def parse_level(text: str) -> int | None:
    """Return the number of a level name, or None.

    Examples
    --------
    >>> parse_level("H3"), parse_level("high")
    (3, None)
    """
    return markdown.parse_level(text)


def _reader(path: PurePath) -> Reader | None:
    return _BY_NAME.get(path.name) or _BY_SUFFIX.get(path.suffix.lower())

# Language policy: EXEMPT from the Rust-path rule. Walks parsed data; no computation.
"""Read YAML, JSON and TOML by field: a value is read with the keys above it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import lru_cache
from importlib import import_module
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from hpcgate.claims.model import Document, Problem, Unit

Hint = Callable[[str], bool]

__all__ = ["flatten", "leaf", "read_dcf", "read_json", "read_toml", "read_yaml", "yaml_for"]

_COMMENT = re.compile(r"^\s*#\s?(?P<text>.*)$")
# A comment behind a value; a value in quotes may hold the mark itself.
_BEHIND = re.compile(r"[^#'\"]*[^#'\"\s]\s+#\s(?P<text>.*)$")
_DCF = re.compile(r"(?P<key>[A-Za-z][\w/@.-]*):\s?(?P<value>.*)$")
_DEEP = 1000
_ROW = 8
_NUMBERS = {int, float, type(None)}
_NESTED = re.compile(r"^(?: {200}|\s*(?:[-?:]\s+){50})", re.MULTILINE)
_NUMBER = re.compile(r"-?[\d.eE+-]+|null|NaN")
_GENERIC = frozenset(
    {
        "enabled",
        "supported",
        "available",
        "support",
        "default",
        "value",
        "present",
        "required",
        "enable",
        "status",
        "used",
        "stable",
        "ready",
        "capable",
        "frozen",
        "stability",
        "compatibility",
        "versioning",
        "guarantee",
        "promise",
        "state",
        "compatible",
        "backward_compatible",
        "backwards_compatible",
        "forward_compatible",
        "guaranteed",
        "versioned",
        "promised",
    }
)


def read_yaml(_name: str, text: str, _hint: Hint) -> Document:
    """Return the fields and comments of a YAML file."""
    found: list[Unit] = []
    problems: list[Problem] = []
    try:
        for root in yaml_for(text).compose_all(text):
            if root is not None:
                found += _nodes((), root, problems)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        return Document((), problems=(Problem(line, f"not YAML: {error.problem}"),))
    except (YAMLError, ValueError, RecursionError) as error:
        return Document((), problems=(Problem(1, f"not YAML: {error}"),))
    found += _comments(text)
    return Document(tuple(sorted(found, key=lambda u: u.line)), problems=tuple(problems))


def yaml_for(text: str) -> YAML:
    """Return the quick parser, or the careful one where the quick one would run out of stack."""
    deep = text.count("[") + text.count("{") > _DEEP or _NESTED.search(text) is not None
    return YAML(typ="safe", pure=deep)


def read_json(_name: str, text: str, hint: Hint) -> Document:
    """Return the fields of a JSON file."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        line = getattr(error, "lineno", 1)
        return Document((), problems=(Problem(line, f"not JSON: {error}"),))
    telling = lru_cache(maxsize=None)(hint)

    def speaks(keys: tuple[str, ...], value: Any) -> bool:
        """Whether a value is more than a number under a key that names nothing."""
        number = value is None or type(value) in _NUMBERS
        if number or (isinstance(value, str) and _NUMBER.fullmatch(value)):
            return telling((_spoken(keys) or ("",))[0])
        return True

    return Document(tuple(flatten((), data, _Finder(text, json.dumps), speaks)))


def read_toml(_name: str, text: str, _hint: Hint) -> Document:
    """Return the fields and comments of a TOML file."""
    # The standard library reads TOML from Python 3.11 on; tomli is the same reader.
    tomllib = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        data = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        match = re.search(r"line (\d+)", str(error))
        return Document(
            (), problems=(Problem(int(match[1]) if match else 1, f"not TOML: {error}"),)
        )
    found = [*flatten((), data, _Finder(text, str)), *_comments(text)]
    features = data.get("features")
    if isinstance(features, dict):
        # A feature of a crate is there to be switched on, also when it needs nothing else.
        for key in (key for key, needs in features.items() if not needs and key != "default"):
            place = max(text.find(f"\n{key}"), 0)
            said = _above(text[:place])
            for unit in leaf(("features", key), "true", text.count("\n", 0, place + 1) + 1):
                found.append(replace(unit, leads=(*unit.leads, *said)))
    return Document(tuple(sorted(found, key=lambda unit: unit.line)))


def _above(text: str) -> tuple[str, ...]:
    """Return the comment at the end of a text, which speaks of what comes next."""
    rows: list[str] = []
    for row in reversed(text.split("\n")):
        match = _COMMENT.match(row)
        if match is None:
            break
        rows.insert(0, match["text"])
    return ("\n".join(rows),) if rows else ()


def read_dcf(_name: str, text: str, _hint: Hint) -> Document:
    """Return the fields of an R `DESCRIPTION`: a key, a colon, and lines that are indented."""
    found: list[Unit] = []
    problems: list[Problem] = []
    key, value, start = "", "", 1
    for number, row in enumerate([*text.split("\n"), ""], 1):
        if row[:1].isspace() and row.strip() and key:
            value += f"\n{row.strip()}"
            continue
        if key:
            found += leaf((key,), value.strip(), start)
        field = _DCF.match(row)
        key, value, start = (field["key"], field["value"], number) if field else ("", "", number)
        if field is None and row.strip() and not row.startswith("#"):
            problems.append(Problem(number, "not a DESCRIPTION: neither a field nor its next line"))
    found += _comments(text)
    return Document(tuple(sorted(found, key=lambda u: u.line)), problems=tuple(problems[:1]))


def flatten(
    keys: tuple[str, ...],
    value: Any,
    line_of: Callable[[Any], int],
    speaks: Callable[[tuple[str, ...], Any], bool] = lambda *_: True,
) -> list[Unit]:
    """Return the units of plain data, depth first, without values that do not speak."""
    found: list[Unit] = []
    _flatten(keys, value, line_of, speaks, found)
    return found


def _flatten(
    keys: tuple[str, ...],
    value: Any,
    line_of: Callable[[Any], int],
    speaks: Callable[[tuple[str, ...], Any], bool],
    found: list[Unit],
) -> None:
    if isinstance(value, dict):
        # What stands beside a digest names a record or a file; it says nothing of its own.
        names = _REFERENCE if "sha256" in value else ()
        for key, inner in value.items():
            if key not in names:
                _flatten((*keys, str(key)), inner, line_of, speaks, found)
    elif isinstance(value, (list, tuple, set)):
        # A long row of numbers says what its first one says.
        numbers = len(value) > _ROW and _numeric(value)
        for inner in [*value][:1] if numbers else value:
            _flatten(keys, inner, line_of, speaks, found)
    elif speaks(keys, value):
        text = _WRITTEN[value] if value is None or isinstance(value, bool) else str(value)
        found += leaf(keys, text, line_of(value))


def _numeric(value: Collection[Any]) -> bool:
    """Whether a list holds nothing but numbers, or lists of numbers."""
    kinds = {*map(type, value)}
    if kinds <= _NUMBERS:
        return True
    return kinds == {list} and all({*map(type, inner)} <= _NUMBERS for inner in value)


_REFERENCE = ("check", "record", "path")
_WRITTEN = {True: "true", False: "false", None: "null"}


def leaf(keys: tuple[str, ...], text: str, line: int) -> Iterator[Unit]:
    """Yield the unit of one value; the nearest key speaks first."""
    names = _spoken(keys)
    yield Unit(text, line, kind="field", leads=names, headings=names, near=text)


@lru_cache(maxsize=4096)
def _spoken(keys: tuple[str, ...]) -> tuple[str, ...]:
    """Return keys as words, the nearest first; a general one speaks with the one above it."""
    names = [key if "/" in key else re.sub(r"[_\-.]+", " ", key) for key in reversed(keys)]
    if len(names) > 1 and names[0].lower().replace(" ", "_") in _GENERIC:
        names[:2] = [f"{names[1]} {names[0]}"]
    return tuple(names)


def _nodes(keys: tuple[str, ...], node: Node, problems: list[Problem]) -> Iterator[Unit]:
    if isinstance(node, MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = key.value if isinstance(key, ScalarNode) else "?"
            if name in seen and name != "<<":
                problems.append(Problem(key.start_mark.line + 1, f"not YAML: {name!r} is repeated"))
            seen.add(name)
            yield from _nodes((*keys, name), value, problems)
    elif isinstance(node, SequenceNode):
        for value in node.value:
            yield from _nodes(keys, value, problems)
    elif isinstance(node, ScalarNode):
        block = node.style in ("|", ">")
        yield from leaf(keys, str(node.value), node.start_mark.line + 1 + block)


def _comments(text: str) -> Iterator[Unit]:
    """Yield comments; whole lines that follow each other are one comment."""
    block: list[str] = []
    start = 0
    for number, row in enumerate([*text.split("\n"), ""], 1):
        match = _COMMENT.match(row)
        if match is not None:
            start = start if block else number
            block.append(match["text"])
        elif block:
            joined = "\n".join(block)
            yield Unit(joined, start, near=joined)
            block = []
        if match is None and (behind := _BEHIND.match(row)):
            yield Unit(behind["text"], number, near=behind["text"])


class _Finder:
    """Find the line of a value by its text, searching onwards from the last hit."""

    def __init__(self, text: str, write: Callable[[Any], str]) -> None:
        self.text = text
        self.write = write
        self.place = 0
        self.line = 1

    def __call__(self, value: Any) -> int:
        if isinstance(value, str) and value:
            first = self.write(value).strip().split("\n")[0]
            found = self.text.find(first, self.place)
            if found >= 0:
                self.line += self.text.count("\n", self.place, found)
                self.place = found
        return self.line

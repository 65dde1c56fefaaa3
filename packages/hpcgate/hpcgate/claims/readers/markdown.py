# Language policy: EXEMPT from the Rust-path rule. Walks a parsed page; no computation.
"""Read Markdown by structure: heading with next block, list with lead-in, cell with header."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from hpcgate.claims.model import Document, Problem, Row, Unit
from hpcgate.claims.readers.fields import read_yaml, yaml_for

Hint = Callable[[str], bool]

__all__ = ["parse_level", "read", "units"]

_MARKS = re.compile(r"[\\`*_\[\]!<>&~]|https?:")
_FOLD = re.compile(r" *\n *")
_BOX = re.compile(r"\[(?P<mark>[ xX])\]\s+")
# A level, a citation, a cell that ends in a time, one about copies, or one of several addresses.
_TELLS = re.compile(
    r"\bH[0-4]\b|\(evidence: |:\d{2,5}[,;]"
    r"|\| *[Cc]op(?:ied|ies) *\|"
    r"|[\d(\[,] ?(?:[nmuµμ]?s|sec|seconds|min|minutes|h|hours)[)\]]?[ \t]*\|"
)
_TAG = re.compile(r"<!--(?:[^-]|-(?!->)){0,4000}-->|<[^<>]{0,1000}>")
_ALT = re.compile(r"<img\b[^<>]{0,500}?\balt=\"([^\"<>]{0,1000})\"[^<>]{0,500}>", re.IGNORECASE)
_BADGE = re.compile(r"/badge/(?P<text>[^/?#]{1,200})")
_PROSE_FENCES = frozenset({"text", "txt", "markdown", "md", "quote"})


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    parser.core.ruler.at("inline", _read_inline)
    return parser


def _read_inline(state: StateCore) -> None:
    """Read the words of blocks; what holds no mark of Markdown is one text."""
    for token in state.tokens:
        if token.type == "inline" and token.children is not None:
            if _MARKS.search(token.content):
                state.md.inline.parse(token.content, state.md, state.env, token.children)
            else:
                plain = _FOLD.sub("\n", token.content)
                token.children.append(Token("text", "", 0, content=plain))


def read(name: str, text: str, hint: Hint) -> Document:
    """Return a page as units, with the level its front matter declares."""
    declared, problems, body, skipped = _front_matter(text)
    found = tuple(units(body, skipped)) if hint(body) or _TELLS.search(body) else ()
    head = "\n".join(text.split("\n", skipped)[1:skipped]) if skipped else ""
    if not problems and hint(head):
        # Title, description and tags of a page are shown to readers, too.
        fields = read_yaml(name, head, hint).units
        found = (*(replace(unit, line=unit.line + 1) for unit in fields), *found)
    return Document(found, declared, 1, tuple(problems))


def units(text: str, offset: int = 0, *, docstring: bool = False) -> Iterator[Unit]:
    """Yield the units of Markdown text; `offset` lines come before it."""
    yield from _Walk(offset, docstring).blocks(_tree(_parser().parse(text)), (), ())


def parse_level(text: str) -> int | None:
    """Return the number of a level name such as `H3` or `3`, or None."""
    match = re.fullmatch(r"[\"']?H?([0-4])[\"']?", str(text).strip())
    return int(match[1]) if match else None


def _front_matter(text: str) -> tuple[int | None, list[Problem], str, int]:
    """Split off front matter; return level, problems, the rest, and the lines taken."""
    if not re.match(r"---[ \t]*\n", text):
        return None, [], text, 0
    end = re.search(r"^(?:---|\.\.\.)[ \t]*$", text[4:], re.MULTILINE)
    if end is None:
        # A page may begin with a rule; only something like a key makes it front matter.
        if re.match(r"---[ \t]*\n\s*[\w-]+\s*:", text):
            return None, [Problem(1, "the front matter is never closed with `---`")], text, 0
        return None, [], text, 0
    head, body = text[4 : 4 + end.start()], text[4 + end.end() :]
    lines = text[: 4 + end.end()].count("\n")
    try:
        data = yaml_for(head).load(head)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 2 if mark else 1
        return None, [Problem(line, f"the front matter is not YAML: {error.problem}")], body, lines
    except (YAMLError, ValueError, RecursionError) as error:
        return None, [Problem(1, f"the front matter is not YAML: {error}")], body, lines
    if data is None:
        return None, [], body, lines
    if not isinstance(data, dict):
        return None, [Problem(1, "the front matter is not a mapping")], body, lines
    if "hpc_level" not in data:
        return None, [], body, lines
    level = parse_level(data["hpc_level"])
    if level is None:
        said = Problem(1, f"hpc_level: {data['hpc_level']!r} is not one of H0, H1, H2, H3, H4")
        return None, [said], body, lines
    return level, [], body, lines


class _Block:
    """A block of a page with the blocks inside it; a block of words holds them as tokens."""

    __slots__ = ("children", "content", "info", "map", "tag", "type", "words")

    def __init__(self, token: Token) -> None:
        self.type = token.type.removesuffix("_open")
        self.tag, self.info, self.content = token.tag, token.info, token.content
        self.map = token.map
        self.words = token.children or []
        self.children: list[_Block] = []


def _tree(tokens: Sequence[Token]) -> list[_Block]:
    """Return the outer blocks of a parsed page."""
    outer: list[_Block] = []
    open_lists = [outer]
    for token in tokens:
        if token.nesting < 0:
            open_lists.pop()
            continue
        block = _Block(token)
        open_lists[-1].append(block)
        if token.nesting > 0:
            open_lists.append(block.children)
    return outer


class _Walk:
    """Visit blocks in order and remember what introduces what."""

    def __init__(self, offset: int, docstring: bool) -> None:
        self.offset = offset
        self.docstring = docstring
        self.headings: list[tuple[int, str]] = []

    def blocks(
        self, nodes: Sequence[_Block], leads: tuple[str, ...], near: tuple[str, ...]
    ) -> Iterator[Unit]:
        """Yield the units of sibling blocks."""
        before = ""
        answers = -1
        for place, node in enumerate(nodes):
            if place == answers:
                continue
            below = nodes[place + 1] if place + 1 < len(nodes) else None
            introduced = ((before,) if before else ()) + leads
            if node.type == "heading":
                yield self._heading(node, below, leads)
                before = ""
                continue
            if below is not None and below.type == "paragraph" and (asked := _question(node)):
                answers = place + 1
                yield from self.blocks(node.children[:-1], introduced, near)
                yield self._exchange(asked, below, leads, near)
                before = ""
                continue
            if node.type == "paragraph":
                text = _inline(node)
                yield self._unit(text, node, leads, near)
                before = text if _introduces(text) else ""
                continue
            found = self._block(node, introduced, near)
            behind = _inline(below) if below is not None and below.type == "paragraph" else ""
            if behind and node.type in ("blockquote", "fence"):
                found = (replace(unit, behind=behind) for unit in found)
            yield from found
            before = ""

    def _exchange(
        self, asked: _Block, below: _Block, leads: tuple[str, ...], near: tuple[str, ...]
    ) -> Unit:
        """Return a question with the paragraph that answers it, each on its own lines."""
        gap = (below.map[0] - asked.map[0]) if below.map and asked.map else 1
        question = _inline(asked)
        text = question + "\n" * max(1, gap - question.count("\n")) + _inline(below)
        return self._unit(text, asked, leads, near)

    def _block(self, node: _Block, leads: tuple[str, ...], near: tuple[str, ...]) -> Iterator[Unit]:
        if node.type in ("bullet_list", "ordered_list"):
            for item in node.children:
                yield from self._item(item, leads, near)
        elif node.type == "table":
            yield from self._table(node, leads, near)
        elif node.type in ("fence", "code_block"):
            prose = (
                node.info.strip().lower() in _PROSE_FENCES
                if node.type == "fence"
                else (self.docstring)
            )
            unit = self._unit(node.content, node, leads, near)
            yield unit if prose else replace(unit, kind="code")
        elif node.type == "html_block":
            text = _TAG.sub(" ", _ALT.sub(r" \1. ", node.content))
            if text.strip():
                yield self._unit(text, node, leads, near)
        elif node.children:
            yield from self.blocks(node.children, leads, near)

    def _item(self, item: _Block, leads: tuple[str, ...], near: tuple[str, ...]) -> Iterator[Unit]:
        children = list(item.children)
        whole = " ".join(_inline(child) for child in children if child.type == "paragraph")
        beside = (*near, *leads[:1], whole)
        if not children or children[0].type != "paragraph":
            yield from self.blocks(children, leads, beside)
            return
        text = _inline(children[0])
        box = _BOX.match(text)
        unit = self._unit(text[box.end() :] if box else text, item, leads, beside)
        if box:
            unit = replace(unit, state="open" if box["mark"] == " " else "done")
        yield unit
        yield from self.blocks(children[1:], (text, *leads), beside)

    def _heading(self, node: _Block, below: _Block | None, leads: tuple[str, ...]) -> Unit:
        level, text = int(node.tag[1]), _inline(node)
        while self.headings and self.headings[-1][0] >= level:
            self.headings.pop()
        after = _plain(below) if below is not None and below.type != "heading" else ""
        unit = self._unit(text, node, leads, (after,))
        self.headings.append((level, text))
        return replace(unit, kind="heading", after=after)

    def _table(self, node: _Block, leads: tuple[str, ...], near: tuple[str, ...]) -> Iterator[Unit]:
        rows = [row for part in node.children for row in part.children]
        headers = tuple(_inline(cell) for cell in rows[0].children)
        for row in rows[1:]:
            cells = tuple(_inline(cell) for cell in row.children)
            unit = self._unit(" | ".join(cells), row, leads, (*near, *leads[:1], *headers))
            yield replace(unit, kind="row", row=Row(cells, headers))

    def _unit(self, text: str, node: _Block, leads: tuple[str, ...], near: tuple[str, ...]) -> Unit:
        line = (node.map[0] if node.map else 0) + 1 + self.offset
        titles = tuple(title for _, title in reversed(self.headings))
        beside = "\n".join((*titles[:1], *near, text))
        return Unit(text, line, leads=leads, headings=titles, near=beside)


def _question(node: _Block) -> _Block | None:
    """Return the paragraph that asks something at the end of a block."""
    last = node.children[-1] if node.type == "blockquote" and node.children else node
    asks = last.type == "paragraph" and _inline(last).rstrip("*_` ").endswith("?")
    return last if asks else None


def _introduces(text: str) -> bool:
    """Whether a paragraph leads into the block below it: a colon, or a short phrase."""
    bare = text.rstrip("*_` ")
    return bare.endswith((":", "…", "?")) or not bare.endswith((".", "!")) or len(bare.split()) < 6


def _inline(node: _Block) -> str:
    """Return the words of a block as a reader sees them; code keeps its backticks."""
    return "".join(_seen(node)).strip()


def _seen(node: _Block) -> Iterator[str]:
    yield from _words(node.words)
    for child in node.children:
        yield from _seen(child)


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    """Yield the words of inline tokens; struck text is not there."""
    struck = 0
    for token in tokens:
        if token.type in ("s_open", "s_close"):
            struck += token.nesting
        elif struck:
            continue
        elif token.type == "text":
            yield token.content
        elif token.type == "code_inline":
            yield f"`{token.content}`"
        elif token.type in ("softbreak", "hardbreak"):
            yield "\n"
        elif token.type == "image":
            yield from _words(token.children or ())
            if not token.children:
                yield token.content or _badge(str(token.attrs.get("src", "")))


def _badge(address: str) -> str:
    """Return what a badge without a description shows: `/badge/tests-9-green`."""
    shown = _BADGE.search(address)
    return " ".join(re.split(r"[-_]|%20", shown["text"])[:-1]) if shown else ""


def _plain(node: _Block) -> str:
    """Return the words of the first part of a block."""
    if node.type in ("fence", "code_block", "table", "html_block"):
        return "See below." if node.type != "html_block" else ""
    if node.type in ("bullet_list", "ordered_list", "blockquote") and node.children:
        return ". ".join(_inline(child) for child in node.children)
    return _inline(node)

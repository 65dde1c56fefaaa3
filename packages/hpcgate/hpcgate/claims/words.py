# Language policy: EXEMPT from the Rust-path rule. Splits prose into words; no numeric work.
"""Words, sentences and phrases: how a text is cut up before it is judged.

Phrases from `packaging/claims.yaml` live in one tree of words, so that a sentence is read once
whatever the number of phrases.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = [
    "Match",
    "Phrases",
    "Sentence",
    "Word",
    "first_sentence",
    "sentences",
    "split_words",
    "word_set",
]


def word_set(text: str) -> frozenset[str]:
    """Return the words of a text as a set, to write sets of words as prose.

    Examples
    --------
    >>> sorted(word_set("and or"))
    ['and', 'or']
    """
    return frozenset(text.split())


_ENDINGS = "md|py|pyi|rs|ya?ml|toml|json|eb|sh|lock|txt|cff|h|c|gz|crate|whl|html|r|jl|go|ts|cs"
# Paths, sessions and ids of the contract are names of things here, whatever words they hold.
_NAMES = (
    rf"(?:[\w.*{{}}-]{{1,60}}/){{0,12}}[\w*-]{{1,60}}\.(?:{_ENDINGS})\b(?!\()"
    r"|[\w.-]{1,60}/[\w./-]{0,120}\*[\w./*-]{0,120}|nox -[st] [\w-]{1,60}"
    r"|\b[hH][0-4]-(?!ready|certified|compliant|capable|conformant|complete)[a-z-]{1,60}\b"
)
_WORD = re.compile(
    rf"(?P<name>{_NAMES})|"
    r"(?P<number>\d+(?:[.,]\d+)*)(?P<unit>[A-Za-z×%]*)"
    r"|(?P<word>[^\W\d_]\w*?)(?P<not>n['’]t)\b"
    r"|(?P<plain>[^\W\d_][^\W_]*)(?:['’](?:s|re|ve|ll|d|m)\b)?"
    r"|(?P<dash>\s--?\s|—|–)"
    r"|(?P<mark>[^\w\s`*_\-])|(?P<hyphens>--)"
)
_BREAK = re.compile(r"(?<=[.!?])[\"”')\]]*\s+(?=[\"“'(\[`*_]*[A-Z0-9])|(?<=[.!?])[\"”')\]]*\s*$")
_SHORT = re.compile(
    r"(?:\b(?:e\.g|i\.e|et al|vs|cf|Fig|fig|approx|resp|Dr|Prof|Eq|Sec|incl)|\b[A-Z])\.$"
)
_IRREGULAR = {"ca": "can", "wo": "will", "sha": "shall", "cannot": "can not"}
_GAP = 3
_LONGEST = 200
_SHORTEST_PLURAL = 3
_SIBILANTS = ("ses", "xes", "zes", "ches", "shes")


class Word(NamedTuple):
    """One word or mark: as written, in lower case, and where it stands."""

    text: str
    low: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with its words; `start` counts characters from the start of the text."""

    text: str
    start: int
    words: tuple[Word, ...]

    @property
    def question(self) -> bool:
        """Whether it ends with a question mark."""
        return self.text.rstrip("\"')*_ ”").endswith("?")


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase found in a sentence: its key and the words it covers."""

    key: str
    start: int
    end: int


def split_words(text: str) -> tuple[Word, ...]:
    """Return the words and marks of a text; contractions are opened, hyphens separate.

    Examples
    --------
    >>> [word.low for word in split_words("It can't use two-way terms.")]
    ['it', 'can', 'not', 'use', 'two', 'way', 'terms', '.']
    """
    found: list[Word] = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        if match["name"]:
            found.append(Word("path", "path", start, end))
        elif match["number"]:
            found.append(Word(match[0], match[0].lower(), start, end))
        elif match["not"]:
            stem = match["word"].lower()
            found.append(Word(match["word"], _IRREGULAR.get(stem, stem), start, end))
            found.append(Word("not", "not", start, end))
        elif match["plain"]:
            low = match["plain"].lower()
            if low == "cannot":
                found.append(Word("can", "can", start, end))
                found.append(Word("not", "not", start, end))
            else:
                found.append(Word(match["plain"], low, start, end))
        elif match["dash"]:
            found.append(Word("—", "—", start, end))
        elif match["mark"]:
            found.append(Word(match[0], match[0], start, end))
    return tuple(found)


def sentences(text: str) -> list[Sentence]:
    r"""Cut a text into sentences; a line break inside a sentence is a space.

    Examples
    --------
    >>> [s.text for s in sentences("It runs, e.g. on Linux. It is\nsmall.")]
    ['It runs, e.g. on Linux.', 'It is\nsmall.']
    """
    return list(_sentences(text))


def first_sentence(text: str) -> Sentence | None:
    """Return the first sentence without reading the others.

    Examples
    --------
    >>> first_sentence("No. It does not.").text
    'No.'
    """
    return next(_sentences(text), None)


def _sentences(text: str) -> Iterator[Sentence]:
    start = 0
    for match in _BREAK.finditer(text):
        end = match.end()
        piece = text[start:end]
        if _SHORT.search(piece.rstrip()[-8:]) and end < len(text):
            continue
        yield from _pieces(piece, start)
        start = end
    yield from _pieces(text[start:], start)


def _pieces(piece: str, start: int) -> Iterator[Sentence]:
    """Yield a sentence, or parts of one that is too long to be read in one go."""
    body = piece.strip()
    if not body:
        return
    start += len(piece) - len(piece.lstrip())
    words = split_words(body)
    if len(words) <= _LONGEST:
        yield Sentence(body, start, words)
        return
    for first in range(0, len(words), _LONGEST):
        part = words[first : first + _LONGEST]
        begin = part[0].start
        moved = tuple(w._replace(start=w.start - begin, end=w.end - begin) for w in part)
        yield Sentence(body[begin : part[-1].end], start + begin, moved)


@dataclass(slots=True)
class _Node:
    next: dict[str, _Node] = field(default_factory=dict)
    gap: _Node | None = None
    keys: list[tuple[str, tuple[tuple[int, str], ...]]] = field(default_factory=list)


class Phrases:
    """A set of phrases that finds itself in a sentence.

    Parameters
    ----------
    phrases : iterable of (key, phrase)
        The phrase syntax is described at the top of `packaging/claims.yaml`.
    classes : mapping
        The phrases that a `{class}` stands for.

    Examples
    --------
    >>> phrases = Phrases([("nodes", "{many} node")], {"many": ["two/three"]})
    >>> [match.key for match in phrases.find(split_words("on two nodes"))]
    ['nodes']
    """

    def __init__(
        self, phrases: Iterable[tuple[str, str]], classes: Mapping[str, Sequence[str]]
    ) -> None:
        self._root = _Node()
        anchors: set[str] = set()
        for key, phrase in phrases:
            for steps in _expand(phrase, classes):
                self._add(key, steps)
                anchors.update(_anchor(steps))
        self._anchors = frozenset(anchors)

    def may_occur(self, text: str) -> bool:
        """Whether a text holds a word without which no phrase can occur; cheap and never wrong."""
        for word in set(_LETTERS.findall(text.lower())):
            if word in self._anchors or (
                word[-1] == "s" and (word[:-1] in self._anchors or word[:-2] in self._anchors)
            ):
                return True
        return bool(_MEASURE.search(text))

    def find(self, words: Sequence[Word]) -> list[Match]:
        """Return every phrase found, in order; of phrases of one key the longest per start."""
        found: list[Match] = []
        for start in range(len(words)):
            ends: dict[str, int] = {}
            for key, end in self._walk(self._root, words, start, start):
                if end > ends.get(key, start):
                    ends[key] = end
            found.extend(Match(key, start, end) for key, end in ends.items())
        return found

    def any(self, words: Sequence[Word]) -> bool:
        """Whether one of the phrases occurs."""
        return any(
            True for start in range(len(words)) for _ in self._walk(self._root, words, start, start)
        )

    def _add(self, key: str, steps: list[tuple[str, ...]]) -> None:
        nodes = [self._root]
        exact: list[tuple[int, str]] = []
        place = 0
        for options in steps:
            if options == ("..",):
                for node in nodes:
                    node.gap = node.gap or _Node()
                nodes = [node.gap for node in nodes if node.gap]
                continue
            capital = [o for o in options if o != o.lower() and ("..",) not in steps]
            exact += [(place, option) for option in capital]
            nodes = [
                node.next.setdefault(option.lower(), _Node())
                for node in nodes
                for option in options
            ]
            place += 1
        for node in nodes:
            node.keys.append((key, tuple(exact)))

    def _walk(
        self, node: _Node, words: Sequence[Word], at: int, start: int
    ) -> Iterator[tuple[str, int]]:
        for key, exact in node.keys:
            if all(
                words[start + place].text.rstrip("s") == text.rstrip("s") for place, text in exact
            ):
                yield key, at
        if at < len(words):
            for step in _readings(words[at].low):
                if (following := node.next.get(step)) is not None:
                    yield from self._walk(following, words, at + 1, start)
        if node.gap is not None:
            for skip in range(_GAP + 1):
                if at + skip > len(words) or (skip and words[at + skip - 1].low in _STOPS):
                    break
                yield from self._walk(node.gap, words, at + skip, start)


_STOPS = frozenset(".;:!?—()")


def _readings(low: str) -> Iterator[str]:
    """Yield the steps a word may take: itself, its singular, its class."""
    yield low
    if low[0].isdigit():
        yield from _number_readings(low)
    elif low[0].isalpha():
        yield "_"
        if low[-1] == "s" and len(low) > _SHORTEST_PLURAL and low[-2] != "s":
            yield low[:-1]
            if low.endswith(_SIBILANTS) and len(low) > _SHORTEST_PLURAL + 2:
                yield low[:-2]


def _number_readings(low: str) -> Iterator[str]:
    digits = low.rstrip("abcdefghijklmnopqrstuvwxyz×%")
    unit = low[len(digits) :]
    number = digits.replace(",", "")
    above_one = number.strip("01.") != "" or len(number.split(".")[0]) > 1
    if not unit and above_one:
        yield "<num>"
    elif unit in ("x", "×"):
        yield "<times>"
    elif unit in ("ms", "us", "ns", "s"):
        yield "<ms>"
    elif unit in ("k", "m") and above_one:
        yield "<num>"


def _expand(phrase: str, classes: Mapping[str, Sequence[str]]) -> Iterator[list[tuple[str, ...]]]:
    """Yield the step lists of a phrase: classes and phrase choices replaced, word choices kept."""
    choice = _CHOICE.search(phrase)
    if choice is None:
        yield [tuple(step.split("/")) for step in phrase.split()]
        return
    options = classes[choice["name"]] if choice["name"] else choice["options"].split("|")
    for option in options:
        yield from _expand(f"{phrase[: choice.start()]}{option}{phrase[choice.end() :]}", classes)


def _anchor(steps: list[tuple[str, ...]]) -> tuple[str, ...]:
    """Return the step of a phrase that rules out most texts: rare words, then long ones."""
    if any(option in ("<ms>", "<times>") for step in steps for option in step):
        return ()
    plain = [step for step in steps if not any(s[:1] in "<._" for s in step)]
    best = max(plain, key=lambda step: (not _COMMON & {*step}, min(map(len, step))), default=())
    return tuple(word.lower() for word in best)


_COMMON = word_set(
    "a an the in on of to from by with without not never no nothing one two all each every "
    "other only any number version versions release releases level python language library "
    "place second compiled built reads same new later is are more less than before under over "
    "across between"
)


_LETTERS = re.compile(r"[a-z]+[0-9]*[a-z]*|[0-9]")
_MEASURE = re.compile(r"\d\s?(?:[x×]|[mun]?s)\b")
_CHOICE = re.compile(r"\{(?P<name>[^}]+)\}|\((?P<options>[^)]+)\)")

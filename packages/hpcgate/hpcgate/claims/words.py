# Language policy: EXEMPT from the Rust-path rule. Splits prose into words; no numeric work.
"""Words and sentences: how a text is cut up before it is judged."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

__all__ = [
    "JOINED",
    "Match",
    "Sentence",
    "Word",
    "first_sentence",
    "readings",
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
_SHAPES = (
    r"(?P<plain>[^\W\d_][^\W_]*)(?:['’](?:s|re|ve|ll|d|m)\b)?"
    r"|(?P<size>\d+[x×]\d+\w*)"
    r"|(?P<number>\d+(?:[.,]\d+)*)(?P<unit>[A-Za-z×%]*)"
    r"|(?P<dash>\s--?\s|—|–)"
    r"|(?P<mark>[^\w\s`*_\-])|(?P<hyphens>--)"
)
# A citation, as in a paper, is no part of its sentence.
_WORD = re.compile(
    rf"(?P<cited>\[-?@[^\]\n]{{1,200}}\])|(?P<name>{_NAMES})|(?P<word>[^\W\d_]\w*?)(?P<not>n['’]t)\b|{_SHAPES}"
)
# Most texts hold no name and no contraction, and are not searched for them at each word.
_PLAIN = re.compile(_SHAPES)
_UNCOMMON = re.compile(
    rf"\.(?:{_ENDINGS})\b|/[\w./-]{{0,120}}\*|nox -|[hH][0-4]-|\[-?@|[^\W\d_]n['’]t\b"
)
_BREAK = re.compile(r"(?<=[.!?])[\"”')\]]*\s+(?=[\"“'(\[`*_]*[A-Z0-9])|(?<=[.!?])[\"”')\]]*\s*$")
_SHORT = re.compile(
    r"(?:\b(?:e\.g|i\.e|et al|vs|cf|Fig|fig|approx|resp|Dr|Prof|Eq|Sec|incl)|\b[A-Z])\.$"
)
_IRREGULAR = {"ca": "can", "wo": "will", "sha": "shall", "cannot": "can not"}
# A prefix written together is read as two words: `multigpu` as `multi gpu`.
JOINED = re.compile(
    r"(?:multi|hyper|inter|intra|cross|single)(?=(?:gpu|node|host|machine|core|cpu|thread|device|card"
    r"|socket|cluster|rank|server|process|accelerator|worker|vendor|site)(?:s|ed|ing|ors?|es)?$)"
)
_LONGEST = 200
# So many characters are read in one go, whatever the number of their words.
_BRIEF = 400
_SHORTEST_PLURAL = 3
_STEM = 3
_KEPT = 100
# The largest count that is read as one of a single host.
_ONE_HOST = 1000
_SIBILANTS = ("ses", "xes", "zes", "ches", "shes")


class Word(NamedTuple):
    """One word or mark: as written, in lower case, and where it stands."""

    text: str
    low: str
    start: int
    end: int


class Sentence:
    """A sentence; `start` counts characters from the start of the text."""

    __slots__ = ("_words", "start", "text")

    def __init__(self, text: str, start: int, words: tuple[Word, ...] | None = None) -> None:
        self.text = text
        self.start = start
        self._words = words

    @property
    def words(self) -> tuple[Word, ...]:
        """Its words, cut up when somebody asks for them: most sentences name no capability."""
        if self._words is None:
            self._words = split_words(self.text)
        return self._words

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
    return _short(text) if len(text) <= _KEPT else _split(text)


def _split(text: str) -> tuple[Word, ...]:
    found: list[Word] = []
    pattern = _WORD if _UNCOMMON.search(text) else _PLAIN
    for match in pattern.finditer(text):
        start, end = match.span()
        kind = match.lastgroup
        if kind == "plain":
            low = match["plain"].lower()
            if low == "cannot":
                found.append(Word("can", "can", start, end))
                found.append(Word("not", "not", start, end))
            elif joined := JOINED.match(low):
                middle = start + joined.end()
                found.append(Word(match["plain"][: joined.end()], joined[0], start, middle))
                rest = match["plain"][joined.end() :]
                found.append(Word(rest, rest.lower(), middle, end))
            else:
                found.append(Word(match["plain"], low, start, end))
        elif kind == "mark":
            found.append(Word(match[0], match[0], start, end))
        elif kind == "unit":
            found.append(Word(match[0], match[0].lower(), start, end))
        elif kind == "dash":
            found.append(Word("—", "—", start, end))
        elif kind == "not":
            stem = _IRREGULAR.get(match["word"].lower(), match["word"])
            found.append(Word(stem, stem.lower(), start, end))
            found.append(Word("not", "not", start, end))
        elif kind in ("name", "size"):
            word = "path" if kind == "name" else kind
            found.append(Word(word, word, start, end))
    return tuple(found)


@lru_cache(maxsize=16384)
def _short(text: str) -> tuple[Word, ...]:
    """Split keys, titles and cells, which come again and again, only once."""
    return _split(text)


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
    if len(body) <= _BRIEF:
        yield Sentence(body, start)
        return
    words = split_words(body)
    if len(words) <= _LONGEST:
        yield Sentence(body, start, words)
        return
    for first in range(0, len(words), _LONGEST):
        part = words[first : first + _LONGEST]
        begin = part[0].start
        moved = tuple(w._replace(start=w.start - begin, end=w.end - begin) for w in part)
        yield Sentence(body[begin : part[-1].end], start + begin, moved)


@lru_cache(maxsize=65536)
def readings(low: str) -> tuple[str, ...]:
    """Return the steps a word may take: itself, its singular, its stem, its class."""
    if low[0].isdecimal():
        return (low, *_number_readings(low))
    if not low[0].isalpha():
        return (low,)
    steps = [low, "_"]
    if "iz" in low:
        steps.append(low.replace("iz", "is"))
    if low[-1].isdigit() and len(stem := low.rstrip("0123456789")) >= _STEM:
        steps.append(stem)
    if low[-1] == "s" and len(low) > _SHORTEST_PLURAL and low[-2] != "s":
        steps.append(low[:-1])
        if low.endswith(_SIBILANTS) and len(low) > _SHORTEST_PLURAL + 2:
            steps.append(low[:-2])
    return tuple(steps)


def _number_readings(low: str) -> Iterator[str]:
    digits = low.rstrip("abcdefghijklmnopqrstuvwxyz×%")
    unit = low[len(digits) :]
    number = digits.replace(",", "")
    above_one = number.strip("01.") != "" or len(number.split(".")[0]) > 1
    if above_one and unit in ("", "k", "m") and _size(number, unit) > _ONE_HOST:
        yield "<big>"
    if not unit and above_one:
        yield "<num>"
    elif unit in ("x", "×"):
        yield "<times>"
    elif unit == "%":
        yield "<percent>"
    elif unit in ("ms", "us", "ns", "s"):
        yield "<ms>"
    elif unit in ("k", "m") and above_one:
        yield "<num>"


def _size(number: str, unit: str) -> float:
    whole = number.split(".")[0]
    return int(whole[:12] or 0) * {"": 1, "k": 1000, "m": 1000000}[unit]

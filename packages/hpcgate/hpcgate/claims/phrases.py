# Language policy: EXEMPT from the Rust-path rule. Finds phrases in sentences; no numeric work.
"""Phrases of the lexicon: all of them are followed at once, word by word.

A phrase is a sequence of steps. A step is a set of words, a gap of up to three words, or a choice
between sequences; a class is a choice that all phrases share. Nothing is written out: places and
states come into being when a text reaches them and are kept, so that a word costs one look-up and
loading grows with the lexicon, not with the number of its combinations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from hpcgate.claims.words import JOINED, Match, Word, readings

__all__ = ["Choice", "Items", "Phrases", "forms", "parser_of"]

# The words of a step; a value is the exact spelling that is asked for.
Step = dict[str, str | None]
Items = tuple["Step | Choice | Gap", ...]


class Gap:
    """Up to three words of any kind."""


class Choice:
    """One of several sequences, with the words they may begin with."""

    __slots__ = ("first", "options")

    def __init__(self, options: tuple[Items, ...]) -> None:
        self.options = options
        self.first = frozenset(word for option in options for word in _first(option))


class _Place:
    """A place in a phrase, and where the phrase goes on behind the sequence it stands in."""

    __slots__ = ("_moves", "after", "at", "items", "key", "skips")

    def __init__(
        self, key: str, items: Items, at: int, after: _Place | None, skips: int = 0
    ) -> None:
        self.key = key
        self.items = items
        self.at = at
        self.after = after
        self.skips = skips
        self._moves: tuple[list[tuple[Step | None, _Place]], bool] | None = None

    def moves(self) -> tuple[list[tuple[Step | None, _Place]], bool]:
        """Return where a word may lead from here, and whether the phrase may end here."""
        if self._moves is None:
            self._moves = self._open()
        return self._moves

    def _open(self) -> tuple[list[tuple[Step | None, _Place]], bool]:
        if self.at == len(self.items):
            return self.after.moves() if self.after is not None else ([], True)
        item = self.items[self.at]
        following = _Place(self.key, self.items, self.at + 1, self.after)
        if isinstance(item, dict):
            return [(item, following)], False
        opened: list[tuple[Step | None, _Place]] = []
        ends = False
        if isinstance(item, Choice):
            ways = [_Place(self.key, option, 0, following) for option in item.options]
        else:
            ways = [following]
            if self.skips < _GAP:
                longer = _Place(self.key, self.items, self.at, self.after, self.skips + 1)
                opened.append((None, longer))
        for way in ways:
            more, end = way.moves()
            opened += more
            ends = ends or end
        return opened, ends


class _State:
    """What may follow at one word: the phrases that end here and where each next word leads."""

    __slots__ = ("_gaps", "_steps", "edges", "keys", "places")

    def __init__(self, places: frozenset[_Place]) -> None:
        self.places = places
        self.edges: dict[str, _State | None] = {}
        self.keys = tuple({place.key for place in places if place.moves()[1]})
        self._steps: Moves | None = None
        self._gaps: tuple[_Place, ...] = ()

    def reached(self, word: Word) -> set[_Place]:
        """Return the places that a word leads to."""
        if self._steps is None:
            self._steps = {}
            opened = [move for place in self.places for move in place.moves()[0]]
            self._gaps = tuple(following for step, following in opened if step is None)
            _add(self._steps, opened)
        found = _taken(self._steps, word)
        if self._gaps and word.low not in _STOPS:
            found.update(self._gaps)
        return found


# For each word of a step the exact spelling that is asked for, and the place behind it.
Moves = dict[str, "list[tuple[str | None, _Place]]"]


def _add(moves: Moves, opened: Iterable[tuple[Step | None, _Place]]) -> None:
    """Enter steps by their words."""
    for step, following in opened:
        for low, exact in (step or {}).items():
            moves.setdefault(low, []).append((exact, following))


def _taken(moves: Moves, word: Word) -> set[_Place]:
    """Return the places behind the steps that a word takes, in the spelling they ask for."""
    found: set[_Place] = set()
    for read in readings(word.low):
        for exact, following in moves.get(read, ()):
            if exact is None or word.text.rstrip("s") == exact.rstrip("s"):
                found.add(following)
    return found


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
    >>> from hpcgate.claims.words import split_words
    >>> phrases = Phrases([("nodes", "{many} node")], {"many": ["two/three"]})
    >>> [match.key for match in phrases.find(split_words("on two nodes"))]
    ['nodes']
    """

    def __init__(
        self, phrases: Iterable[tuple[str, str]], classes: Mapping[str, Sequence[str]]
    ) -> None:
        self._phrases = tuple(phrases)
        self._parser = parser_of(classes)
        # Phrases are parsed when the first sentence comes to them.
        self._opening: Moves | None = None
        self._begin: dict[str, _State | None] = {}
        self._states: dict[frozenset[_Place], _State] = {}

    def find(self, words: Sequence[Word]) -> list[Match]:
        """Return every phrase found, in order; of phrases of one key the longest per start."""
        longest: dict[tuple[int, str], int] = {}
        for key, start, end in self._matches(words):
            longest[start, key] = end
        return [Match(key, start, end) for (start, key), end in sorted(longest.items())]

    def any(self, words: Sequence[Word]) -> bool:
        """Whether one of the phrases occurs."""
        return next(self._matches(words), None) is not None

    def _matches(self, words: Sequence[Word]) -> Iterator[tuple[str, int, int]]:
        begin, length = self._begin, len(words)
        for start, word in enumerate(words):
            try:
                state = begin[word.text]
            except KeyError:
                state = begin[word.text] = self._start(word)
            at = start + 1
            while state is not None:
                for key in state.keys:
                    yield key, start, at
                if at == length:
                    break
                edges = state.edges
                following = words[at]
                at += 1
                if following.text in edges:
                    state = edges[following.text]
                else:
                    state = self._follow(state, following)

    def _start(self, word: Word) -> _State | None:
        """Return what a first word leads to."""
        if self._opening is None:
            self._opening = {}
            for key, phrase in self._phrases:
                _add(self._opening, _Place(key, self._parser.parse(phrase), 0, None).moves()[0])
        if len(self._begin) > _KEPT:
            self._begin.clear()
        return self._state(_taken(self._opening, word))

    def _follow(self, state: _State, word: Word) -> _State | None:
        if len(state.edges) > _KEPT:
            state.edges.clear()
        state.edges[word.text] = found = self._state(state.reached(word))
        return found

    def _state(self, reached: set[_Place]) -> _State | None:
        """Return the state of these places; the same places are the same state."""
        if not reached:
            return None
        places = frozenset(reached)
        known = self._states.get(places)
        if known is None:
            known = self._states[places] = _State(places)
        return known


class Parser:
    """Turn phrases into sequences; each class and each phrase is parsed once."""

    def __init__(self, classes: Mapping[str, Sequence[str]]) -> None:
        self.classes = classes
        self.choices: dict[str, Choice] = {}
        self.parsed: dict[str, Items] = {}

    def parse(self, phrase: str) -> Items:
        """Return the steps of a phrase."""
        if phrase not in self.parsed:
            opened = _OPENED.sub(r"\g<0> ", phrase)
            self.parsed[phrase] = tuple(self._item(part) for part in _PART.finditer(opened))
        return self.parsed[phrase]

    def _item(self, part: re.Match[str]) -> Step | Choice | Gap:
        if part["name"]:
            return self.choice(part["name"])
        if part["options"] is not None:
            return Choice(tuple(self.parse(o) for o in part["options"].split("|")))
        return _ANY if part[0] == ".." else _step(part[0])

    def choice(self, name: str) -> Choice:
        """Return what a class stands for."""
        if name not in self.choices:
            self.choices[name] = Choice(tuple(self.parse(o) for o in self.classes[name]))
        return self.choices[name]


_PARSERS: list[Parser] = []


def parser_of(classes: Mapping[str, Sequence[str]]) -> Parser:
    """Return the parser of these classes; the phrases of one lexicon share it."""
    if not _PARSERS or _PARSERS[-1].classes is not classes:
        _PARSERS[:] = [Parser(classes)]
    return _PARSERS[-1]


@lru_cache(maxsize=16384)
def _step(text: str) -> Step:
    step: Step = {}
    for option in text.split("/"):
        exact = option if option != option.lower() else None
        step.update((form.lower(), exact) for form in forms(option))
    return step


def forms(option: str) -> tuple[str, ...]:
    """Return the forms of a verb marked with `~`, in British spelling; other words stay.

    Examples
    --------
    >>> forms("scale~")
    ('scale', 'scales', 'scaled', 'scaling')
    """
    option = option if option != option.lower() else option.replace("iz", "is")
    if not option.endswith("~"):
        return (option,)
    verb = option[:-1]
    if verb.endswith("e") and not verb.endswith("ee"):
        return (verb, verb + "s", verb + "d", verb[:-1] + "ing")
    if verb.endswith("y") and verb[-2] not in "aeou":
        return (verb, verb[:-1] + "ies", verb[:-1] + "ied", verb + "ing")
    hissing = verb.endswith(("s", "x", "z", "ch", "sh"))
    long = verb + verb[-1] if _DOUBLED.fullmatch(verb) else verb
    return (verb, verb + ("es" if hissing else "s"), long + "ed", long + "ing")


def _first(items: Items) -> set[str]:
    """Return the words a sequence may begin with."""
    found: set[str] = set()
    for item in items:
        if isinstance(item, dict):
            return found | item.keys()
        if isinstance(item, Choice):
            found |= item.first
            if all(item.options):
                return found
    return found


_ANY = Gap()
_GAP = 3
# Words that a state remembers; a text of made-up words must not fill the memory.
_KEPT = 100_000
# A gap never swallows a negation or an exception.
_STOPS = frozenset(".;:!?—()") | {"not", "never", "no", "nor", "neither", "without", "except"}
# One vowel between consonants, in a short verb: `fit` gives `fitted`, `run` gives `running`.
_DOUBLED = re.compile(r"[^aeiou]{0,2}[aeiou][bdgklmnprt]")
_PART = re.compile(r"\{(?P<name>[^}]+)\}|\((?P<options>[^)]*)\)|[^\s{}()]+")
_OPENED = re.compile(JOINED.pattern.replace("$)", r"(?![a-z]))"))

# Language policy: EXEMPT from the Rust-path rule. Finds phrases in sentences; no numeric work.
"""Phrases of the lexicon: parsed once, indexed by first word, found in one pass over a sentence.

A phrase is a sequence of steps. A step is a set of words, a gap of up to three words, or a choice
between sequences; a class is a choice that all phrases share. Nothing is written out, so the work
of loading grows with the lexicon and not with the number of its combinations.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from hpcgate.claims.words import JOINED, Match, Word, readings, word_set

__all__ = ["Phrases"]

# The words of a step; a value is the exact spelling that is asked for.
Step = dict[str, str | None]
Items = tuple["Step | Choice | Gap", ...]
# A phrase with its key and the words it may begin with.
Entry = tuple[str, Items, frozenset[str]]


class Gap:
    """Up to three words of any kind."""


class Choice:
    """One of several sequences."""

    __slots__ = ("options",)

    def __init__(self, options: tuple[Items, ...]) -> None:
        self.options = options


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
        parser = _Parser(classes)
        # A phrase is tried only where its rarest word occurs.
        self._index: dict[str, list[Entry]] = {}
        self._always: list[Entry] = []
        # Phrases without a key only hide others.
        self._telling: set[str] = set()
        for key, phrase in phrases:
            items = parser.parse(phrase)
            entry = (key, items, frozenset(_first(items)))
            anchor = _anchor(items)
            if not anchor:
                self._always.append(entry)
            for word in anchor or ():
                self._index.setdefault(word, []).append(entry)
            if key:
                self._telling.update(anchor or ())
        self._seen: dict[str, bool] = {}

    def may_occur(self, text: str) -> bool:
        """Whether a text holds a word without which no phrase can occur; cheap and never wrong."""
        seen = self._seen
        for word in set(_LETTERS.findall(text.lower())):
            known = seen.get(word)
            if known is None:
                known = seen[word] = self._anchored(word)
            if known:
                return True
        return bool(_MEASURE.search(text))

    def _anchored(self, word: str) -> bool:
        joined = JOINED.match(word)
        parts = (word, joined[0], word[joined.end() :]) if joined else (word,)
        return any(step in self._telling for part in parts for step in readings(part))

    def find(self, words: Sequence[Word]) -> list[Match]:
        """Return every phrase found, in order; of phrases of one key the longest per start."""
        longest: dict[tuple[int, str], int] = {}
        for key, start, end in self._matches(words):
            if end > longest.get((start, key), start):
                longest[start, key] = end
        ordered = sorted(longest.items())
        return [Match(key, start, end) for (start, key), end in ordered]

    def any(self, words: Sequence[Word]) -> bool:
        """Whether one of the phrases occurs."""
        return next(self._matches(words), None) is not None

    def _matches(self, words: Sequence[Word]) -> Iterator[tuple[str, int, int]]:
        steps = [readings(word.low) for word in words]
        places: dict[str, list[int]] = {}
        for at, reads in enumerate(steps):
            for step in reads:
                places.setdefault(step, []).append(at)
        known = places.keys()
        tried: set[int] = set()
        for found in (*map(self._index.get, known), self._always):
            for key, items, first in found or ():
                if id(items) in tried:
                    continue
                tried.add(id(items))
                for step in known & first:
                    for start in places[step]:
                        if len(items) == 1 and items[0].__class__ is dict:
                            if _hit(items[0], words[start], steps[start]):
                                yield key, start, start + 1
                            continue
                        for end in _ends(items, 0, words, steps, start):
                            yield key, start, end


def _ends(
    items: Items, place: int, words: Sequence[Word], steps: list[tuple[str, ...]], at: int
) -> Iterator[int]:
    """Yield where a sequence that begins at a word may end."""
    for number in range(place, len(items)):
        item = items[number]
        if isinstance(item, dict):
            if at >= len(words) or not _hit(item, words[at], steps[at]):
                return
            at += 1
            continue
        if isinstance(item, Choice):
            for option in item.options:
                for end in _ends(option, 0, words, steps, at):
                    yield from _ends(items, number + 1, words, steps, end)
            return
        for skip in range(_GAP + 1):
            if at + skip > len(words) or (skip and words[at + skip - 1].low in _STOPS):
                return
            yield from _ends(items, number + 1, words, steps, at + skip)
        return
    yield at


def _hit(step: Step, word: Word, reads: tuple[str, ...]) -> bool:
    for read in reads:
        if read in step:
            exact = step[read]
            if exact is None or word.text.rstrip("s") == exact.rstrip("s"):
                return True
    return False


class _Parser:
    """Turn phrases into sequences; each class is parsed once."""

    def __init__(self, classes: Mapping[str, Sequence[str]]) -> None:
        self.classes = classes
        self.choices: dict[str, Choice] = {}

    def parse(self, phrase: str) -> Items:
        items: list[Step | Choice | Gap] = []
        for part in _PART.finditer(_OPENED.sub(r"\g<0> ", phrase)):
            if part["name"]:
                items.append(self.choice(part["name"]))
            elif part["options"] is not None:
                items.append(Choice(tuple(self.parse(o) for o in part["options"].split("|"))))
            elif part[0] == "..":
                items.append(_ANY)
            else:
                items.append(_step(part[0]))
        return tuple(items)

    def choice(self, name: str) -> Choice:
        if name not in self.choices:
            self.choices[name] = Choice(tuple(self.parse(o) for o in self.classes[name]))
        return self.choices[name]


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
            found |= {word for option in item.options for word in _first(option)}
            if all(item.options):
                return found
    return found


def _anchor(items: Items) -> set[str] | None:
    """Return words of which a phrase needs one: rare words, then long ones."""
    best: set[str] | None = None
    if any(isinstance(item, dict) and not _MEASURED.isdisjoint(item) for item in items):
        return None
    for item in items:
        words = _needed(item)
        if words is None or not words:
            continue
        if best is None or _worth(words) > _worth(best):
            best = words
    return best


def _needed(item: Step | Choice | Gap) -> set[str] | None:
    if isinstance(item, dict):
        special = any(word[0] in "<_" or not word[0].isalnum() for word in item)
        return None if special else {*item}
    if isinstance(item, Choice):
        parts = [_anchor(option) for option in item.options]
        if any(part is None for part in parts):
            return None
        return {word for part in parts if part for word in part}
    return None


def _worth(words: set[str]) -> tuple[bool, bool, int, int]:
    return (not _COMMON & words, not _SMALL & words, min(map(len, words)), -len(words))


_ANY = Gap()
# Texts with such a number are always looked at.
_MEASURED = frozenset({"<ms>", "<times>", "<big>"})
_GAP = 3
# A gap never swallows a negation.
_STOPS = frozenset(".;:!?—()") | {"not", "never", "no", "nor", "neither", "without"}
_SMALL = word_set(
    "a an the in on of to from by with without all and or no not never nothing be is are for as at "
    "it its this that your you we over under only just version versions library c any has have time"
)
_COMMON = _SMALL | word_set(
    "a an the in on of to from by with without not never no nothing one two all each every "
    "other only any number version versions release releases level python language library "
    "place second compiled built reads same new later is are more than less before under over "
    "across between has have be was were will can may this that these those it its our your we "
    "you they time run runs use uses used call called calls work works working as for at or and "
    "keep keeps stay stays file files lib own old at when how what who which single so c root read"
    " reads check checks test tests where rows row needs need replace order once code target lanes"
    " message entry matrix fail fails another count tree clean end ends time next constant linear"
    " init copy record records against make makes script room change changes state depends cut step"
    " takes take leave leaves current system under place contract them more go into many as"
)
# One vowel between consonants, in a short verb: `fit` gives `fitted`, `run` gives `running`.
_DOUBLED = re.compile(r"[^aeiou]{0,2}[aeiou][bdgklmnprt]")
_LETTERS = re.compile(r"[a-z]+[0-9]*[a-z]*|[0-9]")
_MEASURE = re.compile(r"\d\s?(?:[x×%]|[mun]?s)(?!\w)|\d{4}|\d,\d|\dk\b", re.IGNORECASE)
_PART = re.compile(r"\{(?P<name>[^}]+)\}|\((?P<options>[^)]*)\)|[^\s{}()]+")
_OPENED = re.compile(JOINED.pattern.replace("$)", r"(?![a-z]))"))

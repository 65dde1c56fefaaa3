# Language policy: EXEMPT from the Rust-path rule. Looks words up before a text is read.
"""The first look: whether a text holds all the words that some phrase of the lexicon needs.

Almost no sentence names a capability. A set of words, taken from the text in one pass, shows that
without cutting the text up, and it is never wrong: what it leaves out holds no phrase.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import chain

from hpcgate.claims.phrases import Choice, Items, parser_of
from hpcgate.claims.words import JOINED, readings, word_set

__all__ = ["FirstLook"]

Need = frozenset[str]


class FirstLook:
    """The words that phrases cannot do without; a phrase without a key only hides others.

    Parameters
    ----------
    phrases : iterable of (key, phrase)
        The phrases to look for.
    classes : mapping
        The phrases that a `{class}` stands for.

    Examples
    --------
    >>> look = FirstLook([("nodes", "{many} node")], {"many": ["two/three"]})
    >>> look.may_hold("nodes, three of them"), look.may_hold("three trees")
    (True, False)
    """

    def __init__(
        self, phrases: Iterable[tuple[str, str]], classes: Mapping[str, Sequence[str]]
    ) -> None:
        parser = parser_of(classes)
        # What is needed beside a word, by the word that is met least.
        self._beside: dict[str, set[tuple[Need, ...]]] = {}
        self._vocabulary: set[str] = set()
        for key, phrase in phrases:
            if not key:
                continue
            needs = sorted(_needs(parser.parse(phrase)), key=_worth, reverse=True)
            rarest, *others = needs or [frozenset("_")]
            for word in rarest:
                self._beside.setdefault(word, set()).add(tuple(others))
            self._vocabulary.update(*needs)
        # One of these is needed beside a word, whatever the phrase; None where it stands alone.
        self._next: dict[str, Need | None] = {}
        self._meanings = _Meanings(self._vocabulary)

    def may_hold(self, text: str) -> bool:
        """Whether some phrase finds all its words in a text, in whatever order."""
        words = {*_WORDS.findall(_opened(text.lower()))}
        held = {*chain.from_iterable(map(self._meanings.__getitem__, words))}
        if not held:
            return False
        held.add("path")
        for word in held & self._beside.keys():
            if word not in self._next:
                self._next[word] = _any_of(self._beside[word])
            following = self._next[word]
            if following is not None and following.isdisjoint(held):
                continue
            for needs in self._beside[word]:
                for need in needs:
                    if need.isdisjoint(held):
                        break
                else:
                    return True
        return False


class _Meanings(dict[str, tuple[str, ...]]):
    """The steps that a word may take, read as one word or as two; worked out once a word."""

    def __init__(self, vocabulary: set[str]) -> None:
        self._vocabulary = vocabulary

    def __missing__(self, word: str) -> tuple[str, ...]:
        if len(self) > _KEPT:
            self.clear()
        joined = JOINED.match(word)
        parts = (word, joined[0], word[joined.end() :]) if joined else (word,)
        steps = {step for part in parts for step in readings(part)}
        self[word] = found = tuple(steps & self._vocabulary)
        return found


def _any_of(found: set[tuple[Need, ...]]) -> Need | None:
    """Return words of which every phrase needs one, or None if some phrase needs nothing more."""
    return frozenset().union(*(needs[0] for needs in found)) if all(found) else None


def _needs(items: Items) -> list[Need]:
    """Return sets of words of each of which a sequence holds one."""
    found: list[Need] = []
    for item in items:
        if isinstance(item, dict) and not any(_unseen(word) for word in item):
            found.append(frozenset(item))
        elif isinstance(item, Choice):
            found += _chosen(item)
    return found


@lru_cache(maxsize=4096)
def _chosen(choice: Choice) -> list[Need]:
    """Return what every option of a choice needs, if each needs something."""
    parts = [_needs(option) for option in choice.options]
    return [frozenset(w for part in parts for w in max(part, key=_worth))] if all(parts) else []


def _unseen(word: str) -> bool:
    """Whether a step stands for any word or for a mark, which this look does not see."""
    return word == "_" or not (word[0].isalnum() or word[0] == "<")


def _worth(words: Need) -> tuple[bool, int, int]:
    return (words.isdisjoint(_COMMON), min(map(len, words)), -len(words))


def _opened(low: str) -> str:
    """Write contractions as the two words they are read as."""
    if "n't" in low or "n’t" in low or "cannot" in low:
        return _CONTRACTED.sub(lambda m: f"{_WHOLE.get(m[1], m[1])} not", low)
    return low


# Words that are remembered; a text of made-up words must not fill the memory.
_KEPT = 100_000
_WORDS = re.compile(r"[^\W\d_][^\W_]*|\d+(?:[.,]\d+)*[a-z×%]*")
_CONTRACTED = re.compile(r"(\w+?)n['’]t\b|\bcannot\b")
_WHOLE = {"ca": "can", "wo": "will", "sha": "shall", None: "can"}
_COMMON = word_set(
    "a an the in on of to from by with without not never no nothing one two all each every only"
    " other any new later is are be more than less before under over across between has have was"
    " will can may this that it its our your we you they run runs use uses used work works as for"
    " at or and when how what who which so time place read reads rows path code"
)

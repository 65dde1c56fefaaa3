# Language policy: EXEMPT from the Rust-path rule. Tells names from words; no numeric work.
"""Names of projects, people and machines that no list holds.

A subject that is written like a name, and is none of our own parts, is somebody else.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hpcgate.claims.words import word_set

if TYPE_CHECKING:
    from hpcgate.claims.scope import Reading

__all__ = ["foreign_name"]

_LONGEST = 7
# What is written `your DataFrame` is the data of the reader.
_OURS_TO_TAKE = word_set("your a an any every each its")
_DTYPE = re.compile(r"(?:u?int|b?float|double|complex|fp|bf)\d+s?")
_ACRONYM = 3
_INSIDE = word_set("of in on for with by from to at over across under into that who whose as")
# What a project does; `Back ends ...` and `Speed limits ...` are no names.
_DOES = word_set(
    "is uses supports runs offers provides ships needs relies trains includes spawns launches"
    " targets implements distributes compiles employs exploits leverages utilises utilizes has"
    " lets parallelises parallelizes schedules dispatches wraps accelerates offloads requires"
    " allows executes handles delivers brings comes works scales operates owns hosts sells"
    " buys bought runs ran serves rents maintains publishes dropped added"
)
_ARTICLES = word_set(
    "the a an this that these those you we they i he she it everyone one why how where when what"
    " who which if can does is are was were has have because since not never only just even also"
    " then"
)
# Endings of nouns that begin a sentence without an article: `Training runs ...`.
_NOUNS = (
    "tion", "sion", "ing", "ment", "ance", "ence", "ity", "ness", "ism", "ship", "age", "sis",
    "ware", "work", "ency", "ancy", "ure", "ism", "able", "ful", "ous", "ive", "ed", "ly", "ics",
)  # fmt: skip


def foreign_name(reading: Reading, start: int, verb: int) -> bool:
    """Whether the subject before a verb is a name that is not ours."""
    subject = []
    for place in range(start, verb):
        if reading.low(place) in _INSIDE:
            break
        subject.append(place)
    if not 0 < len(subject) <= _LONGEST or _titled(reading):
        return False
    return any(_is_name(reading, place, start, verb) for place in subject)


def _is_name(reading: Reading, place: int, start: int, verb: int) -> bool:
    word = reading.words[place]
    text = word.text
    if place in reading.inside_terms or word.low in reading.lexicon.parts:
        return False
    if reading.low(place - 1) in _OURS_TO_TAKE or _DTYPE.fullmatch(word.low):
        return False
    if text.isupper() and len(text) >= _ACRONYM:
        return place == 0 and verb == 1 and _like_a_name(reading, word.low)
    if (
        text == word.low
        and text.isalpha()
        and place == 0
        and verb == 1
        and reading.words[-1].text == "."
    ):
        # A whole sentence begins with a capital, unless its first word is a name.
        return text not in reading.lexicon.verbs and _like_a_name(reading, word.low)
    if not any(c.isupper() for c in text) or not any(c.islower() for c in text):
        return False
    if text.rstrip("s").isupper():
        return False
    if any(c.isupper() for c in text[1:]):
        return True
    if place > 0 and place > start:
        # What hangs on a capability is a part of its name.
        return place - 1 not in reading.inside_terms
    if reading.low(1) in ("and", "or", ",") and reading.words[2].text[:1].isupper():
        return place == 0 and word.low not in reading.lexicon.subjects
    return place == 0 and verb == 1 and _like_a_name(reading, word.low)


def _like_a_name(reading: Reading, low: str) -> bool:
    """Whether the first word of a sentence, alone before its verb, is a name."""
    return (
        reading.low(1) in _DOES
        and low not in reading.lexicon.subjects
        and low not in _ARTICLES
        and not low.endswith(_NOUNS)
        and not low.endswith("s")
    )


def _titled(reading: Reading) -> bool:
    """Whether a sentence is written in title case, where capitals mean nothing."""
    words = [w.text for w in reading.words if w.text[:1].isalpha() and len(w.text) > 3]
    return len(words) > 2 and sum(w[0].isupper() for w in words) * 2 > len(words)

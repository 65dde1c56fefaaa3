# Language policy: EXEMPT from the Rust-path rule. Loads the words of the gate; no computation.
"""The lexicon: `packaging/claims.yaml`, checked and turned into phrases that find themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from hpcgate.claims.first_look import FirstLook
from hpcgate.claims.memory import prepared
from hpcgate.claims.model import PATH
from hpcgate.claims.phrases import Phrases
from hpcgate.claims.words import Match, Word, split_words
from hpcgate.errors import GateError
from hpcgate.facts import FactModel, check_model, read_yaml

__all__ = ["PATH", "Exemption", "LevelText", "Lexicon", "Suppression", "Term", "load"]

Phrase = str


class LevelText(FactModel):
    """What to tell the author of a claim that needs this level."""

    name: str
    evidence: str
    wording: str


class Group(FactModel):
    """Phrases that play one part, with a sentence to flag and one to pass."""

    words: tuple[Phrase, ...] = Field(min_length=1)
    flag: str
    passes: str = Field(alias="pass")


class Term(Group):
    """Words of one capability and the level it needs."""

    id: str
    level: Literal["H1", "H2", "H3", "H4"]
    cues: tuple[Phrase, ...] = ()
    unless: tuple[Phrase, ...] = ()
    denials: tuple[Phrase, ...] = ()
    default: Literal["claim", "pass", "fragment"] = "claim"

    @property
    def number(self) -> int:
        """The level as a number."""
        return int(self.level[1])


class Homonym(Group):
    """Words that look like a capability and are none."""

    id: str


class Negators(FactModel):
    """Words that deny, sorted by what they reach."""

    determiner: Group
    verbal: Group
    prepositional: Group
    transitive: Group
    predicate: Group
    harmless: Group
    reversal: Group
    support: Group
    purpose: Group
    limiting: Group
    restriction: Group


class Cues(FactModel):
    """Words that decide how a clause is meant."""

    planned: Group
    now: Group
    policy: Group
    redirect: Group
    failing: Group
    asked: Group
    definition: Group
    quoting: Group
    testimonial: Group
    citation: Group
    contrast: Group
    rule_heads: Group = Field(alias="rule-heads")
    mention_heading: Group = Field(alias="mention-heading")
    planned_heading: Group = Field(alias="planned-heading")
    denied_heading: Group = Field(alias="denied-heading")
    limitation: Group


class Answers(FactModel):
    """How a cell, a flag or an answer says no, later or yes."""

    deny: tuple[Phrase, ...]
    plan: tuple[Phrase, ...]
    affirm: tuple[Phrase, ...]


class Exemption(FactModel):
    """A path that the gate does not read, with the reason."""

    path: str
    reason: str = Field(min_length=10)


class Suppression(FactModel):
    """A finding that is left out until a date, with the reason."""

    path: str
    rule: Literal[
        "claim-above-level", "level-above-evidence", "speed-without-record", "placeholder"
    ]
    text: str = Field(min_length=3)
    reason: str = Field(min_length=20)
    expires: date


class Placeholders(FactModel):
    """Words that stand for something still missing, and where they are errors."""

    words: tuple[str, ...]
    upstream: tuple[str, ...]


class Words(FactModel):
    """The file as written."""

    levels: dict[Literal["H1", "H2", "H3", "H4"], LevelText]
    classes: dict[str, tuple[Phrase, ...]]
    ours: Group
    others: Group
    terms: tuple[Term, ...]
    homonyms: tuple[Homonym, ...]
    negators: Negators
    cues: Cues
    answers: Answers
    verbs: tuple[str, ...]
    limits: dict[Literal["H1", "H2", "H3", "H4"], tuple[Phrase, ...]]
    parts: tuple[str, ...]
    subjects: tuple[str, ...]
    exempt: tuple[Exemption, ...]
    suppressions: tuple[Suppression, ...] = ()
    placeholders: Placeholders


class Lexicon:
    """The words of the gate, ready to be looked up.

    Examples
    --------
    >>> from hpcgate.claims.words import split_words
    >>> from hpcgate.repo import find_root
    >>> load(find_root()).terms_in(split_words("It fits splines."))
    []
    """

    def __init__(self, data: Words) -> None:
        self.data = data
        self.terms = {term.id: term for term in data.terms}
        classes = data.classes
        pairs = [(term.id, phrase) for term in data.terms for phrase in term.words]
        pairs += [("", phrase) for entry in data.homonyms for phrase in entry.words]
        self._terms = Phrases(pairs, classes)
        self._cues = {
            term.id: (
                Phrases([("cue", p) for p in term.cues], classes),
                Phrases([("unless", p) for p in term.unless], classes),
            )
            for term in data.terms
        }
        self.denials = {
            term.id: Phrases([("denial", p) for p in term.denials], classes)
            for term in data.terms
            if term.denials
        }
        limits = [(level[1], p) for level, phrases in data.limits.items() for p in phrases]
        self.limits = Phrases(limits, classes)
        self._look = FirstLook([*pairs, *limits], classes)
        self._looked: dict[str, bool] = {}
        self.parts = frozenset(data.parts)
        self.subjects = frozenset(data.subjects)
        self.bare_verbs = frozenset(data.verbs)
        self.verbs = frozenset(_verb_forms(data.verbs))

    def may_claim(self, text: str) -> bool:
        """Whether a text could name a capability at all; a cheap first look."""
        if len(text) > _KEY:
            return self._look.may_hold(text)
        # Keys, titles and short values come again and again.
        if text not in self._looked:
            if len(self._looked) > _KEPT:
                self._looked.clear()
            self._looked[text] = self._look.may_hold(text)
        return self._looked[text]

    def may_speak(self, text: str) -> bool:
        """Whether a docstring or a comment is worth cutting up; a closer look than `may_claim`.

        Where no markup could join what stands apart, each phrase stands in the text as written. A
        long text holds some phrase anyway.
        """
        if not self.may_claim(text):
            return False
        if len(text) > _PAGE or _MARKUP.search(text):
            return True
        words = split_words(text)
        return any(match.key for match in self._terms.find(words)) or self.limits.any(words)

    def terms_in(self, words: tuple[Word, ...], around: str = "") -> list[Match]:
        """Return the capabilities named in a sentence; `around` gives context for cues.

        The longest phrase wins, so that `normally distributed` hides `distributed`.
        """
        named = self._terms.find(words)
        if not any(match.key for match in named):
            return []
        beside = split_words(around)
        found = [m for m in named if not m.key or self._means_it(m, words, beside)]
        chosen: list[Match] = []
        for match in sorted(found, key=lambda m: (m.start - m.end, m.key != "", m.start)):
            if not any(self._hides(other, match) for other in chosen):
                chosen.append(match)
        return sorted((m for m in chosen if m.key), key=lambda m: m.start)

    def _hides(self, chosen: Match, match: Match) -> bool:
        """Whether a longer phrase stands over a shorter one that needs no higher level."""
        if match.end <= chosen.start or match.start >= chosen.end:
            return False
        if not chosen.key or not match.key:
            return True
        return self.terms[match.key].number <= self.terms[chosen.key].number

    def _means_it(self, match: Match, words: tuple[Word, ...], around: tuple[Word, ...]) -> bool:
        """Whether a term has its technical meaning in this sentence."""
        term = self.terms[match.key]
        if not term.cues and not term.unless:
            return True
        cues, unless = self._cues[match.key]
        rest = words[: match.start] + _HOLE + words[match.end :]
        beside = words[max(0, match.start - 2) : match.end + 2]
        proof = {w for m in cues.find(rest) for w in range(m.start, m.end)}
        against = {w for m in unless.find(words) for w in range(m.start, m.end)}
        if cues.any(around) or cues.any(beside):
            proof.add(match.start)
        if proof or against:
            return len(proof) > len(against) - (term.default == "claim")
        stops = words[-1].low in (".", "!", "?")
        return term.default == "claim" or (term.default == "fragment" and not stops)

    @cached_property
    def groups(self) -> dict[str, Phrases]:
        """The phrases of every group of negators and cues, by name."""
        classes = self.data.classes
        return {
            name: Phrases([(name, phrase) for phrase in words], classes)
            for name, words in self._named()
        }

    @cached_property
    def marks(self) -> Phrases:
        """The phrases of all groups at once, for one pass over a sentence."""
        pairs = [(name, phrase) for name, words in self._named() for phrase in words]
        return Phrases(pairs, self.data.classes)

    def _named(self) -> Iterator[tuple[str, tuple[Phrase, ...]]]:
        for part in (self.data.negators, self.data.cues):
            for name in type(part).model_fields:
                yield name, getattr(part, name).words
        yield "ours", self.data.ours.words
        yield "others", self.data.others.words
        for name in ("deny", "plan", "affirm"):
            yield name, getattr(self.data.answers, name)


# Links, tables, quotations, HTML, struck words, escapes and addresses are read before words are.
_MARKUP = re.compile(r"\][(\[:]|[<|\\&]|~~|https?:|:\d|^\s*>(?!>>)", re.MULTILINE)
_KEY = 60
_PAGE = 1200
_KEPT = 20_000
_HOLE = (Word(".", ".", 0, 0),)


def _verb_forms(verbs: tuple[str, ...]) -> set[str]:
    """Return the finite forms of verbs, with the modals and forms of be, have and do."""
    forms = {"is", "are", "was", "were", "be", "has", "have", "had", "does", "did", "can", "may"}
    forms |= {"will", "must", "could", "would", "should", "might", "shall", "do", "am"}
    for verb in verbs:
        forms.add(verb)
        forms.add(
            verb[:-1] + "ies"
            if verb.endswith("y") and verb[-2] not in "aeo"
            else verb + ("es" if verb.endswith(("s", "ch", "sh", "o")) else "s")
        )
    return forms


@lru_cache(maxsize=4)
def _load(root: Path, _stamp: int) -> Lexicon:
    """Return the words as they were prepared before by the same code, or prepare them."""
    return prepared(
        root, Lexicon, lambda: Lexicon(check_model(Words, read_yaml(root / PATH), PATH))
    )


def load(root: Path) -> Lexicon:
    """Return the lexicon of a checkout; read again only when the file has changed.

    Raises
    ------
    GateError
        If the file is missing, is not valid, or has an unknown key.
    """
    path = root / PATH
    if not path.is_file():
        raise GateError(f"{path}: missing", hint="restore it from version control")
    return _load(root, path.stat().st_mtime_ns)

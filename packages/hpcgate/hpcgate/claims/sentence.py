# Language policy: EXEMPT from the Rust-path rule. Judges a sentence by rules; no numeric work.
"""One sentence: what becomes of every capability that is named in it."""

from __future__ import annotations

import re
from itertools import pairwise

from hpcgate.claims.backward import (
    HELPERS,
    Said,
    disown,
    ends_in_not,
    go_beyond,
    lows,
    refer_back,
    spread,
    take_back,
)
from hpcgate.claims.clauses import NOBODY, RELATIVE
from hpcgate.claims.context import Status, definition, is_quoted
from hpcgate.claims.owner import Owner, owner
from hpcgate.claims.scope import Clause, Reading, denied_spans
from hpcgate.claims.words import Match, word_set

__all__ = ["judge_sentence"]


def judge_sentence(
    reading: Reading,
    declared: list[tuple[Match, int]],
    before: list[Said],
    inherited: Owner,
    previous: Reading | None = None,
) -> tuple[list[Said], Owner]:
    """Judge every capability of a sentence inside the sentence."""
    said: list[Said] = []
    things = [(m, reading.lexicon.terms[m.key].number, False) for m in reading.terms]
    things += [(m, level, True) for m, level in declared]
    whose = inherited
    # What is out of scope may stand in the sentence before: the next thing "is not".
    flipped = (
        previous is not None
        and bool(previous.group("predicate"))
        and all(thing.status == "deny" for thing in before)
    )
    main = whose
    for clause in reading.clauses:
        inside = [t for t in things if clause.start <= t[0].start < clause.end]
        whose, before_it = owner(reading, clause, whose), whose
        if clause.link == "resumed":
            whose = main
        elif clause.link not in RELATIVE:
            begins = any(m.start == clause.start for m in reading.group("others"))
            main = "other" if begins else whose
        disown(reading, clause, said)
        if not inside and _only_compares(reading, clause):
            whose = before_it
            continue
        if not inside:
            refer_back(reading, clause, whose, said or before, said)
            go_beyond(reading, clause, whose, said, previous)
            continue
        turned = flipped and (
            ends_in_not(reading, clause)
            or (clause.link == "but" and reading.low(clause.start) == "not")
        )
        # "The functions may change, the ABI may not" promises that the ABI stays.
        turned = turned or (ends_in_not(reading, clause) and _gave_way(reading, clause))
        spans = [] if turned else list(denied_spans(reading, clause))
        reversed_at = max((m.end for m in reading.within("reversal", clause)), default=-1)
        flipped = bool(spans) and bool(
            reading.within("predicate", clause) or reading.within("transitive", clause)
        )
        common = _clause_status(reading, clause)
        if said and _likewise(reading, clause):
            common = common or said[-1].status
        for match, level, is_level in inside:
            status = common
            denied = any(a <= match.start < b for a, b in spans)
            if 0 <= reversed_at <= match.start:
                denied = not denied
            if denied or (not turned and _self_denied(match, reading)):
                status = status or "deny"
            elif whose == "other" or _theirs(reading, match):
                status = status or "other"
            elif is_level and common == "mention":
                status = ""
            if not status and is_quoted(reading.words, match):
                status = "mention" if _wording(reading) or _cited(reading) else ""
            said.append(Said(match, level, status, whose, is_level))
        take_back(reading, clause, said, len(inside))
    spread(reading, said)
    return said, whose


def _gave_way(reading: Reading, clause: Clause) -> bool:
    """Whether the clause before says of something else that it may change."""
    place = reading.clauses.index(clause)
    return any(
        _CHANGES & {*lows(reading, before)} and not list(denied_spans(reading, before))
        for before in reading.clauses[max(0, place - 1) : place]
    )


def _self_denied(match: Match, reading: Reading) -> bool:
    """Whether the sentence holds words that deny just this term."""
    if reading.low(match.end) == "free":
        return True
    denials = reading.lexicon.denials.get(match.key)
    return denials is not None and any(
        (found.end <= match.start or found.start >= match.end)
        and reading.low(found.start - 1) not in _NO_MORE
        and not any(reading.low(i) in NOBODY for i in range(found.start - _NEAR, found.start))
        for found in denials.find(reading.words)
    )


def _theirs(reading: Reading, match: Match) -> bool:
    """Whether a capability belongs to whom we compare with: `compares with cuML on a V100`."""
    before = match.start - 1
    while reading.low(before) in _ATTACHED or reading.low(before)[:1].isdecimal():
        before -= 1
    if not any(reading.low(i) in _BY for i in range(before + 1, match.start)):
        return False
    return any(
        other.end == before + 1
        and any(reading.low(other.start - i).startswith("compar") for i in (1, 2, 3))
        for other in reading.group("others")
    )


def _clause_status(reading: Reading, clause: Clause) -> Status:
    if any(reading.within("policy", part) for part in _joined(reading, clause)):
        return "mention"
    if definition(reading, clause):
        return "mention"
    # `MARS` is the name of the method, too.
    ours = [m for m in reading.group("ours") if reading.low(m.start) != "mars"]
    if reading.group("citation") and not ours:
        return "mention"
    if _asked(reading, clause) or _unsettled(reading, clause):
        return "mention"
    planned = [
        match
        for part in (clause, *_condition_before(reading, clause))
        for match in reading.within("planned", part)
        if match.start not in reading.inside_terms
        and not any(m.start <= match.start < m.end for m in reading.group("harmless"))
    ]
    if planned and not reading.within("now", clause):
        return "plan"
    return ""


def _asked(reading: Reading, clause: Clause) -> bool:
    """Whether somebody else asks for what the clause names; what you ask for, you get."""
    return any(
        any(term.start >= match.end for term in reading.terms if term.start < clause.end)
        and not _YOU
        & {reading.low(i) for i in range(max(clause.start, match.start - 3), match.start)}
        and match.start > clause.start
        for match in reading.within("asked", clause)
    )


def _unsettled(reading: Reading, clause: Clause) -> bool:
    """Whether a clause says that something is not known: `whether it pays is not measured`."""
    following = reading.low(clause.start + 1)
    return (
        reading.low(clause.start) == "whether"
        and (following not in ("or", "you", "it") or reading.low(clause.start + 2) in _WOULD)
        and bool(_OPEN & {*lows(reading, clause)})
    )


def _likewise(reading: Reading, clause: Clause) -> bool:
    """Whether a clause shares what became of the one before: `so are plugins`."""
    return reading.low(clause.start) == "so" and reading.low(clause.start + 1) in HELPERS


def _condition_before(reading: Reading, clause: Clause) -> list[Clause]:
    """Return the condition that a clause depends on: `Once it is there, ...`."""
    place = reading.clauses.index(clause)
    before = reading.clauses[place - 1 : place]
    return [c for c in before if reading.low(c.start) in ("once", "until", "if", "when", "unless")]


def _wording(reading: Reading) -> bool:
    """Whether a quotation is about words; a testimonial is not."""
    outside = [m for m in reading.group("quoting") if not is_quoted(reading.words, m)]
    if any(reading.low(m.start) in _META for m in outside):
        return True
    personal = any(
        word.low in _PERSONAL and is_quoted(reading.words, Match("", i, i + 1))
        for i, word in enumerate(reading.words)
    )
    return bool(outside) and not personal and not reading.group("testimonial")


def _cited(reading: Reading) -> bool:
    """Whether a name with a year, or its capitals, say that a quotation is the title of a work."""
    title = _TITLE.search(" ".join(word.text for word in reading.words))
    return title is not None or any(
        _YEAR.fullmatch(word.low) and before.text[:1].isupper()
        for before, word in pairwise(reading.words)
    )


def _joined(reading: Reading, clause: Clause) -> list[Clause]:
    """Return a clause with those that a colon, a dash or a bracket ties to it."""
    place = reading.clauses.index(clause)
    found = [clause]
    for other in reading.clauses[place + 1 :]:
        if other.link not in _TIES:
            break
        found.append(other)
    if clause.link in _TIES and place:
        found.append(reading.clauses[place - 1])
    return found


def _only_compares(reading: Reading, clause: Clause) -> bool:
    """Whether a clause only names what we are compared with: `Unlike X, ...`."""
    return reading.finite(clause.start, clause.end) is None and reading.low(clause.start) in (
        "unlike",
        "like",
        "compared",
        "contrary",
        "versus",
        "in",
        "as",
        "just",
        "similar",
    )


_CHANGES = word_set("change changes vary varies break breaks move moves")
# So far before a denial may stand who is spared: nobody, none.
_NEAR = 6
_NO_MORE = word_set("longer never not")
_TITLE = re.compile(
    r"[\"“]\s(?:(?:[A-Z]\w*|a|an|and|at|for|from|in|of|on|the|to|with)\s){3,20}[\"”]"
)
_YEAR = re.compile(r"(?:19|20)\d\d")
_OPEN = word_set("not never nobody unknown unclear open undecided unmeasured question")
_WOULD = word_set("would could might")
_YOU = word_set("and caller program client you we if when it to can must replay pymars")
_TIES = word_set(": ( — which")
_BY = word_set("on over across under using")
_ATTACHED = _BY | word_set("a an the one two four eight its several")
_META = word_set(
    "word words phrase phrases term terms sentence wording flagged flags flag rejects "
    "rejected refuses refused avoid forbidden banned never slogan expression string label "
    "must"
)
_PERSONAL = word_set("we our us my i ours")

# Language policy: EXEMPT from the Rust-path rule. Judges a sentence by rules; no numeric work.
"""One sentence: what becomes of every capability that is named in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from hpcgate.claims.context import Owner, Status, definition, ellipsis, is_quoted, owner
from hpcgate.claims.replies import answer, lead_status
from hpcgate.claims.scope import Clause, Reading, denied_spans, none_without
from hpcgate.claims.words import Match, word_set

__all__ = ["Said", "judge_sentence"]


@dataclass(slots=True)
class Said:
    """A capability named in a sentence, and what became of it: an empty status is a claim.

    `declared` marks a level that is said to be implemented.
    """

    match: Match
    level: int
    status: Status
    owner: Owner
    declared: bool = False


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
    flipped = False
    for clause in reading.clauses:
        inside = [t for t in things if clause.start <= t[0].start < clause.end]
        whose, before_it = owner(reading, clause, whose), whose
        if not inside and _only_compares(reading, clause):
            whose = before_it
            continue
        if not inside:
            _refer_back(reading, clause, whose, said or before, said)
            _go_beyond(reading, clause, whose, said, previous)
            continue
        turned = flipped and (
            _ends_in_not(reading, clause)
            or (clause.link == "but" and reading.low(clause.start) == "not")
        )
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
            if denied or _self_denied(match, reading):
                status = status or "deny"
            elif whose == "other" or _theirs(reading, match):
                status = status or "other"
            elif is_level and common == "mention":
                status = ""
            if not status and is_quoted(reading.words, match):
                status = "mention" if _wording(reading) or _cited(reading) else ""
            said.append(Said(match, level, status, whose, is_level))
    _spread(reading, said)
    return said, whose


def _self_denied(match: Match, reading: Reading) -> bool:
    """Whether the sentence holds words that deny just this term."""
    if reading.low(match.end) == "free":
        return True
    denials = reading.lexicon.denials.get(match.key)
    return denials is not None and any(
        found.end <= match.start or found.start >= match.end
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
        and following not in ("or", "you", "it")
        and bool(_OPEN & {*_lows(reading, clause)})
    )


def _likewise(reading: Reading, clause: Clause) -> bool:
    """Whether a clause shares what became of the one before: `so are plugins`."""
    return reading.low(clause.start) == "so" and reading.low(clause.start + 1) in _HELPERS


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
    """Whether a name with a year says that a quotation is the title of a work."""
    return any(
        _YEAR.fullmatch(word.low) and before.text[:1].isupper()
        for before, word in pairwise(reading.words)
    )


def _refer_back(
    reading: Reading,
    clause: Clause,
    whose: Owner,
    earlier: list[Said],
    said: list[Said],
) -> None:
    """Apply a clause without a capability to the one named before it."""
    if not earlier:
        return
    kind = ellipsis(reading, clause)
    if kind == "affirm" and whose != "other":
        now = reading.within("now", clause) or "since" in _lows(reading, clause)
        said.extend(
            Said(t.match, t.level, "", "ours", t.declared)
            for t in earlier
            if t.status in ("deny", "other") or (t.status == "plan" and now)
        )
    elif kind != "affirm" and _twice(reading, clause):
        return
    elif kind == "deny" and clause.link == "which" and said and whose != "other":
        # "..., which the code does not attempt" denies what stands before it.
        said[-1].status = said[-1].status or "deny"
    elif said is earlier or said:
        text = " ".join(reading.words[i].text for i in range(clause.start, clause.end))
        reply = answer(reading.lexicon, text) if clause.link or clause.start else ""
        alone = clause.end - clause.start <= 2 or reading.low(clause.start) in _ITSELF
        if (
            reply in ("deny", "plan")
            and (kind != "deny" or alone)
            and not _says_more(reading, clause)
            and not _own_object(reading, clause)
        ):
            named = _before_colon(reading, clause)
            # "Level H2 is implemented (H3 is planned)" speaks of another level in the bracket.
            levels = any(_LEVEL.fullmatch(low) for low in _lows(reading, clause))
            for thing in said:
                if thing.match.start >= named and not (levels and thing.declared):
                    thing.status = thing.status or reply


def _twice(reading: Reading, clause: Clause) -> bool:
    """Whether the clause before denies that there is anything without it."""
    before = reading.clauses[reading.clauses.index(clause) - 1]
    return none_without(reading, before, reading.within("determiner", before))


def _before_colon(reading: Reading, clause: Clause) -> int:
    """Return where that begins which a reply behind a colon answers: `X: yes; Y: no`."""
    if clause.link != ":":
        return 0
    return max((c.start for c in reading.clauses if c.end <= clause.start), default=0)


def _lows(reading: Reading, clause: Clause) -> list[str]:
    return [reading.low(i) for i in range(clause.start, clause.end)]


def _says_more(reading: Reading, clause: Clause) -> bool:
    """Whether a clause denies something of its own: `and never moves a field`."""
    support = {i for m in reading.group("support") for i in range(m.start, m.end)}
    return clause.link == "and" and any(
        reading.is_finite(i) and i not in support and reading.low(i) not in _HELPERS
        for i in range(clause.start, clause.end)
    )


def _go_beyond(
    reading: Reading, clause: Clause, whose: Owner, said: list[Said], previous: Reading | None
) -> None:
    """Read `X uses one core, we use all`: what limits another project does not limit us."""
    if whose == "other" or not (
        reading.within("contrast", clause) or ellipsis(reading, clause) == "deny"
    ):
        return
    earlier = reading.words[: clause.start]
    others = any(m.start < clause.start for m in reading.group("others"))
    if clause.start == 0 and previous is not None:
        earlier, others = previous.words, bool(previous.group("others"))
    if not others:
        return
    for level in {int(limit.key) for limit in reading.lexicon.limits.find(earlier)}:
        match = Match("a limit that only others have", clause.start, clause.end)
        said.append(Said(match, level, "", "ours"))


def _spread(reading: Reading, said: list[Said]) -> None:
    """Let the part before a colon speak for the part after it: `Not supported: MPI, GPU`."""
    for before, clause in zip(reading.clauses, reading.clauses[1:], strict=False):
        if clause.link != ":" or any(before.start <= t.match.start < before.end for t in said):
            continue
        text = " ".join(w.text for w in reading.words[before.start : before.end])
        status = lead_status(reading.lexicon, text)
        if status == "deny" and not _bare(reading, before):
            continue
        if _ends_in_not(reading, before) and reading.predicate(clause.start, clause.end):
            # "It cannot: ..." gives a reason here, not a list.
            continue
        for thing in said:
            if status and thing.match.start >= clause.start and not thing.status:
                thing.status = status


def _bare(reading: Reading, clause: Clause) -> bool:
    """Whether a denial leaves its object open: it has no subject but us or a pronoun."""
    opened = {m.start for name in _NEGATORS for m in reading.within(name, clause)}
    opened |= {m.start for m in reading.within("ours", clause)}
    return clause.start in opened or reading.low(clause.start) in _OPENED


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


def _own_object(reading: Reading, clause: Clause) -> bool:
    """Whether a clause denies a thing of its own: `; there is no switch to set`."""
    if clause.link not in (";", "and", ","):
        return False
    support = {i for m in reading.group("support") for i in range(m.start, m.end)}
    return any(
        m.end == m.start + 1
        and reading.low(m.start) == "no"
        and reading.low(m.end)[:1].isalpha()
        and m.end not in support
        and reading.low(m.end) not in _REFERRING
        and reading.low(m.start - 1) in ("is", "are", "was", "were")
        for m in reading.within("determiner", clause)
    )


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


def _ends_in_not(reading: Reading, clause: Clause) -> bool:
    """Whether a clause ends in `is not`, leaving out what was said before."""
    end = clause.end
    while end > clause.start and not reading.low(end - 1)[:1].isalnum():
        end -= 1
    return reading.low(end - 1) == "not"


_LEVEL = re.compile(r"h[0-4]")
_YEAR = re.compile(r"(?:19|20)\d\d")
# "There is no way" denies what was named before; "there is no switch" denies a switch.
_REFERRING = word_set(
    "such plan plans code way use need trace sign mention intention chance hope room interest"
    " counterpart evidence longer more provision implementation equivalent question talk"
)
_HELPERS = word_set("is are was were be been has have had do does did can will may must")
_OPEN = word_set("not never nobody unknown unclear open undecided unmeasured question")
_YOU = word_set("and you we if when it to can must replay pymars")
_TIES = word_set(": ( — which")
_BY = word_set("on over across under using")
_ATTACHED = _BY | word_set("a an the one two four eight its several")
_META = word_set(
    "word words phrase phrases term terms sentence wording flagged flags flag rejects "
    "rejected refuses refused avoid forbidden banned never slogan expression string label "
    "must"
)
_NEGATORS = ("determiner", "verbal", "prepositional", "transitive", "predicate")
_OPENED = word_set("it we there what this they things features currently")
_ITSELF = word_set("it they this that these both not none")
_PERSONAL = word_set("we our us my i ours")

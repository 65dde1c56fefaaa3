# Language policy: EXEMPT from the Rust-path rule. Decides what a negation covers; no numeric work.
"""The reach of a negation.

Each negator denies a span of words: a determiner what follows it, a verb's `not` what follows and,
when the verb is one of use or support, its subject too. What lies outside every span is asserted.
"""

from __future__ import annotations

from collections.abc import Iterator

from hpcgate.claims.clauses import BE, CONDITION, MARKS, NOBODY, PLACES, Clause, Reading, has_or
from hpcgate.claims.words import Match, word_set

__all__ = ["Clause", "Reading", "denied_spans", "none_without"]

_MODALS = word_set("may might could can would")
_FALLBACK = word_set(
    "cpu fall falls fallback falling instead otherwise serial over reverts back floor"
)
_ACTIVE = word_set(
    "support need require use accept handle allow have include cover offer provide take want"
    " contain allocate copy"
)
_DO = word_set("do does did can could will would may might")
_EFFECTS = word_set(
    "effect effects influence role place meaning part impact benefit business support sense"
    " anything us it them mars pymars our here anywhere"
)
_NONE = word_set("no hardly scarcely barely")
_EXCEPT = word_set("except besides beyond other apart but")


def denied_spans(reading: Reading, clause: Clause) -> Iterator[tuple[int, int]]:
    """Yield the spans of words that the negators of a clause deny."""
    harmless = [
        m for m in reading.group("harmless") if m.start < clause.end and m.end > clause.start
    ]

    def free(match: Match, name: str) -> bool:
        # "No reason to avoid": what the harmless phrase ends in is not denied either.
        reach = 1 if name in ("transitive", "prepositional") else 0
        if any(h.start <= match.start < h.end + reach for h in harmless):
            return False
        if name in ("determiner", "verbal") and _limit_denied(reading, clause, match):
            return False
        if name == "transitive" and _left_in(reading, clause, match):
            return False
        if any(r.start <= match.start < r.end for r in reading.group("reversal")):
            return False
        return match.start not in reading.inside_terms

    negators = [
        (name, match)
        for name in ("determiner", "verbal", "prepositional", "transitive", "predicate")
        for match in reading.within(name, clause)
        if free(match, name)
    ]
    negators.sort(key=lambda pair: (pair[1].start, -pair[1].end))
    negators = [
        pair
        for place, pair in enumerate(negators)
        if not any(pair[1].start < longer.end for _, longer in negators[:place])
    ]
    if _cancelled(reading, negators) or none_without(reading, clause, [m for _, m in negators]):
        return
    for name, match in negators:
        if _conditional(reading, clause, match):
            continue
        yield from _REACH[name](reading, clause, match)


def _limit_denied(reading: Reading, clause: Clause, match: Match) -> bool:
    """Whether a negator denies a limit and nothing else: `neither rows nor terms are limited`."""
    limits = [m for m in reading.within("limiting", clause) if m.start >= match.end]
    if not limits:
        return False
    first = limits[0]
    support = {i for m in reading.group("support") for i in range(m.start, m.end)}
    return not any(i in support and reading.low(i) not in BE for i in range(match.end, first.start))


def _left_in(reading: Reading, clause: Clause, match: Match) -> bool:
    """Whether a limit that reads like a removal is denied: `it has not been left out`."""
    return any(m.start == match.start for m in reading.within("limiting", clause)) and any(
        m.end <= match.start and _limit_denied(reading, clause, m)
        for name in ("determiner", "verbal")
        for m in reading.within(name, clause)
    )


def _cancelled(reading: Reading, negators: list[tuple[str, Match]]) -> bool:
    """Whether two negations cancel: `no device is left out`."""
    names = [name for name, _ in negators]
    if names[:1] == ["verbal"] and names[1:2] in (["transitive"], ["prepositional"]):
        # What is never removed is there, and so is what nothing is without.
        return negators[1][1].start == negators[0][1].end or (
            negators[1][0] == "transitive"
            and reading.low(negators[0][1].end) in BE
            and negators[1][1].start == negators[0][1].end + 1
        )
    return (
        len(names) == 2
        and names[0] == "determiner"
        and names[1] not in ("determiner", "prepositional")
    )


def none_without(reading: Reading, clause: Clause, negators: list[Match]) -> bool:
    """Whether there is none without it: `there is hardly a host on which it does not run`."""
    if not negators or any(reading.low(m.start) not in _NONE for m in negators):
        return False
    place = reading.clauses.index(clause)
    following = reading.clauses[place + 1 : place + 2]
    return any(
        after.link in ("which", "that", "where", "who")
        and reading.within("verbal", after)
        and not reading.within("harmless", after)
        for after in following
    )


def _conditional(reading: Reading, clause: Clause, match: Match) -> bool:
    """Whether the negation is a condition with a way out: `if no GPU is found, the CPU ...`."""
    head = {reading.low(i) for i in range(clause.start, match.start)}
    asked = head & CONDITION or clause.link in CONDITION
    opened = match.start == clause.start and reading.low(match.start) in ("without", "lacking")
    if not (asked or opened):
        return False
    outside = {
        reading.low(i)
        for i in range(len(reading.words))
        if not clause.start <= i < clause.end or i < match.start
    }
    if opened:
        return bool(outside & {"fall", "falls", "fallback", "otherwise", "serial", "takes"})
    return bool(outside & _FALLBACK)


def _determiner(reading: Reading, clause: Clause, match: Match) -> Iterator[tuple[int, int]]:
    if reading.low(match.start) == "non":
        yield match.end, min(match.end + 2, clause.end)
        return
    if reading.low(match.end) == "," and reading.low(match.start) == "no":
        return
    stop = _boundary(reading, clause, match.end)
    yield match.end, stop
    support = {m.start for m in reading.within("support", clause)}
    of_subject = reading.low(match.start - 1) in BE and match.end in support
    if of_subject or not _content(reading, match.end, clause.end):
        # "The device is neither required nor used" denies its subject.
        yield clause.start, match.start


def _verbal(reading: Reading, clause: Clause, match: Match) -> Iterator[tuple[int, int]]:
    stop = _boundary(reading, clause, match.end)
    yield match.end, stop
    supports = any(match.end <= m.start <= match.end + 3 for m in reading.within("support", clause))
    partly = _takes_object(reading, clause, match.end) or any(
        m.start >= match.end for m in reading.within("restriction", clause)
    )
    if (supports and not partly) or not _content(reading, match.end, clause.end):
        yield clause.start, match.start


def _takes_object(reading: Reading, clause: Clause, place: int) -> bool:
    """Whether what is denied is an object: `replay does not need a compiler`."""
    if reading.low(place) not in _ACTIVE or reading.low(place - 2) not in _DO:
        return False
    following = [reading.low(i) for i in range(place + 1, clause.end)]
    if not following or following[0] in PLACES or not following[0][:1].isalnum():
        return False
    return _content(reading, place + 1, clause.end) and not _EFFECTS & {*following[:2]}


def _prepositional(reading: Reading, clause: Clause, match: Match) -> Iterator[tuple[int, int]]:
    if reading.low(match.start) in _EXCEPT and any(
        m.end <= match.start
        for name in ("determiner", "verbal")
        for m in reading.within(name, clause)
    ):
        return
    if match.start == clause.start and reading.low(match.start) in ("apart", "besides", "aside"):
        return
    if reading.low(match.start) == "without" and _as_well(reading, match.end, clause.end):
        return
    stop = _boundary(reading, clause, match.end)
    # "One for those without it and one for those with it": the second is not without it.
    for place in range(match.end, stop - 1):
        if reading.low(place) == "and" and reading.low(place + 1) in ("one", "another"):
            stop = place
            break
    yield match.end, stop


def _as_well(reading: Reading, start: int, end: int) -> bool:
    """Whether what does without something does it, too: `a laptop without a modem works, too`."""
    tail = [reading.low(i) for i in range(start, end) if reading.low(i)[:1].isalpha()]
    return tail[-1:] in (["too"], ["also"]) or tail[-2:] == ["as", "well"]


def _transitive(reading: Reading, clause: Clause, match: Match) -> Iterator[tuple[int, int]]:
    if reading.low(match.end) == "by" and reading.low(match.end + 1) == "default":
        return
    if any(match.start < term.start < match.end for term in reading.terms):
        yield match.start, match.end
        return
    passive = any(
        reading.low(i) in BE for i in range(max(clause.start, match.start - 2), match.start)
    )
    if passive and {reading.low(match.start - 2), reading.low(match.start - 3)} & _MODALS:
        # What may be removed is still there.
        return
    if passive or not _content(reading, match.end, clause.end):
        yield clause.start, match.start
    if not passive or match.start == clause.start or _goes_along(reading, match, clause):
        yield match.end, _boundary(reading, clause, match.end)


def _goes_along(reading: Reading, match: Match, clause: Clause) -> bool:
    """Whether more of the same follows: `X was dropped, and Y with it`."""
    end = clause.end
    while end > match.end and not reading.low(end - 1)[:1].isalnum():
        end -= 1
    tail = (reading.low(end - 2), reading.low(end - 1))
    return (
        reading.low(match.end) in (",", "and")
        and (
            tail in (("with", "it"), ("with", "them"), ("as", "well"))
            or tail[1] in ("too", "likewise")
        )
        and reading.finite(match.end, end) is None
    )


def _predicate(reading: Reading, clause: Clause, match: Match) -> Iterator[tuple[int, int]]:
    yield clause.start, match.start
    if not _content(reading, clause.start, match.start):
        yield match.end, clause.end


_REACH = {
    "determiner": _determiner,
    "verbal": _verbal,
    "prepositional": _prepositional,
    "transitive": _transitive,
    "predicate": _predicate,
}


def _content(reading: Reading, start: int, end: int) -> bool:
    """Whether a span holds a word other than marks and small adverbs."""
    small = MARKS | {
        "here",
        "yet",
        "now",
        "at",
        "all",
        "today",
        "either",
        "it",
        "so",
        "in",
        "this",
        "release",
        "version",
        "any",
        "longer",
        "currently",
        "by",
        "design",
        "purpose",
        "on",
        "anymore",
        "more",
        "is",
        "are",
        "will",
        "be",
        "the",
        "also",
    }
    return any(reading.low(i) not in small for i in range(start, end))


def _boundary(reading: Reading, clause: Clause, start: int) -> int:
    """Return where a negation that starts here stops reaching to the right."""
    purpose = {i for m in reading.group("purpose") for i in range(m.start, m.end)}
    needs = any(i in purpose for i in range(max(clause.start, start - 3), start))
    for place in range(start, clause.end):
        low = reading.low(place)
        needs = needs or place in purpose
        if needs and low in ("to", "for") and place > start and place not in purpose:
            return place
        if low in CONDITION and low != "should":
            return place
        if low in ("except", "besides", "beyond") or (
            low in ("other", "apart") and reading.low(place + 1) in ("than", "from")
        ):
            return place
        # A comma right behind the negator opens an insertion.
        if low == "," and place > start and _comma_ends(reading, clause, place):
            return place
    return clause.end


def _comma_ends(reading: Reading, clause: Clause, place: int) -> bool:
    verb = reading.finite(place + 1, clause.end)
    if verb == place + 1 and reading.low(clause.start) in NOBODY:
        # "Nothing calls X, opens Y or starts Z" is one list of verbs.
        return not has_or(reading, place, clause.end)
    return verb is not None and not has_or(reading, place, verb)

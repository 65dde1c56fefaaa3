# Language policy: EXEMPT from the Rust-path rule. Decides what a negation covers; no numeric work.
"""Clauses and the reach of a negation.

A sentence is cut into clauses, and each negator denies a span of words: a determiner what follows
it, a verb's `not` what follows and, when the verb is one of use or support, its subject too. What
lies outside every span is asserted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from hpcgate.claims.lexicon import Lexicon
from hpcgate.claims.words import Match, Word, word_set

__all__ = ["Clause", "Reading", "denied_spans", "split_clauses"]

_MARKS = frozenset(";:—().?!,[]{}")
_HARD = word_set("; : — ( ) . ? ! [ ] { }")
_TURN = word_set("but however although though while whereas because")
_PRONOUN = word_set(
    "it we they you this that these those there i he she everything all nothing both neither "
    "each one ours yours"
)
_RELATIVE = word_set("which who whose where")
_MODALS = word_set("may might could can would")
_BE = word_set("is are was were be been being gets get got stays remains stay remain")
_CONDITION = word_set("if when where whenever unless until should whether")
_FALLBACK = word_set(
    "cpu fall falls fallback falling instead otherwise serial over reverts back floor"
)
_OPENERS = word_set(
    "without with on in at for thanks like unlike as once after before by from using given "
    "except far compared similar contrary under over across during through instead apart "
    "besides beyond today currently here now via where inside outside unless rather despite"
)
_PLACES = word_set("on in at by with for from over under of as than")
_NOMINAL = word_set("to the a an of no in by for its our your their this any each every")
_GOVERNS = word_set(
    "we you they i not can will may must could would should might shall do does did never also"
    " always and who that which people one all both others only never then"
)
_NOT_PLURAL = word_set("this is was its has does as us plus")
_SUBJECTS = word_set("it we they you")
_AUX = word_set("do does can is are will has have did")
_JOIN = _MARKS | {"and", "or", "nor", "to", "that"}
_ACTIVE = word_set(
    "support need require use accept handle allow have include cover offer provide take want"
    " contain allocate copy"
)
_DO = word_set("do does did can could will would may might")
_EFFECTS = word_set(
    "effect effects influence role place meaning part impact benefit business support sense"
    " anything us it them mars pymars our here anywhere"
)
_EXCEPT = word_set("except besides beyond other apart but")


@dataclass(frozen=True, slots=True)
class Clause:
    """Part of a sentence: words `start` to `end`, and the word or mark that opened it."""

    start: int
    end: int
    link: str


class Reading:
    """A sentence with every phrase of the lexicon that stands in it.

    Parameters
    ----------
    lexicon : Lexicon
        The words of the gate.
    words : tuple of Word
        The sentence.
    terms : list of Match
        The capabilities already found in it.
    """

    def __init__(self, lexicon: Lexicon, words: tuple[Word, ...], terms: list[Match]) -> None:
        self.lexicon = lexicon
        self.words = words
        self.terms = terms
        self._found: dict[str, list[Match]] = {}
        self.inside_terms = frozenset(i for term in terms for i in range(term.start, term.end))
        self.clauses = split_clauses(self)

    def group(self, name: str) -> list[Match]:
        """Return the phrases of one group that stand in the sentence."""
        if name not in self._found:
            self._found[name] = self.lexicon.groups[name].find(self.words)
        return self._found[name]

    def within(self, name: str, clause: Clause) -> list[Match]:
        """Return the phrases of one group that begin inside a clause."""
        return [m for m in self.group(name) if clause.start <= m.start < clause.end]

    def finite(self, start: int, end: int) -> int | None:
        """Return the place of the first finite verb in a span, or None."""
        return next((place for place in range(start, end) if self.is_finite(place)), None)

    def predicate(self, start: int, end: int) -> int | None:
        """Return the place of the first finite verb, be it part of a capability, or None."""
        found = self.finite(start, end)
        if found is not None:
            return found
        return next((p for p in range(start, end) if self.is_finite(p, inside=True)), None)

    def is_finite(self, place: int, *, inside: bool = False) -> bool:
        """Whether a word is a finite verb here; `replay` after a singular noun is none."""
        low = self.words[place].low
        if low not in self.lexicon.verbs or (not inside and place in self.inside_terms):
            return False
        before = self.low(place - 1)
        if before in _NOMINAL:
            return False
        if low not in self.lexicon.bare_verbs:
            return True
        if before in _GOVERNS or (before[-1:] == "s" and before not in _NOT_PLURAL):
            return True
        return (
            self.low(place - 2) == "and"
            and self.words[place - 1].text[1:].lower() != (self.words[place - 1].text[1:])
        )

    def low(self, place: int) -> str:
        """Return a word in lower case, or an empty text beyond the ends."""
        return self.words[place].low if 0 <= place < len(self.words) else ""


def split_clauses(reading: Reading) -> list[Clause]:
    """Cut a sentence at marks, turns (`but`), and new subjects or verbs after `and` or a comma."""
    cuts: list[tuple[int, str]] = [(0, "")]
    words = reading.words
    for place, word in enumerate(words):
        low = word.low
        if low in _HARD:
            cuts.append((place + 1, low))
        elif low in ("so", "neither", "nor", "as") and place and reading.low(place + 1) in _AUX:
            cuts.append((place, "and"))
        elif low in _RELATIVE and cuts[-1][0] == place:
            continue
        elif low in _TURN or low in _RELATIVE or (low == "yet" and _is_turn(reading, place)):
            if not (low in ("while", "though") and place == 0):
                cuts.append((place + 1, low))
        elif low in _SUBJECTS and _bare_opening(reading, cuts[-1][0], place):
            cuts.append((place, ","))
        elif low == "," and (link := _after_comma(reading, place)):
            cuts.append((place + 1, link))
        elif low in ("and", "or", "so") and place > cuts[-1][0] + 1 and _new_verb(reading, place):
            cuts.append((place + 1, "and"))
        elif low in ("because", "since", "as") and place and reading.low(place + 1) in _PRONOUN:
            cuts.append((place + 1, "because"))
    ends = [start for start, _ in cuts[1:]] + [len(words)]
    return [
        Clause(start, end, link)
        for (start, link), end in zip(cuts, ends, strict=True)
        if any(words[i].low not in _MARKS for i in range(start, end))
    ]


def _bare_opening(reading: Reading, start: int, place: int) -> bool:
    """Whether an opening phrase without a comma ends here: `Without CUDA it uses ROCm`."""
    return (
        start < place - 1
        and reading.low(start) in ("without", "with", "on", "in", "given", "from", "at")
        and reading.finite(start, place) is None
        and not any(start <= m.start < place for m in reading.group("others"))
        and reading.finite(place + 1, min(place + 3, len(reading.words))) is not None
    )


def _is_turn(reading: Reading, place: int) -> bool:
    before = reading.low(place - 1)
    return before not in ("not", "as", "nor", "none") and reading.low(place + 1) not in ("to", "")


def _after_comma(reading: Reading, place: int) -> str:
    """Say whether a comma opens a clause: a subject with a verb, or `only`, `just`, `instead`."""
    following = reading.low(place + 1)
    if following in ("only", "just", "instead", "rather", "simply"):
        return "only"
    start = place + 2 if following in ("and", "so", "or", "then", "nor", "with") else place + 1
    if reading.low(start) in _RELATIVE:
        return "which"
    names = {m.start for name in ("ours", "others") for m in reading.group(name)}
    if reading.low(start) in _PRONOUN or start in names:
        limit = min(start + 7, len(reading.words))
        if reading.finite(start, limit) is not None:
            return ","
    verb = reading.finite(start, min(start + 6, len(reading.words)))
    if verb is not None and _second_clause(reading, place, start, verb):
        return ","
    # The main clause after an opening phrase: "Without MPI, rows are spread over hosts".
    opening = reading.low(0) in _CONDITION or (
        reading.finite(0, place) is None and reading.low(0) in _OPENERS
    )
    if verb is not None and verb > start and opening and not _has_or(reading, place, verb):
        return ","
    return ""


def _second_clause(reading: Reading, comma: int, start: int, verb: int) -> bool:
    """Whether a comma alone joins two clauses: `this is there, that is not`."""
    subject = range(start, verb)
    return (
        start == comma + 1
        and 1 <= len(subject) <= 4
        and reading.low(verb) in _BE | _AUX
        and reading.finite(0, comma) is not None
        and not any(reading.low(i) in _JOIN or reading.low(i) in _PLACES for i in subject)
        and reading.low(start) not in _CONDITION
    )


def _has_or(reading: Reading, start: int, end: int) -> bool:
    return any(reading.low(i) in ("or", "nor") for i in range(start, end))


def _new_verb(reading: Reading, place: int) -> bool:
    """Whether `and` joins a second verb or a second subject with its verb."""
    words = reading.words
    following = reading.low(place + 1)
    if following in ("can", "does", "is", "are", "has", "will", "may", "was", "were", "do"):
        return True
    verbs = reading.lexicon.verbs
    if following in verbs and following.endswith("s") and place + 1 not in reading.inside_terms:
        return True
    names = {m.start for name in ("ours", "others") for m in reading.group(name)}
    if following in _PRONOUN or (place + 1) in names:
        return reading.finite(place + 2, min(place + 7, len(reading.words))) is not None
    if reading.low(place) == "or":
        return False
    # "and GPUs work": a noun phrase with its own verb after a clause that has one.
    stop = place + 2
    while stop < min(place + 5, len(words)) and words[stop].low not in _JOIN:
        stop += 1
    return reading.finite(0, place) is not None and reading.finite(place + 2, stop) is not None


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
    if _cancelled(negators):
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
    return not any(
        i in support and reading.low(i) not in _BE for i in range(match.end, first.start)
    )


def _cancelled(negators: list[tuple[str, Match]]) -> bool:
    """Whether two negations cancel: `no device is left out`."""
    names = [name for name, _ in negators]
    return (
        len(names) == 2
        and names[0] == "determiner"
        and names[1]
        not in (
            "determiner",
            "prepositional",
        )
    )


def _conditional(reading: Reading, clause: Clause, match: Match) -> bool:
    """Whether the negation is a condition with a way out: `if no GPU is found, the CPU ...`."""
    head = {reading.low(i) for i in range(clause.start, match.start)}
    asked = head & _CONDITION or clause.link in _CONDITION
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
    if not _content(reading, match.end, clause.end):
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
    if not following or following[0] in _PLACES or not following[0][:1].isalnum():
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
    yield match.end, _boundary(reading, clause, match.end)


def _transitive(reading: Reading, clause: Clause, match: Match) -> Iterator[tuple[int, int]]:
    if reading.low(match.end) == "by" and reading.low(match.end + 1) == "default":
        return
    if any(match.start < term.start < match.end for term in reading.terms):
        yield match.start, match.end
        return
    passive = any(
        reading.low(i) in _BE for i in range(max(clause.start, match.start - 2), match.start)
    )
    if passive and {reading.low(match.start - 2), reading.low(match.start - 3)} & _MODALS:
        # What may be removed is still there.
        return
    if passive or not _content(reading, match.end, clause.end):
        yield clause.start, match.start
    if not passive or match.start == clause.start:
        yield match.end, _boundary(reading, clause, match.end)


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
    small = _MARKS | {
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
        if low in _CONDITION and low != "should":
            return place
        if low in ("except", "besides", "beyond") or (
            low in ("other", "apart") and reading.low(place + 1) in ("than", "from")
        ):
            return place
        if low == "," and _comma_ends(reading, clause, place):
            return place
    return clause.end


def _comma_ends(reading: Reading, clause: Clause, place: int) -> bool:
    verb = reading.finite(place + 1, clause.end)
    return verb is not None and not _has_or(reading, place, verb)

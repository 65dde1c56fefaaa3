# Language policy: EXEMPT from the Rust-path rule. Cuts a sentence into clauses; no numeric work.
"""Clauses: a sentence with its phrases, cut where a new subject or a new verb begins."""

from __future__ import annotations

from dataclasses import dataclass

from hpcgate.claims.lexicon import Lexicon
from hpcgate.claims.words import Match, Word, word_set

__all__ = [
    "BE",
    "CONDITION",
    "MARKS",
    "NOBODY",
    "PLACES",
    "RELATIVE",
    "Clause",
    "Reading",
    "has_or",
    "split_clauses",
]

MARKS = frozenset(";:—().?!,[]{}")
_HARD = word_set("; : — ( ) . ? ! [ ] { }")
_TURN = word_set("but however although though while whereas because")
_PRONOUN = word_set(
    "it we they you this that these those there i he she everything all nothing both neither "
    "each one ours yours nobody"
)
RELATIVE = word_set("which who whose where")
BE = word_set("is are was were be been being gets get got stays remains stay remain")
CONDITION = word_set("if when where whenever unless until should whether")
_OPENERS = word_set(
    "without with on in at for thanks like unlike as once after before by from using given "
    "except far compared similar contrary under over across during through instead apart "
    "besides beyond today currently here now via where inside outside unless rather despite"
)
# Subjects that deny every verb behind them.
NOBODY = word_set("nothing nobody none neither")
PLACES = word_set("on in at by with for from over under of as than")
_NOMINAL = word_set("to the a an of no in by for its our your their this any each every")
_GOVERNS = word_set(
    "we you they i not can will may must could would should might shall do does did never also "
    "always already still often usually easily happily simply now even and who that which "
    "people one all both others only then"
)
_NOT_PLURAL = word_set("this is was its has does as us plus")
_SUBJECTS = word_set("it we they you")
_AUX = word_set("do does can may is are will has have did")
_JOIN = MARKS | {"and", "or", "nor", "to", "that"}


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
        self._found: dict[str, list[Match]] | None = None
        self._names: frozenset[int] | None = None
        self.inside_terms = frozenset(i for term in terms for i in range(term.start, term.end))
        self.clauses = split_clauses(self)

    def group(self, name: str) -> list[Match]:
        """Return the phrases of one group that stand in the sentence."""
        if self._found is None:
            self._found = {}
            for match in self.lexicon.marks.find(self.words):
                self._found.setdefault(match.key, []).append(match)
        return self._found.get(name, [])

    @property
    def names(self) -> frozenset[int]:
        """Return where projects are named, ours and others."""
        if self._names is None:
            self._names = frozenset(m.start for n in ("ours", "others") for m in self.group(n))
        return self._names

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
        if low in _HARD and not _inside_name(words, place):
            cuts.append((place + 1, low))
        elif low in ("so", "neither", "nor", "as") and place and reading.low(place + 1) in _AUX:
            cuts.append((place, "and"))
        elif low in RELATIVE and cuts[-1][0] == place:
            continue
        elif low in _TURN or low in RELATIVE or (low == "yet" and _is_turn(reading, place)):
            if not (low in ("while", "though") and place == 0):
                cuts.append((place + 1, low))
        elif low in _SUBJECTS and _bare_opening(reading, cuts[-1][0], place):
            cuts.append((place, ","))
        elif low == "," and reading.low(place - 1) in ("yes", "no"):
            cuts.append((place + 1, low))
        elif low == "," and cuts[-1][1] in RELATIVE and _resumes(reading, place):
            cuts.append((place + 1, "resumed"))
        elif low == "," and (link := _after_comma(reading, place)):
            cuts.append((place + 1, link))
        elif low == "or" and reading.low(cuts[-1][0]) in NOBODY:
            continue
        elif low in ("and", "or", "so") and place > cuts[-1][0] + 1 and _new_verb(reading, place):
            cuts.append((place + 1, "and"))
        elif low in ("because", "since", "as") and place and reading.low(place + 1) in _PRONOUN:
            cuts.append((place + 1, "because"))
    ends = [start for start, _ in cuts[1:]] + [len(words)]
    return [
        Clause(start, end, link)
        for (start, link), end in zip(cuts, ends, strict=True)
        if any(words[i].low not in MARKS for i in range(start, end))
    ]


def _inside_name(words: tuple[Word, ...], place: int) -> bool:
    """Whether a mark stands inside a name: `numpy.dot`, `cuda:0`."""
    return (
        words[place].low in (".", ":")
        and 0 < place < len(words) - 1
        and (words[place].low == "." or words[place + 1].low[0].isdecimal())
        and words[place - 1].end == words[place].start
        and words[place].end == words[place + 1].start
    )


def _resumes(reading: Reading, comma: int) -> bool:
    """Whether the main clause goes on behind a relative one: `X, from which we took it, uses ...`.

    A list of verbs inside the relative clause goes on with `and` and one more verb.
    """
    last = len(reading.words) - 1
    return (
        comma < last
        and reading.is_finite(comma + 1)
        and not any(
            reading.low(i) in ("and", "or") and reading.is_finite(i + 1)
            for i in range(comma + 2, last)
        )
    )


def _bare_opening(reading: Reading, start: int, place: int) -> bool:
    """Whether an opening phrase without a comma ends here: `Without CUDA it uses ROCm`."""
    return (
        start < place - 1
        and reading.low(start) in ("without", "with", "on", "in", "given", "from", "at")
        and reading.finite(start, place) is None
        and not any(start <= m.start < place for m in reading.group("others"))
        and reading.predicate(place + 1, min(place + 3, len(reading.words))) is not None
    )


def _is_turn(reading: Reading, place: int) -> bool:
    before = reading.low(place - 1)
    return before not in ("not", "as", "nor", "none") and reading.low(place + 1) not in ("to", "")


def _after_comma(reading: Reading, place: int) -> str:
    """Say whether a comma opens a clause: a subject with a verb, or `only`, `just`, `instead`."""
    following = reading.low(place + 1)
    if following in ("only", "just", "instead", "rather", "simply"):
        return "only"
    if reading.low(place - 1) == "nor":
        return ""  # An insertion: "nor, since nobody asked, for MPI".
    start = place + 2 if following in ("and", "so", "or", "then", "nor", "with") else place + 1
    if reading.low(start) in RELATIVE:
        return "which"
    names = reading.names
    if reading.low(start) in _PRONOUN or start in names:
        limit = min(start + 7, len(reading.words))
        if reading.predicate(start, limit) is not None:
            return ","
    verb = reading.finite(start, min(start + 6, len(reading.words)))
    if verb is not None and _second_clause(reading, place, start, verb):
        return ","
    # The main clause after an opening phrase: "Without MPI, rows are spread over hosts".
    opening = reading.low(0) in CONDITION or (
        reading.finite(0, place) is None and reading.low(0) in _OPENERS
    )
    if verb is not None and verb > start and opening and not has_or(reading, place, verb):
        return ","
    return ""


def _second_clause(reading: Reading, comma: int, start: int, verb: int) -> bool:
    """Whether a comma alone joins two clauses: `this is there, that is not`."""
    subject = range(start, verb)
    return (
        start == comma + 1
        and 1 <= len(subject) <= 4
        and reading.low(verb) in BE | _AUX
        and reading.finite(0, comma) is not None
        and not any(reading.low(i) in _JOIN or reading.low(i) in PLACES for i in subject)
        and reading.low(start) not in CONDITION
    )


def has_or(reading: Reading, start: int, end: int) -> bool:
    """Whether `or` or `nor` stands in a span of words."""
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
    names = reading.names
    if following in _PRONOUN or (place + 1) in names:
        return reading.finite(place + 2, min(place + 7, len(reading.words))) is not None
    if reading.low(place) == "or":
        return False
    # "and GPUs work": a noun phrase with its own verb after a clause that has one.
    stop = place + 2
    while stop < min(place + 5, len(words)) and words[stop].low not in _JOIN:
        stop += 1
    return reading.finite(0, place) is not None and reading.finite(place + 2, stop) is not None

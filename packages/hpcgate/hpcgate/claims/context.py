# Language policy: EXEMPT from the Rust-path rule. Reads what stands beside a word; no numeric work.
"""How a clause is meant: as a definition, a quotation, or a reply to what was said before."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from hpcgate.claims.clauses import BE
from hpcgate.claims.scope import Clause, Reading
from hpcgate.claims.words import Match, Word, word_set

__all__ = ["TAIL", "Status", "definition", "ellipsis", "is_quoted"]

Status = Literal["", "deny", "plan", "other", "mention", "affirm"]
_AUXILIARY = word_set("does do can is are has have will did")
TAIL = word_set("too also now so it both already that . ! , as well likewise ) ; them this — and")
_WELCOME = word_set(
    "helps help works honoured respected obeyed used supported welcome there fine possible accepted"
    " taken exploited useful"
    " helpful recommended"
)
_NEGATIONS = word_set("not no never none neither nor cannot without")
_SUBJECTS = word_set("it they we you those these both pymars replay can will does")
# "It is not needed, but having one helps."
_HAVING = word_set("having owning using adding with buying taking")
_IN_VAIN = word_set(
    "not no never nothing none little hardly nowhere neither without pointless useless vain wrong"
    " raises fails error ignored"
)
_LONG = 9
_OBJECTS = word_set("them one it those these both")
_BEHIND = word_set(
    "if when where since as to for at in on too now anyway just , . and just well gladly"
)
_TAKES = word_set(
    "use uses using work works run runs support supports exploit exploits take takes handle"
    " handles like likes love loves help helps accept accepts have has want welcome welcomes"
    " enjoy enjoys benefit benefits profit profits offer offers"
)
_KINDS = word_set(
    "standard specification protocol platform library framework toolkit processor term word"
    " language company product computers computer scheduler number unit message messages chip"
    " process program device group set part name identifier index abbreviation acronym machine"
    " interface model programming vendor maker component"
)
# What a word may be said to be, right behind its article.
_THINGS = word_set(
    "instruction technique way method computer value copy network system tool piece kind sort"
    " measure property promise pair list queue place point state sequence series stream unit"
)
_LISTED = word_set(", and or /")
# A name, a colon and a type document an argument.
_TYPES = word_set(
    "int float str bool integer string boolean optional callable array number list dict"
)
# "Which the code does not attempt."
_UNDONE = word_set("attempt try do happen exist")
_EXTEND = word_set("too likewise same also")
# "We follow" repeats what was said; "we follow its style guide" does not.
_FOLLOW = word_set("follows follow joins matches")
_FOLLOWED = word_set("suit it them in closely")


def definition(reading: Reading, clause: Clause) -> bool:
    """Whether a clause explains the word it begins with: `MPI stands for ...`."""
    if _glossed(reading):
        return True
    support = {m.start for m in reading.within("support", clause)}
    for match in reading.within("definition", clause):
        if match.start + 1 in support and reading.low(match.start) in BE:
            # "They are used for products" tells no meaning.
            continue
        for term in reading.terms:
            between = range(term.end, match.start)
            if (
                clause.start <= term.start
                and (
                    term.start <= clause.start + 2 or _all_named(reading, clause.start, term.start)
                )
                and term.end <= match.start
                and all(not reading.low(i)[:1].isalnum() for i in between)
            ):
                return not reading.within("ours", clause)
    return False


def _all_named(reading: Reading, start: int, end: int) -> bool:
    """Whether a span only lists capabilities and projects: `R and Fortran`."""
    named = {i for m in reading.group("others") for i in range(m.start, m.end)}
    named |= reading.inside_terms
    return all(i in named or reading.low(i) in _LISTED | {"both", "the"} for i in range(start, end))


def _glossed(reading: Reading) -> bool:
    """Whether the sentence is a word, a colon, and what the word is: `MPI: a standard for ...`."""
    if not reading.terms or reading.group("ours"):
        return False
    head = reading.terms[0]
    kinds = [
        i
        for i in range(head.end, min(head.end + 9, len(reading.words)))
        if reading.low(i) in _KINDS
    ]
    typed = reading.low(head.end + 1) in _TYPES
    if reading.low(head.end + 1) in ("a", "an", "one", "any"):
        kinds += [i for i in range(head.end + 2, head.end + 5) if reading.low(i) in _THINGS]
    if reading.low(head.end + 1).isdecimal() and reading.low(head.end + 3) == "of":
        # A word is told as so many parts of a thing.
        kinds += [head.end + 4] if reading.low(head.end + 4) in ("a", "an") else []
    return head.start == 0 and reading.low(head.end) in (":", "—") and bool(kinds) and not typed


def ellipsis(reading: Reading, clause: Clause) -> Status:
    """Read a clause that repeats what was said for another subject: `replay does`."""
    words = [i for i in range(clause.start, clause.end)]
    while words and reading.low(words[-1]) in TAIL:
        words.pop()
    if len(words) > _LONG:
        # "But we expect it to run on them as it does on ..." says enough at its beginning.
        begins = [reading.low(i) for i in words[:_LONG]]
        ours = clause.link == "but" and bool(reading.within("ours", clause))
        return "affirm" if ours and _takes_it(begins, ours) else ""
    if not words:
        return ""
    last = reading.low(words[-1])
    if last in _UNDONE and reading.low(words[-2]) == "not":
        return "deny"
    extends = any(
        reading.low(i) in _EXTEND
        or (reading.low(i) in _FOLLOW and (i == words[-1] or reading.low(i + 1) in _FOLLOWED))
        for i in range(clause.start, clause.end)
    )
    head = [reading.low(i) for i in words]
    named = bool(reading.within("ours", clause))
    named_here = named or (clause.link == "but" and head[0] in reading.lexicon.parts)
    whole = [reading.low(i) for i in range(clause.start, clause.end)]
    if _takes_it(head, named_here) or (clause.link == "but" and named and _takes_it(whole, named)):
        return "affirm"
    if head[0] in ("it", "they", "one") and head[-1] in _WELCOME and not _left_there(head):
        return "affirm"
    if head[0] in _HAVING and head[1:2] and head[1] in _OBJECTS and not _IN_VAIN & {*head}:
        return "affirm"
    if clause.link == "but" and head[0] in _WELCOME and not _NEGATIONS & {*head}:
        return "affirm"
    if last == "not" or last == "none" or head[0] in ("neither", "nor"):
        return "deny"
    if last in _AUXILIARY and len(words) > 1:
        return "affirm"
    inverted = [a for a, b in pairwise(head) if a in ("so", "as", "and") and b in _AUXILIARY]
    return "affirm" if named and (inverted or extends) else ""


def _left_there(head: list[str]) -> bool:
    """Whether a thing only lies about: `it would just sit there`."""
    return head[-1] == "there" and head[-2] in ("sit", "sits", "lie", "lies", "stand", "stands")


def _takes_it(head: list[str], ours: bool) -> bool:
    """Whether a clause takes up what was named before: `it will use one`, `they work since 0.3`."""
    if _NEGATIONS & {*head} or not (ours or head[0] in _SUBJECTS):
        return False
    if "happy" in head and {*head} & {"either", "both", "one", "any"}:
        return True
    verbs = [i for i, word in enumerate(head) if i and word in _TAKES]
    if not verbs:
        return False
    after = [*head[verbs[0] + 1 : verbs[0] + 4], ""]
    taken = any(a in _OBJECTS and (b in _BEHIND or not b) for a, b in pairwise(after))
    return taken or head[0] in ("they", "those", "these", "both")


def is_quoted(words: tuple[Word, ...], match: Match) -> bool:
    """Whether a match stands between quotation marks."""
    depth, opened = 0, -1
    for place, word in enumerate(words):
        if word.text in ("“", "«", "„"):
            depth, opened = 1, place
        elif word.text in ("”", "»") or (word.text == '"' and depth):
            if depth and opened < match.start and match.end <= place:
                return True
            depth = 0
        elif word.text == '"':
            depth, opened = 1, place
    return False

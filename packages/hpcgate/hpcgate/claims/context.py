# Language policy: EXEMPT from the Rust-path rule. Reads what stands beside a word; no numeric work.
"""What a clause is about: whose capability, a definition, a quotation, or what was said before."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from hpcgate.claims.clauses import BE
from hpcgate.claims.names import foreign_name
from hpcgate.claims.scope import Clause, Reading
from hpcgate.claims.words import Match, Word, word_set

__all__ = ["TAIL", "Owner", "Status", "definition", "ellipsis", "is_quoted", "owner"]

Status = Literal["", "deny", "plan", "other", "mention", "affirm"]
Owner = Literal["", "ours", "other"]
_PRONOUNS = word_set("it they its their which that who whose this these both")
_RELATIVES = word_set("which who whose where")
_AGAINST = word_set(
    "than unlike not no without over versus vs against from before to with outside nor"
)
_AUXILIARY = word_set("does do can is are has have will did")
TAIL = word_set("too also now so it both already that . ! , as well likewise ) ; them this — and")
_LIKENED = word_set(
    "like as similar just following beside alongside with via through on using under from for "
    "in by faster twice thanks instead compared relative contrary opposed"
)
_SET_BESIDE = word_set("compared relative contrary opposed")
_INVERTED = word_set("so as neither nor")
_TOOLS = word_set(
    "cupy dask ray kubernetes slurm hadoop horovod spark spack easybuild conda pip pixi mamba"
)
# What is said of a tool with these is said of us: that it is supported, that it may be used.
_STATED = BE | word_set("may might should can could will must works work helps has")
_OUR_THINGS = word_set("plan plans replay row rows model models matrix knots hinges basis batch it")
_WELCOME = word_set(
    "helps help works used supported welcome there fine possible accepted taken exploited useful"
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
# What we did to compare, which hands nothing to us: "on every table we tried".
_LOOKED = word_set(
    "tried tested measured compared looked saw know knew found used checked timed ran"
    " run did made have had"
)
_PEOPLE = word_set("you one people users everybody everyone")
# Data that others made and we take: what is said of it is said of us.
_DATA = word_set(
    "data frame frames array arrays tensor tensors table tables dataframe dataframes series column"
    " columns batch batches buffer buffers matrix matrices record records ndarray ndarrays recordbatch"
    " recordbatches result results"
)
_PRODUCED = word_set("backed owned held allocated filled produced written made created")
# Whoever writes in another language calls us.
_LANGUAGES = word_set("matlab stata sas")
_CALLERS = word_set("users callers programs scripts code programmers")
_MEASURES = word_set("throughput speed time performance rate runtime latency cost")
# "A replacement for X" and "the switch from X" speak of what came after X.
_SUCCEEDS = word_set(
    "replacement alternative substitute successor heir in port rewrite reimplementation switch move"
    " switched switching moved moving migration migrating migrated change changed changing"
)
# "It belongs to XGBoost", "it is available in XGBoost".
_ELSEWHERE = {
    *(("belongs", "to"), ("belong", "to"), ("available", "in"), ("offered", "by")),
    *(("implemented", "in"), ("found", "in"), ("provided", "by"), ("exists", "in")),
    *(("comes", "from"), ("come", "from"), ("came", "from"), ("stems", "from")),
}
_SEND = word_set("see try prefer consider")
# "Which the code does not attempt."
_UNDONE = word_set("attempt try do happen exist")
_EXTEND = word_set("too likewise same also")
# "We follow" repeats what was said; "we follow its style guide" does not.
_FOLLOW = word_set("follows follow joins matches")
_FOLLOWED = word_set("suit it them in closely")


def owner(reading: Reading, clause: Clause, inherited: Owner) -> Owner:
    """Say whose capability a clause speaks of."""
    verb = reading.predicate(clause.start, clause.end)
    if reading.low(clause.start) == "it" and not reading.within("redirect", clause):
        return inherited
    limit = verb if verb is not None else clause.end
    ours = [m for m in reading.within("ours", clause) if not _set_aside(reading, m)]
    others = [
        m
        for m in reading.within("others", clause)
        if not _measured_against(reading, m)
        and not (verb is None and _partner(reading, clause, m))
        and not _kind_of_data(reading, m.end)
        and not _made_of(reading, m.start)
        and not (reading.low(m.start) in _LANGUAGES and reading.low(m.end) in _CALLERS)
        and (m.start not in reading.inside_terms or m.end - m.start > 1)
        and (
            verb is not None
            or m.end - m.start > 1
            or not {reading.low(m.end), reading.low(m.start - 1)} & _LISTED
        )
    ]
    ours = [m for m in ours if not any(o.start <= m.start < o.end for o in others)]
    if reading.low(clause.start) in _INVERTED and reading.low(clause.start + 1) in _AUXILIARY:
        limit = clause.end
    both_of = reading.low(clause.start) == "both" and reading.low(clause.start + 1) == "of"
    if any(m.start < limit for m in ours) or (reading.low(clause.start) == "both" and not both_of):
        return "ours"
    if reading.low(clause.start) == "not" and reading.within("harmless", clause):
        return "ours"
    if reading.within("redirect", clause) or _sent_away(reading, others):
        return "other"
    if _with_another(reading, clause, others):
        return "other"
    if any(m.start < limit for m in others) and not _compared(reading, clause):
        lent = _enabled(reading, clause, ours, limit) or _here_too(reading, clause)
        return "ours" if lent else "other"
    if _tool_itself(reading, clause, verb):
        return "other"
    first = reading.low(clause.start)
    if first in _RELATIVES and any(m.end + 1 == clause.start for m in reading.group("others")):
        return "other"
    if first in _PRONOUNS or both_of or clause.link in ("which", "who", "that", "and", "because"):
        return inherited
    if verb is not None and not ours and foreign_name(reading, clause.start, verb):
        return "other"
    return ""


def _kind_of_data(reading: Reading, place: int) -> bool:
    """Whether a kind of data follows a name: `a pandas frame`, `a pyarrow.Table`."""
    return reading.low(place + (reading.low(place) == ".")) in _DATA


def _made_of(reading: Reading, place: int) -> bool:
    """Whether a name says whose data it is: `a batch of pyarrow`, `columns backed by pyarrow`."""
    before = reading.low(place - 1)
    return (before in ("of", "from") and reading.low(place - 2) in _DATA) or (
        before == "by" and reading.low(place - 2) in _PRODUCED
    )


def _tool_itself(reading: Reading, clause: Clause, verb: int | None) -> bool:
    """Whether a clause tells what a tool does, without our rows or plans: `Ray ships a ...`."""
    return (
        verb == clause.start + 1
        and clause.end > verb + 2
        and reading.low(clause.start) in _TOOLS
        and reading.low(verb) not in _STATED
        and not any(reading.low(i) in _OUR_THINGS for i in range(clause.start, clause.end))
        and not reading.within("ours", clause)
    )


def _here_too(reading: Reading, clause: Clause) -> bool:
    """Whether what is said of another project holds here as well."""
    return any(
        reading.low(i) == "here"
        and (reading.low(i + 1) in ("too", "also", "as") or reading.low(i - 1) == "also")
        for i in range(clause.start, clause.end)
    )


def _with_another(reading: Reading, clause: Clause, others: list[Match]) -> bool:
    """Whether somebody does it by means of another project: `With XGBoost you can ...`."""
    return any(
        m.start == clause.start + 1
        and reading.low(clause.start) in ("with", "using", "in", "under")
        and (
            {reading.low(m.end), reading.low(m.end + 1)} & _PEOPLE
            or (reading.low(clause.start) == "in" and reading.low(m.end) not in _DATA)
        )
        for m in others
    )


def _measured_against(reading: Reading, match: Match) -> bool:
    """Whether another project is only what ours is measured by, as in `than X`."""
    before = match.start - 1
    if reading.low(before) == "of" and reading.low(before - 1) in _MEASURES:
        return True
    if reading.low(before) in ("for", "to", "of", "from") and reading.low(before - 1) in _SUCCEEDS:
        return True
    while reading.low(before) in ("the", "a", "an", "its", "that"):
        before -= 1
    if reading.low(before) in ("in", "with", "by") and reading.low(before - 1) == "than":
        return True
    return reading.low(before) in ("than", "over", "versus", "vs", "as")


def _partner(reading: Reading, clause: Clause, match: Match) -> bool:
    """Whether another project is only whom we deal with, as in `exchange of tables with X`."""
    return reading.low(match.start - 1) in ("with", "to", "from", "into", "and") and any(
        clause.start <= term.start < match.start for term in reading.terms
    )


def _sent_away(reading: Reading, others: list[Match]) -> bool:
    """Whether a clause points to another project: `It belongs to XGBoost`."""
    if any((reading.low(m.start - 2), reading.low(m.start - 1)) in _ELSEWHERE for m in others):
        return True
    if any(_handed_over(reading, i) for i in range(len(reading.words) - 2)):
        return True
    words = [reading.low(m.start - 1) for m in others]
    wanted = reading.low(0) in ("for", "if")
    return any(w in _SEND or (wanted and w == "use") for w in words)


def _handed_over(reading: Reading, place: int) -> bool:
    """Whether something `belongs to` a name that is none of our own parts."""
    name = reading.words[place + 2]
    return (
        (reading.low(place), reading.low(place + 1)) in (("belongs", "to"), ("belong", "to"))
        and name.text[:1].isupper()
        and name.low not in reading.lexicon.parts
        and not any(m.start == place + 2 for m in reading.group("ours"))
    )


def _set_aside(reading: Reading, match: Match) -> bool:
    """Whether our name only stands in a comparison, or is that of others: `a code called MARS`."""
    if reading.low(match.start - 1) in ("called", "named") and match.end == match.start + 1:
        return reading.low(match.start) == "mars"
    return any(
        reading.low(i) in _AGAINST
        for i in (match.start - 1, match.start - 2)
        if reading.low(i) not in ("to", "with", "from") or i == match.start - 1
    )


def _compared(reading: Reading, clause: Clause) -> bool:
    """Whether the other project is only what ours is likened to: `like XGBoost, it ...`."""
    first = reading.low(clause.start)
    if first in _SET_BESIDE and reading.predicate(clause.start, clause.end) is None:
        return False
    if first == "in" and reading.low(clause.start + 1).isdecimal():
        return False  # a year
    return first in _LIKENED


def _enabled(reading: Reading, clause: Clause, ours: list[Match], limit: int) -> bool:
    """Whether another project's clause hands the capability to us, as in `X lets us`."""
    return any(
        m.start >= limit and not (reading.low(m.start) == "we" and reading.low(m.end) in _LOOKED)
        for m in ours
    )


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
    if not words or len(words) > 9:
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
    if _takes_it(head, named):
        return "affirm"
    if head[0] in ("it", "they", "one") and head[-1] in _WELCOME:
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


def _takes_it(head: list[str], ours: bool) -> bool:
    """Whether a clause takes up what was named before: `it will use one`, `they work since 0.3`."""
    if _NEGATIONS & {*head} or not (ours or head[0] in _SUBJECTS):
        return False
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

# Language policy: EXEMPT from the Rust-path rule. Tells whose a capability is; no numeric work.
"""Whose capability a clause speaks of: ours, that of another project, or whose was named before."""

from __future__ import annotations

from typing import Literal

from hpcgate.claims.clauses import BE
from hpcgate.claims.names import foreign_name
from hpcgate.claims.scope import Clause, Reading
from hpcgate.claims.words import Match, word_set

__all__ = ["Owner", "owner"]

Owner = Literal["", "ours", "other"]
_PRONOUNS = word_set("it they its their which that who whose this these both")
_RELATIVES = word_set("which who whose where")
_AGAINST = word_set(
    "than unlike not no without over versus vs against from before to with outside nor"
)
_AUXILIARY = word_set("does do can is are has have will did")
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
_LISTED = word_set(", and or /")
# What we did to compare, which hands nothing to us: "on every table we tried".
_LOOKED = word_set(
    "tried tested measured compared looked saw know knew found used checked timed ran"
    " run did made have had"
)
_PEOPLE = word_set("you one people users everybody everyone")
# Data that others made and we take: what is said of it is said of us.
_DATA = word_set(
    "data frame frames array arrays tensor tensors table tables dataframe dataframes series column"
    " columns batch batches buffer buffers matrix matrices record records ndarray ndarrays result"
    " results recordbatch recordbatches"
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
# A sentence that opens with one of these, as a summary does, speaks of us.
_TAKES_OVER = word_set("replaces supersedes succeeds extends complements reproduces mimics beats")
_AMONG = word_set("from between of with to for on")
_BOUNDS = word_set("limit limits limitation restriction restrictions")
# "Our site" is where somebody works, and "of our site" whose module that is.
_EMPLOYERS = word_set("site centre center university institute lab group department company")
_SEND = word_set("see try prefer consider")


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
        and not _rest_of_ours(reading, m.start)
        and not (verb is None and _partner(reading, clause, m))
        and not _kind_of_data(reading, m.end)
        and not _made_of(reading, m.start)
        and not (reading.low(m.start) in _LANGUAGES and reading.low(m.end) in _CALLERS)
        and (m.start not in reading.inside_terms or m.end - m.start > 1)
        and not any(t.start < m.start and m.end <= t.end for t in reading.terms)
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
    if clause.start == 0 and reading.low(0) in _TAKES_OVER:
        return ""
    if any(m.start < limit for m in others) and not _compared(reading, clause):
        lent = _enabled(reading, clause, ours, limit) or _here_too(reading, clause)
        return "ours" if lent else "other"
    if _tool_itself(reading, clause, verb):
        return "other"
    first = reading.low(clause.start)
    if first in _RELATIVES and any(m.end + 1 == clause.start for m in reading.group("others")):
        return "other"
    if first in _PRONOUNS and reading.low(clause.start + 1) in _BOUNDS:
        return ""  # "That limit does not apply here."
    if first in _PRONOUNS or both_of or clause.link in ("which", "who", "that", "and", "because"):
        return inherited
    data = first in _DATA or _kind_of_data(reading, clause.start + 1)
    if verb is not None and not ours and not data and foreign_name(reading, clause.start, verb):
        return "other"
    return ""


def _rest_of_ours(reading: Reading, place: int) -> bool:
    """Whether `the others` are more of what was named: threads that `steal from the others`."""
    return (
        reading.low(place) == "others"
        and reading.low(place - 1) == "the"
        and reading.low(place - 2) in _AMONG
    )


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
        and not name.text[1:].isdecimal()
        and not any(m.start == place + 2 for m in reading.group("ours"))
    )


def _set_aside(reading: Reading, match: Match) -> bool:
    """Whether our name only stands in a comparison, or is that of others: `a code called MARS`."""
    if reading.low(match.start - 1) in ("called", "named") and match.end == match.start + 1:
        return reading.low(match.start) == "mars"
    if reading.low(match.start - 1) in ("of", "at") and reading.low(match.start) == "our":
        return reading.low(match.end) in _EMPLOYERS
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

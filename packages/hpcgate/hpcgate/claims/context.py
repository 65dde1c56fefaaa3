# Language policy: EXEMPT from the Rust-path rule. Reads what stands beside a word; no numeric work.
"""What a clause is about: whose capability, an answer, a lead-in, a mention.

Each function looks at one kind of context and says in one word what it does to a capability that
is named beside it: `deny`, `plan`, `other` (another project), `mention`, or nothing.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal

from hpcgate.claims.lexicon import Lexicon
from hpcgate.claims.names import foreign_name
from hpcgate.claims.scope import Clause, Reading, denied_spans
from hpcgate.claims.words import Match, Word, first_sentence, sentences, split_words, word_set

__all__ = [
    "Status",
    "answer",
    "definition",
    "ellipsis",
    "heading_status",
    "is_quoted",
    "lead_status",
    "owner",
]

Status = Literal["", "deny", "plan", "other", "mention", "affirm"]
Owner = Literal["", "ours", "other"]

_BARE = ("deny", "plan")
_TITLES: tuple[tuple[str, Status], ...] = (
    ("mention_heading", "mention"),
    ("denied_heading", "deny"),
    ("planned_heading", "plan"),
)
_NOT_APPLICABLE = re.compile(r"n/?\.?a\b", re.IGNORECASE)
_ANSWER = re.compile(r"(?:A|Answer|Ans)\s*[:.]\s+", re.IGNORECASE)
_NO = frozenset("✗✘❌✕❎—–×")
_YES = frozenset("✓✔✅☑●")
_SKIP = word_set(
    'currently sorry simply and but still so well at present alas ( " , * “ even : today here'
)
_PRONOUNS = word_set("it they its their which that who whose this these both")
_AGAINST = word_set(
    "than unlike not without over versus vs against from before to with outside nor"
)
_AUXILIARY = word_set("does do can is are has have will did")
_TAIL = word_set("too also now so it both already that . ! , as well likewise ) ; them this — and")
_SMALL = _TAIL | word_set(
    "the a an any of for on in here yet this these those such following at all today code "
    "support plans mode kind features be been by us we you release version to purpose "
    "below above items item entries entry listed points options is are "
    "dependency dependencies claims design either anything longer such thing things there or "
    ": anymore project will find"
)
_LIKENED = word_set(
    "like as similar just following beside alongside with via through on using under from for "
    "in by faster twice thanks instead compared relative contrary opposed"
)
_SET_BESIDE = word_set("compared relative contrary opposed")
_INVERTED = word_set("so as neither nor")
_TOOLS = word_set(
    "cupy dask ray kubernetes slurm hadoop horovod spark spack easybuild conda pip pixi mamba"
)
_OUR_THINGS = word_set("plan plans replay row rows model models matrix knots hinges basis batch it")
_WELCOME = word_set("helps help works used supported welcome there fine possible")
_NEGATIONS = word_set("not no never none neither nor cannot without")
_SUBJECTS = word_set("it they we you those these both pymars replay can will does")
_OBJECTS = word_set("them one it those these both")
_BEHIND = word_set(
    "if when where since as to for at in on too now anyway just , . and just well gladly"
)
_TAKES = word_set(
    "use uses using work works run runs support supports exploit exploits take takes handle"
    " handles like likes love loves help helps accept accepts have has want welcome welcomes"
    " enjoy enjoys benefit benefits offer offers"
)
_KINDS = word_set(
    "standard specification protocol platform library framework toolkit processor term word"
    " language company product computers computer scheduler number unit message messages chip"
    " process program device group set part name identifier index abbreviation acronym machine"
    " interface model programming vendor maker component"
)
_BRIEF = 5
_LISTED = word_set(", and or /")
# A name, a colon and a type document an argument.
_TYPES = word_set(
    "int float str bool integer string boolean optional callable array number list dict"
)
_PEOPLE = word_set("you one people users everybody everyone")
_MODALS = word_set("may might could can would")
# Data that others made and we take: what is said of it is said of us.
_DATA = word_set(
    "frame frames array arrays tensor tensors table tables dataframe dataframes series column"
    " columns batch batches buffer buffers matrix matrices record records"
)
_SEND = word_set("see try prefer consider")
_EXTEND = word_set("too likewise same also follows follow joins matches")


def answer(lexicon: Lexicon, text: str) -> Status:
    """Say what a cell, a flag or the start of an answer says: yes, no, later, or nothing."""
    stripped = _ANSWER.sub("", text.strip(" \t*_`|."))
    if not stripped or stripped[0] in _NO or stripped in ("-", "--", "~", "x", "X", "❌️"):
        return "deny" if stripped not in ("x", "X") else "affirm"
    if stripped[0] in _YES:
        return "affirm"
    if _NOT_APPLICABLE.match(stripped):
        return "deny"
    opening = first_sentence(stripped)
    first = opening.words if opening else ()
    while first and first[0].low in _SKIP:
        first = first[1:]
    if not first:
        return ""
    reading = Reading(lexicon, first, [])
    if _starts(reading, "deny"):
        return "deny"
    if reading.group("planned") and not reading.group("now"):
        return "plan"
    if _starts(reading, "plan"):
        return "plan"
    if _starts(reading, "affirm"):
        return "affirm"
    return "deny" if _short_denial(reading) else ""


def _starts(reading: Reading, name: str) -> bool:
    """Whether an answer phrase opens the text, and is not the start of a harmless one."""
    if any(m.start == 0 for m in reading.group("harmless")):
        return False
    for match in reading.lexicon.groups[name].find(reading.words):
        if match.start == 0:
            after = reading.low(match.end)
            single = match.end == 1 and reading.low(0) in (
                "no",
                "on",
                "off",
                "sure",
                "never",
                "neither",
                "nothing",
                "future",
            )
            if not single or not after[:1].isalpha() or reading.low(0) == "never":
                return True
    return False


def _short_denial(reading: Reading) -> bool:
    """Whether the first clause is a denial of what was named before: `this is not supported`."""
    clause = reading.clauses[0]
    if clause.end - clause.start > 10:
        return False
    support = {i for m in reading.group("support") for i in range(m.start, m.end)}
    harmless = {i for m in reading.group("harmless") for i in range(m.start, m.end)}
    for name in ("verbal", "determiner", "predicate", "transitive"):
        for match in reading.within(name, clause):
            before = {reading.low(match.start - 1), reading.low(match.start - 2)}
            if match.start in harmless or (name == "transitive" and before & _MODALS):
                continue
            rest = range(match.end, clause.end)
            if all(i in support or reading.low(i) in _SMALL for i in rest):
                return True
    return False


def lead_status(lexicon: Lexicon, text: str) -> Status:
    """Say what a lead-in, a key or a parent item makes of the items below it."""
    last = sentences(text)[-1:]
    if not last:
        return ""
    reading = Reading(lexicon, last[0].words, lexicon.terms_in(last[0].words))
    if not reading.clauses:
        return ""
    clause = reading.clauses[-1]
    if len(last[0].words) <= _BRIEF and not reading.terms:
        short = answer(lexicon, last[0].text)
        if short in _BARE:
            return short
    if reading.group("failing"):
        return "deny"
    if reading.group("policy") or (reading.group("quoting") and _names_wording(reading)):
        return "mention"
    if owner(reading, clause, "") == "other":
        return "other"
    end = clause.end
    while end > clause.start and not reading.low(end - 1)[:1].isalnum():
        end -= 1
    if any(
        stop >= end and _open_object(reading, start, end)
        for start, stop in denied_spans(reading, clause)
    ):
        return "deny"
    if _short_denial(reading) or (
        any(m.end >= end for m in reading.within("predicate", clause))
        and not reading.group("harmless")
    ):
        return "deny"
    if reading.group("planned") and not reading.group("now"):
        return "plan"
    return ""


def _names_wording(reading: Reading) -> bool:
    wording = {
        "word",
        "words",
        "phrase",
        "phrases",
        "wording",
        "sentence",
        "sentences",
        "claim",
        "claims",
        "slogan",
        "quote",
        "quotes",
        "expression",
        "readme",
    }
    return any(word.low in wording for word in reading.words)


def _open_object(reading: Reading, start: int, end: int) -> bool:
    """Whether the denied words of a lead-in leave the object to the list below."""
    support = {i for m in reading.group("support") for i in range(m.start, m.end)}
    opener = reading.low(start - 1)
    if opener in ("no", "nothing", "none"):
        return all(i in support or reading.low(i) in _SMALL for i in range(start, end))
    return True


def heading_status(lexicon: Lexicon, heading: str) -> Status:
    """Say what a section title makes of the words listed in its section."""
    words = split_words(heading)
    if not 0 < len(words) <= 8:
        return ""
    for name, status in _TITLES:
        for match in lexicon.groups[name].find(words):
            if match.end - match.start >= len(words) - 3:
                return status
    if not lexicon.terms_in(words) and (status := lead_status(lexicon, heading)) in _BARE:
        return status
    reading = Reading(lexicon, words, [])
    whole = any(m.end - m.start >= len(words) - 1 for m in reading.group("others"))
    return "other" if whole else ""


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
        and reading.low(m.end) not in _DATA
        and not (reading.low(m.start - 1) == "of" and reading.low(m.start - 2) in _DATA)
        and (m.start not in reading.inside_terms or m.end - m.start > 1)
        and (verb is not None or not {reading.low(m.end), reading.low(m.start - 1)} & _LISTED)
    ]
    ours = [m for m in ours if not any(o.start <= m.start < o.end for o in others)]
    if reading.low(clause.start) in _INVERTED and reading.low(clause.start + 1) in _AUXILIARY:
        limit = clause.end
    if any(m.start < limit for m in ours) or reading.low(clause.start) == "both":
        return "ours"
    if reading.low(clause.start) == "not" and reading.within("harmless", clause):
        return "ours"
    if reading.within("redirect", clause) or _sent_away(reading, others):
        return "other"
    if _with_another(reading, clause, others):
        return "other"
    if any(m.start < limit for m in others) and not _compared(reading, clause):
        return "ours" if _enabled(reading, clause, ours, limit) else "other"
    if _tool_itself(reading, clause, verb):
        return "other"
    first = reading.low(clause.start)
    if first in _PRONOUNS or clause.link in ("which", "who", "that", "and", "because"):
        return inherited
    if verb is not None and not ours and foreign_name(reading, clause.start, verb):
        return "other"
    return ""


def _tool_itself(reading: Reading, clause: Clause, verb: int | None) -> bool:
    """Whether a clause tells what a tool does, without our rows or plans: `Ray ships a ...`."""
    return (
        verb == clause.start + 1
        and reading.low(clause.start) in _TOOLS
        and not any(reading.low(i) in _OUR_THINGS for i in range(clause.start, clause.end))
        and not reading.within("ours", clause)
    )


def _with_another(reading: Reading, clause: Clause, others: list[Match]) -> bool:
    """Whether somebody does it by means of another project: `With XGBoost you can ...`."""
    return any(
        m.start == clause.start + 1
        and reading.low(clause.start) in ("with", "using", "in", "under")
        and (reading.low(m.end) in _PEOPLE or reading.low(m.end + 1) in _PEOPLE)
        for m in others
    )


def _measured_against(reading: Reading, match: Match) -> bool:
    """Whether another project is only what ours is measured by, as in `than X`."""
    before = match.start - 1
    while reading.low(before) in ("the", "a", "an", "its", "that"):
        before -= 1
    return reading.low(before) in ("than", "over", "versus", "vs", "as")


def _sent_away(reading: Reading, others: list[Match]) -> bool:
    """Whether the reader is sent to another project: `For GPUs, see XGBoost`."""
    words = [reading.low(m.start - 1) for m in others]
    wanted = reading.low(0) in ("for", "if")
    return any(w in _SEND or (wanted and w == "use") for w in words)


def _set_aside(reading: Reading, match: Match) -> bool:
    """Whether our name only stands in a comparison: `than mars-earth`."""
    return any(
        reading.low(i) in _AGAINST
        for i in (match.start - 1, match.start - 2)
        if reading.low(i) not in ("to", "with", "from") or i == match.start - 1
    )


def _compared(reading: Reading, clause: Clause) -> bool:
    """Whether the other project is only what ours is likened to: `like XGBoost, it ...`."""
    first = reading.low(clause.start)
    if first in _SET_BESIDE and reading.finite(clause.start, clause.end) is None:
        return False
    return first in _LIKENED


def _enabled(reading: Reading, clause: Clause, ours: list[Match], limit: int) -> bool:
    """Whether another project's clause hands the capability to us, as in `X lets us`."""
    return any(m.start >= limit for m in ours)


def definition(reading: Reading, clause: Clause) -> bool:
    """Whether a clause explains the word it begins with: `MPI stands for ...`."""
    if _glossed(reading):
        return True
    for match in reading.within("definition", clause):
        for term in reading.terms:
            between = range(term.end, match.start)
            if (
                clause.start <= term.start <= clause.start + 2
                and term.end <= match.start
                and all(not reading.low(i)[:1].isalnum() for i in between)
            ):
                return not reading.within("ours", clause)
    return False


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
    return head.start == 0 and reading.low(head.end) in (":", "—") and bool(kinds) and not typed


def ellipsis(reading: Reading, clause: Clause) -> Status:
    """Read a clause that repeats what was said for another subject: `replay does`."""
    words = [i for i in range(clause.start, clause.end)]
    while words and reading.low(words[-1]) in _TAIL:
        words.pop()
    if not words or len(words) > 9:
        return ""
    last = reading.low(words[-1])
    extends = any(reading.low(i) in _EXTEND for i in range(clause.start, clause.end))
    head = [reading.low(i) for i in words]
    if _takes_it(head):
        return "affirm"
    if head[0] in ("it", "they", "one") and head[-1] in _WELCOME:
        return "affirm"
    if last == "not" or last == "none" or head[0] in ("neither", "nor"):
        return "deny"
    if last in _AUXILIARY and len(words) > 1:
        return "affirm"
    inverted = [a for a, b in pairwise(head) if a in ("so", "as", "and") and b in _AUXILIARY]
    named = bool(reading.within("ours", clause))
    return "affirm" if named and (inverted or extends) else ""


def _takes_it(head: list[str]) -> bool:
    """Whether a clause takes up what was named before: `it will use one`, `they work since 0.3`."""
    if _NEGATIONS & {*head} or head[0] not in _SUBJECTS:
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

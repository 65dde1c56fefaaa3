# Language policy: EXEMPT from the Rust-path rule. Reads answers and lead-ins; no numeric work.
"""What a short text does to what it belongs to: an answer, a lead-in, a section title.

Each function says in one word what becomes of a capability that is named beside it: `deny`, `plan`,
`other` (another project), `mention`, `affirm`, or nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hpcgate.claims.context import TAIL, Status
from hpcgate.claims.lexicon import Lexicon
from hpcgate.claims.owner import owner
from hpcgate.claims.scope import Reading, denied_spans
from hpcgate.claims.words import Sentence, first_sentence, sentences, split_words, word_set

if TYPE_CHECKING:
    from hpcgate.claims.backward import Said

__all__ = ["answer", "follow_up", "heading_status", "lead_status"]

_BARE = ("deny", "plan")
_TITLES: tuple[tuple[str, Status], ...] = (
    ("mention_heading", "mention"),
    ("denied_heading", "deny"),
    ("planned_heading", "plan"),
)
_NONE_OF = re.compile(r"\W*(?:none|nothing|neither) of (?:the following|these|those|this)\b", re.I)
_NOT_APPLICABLE = re.compile(r"n/?\.?a\b", re.IGNORECASE)
_ANSWER = re.compile(r"(?:A|Answer|Ans)\s*[:.]\s+", re.IGNORECASE)
# A title that asks what something would take says that it is not there.
_SUPPOSES = re.compile(
    r"\W*(?:what|how)\b.*\b(?:would|needed|required|missing|to be done)\b", re.IGNORECASE
)
_NO = frozenset("✗✘❌✕❎—–×")
_YES = frozenset("✓✔✅☑●")
_SKIP = word_set(
    'currently sorry simply and but still so well at present alas ( " , * “ even : today here'
)
_SMALL = TAIL | word_set(
    "the a an any of for on in here yet this these those such following at all today code "
    "support plans mode kind features be been by us we you release version to purpose "
    "below above items item entries entry listed points options is are "
    "dependency dependencies claims design either anything longer such thing things there or "
    ": anymore project will find them those one either"
)
_BRIEF = 5
_MODALS = word_set("may might could can would")
_CHANGED = re.compile(
    r"\W{0,9}(?:(?:all |much of )?(?:that|this|it)"
    r" (?:has (?:now |since |finally )?(?:changed|ended)"
    r"|changed (?:with|in|since)\b.{0,60}|changes (?:now|today|with)\b.{0,60}|was then"
    r"|is (?:history|over|behind us|past|no longer (?:so|true|the case)))"
    r"|(?:those|these) (?:days|times) are (?:over|gone|past)"
    r"|(?:not|no) (?:so |true )?(?:any ?more|longer|now))(?: now)?\W{0,9}$",
    re.IGNORECASE,
)
# "Nobody has written it." and "We have nothing of the kind." deny what the sentence before names.
_MADE = (
    r"(?:writ(?:e|ten)|wrote|buil[dt]|ma[dk]e|done|do|start(?:ed)?|offer(?:ed)?|implement(?:ed)?)"
)
_UNDONE = re.compile(
    r"\W{0,9}(?:(?:nobody|no one|none of us)(?: has| have| had| did)?(?: ever| yet)?"
    r"|(?:we|it|they)(?: (?:have|has|had|did|do|does) (?:not|never)| never|(?: \w+)?n['’]t)"
    r"(?: yet)?)"
    rf" {_MADE} (?:it|them|that|this|one|any|so)(?: here| yet| so far)?\W{{0,9}}$"
    r"|[^.!?]{0,40}\b(?:nothing|none) of (?:the|that) (?:kind|sort)\W{0,9}$",
    re.IGNORECASE,
)

# "The software will not use it" denies what the sentence before has named.
_UNUSED = re.compile(
    r"^[^.!?;]{0,60}\b(?:will|does|do|did|can|would|could)(?:not| not| never|n['’]t)(?: ever| yet)?"
    r" (?:use|need|touch|exploit|require|see|run on|take up) (?:it|them|one|that|those|any)\W*$",
    re.IGNORECASE,
)


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
    harmless = reading.group("harmless")
    planned = [
        m for m in reading.group("planned") if not any(h.start <= m.start < h.end for h in harmless)
    ]
    if planned and not reading.group("now"):
        return "plan"
    if _starts(reading, "plan"):
        return "plan"
    if _starts(reading, "affirm"):
        return "affirm"
    return "deny" if _short_denial(reading) else ""


def follow_up(earlier: Sentence, here: Sentence, said: list[Said], lexicon: Lexicon) -> None:
    """Let `Not supported.` or `It is not used.` answer the sentence before."""
    if earlier.question or not said:
        return
    if _CHANGED.match(here.text):
        # What was denied or left to others before is there now.
        for thing in said:
            thing.status = "" if thing.status in ("deny", "other") else thing.status
        return
    unused = _UNUSED.search(here.text) and not lexicon.groups["others"].any(here.words)
    if unused or _UNDONE.match(here.text):
        for thing in said:
            thing.status = thing.status or "deny"
        return
    first = here.words[0].low if here.words else ""
    nominal = not any(w.low in lexicon.verbs for w in earlier.words)
    if nominal or first in ("it", "they", "this", "that", "both", "neither", "none", "these"):
        reply = answer(lexicon, here.text)
        if reply in ("deny", "plan"):
            for thing in said:
                thing.status = thing.status or reply


def _starts(reading: Reading, name: str) -> bool:
    """Whether an answer phrase opens the text, and is not the start of a harmless one."""
    harmless = reading.group("harmless")
    if any(m.start == 0 for m in harmless):
        return False
    for match in reading.lexicon.groups[name].find(reading.words):
        if match.start == 0 and not any(m.start < match.end for m in harmless):
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
    if not reading.clauses:
        return False
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
            if all(
                i in support or reading.low(i) in _SMALL or reading.low(i)[:1].isdecimal()
                for i in rest
            ):
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
    if reading.group("failing") or _NONE_OF.match(text):
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
    if _SUPPOSES.match(heading):
        return "mention"
    for name, status in _TITLES:
        for match in lexicon.groups[name].find(words):
            if match.end - match.start >= len(words) - 3:
                return status
    if not lexicon.terms_in(words) and (status := lead_status(lexicon, heading)) in _BARE:
        return status
    reading = Reading(lexicon, words, [])
    whole = any(m.end - m.start >= len(words) - 1 for m in reading.group("others"))
    return "other" if whole else ""

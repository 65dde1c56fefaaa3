# Language policy: EXEMPT from the Rust-path rule. Judges a sentence by rules; no numeric work.
"""What a clause makes of what was named before it: it repeats, denies or goes beyond it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hpcgate.claims.clauses import RELATIVE
from hpcgate.claims.context import Status, ellipsis
from hpcgate.claims.lexicon import Lexicon
from hpcgate.claims.owner import Owner
from hpcgate.claims.replies import answer, heading_status, lead_status
from hpcgate.claims.scope import Clause, Reading, none_without
from hpcgate.claims.words import Match, Sentence, word_set

__all__ = [
    "HELPERS",
    "Said",
    "disown",
    "ends_in_not",
    "go_beyond",
    "lifted",
    "lows",
    "refer_back",
    "spread",
    "struck",
    "take_back",
]


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


def refer_back(
    reading: Reading,
    clause: Clause,
    whose: Owner,
    earlier: list[Said],
    said: list[Said],
) -> None:
    """Apply a clause without a capability to the one named before it."""
    if not earlier:
        return
    if clause.link in ("where", "which", "while") and {"used", "to"} <= {*lows(reading, clause)}:
        return  # what was so before
    if clause.end - clause.start <= _BRIEF and reading.low(clause.end - 1) in RELATIVE:
        return  # "..., so nobody who": what nobody does comes next.
    if _of_it(reading, clause):
        return  # "None of it needs a licence" denies the licence.
    kind = ellipsis(reading, clause)
    if _goes_without(reading, clause):
        for thing in said or earlier:
            thing.status = thing.status or "deny"
        return
    if kind == "affirm" and whose != "other":
        now = reading.within("now", clause) or "since" in lows(reading, clause)
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
            and not (reply == "plan" and _tells_more(reading, clause))
            and (kind != "deny" or alone)
            and not _says_more(reading, clause)
            and not _own_object(reading, clause)
            and not _own_subject(reading, clause)
        ):
            named = _before_colon(reading, clause)
            # "Level H2 is implemented (H3 is planned)" speaks of another level in the bracket.
            levels = any(_LEVEL.fullmatch(low) for low in lows(reading, clause))
            for thing in said:
                if thing.match.start >= named and not (levels and thing.declared):
                    thing.status = thing.status or reply


def _tells_more(reading: Reading, clause: Clause) -> bool:
    """Whether a clause tells what comes later by itself: `; later calls go straight to it`."""
    return (
        not reading.within("planned", clause)
        and reading.low(clause.start) == "later"
        and reading.predicate(clause.start, clause.end) is not None
    )


def _twice(reading: Reading, clause: Clause) -> bool:
    """Whether the clause before denies that there is anything without it."""
    before = reading.clauses[reading.clauses.index(clause) - 1]
    return none_without(reading, before, reading.within("determiner", before))


def _before_colon(reading: Reading, clause: Clause) -> int:
    """Return where that begins which a reply behind a colon answers: `X: yes; Y: no`."""
    if clause.link != ":":
        return 0
    return max((c.start for c in reading.clauses if c.end <= clause.start), default=0)


def _says_more(reading: Reading, clause: Clause) -> bool:
    """Whether a clause denies something of its own: `and never moves a field`."""
    support = {i for m in reading.group("support") for i in range(m.start, m.end)}
    return clause.link == "and" and any(
        reading.is_finite(i) and i not in support and reading.low(i) not in HELPERS
        for i in range(clause.start, clause.end)
    )


def _own_subject(reading: Reading, clause: Clause) -> bool:
    """Whether a clause denies what it names itself: `, clusters are not covered`."""
    first = reading.words[clause.start]
    support = {m.start for m in reading.group("support")}
    return (
        clause.link == ","
        and first.low not in _OPENED | _ITSELF | _REFERRING
        and clause.start not in support
        and first.low[-1:] == "s"
        and reading.low(clause.start + 1) in ("is", "are", "was", "were")
    )


def _goes_without(reading: Reading, clause: Clause) -> bool:
    """Whether a clause denies the use of what was named: `we cannot be used together with it`."""
    words = [low for low in lows(reading, clause) if low[:1].isalnum()]
    return (
        words[-1:] in (["it"], ["them"])
        and words[-2:-1] in (["with"], ["in"], ["on"], ["through"], ["under"])
        and bool(_USED & {*words})
        and bool(reading.within("verbal", clause))
        and not reading.within("harmless", clause)
    )


def disown(reading: Reading, clause: Clause, said: list[Said]) -> None:
    """Let `none of it holds for us` deny what was said before it."""
    if _of_it(reading, clause) and _VALID & {*lows(reading, clause)}:
        for thing in said:
            thing.status = thing.status or "deny"


def _of_it(reading: Reading, clause: Clause) -> bool:
    """Whether a clause has `none of it` as its subject."""
    first = clause.start
    return (
        reading.low(first) in ("none", "nothing")
        and reading.low(first + 1) == "of"
        and reading.low(first + 2) in _IT
    )


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


def go_beyond(
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


def take_back(reading: Reading, clause: Clause, said: list[Said], new: int) -> None:
    """Let a clause that denies deny what stands before it: `..., where the cards stay idle`."""
    here = said[len(said) - new :]
    where = "where" in (clause.link, reading.low(clause.start))
    if where and all(thing.status == "deny" for thing in here):
        for thing in said[: len(said) - new]:
            if thing.level in {other.level for other in here}:
                thing.status = thing.status or "deny"


def lifted(lexicon: Lexicon, asked: Sentence, following: str) -> list[Said]:
    """Read a question about a limit that is answered with no: the end of it is a claim."""
    if not asked.question or not _ASKS.match(asked.text):
        return []
    if answer(lexicon, following) != "deny" and not _GONE.search(following[:_ANSWER]):
        return []
    stuck = _STUCK.search(asked.text) is not None
    return [
        Said(Match("a limit that is gone", m.start, m.end), int(m.key), "", "")
        for m in lexicon.limits.find(asked.words)
        if stuck or m.key == _BOUNDARY
    ]


def struck(lexicon: Lexicon, heading: str, item: Sentence) -> list[Said]:
    """Read `One-machine limit` in a list of what was removed: an end of the limit is a claim."""
    mended = _MENDED.search(heading) or _MENDED.match(item.text)
    if not (mended and _ONLY.search(item.text)) and not (
        _REMOVED.search(heading) and _A_LIMIT.search(item.text)
    ):
        return []
    limits = lexicon.limits.find(item.words)
    return [Said(Match("a limit that is gone", m.start, m.end), int(m.key), "", "") for m in limits]


def spread(reading: Reading, said: list[Said]) -> None:
    """Let the part before a colon speak for the part after it: `Not supported: MPI, GPU`."""
    for before, clause in zip(reading.clauses, reading.clauses[1:], strict=False):
        if clause.link != ":" or any(before.start <= t.match.start < before.end for t in said):
            continue
        text = " ".join(w.text for w in reading.words[before.start : before.end])
        status = lead_status(reading.lexicon, text)
        if heading_status(reading.lexicon, text) == "mention":
            status = "mention"
        if status == "deny" and not _bare(reading, before):
            continue
        told = reading.predicate(clause.start, clause.end) is not None
        if told and (ends_in_not(reading, before) or reading.low(before.start) == "there"):
            # "It cannot: ..." and "There is no need for it: ..." give a reason, not a list.
            continue
        for thing in said:
            if status and thing.match.start >= clause.start and not thing.status:
                thing.status = status


def _bare(reading: Reading, clause: Clause) -> bool:
    """Whether a denial leaves its object open: it has no subject but us or a pronoun."""
    opened = {m.start for name in _NEGATORS for m in reading.within(name, clause)}
    opened |= {m.start for m in reading.within("ours", clause)}
    return clause.start in opened or reading.low(clause.start) in _OPENED


def lows(reading: Reading, clause: Clause) -> list[str]:
    """Return the words of a clause in lower case."""
    return [reading.low(i) for i in range(clause.start, clause.end)]


def ends_in_not(reading: Reading, clause: Clause) -> bool:
    """Whether a clause ends in `is not`, leaving out what was said before."""
    end = clause.end
    while end > clause.start and not reading.low(end - 1)[:1].isalnum():
        end -= 1
    return reading.low(end - 1) == "not"


_ASKS = re.compile(r"\W*(?:is|are|was|does|do|has|have|must|will|can)\b", re.IGNORECASE)
_STUCK = re.compile(
    r"\b(?:still|stuck|limit(?:ed)?|maximum|restricted|confined|bound|tied|chained|capped|forced|only"
    r"|just|always|remain|stay)\b",
    re.IGNORECASE,
)
# A question whether callers must recompile, or whether buffers are copied, asks for no capability.
_BOUNDARY = "2"
_REMOVED = re.compile(r"\b(?:removed|dropped|lifted|gone|resolved|fixed)\b", re.IGNORECASE)
_MENDED = re.compile(r"\W*\bfixe[sd]\b|\W*\b(?:bug ?fixes|fix)\b:?", re.IGNORECASE)
_ONLY = re.compile(r"\b(?:only|just|nothing but|no more than)\b", re.IGNORECASE)
_A_LIMIT = re.compile(r"\b(?:limit(?:ation)?|restriction|ceiling|bottleneck|barrier)s?\b", re.I)
_GONE = re.compile(
    r"^\W*(?:that|this|the|it|those|these)\b[^.!?]{0,40}\b"
    r"(?:went away|(?:is|was|are|were|has been|have been) (?:gone|lifted|removed|dropped|history"
    r"|over|past)|fell|no longer|not any ?more)\b"
    r"|^\W*only (?:for|after|with|at|when|in)\b[^.!?]{0,30}\bmajor\b"
    r"|^\W*(?:not any ?more|no longer|not since)\b",
    re.IGNORECASE,
)
_ANSWER = 120
_BRIEF = 3
HELPERS = word_set("is are was were be been has have had do does did can will may must")
_LEVEL = re.compile(r"h[0-4]")
# "There is no way" denies what was named before; "there is no switch" denies a switch.
_REFERRING = word_set(
    "such plan plans code way use need trace sign mention intention chance hope room interest"
    " counterpart evidence longer more provision implementation equivalent question talk"
)
_USED = word_set("used work works run runs combined driven started launched")
_IT = word_set("it this that these those them which")
_VALID = word_set("holds hold applies apply true valid here exists exist implemented")
_NEGATORS = ("determiner", "verbal", "prepositional", "transitive", "predicate")
_OPENED = word_set("it we there what this they things features ideas requests currently")
_ITSELF = word_set("it they this that these both not none")

# Language policy: EXEMPT from the Rust-path rule. Judges sentences by rules; no numeric work.
"""The judge: which capabilities a piece of text claims for this project.

A capability counts as claimed unless something excuses exactly it: a negation that reaches it, a
plan, another project as the subject, or a mention of the words.
"""

from __future__ import annotations

import re

from hpcgate.claims.backward import Said, lifted, struck
from hpcgate.claims.context import Status, is_quoted
from hpcgate.claims.levels_named import declared_levels
from hpcgate.claims.lexicon import Lexicon
from hpcgate.claims.model import Claim, Unit
from hpcgate.claims.owner import Owner
from hpcgate.claims.replies import answer, follow_up, heading_status, lead_status
from hpcgate.claims.scope import Clause, Reading, denied_spans
from hpcgate.claims.sentence import judge_sentence
from hpcgate.claims.shapes import code_claims, field_claims, row_claims, shows
from hpcgate.claims.words import Sentence, first_sentence, sentences, split_words, word_set

__all__ = ["Judge"]

_WORLD = ("mention", "other")


class Judge:
    """Judge units with one lexicon.

    Examples
    --------
    >>> from hpcgate.claims.lexicon import load
    >>> from hpcgate.repo import find_root
    >>> judge = Judge(load(find_root()))
    >>> judge.claims(Unit("It fits splines.", 1))
    []
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._leads: dict[str, Status] = {}
        self._titles: dict[str, Status] = {}

    def claims(self, unit: Unit) -> list[Claim]:
        """Return what a unit claims, in order."""
        said = "\n".join((unit.text, *unit.leads[:1], *(unit.row.headers if unit.row else ())))
        if not self.lexicon.may_claim(said) and not _LEVEL.search(said) and not shows(unit):
            return []
        if (unit.behind and self.rejects(unit.behind)) or _ABSENT.match(unit.text):
            return []
        if _WORK.match(unit.text) and not self._names_us(unit.text):
            return []
        if unit.kind == "row":
            return row_claims(self, unit)
        if unit.kind == "code":
            return code_claims(self, unit)
        if unit.kind == "field":
            return field_claims(self, unit)
        return self.prose(unit)

    # -- prose ---------------------------------------------------------------------------------

    def prose(self, unit: Unit) -> list[Claim]:
        """Return what running text claims, sentence by sentence."""
        beside = (*unit.leads, *unit.headings[-1:], unit.after[:_ANSWER])
        cut = sentences(unit.text)
        # One sentence is the whole text, which was looked at before.
        may = [len(cut) == 1 or self.lexicon.may_claim(s.text) for s in cut]
        named = [
            self.lexicon.terms_in(s.words, _around(beside, cut, place)) if may[place] else []
            for place, s in enumerate(cut)
        ]
        declared_at = [declared_levels(s) for s in cut]
        claims = [
            self._claim(thing, one)
            for place, one in enumerate(cut)
            if may[place] and not named[place]
            for thing in (
                *lifted(self.lexicon, one, self._following(unit, cut, place)),
                *struck(self.lexicon, " ".join((*unit.leads[:1], *unit.headings[:1])), one),
            )
        ]
        if (
            not any(named)
            and not any(declared_at)
            and not self._contrasted([s for s, could in zip(cut, may, strict=True) if could])
        ):
            return claims
        read = [
            (Reading(self.lexicon, s.words, terms), found)
            for s, terms, found in zip(cut, named, declared_at, strict=True)
        ]
        said: list[list[Said]] = []
        last: Owner = ""
        for place, (reading, declared) in enumerate(read):
            earlier = read[place - 1][0] if place else None
            here, last = judge_sentence(reading, declared, said[-1] if said else [], last, earlier)
            if place and not reading.terms:
                follow_up(cut[place - 1], cut[place], said[-1], self.lexicon)
            said.append(here)
        for place, here in enumerate(said):
            following = self._following(unit, cut, place)
            asked = place > 0 and _WHAT_IS.match(cut[place - 1].text) and cut[place - 1].question
            if asked and (
                cut[place].words[0].low in ("a", "an", "the")
                or not self._acts_at_all(read[place][0])
            ):
                continue
            for thing in here:
                if thing.status == "" and not self._excused(
                    unit, cut[place], read[place][0], thing, following
                ):
                    claims.append(self._claim(thing, cut[place]))
        return claims

    def _following(self, unit: Unit, cut: list[Sentence], place: int) -> str:
        """Return what stands behind a sentence, where an answer would be."""
        rest = cut[place + 1].start if place + 1 < len(cut) else None
        return unit.after if rest is None else unit.text[rest : rest + _ANSWER]

    def _names_us(self, text: str) -> bool:
        """Whether a text speaks of this project; `MARS` is the name of the method, too."""
        words = split_words(text)
        found = self.lexicon.groups["ours"].find(words)
        return any(m.end > m.start + 1 or words[m.start].low != "mars" for m in found)

    def _contrasted(self, cut: list[Sentence]) -> bool:
        """Whether another project is limited somewhere, and we may be set apart from it."""
        limits, others = self.lexicon.limits, self.lexicon.groups["others"]
        return any(limits.any(s.words) and others.any(s.words) for s in cut)

    def _reading(self, sentence: Sentence) -> Reading:
        return Reading(self.lexicon, sentence.words, self.lexicon.terms_in(sentence.words))

    def _claim(self, thing: Said, sentence: Sentence) -> Claim:
        text = " ".join(sentence.text.split())
        return Claim(thing.level, thing.match.key, text, sentence.start, thing.declared)

    # -- what stands around --------------------------------------------------------------------

    def _excused(
        self, unit: Unit, sentence: Sentence, reading: Reading, thing: Said, following: str
    ) -> bool:
        """Whether question, box, lead-in, heading or next block excuse an asserted capability."""
        if thing.declared:
            quoted = [self.lead(text) for text in unit.leads]
            quoted += [self.title(text) for text in unit.headings]
            return "mention" in quoted
        # What an ellipsis repeats stands in the sentence before; the last clause repeats it.
        clause = next(
            (c for c in reading.clauses if c.start <= thing.match.start < c.end),
            reading.clauses[-1],
        )
        now = bool(reading.within("now", clause))
        if is_quoted(sentence.words, thing.match) and self.rejects(following):
            return True
        if sentence.question and self._answered(sentence, following):
            return True
        if unit.state == "open" and not now:
            return True
        if unit.state == "done":
            return False
        ours = bool(reading.group("ours"))
        for lead in unit.leads:
            status = self.lead(lead)
            if status == "deny" and _SPARED.search(lead) and _MOVING.match(unit.text):
                continue
            if status == "other" and not ours:
                return True
            if status == "mention" or (status in ("deny", "plan") and not now):
                return True
        if unit.kind == "heading" and self._settled(unit, thing.level):
            return True
        return self._under_title(unit, reading, clause, ours, now)

    def _answered(self, sentence: Sentence, following: str) -> bool:
        """Whether a question is open or answered with no."""
        if _WHY.match(sentence.text) and not _WHY_NO.match(sentence.text):
            return False
        if not following.strip() or _WHAT_IS.match(sentence.text) or _WHY_NO.match(sentence.text):
            return True
        if _WOULD.match(sentence.text):
            return True
        if _HOW_MANY.match(sentence.text) and _ONE.match(following):
            return True
        reply = answer(self.lexicon, following)
        if reply:
            return reply != "affirm" and not _BUT_GIVEN.match(following)
        first = first_sentence(following)
        if first is None:
            return True
        reading = self._reading(first)
        return any(list(denied_spans(reading, clause)) for clause in reading.clauses)

    def _settled(self, unit: Unit, level: int) -> bool:
        """Whether the block below a heading denies, plans or defines what the heading names."""
        if not unit.after.strip():
            return False
        if answer(self.lexicon, unit.after) in ("deny", "plan"):
            return not _BUT_GIVEN.match(unit.after)
        below = sentences(unit.after)
        found: list[Status] = []
        earlier: list[Said] = []
        last: Owner = ""
        for sentence in below:
            reading = self._reading(sentence)
            earlier, last = judge_sentence(reading, [], earlier, last)
            found += [thing.status for thing in earlier if thing.level >= level]
        return bool(found) and all(found)

    def _under_title(
        self, unit: Unit, reading: Reading, clause: Clause, ours: bool, now: bool
    ) -> bool:
        acts = self._acts(reading, clause)
        for title in unit.headings:
            status = self.title(title)
            if status in _WORLD and not (ours and acts):
                return True
            if status == "plan" and not now and not (ours and acts):
                return True
            if status == "deny" and not now and not acts:
                return True
        return False

    def rejects(self, text: str) -> bool:
        """Whether a paragraph or sentence says of what stands above it that it must not be said."""
        first = first_sentence(text)
        if first is None:
            return False
        reading = Reading(self.lexicon, first.words, [])
        points = {word.low for word in first.words[:8]} & _POINTING
        return bool(points and (reading.group("policy") or reading.group("failing")))

    def _acts(self, reading: Reading, clause: Clause) -> bool:
        """Whether a clause has a verb that says what something does."""
        told = range(clause.start, clause.end)
        if reading.low(clause.start) == "use" and any(reading.low(i) == "instead" for i in told):
            return True
        return any(
            (reading.is_finite(i) and reading.low(i) not in _STATES)
            or (reading.low(i) in ("is", "are") and reading.low(i + 1) in _TAKEN)
            for i in told[1:]
        )

    def _acts_at_all(self, reading: Reading) -> bool:
        """Whether a sentence has a verb; an answer without one only names what was asked for."""
        return reading.predicate(0, len(reading.words)) is not None

    def lead(self, text: str) -> Status:
        """Say what a lead-in makes of what follows it."""
        if text not in self._leads:
            self._leads[text] = lead_status(self.lexicon, text)
        return self._leads[text]

    def title(self, text: str) -> Status:
        """Say what a section title makes of its section."""
        if text not in self._titles:
            self._titles[text] = heading_status(self.lexicon, text)
        return self._titles[text]


def _around(beside: tuple[str, ...], cut: list[Sentence], place: int) -> str:
    """Return what is read beside a sentence; a short one is not understood without the next."""
    if len(cut[place].words) > _SHORT:
        return " . ".join(beside)
    next_to = (*cut[max(0, place - 1) : place], *cut[place + 1 : place + 2])
    return " . ".join((*beside, *(sentence.text for sentence in next_to)))


_SHORT = 9
# An entry of a list of works: names, a year in brackets, and a title.
_NAME = r"[A-Z][\w'’.-]{0,40}"
_WORK = re.compile(
    rf"[\W\d]{{0,6}}(?!MARS|Mars|Pymars){_NAME}(?P<more>,?(?: (?:and|&))? {_NAME}){{0,12}}"
    r"(?:,? et al\.?)?,? \((?:19|20)\d\d[a-z]?\)[.,:]? (?:[\"“*_]|(?(more)[A-Z]))"
)
_WHAT_IS = re.compile(r"\W*what\b.*\b(?:is|are|means?|does)\b", re.IGNORECASE)
_WHY_NO = re.compile(r"\W*why (?:not?|isn't|is there no|are there no)\b", re.IGNORECASE)
# `Why is it so?` takes for granted that it is.
_WHY = re.compile(
    r"\W*why (?:is|are|does|do|can|has|was|were) (?:it|we|this|mars|pymars|replay)\b", re.IGNORECASE
)
# "No, but give it one and ..." says that it is of use.
_BUT_GIVEN = re.compile(
    r"\W*no\b[^.!?]{0,20}\bbut\b[^.!?]{0,40}\b(?:give|lend|hand|find|take|use|offer|with)\b"
    r"[^.!?]{0,20}\b(?:one|them|some)\b"
    r"|\W*no\b[^.!?]{0,20}\bbut\b,? (?:if|when|where|once)\b"
    r"(?![^.!?]*\b(?:not|never|ignored|idle|nothing|another|other)\b)"
    r"[^.!?]{0,60}\b(?:use[sd]?|takes?|runs?|works?|moves?|helps?)\b"
    r"|\W*no\b[^.!?]{0,20}\bbut\b(?![^.!?]*\b(?:not|never|no|ignored|nothing|another|other)\b)"
    r"[^.!?]{0,60}\b(?:with|on|through|via) (?:one|it|them|some)\b",
    re.IGNORECASE,
)
# What something would take is not there.
_WOULD = re.compile(r"\W*(?:what|how|who|where|why) (?:\w+ ){0,2}(?:would|could)\b", re.IGNORECASE)
_HOW_MANY = re.compile(r"\W*how many\b", re.IGNORECASE)
_ONE = re.compile(r"\W*(?:just |only |exactly )*(?:one|1|a single one|zero|0)\b", re.IGNORECASE)
# What is no longer needed is the copy, not that from which one would have copied.
_SPARED = re.compile(
    r"\b(?:no longer|not|never|no more|nothing of) (?:needed|necessary|required|to do)\b", re.I
)
_MOVING = re.compile(
    r"\W*(?:copying|moving|transferring|converting|downloading|collecting|fetching|staying)\b", re.I
)
# Code that asserts absence, standing in the text.
_ABSENT = re.compile(r"`?assert\b[^.]{0,80}\bnot in\b")
_POINTING = word_set("this that these those such above both it")
_TAKEN = word_set("accepted supported welcome available allowed taken usable possible recognised")
_STATES = word_set("is are was were be has have had may would could might will do does can")
# An answer stands right behind its question.
_ANSWER = 500
_LEVEL = re.compile(r"H[0-4]")

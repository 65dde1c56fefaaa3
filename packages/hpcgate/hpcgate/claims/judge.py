# Language policy: EXEMPT from the Rust-path rule. Judges sentences by rules; no numeric work.
"""The judge: which capabilities a piece of text claims for this project.

A capability counts as claimed unless something excuses exactly it: a negation that reaches it, a
plan, another project as the subject, or a mention of the words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hpcgate.claims.context import (
    Owner,
    Status,
    answer,
    definition,
    ellipsis,
    heading_status,
    is_quoted,
    lead_status,
    owner,
)
from hpcgate.claims.levels_named import declared_levels
from hpcgate.claims.lexicon import Lexicon
from hpcgate.claims.model import Unit
from hpcgate.claims.scope import Clause, Reading, denied_spans
from hpcgate.claims.words import Match, Sentence, Word, sentences, split_words

__all__ = ["Claim", "Judge"]

_WORLD = ("mention", "other")


@dataclass(frozen=True, slots=True)
class Claim:
    """A capability claimed in a sentence; `declared` marks a level said to be implemented."""

    level: int
    term: str
    text: str
    start: int
    declared: bool = False


@dataclass(slots=True)
class _Said:
    """A capability named in a sentence and what became of it."""

    match: Match
    level: int
    status: Status
    owner: Owner
    declared: bool = False


class Judge:
    """Judge units with one lexicon.

    Examples
    --------
    >>> from hpcgate.claims.lexicon import load
    >>> from hpcgate.repo import find_root
    >>> judge = Judge(load(find_root()))
    >>> [claim.level for claim in judge.claims(Unit("No MPI, but GPUs work.", 1))]
    [3]
    """

    def __init__(self, lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self._leads: dict[str, Status] = {}
        self._titles: dict[str, Status] = {}

    def claims(self, unit: Unit) -> list[Claim]:
        """Return what a unit claims, in order."""
        said = "\n".join((unit.text, *unit.leads[:1], *(unit.row.headers if unit.row else ())))
        if not self.lexicon.may_claim(said) and not _LEVEL.search(said):
            return []
        if unit.kind == "row":
            return self._row(unit)
        if unit.kind == "code":
            return self._code(unit)
        if unit.kind == "field":
            return self._field(unit)
        return self._prose(unit)

    # -- prose ---------------------------------------------------------------------------------

    def _prose(self, unit: Unit) -> list[Claim]:
        around = split_words(" . ".join(unit.leads + unit.headings[-1:]))
        cut = sentences(unit.text)
        read = [self._reading(s, around) for s in cut]
        if not any(r.terms or found for r, found in read):
            return []
        said: list[list[_Said]] = []
        last: Owner = ""
        for place, (reading, declared) in enumerate(read):
            here, last = self._sentence(reading, declared, said[-1] if said else [], last)
            if place and not reading.terms:
                self._follow_up(cut[place - 1], cut[place], said[-1], reading)
            said.append(here)
        claims: list[Claim] = []
        for place, here in enumerate(said):
            following = unit.text[cut[place + 1].start :] if place + 1 < len(cut) else unit.after
            asked = place > 0 and _WHAT_IS.match(cut[place - 1].text) and cut[place - 1].question
            if asked and cut[place].words[0].low in ("a", "an", "the"):
                continue
            for thing in here:
                if thing.status == "" and not self._excused(
                    unit, cut[place], read[place][0], thing, following
                ):
                    claims.append(self._claim(thing, cut[place]))
        return claims

    def _reading(
        self, sentence: Sentence, around: tuple[Word, ...]
    ) -> tuple[Reading, list[tuple[Match, int]]]:
        words = sentence.words
        terms = self.lexicon.terms_in(words, around)
        return Reading(self.lexicon, words, terms), declared_levels(sentence.text, words)

    def _claim(self, thing: _Said, sentence: Sentence) -> Claim:
        text = " ".join(sentence.text.split())
        return Claim(thing.level, thing.match.key, text, sentence.start, thing.declared)

    def _sentence(
        self,
        reading: Reading,
        declared: list[tuple[Match, int]],
        before: list[_Said],
        inherited: Owner,
    ) -> tuple[list[_Said], Owner]:
        """Judge every capability of a sentence inside the sentence."""
        said: list[_Said] = []
        things = [(m, self.lexicon.terms[m.key].number, False) for m in reading.terms]
        things += [(m, level, True) for m, level in declared]
        whose = inherited
        flipped = False
        for clause in reading.clauses:
            inside = [t for t in things if clause.start <= t[0].start < clause.end]
            whose = owner(reading, clause, whose)
            if not inside:
                self._refer_back(reading, clause, whose, said or before, said)
                continue
            spans = (
                []
                if flipped and _ends_in_not(reading, clause)
                else list(denied_spans(reading, clause))
            )
            reversed_at = max((m.end for m in reading.within("reversal", clause)), default=-1)
            flipped = bool(spans) and bool(
                reading.within("predicate", clause) or reading.within("transitive", clause)
            )
            common = self._clause_status(reading, clause)
            for match, level, is_level in inside:
                status = common
                denied = any(a <= match.start < b for a, b in spans)
                if 0 <= reversed_at <= match.start:
                    denied = not denied
                if denied or self._self_denied(match, reading):
                    status = status or "deny"
                elif whose == "other":
                    status = status or "other"
                elif is_level and common == "mention":
                    status = ""
                if not status and is_quoted(reading.words, match) and self._wording(reading):
                    status = "mention"
                said.append(_Said(match, level, status, whose, is_level))
        self._spread(reading, said)
        return said, whose

    def _self_denied(self, match: Match, reading: Reading) -> bool:
        """Whether the sentence holds words that deny just this term."""
        denials = self.lexicon.denials.get(match.key)
        return denials is not None and any(
            found.end <= match.start or found.start >= match.end
            for found in denials.find(reading.words)
        )

    def _clause_status(self, reading: Reading, clause: Clause) -> Status:
        if any(reading.within("policy", part) for part in _joined(reading, clause)):
            return "mention"
        if definition(reading, clause):
            return "mention"
        if reading.group("citation") and not reading.group("ours"):
            return "mention"
        planned = [
            m for m in reading.within("planned", clause) if m.start not in reading.inside_terms
        ]
        if planned and not reading.within("now", clause):
            return "plan"
        return ""

    def _wording(self, reading: Reading) -> bool:
        """Whether a quotation is about words; a testimonial is not."""
        outside = [m for m in reading.group("quoting") if not is_quoted(reading.words, m)]
        if any(reading.low(m.start) in _META for m in outside):
            return True
        personal = any(
            word.low in _PERSONAL and is_quoted(reading.words, Match("", i, i + 1))
            for i, word in enumerate(reading.words)
        )
        return bool(outside) and not personal and not reading.group("testimonial")

    def _refer_back(
        self,
        reading: Reading,
        clause: Clause,
        whose: Owner,
        earlier: list[_Said],
        said: list[_Said],
    ) -> None:
        """Apply a clause without a capability to the one named before it."""
        if not earlier:
            return
        kind = ellipsis(reading, clause)
        if kind == "affirm" and whose != "other":
            said.extend(
                _Said(t.match, t.level, "", "ours", t.declared)
                for t in earlier
                if t.status in ("deny", "other")
            )
        elif said is earlier or said:
            text = " ".join(reading.words[i].text for i in range(clause.start, clause.end))
            reply = answer(self.lexicon, text) if clause.link or clause.start else ""
            alone = clause.end - clause.start <= 2 or reading.low(clause.start) in _ITSELF
            if reply in ("deny", "plan") and (kind != "deny" or alone):
                for thing in said:
                    thing.status = thing.status or reply

    def _spread(self, reading: Reading, said: list[_Said]) -> None:
        """Let the part before a colon speak for the part after it: `Not supported: MPI, GPU`."""
        for before, clause in zip(reading.clauses, reading.clauses[1:], strict=False):
            if clause.link != ":" or any(before.start <= t.match.start < before.end for t in said):
                continue
            text = " ".join(w.text for w in reading.words[before.start : before.end])
            status = lead_status(self.lexicon, text)
            if status == "deny" and not self._bare(reading, before):
                continue
            for thing in said:
                if status and thing.match.start >= clause.start and not thing.status:
                    thing.status = status

    def _bare(self, reading: Reading, clause: Clause) -> bool:
        """Whether a denial leaves its object open: it has no subject but us or a pronoun."""
        opened = {m.start for name in _NEGATORS for m in reading.within(name, clause)}
        opened |= {m.start for m in reading.within("ours", clause)}
        return clause.start in opened or reading.low(clause.start) in _OPENED

    def _follow_up(
        self, earlier: Sentence, here: Sentence, said: list[_Said], reading: Reading
    ) -> None:
        """Let `Not supported.` or `It is not used.` answer the sentence before."""
        if earlier.question or not said:
            return
        first = here.words[0].low if here.words else ""
        nominal = not any(w.low in self.lexicon.verbs for w in earlier.words)
        if nominal or first in ("it", "they", "this", "that", "both", "neither", "none", "these"):
            reply = answer(self.lexicon, here.text)
            if reply in ("deny", "plan"):
                for thing in said:
                    thing.status = thing.status or reply

    # -- what stands around --------------------------------------------------------------------

    def _excused(
        self, unit: Unit, sentence: Sentence, reading: Reading, thing: _Said, following: str
    ) -> bool:
        """Whether question, box, lead-in, heading or next block excuse an asserted capability."""
        if thing.declared:
            return False
        clause = (
            next(c for c in reading.clauses if c.start <= thing.match.start < c.end)
            if (thing in [] or any(c.start <= thing.match.start < c.end for c in reading.clauses))
            else reading.clauses[-1]
        )
        now = bool(reading.within("now", clause))
        if sentence.question and self._answered(sentence, following):
            return True
        if unit.state == "open" and not now:
            return True
        if unit.state == "done":
            return False
        ours = bool(reading.group("ours"))
        for lead in unit.leads:
            status = self._lead(lead)
            if status == "other" and not ours:
                return True
            if status == "mention" or (status in ("deny", "plan") and not now):
                return True
        if unit.kind == "heading" and self._settled(unit, thing.level):
            return True
        return self._under_title(unit, reading, clause, ours, now)

    def _answered(self, sentence: Sentence, following: str) -> bool:
        """Whether a question is open or answered with no."""
        if not following.strip() or _WHAT_IS.match(sentence.text):
            return True
        if _HOW_MANY.match(sentence.text) and _ONE.match(following):
            return True
        reply = answer(self.lexicon, following)
        if reply:
            return reply != "affirm"
        first = sentences(following)[0]
        reading = Reading(self.lexicon, first.words, self.lexicon.terms_in(first.words))
        return any(list(denied_spans(reading, clause)) for clause in reading.clauses)

    def _settled(self, unit: Unit, level: int) -> bool:
        """Whether the block below a heading denies, plans or defines what the heading names."""
        if not unit.after.strip():
            return False
        if answer(self.lexicon, unit.after) in ("deny", "plan"):
            return True
        below = sentences(unit.after)
        found: list[Status] = []
        earlier: list[_Said] = []
        last: Owner = ""
        for sentence in below:
            reading, _ = self._reading(sentence, ())
            earlier, last = self._sentence(reading, [], earlier, last)
            found += [thing.status for thing in earlier if thing.level >= level]
        return bool(found) and all(found)

    def _under_title(
        self, unit: Unit, reading: Reading, clause: Clause, ours: bool, now: bool
    ) -> bool:
        acts = self._acts(reading, clause)
        for title in unit.headings:
            status = self._title(title)
            if status in _WORLD and not (ours and acts):
                return True
            if status == "plan" and not now and not (ours and acts):
                return True
            if status == "deny" and not now and not acts:
                return True
        return False

    def _acts(self, reading: Reading, clause: Clause) -> bool:
        """Whether a clause has a verb that says what something does."""
        passive = {"is", "are", "was", "were", "be", "has", "have", "may", "would", "could", "do"}
        return any(
            reading.low(i) in self.lexicon.verbs - passive and i not in reading.inside_terms
            for i in range(clause.start + 1, clause.end)
        )

    def _lead(self, text: str) -> Status:
        if text not in self._leads:
            self._leads[text] = lead_status(self.lexicon, text)
        return self._leads[text]

    def _title(self, text: str) -> Status:
        if text not in self._titles:
            self._titles[text] = heading_status(self.lexicon, text)
        return self._titles[text]

    # -- tables --------------------------------------------------------------------------------

    def _row(self, unit: Unit) -> list[Claim]:
        """Judge a row: the label and each column's head speak through the cells."""
        assert unit.row is not None
        cells, headers = unit.row.cells, unit.row.headers
        head = " ; ".join(headers)
        if self._rule_table(head) or any(self._lead(lead) in _WORLD for lead in unit.leads):
            return []
        label, first = cells[0], headers[0] if headers else ""
        columns = [
            (headers[i] if i < len(headers) else "", cell) for i, cell in enumerate(cells) if i
        ]
        columns = [(h, c) for h, c in columns if self._whose(h) != "other"]
        if self._whose(label) == "other":
            return []
        if not columns:
            below = Unit(label, unit.line, leads=(first, *unit.leads), headings=unit.headings)
            return self._prose(below) if len(cells) == 1 else []
        named = f"{label} {first}" if label[:1].isdigit() else label
        claims: list[Claim] = []
        replies = [self._cell(h, c) for h, c in columns]
        if not {"deny", "plan"} & set(replies) and self._lead(first) not in ("deny", "plan"):
            claims += self._prose(
                Unit(
                    named, unit.line, leads=unit.leads, headings=unit.headings, after=columns[0][1]
                )
            )
        for (header, cell), reply in zip(columns, replies, strict=True):
            if reply in ("deny", "plan"):
                continue
            text = f"{cell} {header}" if cell[:1].isdigit() else header
            if reply or cell[:1].isdigit():
                claims += self._prose(
                    Unit(text, unit.line, leads=unit.leads, headings=unit.headings)
                )
            claims += self._prose(
                Unit(
                    cell,
                    unit.line,
                    leads=(header, first, label, *unit.leads),
                    headings=unit.headings,
                )
            )
        return claims

    def _cell(self, header: str, cell: str) -> Status:
        reply = answer(self.lexicon, cell)
        over = self._lead(header)
        if reply == "deny" and "default" in header.lower():
            return ""
        if over == "deny" and reply in ("affirm", "deny"):
            return "deny" if reply == "affirm" else ""
        if over == "plan" and reply == "affirm":
            return "plan"
        return reply if reply != "" or cell.strip() else "deny"

    def _rule_table(self, head: str) -> bool:
        words = split_words(head)
        groups = self.lexicon.groups
        return groups["policy"].any(words) or groups["rule_heads"].any(words)

    def _whose(self, text: str) -> Owner:
        reading = Reading(self.lexicon, split_words(text), [])
        return owner(reading, reading.clauses[0], "") if reading.clauses else ""

    # -- fields --------------------------------------------------------------------------------

    def _field(self, unit: Unit) -> list[Claim]:
        """Judge a value with its key: `gpu: false` denies, `gpu: true` claims."""
        key = unit.leads[0] if unit.leads else ""
        if "level" in key and _LEVEL.fullmatch(unit.text) and _OWN_LEVEL.search(key):
            return self._prose(Unit(f"implemented level: {unit.text}", unit.line))
        reply = answer(self.lexicon, unit.text)
        if reply in ("deny", "plan"):
            return []
        above = unit.leads[1:]
        if any(lead in _LISTINGS for lead in unit.leads):
            return [claim for claim in self._prose(unit) if claim.level > _NAMED_PARTS]
        claims = self._prose(Unit(key, unit.line, leads=above, headings=unit.headings[1:]))
        if reply != "affirm":
            claims += self._prose(unit)
        return claims

    # -- code ----------------------------------------------------------------------------------

    def _code(self, unit: Unit) -> list[Claim]:
        """Judge an example line by line; a line that asserts or selects absence claims nothing."""
        if any(self._lead(lead) in ("mention", "other", "deny", "plan") for lead in unit.leads):
            return []
        if any(self._title(t) in ("mention", "deny", "plan") for t in unit.headings):
            return []
        claims: list[Claim] = []
        ours = bool(self.lexicon.groups["ours"].any(split_words(unit.text)))
        if not ours and self.lexicon.groups["others"].any(split_words(unit.text)):
            return []
        for line in unit.text.splitlines():
            if not self.lexicon.may_claim(line):
                continue
            code, _, comment = line.partition("#")
            if line.lstrip().startswith("#SBATCH"):
                code, comment = line, ""
            terms = self.lexicon.terms_in(split_words(code))
            if terms and not _ABSENT.search(code[:_LINE]):
                best = max(terms, key=lambda m: self.lexicon.terms[m.key].number)
                claims.append(Claim(self.lexicon.terms[best.key].number, best.key, line.strip(), 0))
            if comment.strip():
                claims += self._prose(Unit(comment, unit.line, leads=unit.leads))
        return claims


def _joined(reading: Reading, clause: Clause) -> list[Clause]:
    """Return a clause with those that a colon, a dash or a bracket ties to it."""
    place = reading.clauses.index(clause)
    found = [clause]
    for other in reading.clauses[place + 1 :]:
        if other.link not in _TIES:
            break
        found.append(other)
    if clause.link in _TIES and place:
        found.append(reading.clauses[place - 1])
    return found


def _ends_in_not(reading: Reading, clause: Clause) -> bool:
    """Whether a clause ends in `is not`, leaving out what was said before."""
    end = clause.end
    while end > clause.start and not reading.low(end - 1)[:1].isalnum():
        end -= 1
    return reading.low(end - 1) == "not"


_TIES = frozenset({":", "(", "—", "which"})
_META = frozenset(
    "word words phrase phrases term terms sentence wording flagged flags flag rejects rejected"
    " refuses refused avoid forbidden banned never slogan expression string label must".split()
)
_NEGATORS = ("determiner", "verbal", "prepositional", "transitive", "predicate")
_OPENED = frozenset(
    {"it", "we", "there", "what", "this", "they", "things", "features", "currently"}
)
_ITSELF = frozenset({"it", "they", "this", "that", "these", "both", "not", "none"})
_PERSONAL = frozenset({"we", "our", "us", "my", "i", "ours"})
_WHAT_IS = re.compile(r"\W*what\b.*\b(?:is|are|means?|does)\b", re.IGNORECASE)
_HOW_MANY = re.compile(r"\W*how many\b", re.IGNORECASE)
_ONE = re.compile(r"\W*(?:just |only |exactly )*(?:one|1|a single one|zero|0)\b", re.IGNORECASE)
_LEVEL = re.compile(r"H[0-4]")
_OWN_LEVEL = re.compile(r"\b(?:hpc|contract|implemented)\b")
# A part that is only listed says nothing about speed or boundary; a device library does.
_LISTINGS = frozenset({"dependencies", "crates", "checksums", "builddependencies", "sources"})
_NAMED_PARTS = 2
_LINE = 1000
_ABSENT = re.compile(
    r"\bassert\b.*\bnot\b|\bnot in\b|\bis None\b|\bisn't\b|\b(?:False|false|OFF|off|none|None)\b"
    r"|=\s*['\"]?(?:0|1|no|cpu)\b|--(?:no|without|disable|exclude)-|~\w|\bconflicts\(|\braise\b"
    r"|\bgrep\b|\buninstall\b|\bassertNot|\bassertFalse|\bNOT\b|\bnot\b|\bunset\b|\bexclude"
)

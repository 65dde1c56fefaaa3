# Language policy: EXEMPT from the Rust-path rule. Judges rows, fields and code; no computation.
"""Units that are not prose: a table row, a field, an example."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from hpcgate.claims.context import Status
from hpcgate.claims.model import Claim, Row, Unit
from hpcgate.claims.owner import Owner, owner
from hpcgate.claims.replies import answer
from hpcgate.claims.scope import Reading
from hpcgate.claims.words import split_words, word_set

if TYPE_CHECKING:
    from hpcgate.claims.judge import Judge

__all__ = ["code_claims", "field_claims", "row_claims", "shows"]


def shows(unit: Unit) -> bool:
    """Whether a row or an example shows something without a word: times, addresses, copies."""
    if unit.kind == "code":
        return _PEERS.search(unit.text) is not None
    if unit.kind == "field":
        return unit.text in _NEVER and any(map(_COPIED.fullmatch, unit.leads[:1]))
    if unit.row is None:
        return False
    timed = _durations(unit.row)
    measured = len(timed) > 1 or any(_TIMED.search(head) for head, _ in timed)
    return measured or any(map(_COPIED.fullmatch, unit.row.headers))


def _durations(row: Row) -> list[tuple[str, float]]:
    """Return the heads of the cells that are times, and the times as numbers."""
    cells = zip(row.headers, row.cells, strict=False)
    read = [(header, _seconds(header, cell)) for header, cell in cells]
    return [(header, seconds) for header, seconds in read if seconds is not None]


def _seconds(header: str, cell: str) -> float | None:
    """Read a cell as a time, whose unit may stand in the header."""
    unit = _HEAD_UNIT.search(header)
    match = _TIME.fullmatch(f"{cell} {unit['unit']}" if unit else cell)
    if match is None:
        return None
    return float(match["number"].replace(",", "")) * _UNITS[match["unit"].lower()]


def _ahead(judge: Judge, unit: Unit) -> list[Claim]:
    """Claim speed for a row of times in which ours is shorter than that of another project."""
    assert unit.row is not None
    timed = [(_whose(judge, header), seconds) for header, seconds in _durations(unit.row)]
    ours = [seconds for who, seconds in timed if who == "ours"]
    others = [seconds for who, seconds in timed if who == "other"]
    told = any(_TIMED.search(head) for head, _ in _durations(unit.row)) and not others
    if told or (ours and others and min(ours) < max(others)):
        return [Claim(1, "speed", " | ".join(unit.row.cells), 0)]
    return []


def row_claims(judge: Judge, unit: Unit) -> list[Claim]:
    """Judge a row: the label and each column's head speak through the cells."""
    assert unit.row is not None
    cells, headers = unit.row.cells, unit.row.headers
    head = " ; ".join(headers)
    label, first = cells[0], headers[0] if headers else ""
    usage = bool(_USAGE.search(first))
    if not usage and _rule_table(judge, head, label):
        return []
    if any(judge.lead(lead) in _WORLD for lead in unit.leads):
        return []
    if _PROJECTS.search(first) and _whose(judge, label) != "ours":
        return []
    columns = [(headers[i] if i < len(headers) else "", cell) for i, cell in enumerate(cells) if i]
    columns = [(h, c) for h, c in columns if _whose(judge, h) != "other"]
    if _whose(judge, label) == "other" and not _PARTS.search(first):
        return []
    if not columns:
        below = Unit(label, unit.line, leads=(first, *unit.leads), headings=unit.headings)
        return judge.prose(below) if len(cells) == 1 else []
    named = f"{label} {first}" if label[:1].isdigit() else label
    claims = _ahead(judge, unit)
    replies = [_cell(judge, h, c) for h, c in columns]
    level = _LEVEL.fullmatch(label.strip("*`_ "))
    if level and any(
        reply == "affirm" and _REACHED.search(h)
        for (h, _), reply in zip(columns, replies, strict=True)
    ):
        return [Claim(int(level[0][1]), "declared", " | ".join(cells), 0, declared=True)]
    denied = {"deny", "plan"} & set(replies) and "affirm" not in replies
    proposed = judge.lead(first) in ("deny", "plan")
    if not denied and not proposed:
        claims += judge.prose(
            Unit(named, unit.line, leads=unit.leads, headings=unit.headings, after=columns[0][1])
        )
    for (header, cell), reply in zip(columns, replies, strict=True):
        if _LASTS.match(cell) or _LASTING.fullmatch(cell):
            said = f"{label} {cell}" if " " in cell else f"{label}: {header} {cell}"
            claims += judge.prose(Unit(said, unit.line, leads=unit.leads, headings=unit.headings))
        if (reply == "deny" or cell.strip() == "0") and _COPIED.fullmatch(header):
            claims.append(Claim(_SHARED, "no-copy", " | ".join(cells), 0))
        if reply in ("deny", "plan"):
            continue
        if not reply and not proposed and _STATE.search(header) and len(cell.split()) < _SHORT:
            said = f"{label}: {header} {cell}"
            claims += judge.prose(Unit(said, unit.line, leads=unit.leads, headings=unit.headings))
        if reply == "affirm" and _STATE.search(header):
            said = f"{label} {first}: {header}"
            claims += judge.prose(Unit(said, unit.line, leads=unit.leads, headings=unit.headings))
        counted = label if _whose(judge, header) == "ours" else header
        text = f"{cell} {counted}" if cell[:1].isdigit() else header
        if reply or cell[:1].isdigit():
            claims += judge.prose(Unit(text, unit.line, leads=unit.leads, headings=unit.headings))
        claims += judge.prose(
            Unit(
                cell,
                unit.line,
                leads=(header, first, label, *unit.leads),
                headings=unit.headings,
            )
        )
    return claims


def _cell(judge: Judge, header: str, cell: str) -> Status:
    if _COUNT.search(header.lower()) and cell.strip("*_` ").lower() in ("1", "one"):
        return "deny"
    reply = answer(judge.lexicon, cell)
    over = judge.lead(header)
    if reply == "deny" and "default" in header.lower():
        return ""
    if over == "deny" and reply in ("affirm", "deny"):
        return "deny" if reply == "affirm" else ""
    if over == "plan" and reply == "affirm":
        return "plan"
    return reply if reply != "" or cell.strip() else "deny"


def _rule_table(judge: Judge, head: str, label: str) -> bool:
    if _LEVEL.fullmatch(label.strip("*`_ ")) and not (_STATE.search(head) or _REACHED.search(head)):
        return True
    words = split_words(head)
    groups = judge.lexicon.groups
    if groups["ours"].any(words):
        return False
    return groups["policy"].any(words) or groups["rule_heads"].any(words)


def _whose(judge: Judge, text: str) -> Owner:
    reading = Reading(judge.lexicon, split_words(text), [])
    return owner(reading, reading.clauses[0], "") if reading.clauses else ""


def field_claims(judge: Judge, unit: Unit) -> list[Claim]:
    """Judge a value with its key: `false` denies what the key names, `true` claims it."""
    key = unit.leads[0] if unit.leads else ""
    if "level" in key and _LEVEL.fullmatch(unit.text) and _OWN_LEVEL.search(key):
        return judge.prose(Unit(f"implemented level: {unit.text}", unit.line))
    if key in _PATTERN_KEYS and any(_RULES.search(lead) for lead in unit.leads[1:]):
        return []
    around = " . ".join(unit.leads)
    if _COPIED.fullmatch(key) and unit.text in _NEVER and _TABLES.search(around):
        return [Claim(_SHARED, "no-copy", f"{key}: {unit.text}", 0)]
    if not judge.lexicon.terms_in(split_words(f"{key} : {unit.text}"), around) and (
        not _LEVEL.search(unit.text)
    ):
        return []
    if judge.title(key) in ("deny", "plan"):
        return []
    reply = answer(judge.lexicon, unit.text)
    if reply in ("deny", "plan") or (unit.text == "1" and _COUNT.search(key)):
        return []
    above = unit.leads[1:]
    if any(lead in _LISTINGS for lead in unit.leads):
        return [claim for claim in judge.prose(unit) if claim.level > _NAMED_PARTS]
    below = unit.headings[1:]
    if reply != "affirm" and len(unit.text.split()) <= _SHORT:
        # A short value and its key are one statement: the value may deny or plan the key.
        whole = Unit(f"{key}: {unit.text}", unit.line, leads=above, headings=below)
        return judge.prose(whole) if judge.lead(key) not in _EXCUSES else judge.prose(unit)
    claims = judge.prose(Unit(key, unit.line, leads=above, headings=below))
    if reply != "affirm":
        claims += judge.prose(unit)
    return claims


def code_claims(judge: Judge, unit: Unit) -> list[Claim]:
    """Judge an example line by line; a line that asserts or selects absence claims nothing."""
    if any(judge.lead(lead) in ("mention", "other", "deny", "plan") for lead in unit.leads):
        return []
    if any(judge.title(t) in ("mention", "deny", "plan") for t in unit.headings):
        return []
    claims: list[Claim] = []
    ours = bool(judge.lexicon.groups["ours"].any(split_words(unit.text)))
    if not ours and judge.lexicon.groups["others"].any(split_words(unit.text)):
        return []
    lines = unit.text.splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if _BRANCH.match(line[:_LINE]) and following.lstrip().startswith("raise "):
            continue
        if _RAISES.search(line):
            break
        if _PEERS.search(line[:_LINE]):
            claims.append(Claim(_HOSTS, "hosts", line.strip()[:_LINE], 0))
            continue
        if not judge.lexicon.may_claim(line):
            continue
        code, _, comment = line.partition("#")
        if line.lstrip().startswith("#SBATCH"):
            code, comment = line, ""
        # A line is read in parts, so that the work stays linear however long it is.
        parts = [code[i : i + _LINE] for i in range(0, len(code), _LINE)]
        terms = [m for part in parts for m in judge.lexicon.terms_in(split_words(part))]
        if terms and not _ABSENT.search(code[:_LINE]):
            best = max(terms, key=lambda m: judge.lexicon.terms[m.key].number)
            said = line.strip()[:_LINE]
            claims.append(Claim(judge.lexicon.terms[best.key].number, best.key, said, 0))
        if comment.strip():
            claims += judge.prose(Unit(comment, unit.line, leads=unit.leads))
    return claims


# Addresses with their ports in one list: `n01:9000,n02:9000`.
_PEER = r"(?!localhost|127\.|0\.0)[A-Za-z\d][\w.-]{0,60}:\d{2,5}"
_NAMED = r"[\"'][A-Za-z][\w.-]{0,60}[\"']"
_PEERS = re.compile(
    rf"(?<![\w.:/-]){_PEER}(?:[,;]{_PEER})+(?![\w.:-])"
    rf"|\b(?:workers|hosts|nodes|machines|servers|peers)\s?=\s?(?:c\(|\[|\()\s?{_NAMED},\s?{_NAMED}"
)
_HOSTS = 4
_SHARED = 2
# What a rule of a checker looks for.
_PATTERN_KEYS = word_set("pattern patterns regex regexp regexes match word words phrase phrases")
_RULES = re.compile(r"\b(?:rules?|checks?|lint|linter|forbidden|banned|denylist|blocklist)\b", re.I)
_PROJECTS = re.compile(
    r"^\W*(?:tools?|librar(?:y|ies)|packages?|projects?|software|frameworks?|programs?)\W*$", re.I
)
_PARTS = re.compile(r"\b(?:back ?-?ends?|engines?|devices?|arrays?|tiers?|inputs?)\b", re.I)
# A row of such a table says what the reader may type.
_USAGE = re.compile(
    r"\b(?:options?|flags?|switch(?:es)?|parameters?|arguments?|variants?|commands?|settings?"
    r"|variables?|keywords?|extras?|functions?|methods?|calls?|keys?|endpoints?)\b",
    re.IGNORECASE,
)
_STATE = re.compile(
    r"\b(?:state|status|stab(?:ility|le)|frozen|versioned|promised?|guarantee[sd]?"
    r"|support(?:ed)?|availab(?:ility|le)|compatib(?:ility|le)|implemented|works)\b",
    re.I,
)
# Such a cell says something of the label of its row.
_LASTS = re.compile(
    r"\W*(?:never(?! (?:was|were|is|will)\b)"
    r"|always|kept|frozen|fixed|stable|guaranteed|unchanged)\b \w",
    re.I,
)
_LASTING = re.compile(r"\W*(?:stable|frozen|guaranteed|fixed|unchanged)\W*", re.I)
_COPIED = re.compile(
    r"\W*(?:is |are |number of )?(?:copied|cop(?:y|ies)|(?:extra|additional) (?:memory|copies))"
    r"(?: (?:made|needed|taken|per \w+))?\W*",
    re.I,
)
# What stands under such a head was measured with a clock.
_TIMED = re.compile(
    r"\b(?:wall|run|fit|fitting|prediction|training|scoring|replay)[ -]?(?:clock )?time\b", re.I
)
_NEVER = word_set("0 no none never false")
_TABLES = re.compile(
    r"\b(?:arrow|pyarrow|polars|tables?|batch(?:es)?|columns?|buffers?|frames?)\b", re.I
)
# Under such a head a yes says that a level is implemented.
_REACHED = re.compile(
    r"\b(?:implemented|reached|met|achieved|satisfied|attained|passed|fulfilled|complete[d]?)\b",
    re.I,
)
_WORLD = ("mention", "other")
_LEVEL = re.compile(r"H[0-4]")
_OWN_LEVEL = re.compile(r"\b(?:hpc|contract|implemented)\b")
# A part that is only listed claims nothing below H3; a library of a device or of a network does.
_LISTINGS = word_set("dependencies crates checksums builddependencies sources")
_NAMED_PARTS = 2
_SHORT = 4
_UNIT = r"(?P<unit>ns|us|µs|μs|ms|s|sec|seconds|min|minutes|h|hours)"
_TIME = re.compile(
    rf"\W{{0,9}}(?P<number>\d[\d,]{{0,12}}(?:\.\d{{1,9}})?)\s?{_UNIT}\W{{0,9}}", re.I
)
_HEAD_UNIT = re.compile(rf"[(\[,/] ?(?:in )?{_UNIT}\b", re.I)
_UNITS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "sec": 1.0,
    "seconds": 1.0, "min": 60.0, "minutes": 60.0, "h": 3600.0, "hours": 3600.0,
}  # fmt: skip
# One of these is none to speak of.
_COUNT = re.compile(
    r"\b(?:threads|cores|nodes|ranks|hosts|workers|processes|sockets|jobs|machines|replicas|parallel)$",
    re.I,
)
_EXCUSES = ("deny", "plan", "mention", "other")
# A choice that ends in an error is not there.
_BRANCH = re.compile(r"\s*(?:el)?if\b.*:\s*$")
_RAISES = re.compile(r"\b(?:pytest\.raises|assertRaises\w*)\(")
_LINE = 1000
_ABSENT = re.compile(
    r"\bassert\b.*\bnot\b|\bnot in\b|\bis None\b|\bisn't\b|\b(?:False|false|OFF|off|none|None)\b"
    r"|(?<!DEVICES)=\s*['\"]?(?:0|1|no|cpu)\b(?!,)|--(?:no|without|disable|exclude)-|~\w|\bconflicts\(|\braise\b"
    r"|\bgrep\b|\bsys\.modules\b|\buninstall\b|\bassertNot|\bassertFalse|\bNOT\b|\bnot\b|\bunset\b|\bexclude"
)

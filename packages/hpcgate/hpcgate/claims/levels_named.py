# Language policy: EXEMPT from the Rust-path rule. Finds level names in text; no computation.
"""Levels that a text names: declared as implemented, or named beside a limitation."""

from __future__ import annotations

import re

from hpcgate.claims.lexicon import Lexicon
from hpcgate.claims.words import Match, Sentence, split_words

__all__ = ["citations", "declared_levels", "declares", "qualifies"]

_DECLARED = (
    r"\b(?:implemented|current|actual|achieved|attained|reached|supported|verified|proven)\s+"
    r"(?:HPC\s+)?(?:contract\s+)?level\b(?:\s+(?:of|in|for)\s+(?:this|the|our)\s+[\w-]+(?=\s*[:=]|\s+(?:is|stays|remains|now)\b))?"
    r"[\s:=*`—-]*(?:(?:is|of|stays|remains|now|at|already)\b"
    r"[\s:*`]*){0,3}(?:H[0-4]\s*(?:,|to|through|and|–|-|\.\.)\s*)*(?P<level>H[0-4])\b",
    r"\b(?:implements?|implemented|implementing|satisf(?:y|ies|ied)|meets?|met|fulfils?|fulfill?s?|reach(?:es|ed)?"
    r"|achieve[sd]?|attain(?:s|ed)?|compl(?:y|ies)\s+with|conforms?\s+to|delivers?|delivered"
    r"|pass(?:es|ed)|complete[sd]|certified\s+(?:for|at|to))\s+(?:the\s+)?(?:full\s+)?(?:HPC\s+)?"
    r"(?:contract\s+)?(?:level\s+)?(?:H[0-4]\s*(?:,|to|through|and|–|-|\.\.)\s*)*(?P<level>H[0-4])\b"
    r"(?!\s+(?:evidence|requirement))",
    r"\b(?:mars-earth|pymars|we|(?:the|this)\s+(?:project|release|runtime|library|package|version))"
    r"\s+(?:is|are|stands|sits|was|works|operates)\s+(?:now\s+|already\s+|fully\s+)*(?:at\s+|on\s+)?"
    r"(?:a\s+|an\s+)?(?:HPC\s+)?(?:contract\s+)?(?:level\s+)?(?P<level>H[0-4])\b",
    r"\b(?:our|its|my|this\s+\w+'s|the\s+(?:project|release|library|runtime|package)'s)\s+(?:HPC\s+)?"
    r"(?:contract\s+)?level\s*(?:is|of|:|=)?\s*(?:now\s+)?(?P<level>H[0-4])\b",
    r"\b(?P<level>H[0-4])\b(?:\s*\([^()]{1,60}\))?\s*[:=–—-]\s*(?:is\s+)?(?:now\s+|already\s+)?"
    r"(?:done|implemented|complete|reached|met|satisfied|achieved|fulfilled|passed|yes)\b",
    r"\blevel\s+(?:that\s+is\s+)?(?:reached|attained|achieved|met|implemented)\s*[:=—-]\s*"
    r"(?P<level>H[0-4])\b",
    r"\bimplemented\s*:\s*(?:H[0-4]\s*(?:,|to|through|and|–|-|\.\.)\s*)*(?P<level>H[0-4])\b",
    r"\b(?P<level>H[0-4])\s+(?:requirements?|level|contract|tier)\s+(?:is|are)\s+(?:all\s+|now\s+)*"
    r"(?:met|satisfied|fulfilled|complete)\b",
    r"\b(?P<level>H[1-4])\s+(?:adapter|path|tier|mode|back\s?end|features?|code)\s+(?:is|are)\s+"
    r"(?:now\s+|always\s+)?(?:used|active|enabled|on|live)\b",
    r"\b(?P<level>H[0-4])(?:\s+(?:is|are|has\s+been|was|support\s+is))?[\s(-]+(?:fully\s+|now\s+)*"
    r"(?:implemented|completed?|reached|satisfied|met|achieved|fulfilled|certified|compliant"
    r"|conformant|ready|capable|done|attained|supported|available)\b",
)
_PATTERNS = tuple(re.compile(pattern, re.IGNORECASE) for pattern in _DECLARED)
_LEVEL = re.compile(r"\bH([0-4])\b")
_IMPLEMENTED = _PATTERNS[0]
_CONDITION = re.compile(
    r"\b(?:until|unless|when|once|if|before|after|whether|must be|to be)\b", re.I
)
_NOT_ONLY = re.compile(
    r"\bnever\s+(?:chang|break|mov|fail|drop|los|block|wait|idl|copi|leav|stop)\w*"
    r"|\b(?:(?:is|are|does|do)\s+)?not\s+(?:just|only|merely|solely|simply|(?:the|our|its)\s+(?:only|sole))\b",
    re.I,
)
_CITATION = re.compile(r"(?<!`)\(evidence: ([a-z0-9][a-z0-9-]*)\)")


def declared_levels(sentence: Sentence) -> list[tuple[Match, int]]:
    """Return the levels a sentence declares as implemented, with the words that do so.

    Examples
    --------
    >>> [level for _, level in declared_levels(Sentence("Implemented contract level: H4.", 0))]
    [4]
    """
    text = sentence.text
    if "H" not in text:
        return []
    found: list[tuple[Match, int]] = []
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            if _CONDITION.search(text[: match.start()]):
                continue
            inside = [
                i
                for i, w in enumerate(sentence.words)
                if w.start >= match.start("level") and w.end <= match.end("level")
            ]
            if inside:
                found.append((Match("declared", inside[0], inside[-1] + 1), int(match["level"][1])))
    return found


def declares(text: str) -> list[int]:
    """Return every level that a text declares as implemented, negated or not."""
    return [int(m["level"][1]) for pattern in _PATTERNS for m in pattern.finditer(text)]


def qualifies(lexicon: Lexicon, near: str, needed: int, evidence: int) -> bool:
    """Whether the text names the contract level and a limitation, and declares no more than true.

    The level named is the one the capability needs, or the implemented one; a lower level that
    stands there for another reason excuses nothing.
    """
    named = {int(level) for level in _LEVEL.findall(near)}
    implemented = [int(m["level"][1]) for m in _IMPLEMENTED.finditer(near)]
    if any(level > max(evidence, 0) for level in implemented):
        return False
    if needed not in named and not implemented:
        return False
    # "It is not the only mode" and "its symbols never change" limit nothing.
    words = split_words(_NOT_ONLY.sub(" ", near))
    claimed = {i for term in lexicon.terms_in(words) for i in range(term.start, term.end)}
    return any(m.start not in claimed for m in lexicon.groups["limitation"].find(words))


def citations(text: str) -> list[str]:
    """Return the requirement ids a text cites as `(evidence: id)`."""
    return _CITATION.findall(text)

# Language policy: EXEMPT from the Rust-path rule. Declares values; no computation.
"""The values of the claims gate: what a reader yields and what the judge reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["PATH", "RULES", "Claim", "Document", "Finding", "Problem", "Row", "Unit"]

# Where the words of the gate lie in a checkout.
PATH = "packaging/claims.yaml"
Kind = Literal["prose", "heading", "code", "row", "field"]

RULES = {
    "claim-above-level": "A capability is claimed that the level does not support.",
    "level-above-evidence": "A level is declared that the evidence does not support.",
    "unmet-citation": "A cited requirement is unknown or not met.",
    "speed-without-record": "A number about speed has no benchmark record that supports it.",
    "placeholder": "Something bound upstream still holds a placeholder.",
    "suppression-expired": "A suppression is past its last day.",
    "suppression-idle": "A suppression matches no finding.",
    "unreadable": "The file cannot be read as what it claims to be.",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One body row of a table with its header."""

    cells: tuple[str, ...]
    headers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of a document that is judged on its own, with what is read beside it.

    Attributes
    ----------
    text : str
        The prose, or the code of a code block.
    line : int
        Where it starts, counted from one.
    kind : str
        How it is judged.
    leads : tuple of str
        What introduces it, nearest first: lead-in, parent items, keys, headings.
    after : str
        The block below a heading.
    behind : str
        The paragraph below a quotation or an example.
    near : str
        Text in which a level and a limitation may be named.
    state : str
        `open` or `done` for an item with a box.
    row : Row or None
        The cells of a table row.
    """

    text: str
    line: int
    kind: Kind = "prose"
    leads: tuple[str, ...] = ()
    headings: tuple[str, ...] = ()
    after: str = ""
    near: str = ""
    behind: str = ""
    state: Literal["", "open", "done"] = ""
    row: Row | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a file, or a part of it, cannot be read."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Document:
    """A file as units; `declared` is the level that the file names for itself."""

    units: tuple[Unit, ...]
    declared: int | None = None
    declared_line: int = 1
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Claim:
    """A capability claimed in a sentence; `declared` marks a level said to be implemented."""

    level: int
    term: str
    text: str
    start: int
    declared: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation: where, what, why, and what would help.

    Examples
    --------
    >>> print(Finding("a.md", 3, "placeholder", "TODO", "a placeholder"))
    a.md:3: placeholder: a placeholder: "TODO"
    """

    path: str
    line: int
    rule: str
    text: str
    reason: str
    required: int | None = None
    evidence: str = ""
    wording: str = ""

    def __str__(self) -> str:
        needs = f" (needs H{self.required})" if self.required is not None else ""
        return f'{self.path}:{self.line}: {self.rule}: {self.reason}{needs}: "{self.text}"'

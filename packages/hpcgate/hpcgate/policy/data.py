# Language policy: EXEMPT from the Rust-path rule. Reads rows and headers; no computation.
"""The policy as data, and the modules it speaks about."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from packaging.version import InvalidVersion, Version
from pydantic import Field

from hpcgate.facts import FactModel, load_model, read_yaml
from hpcgate.repo import read_text, tracked_files

__all__ = [
    "DATA",
    "HEADER",
    "CoreCall",
    "Deprecation",
    "Finding",
    "Function",
    "Language",
    "Module",
    "Pin",
    "Policy",
    "Tier",
    "Tolerance",
    "Tree",
    "Uncovered",
    "comment_sign",
    "is_one_sentence",
    "line_of",
    "read",
    "source",
    "stated_reason",
]

DATA = "packaging/language.yaml"
HEADER = "Language policy: EXEMPT from the Rust-path rule."
MODULE_ROOT = "packages/"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Name one breach of the policy and the edit that mends it.

    Examples
    --------
    >>> print(Finding("packages/a.py", 1, "row", "no row; add one to packaging/language.yaml"))
    packages/a.py:1: [row] no row; add one to packaging/language.yaml
    """

    file: str
    line: int
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: [{self.rule}] {self.message}"


class Pin(FactModel):
    """Hold a file to a pattern: what the language needs is there, in one version."""

    file: str
    pattern: str = ""
    mend: str


class Language(FactModel):
    """Describe one language of the palette.

    `probe` says without starting anything whether a tier could run, as `module:function`; `extra`
    is what pip installs for it, and `platforms` where a tier must or may be there.
    """

    niche: str
    suffix: str
    probe: str
    extra: str
    pins: tuple[Pin, ...]
    platforms: dict[str, Literal["MUST", "MAY"]]


class Tier(FactModel):
    """Name one implementation of a compute function in a compiled language."""

    language: str
    entry: str
    source: str
    in_chain: bool = True
    thread_safe: bool = True


class Tolerance(FactModel):
    """Bound the difference between a tier and the floor, as `atol + rtol * |floor|`."""

    atol: float
    rtol: float


class Function(FactModel):
    """Describe one compute function: floor, tiers, sizes, promises, and who calls it.

    `invariants` name tests of `tests/accel/invariants.py`; `production` are those of the measured
    `sizes` that stand for real work; a call site is `file:what it calls`.
    """

    summary: str
    size_axis: str
    folder: str = "packages/pymars"
    sizes: tuple[int, ...] = ()
    production: tuple[int, ...] = ()
    invariants: tuple[str, ...] = ()
    seedable: bool = False
    benchmark: str
    call_sites: tuple[str, ...]
    floor: str
    tiers: tuple[Tier, ...]
    tolerance: Tolerance


class Uncovered(FactModel):
    """Say why the tests run less of a module than they owe, and until when.

    `least` is the share in per cent that they do run.
    """

    least: int
    reason: str
    until: str


class CoreCall(FactModel):
    """Say why a call of the extension has no dispatcher, and what checks it in place of a floor."""

    reason: str
    computes: bool = False
    checked_by: tuple[str, ...] = ()


class Module(FactModel):
    """Give one source module its status and the sentence that defends it."""

    status: Literal["compiled", "exempt", "floor-only"]
    reason: str
    category: str = ""
    until: str = ""


class Deprecation(FactModel):
    """Announce that a tier goes: since when and why, at which release, and what was measured.

    `minors` are the minor versions that carry the announcement, before the major one of `removal`.
    """

    language: str
    functions: tuple[str, ...]
    since: date
    since_version: str
    reason: str
    minors: tuple[str, ...]
    removal: str
    archived: str


class Policy(FactModel):
    """Hold `packaging/language.yaml` as written."""

    canonical_host_classes: tuple[str, ...]
    deprecations: tuple[Deprecation, ...]
    palette: dict[str, Language]
    categories: dict[str, str]
    functions: dict[str, Function]
    core_calls: dict[str, CoreCall]
    uncovered: dict[str, dict[str, Uncovered]] = Field(default_factory=dict)
    excluded_folders: tuple[str, ...]
    modules: dict[str, Module]

    @property
    def excuses(self) -> dict[str, tuple[str, Uncovered]]:
        """The rows under `uncovered:` by module, each with the session that runs the rest of it."""
        return {
            path: (session, row)
            for session, rows in self.uncovered.items()
            for path, row in rows.items()
        }


@dataclass(frozen=True, slots=True)
class Tree:
    """Hold what the rules read: the policy, its text, the modules, the version of the release."""

    root: Path
    policy: Policy
    text: str
    modules: dict[str, str]
    version: str

    def row_line(self, key: str) -> int:
        """Return the line of a key in the policy's file."""
        return line_of(self.text, rf"^ +[\"']?{re.escape(key)}[\"']?:")

    def is_due(self, until: str) -> bool:
        """Tell whether the release has reached a version; an unreadable version is due."""
        try:
            return Version(until) <= Version(self.version)
        except InvalidVersion:
            return True


def read(root: Path) -> Tree:
    """Read the policy and every source module under `packages/`."""
    policy = load_model(Policy, root, DATA)
    suffixes = {language.suffix for language in policy.palette.values()}
    excluded = set(policy.excluded_folders)
    modules = {
        path.as_posix(): read_text(root / path)
        for path in tracked_files(root)
        if path.as_posix().startswith(MODULE_ROOT)
        and path.suffix in suffixes
        and not excluded.intersection(path.parts)
    }
    version = str(read_yaml(root / "packaging/release.yaml").get("version"))
    return Tree(root, policy, read_text(root / DATA), modules, version)


def stated_reason(text: str) -> str | None:
    """Return the reason that line 1 of a module gives for an exemption, None when it claims none.

    Examples
    --------
    >>> stated_reason("# Language policy: EXEMPT from the Rust-path rule. Names it.")
    'Names it.'
    """
    first = text.partition("\n")[0]
    found = re.fullmatch(rf"(?:#|//) {re.escape(HEADER)} ?(.*)", first)
    return found[1].strip() if found else None


def comment_sign(path: str) -> str:
    """Return what starts a comment in the language of a file."""
    return "#" if path.endswith((".py", ".jl", ".mojo")) else "//"


def line_of(text: str, pattern: str) -> int:
    """Return the number of the first line that matches a pattern, 1 when none does."""
    found = re.search(pattern, text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def source(tree: Tree, path: str) -> str:
    """Return the text of a file, empty where there is none."""
    if path in tree.modules:
        return tree.modules[path]
    place = tree.root / path
    return read_text(place) if place.is_file() else ""


def is_one_sentence(text: str) -> bool:
    """Tell whether a reason is one sentence of two words or more."""
    return text.endswith(".") and ". " not in text and len(text.split()) >= 2

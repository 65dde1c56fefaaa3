# Language policy: EXEMPT from the Rust-path rule. Lists facts; no computation.
"""The third-party parts of the release as one table: packages of the facts, crates of the lock."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from hpcgate.facts import bounds_text, load
from hpcgate.supply.crates import crates

__all__ = ["PYTHON_ROLES", "Part", "parts", "table"]

# A `tool` is a check or step of one ecosystem; it is no part of the release.
PYTHON_ROLES = ("run", "extra", "build")


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """One third-party part of the release.

    Attributes
    ----------
    version : str
        Exact for a crate, as the lock pins it; the accepted range for a Python package.
    licence : str
        An SPDX expression.
    kind : str
        Language and use: `Python run`, `Python extra plots`, `Rust linked`, `Rust build`.
    """

    kind: str
    name: str
    version: str
    licence: str


def parts(root: Path) -> list[Part]:
    """Return every third-party part of the release, Python first.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> parts(find_root(Path(__file__)))[0].kind
    'Python build'
    """
    found = []
    for name, package in load(root).dependencies.by_role(*PYTHON_ROLES).items():
        kind = " ".join(filter(None, ("Python", package.role, package.extra)))
        bounds = bounds_text(package.bounds)
        found.append(Part(kind, package.names.pypi or name, bounds, package.licence))
    for crate in crates(root):
        if crate.sha256:
            found.append(Part(f"Rust {crate.use}", crate.name, crate.version, crate.licence))
    return sorted(found)


def table(found: list[Part]) -> str:
    r"""Return the parts as CSV.

    Examples
    --------
    >>> table([Part("Rust linked", "serde", "1.0.229", "MIT OR Apache-2.0")])
    'name,version,licence,kind\nserde,1.0.229,MIT OR Apache-2.0,Rust linked\n'
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("name", "version", "licence", "kind"))
    writer.writerows((part.name, part.version, part.licence, part.kind) for part in found)
    return stream.getvalue()

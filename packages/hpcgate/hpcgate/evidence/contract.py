# Language policy: EXEMPT from the Rust-path rule. Reads YAML facts; no computation.
"""The contract as data: levels, checks, requirements and host classes from `packaging/`."""

from __future__ import annotations

import difflib
import os
import platform
import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from hpcgate.errors import GateError
from hpcgate.evidence.statement import Kind
from hpcgate.facts import FactModel, load_model
from hpcgate.repo import sha256_file

__all__ = ["Check", "Contract", "HostClass", "Level", "Requirement", "contract", "host_class"]

CONTRACT = Path("packaging/levels.yaml")
HOSTS = Path("packaging/hosts.yaml")
NAME = r"^[a-z0-9]+(-[a-z0-9]+)*$"


def _level_number(value: Any) -> Any:
    """Turn "H2" into 2 and leave everything else to the type check."""
    if isinstance(value, str) and re.fullmatch(r"H[0-4]", value):
        return int(value[1])
    raise ValueError(f"{value!r} is not one of H0, H1, H2, H3, H4")


LevelNumber = Annotated[int, BeforeValidator(_level_number)]
Text = Annotated[str, Field(min_length=1)]
Name = Annotated[str, Field(pattern=NAME)]


class Level(FactModel):
    """What one contract level is called and allows, and what is not claimed below it."""

    level: LevelNumber
    name: Text
    allows: Text
    non_claims: Annotated[tuple[Text, ...], Field(min_length=1)]


class Check(FactModel):
    """One check: the session that records it, what it shows, and what it depends on.

    `kind` is the evidence that satisfies it: tests that passed, or a benchmark with its numbers.
    `session` is null while no session records the check; then `reason` says which work adds it.
    """

    session: Text | None
    kind: Kind = "test"
    shows: Text
    inputs: tuple[Text, ...] = Field(min_length=1)
    reason: str = ""

    @model_validator(mode="after")
    def _reason_without_session(self) -> Check:
        if self.session is None and not self.reason:
            raise ValueError("a check without a session needs a reason")
        return self


class Requirement(FactModel):
    """One deliverable of a level, the check that shows it and the command that runs the check.

    `deliverable` quotes the contract; several requirements may share one.
    """

    id: Name
    level: LevelNumber
    title: Text
    deliverable: Text
    check: Name
    remedy: Text


class Release(FactModel):
    """What must have passed before a release is signed, and how many days ago at most."""

    checks: Annotated[tuple[Name, ...], Field(min_length=1)]
    most_days: Annotated[int, Field(ge=1)]


class Contract(FactModel):
    """All of `packaging/levels.yaml`.

    `claims_check` names the one check whose verdict depends on the level. The claims gate judges
    against the level computed without it, so that neither waits for the other.
    """

    claims_check: Name
    release: Release
    levels: tuple[Level, ...]
    checks: dict[Name, Check]
    requirements: tuple[Requirement, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Contract:
        problems = []
        if [level.level for level in self.levels] != [0, 1, 2, 3, 4]:
            problems.append("levels must be H0 to H4, each once, in order")
        seen = set()
        for requirement in self.requirements:
            if requirement.id in seen:
                problems.append(f"requirement {requirement.id} occurs twice")
            seen.add(requirement.id)
            if requirement.check not in self.checks:
                problems.append(f"requirement {requirement.id}: unknown check {requirement.check}")
            if not requirement.id.startswith(f"h{requirement.level}-"):
                problems.append(f"requirement {requirement.id}: id does not start with its level")
        missing = {0, 1, 2, 3, 4} - {requirement.level for requirement in self.requirements}
        if missing:
            problems.append(f"no requirement for level H{min(missing)}")
        if self.claims_check not in self.checks:
            problems.append(f"claims_check: unknown check {self.claims_check}")
        for name in self.release.checks:
            if name not in self.checks or self.checks[name].session is None:
                problems.append(f"release: no session records a check {name}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def check(self, name: str) -> Check:
        """Return a check by name, or name the nearest one that exists."""
        if name not in self.checks:
            raise GateError(
                f"{CONTRACT}: no check named {name!r}", hint=_nearest(name, self.checks)
            )
        return self.checks[name]


class HostClass(FactModel):
    """A named kind of machine and the conditions that select it."""

    name: Name
    system: Text
    machine: Text
    cpus: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]]

    @model_validator(mode="after")
    def _ordered(self) -> HostClass:
        if self.cpus[0] > self.cpus[1]:
            raise ValueError(f"cpus {list(self.cpus)}: the lower bound is above the upper one")
        return self


class _Hosts(FactModel):
    classes: tuple[HostClass, ...]


# By digest of the file: one command asks many times, and a checkout can change under a test.
_READ: dict[str, Contract] = {}


def contract(root: Path) -> Contract:
    """Read `packaging/levels.yaml`.

    Examples
    --------
    >>> from hpcgate.repo import find_root
    >>> contract(find_root()).check("smoke-wheel").session  # doctest: +SKIP
    'smoke-wheel'
    """
    digest = sha256_file(root / CONTRACT)
    if digest not in _READ:
        _READ[digest] = load_model(Contract, root, str(CONTRACT))
    return _READ[digest]


def host_class(root: Path) -> str:
    """Return the class of this machine: the first match of `packaging/hosts.yaml`.

    A machine that matches none is `other-<machine>`, for example `other-riscv64`. The name of the
    machine itself is never read.
    """
    hosts = load_model(_Hosts, root, str(HOSTS))
    system, machine = platform.system(), platform.machine()
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for known in hosts.classes:
        low, high = known.cpus
        if (known.system, known.machine) == (system, machine) and low <= cpus <= high:
            return known.name
    return f"other-{machine}"


def _nearest(name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known))}"

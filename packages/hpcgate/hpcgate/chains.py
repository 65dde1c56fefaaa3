# Language policy: EXEMPT from the Rust-path rule. Orders recorded medians; no computation.
"""Derive the order in which tiers are tried from the records of their run times.

Per function, host class and measured size: a tier enters if its median lies 10 % or more below
the floor's and the quartiles of the two do not meet. The least median comes first, the floor last.
A tier that was not measured, or that disagreed with the floor, stays out. An order holds up to its
size, the last one above it too. Records of canonical host classes alone order the default.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from hpcgate.errors import GateError
from hpcgate.facts import FactModel, check_model, load_model, read_yaml
from hpcgate.lanes.blocks import fill_block, markdown_table
from hpcgate.policy.data import DATA, Function, Policy
from hpcgate.repo import read_text, sha256_file, write_text

__all__ = ["LIBRARY", "derive", "derive_from", "seal", "stale", "write"]

LIBRARY = "packages/pymars/pymars/accel/chains.json"
PAGE = "docs/pipeline_performance.md"
BLOCK = "tiers"
FLOOR = "python"
ENOUGH = 0.9


class Spread(FactModel):
    """Median and quartiles of some runs."""

    median: float
    q1: float
    q3: float
    least: float
    runs: int


class Parity(FactModel):
    """How far a tier is from the floor, and whether that is within its tolerance."""

    within: bool
    largest_difference: float


class Measured(FactModel):
    """One tier at one size; without times where it disagreed with the floor."""

    parity: Parity | None = None
    warm_seconds: Spread | None = None


class Result(FactModel):
    """All tiers at one size."""

    size: int
    tiers: dict[str, Measured]


class Cold(FactModel):
    """First calls of processes at one size."""

    size: int
    seconds: dict[str, Spread]


class Part(FactModel):
    """What one host class measured, and of what."""

    load_before: float
    versions: str
    command: str
    commit: str = ""
    sources: dict[str, str]
    unavailable: dict[str, str]
    cold: Cold
    results: tuple[Result, ...]


class Record(FactModel):
    """`docs/benchmarks/<function>.json`."""

    schema_: Literal[1] = Field(alias="schema")
    about: str
    written_by: str
    function: str
    size_axis: str
    hosts: dict[str, Part]
    digest: str


def write(root: Path, *, check: bool = False) -> list[str]:
    """Write orders and the table of the page from the records; return the files that differed."""
    differing = []
    for name, orders in derive(root).items():
        text = json.dumps(orders, indent=1) + "\n"
        path = root / name
        if not path.is_file() or read_text(path) != text:
            differing.append(name)
            if not check:
                write_text(path, text)
    page = fill_block(root / PAGE, BLOCK, _tables(root))
    if page != read_text(root / PAGE):
        differing.append(PAGE)
        if not check:
            write_text(root / PAGE, page)
    return differing


def stale(root: Path) -> list[str]:
    """Name each record and the source that changed since it was measured."""
    found = []
    for function in _dispatched(root).values():
        record = json.loads(read_text(root / function.benchmark))
        sources = {path: digest for part in record["hosts"].values()
                   for path, digest in part["sources"].items()}  # fmt: skip
        for path, digest in sorted(sources.items()):
            if not (root / path).is_file() or sha256_file(root / path) != digest:
                found.append(f"{function.benchmark}: {path} changed since it was measured")
    return found


def derive(root: Path) -> dict[str, dict[str, Any]]:
    """Return what each file of orders holds, from the policy, the host classes and the records.

    Raises
    ------
    GateError
        If a record is missing, was edited, or is of another function.
    """
    canonical = load_model(Policy, root, DATA).canonical_host_classes
    classes = read_yaml(root / "packaging/hosts.yaml")["classes"]
    found: dict[str, dict[str, Any]] = {}
    for name, function in sorted(_dispatched(root).items()):
        file = LIBRARY if function.folder == "packages/pymars" else f"{function.folder}/chains.json"
        head = {"schema": 1, "derived_by": "hpcgate chains", "host_classes": classes}
        orders = found.setdefault(file, {**head, "functions": {}})["functions"]
        orders[name] = derive_from(_read(root / function.benchmark, name), canonical)
    return found


def _dispatched(root: Path) -> dict[str, Function]:
    functions = load_model(Policy, root, DATA).functions
    return {name: function for name, function in functions.items()}


def derive_from(record: Mapping[str, Any], canonical: tuple[str, ...]) -> dict[str, Any]:
    """Return the orders of one function."""
    hosts = {host: _bands(part["results"]) for host, part in sorted(record["hosts"].items())}
    default = next((hosts[host] for host in canonical if host in hosts), [])
    return {"default": default, "hosts": hosts}


def seal(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with the digest of what it holds.

    Examples
    --------
    >>> seal(seal({"a": 1})) == seal({"a": 1})
    True
    """
    content = {key: value for key, value in record.items() if key != "digest"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return {**content, "digest": f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"}


def _tables(root: Path) -> str:
    """Return what the page shows of the records, and the order that follows from them."""
    parts = []
    for name, function in _dispatched(root).items():
        record = _read(root / function.benchmark, name)
        for host, part in sorted(record["hosts"].items()):
            languages = [FLOOR, *(tier.language for tier in function.tiers if tier.in_chain)]
            rows = [
                (
                    _size(result["size"], function),
                    *(_median(result["tiers"].get(tier)) for tier in languages),
                    ", ".join(_order(result["tiers"])),
                )
                for result in part["results"]
            ]
            head = (function.size_axis, *(f"{tier}, s" for tier in languages), "order")
            parts += [f"### `{name}` on {host}", markdown_table(head, rows)]
            parts += [_notes(part)]
    return "\n\n".join(parts)


def _size(size: int, function: Function) -> str:
    return str(size) if size in function.production else f"{size} (small)"


def _median(tier: Mapping[str, Any] | None) -> str:
    if tier is None:
        return "—"
    return f"{tier['warm_seconds']['median']:.3g}" if "warm_seconds" in tier else "another result"


def _notes(part: Mapping[str, Any]) -> str:
    cold = part["cold"]
    first = ", ".join(f"{t} {s['median']:.3g} s" for t, s in cold["seconds"].items())
    lines = [f"First call of a process at size {cold['size']}: {first}."]
    lines += [f"Not measured: {tier}, as {why}." for tier, why in part["unavailable"].items()]
    lines.append(f"Measured with {part['versions']}; load before: {part['load_before']}.")
    return "\n".join(lines)


def _bands(results: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    bands: list[dict[str, Any]] = []
    for result in sorted(results, key=lambda found: found["size"]):
        tiers = _order(result["tiers"])
        if bands and bands[-1]["tiers"] == tiers:
            bands.pop()
        bands.append({"up_to": result["size"], "tiers": tiers})
    if bands:
        bands[-1]["up_to"] = None
    return bands


def _order(tiers: Mapping[str, Any]) -> list[str]:
    floor = tiers[FLOOR]["warm_seconds"]
    enter = {}
    for name, found in tiers.items():
        seconds = found.get("warm_seconds")
        if name == FLOOR or seconds is None or not found["parity"]["within"]:
            continue
        if seconds["median"] <= ENOUGH * floor["median"] and seconds["q3"] < floor["q1"]:
            enter[name] = seconds["median"]
    return [*sorted(enter, key=enter.__getitem__), FLOOR]


def _read(path: Path, function: str) -> dict[str, Any]:
    if not path.is_file():
        raise GateError(f"{path.name} is missing", hint="run: nox -s bench-tiers")
    record: dict[str, Any] = json.loads(read_text(path))
    check_model(Record, record, path.name)
    if record["function"] != function:
        raise GateError(f"{path.name} is no record of {function}", hint="run: nox -s bench-tiers")
    if seal(record)["digest"] != record["digest"]:
        raise GateError(
            f"{path.name} is not what was measured: its digest differs",
            hint="restore it with git, or run: nox -s bench-tiers",
        )
    return record

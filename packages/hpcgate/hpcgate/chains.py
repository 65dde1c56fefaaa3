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
from typing import Any

from hpcgate.errors import GateError
from hpcgate.facts import load_model, read_yaml
from hpcgate.policy.data import DATA, Policy
from hpcgate.repo import read_text, write_text

__all__ = ["CHAINS", "derive", "derive_from", "seal", "write"]

CHAINS = "packages/pymars/pymars/accel/chains.json"
FLOOR = "python"
ENOUGH = 0.9


def write(root: Path, *, check: bool = False) -> bool:
    """Write `chains.json` from the records; tell whether it differed."""
    text = json.dumps(derive(root), indent=1) + "\n"
    path = root / CHAINS
    differs = not path.is_file() or read_text(path) != text
    if differs and not check:
        write_text(path, text)
    return differs


def derive(root: Path) -> dict[str, Any]:
    """Return what `chains.json` holds, from the policy, the host classes and the records.

    Raises
    ------
    GateError
        If a record was edited, or is of another function.
    """
    policy = load_model(Policy, root, DATA)
    records = {
        name: _read(root / function.benchmark, name)
        for name, function in policy.functions.items()
        if function.floor and function.folder == "packages/pymars"
    }
    return {
        "schema": 1,
        "derived_by": "hpcgate chains",
        "host_classes": read_yaml(root / "packaging/hosts.yaml")["classes"],
        "functions": {
            name: derive_from(record, policy.canonical_host_classes)
            for name, record in sorted(records.items())
        },
    }


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
    if record.get("function") != function:
        raise GateError(f"{path.name} is no record of {function}", hint="run: nox -s bench-tiers")
    if seal(record)["digest"] != record.get("digest"):
        raise GateError(
            f"{path.name} is not what was measured: its digest differs",
            hint="restore it with git, or run: nox -s bench-tiers",
        )
    return record

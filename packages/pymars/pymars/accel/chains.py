# Language policy: EXEMPT from the Rust-path rule. Reads the measured orders; no computation.
"""The order of tiers that was measured, per function, host class and band of sizes.

`chains.json` is derived from `docs/benchmarks` by `hpcgate chains`; nobody edits it.
"""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["FILE", "FLOOR", "Band", "always", "bands_of", "host_class", "kind"]

FILE = Path(__file__).with_name("chains.json")
FLOOR = "python"


class Band(NamedTuple):
    """An order of tiers for all sizes up to a limit; the floor is its last."""

    limit: float
    tiers: tuple[str, ...]


def bands_of(function: str, host: str, file: Path = FILE) -> tuple[Band, ...]:
    """Return the order for a function, from small sizes to large; the floor alone if none is known.

    A host class without measurements of its own gets the order of the canonical one.

    Examples
    --------
    >>> bands_of("never_measured", "linux-x86-64-small")
    (Band(limit=inf, tiers=('python',)),)
    """
    known = _read(file)["functions"].get(function, {})
    found: Sequence[Mapping[str, Any]] = known.get("hosts", {}).get(host) or known.get(
        "default", ()
    )
    bands = tuple(
        Band(math.inf if band["up_to"] is None else band["up_to"], tuple(band["tiers"]))
        for band in found
    )
    return bands or (Band(math.inf, (FLOOR,)),)


def host_class(file: Path = FILE) -> str:
    """Return the name of this kind of machine, by the rules that the file carries."""
    (system, machine), cpus = kind(), _cpus()
    for known in _read(file)["host_classes"]:
        least, most = known["cpus"]
        if (known["system"], known["machine"]) == (system, machine) and least <= cpus <= most:
            return str(known["name"])
    return f"other-{machine}"


def always() -> str:
    """Say why the floor cannot run: never."""
    return ""


def kind() -> tuple[str, str]:
    """Return system and machine; `platform`, which takes longer to load, is asked where it must."""
    if hasattr(os, "uname"):
        known = os.uname()
        return known.sysname, known.machine
    import platform

    return platform.system(), platform.machine()


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.lru_cache(maxsize=8)
def _read(file: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return read

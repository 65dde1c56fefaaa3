# Language policy: EXEMPT from the Rust-path rule. Compares arrays; no computation of its own.
"""Replay the frozen vectors with an installed mars-earth, and print what agreed as JSON.

`hpcgate.lanes.conda_forge_smoke` runs this file in an environment; it needs what the package
installs, nothing else. By hand: `python tests/smoke/conda_forge/conformance.py`.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path
from typing import Any

VECTORS = Path(__file__).resolve().parents[2] / "conformance"


def same(found: Any, expected: list[Any]) -> bool:
    """Tell whether two arrays are equal bit for bit; a NaN is a NaN whatever its payload."""
    import numpy as np

    wanted = np.array(expected, dtype=np.float64)
    if found.shape != wanted.shape or not np.array_equal(np.isnan(found), np.isnan(wanted)):
        return False
    known = ~np.isnan(wanted)
    return bool((found[known].view(np.int64) == wanted[known].view(np.int64)).all())


def replay(manifest: dict[str, Any]) -> tuple[int, list[str]]:
    """Return how many cases there are, and the names of those that differ in any way."""
    import numpy as np

    import pymars as earth

    count, differing = 0, []
    for name, digest in manifest["cases"].items():
        content = (VECTORS / name).read_bytes()
        if hashlib.sha256(content).hexdigest() != digest:
            differing.append(f"{name} is not the frozen file")
        for case in json.loads(content):
            count += 1
            rows = np.array(case["rows"], dtype=np.float64)
            model = earth.load_model(json.dumps(case["spec"]))
            many = earth.predict(model, np.tile(rows, (1000, 1)), threads=2)
            agreed = (
                same(earth.predict(model, rows), case["predictions"])
                and same(earth.design_matrix(model, rows), case["design_matrix"])
                and same(many, case["predictions"] * 1000)
            )
            differing += [] if agreed else [case["name"]]
    return count, differing


def strangers() -> list[str]:
    """Return loaded modules that lie outside this environment."""
    home = Path(sys.prefix).resolve()
    files = {
        name: Path(path).resolve()
        for name, module in sorted(sys.modules.items())
        if name != "__main__" and (path := getattr(module, "__file__", None))
    }
    return [name for name, path in files.items() if home not in path.parents]


def main() -> int:
    """Run both tests and print the report."""
    began = time.perf_counter()
    count, differing = replay(json.loads((VECTORS / "manifest.json").read_text(encoding="utf-8")))
    seconds = round(time.perf_counter() - began, 3)
    foreign = strangers()
    tests = [
        {
            "name": "conformance-vectors-agree-bit-for-bit",
            "passed": count > 0 and not differing,
            "detail": f"differ: {', '.join(differing)}" if differing else f"{count} cases",
        },
        {
            "name": "loads-nothing-of-the-machine",
            "passed": not foreign,
            "detail": ", ".join(foreign) or f"{len(sys.modules)} modules, all from the environment",
        },
    ]
    measurements = {"conformance_cases": count, "conformance_seconds": seconds}
    print(json.dumps({"tests": tests, "versions": {}, "measurements": measurements}))
    return 0 if all(test["passed"] for test in tests) else 1


if __name__ == "__main__":
    sys.exit(main())

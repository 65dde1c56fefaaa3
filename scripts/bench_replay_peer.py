# Language policy: EXEMPT from the Rust-path rule. Runs another program and writes its figures.
"""Time predict() of mars-earth 1.0.4 from the package index; called by `scripts/bench_replay.py`.

It runs in an environment of its own, as both packages are imported by one name. The terms of the
model are put into a fitted estimator, so that both programs evaluate the same ones.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import pymars


def main() -> None:
    """Print the seconds of each run and a check sum, as JSON."""
    folder, n, p, runs = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    X = np.fromfile(folder / "x", dtype="<f8").reshape(p, n).T.copy()
    kinds: Any = importlib.import_module("pymars._basis")
    found: dict[str, Any] = {
        "versions": f"mars-earth {version('mars-earth')}, NumPy {np.__version__}"
    }
    for name in ("additive", "products"):
        terms = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["terms"]
        basis: list[Any] = []
        for term in terms:
            if term["kind"] == "constant":
                basis.append(kinds.ConstantBasisFunction())
                continue
            parent = basis[term["parent"]] if "parent" in term else None
            right = term["side"] == "right"
            basis.append(
                kinds.HingeBasisFunction(term["feature"], term["knot"], right, parent_bf=parent)
            )
        model = pymars.Earth(max_terms=5).fit(X[:200], X[:200].sum(axis=1))
        model.basis_ = basis
        model.coef_ = np.array([term["coefficients"][0] for term in terms])
        seconds = []
        for _ in range(runs):
            started = time.process_time()
            values = model.predict(X)
            seconds.append(time.process_time() - started)
        found[name] = {"seconds": seconds, "checksum": float(values.sum())}
    print(json.dumps(found))


if __name__ == "__main__":
    main()

# Language policy: EXEMPT from the Rust-path rule. Runs both programs and writes their figures.
"""Compare held-out R squared with R earth at equal settings, and record it.

Writes `docs/benchmarks/r_earth_parity.json`. Needs R with earth (`apt-get install r-base-core
r-cran-earth`) and an installed mars-earth. Run it with `nox -s bench-peers`.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes, make_friedman1

import pymars as earth
from hpcgate.evidence import host_class

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "docs" / "benchmarks" / "r_earth_parity.json"
SETTINGS: dict[str, Any] = {
    "max_terms": 21,
    "penalty": 3.0,
    "thresh": 0.001,
    "compat": "earth",
}
TOLERANCE = 0.01
SPLITS = 10

Arrays = tuple[Any, Any, Any, Any]


def diabetes(scaled: bool) -> dict[str, Arrays]:
    """Split the 442 rows ten times, 110 rows held out, by seeded permutation."""
    X, y = load_diabetes(return_X_y=True, scaled=scaled)
    found = {}
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(len(y))
        test, train = order[:110], order[110:]
        name = f"diabetes {'scaled columns' if scaled else 'original units'}, split {seed}"
        found[name] = (X[train], y[train], X[test], y[test])
    return found


def friedman() -> dict[str, Arrays]:
    """Draw 10 000 training and 20 000 held-out rows, 10 columns, noise of standard deviation 1."""
    train = make_friedman1(10_000, 10, noise=1.0, random_state=1)
    test = make_friedman1(20_000, 10, noise=1.0, random_state=2)
    return {"Friedman 1, n = 10000, p = 10, sd 1": (*train, *test)}


def write_csv(path: Path, X: Any, y: Any) -> None:
    """Write a table that R reads back to the same numbers."""
    header = ",".join([*(f"x{j}" for j in range(X.shape[1])), "y"])
    np.savetxt(path, np.c_[X, y], delimiter=",", header=header, comments="", fmt="%.17g")


def run_r(cases: dict[str, Arrays]) -> tuple[dict[tuple[str, int], dict[str, float]], str]:
    """Fit every case at both degrees with R earth; return figures and versions."""
    if shutil.which("Rscript") is None:
        sys.exit("Rscript is not installed; run: apt-get install r-base-core r-cran-earth")
    with tempfile.TemporaryDirectory() as folder:
        jobs = ["train,test,degree"]
        names = list(cases)
        for i, name in enumerate(names):
            X, y, X_test, y_test = cases[name]
            write_csv(Path(folder) / f"train{i}.csv", X, y)
            write_csv(Path(folder) / f"test{i}.csv", X_test, y_test)
            jobs += [f"train{i}.csv,test{i}.csv,{degree}" for degree in (1, 2)]
        (Path(folder) / "jobs.csv").write_text("\n".join(jobs) + "\n")
        script = Path(__file__).with_name("held_out.R")
        done = subprocess.run(
            ["Rscript", "--vanilla", str(script), folder], capture_output=True, text=True
        )
    if done.returncode:
        sys.exit(f"R earth failed: {done.stderr.strip().splitlines()[-1]}")
    *lines, versions = done.stdout.strip().splitlines()
    figures = {}
    for row in csv.DictReader(lines):
        name = names[int(row["train"].removeprefix("train").removesuffix(".csv"))]
        key = (name, int(row["degree"]))
        figures[key] = {k: float(row[k]) for k in ("gcv", "terms", "rsq")}
    return figures, versions.removeprefix("# ")


def compare(cases: dict[str, Arrays]) -> tuple[list[dict[str, Any]], str]:
    """Fit every case with both programs."""
    reference, versions = run_r(cases)
    rows = []
    for (name, degree), theirs in reference.items():
        X, y, X_test, y_test = cases[name]
        model = earth.Earth(max_degree=degree, **SETTINGS).fit(X, y)
        rsq = float(model.score(X_test, y_test))
        rows.append(
            {
                "data": name,
                "degree": degree,
                "rsq": rsq,
                "rsq_r_earth": theirs["rsq"],
                "difference": rsq - theirs["rsq"],
                "gcv": model.gcv_,
                "gcv_r_earth": theirs["gcv"],
                "terms": len(model.basis_),
                "terms_r_earth": int(theirs["terms"]),
            }
        )
    return rows, versions


def main() -> int:
    """Compare, write the record, and print one line per group of cases."""
    cases = {**diabetes(scaled=False), **diabetes(scaled=True), **friedman()}
    rows, versions = compare(cases)
    worst = max(rows, key=lambda row: abs(row["difference"]))
    record = {
        "about": "Held-out R squared of mars-earth and of R earth at equal settings.",
        "written_by": "nox -s bench-peers",
        "host_class": host_class(ROOT),
        "versions": f"mars-earth {earth.__version__}, NumPy {np.__version__}, {versions}",
        "settings": SETTINGS,
        "tolerance": TOLERANCE,
        "worst": worst,
        "cases": rows,
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n")
    for group in ("original units", "scaled columns", "Friedman"):
        for degree in (1, 2):
            found = [r for r in rows if group in r["data"] and r["degree"] == degree]
            equal = sum(abs(r["gcv"] / r["gcv_r_earth"] - 1) < 1e-8 for r in found)
            largest = max(abs(r["difference"]) for r in found)
            mean = sum(r["difference"] for r in found) / len(found)
            print(
                f"{group}, degree {degree}: {len(found)} fits, {equal} with R's GCV, "
                f"R2 differs by {largest:.5f} at most, by {mean:+.5f} on average"
            )
    print(f"wrote {RECORD.relative_to(ROOT)}")
    return 0 if abs(worst["difference"]) <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())

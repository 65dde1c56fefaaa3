# Language policy: EXEMPT from the Rust-path rule. Runs both programs and writes their figures.
"""Compare the default stop rule with three settings of R earth on data neither has seen.

Writes `docs/benchmarks/default_rule.json`. Needs R with earth (`apt-get install r-base-core
r-cran-earth`). Run it with `nox -s bench-peers`.
"""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes, make_friedman1

import pymars as earth
from hpcgate.evidence import host_class

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "docs" / "benchmarks" / "default_rule.json"
SEEDS = 25
UNSEEN = 5_000

# (X, y, X unseen, y unseen, weights or None)
Problem = tuple[Any, Any, Any, Any, Any]


def friedman(n: int, p: int, sd: float = 1.0) -> Callable[[int], Problem]:
    """Friedman's first problem, of which 5 of p columns matter."""

    def draw(seed: int) -> Problem:
        train = make_friedman1(n, p, noise=sd, random_state=seed)
        return *train, *make_friedman1(UNSEEN, p, noise=sd, random_state=1000 + seed), None

    return draw


def weighted(seed: int) -> Problem:
    """The same with noise that grows with a column, and the weights that belong to it."""
    X, y, unseen, truth, _ = friedman(120, 10, sd=0.0)(seed)
    sd = 0.3 + 3 * X[:, 9]
    rng = np.random.default_rng(seed)
    return X, y + sd * rng.normal(size=len(y)), unseen, truth, 1 / sd**2


def several(seed: int) -> Problem:
    """Three responses that share some of their columns."""
    X, y, unseen, truth, _ = friedman(500, 10)(seed)

    def others(rows: Any, first: Any, shift: int) -> Any:
        rng = np.random.default_rng(seed + shift)
        second = 8 * np.abs(rows[:, 0] - 0.5) + 4 * rows[:, 5] + rng.normal(size=len(rows))
        third = 6 * rows[:, 2] * rows[:, 3] + rng.normal(size=len(rows))
        return np.c_[first, second, third]

    return X, others(X, y, 1), unseen, others(unseen, truth, 2), None


def noise(seed: int) -> Problem:
    """Nothing to find."""
    X, _, unseen, _, _ = friedman(300, 10)(seed)
    rng = np.random.default_rng(seed)
    return X, rng.normal(size=len(X)), unseen, rng.normal(size=len(unseen)), None


def plateau(seed: int) -> Problem:
    """Products whose first terms gain little."""

    def draw(rows: int, own: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(own)
        X = rng.uniform(size=(rows, 10))
        y = 8 * (X[:, 0] - 0.5) * (X[:, 1] - 0.5) + 4 * np.maximum(0, X[:, 2] - 0.6) * X[:, 3]
        return X, y + 0.1 * rng.normal(size=rows)

    return *draw(2_000, seed), *draw(UNSEEN, 1000 + seed), None


def diabetes(seed: int) -> Problem:
    """Diabetes in its own units, a quarter held out."""
    X, y = load_diabetes(return_X_y=True, scaled=False)
    order = np.random.default_rng(seed).permutation(len(y))
    test, train = order[:110], order[110:]
    return X[train], y[train], X[test], y[test], None


FAMILIES: dict[str, Callable[[int], Problem]] = {
    "diabetes": diabetes,
    "Friedman 1, n = 100": friedman(100, 10),
    "Friedman 1, n = 1000": friedman(1_000, 10),
    "Friedman 1, n = 5000": friedman(5_000, 10),
    "more columns than rows, n = 50, p = 60": friedman(50, 60),
    "weights, n = 120": weighted,
    "three responses, n = 500": several,
    "plateau, n = 2000": plateau,
    "noise alone, n = 300": noise,
}


def problems() -> Iterator[tuple[str, int, int, Problem]]:
    """Every family at both degrees, with its seeds."""
    for name, draw in FAMILIES.items():
        for degree in (1, 2):
            for seed in range(2 if "000" in name else SEEDS):
                yield name, degree, seed, draw(seed)


def run_r(folder: Path) -> tuple[list[dict[str, str]], str]:
    """Write the problems and fit them with R earth."""
    rows = []
    for number, (_, degree, _, (X, y, unseen, truth, weights)) in enumerate(problems()):
        parts = {"x": X, "y": y, "unseen": unseen, "truth": truth, "weights": weights}
        row: dict[str, Any] = {"job": number, "degree": degree, "n": len(X), "p": X.shape[1]}
        row |= {"m": len(unseen), "k": 1 if y.ndim == 1 else y.shape[1]}
        for part, values in parts.items():
            row[part] = "" if values is None else f"{number}.{part}"
            if values is not None:
                (folder / row[part]).write_bytes(values.astype("<f8").tobytes(order="F"))
        rows.append(row)
    with (folder / "jobs.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    script = Path(__file__).with_suffix(".R")
    done = subprocess.run(
        ["Rscript", "--vanilla", str(script), str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"R earth failed: {done.stderr.strip().splitlines()[-1]}")
    *lines, versions = done.stdout.strip().splitlines()
    return list(csv.DictReader(lines)), versions.removeprefix("# ")


def main() -> int:
    """Fit every problem with both programs and write the record."""
    if shutil.which("Rscript") is None:
        sys.exit("Rscript is not installed; run: apt-get install r-base-core r-cran-earth")
    with tempfile.TemporaryDirectory() as folder:
        reference, versions = run_r(Path(folder))
    theirs: dict[int, dict[str, dict[str, str]]] = {}
    for row in reference:
        theirs.setdefault(int(row["job"]), {})[row["setting"]] = row
    fits = []
    for number, (name, degree, seed, (X, y, unseen, truth, weights)) in enumerate(problems()):
        started = time.process_time()
        model = earth.Earth(max_degree=degree).fit(X, y, weights)
        seconds = time.process_time() - started
        figures = {setting: round(float(r["rsq"]), 6) for setting, r in theirs[number].items()}
        fit = {"family": name, "degree": degree, "seed": seed}
        fit |= {"rsq": round(float(model.score(unseen, truth)), 6), "terms": len(model.basis_)}
        fit |= {"r_earth": figures, "seconds": round(seconds, 5)}
        fit["r_earth_default_seconds"] = float(theirs[number]["defaults"]["seconds"])
        fits.append(fit)
    record = {
        "about": "Held-out R squared: the default stop rule beside three settings of R earth.",
        "written_by": "nox -s bench-peers",
        "host_class": host_class(ROOT),
        "versions": f"mars-earth {earth.__version__}, NumPy {np.__version__}, {versions}",
        "families": [summary(group) for group in grouped(fits)],
        "fits": fits,
    }
    RECORD.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(f"wrote {RECORD.relative_to(ROOT)}")
    return 0


def grouped(fits: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Fits of one family and degree."""
    for _, group in groupby(fits, lambda fit: (fit["family"], fit["degree"])):
        yield list(group)


def summary(fits: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the seeds, and the difference to the setting of R that has the best mean."""
    ours = float(np.mean([fit["rsq"] for fit in fits]))
    means = {
        setting: float(np.mean([fit["r_earth"][setting] for fit in fits]))
        for setting in fits[0]["r_earth"]
    }
    best = max(means.values())
    found = {
        "family": fits[0]["family"],
        "degree": fits[0]["degree"],
        "seeds": len(fits),
        "rsq": round(ours, 5),
        "r_earth": {setting: round(mean, 5) for setting, mean in means.items()},
        "over_best_setting": round(ours - best, 5),
        "terms": round(float(np.mean([fit["terms"] for fit in fits])), 1),
    }
    print(found["family"], found["degree"], found["rsq"], found["r_earth"], found["terms"])
    return found


if __name__ == "__main__":
    sys.exit(main())

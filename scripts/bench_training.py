# Language policy: EXEMPT from the Rust-path rule. Runs both programs and writes their figures.
"""Time training beside R earth, and the engine beside itself, and record it.

Writes `docs/benchmarks/training.json` and draws it for the documents. Needs R with earth (`apt-get
install r-base-core r-cran-earth`). Run it with `nox -s bench-training` on a quiet machine; it
takes about ten minutes.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import make_friedman1

import pymars as earth
from hpcgate.evidence import host_class

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "benchmarks" / "training.json"
UNSEEN = 20_000

Table = tuple[Any, Any, Any, Any]


def friedman(n: int) -> Table:
    """Draw Friedman's first problem: 10 columns, 5 of them matter, noise of deviation 1."""
    X, y = make_friedman1(n, 10, noise=1.0, random_state=1)
    return X, y, *make_friedman1(UNSEEN, 10, noise=1.0, random_state=2)


def additive(n: int) -> Table:
    """Draw 100 columns of which 10 matter, each by itself."""

    def draw(rows: int, seed: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(seed)
        X = rng.uniform(size=(rows, 100))
        curves = np.sin(np.linspace(2, 9, 10) * X[:, :10]).sum(axis=1)
        return X, 2 * curves + rng.normal(size=rows)

    return *draw(n, 3), *draw(UNSEEN, 4)


def products(n: int) -> Table:
    """Draw 10 columns in two products of three hinges."""

    def draw(rows: int, seed: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(seed)
        X = rng.uniform(size=(rows, 10))
        h = np.maximum(0, X - np.linspace(0.1, 0.5, 10))
        y = 30 * h[:, 0] * h[:, 1] * h[:, 2] - 20 * h[:, 3] * X[:, 4] * h[:, 5] + 5 * h[:, 6]
        return X, y + 0.3 * rng.normal(size=rows)

    return *draw(n, 5), *draw(UNSEEN, 6)


def peers(runs: int) -> tuple[list[dict[str, Any]], str]:
    """Fit every case with R earth, with its rules, and with our defaults."""
    cases = {
        "Friedman 1, n = 1000, degree 2": (friedman(1_000), 2),
        "Friedman 1, n = 10000, degree 2": (friedman(10_000), 2),
        "Friedman 1, n = 100000, degree 2": (friedman(100_000), 2),
        "additive, n = 5000, p = 100, degree 1": (additive(5_000), 1),
        "products, n = 5000, degree 3": (products(5_000), 3),
    }
    jobs = []
    with tempfile.TemporaryDirectory() as folder:
        for number, ((table, degree), nk) in enumerate(product(cases.values(), (21, 101))):
            job: dict[str, Any] = {"case": number, "degree": degree, "nk": nk, "runs": runs}
            job |= {"n": len(table[0]), "p": table[0].shape[1], "m": UNSEEN}
            for part, values in zip(("x", "y", "unseen", "truth"), table, strict=True):
                job[part] = f"{number}.{part}"
                Path(folder, job[part]).write_bytes(values.astype("<f8").tobytes(order="F"))
            jobs.append(job)
        with Path(folder, "jobs.csv").open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, fieldnames=list(jobs[0]))
            writer.writeheader()
            writer.writerows(jobs)
        r_earth, versions = run_r(folder)
    rows = []
    for job, ((name, (table, degree)), nk) in zip(
        jobs, product(cases.items(), (21, 101)), strict=True
    ):
        same_rules = {"max_terms": nk, "max_degree": degree, "compat": "earth"}
        row: dict[str, Any] = {
            "case": f"{name}, nk {nk}",
            "r_earth": summary([run for run in r_earth if run["case"] == str(job["case"])]),
            "same_rules": ours(same_rules, table, runs),
            "default": ours({"max_degree": degree}, table, runs),
        }
        for kind in ("same_rules", "default"):
            ratio = row["r_earth"]["cpu_seconds"]["median"] / row[kind]["cpu_seconds"]["median"]
            row[f"r_earth_over_{kind}"] = round(ratio, 2)
        print(row["case"], row["r_earth_over_same_rules"], row["r_earth_over_default"], flush=True)
        rows.append(row)
    return rows, versions


def run_r(folder: str) -> tuple[list[dict[str, Any]], str]:
    """Run the R script on the jobs of a folder."""
    script = Path(__file__).with_suffix(".R")
    command = ["Rscript", "--vanilla", str(script), folder]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        sys.exit(f"bench-training: R earth failed: {done.stderr.strip().splitlines()[-1]}")
    lines = done.stdout.splitlines()
    found = [line for line in lines if not line.startswith("#")]
    return list(csv.DictReader(found)), lines[-1].lstrip("# ")


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Median and range of the runs of one case; the model is the same in all."""
    return {
        "cpu_seconds": spread([float(run["seconds"]) for run in runs]),
        "gcv": float(runs[0]["gcv"]),
        "terms": int(runs[0]["terms"]),
        "rsq_unseen": float(runs[0]["rsq"]),
    }


def ours(options: dict[str, Any], table: Table, runs: int) -> dict[str, Any]:
    """Fit as often as asked; the time is that of the whole call."""
    X, y, unseen, truth = table
    times, walls = [], []
    for _ in range(runs):
        started, wall = time.process_time(), time.perf_counter()
        model = earth.Earth(**options).fit(X, y)
        times.append(time.process_time() - started)
        walls.append(time.perf_counter() - wall)
    return {
        "cpu_seconds": spread(times),
        "wall_seconds": spread(walls),
        "gcv": model.gcv_,
        "terms": len(model.basis_),
        "rsq_unseen": float(model.score(unseen, truth)),
    }


def spread(values: list[float]) -> dict[str, float]:
    """Median, least and most of some runs."""
    found = {"median": statistics.median(values), "least": min(values), "most": max(values)}
    return {name: round(value, 6) for name, value in found.items()}


def itself(runs: int, largest: int) -> dict[str, Any]:
    """Compare the engine with itself: sizes, bins beside all knots, a pool beside none."""
    options = {"max_degree": 2, "max_terms": 21, "thresh": 0.001}
    found: dict[str, Any] = {"settings": options, "sizes": []}
    for n in (10_000, 100_000, largest):
        table = friedman(n)
        row: dict[str, Any] = {"rows": n}
        row["exact"] = ours(options, table, runs)
        row["bins"] = ours({**options, "knots": "hist"}, table, runs)
        if len(os.sched_getaffinity(0)) >= 2:
            earth.set_runtime_threads(2)
            row["exact_two_threads"] = ours(options, table, runs)
            row["bins_two_threads"] = ours({**options, "knots": "hist"}, table, runs)
            earth.set_runtime_threads(1)
        row["input_bytes"] = table[0].nbytes
        row["peak_bytes_over_input"] = {
            kind: peak(n, {**options, "knots": kind}) for kind in ("exact", "hist")
        }
        found["sizes"].append(row)
        print(n, {key: value for key, value in row.items() if key != "rows"}, flush=True)
    return found


def peak(n: int, options: dict[str, Any]) -> int:
    """Peak memory of a fit over what its process held before, data included, in bytes."""
    command = [sys.executable, __file__, "--peak", json.dumps([n, options])]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


def measure_peak(n: int, options: dict[str, Any]) -> int:
    """Fit in this process, and read what Linux says of its memory."""
    X, y, *_ = friedman(n)
    earth.Earth(**options).fit(X[:100], y[:100])  # what is imported late is no part of it
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # resets the high-water mark
    before = status("VmRSS")
    earth.Earth(**options).fit(X, y)
    return status("VmHWM") - before


def status(key: str) -> int:
    """Read a figure of this process, in bytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))


def draw(record: dict[str, Any], path: Path) -> None:
    """Draw the ratios of all cases, and the time per row against the number of rows."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "training"
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    names = [row["case"] for row in record["cases"]]
    places = np.arange(len(names))
    for shift, kind, label in ((-0.2, "same_rules", "R's rules"), (0.2, "default", "our defaults")):
        ratios = [row[f"r_earth_over_{kind}"] for row in record["cases"]]
        left.barh(places + shift, ratios, height=0.38, label=label)
    left.set_yticks(places, names, fontsize=8)
    left.invert_yaxis()
    left.set_xscale("log")
    left.axvline(1, color="grey", linewidth=0.8)
    left.set_xlabel("CPU seconds of R earth / ours")
    left.legend(fontsize=8)
    sizes = [row["rows"] for row in record["itself"]["sizes"]]
    for kind, label in (("exact", "all knots"), ("bins", "255 bins")):
        per_row = [
            1e6 * row[kind]["cpu_seconds"]["median"] / row["rows"]
            for row in record["itself"]["sizes"]
        ]
        right.plot(sizes, per_row, marker="o", label=label)
    right.set_xscale("log")
    right.set_ylim(bottom=0)
    right.set_xlabel("rows")
    right.set_ylabel("CPU microseconds per row")
    right.legend(fontsize=8)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main() -> int:
    """Run both parts and write the record."""
    parser = argparse.ArgumentParser(description="Time training beside R earth.")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--largest", type=int, default=1_000_000)
    parser.add_argument("--output", type=Path, default=RECORD)
    parser.add_argument("--plot", type=Path, default=ROOT / "docs" / "img" / "training.svg")
    parser.add_argument("--peak", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print(measure_peak(*options.peak))
        return 0
    if shutil.which("Rscript") is None:
        sys.exit("bench-training: there is no Rscript; apt-get install r-base-core r-cran-earth")
    load = os.getloadavg()[0]
    earth.set_runtime_threads(1)
    rows, versions = peers(options.runs)
    ratios = [row["r_earth_over_same_rules"] for row in rows]
    record = {
        "about": "CPU seconds of training: R earth, its rules in mars-earth, and our defaults.",
        "written_by": "nox -s bench-training",
        "host_class": host_class(ROOT),
        "load_before": round(load, 2),
        "versions": f"mars-earth {earth.__version__}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, {versions}",
        "runs": options.runs,
        "same_rules_geometric_mean": round(statistics.geometric_mean(ratios), 2),
        "same_rules_least": min(ratios),
        "default_least": min(row["r_earth_over_default"] for row in rows),
        "cases": rows,
        "itself": itself(options.runs, options.largest),
    }
    options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    draw(record, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())

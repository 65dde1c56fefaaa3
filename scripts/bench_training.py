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
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import make_friedman1

import pymars as earth
from hpcgate.evidence import host_class

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "benchmarks" / "training.json"
UNSEEN = 20_000
# R earth takes minutes for a full search of as many rows.
FULL_SEARCH_BELOW = 100_000

# Of R earth; the first is its default.
SETTINGS: dict[str, dict[str, float]] = {
    "nk 21": {"nk": 21, "thresh": 0.001, "fast_k": 20},
    "nk 101": {"nk": 101, "thresh": 0.001, "fast_k": 20},
    "nk 101, full search": {"nk": 101, "thresh": 0, "fast_k": 0},
}

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


def interactions(n: int) -> Table:
    """Draw 20 columns in five products of two, with nothing else to find."""

    def draw(rows: int, seed: int) -> tuple[Any, Any]:
        rng = np.random.default_rng(seed)
        X = rng.uniform(size=(rows, 20))
        h = np.maximum(0, X - 0.4)
        y = 40 * h[:, 0] * h[:, 1] + 30 * h[:, 2] * X[:, 3] + 40 * h[:, 4] * h[:, 5]
        y += 30 * h[:, 6] * X[:, 7] + 40 * h[:, 8] * h[:, 9]
        return X, y + 0.5 * rng.normal(size=rows)

    return *draw(n, 7), *draw(UNSEEN, 8)


def peers(runs: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
    """Fit every problem with R earth at all settings, with its rules, and with our defaults."""
    problems = {
        "Friedman 1, n = 1000, degree 2": (friedman(1_000), 2),
        "Friedman 1, n = 10000, degree 2": (friedman(10_000), 2),
        "Friedman 1, n = 100000, degree 2": (friedman(100_000), 2),
        "additive, n = 5000, p = 100, degree 1": (additive(5_000), 1),
        "interactions, n = 10000, p = 20, degree 2": (interactions(10_000), 2),
        "products, n = 5000, degree 3": (products(5_000), 3),
    }
    jobs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, (table, degree) in problems.items():
            number = len(jobs)
            for part, values in zip(("x", "y", "unseen", "truth"), table, strict=True):
                Path(folder, f"{number}.{part}").write_bytes(
                    values.astype("<f8").tobytes(order="F")
                )
            for setting, options in SETTINGS.items():
                if len(table[0]) >= FULL_SEARCH_BELOW and not options["thresh"]:
                    continue
                job: dict[str, Any] = {"case": len(jobs), "problem": name, "files": number}
                job |= {"n": len(table[0]), "p": table[0].shape[1], "m": UNSEEN}
                job.update(options, setting=setting, degree=degree, runs=runs)
                jobs.append(job)
        with Path(folder, "jobs.csv").open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, fieldnames=list(jobs[0]))
            writer.writeheader()
            writer.writerows(jobs)
        r_earth, versions = run_r(folder)
    cases, defaults = [], []
    for name, (table, degree) in problems.items():
        own = ours({"max_degree": degree}, table, runs)
        best = -float("inf")
        for job in (job for job in jobs if job["problem"] == name):
            peer = summary([run for run in r_earth if run["case"] == str(job["case"])])
            rules = {"compat": "earth", "max_degree": degree, "max_terms": job["nk"]}
            rules |= {"thresh": job["thresh"], "fast_k": job["fast_k"]}
            same = ours(rules, table, runs)
            case: dict[str, Any] = {"problem": name, "setting": job["setting"]}
            case |= {"r_earth_over_same_rules": ratio(peer, same)}
            case |= {"r_earth_over_default": ratio(peer, own)}
            cases.append(case | flat("r_earth", peer) | flat("same_rules", same))
            best = max(best, peer["rsq_unseen"])
            print(name, job["setting"], ratio(peer, same), ratio(peer, own), flush=True)
        lead = round(own["rsq_unseen"] - best, 6)
        defaults.append({"problem": name, **flat("default", own), "rsq_over_best_of_r_earth": lead})
    return cases, defaults, versions


def ratio(peer: dict[str, Any], own: dict[str, Any]) -> float:
    """CPU time of a peer over ours, medians of their runs."""
    return round(float(peer["cpu_seconds"]["median"] / own["cpu_seconds"]["median"]), 2)


def flat(who: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Name the figures of one fit as the evidence page draws them."""
    times = figures["cpu_seconds"]
    found = {f"{who}_seconds": times["median"]}
    found |= {f"{who}_seconds_{part}": times[part] for part in ("q1", "q3")}
    return found | {f"{who}_{key}": figures[key] for key in ("gcv", "terms", "rsq_unseen")}


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
    """Fit as often as asked on one thread; the time is that of the whole call."""
    return in_turn({"own": (options, 1)}, table, runs)["own"]


def in_turn(
    ways: dict[str, tuple[dict[str, Any], int]], table: Table, runs: int
) -> dict[str, dict[str, Any]]:
    """Fit in each way once a round, so that a slow minute slows all of them."""
    X, y, unseen, truth = table
    times: dict[str, list[float]] = {name: [] for name in ways}
    walls: dict[str, list[float]] = {name: [] for name in ways}
    models = {}
    for _ in range(runs):
        for name, (options, threads) in ways.items():
            earth.set_runtime_threads(threads)
            started, wall = time.process_time(), time.perf_counter()
            models[name] = earth.Earth(**options).fit(X, y)
            times[name].append(time.process_time() - started)
            walls[name].append(time.perf_counter() - wall)
    earth.set_runtime_threads(1)
    return {
        name: {
            "cpu_seconds": spread(times[name]),
            "wall_seconds": spread(walls[name]),
            "gcv": model.gcv_,
            "terms": len(model.basis_),
            "rsq_unseen": float(model.score(unseen, truth)),
        }
        for name, model in models.items()
    }


def spread(values: list[float]) -> dict[str, float]:
    """Median, quartiles and range of some runs."""
    q1, median, q3 = (float(value) for value in np.quantile(values, (0.25, 0.5, 0.75)))
    found = {"median": median, "q1": q1, "q3": q3, "least": min(values), "most": max(values)}
    return {name: round(value, 6) for name, value in found.items()}


def itself(runs: int, largest: int) -> dict[str, Any]:
    """Compare the engine with itself: sizes, bins beside all knots, a pool beside none."""
    settings: dict[str, Any] = {"max_degree": 2, "max_terms": 21, "thresh": 0.001}
    kinds: dict[str, dict[str, Any]] = {"exact": settings, "bins": {**settings, "knots": "hist"}}
    pools = (1, 2) if len(os.sched_getaffinity(0)) >= 2 else (1,)
    found: dict[str, Any] = {"load_before": round(os.getloadavg()[0], 2), "settings": settings}
    found["sizes"] = []
    for n in (10_000, 100_000, largest, 10 * largest):
        table = friedman(n)
        ways = {
            kind if threads == 1 else f"{kind}_two_threads": (options, threads)
            for kind, options in kinds.items()
            if kind != "exact" or n <= largest
            for threads in pools
        }
        row: dict[str, Any] = {"rows": n}
        row |= in_turn(ways, table, runs if n <= largest else 3)
        if n <= largest:
            row["exact_over_bins"] = ratio(row["exact"], row["bins"])
        for kind in kinds:
            if f"{kind}_two_threads" in row:
                walls = [row[k]["wall_seconds"]["median"] for k in (kind, f"{kind}_two_threads")]
                row[f"{kind}_one_thread_over_two"] = round(walls[0] / walls[1], 3)
        row["input_bytes"] = table[0].nbytes
        del table
        row["peak_bytes_over_input"] = {kind: peak(n, kinds[kind]) for kind in kinds if kind in row}
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

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 6), layout="constrained")
    cases = record["cases"]
    names = [f"{case['problem']}, {case['setting']}" for case in cases]
    places = np.arange(len(names))
    for shift, kind, label in ((-0.2, "same_rules", "R's rules"), (0.2, "default", "our defaults")):
        ratios = [case[f"r_earth_over_{kind}"] for case in cases]
        left.barh(places + shift, ratios, height=0.38, label=label)
    left.set_yticks(places, names, fontsize=8)
    left.invert_yaxis()
    left.set_xscale("log")
    left.axvline(1, color="grey", linewidth=0.8)
    left.set_xlabel("CPU seconds of R earth / ours")
    left.legend(fontsize=8)
    sizes = record["itself"]["sizes"]
    for kind, label in (("exact", "all knots"), ("bins", "255 bins")):
        points = [
            (row["rows"], 1e6 * row[kind]["cpu_seconds"]["median"] / row["rows"])
            for row in sizes
            if kind in row
        ]
        right.plot(*zip(*points, strict=True), marker="o", label=label)
    right.set_xscale("log")
    right.set_ylim(bottom=0)
    right.set_xlabel("rows")
    right.set_ylabel("CPU microseconds per row")
    right.legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def mean(cases: list[dict[str, Any]]) -> float:
    """Geometric mean of the ratios to R earth with its rules."""
    return round(statistics.geometric_mean([c["r_earth_over_same_rules"] for c in cases]), 2)


def main() -> int:
    """Run both parts and write the record."""
    parser = argparse.ArgumentParser(description="Time training beside R earth.")
    parser.add_argument("--runs", type=int, default=5)
    largest = "Most rows with all knots; bins also get ten times as many."
    parser.add_argument("--largest", type=int, default=1_000_000, help=largest)
    parser.add_argument("--output", type=Path, default=RECORD)
    parser.add_argument("--plot", type=Path, default=ROOT / "docs" / "img" / "training.svg")
    parser.add_argument("--redraw", action="store_true", help="Draw the record that there is.")
    only = "Compare the engine with itself again, and keep the rest of the record."
    parser.add_argument("--itself", action="store_true", help=only)
    parser.add_argument("--peak", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print(measure_peak(*options.peak))
        return 0
    if options.redraw:
        draw(json.loads(options.output.read_text(encoding="utf-8")), options.plot)
        return 0
    if options.itself:
        record = json.loads(options.output.read_text(encoding="utf-8"))
        record["itself"] = itself(options.runs, options.largest)
        options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        draw(record, options.plot)
        return 0
    if shutil.which("Rscript") is None:
        sys.exit("bench-training: there is no Rscript; apt-get install r-base-core r-cran-earth")
    load = os.getloadavg()[0]
    earth.set_runtime_threads(1)
    cases, defaults, versions = peers(options.runs)
    ratios = [case["r_earth_over_same_rules"] for case in cases]
    record = {
        "about": "CPU seconds of training: R earth, its rules in mars-earth, and our defaults.",
        "written_by": "nox -s bench-training",
        "host_class": host_class(ROOT),
        "load_before": round(load, 2),
        "versions": f"mars-earth {earth.__version__}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}, {versions}",
        "runs": options.runs,
        "settings": SETTINGS,
        "same_rules_geometric_mean": {"all": mean(cases)}
        | {name: mean([c for c in cases if c["setting"] == name]) for name in SETTINGS},
        "same_rules_least": min(ratios),
        "default_least": min(case["r_earth_over_default"] for case in cases),
        "default_rsq_over_best_of_r_earth_least": min(
            row["rsq_over_best_of_r_earth"] for row in defaults
        ),
        "cases": cases,
        "defaults": defaults,
        "itself": itself(options.runs, options.largest),
    }
    options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    draw(record, options.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())

# Language policy: EXEMPT from the Rust-path rule. Times the tiers and writes what was seen.
"""Time every tier of every compute function beside its floor, and record it.

Writes `docs/benchmarks/<function>.json` and `docs/benchmarks/dispatch.json`; `hpcgate chains`
derives the orders from them. Run it with `nox -s bench-tiers` on a quiet machine. A tier that is
not there is recorded as unavailable, with its reason; one that disagrees with the floor has no
times.
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import pymars
from hpcgate.chains import seal
from hpcgate.evidence.contract import host_class
from hpcgate.facts import load_model
from hpcgate.policy.data import DATA, Function, Policy
from hpcgate.repo import find_root, sha256_file
from pymars import accel
from pymars.accel import go, inputs
from pymars.accel.dispatcher import MultiLangDispatcher, Tier

ROOT = find_root(Path(__file__))
RECORDS = ROOT / "docs" / "benchmarks"
FAN_OUT = ((8, 1000), (64, 1000), (8, 100_000), (64, 100_000))  # models, rows
CALLS = 20_000  # of an empty function, for the overhead of a call

COLD = """
import sys, time
sys.path[:0] = {path!r}
import importlib
importlib.import_module({module!r})
from pymars import accel
arguments = importlib.import_module({inputs!r}).make({name!r}, {size})
started = time.perf_counter()
with accel.using({tier!r}):
    accel.get({name!r})(*arguments)
print(time.perf_counter() - started)
"""


def spread(seconds: list[float]) -> dict[str, float]:
    """Return median, quartiles and least of some runs."""
    q1, median, q3 = np.quantile(seconds, [0.25, 0.5, 0.75])
    return {
        "median": float(median), "q1": float(q1), "q3": float(q3),
        "least": min(seconds), "runs": len(seconds),
    }  # fmt: skip


def timed(call: Callable[[], Any], least: float) -> float:
    """Return the seconds of one call, over as many as take `least` seconds."""
    started = time.perf_counter()
    call()
    once = time.perf_counter() - started
    many = max(1, int(least / max(once, 1e-9)))
    if many == 1:
        return once
    started = time.perf_counter()
    for _ in range(many):
        call()
    return (time.perf_counter() - started) / many


def warm(
    function: MultiLangDispatcher, arguments: tuple[Any, ...], tiers: list[str], rounds: int
) -> dict[str, list[float]]:
    """Time the tiers in turns, so that a slower minute of the machine slows all of them."""
    found: dict[str, list[float]] = {tier: [] for tier in tiers}
    for _ in range(rounds):
        for tier in tiers:
            with accel.using(tier):
                found[tier].append(timed(lambda: function(*arguments), 0.02))
    return found


def parity(found: Any, expected: Any, tolerance: Any) -> dict[str, Any]:
    """Return how far a tier is from the floor, and whether that is within its tolerance."""
    a, b = np.asarray(found), np.asarray(expected)
    same = a.shape == b.shape and a.dtype == b.dtype
    within = same and np.allclose(a, b, tolerance.rtol, tolerance.atol, equal_nan=True)
    finite = np.isfinite(b) if same else np.zeros(b.shape, bool)
    worst = float(np.abs(a[finite] - b[finite]).max()) if finite.any() else 0.0
    return {"within": bool(within), "largest_difference": worst}


def cold(name: str, size: int, tier: str, policy: Function, runs: int) -> dict[str, float]:
    """Time the first call of a process, loading included."""
    folder = str(ROOT / policy.folder)
    code = COLD.format(
        path=[*sys.path, folder],
        module=home(policy), inputs=source_of_inputs(policy), name=name, size=size, tier=tier,
    )  # fmt: skip
    command = [sys.executable, "-c", code]
    seconds = [
        float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        for _ in range(runs)
    ]
    return spread(seconds)


def home(policy: Function) -> str:
    """Return the module whose import registers a function."""
    return "pymars.accel" if policy.folder == "packages/pymars" else policy.floor.partition(":")[0]


def source_of_inputs(policy: Function) -> str:
    """Return the module that makes a function's arguments."""
    return "pymars.accel.inputs" if home(policy) == "pymars.accel" else home(policy)


def measure(name: str, policy: Function, options: argparse.Namespace) -> dict[str, Any]:
    """Time one function and put its part of the record together."""
    if home(policy) != "pymars.accel":
        sys.path.insert(0, str(ROOT / policy.folder))
    importlib.import_module(home(policy))
    make = importlib.import_module(source_of_inputs(policy)).make
    function = accel.get(name)
    reasons = function.available()
    results = []
    for size in policy.sizes:
        arguments = make(name, size)
        with accel.using("python"):
            expected = function(*arguments)
        parities, ready = {}, ["python"]
        for tier in (tier for tier, why in reasons.items() if tier != "python" and not why):
            with accel.using(tier):
                parities[tier] = parity(function(*arguments), expected, policy.tolerance)
            ready += [tier] if parities[tier]["within"] else []
        seconds = warm(function, arguments, ready, options.rounds)
        tiers: dict[str, Any] = {tier: {"parity": parities[tier]} for tier in parities}
        for tier, values in seconds.items():
            tiers.setdefault(tier, {})["warm_seconds"] = spread(values)
        medians = {tier: tiers[tier]["warm_seconds"]["median"] for tier in ready}
        shown = ", ".join(
            f"{t} {s:.3g} s ({medians['python'] / s:.1f})" for t, s in medians.items()
        )
        print(f"{name} {size}: {shown}", flush=True)
        results.append({"size": size, "tiers": tiers})
    first = policy.production[0]
    return {
        "load_before": round(os.getloadavg()[0], 2),
        "versions": f"mars-earth {pymars.__version__}, Python {platform.python_version()}, "
        f"NumPy {np.__version__}",
        "command": "nox -s bench-tiers",
        "commit": commit(),
        "sources": {path: sha256_file(ROOT / path) for path in sources(policy)},
        "unavailable": {tier: why for tier, why in reasons.items() if why},
        "cold": {
            "size": first,
            "seconds": {
                tier: cold(name, first, tier, policy, options.cold_runs)
                for tier, why in reasons.items() if not why
            },
        },
        "results": results,
    }  # fmt: skip


def sources(policy: Function) -> list[str]:
    """Return the files whose content a measurement is of."""
    found = {f"{policy.folder}/{policy.floor.partition(':')[0].replace('.', '/')}.py"}
    for source in (ROOT / tier.source for tier in policy.tiers if tier.in_chain):
        # A mod.rs stands for its folder, where the work is.
        each = source.parent.glob("*.rs") if source.name == "mod.rs" else [source]
        found |= {path.relative_to(ROOT).as_posix() for path in each}
    return sorted(found)


def commit() -> str:
    """Return the commit that was measured; `sources` tells what was changed since."""
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "none"


def write(path: Path, about: str, host: str, part: dict[str, Any], **more: Any) -> None:
    """Write the part of this host class into a record, which keeps those of others."""
    kept = json.loads(path.read_text(encoding="utf-8"))["hosts"] if path.exists() else {}
    record = {"schema": 1, "about": about, "written_by": "scripts/bench_tiers.py", **more}
    record["hosts"] = {**kept, host: part}
    path.write_text(json.dumps(seal(record), indent=1) + "\n", encoding="utf-8")


def overhead(rounds: int) -> dict[str, Any]:
    """Time a call of an empty function directly, and through a dispatcher."""

    def nothing(x: Any) -> Any:
        return x

    through = MultiLangDispatcher("nothing", [Tier("python", nothing, str)], size=len)
    value = (1,)

    def loop(call: Callable[[Any], Any]) -> float:
        started = time.thread_time()
        for _ in range(CALLS):
            call(value)
        return (time.thread_time() - started) / CALLS

    both = [(loop(nothing), loop(through)) for _ in range(rounds)]
    added = spread([dispatched - direct for direct, dispatched in both])
    print(f"dispatch: adds {added['median'] * 1e9:.0f} ns to a call")
    return {
        "load_before": round(os.getloadavg()[0], 2),
        "versions": f"mars-earth {pymars.__version__}, Python {platform.python_version()}",
        "command": "nox -s bench-tiers",
        "commit": commit(),
        "direct_cpu_seconds": spread([direct for direct, _ in both]),
        "dispatched_cpu_seconds": spread([dispatched for _, dispatched in both]),
        "added_cpu_seconds": added,
        "needed": "at most 1e-06",
        "met": added["median"] <= 1e-6,
    }


def one_by_one(models: list[pymars.Model], X: Any) -> list[Any]:
    """Predict with each model in this process."""
    return [pymars.predict(model, X) for model in models]


def fan_out(rounds: int) -> dict[str, Any]:
    """Time many models on the same rows: in the sidecar, and one by one in this process."""
    head = {
        "load_before": round(os.getloadavg()[0], 2),
        "versions": f"mars-earth {pymars.__version__}, Python {platform.python_version()}",
        "command": "nox -s bench-tiers",
        "commit": commit(),
    }
    if why := go.probe():
        print(f"sidecar: unavailable: {why}")
        return {**head, "unavailable": why, "results": []}
    results = []
    with go.Sidecar(timeout=600.0) as sidecar:
        for many, rows in FAN_OUT:
            model, X = inputs.make("predict", rows)
            beside = functools.partial(sidecar.predict, [model] * many, X)
            inside = functools.partial(one_by_one, [model] * many, X)
            pairs = zip(beside(), inside(), strict=True)
            worst = max(float(np.abs(a - b).max()) for a, b in pairs)
            seconds: dict[str, list[float]] = {"sidecar": [], "in_process": []}
            for _ in range(rounds):
                seconds["sidecar"].append(timed(beside, 0.0))
                seconds["in_process"].append(timed(inside, 0.0))
            spreads = {f"{name}_seconds": spread(values) for name, values in seconds.items()}
            print(f"sidecar {many} x {rows}: {spreads['sidecar_seconds']['median']:.3g} s, "
                  f"in process {spreads['in_process_seconds']['median']:.3g} s")  # fmt: skip
            results.append({"models": many, "rows": rows, "largest_difference": worst, **spreads})
    return {**head, "results": results}


def main() -> int:
    """Measure the functions of the policy."""
    parser = argparse.ArgumentParser(description="Time the tiers.")
    parser.add_argument("functions", nargs="*", help="some, `dispatch`, `sidecar`; all by default")
    parser.add_argument("--rounds", type=int, default=15, help="warm runs of each tier and size")
    parser.add_argument("--cold-runs", type=int, default=5, help="processes for the first call")
    parser.add_argument("--output", type=Path, default=RECORDS)
    options = parser.parse_args()
    policy = load_model(Policy, ROOT, DATA)
    host = host_class(ROOT)
    if not options.functions or "dispatch" in options.functions:
        about = "Processor seconds that a dispatcher adds to a call."
        write(options.output / "dispatch.json", about, host, overhead(51))
    if not options.functions or "sidecar" in options.functions:
        about = "Seconds of many models in the Go sidecar, and one after the other in this process."
        write(options.output / "sidecar.json", about, host, fan_out(options.rounds))
    for name, function in policy.functions.items():
        if not options.functions or name in options.functions:
            about = f"Seconds of each tier of {name} beside its floor."
            part = measure(name, function, options)
            write(options.output / f"{name}.json", about, host, part, function=name,
                  size_axis=function.size_axis)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())

# Language policy: EXEMPT from the Rust-path rule. Runs a C program and writes its figures.
"""Time one-row replays through the C library and record them.

Writes `docs/benchmarks/capi.json`. Needs a C compiler and pkg-config. Run it with
`nox -s bench-capi` on a quiet machine; it takes half a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from hpcgate import evidence
from hpcgate.capi.install import CAPI, install, run
from hpcgate.doctor import versions

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "benchmarks" / "capi.json"
FEATURES = 10


def model(n_terms: int, degree: int) -> dict[str, Any]:
    """Describe a model of hinges on ten columns; above degree 1 each second term has a parent."""
    terms: list[dict[str, Any]] = [{"kind": "constant", "coefficients": [1.0]}]
    for k in range(n_terms):
        hinge = {"kind": "hinge", "feature": k % FEATURES, "knot": 0.05 * (k % 17)}
        side = {"side": "right" if k % 3 else "left", "coefficients": [0.1 * k - 1.0]}
        parent = {"parent": len(terms) - 1} if degree > 1 and k % 2 else {}
        terms.append({**hinge, **side, **parent})
    return {
        "spec_version": "1.0",
        "allow_missing": False,
        "features": [{"name": f"x{j}"} for j in range(FEATURES)],
        "responses": ["y"],
        "terms": terms,
    }


CASES = {
    "additive, 20 terms, 10 columns": model(20, 1),
    "degree 2, 30 terms, 10 columns": model(30, 2),
}


def main(argv: list[str] | None = None) -> int:
    """Measure and write the record."""
    parser = argparse.ArgumentParser(description="Time one-row replays through the C library.")
    parser.add_argument("--runs", type=int, default=7, help="runs of each case")
    parser.add_argument("--seconds", type=float, default=0.5, help="length of each run")
    parser.add_argument("--prefix", type=Path, help="an installed library; else one is made")
    parser.add_argument("--dry", action="store_true", help="print the figures, write nothing")
    arguments = parser.parse_args(argv)
    started, load = datetime.now(timezone.utc), os.getloadavg()[0]
    cases = []
    with tempfile.TemporaryDirectory() as folder:
        prefix = arguments.prefix or Path(folder) / "prefix"
        if arguments.prefix is None:
            install(ROOT, prefix)
        program = Path(folder) / "bench"
        os.environ["PKG_CONFIG_PATH"] = str(prefix / "lib" / "pkgconfig")
        flags = run(["pkg-config", "--cflags", "--libs", "mars_earth"]).split()
        source = str(ROOT / CAPI / "examples" / "bench.c")
        options = ["-O2", source, *flags, "-lpthread", f"-Wl,-rpath,{prefix / 'lib'}"]
        run(["cc", *options, "-o", str(program)])
        for name, spec in CASES.items():
            path = Path(folder) / "model.json"
            path.write_text(json.dumps(spec))
            for callers in (1, 8):
                command = [str(program), str(path), str(FEATURES), str(callers)]
                command.append(str(arguments.seconds))
                runs = [json.loads(run(command)) for _ in range(arguments.runs)]
                case: dict[str, Any] = {"problem": name, "callers": callers}
                kinds = {"calls_per_second": 1.0}
                if callers == 1:
                    kinds |= {"nanoseconds": 1e-9}
                for kind, unit in kinds.items():
                    values = [unit * float(figures[kind]) for figures in runs]
                    title = kind.replace("nanoseconds", "call_seconds")
                    found = (statistics.median(values), min(values), max(values))
                    for end, value in zip(("", "_least", "_most"), found, strict=True):
                        case[title + end] = float(f"{value:.4g}")
                cases.append(case)
    record = {
        "about": "One-row replays through the C library, one handle for all: medians of runs.",
        "written_by": "nox -s bench-capi",
        "host_class": evidence.host_class(ROOT),
        "processors": os.cpu_count(),
        "load_before": load,
        "runs": arguments.runs,
        "seconds_per_run": arguments.seconds,
        "call_seconds_largest_median": slowest(cases),
        "cases": cases,
    }
    text = json.dumps(record, indent=1) + "\n"
    print(text)
    if not arguments.dry:
        RECORD.write_text(text)
        evidence.record(
            ROOT,
            "bench-capi",
            "pass",
            subjects=[RECORD],
            command="nox -s bench-capi",
            started=started,
            finished=datetime.now(timezone.utc),
            tools=versions(ROOT, "bench-capi"),
            measurements={"call_seconds_largest_median": slowest(cases)},
        )
    return 0


def slowest(cases: list[dict[str, Any]]) -> float:
    """Return the longest median of one call."""
    return max(float(case.get("call_seconds", 0.0)) for case in cases)


if __name__ == "__main__":
    raise SystemExit(main())

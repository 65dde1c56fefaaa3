# Language policy: EXEMPT from the Rust-path rule. Starts fuzzers and reads what they print.
"""Run the fuzz targets of `tests/fuzz` for a while, and say what they found."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from hpcgate.doctor import require, versions
from hpcgate.errors import GateError
from hpcgate.evidence import Outcome, record
from hpcgate.repo import find_root

__all__ = ["Run", "fuzz"]

FUZZ = Path("tests/fuzz")
# Documents that the reader starts from; what libFuzzer adds goes to build/fuzz.
SEEDS = {"model": ("tests/fuzz/corpus/model", "tests/conformance/hostile")}
LIMITS = ["-timeout=20", "-rss_limit_mb=4096"]


@dataclass(frozen=True, slots=True)
class Run:
    """What one target did: inputs tried, and what it printed if it stopped at one."""

    target: str
    executions: int
    finding: str


def fuzz(root: Path, seconds: int) -> list[Run]:
    """Run every target for its share of the seconds.

    Raises
    ------
    GateError
        If cargo-fuzz or the nightly compiler that it needs is missing, or a target does not build.
    """
    require("cargo-fuzz", root)
    require("rust-nightly", root)
    targets = sorted(path.stem for path in (root / FUZZ / "fuzz_targets").glob("*.rs"))
    home = root / "build" / "fuzz"
    os.environ.setdefault("CARGO_TARGET_DIR", str(home / "target"))
    base = ["cargo", "+nightly", "fuzz"]
    built = _run([*base, "build", "--fuzz-dir", "."], root / FUZZ)
    if built.returncode:
        raise GateError(f"the fuzz targets do not build:\n{built.stderr[-2000:]}")
    runs = []
    for target in targets:
        corpus, artifacts = home / "corpus" / target, home / "artifacts" / target
        shutil.rmtree(artifacts, ignore_errors=True)
        for folder in (corpus, artifacts):
            folder.mkdir(parents=True, exist_ok=True)
        options = [f"-max_total_time={seconds // len(targets)}", *LIMITS]
        places = [str(corpus), *(str(root / seed) for seed in SEEDS.get(target, ()))]
        options += [f"-artifact_prefix={artifacts}/", "-print_final_stats=1"]
        done = _run([*base, "run", "--fuzz-dir", ".", target, *places, "--", *options], root / FUZZ)
        count = re.search(r"number_of_executed_units: (\d+)", done.stderr)
        finding = done.stderr[-3000:] if done.returncode or any(artifacts.iterdir()) else ""
        runs.append(Run(target, int(count.group(1)) if count else 0, finding))
    return runs


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace")


def main(argv: list[str] | None = None) -> int:
    """Fuzz and record it."""
    parser = argparse.ArgumentParser(description="Fuzz the reader and what C can call.")
    parser.add_argument("seconds", type=int, nargs="?", default=120, help="all targets together")
    arguments = parser.parse_args(argv)
    root, started = find_root(), datetime.now(timezone.utc)
    outcome: Outcome = "pass"
    reason = ""
    passed: list[str] = []
    failed: list[str] = []
    measured: dict[str, float | str] = {"seconds": arguments.seconds}
    try:
        for run in fuzz(root, arguments.seconds):
            print(f"{run.target}: {run.executions} inputs, {run.finding or 'nothing found'}")
            measured[f"{run.target}_inputs"] = run.executions
            bad = bool(run.finding) or not run.executions
            (failed if bad else passed).append(run.target)
    except GateError as error:
        outcome, reason = "unavailable", str(error).splitlines()[0]
        print(f"unavailable: {error}", file=sys.stderr)
    if failed:
        outcome, reason = "fail", f"a finding of {', '.join(failed)}"
    record(
        root,
        "fuzz",
        outcome,
        subjects=sorted((root / FUZZ / "fuzz_targets").glob("*.rs")),
        command=f"nox -s fuzz -- {arguments.seconds}",
        started=started,
        finished=datetime.now(timezone.utc),
        reason=reason,
        tools=versions(root, "fuzz"),
        measurements=measured,
        passed=passed,
        failed=failed,
    )
    return 0 if outcome == "pass" else 1


if __name__ == "__main__":
    sys.exit(main())

# Language policy: EXEMPT from the Rust-path rule. Has R earth fit the problems; computes nothing.
"""Write the models that R earth fits to every problem into `tests/parity/`.

Needs R with earth (`apt-get install r-base-core r-cran-earth`). `nox -s bench-peers` runs it.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from problems import PROBLEMS, SEED  # type: ignore[import-not-found]
from tables import DRAWN  # type: ignore[import-not-found]

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "parity"
RESPONSES = {"trees": ["Volume"], "ozone1": ["O3"], "etitanic": ["survived"]}
RESPONSES["responses"] = ["y0", "y1", "y2"]
NAMES = {
    "max_terms": "nk",
    "max_degree": "degree",
    "adjust_endspan": "Adjust.endspan",
    "newvar_penalty": "newvar.penalty",
    "fast_k": "fast.k",
    "fast_beta": "fast.beta",
    "auto_linpreds": "Auto.linpreds",
    "scale_y": "Scale.y",
}
#: The constraints that `tests/parity/test_r_earth.py` states in Python.
ALLOWED = {
    "x0 alone": "function(degree, pred, parents) degree == 1 || (pred != 1 && parents[1] == 0)",
    "groups": """function(degree, pred, parents) {
      used <- union(which(parents != 0), pred)
      degree == 1 || all(used %in% c(1, 2)) || all(used %in% c(3, 4, 5))
    }""",
}


def literal(name: str, value: Any) -> str:
    """Write a value as R reads it."""
    if name == "allowed":
        return ALLOWED[value]
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, list):
        # Positions count from 1 in R.
        return "c({})".format(
            ",".join(json.dumps(v) if isinstance(v, str) else str(v + 1) for v in value)
        )
    return repr(value)


def job(name: str, table: str, options: dict[str, Any]) -> str:
    """Write one problem as R reads it."""
    given = {k: v for k, v in options.items() if k != "weights"}
    arguments = ",".join(f"{NAMES.get(k, k)}={literal(k, v)}" for k, v in given.items())
    responses = ",".join(json.dumps(r) for r in RESPONSES.get(table, ["y"]))
    weights = json.dumps(options["weights"]) if "weights" in options else "NULL"
    return f"list({name!r}, {table!r}, c({responses}), {weights}, list({arguments}))"


def run_r(folder: Path, *more: str) -> str:
    """Run the R script on a folder of tables."""
    if shutil.which("Rscript") is None:
        sys.exit("Rscript is not installed; run: apt-get install r-base-core r-cran-earth")
    script = Path(__file__).with_name("reference.R")
    done = subprocess.run(
        ["Rscript", "--vanilla", str(script), str(folder), *more], capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"R earth failed: {done.stderr.strip().splitlines()[-1]}")
    return done.stdout


def reference(
    folder: Path, problems: dict[str, tuple[str, dict[str, Any]]], seed: int
) -> dict[str, Any]:
    """Write the tables that the problems need to a folder, and fit R earth to all problems."""
    run_r(folder, "tables")
    for name in sorted({table for table, _ in problems.values()} & set(DRAWN)):
        DRAWN[name](seed).to_csv(folder / f"{name}.csv", index=False)
    jobs = ",\n".join(job(name, *problem) for name, problem in problems.items())
    (folder / "jobs.R").write_text(f"jobs <- list({jobs})\n")
    found = json.loads(run_r(folder))
    for name, (table, options) in problems.items():
        found["models"][name] = {
            "table": table,
            "responses": RESPONSES.get(table, ["y"]),
            "options": options,
            **found["models"][name],
        }
    return dict(found)


def main() -> int:
    """Write tables and models."""
    with tempfile.TemporaryDirectory() as scratch:
        found = reference(Path(scratch), PROBLEMS, SEED)
        for table in sorted({table for table, _ in PROBLEMS.values()}):
            shutil.copy(Path(scratch) / f"{table}.csv", FOLDER / "data" / f"{table}.csv")
    models = ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in found["models"].items())
    text = f'{{"versions": {json.dumps(found["versions"])},\n"models": {{\n{models}\n}}}}\n'
    (FOLDER / "r_earth.json").write_text(text)
    print(f"{len(PROBLEMS)} models of {found['versions']} in {FOLDER}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

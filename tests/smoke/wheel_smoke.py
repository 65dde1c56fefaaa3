# Language policy: EXEMPT from the Rust-path rule. Calls the installed package; no computation.
"""Use an installed mars-earth as a user would, and print what worked as one line of JSON.

`hpcgate.smoke_wheel` runs this file in a clean room; it needs the standard library and what the
wheel installs, nothing else. By hand: `python tests/smoke/wheel_smoke.py` where mars-earth is
installed.
"""

from __future__ import annotations

import contextlib
import csv
import functools
import json
import platform
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

# R's earth 5.3.2 reaches 0.43 on this split at these settings; the mean alone reaches 0.
LEAST_R2 = 0.35
AGREEMENT = 1e-10

Test = Callable[[Path], str]
TESTS: list[Test] = []
MEASUREMENTS: dict[str, float] = {}


def smoke(function: Test) -> Test:
    """Register a test; it returns a detail and raises when it fails."""
    TESTS.append(function)
    return function


def expect(condition: object, message: str) -> None:
    """Fail with a message; unlike an assert statement it cannot be optimised away."""
    if not condition:
        raise AssertionError(message)


@functools.cache
def fitted() -> Any:
    """Fit once; every test that needs a model shares this one."""
    import pymars as earth

    train, _, target, _ = split()
    began = time.perf_counter()
    model = earth.Earth(max_degree=2, penalty=3.0).fit(train, target)
    MEASUREMENTS["fit_seconds"] = round(time.perf_counter() - began, 4)
    return model


@functools.cache
def split() -> tuple[Any, Any, Any, Any]:
    """Return train and held-out rows, train and held-out targets: every fourth row is held out."""
    import numpy as np
    from sklearn.datasets import load_diabetes

    rows, target = load_diabetes(return_X_y=True)
    held_out = np.arange(len(rows)) % 4 == 0
    return rows[~held_out], rows[held_out], target[~held_out], target[held_out]


def stored(folder: Path) -> Path:
    """Return the stored model, saving it the first time."""
    import pymars as earth

    path = folder / "model.json"
    if not path.exists():
        earth.save_model(fitted(), path)
    return path


@smoke
def imports_by_name(folder: Path) -> str:
    began = time.perf_counter()
    import pymars as earth

    MEASUREMENTS["import_seconds"] = round(time.perf_counter() - began, 4)
    version = metadata.version("mars-earth")
    expect(earth.__version__ == version, f"{earth.__version__} imported, {version} installed")
    return version


@smoke
def fits_and_predicts_held_out_rows(folder: Path) -> str:
    _, rows, _, target = split()
    score = float(fitted().score(rows, target))
    MEASUREMENTS["held_out_r2"] = round(score, 6)
    expect(score > LEAST_R2, f"R2 {score:.4f} is not above {LEAST_R2}")
    return f"R2 {score:.4f}"


@smoke
def saves_and_loads(folder: Path) -> str:
    import pymars as earth

    _, rows, _, _ = split()
    model = earth.load_model(stored(folder))
    same = (earth.predict(model, rows) == fitted().predict(rows)).all()
    expect(same, "the loaded model does not predict what the estimator predicts")
    return f"{stored(folder).stat().st_size} bytes"


@smoke
def replays_the_same_on_two_threads(folder: Path) -> str:
    import numpy as np

    import pymars as earth

    _, rows, _, _ = split()
    # Enough rows for many blocks.
    many = np.tile(rows, (200, 1))
    model = earth.load_model(stored(folder))
    one = earth.predict(model, many, threads=1)
    two = earth.predict(model, many, threads=2)
    expect(one.tobytes() == two.tobytes(), "two threads give other bits than one")
    expect(one.tobytes() == fitted().predict(many).tobytes(), "the estimator gives other bits")
    return f"{len(many)} rows"


@smoke
def design_matrix_explains_the_prediction(folder: Path) -> str:
    import numpy as np

    import pymars as earth

    _, rows, _, _ = split()
    terms = json.loads(stored(folder).read_text(encoding="utf-8"))["terms"]
    weights = np.array([t["coefficients"][0] for t in terms if t.get("coefficients")])
    model = earth.load_model(stored(folder))
    matrix = np.asarray(earth.design_matrix(model, rows))
    expect(matrix.shape == (len(rows), len(weights)), f"shape {matrix.shape}")
    expected = np.asarray(earth.predict(model, rows)).ravel()
    worst = float(np.max(np.abs(matrix @ weights - expected) / np.maximum(1.0, np.abs(expected))))
    expect(worst <= AGREEMENT, f"differs by {worst:.3e}")
    return f"{len(weights)} terms, largest relative difference {worst:.1e}"


@smoke
def refuses_damaged_models(folder: Path) -> str:
    import pymars as earth

    text = stored(folder).read_text(encoding="utf-8")
    beyond = json.loads(text)
    beyond["terms"][-1]["parent"] = len(beyond["terms"]) + 7
    damaged = {
        "cut": text[: len(text) // 2],
        "beyond": json.dumps(beyond),
        "deep": "[" * 100_000,
        "empty": "",
    }
    kinds = set()
    for name, content in damaged.items():
        path = folder / f"{name}.json"
        path.write_text(content, encoding="utf-8")
        try:
            earth.load_model(path)
        except Exception as error:
            home = type(error).__module__.partition(".")[0]
            expect(home == "pymars", f"{name}: {type(error).__name__} is not one of ours: {error}")
            kinds.add(type(error).__name__)
        else:
            raise AssertionError(f"{name}: accepted")
    return f"{len(damaged)} files, {', '.join(sorted(kinds))}"


@smoke
def command_line_fits_and_predicts(folder: Path) -> str:
    import numpy as np

    import pymars as earth

    expect(command("--version").stdout.strip().endswith(metadata.version("mars-earth")), "version")
    train, rows, train_target, _ = split()
    names = [f"x{j}" for j in range(train.shape[1])]
    write_csv(folder / "train.csv", [*names, "y"], np.column_stack([train, train_target]))
    write_csv(folder / "new.csv", names, rows)
    fit = "fit train.csv --target y --output cli.json --max-degree 2 --penalty 3"
    for line in (fit, "validate cli.json", "predict cli.json new.csv --output predicted.csv"):
        done = command(*line.split(), folder=folder)
        expect(done.returncode == 0, f"{line}: exit {done.returncode}: {done.stderr.strip()}")
    with (folder / "predicted.csv").open(newline="", encoding="utf-8") as stream:
        printed = np.array([float(row[-1]) for row in list(csv.reader(stream))[1:]])
    expected = np.asarray(earth.predict(earth.load_model(folder / "cli.json"), rows)).ravel()
    expect(printed.shape == expected.shape, f"{len(printed)} predictions for {len(rows)} rows")
    expect(np.allclose(printed, expected, rtol=AGREEMENT, atol=0), "other numbers than the library")
    return f"{len(printed)} predictions"


@smoke
def command_line_refuses_a_missing_file(folder: Path) -> str:
    done = command("predict", "absent.json", "absent.csv", "--output", "o.csv", folder=folder)
    expect(done.returncode == 2, f"exit {done.returncode}")
    expect("Traceback" not in done.stderr, "it shows a traceback")
    expect("absent.json" in done.stderr, f"it does not name the file: {done.stderr.strip()}")
    expect(not (folder / "o.csv").exists(), "it leaves an output behind")
    return done.stderr.strip().splitlines()[-1]


def command(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the installed command line next to this Python."""
    program = Path(sys.executable).parent / "mars-earth"
    return subprocess.run(
        [str(program), *arguments], cwd=folder, capture_output=True, text=True, timeout=120
    )


def write_csv(path: Path, names: list[str], rows: Any) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(names)
        writer.writerows([repr(float(value)) for value in row] for row in rows)


def main() -> int:
    """Run every test and print the report."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for test in TESTS:
            passed, detail = True, ""
            try:
                detail = test(Path(folder))
            except Exception as error:
                passed, detail = False, f"{type(error).__name__}: {error}"
                traceback.print_exc()
            results.append(
                {"name": test.__name__.replace("_", "-"), "passed": passed, "detail": detail}
            )
    versions = {"python": platform.python_version(), "libc": "-".join(platform.libc_ver())}
    for name in ("mars-earth", "numpy", "scipy", "scikit-learn", "click"):
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    print(json.dumps({"tests": results, "versions": versions, "measurements": MEASUREMENTS}))
    return 0 if all(result["passed"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())

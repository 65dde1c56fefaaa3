# Language policy: EXEMPT from the Rust-path rule. Calls the installed package; no computation.
"""Use mars-earth from a loaded Spack environment, and print what worked as one line of JSON.

`hpcgate.lanes.spack_smoke` runs this file after `spack load`. It takes the folder below which the
package has to lie, and the folder of the frozen vectors.
"""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
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

MEASUREMENTS: dict[str, float] = {}


def expect(condition: object, message: str) -> None:
    """Fail with a message; unlike an assert statement it cannot be optimised away."""
    if not condition:
        raise AssertionError(message)


def comes_from_the_install_tree(tree: Path, vectors: Path) -> str:
    import pymars
    import pymars._core

    for module in (pymars, pymars._core):
        place = Path(str(module.__file__)).resolve()
        expect(place.is_relative_to(tree.resolve()), f"{module.__name__} is {place}")
    program = shutil.which("mars-earth") or "missing"
    expect(Path(program).resolve().is_relative_to(tree.resolve()), f"mars-earth is {program}")
    return str(metadata.version("mars-earth"))


def fits_stores_and_replays(tree: Path, vectors: Path) -> str:
    import numpy as np
    from sklearn.datasets import load_diabetes

    import pymars as earth

    rows, target = load_diabetes(return_X_y=True)
    held_out = np.arange(len(rows)) % 4 == 0
    began = time.perf_counter()
    model = earth.Earth(max_degree=2, penalty=3.0).fit(rows[~held_out], target[~held_out])
    MEASUREMENTS["fit_seconds"] = round(time.perf_counter() - began, 4)
    score = float(model.score(rows[held_out], target[held_out]))
    MEASUREMENTS["held_out_r2"] = round(score, 6)
    expect(score > LEAST_R2, f"R2 {score:.4f} is not above {LEAST_R2}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        earth.save_model(model, path)
        stored = earth.load_model(path)
    # Enough rows for many blocks.
    many = np.tile(rows, (200, 1))
    expected = model.predict(many).tobytes()
    for threads in (1, 2):
        found = earth.predict(stored, many, threads=threads).tobytes()
        expect(found == expected, f"{threads} threads give other bits than the estimator")
    return f"R2 {score:.4f}, {len(many)} rows replayed"


def agrees_with_the_frozen_vectors(tree: Path, vectors: Path) -> str:
    import numpy as np

    import pymars as earth

    def same(found: Any, expected: Any) -> bool:
        wanted = np.array(expected, dtype=np.float64)
        return found.shape == wanted.shape and np.array_equal(found, wanted, equal_nan=True)

    manifest = json.loads((vectors / "manifest.json").read_text(encoding="utf-8"))
    count = 0
    for path, digest in manifest["cases"].items():
        content = (vectors / path).read_bytes()
        expect(hashlib.sha256(content).hexdigest() == digest, f"{path} is not the frozen file")
        for case in json.loads(content):
            model = earth.load_model(json.dumps(case["spec"]))
            rows = np.array(case["rows"], dtype=np.float64)
            predicted, matrix = earth.predict(model, rows), earth.design_matrix(model, rows)
            expect(same(predicted, case["predictions"]), f"{case['name']}: other predictions")
            expect(same(matrix, case["design_matrix"]), f"{case['name']}: other design matrix")
            count += 1
    expect(count, "no vector")
    MEASUREMENTS["vectors"] = count
    return f"{count} vectors, bit for bit"


def refuses_hostile_models(tree: Path, vectors: Path) -> str:
    import pymars as earth

    expected = json.loads((vectors / "hostile" / "expected.json").read_text(encoding="utf-8"))
    for name, wanted in expected.items():
        try:
            earth.load_model(vectors / "hostile" / name)
        except earth.errors.EarthError as error:
            expect(error.category == wanted["category"], f"{name}: {error.category}")
        else:
            raise AssertionError(f"{name}: accepted")
    return f"{len(expected)} documents"


def command_line_names_its_version(tree: Path, vectors: Path) -> str:
    done = subprocess.run(["mars-earth", "--version"], capture_output=True, text=True, timeout=120)
    expect(done.returncode == 0, f"exit {done.returncode}: {done.stderr.strip()}")
    expect(done.stdout.strip().endswith(metadata.version("mars-earth")), done.stdout.strip())
    return done.stdout.strip()


TESTS: tuple[Callable[[Path, Path], str], ...] = (
    comes_from_the_install_tree,
    fits_stores_and_replays,
    agrees_with_the_frozen_vectors,
    refuses_hostile_models,
    command_line_names_its_version,
)


def main(tree: Path, vectors: Path) -> int:
    """Run every test and print the report."""
    results = []
    for test in TESTS:
        passed, detail = True, ""
        try:
            detail = test(tree, vectors)
        except Exception as error:
            passed, detail = False, f"{type(error).__name__}: {error}"
            traceback.print_exc()
        name = test.__name__.replace("_", "-")
        results.append({"name": name, "passed": passed, "detail": detail})
    names = ("mars-earth", "numpy", "scipy", "scikit-learn", "click")
    versions = {"python": platform.python_version(), "libc": "-".join(platform.libc_ver())}
    versions |= {name: metadata.version(name) for name in names}
    print(json.dumps({"tests": results, "versions": versions, "measurements": MEASUREMENTS}))
    return 0 if all(result["passed"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))

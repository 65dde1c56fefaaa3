# Language policy: EXEMPT from the Rust-path rule. Calls the installed module; no computation.
"""Use a loaded mars-earth module as a user would, and print what worked as one line of JSON.

`hpcgate.lanes.easybuild_smoke` runs this file after `module load`, with the folder of the frozen
vectors as its argument. By hand: `python -s tests/smoke/easybuild/use_module.py tests/conformance`.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
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
ROOT = "EBROOTMARSMINEARTH"

Test = Callable[[Path], str]
TESTS: list[Test] = []
MEASUREMENTS: dict[str, float] = {}


def smoke(function: Test) -> Test:
    """Register a test; it gets the vectors' folder, returns a detail and raises when it fails."""
    TESTS.append(function)
    return function


def expect(condition: object, message: str) -> None:
    """Fail with a message; unlike an assert statement it cannot be optimised away."""
    if not condition:
        raise AssertionError(message)


@functools.cache
def fitted() -> tuple[Any, Any, Any]:
    """Fit once, and return the model with held-out rows and targets: every fourth row is out."""
    import numpy as np
    from sklearn.datasets import load_diabetes

    import pymars as earth

    rows, target = load_diabetes(return_X_y=True)
    out = np.arange(len(rows)) % 4 == 0
    began = time.perf_counter()
    model = earth.Earth(max_degree=2, penalty=3.0).fit(rows[~out], target[~out])
    MEASUREMENTS["fit_seconds"] = round(time.perf_counter() - began, 4)
    return model, rows[out], target[out]


@smoke
def everything_comes_from_modules(vectors: Path) -> str:
    import numpy
    import sklearn

    import pymars as earth

    expect(Path(earth.__file__).is_relative_to(os.environ[ROOT]), f"pymars is {earth.__file__}")
    version = os.environ["EBVERSIONMARSMINEARTH"]
    expect(earth.__version__ == version, f"{earth.__version__} imported, {version} loaded")
    for library, root in ((numpy, "EBROOTSCIPYMINBUNDLE"), (sklearn, "EBROOTSCIKITMINLEARN")):
        where = library.__file__
        expect(Path(where).is_relative_to(os.environ[root]), f"{library.__name__} is {where}")
    return version


@smoke
def fits_and_predicts_held_out_rows(vectors: Path) -> str:
    model, rows, target = fitted()
    score = float(model.score(rows, target))
    MEASUREMENTS["held_out_r2"] = round(score, 6)
    expect(score > LEAST_R2, f"R2 {score:.4f} is not above {LEAST_R2}")
    return f"R2 {score:.4f}"


@smoke
def a_stored_model_replays_the_same(vectors: Path) -> str:
    import numpy as np

    import pymars as earth

    model, rows, _ = fitted()
    # Enough rows for many blocks.
    many = np.tile(rows, (200, 1))
    with tempfile.TemporaryDirectory() as folder:
        earth.save_model(model, Path(folder) / "model.json")
        loaded = earth.load_model(Path(folder) / "model.json")
    expected = np.asarray(model.predict(many)).tobytes()
    for threads in (1, 2):
        found = np.asarray(earth.predict(loaded, many, threads=threads)).tobytes()
        expect(found == expected, f"{threads} threads give other bits than the estimator")
    return f"{len(many)} rows, 1 and 2 threads"


@smoke
def meets_the_frozen_vectors_bit_for_bit(vectors: Path) -> str:
    import numpy as np

    import pymars as earth

    count = 0
    for name, digest in json.loads((vectors / "manifest.json").read_text())["cases"].items():
        content = (vectors / name).read_bytes()
        expect(hashlib.sha256(content).hexdigest() == digest, f"{name} is not the frozen one")
        for case in json.loads(content):
            rows = np.array(case["rows"], dtype=np.float64)
            found = earth.predict(case["spec"], rows), earth.design_matrix(case["spec"], rows)
            for key, values in zip(("predictions", "design_matrix"), found, strict=True):
                expected = np.array(case[key], dtype=np.float64)
                same = values.shape == expected.shape and bits(values) == bits(expected)
                expect(same, f"{case['name']}: other {key}")
            count += 1
    expect(count > 0, "the manifest names no case")
    MEASUREMENTS["vectors"] = count
    return f"{count} cases"


def bits(values: Any) -> bytes:
    """Return the bits of an array; every NaN counts as one, because its payload is free."""
    import numpy as np

    return bytes(np.where(np.isnan(values), np.nan, values).tobytes())


@smoke
def the_command_line_is_on_the_path(vectors: Path) -> str:
    program = shutil.which("mars-earth") or ""
    expect(program.startswith(f"{os.environ[ROOT]}/"), f"mars-earth is {program or 'missing'}")
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=60)
    expect(done.returncode == 0, f"exit {done.returncode}: {done.stderr.strip()}")
    expect(os.environ["EBVERSIONMARSMINEARTH"] in done.stdout, done.stdout.strip())
    return done.stdout.strip()


def main(vectors: Path) -> int:
    """Run every test and print the report."""
    results = []
    for test in TESTS:
        passed, detail = True, ""
        try:
            detail = test(vectors)
        except Exception as error:
            passed, detail = False, f"{type(error).__name__}: {error}"
            traceback.print_exc()
        name = test.__name__.replace("_", "-")
        results.append({"name": name, "passed": passed, "detail": detail})
    versions = {"python": platform.python_version(), "libc": "-".join(platform.libc_ver())}
    for name in ("numpy", "scipy", "scikit-learn", "click"):
        versions[name] = metadata.version(name)
    print(json.dumps({"tests": results, "versions": versions, "measurements": MEASUREMENTS}))
    return 0 if all(result["passed"] for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))

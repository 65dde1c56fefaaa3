"""Importing pymars is cheap and does nothing."""

import os
import subprocess
import sys

import pytest


def run(code: str, *options: str) -> subprocess.CompletedProcess[str]:
    # A child that coverage counts has modules and files of its own.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    return subprocess.run(
        [sys.executable, *options, "-c", code],
        capture_output=True, text=True, check=True, env={**alone, "MARS_EARTH_THREADS": "2"},
    )  # fmt: skip


def beside_numpy() -> float:
    """Time that `import pymars` adds, beside that of NumPy, as `-X importtime` tells both."""
    table = run("import numpy, pymars", "-X", "importtime").stderr
    found = {}
    for line in table.splitlines():
        fields = [field.strip() for field in line.removeprefix("import time:").split("|")]
        if fields[-1] in ("numpy", "pymars") and fields[1].isdigit():
            found[fields[-1]] = int(fields[1])
    return found["pymars"] / found["numpy"]


def test_it_adds_less_than_half_of_what_numpy_takes():
    # The least of several: other work on the machine disturbs single runs.
    assert min(beside_numpy() for _ in range(5)) < 0.5


def test_it_starts_no_thread_and_opens_no_device():
    code = """
import os, sys
import numpy
threads = set(os.listdir("/proc/self/task"))
files = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
         if os.path.exists(f"/proc/self/fd/{fd}")}
import pymars
assert set(os.listdir("/proc/self/task")) == threads, "a thread was started"
after = {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
         if os.path.exists(f"/proc/self/fd/{fd}")}
new = {path for path in after - files if not path.startswith("/proc")}
assert not new, f"opened {new}"
loaded = [name for name in ("sklearn", "pandas", "pyarrow", "click", "socket")
          if name in sys.modules]
assert not loaded, f"loaded {loaded}"
x = numpy.ones((4, 1))
spec = {"spec_version": "1.0", "allow_missing": False, "features": [{"name": "x"}],
        "responses": ["y"], "terms": [{"kind": "linear", "feature": 0, "coefficients": [2.0]}]}
assert pymars.predict(spec, x).tolist() == [2.0] * 4
assert set(os.listdir("/proc/self/task")) == threads, "a pool outlived its call"
"""
    if not os.path.isdir("/proc/self/task"):
        pytest.skip("no /proc on this system, so threads cannot be counted")
    run(code)


def test_public_names_are_there():
    run("import pymars; [getattr(pymars, name) for name in pymars.__all__]; dir(pymars)")


def test_dir_names_what_is_public_also_before_it_is_loaded():
    import pymars

    assert dir(pymars) == sorted(pymars.__all__)
    assert {"EarthRegressor", "predict_batches"} <= set(dir(pymars))


def test_an_unknown_name_is_an_attribute_error():
    import pymars

    with pytest.raises(AttributeError, match="Eearth"):
        pymars.Eearth  # noqa: B018

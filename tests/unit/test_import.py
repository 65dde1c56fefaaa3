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


def added_microseconds() -> int:
    """Time that `import pymars` takes beyond NumPy, as `-X importtime` tells it."""
    table = run("import numpy, pymars", "-X", "importtime").stderr
    for line in table.splitlines():
        fields = line.removeprefix("import time:").split("|")
        if len(fields) == 3 and fields[2].strip() == "pymars" and fields[1].strip().isdigit():
            return int(fields[1])
    pytest.fail(f"no line for pymars in:\n{table}")


def test_it_adds_little_to_numpy():
    # The least of several: other work on the machine can only add.
    assert min(added_microseconds() for _ in range(5)) < 30_000


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
loaded = [name for name in ("sklearn", "pandas", "pyarrow", "rich", "click", "socket")
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


def test_an_unknown_name_is_an_attribute_error():
    import pymars

    with pytest.raises(AttributeError, match="Eearth"):
        pymars.Eearth  # noqa: B018

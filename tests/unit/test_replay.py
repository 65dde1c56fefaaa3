"""Bounds, buffers and memory of a replay, as Python sees them (H1, not claimed)."""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest

import pymars
from pymars import errors

SPEC = {
    "spec_version": "1.0",
    "allow_missing": False,
    "features": [{"name": f"x{j}"} for j in range(4)],
    "responses": ["y"],
    "terms": [
        {"kind": "hinge", "feature": j % 4, "knot": j / 12, "side": side, "coefficients": [1 / 3]}
        for j in range(12)
        for side in ("right", "left")
    ],
}
TWO = {**SPEC, "responses": ["y", "z"], "terms": [
    {**term, "coefficients": [1.0, 2.0]} for term in SPEC["terms"]]}  # fmt: skip
LARGE = np.random.default_rng(3).random((200_000, 4))
HERE = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
several = pytest.mark.skipif(HERE < 2, reason="needs two processors")


def used(threads=None):
    pymars.predict(SPEC, LARGE, threads)
    return pymars.replay_info()["threads"]


@several
def test_the_argument_comes_before_the_variable(monkeypatch):
    monkeypatch.delenv("MARS_EARTH_THREADS", raising=False)
    assert used() == 1
    assert used(2) == 2
    monkeypatch.setenv("MARS_EARTH_THREADS", "2")
    assert used() == 2
    assert used(1) == 1
    monkeypatch.setenv("MARS_EARTH_THREADS", "none")
    with pytest.raises(errors.InvalidArgumentError, match="MARS_EARTH_THREADS is 'none'"):
        used()
    assert used(1) == 1


@several
def test_no_more_threads_than_the_process_may_use(monkeypatch):
    monkeypatch.setenv("MARS_EARTH_THREADS", "1000")
    assert used() <= HERE
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert used() == 1
        assert used(64) == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_few_rows_stay_on_the_calling_thread():
    pymars.predict(SPEC, LARGE[:1000], threads=64)
    assert pymars.replay_info()["threads"] == 1


FORK = """
import os, sys, numpy as np, pymars
sys.path.insert(0, sys.argv[1])
from test_replay import LARGE, SPEC
expected = pymars.predict(SPEC, LARGE, threads=2)
child = os.fork()
if child == 0:
    same = np.array_equal(pymars.predict(SPEC, LARGE, threads=2), expected)
    os._exit(0 if same else 1)
_, status = os.waitpid(child, 0)
assert np.array_equal(pymars.predict(SPEC, LARGE, threads=2), expected)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_replays_with_threads():
    here = os.path.dirname(__file__)
    command = [sys.executable, "-c", FORK, here]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr


def test_the_bytes_reported_are_the_bytes_python_sees():
    cases = [
        ("as it lies", LARGE[:50_000], {}, 0, 8 * 50_000),
        ("float32", LARGE[:50_000].astype(np.float32), {}, 0, 8 * 50_000),
        ("strided", LARGE[::2][:50_000], {}, 0, 8 * 50_000),
        ("into a buffer", LARGE[:50_000], {"out": np.empty(50_000)}, 0, 0),
        ("whole numbers", LARGE[:50_000].astype(np.int64), {}, 32 * 50_000, 8 * 50_000),
    ]
    model = pymars.load_model(SPEC)
    for name, rows, options, copied, made in cases:
        tracemalloc.start()
        pymars.predict(model, rows, **options)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        info = pymars.replay_info()
        assert (info["bytes_input"], info["bytes_result"]) == (copied, made), name
        assert info["bytes_peak"] == copied + made + info["bytes_buffers"], name
        assert info["bytes_per_row"] == (copied + made) / 50_000, name
        assert abs(peak - copied - made) < 20_000, name
        # Four inputs and a sum of 64 rows; it does not grow with the rows.
        assert info["bytes_buffers"] == 5 * 64 * 8, name


def test_the_last_replay_is_that_of_the_thread():
    import threading

    pymars.predict(SPEC, LARGE[:7])
    seen = []
    other = threading.Thread(target=lambda: seen.append(pymars.replay_info()))
    other.start()
    other.join()
    assert seen == [{}]
    assert pymars.replay_info()["rows"] == 7


def test_results_go_where_the_caller_wants_them():
    rows = LARGE[:100]
    for model in (SPEC, TWO):
        for function in (pymars.predict, pymars.linear_predictor, pymars.design_matrix):
            expected = function(model, rows)
            out = np.empty_like(expected)
            assert function(model, rows, out=out) is out
            assert np.array_equal(out, expected)
    column = np.empty((100, 1))
    pymars.predict(SPEC, rows, out=column)
    assert np.array_equal(column[:, 0], pymars.predict(SPEC, rows))


READ_ONLY = np.empty(100)
READ_ONLY.flags.writeable = False
SHARED = np.zeros((100, 4))
BAD = {
    "shape": (np.empty(99), errors.ShapeMismatchError, r"\(100,\) is needed"),
    "dimensions": (np.empty((10, 10)), errors.ShapeMismatchError, "is needed"),
    "type": (np.empty(100, np.float32), errors.InvalidDtypeError, "float64"),
    "no array": ([0.0] * 100, errors.InvalidDtypeError, "numpy.empty"),
    "strided": (np.empty(200)[::2], errors.InvalidArgumentError, "strided"),
    "read-only": (READ_ONLY, errors.InvalidArgumentError, "writable"),
    "the input itself": (SHARED.reshape(-1)[:100], errors.InvalidArgumentError, "overlap"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_buffer_that_does_not_fit_is_refused(name):
    out, kind, says = BAD[name]
    with pytest.raises(kind, match=says):
        pymars.predict(SPEC, SHARED, out=out)


def test_eight_callers_share_a_model():
    from concurrent.futures import ThreadPoolExecutor

    model = pymars.load_model(SPEC)
    expected = pymars.predict(model, LARGE)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: pymars.predict(model, LARGE, threads=2), range(16)))
    assert all(np.array_equal(each, expected) for each in found)

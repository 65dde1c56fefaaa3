"""What every compute function owes, made from the data: a new function is covered at once."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parent))

import invariants
from support import DISPATCHED, IDS, PAIRS, ROOT, assert_same, call, home, make, outcome

from pymars import accel

EDGES = {
    "NaN": lambda a: np.where(np.arange(a.size).reshape(a.shape) == 0, np.nan, a),
    "inf": lambda a: np.where(np.arange(a.size).reshape(a.shape) == 0, np.inf, a),
    "no rows": lambda a: a[:0],
    "every second": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backwards and back": lambda a: a[::-1].copy()[::-1],
    "columns first": np.asfortranarray,
    "read-only": lambda a: frozen(a.copy()),
    "float32": lambda a: a.astype(np.float32),
    "big-endian": lambda a: a.astype(">f8"),
    "whole numbers": lambda a: np.round(a).astype(np.int16),
    "complex": lambda a: a.astype(complex),
    "text": lambda a: a.astype(str),
    "another axis": lambda a: a[..., None],
}


# The frame of a scan is orthonormal by contract; rounded, it is none, and then tiers may differ.
ORTHONORMAL, ROUNDED = ("knot_scan", 2), ("float32", "whole numbers")


def frozen(array):
    array.flags.writeable = False
    return array


def runnable(name, tier):
    home(name)
    why = accel.get(name).available()[tier]
    if why:
        pytest.skip(f"the {tier} tier of {name} {why}")


def changed(arguments, which, edge):
    """Change one array, or (no rows) all arrays that share its first axis."""
    n = len(arguments[which])
    together = edge == "no rows"

    def edit(k, value):
        mine = k == which or (together and isinstance(value, np.ndarray) and len(value) == n)
        return EDGES[edge](value) if mine else value

    return tuple(edit(k, value) for k, value in enumerate(arguments))


def arrays(name):
    return [k for k, value in enumerate(make(name)) if isinstance(value, np.ndarray)]


@pytest.mark.parametrize("name", DISPATCHED)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 60))
def test_the_floor_keeps_the_invariants(name, seed, size):
    arguments = make(name, size, seed)
    found = call(name, "python", arguments)
    for invariant in DISPATCHED[name].invariants:
        getattr(invariants, invariant)(arguments, found)


@pytest.mark.parametrize(("name", "tier"), PAIRS, ids=IDS)
@given(seed=st.integers(0, 2**32), size=st.integers(1, 60))
def test_a_tier_agrees_with_the_floor(name, tier, seed, size):
    runnable(name, tier.language)
    arguments = make(name, size, seed)
    found = call(name, tier.language, arguments)
    assert_same(name, found, call(name, "python", arguments))
    for invariant in DISPATCHED[name].invariants:
        getattr(invariants, invariant)(arguments, found)


@pytest.mark.parametrize("size", [1, 2, 300, 5000])
@pytest.mark.parametrize(("name", "tier"), PAIRS, ids=IDS)
def test_a_tier_agrees_on_one_row_and_on_many(name, tier, size):
    runnable(name, tier.language)
    size = min(size, max(DISPATCHED[name].production))
    arguments = make(name, size, 7)
    assert_same(name, call(name, tier.language, arguments), call(name, "python", arguments))


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize(("name", "tier"), PAIRS, ids=IDS)
def test_odd_inputs_have_one_outcome(name, tier, edge):
    runnable(name, tier.language)
    for which in arrays(name):
        if (name, which) == ORTHONORMAL and edge in ROUNDED:
            continue
        arguments = changed(make(name), which, edge)
        expected = outcome(name, "python", arguments)
        assert_same(name, outcome(name, tier.language, arguments), expected)


@pytest.mark.parametrize("edge", ["NaN", "inf", "complex", "text"])
def test_the_scores_refuse_what_is_no_number(edge):
    for name in ("gcv_path", "knot_scan"):
        for which in arrays(name):
            found = outcome(name, "python", changed(make(name), which, edge))
            assert isinstance(found, type), (name, which)


@pytest.mark.parametrize(("name", "tier"), PAIRS, ids=IDS)
def test_inputs_stay_as_they_are(name, tier):
    runnable(name, tier.language)
    arguments, untouched = make(name), make(name)
    call(name, tier.language, arguments)
    for given_, before in zip(arguments, untouched, strict=True):
        if isinstance(before, np.ndarray):
            np.testing.assert_array_equal(given_, before)


@pytest.mark.parametrize(("name", "tier"), PAIRS, ids=IDS)
def test_a_result_is_nobody_elses_memory(name, tier):
    runnable(name, tier.language)
    arguments = make(name)
    first = call(name, tier.language, arguments)
    kept = np.array(first)
    call(name, tier.language, make(name, seed=1))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(("name", "tier"), PAIRS, ids=IDS)
def test_eight_threads_at_once_agree_with_one(name, tier):
    runnable(name, tier.language)
    if not tier.thread_safe:
        pytest.skip(f"the {tier.language} tier belongs to one thread, as its row says")
    each = [make(name, seed=seed) for seed in range(8)]
    alone = [call(name, tier.language, arguments) for arguments in each]

    def work(k):
        return [call(name, tier.language, each[k]) for _ in range(10)]

    with ThreadPoolExecutor(8) as pool:
        for k, results in enumerate(pool.map(work, range(8))):
            for found in results:
                np.testing.assert_array_equal(found, alone[k])


@pytest.mark.parametrize(("name", "tier"), PAIRS, ids=IDS)
def test_equal_arguments_give_equal_bits(name, tier):
    runnable(name, tier.language)
    assert not DISPATCHED[name].seedable, "a function that draws numbers needs a test with seeds"
    first, second = (call(name, tier.language, make(name)) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("name", DISPATCHED)
def test_the_data_and_the_registry_say_the_same(name):
    home(name)
    row = DISPATCHED[name]
    in_chain = {tier.language for tier in row.tiers if tier.in_chain}
    assert set(accel.get(name).tiers) == in_chain | {"python"}
    assert set(row.production) <= set(row.sizes)
    for invariant in row.invariants:
        assert callable(getattr(invariants, invariant))


def test_the_registry_holds_nothing_the_data_does_not_know():
    assert set(accel.names()) <= set(DISPATCHED)


def test_importing_boots_nothing():
    code = """
import os, sys, threading
import numpy
before = set(os.listdir("/proc/self/task"))
from pymars import accel
modules = set(sys.modules)
for name in accel.names():
    accel.get(name).available()
assert set(sys.modules) == modules, "a probe imported something"
assert set(os.listdir("/proc/self/task")) == before
loaded = {"juliacall", "juliapkg", "pymars.accel.go", "http.client", "socket"} & set(sys.modules)
assert not loaded, loaded
maps = open("/proc/self/maps").read()
assert "mojo" not in maps and "libjulia" not in maps
"""
    # A child that coverage counts has modules of its own.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, env=alone)

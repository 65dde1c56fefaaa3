"""Functions and tiers as `packaging/language.yaml` lists them, for tests that are made from it."""

import sys
from pathlib import Path

import numpy as np

from hpcgate.facts import load_model
from hpcgate.policy.data import DATA, Policy
from pymars import accel
from pymars.accel import inputs

ROOT = Path(__file__).parents[2]
POLICY = load_model(Policy, ROOT, DATA)
DISPATCHED = POLICY.functions
SMALL = 40


def home(name):
    """The module that makes the arguments of a function; importing it registers the function."""
    function = DISPATCHED[name]
    if function.folder == "packages/pymars":
        return inputs
    folder = str(ROOT / function.folder)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    return __import__(function.floor.partition(":")[0])


def make(name, size=SMALL, seed=0):
    return home(name).make(name, size, seed)


def tiers(name):
    """Every tier in the process but the floor."""
    return [tier for tier in DISPATCHED[name].tiers if tier.in_chain]


PAIRS = [(name, tier) for name in DISPATCHED for tier in tiers(name)]
IDS = [f"{name}-{tier.language}" for name, tier in PAIRS]


def call(name, tier, arguments):
    home(name)
    with accel.using(tier):
        return accel.get(name)(*arguments)


def outcome(name, tier, arguments):
    """What a call returns, or the class of the ValueError it raises."""
    try:
        return call(name, tier, arguments)
    except ValueError as error:
        return type(error)


def assert_same(name, found, expected):
    """A tier agrees with the floor: the same error, or values within the declared tolerance."""
    if isinstance(expected, type):
        assert found is expected
        return
    assert not isinstance(found, type), found
    tolerance = DISPATCHED[name].tolerance
    a, b = np.asarray(found), np.asarray(expected)
    assert type(found) is type(expected)
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    np.testing.assert_allclose(a, b, tolerance.rtol, tolerance.atol)

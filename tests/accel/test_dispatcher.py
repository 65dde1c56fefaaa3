"""The rules of every dispatcher."""

import json
import math
import os
import threading

import pytest

from pymars import accel
from pymars.accel import chains
from pymars.accel.chains import Band
from pymars.accel.dispatcher import MultiLangDispatcher, Skipped, Tier, TierError, using
from pymars.errors import InvalidArgumentError

ALL = [Band(math.inf, ("fast", "slow", "python"))]


def build(fast=None, slow=None, bands=ALL, probe=str, **options):
    """A function that adds one, with two tiers whose answers tell who gave them."""
    tiers = [
        Tier("fast", fast or (lambda x: x + 100), probe),
        Tier("slow", slow or (lambda x: x + 10), str),
        Tier("python", lambda x: x + 1, str),
    ]
    return MultiLangDispatcher("add", tiers, size=abs, bands=bands, **options)


def failing(error):
    def call(x):
        raise error

    return call


def test_the_first_of_the_order_answers():
    add = build()
    assert (add(1), add.last_tier) == (101, "fast")
    assert add.chain(1) == ("fast", "slow", "python")


@pytest.mark.parametrize(
    "error", [ImportError("no"), ModuleNotFoundError("no"), RuntimeError("no")]
)
def test_structural_errors_move_on_and_are_told(error):
    add = build(fast=failing(error))
    assert (add(1), add.last_tier) == (11, "slow")
    assert add.last_dispatch.skipped == (Skipped("fast", f"{type(error).__name__}: no"),)


def test_the_floor_is_reached():
    add = build(fast=failing(ImportError("a")), slow=failing(RuntimeError("b")))
    assert (add(1), add.last_tier) == (2, "python")
    assert [skipped.tier for skipped in add.last_dispatch.skipped] == ["fast", "slow"]


@pytest.mark.parametrize(
    "error", [ValueError("x"), TypeError("x"), OSError("x"), MemoryError("x"), KeyError("x")]
)
def test_every_other_error_reaches_the_caller_with_the_name_of_the_tier(error):
    for add, tier in (
        (build(fast=failing(error)), "fast"),
        (build(fast=failing(ImportError("no")), slow=failing(error)), "slow"),
    ):
        error.__dict__.pop("__notes__", None)
        with pytest.raises(type(error)) as caught:
            add(1)
        assert caught.value is error
        assert caught.value.__notes__ == [f"raised by the {tier} tier of add"]
        assert add.last_tier is None


def test_an_interrupt_is_no_error_of_a_tier():
    with pytest.raises(KeyboardInterrupt):
        build(fast=failing(KeyboardInterrupt()))(1)


def test_a_floor_that_fails_is_told():
    tiers = [Tier("python", failing(RuntimeError("broken")), str)]
    with pytest.raises(RuntimeError, match="broken") as caught:
        MultiLangDispatcher("add", tiers, size=abs)(1)
    assert caught.value.__notes__ == ["raised by the python tier of add"]


@pytest.mark.parametrize("tiers", [[], [Tier("fast", abs, str)]])
def test_a_floor_must_be_last(tiers):
    with pytest.raises(InvalidArgumentError, match="end with the floor"):
        MultiLangDispatcher("add", tiers, size=abs)


@pytest.mark.parametrize(
    ("bands", "why"),
    [
        ([Band(math.inf, ("fast",))], "does not end with python"),
        ([Band(math.inf, ())], "does not end with python"),
        ([Band(10, ("python",))], "last band has a limit"),
        ([], "last band has a limit"),
    ],
)
def test_an_order_ends_with_the_floor_and_covers_all_sizes(bands, why):
    with pytest.raises(InvalidArgumentError, match=why):
        build(bands=bands)


def test_the_size_chooses_the_band():
    add = build(bands=[Band(10, ("slow", "python")), Band(math.inf, ("fast", "python"))])
    assert (add(10), add.last_dispatch.band) == (20, "0 to 10")
    assert (add(11), add.last_dispatch.band) == (111, "10 to inf")


def test_unmeasured_tiers_stay_out():
    add = build(bands=[Band(math.inf, ("python",))])
    assert (add(1), add.last_dispatch.skipped) == (2, ())
    assert MultiLangDispatcher("unheard of", [Tier("python", abs, str)], size=abs).chain(5) == (
        "python",
    )


def test_a_probe_keeps_a_tier_out_and_is_asked_once():
    asked = []

    def probe():
        asked.append(1)
        return "is not built"

    add = build(probe=probe)
    assert (add(1), add(1), add.last_tier) == (11, 11, "slow")
    assert add.last_dispatch.skipped == (Skipped("fast", "is not built"),)
    assert len(asked) == 1
    add.refresh()
    assert (add(1), len(asked)) == (11, 2)


def test_a_tier_of_the_order_that_is_not_registered_is_told():
    add = build(bands=[Band(math.inf, ("gone", "fast", "python"))])
    assert (add(1), add.last_dispatch.skipped) == (101, (Skipped("gone", "is not registered"),))


def test_names_are_used_once():
    add = build()
    with pytest.raises(InvalidArgumentError, match="used once"):
        add.tier("fast")(abs)
    with pytest.raises(InvalidArgumentError, match="is registered"):
        accel.register("predict", size=abs)(abs)
    with pytest.raises(InvalidArgumentError, match=r"no function nothing; there are .*predict"):
        accel.get("nothing")


def test_one_tier_can_be_asked_for():
    add = build(bands=[Band(math.inf, ("fast", "python"))])
    with using("slow"):
        assert add(1) == 11
        assert add.last_dispatch.forced
        with using("python"):
            assert add(1) == 2
        assert add(1) == 11
    assert add(1) == 101
    assert not add.last_dispatch.forced


def test_a_tier_that_was_asked_for_has_no_substitute():
    add = build(fast=failing(ImportError("no library")), probe=lambda: "is not built")
    with using("fast"), pytest.raises(TierError, match="the tier fast cannot run: is not built"):
        add(1)
    with using("zig"), pytest.raises(TierError, match="zig cannot run: it is not registered"):
        add(1)
    add = build(fast=failing(ImportError("no library")))
    with using("fast"), pytest.raises(TierError, match="fast failed: ImportError: no library"):
        add(1)
    add = build(fast=failing(ValueError("bad")))
    with using("fast"), pytest.raises(ValueError, match="bad"):
        add(1)


def test_strict_passes_over_none():
    with using(strict=True):
        assert build()(1) == 101
        with pytest.raises(TierError, match="fast failed"):
            build(fast=failing(RuntimeError("gone")))(1)
        with pytest.raises(TierError, match="fast cannot run: fast is away"):
            build(probe=lambda: "is away")(1)


def test_modes_belong_to_their_thread():
    add, seen = build(), []
    with using("python"):
        thread = threading.Thread(target=lambda: seen.append((add(1), add.last_tier)))
        thread.start()
        thread.join()
    assert seen == [(101, "fast")]
    assert add.last_tier is None
    assert add.last_dispatch is None


def test_arguments_are_prepared_once_for_all_tiers():
    calls = []

    def prepare(x):
        calls.append(x)
        return (int(x),)

    add = build(fast=failing(ImportError("no")), prepare=prepare)
    assert add("7") == 17
    assert calls == ["7"]


def test_a_dispatcher_reads_like_its_floor():
    assert accel.knot_scan.__doc__.startswith("Score every candidate knot")
    assert accel.knot_scan.floor.__name__ == accel.knot_scan.__name__ == "knot_scan"
    assert repr(build()) == "<add: fast, slow, python>"
    assert build().available() == {"fast": "", "slow": "", "python": ""}


def test_orders_come_from_the_derived_file(tmp_path):
    file = tmp_path / "chains.json"
    mine, other = chains.host_class(), [{"up_to": None, "tiers": ["slow", "python"]}]
    order = [{"up_to": 5, "tiers": ["fast", "python"]}, {"up_to": None, "tiers": ["python"]}]
    known = json.loads(chains.FILE.read_text())["host_classes"]
    text = {"host_classes": known, "functions": {"add": {"default": other, "hosts": {mine: order}}}}
    file.write_text(json.dumps(text))
    add = build(bands=None, chains_file=file)
    assert add.chain(5) == ("fast", "python")
    assert add.chain(6) == ("python",)
    assert chains.bands_of("add", "another", file) == (Band(math.inf, ("slow", "python")),)
    file2 = tmp_path / "none.json"
    file2.write_text(json.dumps({"host_classes": [], "functions": {}}))
    assert chains.host_class(file2).startswith("other-")


def test_library_and_gates_name_the_host_class_alike():
    from pathlib import Path

    from hpcgate.evidence.contract import host_class

    assert chains.host_class() == host_class(Path(__file__).parents[2])


def test_the_library_calls_its_dispatchers():
    import numpy as np

    import pymars as earth
    from pymars.accel import inputs

    model, X = inputs.make("predict", 30)
    with using("python"):
        earth.predict(model, X)
        assert accel.predict.last_tier == "python"
        earth.design_matrix(model, X)
        assert accel.design_matrix.last_tier == "python"
        y = earth.predict(model, X) + np.sin(np.arange(30.0))
        with pytest.raises(ValueError, match=r"depend|rows"):
            earth.pruning_path(model, X[:5], y[:5])
    path = earth.pruning_path(model, *_many(model))
    assert accel.gcv_path.last_tier is not None
    assert [step.n_terms for step in path] == list(range(1, len(path) + 1))
    knots, gains = earth.knot_gains(model, *_many(model), "x1", parent=2)
    assert len(knots) == len(gains)
    assert accel.knot_scan.last_tier is not None


def _many(model):
    import numpy as np

    import pymars as earth
    from pymars.accel import inputs

    X = inputs.make("predict", 400)[1]
    return X, earth.predict(model, X) + np.sin(np.arange(400.0))


def test_a_system_without_uname_or_affinity_is_still_told(monkeypatch):
    kind, cpus = chains.kind(), os.cpu_count() or 1
    monkeypatch.delattr(chains.os, "uname", raising=False)
    monkeypatch.delattr(chains.os, "sched_getaffinity", raising=False)
    assert chains.kind() == kind
    assert chains._cpus() == cpus

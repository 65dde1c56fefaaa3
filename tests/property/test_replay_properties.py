"""Replay holds for all models: it is the floor, whatever the layout and the blocks."""

import copy
import sys
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import pymars
from pymars.accel import floor

sys.path.insert(0, str(Path(__file__).parent))
from strategies import rows_for, specs


@given(st.data())
def test_the_core_is_the_floor_bit_for_bit(data):
    spec = data.draw(specs())
    rows = data.draw(rows_for(spec))
    with np.errstate(all="ignore"):
        expected = floor.predict(spec, rows)
        columns = floor.design_matrix(spec, rows)
    found = pymars.predict(spec, rows).reshape(expected.shape)
    assert np.array_equal(found, expected, equal_nan=True)
    assert np.array_equal(pymars.design_matrix(spec, rows), columns, equal_nan=True)
    assert np.array_equal(
        pymars.predict(spec, np.asfortranarray(rows), threads=3).reshape(expected.shape),
        expected,
        equal_nan=True,
    )


@given(st.data())
def test_a_model_survives_json(data):
    spec = data.draw(specs())
    model = pymars.load_model(spec)
    assert pymars.load_model(model.to_json()) == model
    assert pymars.load_model(model.spec) == model


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_text_makes_more_than_a_typed_error(content):
    from pymars import _core

    try:
        _core.Model.from_json(content)
    except pymars.errors.EarthError as error:
        assert error.code in (1, 2, 3)
    else:
        raise AssertionError("random bytes are no model")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.data())
def test_a_damaged_model_is_refused_or_replays(data):
    """Replace any part of a valid model by any JSON: a typed error, or a model that replays."""
    spec = copy.deepcopy(data.draw(specs()))  # parts of a drawn model are shared
    target, key = spec, data.draw(st.sampled_from(sorted(spec)))
    while isinstance(target[key], (dict, list)) and target[key] and data.draw(st.booleans()):
        target = target[key]
        keys = sorted(target) if isinstance(target, dict) else range(len(target))
        key = data.draw(st.sampled_from(list(keys)))
    target[key] = data.draw(JSON)
    try:
        model = pymars.load_model(spec)
    except pymars.errors.EarthError as error:
        assert str(error)
        return
    try:
        pymars.predict(model, np.ones((3, len(model.feature_names))))
    except pymars.errors.InvalidValueError:
        assert any("categories" in feature for feature in model.spec["features"])


def views(rows, data):
    """Tables with the same values as `rows`, lying in memory in other ways."""
    step = data.draw(st.sampled_from([2, 3]))
    wide = np.full((rows.shape[0] * step, rows.shape[1] + 2), np.nan)
    wide[::step, 1:-1] = rows
    record = np.zeros(rows.shape[0], dtype=[("a", "i1"), ("x", "f8", (rows.shape[1],))])
    record["x"] = rows
    yield "column order", np.asfortranarray(rows)
    yield "strided", wide[::step, 1:-1]
    yield "reversed", np.ascontiguousarray(rows[::-1])[::-1]
    yield "reversed columns", np.asfortranarray(rows[:, ::-1])[:, ::-1]
    yield "unaligned", record["x"]
    yield "other byte order", rows.astype(">f8")
    yield "named columns", {f"x{j}": rows[:, j] for j in range(rows.shape[1])}


@given(st.data())
def test_no_layout_and_no_caller_s_buffer_changes_a_bit(data):
    spec = data.draw(specs())
    rows = data.draw(rows_for(spec))
    model = pymars.load_model(spec)
    expected = pymars.predict(model, rows)
    for name, view in views(rows, data):
        if isinstance(view, dict):
            view = dict(zip(model.feature_names, view.values(), strict=True))
        before = np.array(list(view.values()) if isinstance(view, dict) else view)
        assert np.array_equal(pymars.predict(model, view), expected, equal_nan=True), name
        after = np.array(list(view.values()) if isinstance(view, dict) else view)
        assert np.array_equal(before, after, equal_nan=True), name
    out = np.empty(expected.shape)
    assert pymars.predict(model, rows, out=out) is out
    assert np.array_equal(out, expected, equal_nan=True)


@given(st.data())
def test_float32_is_widened_as_it_is_read(data):
    spec = data.draw(specs())
    with np.errstate(all="ignore"):
        single = data.draw(rows_for(spec)).astype(np.float32)
        expected = pymars.predict(spec, single.astype(np.float64))
    for view in (single, np.asfortranarray(single), single[::-1][::-1]):
        assert np.array_equal(pymars.predict(spec, view), expected, equal_nan=True)


@given(st.data())
def test_no_size_of_a_batch_and_no_bound_changes_a_bit(data):
    spec = data.draw(specs())
    rows = data.draw(rows_for(spec))
    expected = pymars.predict(spec, rows)
    limit = data.draw(st.integers(1, 2048))
    bound = data.draw(st.integers(1, 8))
    found = list(pymars.predict_batches(spec, rows, memory_limit=limit, threads=bound))
    assert sum(map(len, found)) == len(rows)
    if found:
        assert np.array_equal(np.concatenate(found), expected, equal_nan=True)

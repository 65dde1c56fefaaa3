"""The Arrow PyCapsule interface (H2, not claimed) both ways, and producers that misbehave."""

import subprocess
import sys

import numpy as np
import pytest

import pymars as earth
from pymars import _core, errors
from pymars.tables import read_columns

SPEC = {
    "spec_version": "1.0",
    "allow_missing": True,
    "features": [
        {"name": "x", "impute": 2.0},
        {"name": "group", "categories": ["red", "a label of more than twelve bytes"]},
    ],
    "responses": ["y"],
    "terms": [
        {"kind": "linear", "feature": 0, "coefficients": [10.0]},
        {"kind": "categorical", "feature": 1, "levels": ["red"], "coefficients": [1.0]},
    ],
}
X = np.array([1.0, 4.0, -3.0, 0.5])
GROUP = ["red", "a label of more than twelve bytes", "red", "red"]
EXPECTED = [11.0, 40.0, -29.0, 6.0]
NUMBERS = {**SPEC, "features": [{"name": "x"}], "terms": SPEC["terms"][:1]}


def arrow(**more):
    pa = pytest.importorskip("pyarrow")
    group = pa.array(GROUP).dictionary_encode()
    return pa.table({"remark": ["a"] * 4, "group": group, "x": X, **more})


def polars():
    pl = pytest.importorskip("polars")
    columns = {"x": X, "group": pl.Series(GROUP, dtype=pl.Enum(sorted(set(GROUP))))}
    return pl.DataFrame({**columns, "remark": ["a"] * 4})


def duckdb():
    db = pytest.importorskip("duckdb")
    labels = ", ".join(f"'{label}'" for label in sorted(set(GROUP)))
    rows = ", ".join(f"({x}, '{group}')" for x, group in zip(X, GROUP, strict=True))
    return db.sql(
        f'select x::double as x, g::enum({labels}) as "group" from (values {rows}) t(x, g)'
    )


def pandas():
    pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    return pd.DataFrame({"x": X, "group": pd.Categorical(GROUP)})


LIBRARIES = [arrow, polars, duckdb, pandas]


@pytest.mark.parametrize("make", LIBRARIES)
def test_predict_reads_the_table(make):
    assert earth.predict(SPEC, make()).tolist() == EXPECTED


@pytest.mark.parametrize("make", LIBRARIES)
def test_predict_arrow_hands_a_table_on(make):
    pa = pytest.importorskip("pyarrow")
    table = pa.table(earth.predict_arrow(SPEC, make()))
    assert table.column_names == ["y"]
    assert table["y"].to_pylist() == EXPECTED


def test_polars_and_duckdb_take_what_predict_arrow_gives():
    pl = pytest.importorskip("polars")
    assert pl.DataFrame(earth.predict_arrow(SPEC, polars()))["y"].to_list() == EXPECTED
    pa = pytest.importorskip("pyarrow")
    db = pytest.importorskip("duckdb")
    found = earth.predict_arrow(SPEC, arrow())
    assert pa.schema(found).names == ["y"]
    assert db.sql("select sum(y) from found").fetchall() == [(sum(EXPECTED),)]


def test_a_batch_comes_back_as_a_batch_any_number_of_times():
    pa = pytest.importorskip("pyarrow")
    (batch,) = arrow().to_batches()
    result = earth.predict_arrow(SPEC, batch)
    assert isinstance(result, _core.ArrowBatch)
    for _ in range(2):
        assert pa.record_batch(result)["y"].to_pylist() == EXPECTED
    assert pa.schema(result).names == ["y"]
    # The result outlives everything that it was made from.
    kept = pa.record_batch(result)
    del batch, result
    assert kept["y"].to_pylist() == EXPECTED


def test_a_stream_is_replayed_as_it_is_asked_for_and_once():
    pa = pytest.importorskip("pyarrow")
    asked = []

    def batches():
        for k in range(3):
            asked.append(k)
            yield pa.record_batch({"x": X + k})

    reader = pa.RecordBatchReader.from_batches(pa.schema({"x": pa.float64()}), batches())
    stream = earth.predict_arrow(NUMBERS, reader)
    assert asked == []
    result = pa.RecordBatchReader.from_stream(stream)
    assert result.read_next_batch()["y"].to_pylist() == (10 * X).tolist()
    assert asked == [0]
    assert result.read_next_batch()["y"].to_pylist() == (10 * (X + 1)).tolist()
    with pytest.raises(errors.InvalidArgumentError, match="handed over already"):
        stream.__arrow_c_stream__()


def test_a_failing_producer_reaches_the_consumer():
    pa = pytest.importorskip("pyarrow")

    def batches():
        yield pa.record_batch({"x": X})
        raise OSError("the disk is gone")

    def reader():
        return pa.RecordBatchReader.from_batches(pa.schema({"x": pa.float64()}), batches())

    result = pa.RecordBatchReader.from_stream(earth.predict_arrow(NUMBERS, reader()))
    result.read_next_batch()
    with pytest.raises(OSError, match="the disk is gone"):
        result.read_next_batch()
    with pytest.raises(errors.InvalidBatchError, match="the disk is gone"):
        earth.predict(NUMBERS, reader())


def test_float64_columns_are_views():
    pa = pytest.importorskip("pyarrow")
    whole = arrow()
    names = ["x", "group"]
    (values, _), _ = read_columns(whole, names, [None, SPEC["features"][1]["categories"]])
    address = whole["x"].chunk(0).buffers()[1].address
    assert values.ctypes.data == address
    assert not values.flags.writeable
    cut = whole.slice(1, 2)
    (values, _), _ = read_columns(cut, names, [None, SPEC["features"][1]["categories"]])
    assert values.ctypes.data == address + 8
    assert values.tolist() == X[1:3].tolist()
    del whole, cut
    assert values.tolist() == X[1:3].tolist()
    pl = pytest.importorskip("polars")
    series = pl.Series("x", X)
    ((values,), _) = read_columns(pl.DataFrame([series]), ["x"], [None])
    assert values.ctypes.data == series.to_numpy(allow_copy=False).ctypes.data
    assert (
        pa.table(earth.predict_arrow(NUMBERS, pl.DataFrame([series])))["y"].to_pylist()
        == (10 * X).tolist()
    )


@pytest.mark.parametrize(
    "kind",
    [
        *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
        *(f"float{bits}" for bits in (16, 32, 64)),
    ],
)
def test_every_number_type_is_read(kind):
    pa = pytest.importorskip("pyarrow")
    values = np.array([0, 1, 2, 100], dtype=kind)
    assert earth.predict(NUMBERS, pa.table({"x": values})).tolist() == (10.0 * values).tolist()
    masked = pa.array(values, mask=np.array([False, True, False, False]))
    found = earth.predict(NUMBERS, pa.table({"x": masked}))
    np.testing.assert_array_equal(found, [0, np.nan, 20, 1000])
    # Offsets that are no multiple of eight, in values and bitmap.
    many = pa.array(np.arange(40).astype(kind), mask=np.arange(40) % 7 == 3)
    found = earth.predict(NUMBERS, pa.table({"x": many.slice(5, 11)}))
    expected = np.where(np.arange(40) % 7 == 3, np.nan, 10.0 * np.arange(40))[5:16]
    np.testing.assert_array_equal(found, expected)


def test_booleans_nulls_and_float16_extremes():
    pa = pytest.importorskip("pyarrow")
    flags = pa.array([True, None, False] * 5).slice(4, 3)
    np.testing.assert_array_equal(earth.predict(NUMBERS, pa.table({"x": flags})), [np.nan, 0, 10])
    assert np.isnan(earth.predict(NUMBERS, pa.table({"x": pa.nulls(3)}))).all()
    small = np.array([6e-8, 6e-5, -65504, np.inf, -np.inf, np.nan], dtype=np.float16)
    np.testing.assert_array_equal(
        earth.predict(NUMBERS, pa.table({"x": small})), 10 * small.astype(np.float64)
    )


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view"])
def test_labels_of_every_text_type_and_of_batches_that_differ(kind):
    pa = pytest.importorskip("pyarrow")
    text = getattr(pa, kind)()
    pieces = []
    for labels in (["red", GROUP[1]], [GROUP[1], "red"]):
        codes = pa.array([0, None, 1], type=pa.int8())
        pieces.append(pa.DictionaryArray.from_arrays(codes, pa.array(labels, type=text)))
    table = pa.table({"x": np.zeros(6), "group": pa.chunked_array(pieces)})
    expected = [1, np.nan, 0, 0, np.nan, 1]
    np.testing.assert_array_equal(earth.predict(SPEC, table), expected)
    stream = pa.table(earth.predict_arrow(SPEC, table))
    np.testing.assert_array_equal(stream["y"].to_numpy(), expected)


def test_rows_that_are_missing_as_a_whole():
    pa = pytest.importorskip("pyarrow")
    whole = pa.StructArray.from_arrays(
        [pa.array(X)], names=["x"], mask=pa.array([False, True, False, True])
    )
    found = pa.record_batch(earth.predict_arrow(NUMBERS, whole))["y"].to_pylist()
    np.testing.assert_array_equal(found, [10, np.nan, -30, np.nan])
    cut = pa.record_batch(earth.predict_arrow(NUMBERS, whole.slice(1, 2)))["y"].to_pylist()
    np.testing.assert_array_equal(cut, [np.nan, -30])


@pytest.mark.parametrize("call", [earth.predict, earth.predict_arrow])
def test_bad_tables_are_refused_by_name(call):
    pa = pytest.importorskip("pyarrow")
    with pytest.raises(errors.UnknownColumnError, match=r"'x'|\"x\""):
        consume(call(NUMBERS, pa.table({"z": X})))
    with pytest.raises(errors.InvalidDtypeError, match="column 'x' holds text"):
        consume(call(NUMBERS, pa.table({"x": GROUP})))
    with pytest.raises(errors.InvalidDtypeError, match="'tdD'; cast it"):
        consume(call(NUMBERS, pa.table({"x": pa.array([1, 2], type=pa.date32())})))
    with pytest.raises(errors.InvalidArgumentError, match="twice"):
        consume(call(NUMBERS, pa.table([X, X], names=["x", "x"])))
    with pytest.raises(errors.InvalidValueError, match="does not know"):
        odd = pa.array(["blue"] * 4).dictionary_encode()
        consume(call(SPEC, pa.table({"x": X, "group": odd})))
    with pytest.raises(errors.InvalidDtypeError, match="fitted on numbers"):
        consume(call(NUMBERS, pa.table({"x": pa.array(GROUP).dictionary_encode()})))


def consume(result):
    """Pull a stream, and raise what its consumer is told as the class that it names."""
    import pyarrow as pa

    if not isinstance(result, _core.ArrowStream):
        return
    try:
        pa.table(result)
    except (OSError, ValueError, pa.ArrowException) as error:
        for word, kind in (
            ("there is no column", errors.UnknownColumnError),
            ("holds text", errors.InvalidDtypeError),
            ("cast it", errors.InvalidDtypeError),
            ("fitted on numbers", errors.InvalidDtypeError),
            ("twice", errors.InvalidArgumentError),
            ("does not know", errors.InvalidValueError),
        ):
            if word in str(error):
                raise kind(str(error)) from None
        raise


def test_what_does_not_speak_the_interface_is_told_so():
    with pytest.raises(errors.InvalidArgumentError, match="PyCapsule"):
        earth.predict_arrow(NUMBERS, X)

    class Liar:
        def __arrow_c_stream__(self, requested_schema=None):
            return object()

    class Broken:
        def __arrow_c_array__(self, requested_schema=None):
            raise KeyError("mine")

    for call in (earth.predict, earth.predict_arrow):
        with pytest.raises(TypeError):
            call(NUMBERS, Liar())
        with pytest.raises(KeyError, match="mine"):
            call(NUMBERS, Broken())


def test_a_capsule_that_was_used_is_refused():
    pa = pytest.importorskip("pyarrow")
    batch = pa.record_batch({"x": X})
    used = batch.__arrow_c_array__()

    class Twice:
        def __arrow_c_array__(self, requested_schema=None):
            return used

    assert earth.predict(NUMBERS, Twice()).tolist() == (10 * X).tolist()
    for call in (earth.predict, earth.predict_arrow):
        with pytest.raises(errors.InvalidBatchError, match="released already"):
            call(NUMBERS, Twice())


def test_no_arrow_library_is_imported():
    code = (
        "import sys, json, polars as pl, pymars as earth;"
        "spec = json.loads(sys.argv[1]);"
        "frame = pl.DataFrame({'x': [1.0, 2.0]});"
        "assert earth.predict(spec, frame).tolist() == [10.0, 20.0];"
        "back = pl.DataFrame(earth.predict_arrow(spec, frame));"
        "assert back['y'].to_list() == [10.0, 20.0];"
        "assert 'pyarrow' not in sys.modules"
    )
    pytest.importorskip("polars")
    import json

    subprocess.run([sys.executable, "-c", code, json.dumps(NUMBERS)], check=True)

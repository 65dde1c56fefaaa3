"""Tables larger than memory: bounded batches, the same bits, typed errors."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import pymars
from pymars import errors
from pymars.cli import main

FEATURES = ["a", "b", "c"]
SPEC = {
    "spec_version": "1.0",
    "allow_missing": False,
    "features": [{"name": name} for name in FEATURES],
    "responses": ["y"],
    "terms": [
        {"kind": "constant", "coefficients": [0.1]},
        {"kind": "hinge", "feature": 0, "knot": 0.3, "side": "right", "coefficients": [1.7]},
        {"kind": "hinge", "feature": 0, "knot": 0.3, "side": "left", "coefficients": [-0.7]},
        {"kind": "hinge", "feature": 2, "knot": 0.5, "side": "left", "coefficients": [0.9],
         "parent": 1},
        {"kind": "linear", "feature": 1, "coefficients": [1 / 3]},
    ],
}  # fmt: skip
ROWS = 10_000


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pymars.save_model(SPEC, "model.json")
    return tmp_path


@pytest.fixture
def table():
    X = np.random.default_rng(5).normal(size=(ROWS, 3))
    return pa.table({"c": X[:, 2], "more": X[:, 0], "a": X[:, 0], "b": X[:, 1]})


def write(table, name):
    path = Path(name)
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=3000)
    elif path.suffix == ".csv":
        table.to_pandas().to_csv(path, index=False, float_format="%.17g")
    elif path.stem == "stream":
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=1234)
    else:
        compressed = pa.ipc.IpcWriteOptions(compression="zstd" if "packed" in name else None)
        with pa.ipc.new_file(path, table.schema, options=compressed) as writer:
            writer.write_table(table, max_chunksize=1234)
    return path


FILES = ["t.parquet", "t.arrow", "packed.arrow", "stream.arrow", "t.ipc", "t.csv"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("limit", ["7MB", 6_500_000, "1GiB"])
def test_a_file_in_batches_is_the_file_at_once(name, limit, folder, table):
    expected = pymars.predict("model.json", table)
    replay = pymars.predict_batches("model.json", write(table, name), memory_limit=limit)
    found = np.concatenate(list(replay))
    assert np.array_equal(found, expected)
    assert replay.info["rows"] == ROWS
    assert replay.n_rows in (None, ROWS)


@pytest.mark.parametrize("rows", [1, 63, 64, 65, 4096, 9999])
def test_the_size_of_a_batch_changes_no_bit(rows, table):
    X = np.column_stack([table.column(name).to_numpy() for name in FEATURES])
    expected = pymars.predict(SPEC, table)
    array = list(pymars.predict_batches(SPEC, X, memory_limit=8 * rows))
    assert max(map(len, array)) == rows
    streamed = list(pymars.predict_batches(SPEC, table, memory_limit=32 * rows))
    assert max(map(len, streamed)) == rows
    for found in (array, streamed):
        assert np.array_equal(np.concatenate(found), expected)
    pieces = pymars.predict_batches(SPEC, [X[:100], table.slice(100, 20), X[120:]])
    assert np.array_equal(np.concatenate(list(pieces)), expected)


def test_a_mapped_array_is_read_in_batches(folder, table):
    X = np.column_stack([table.column(name).to_numpy() for name in FEATURES])
    np.save("x.npy", X.astype(np.float32))
    mapped = np.load("x.npy", mmap_mode="r")
    found = np.concatenate(list(pymars.predict_batches(SPEC, mapped, memory_limit=4096)))
    assert np.array_equal(found, pymars.predict(SPEC, X.astype(np.float32).astype(float)))


MEASURE = """
import sys, pyarrow as pa, pyarrow.parquet, pymars
from pathlib import Path
def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(key))
path, limit = sys.argv[1], int(sys.argv[2])
for _ in pymars.predict_batches("model.json", "small" + Path(path).suffix, memory_limit=limit):
    pass  # what is loaded late is no part of it
before = status("RssAnon")  # pages of a mapped file are the system's cache
replay = pymars.predict_batches("model.json", path, memory_limit=limit)
total = taken = 0
for found in replay:
    total += len(found)
    taken = max(taken, status("RssAnon") - before)
print(total, taken, replay.info["bytes_peak"])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", ["t.parquet", "packed.arrow"])
def test_memory_stays_near_the_limit_for_a_file_that_is_larger(name, folder):
    n, limit = 2_000_000, 16_000_000
    X = np.random.default_rng(5).normal(size=(n, 3))
    table = pa.table({name: X[:, k] for k, name in enumerate(FEATURES)})
    write(table.slice(0, 5000), "small" + Path(name).suffix)
    if name == "t.parquet":
        pq.write_table(table, name, row_group_size=n)
    else:
        write(table, name)
    assert Path(name).stat().st_size > 2 * limit
    home = str(Path(pymars.__file__).parents[1])
    command = [sys.executable, "-c", MEASURE, name, str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONPATH": home})
    assert done.returncode == 0, done.stderr
    total, taken, reported = map(int, done.stdout.split())
    assert total == n
    assert reported <= limit
    # The pools of Arrow keep some of what was freed.
    assert taken <= limit + 24_000_000, f"{taken} bytes"


def test_the_command_line_writes_batch_by_batch(folder, table):
    expected = pymars.predict("model.json", table)
    write(table, "t.parquet")
    for name in ("out.parquet", "out.arrow", "out.csv"):
        arguments = ["predict", "model.json", "t.parquet", "-o", name, "--stats"]
        done = CliRunner().invoke(main, [*arguments, "--memory-limit", "13MB"])
        assert done.exit_code == 0, done.output
        figures = dict(re.findall(r"^(\w+) (\S+)$", done.stderr, re.MULTILINE))
        assert int(figures["rows"]) == ROWS
        assert int(figures["bytes_peak"]) <= 13_000_000
        if name.endswith("csv"):
            found = np.loadtxt(name, skiprows=1)
        elif name.endswith("arrow"):
            found = pa.ipc.open_file(name).read_all().column("y").to_numpy()
        else:
            found = pq.read_table(name).column("y").to_numpy()
        assert np.array_equal(found, expected)


BAD = {
    "no limit": ("t.csv", "much", errors.InvalidArgumentError, "512MB"),
    "limit of nothing": ("t.csv", 0, errors.InvalidArgumentError, "1 byte or more"),
    "pages do not fit": ("t.parquet", "1MB", errors.LimitExceededError, "memory_limit"),
    "a packed batch does not fit": ("packed.arrow", 5000, errors.LimitExceededError, "smaller"),
    "absent": ("absent.arrow", "1MB", errors.ModelFileError, "cannot be read"),
    "not Parquet": ("fake.parquet", "1GB", errors.InvalidDataError, "not a Parquet file"),
    "not Arrow": ("fake.arrow", "1GB", errors.InvalidDataError, "not an Arrow file"),
    "no source": (7, "1GB", errors.InvalidArgumentError, "a source is"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_a_typed_error(name, folder, table):
    source, limit, kind, says = BAD[name]
    Path("fake.parquet").write_text("nothing")
    Path("fake.arrow").write_text("nothing")
    if isinstance(source, str) and not source.startswith(("fake", "absent")):
        write(table, source)
    with pytest.raises(kind, match=says):
        list(pymars.predict_batches(SPEC, source, memory_limit=limit))


def test_an_error_says_in_which_batch_it_lies(table):
    X = np.zeros((1000, 3))
    X[700, 1] = np.nan
    replay = pymars.predict_batches(SPEC, X, memory_limit=800)
    with pytest.raises(errors.MissingValueError, match="batch that starts at row 700: row 0"):
        list(replay)


def test_a_failed_replay_leaves_no_file(folder, table):
    values = table.column("a").to_numpy().copy()
    values[9000] = np.nan
    write(table.set_column(2, "a", pa.array(values)), "t.parquet")
    for name in ("out.parquet", "out.arrow", "out.csv"):
        done = CliRunner().invoke(main, ["predict", "model.json", "t.parquet", "-o", name])
        assert done.exit_code == 2
    assert sorted(path.name for path in folder.iterdir()) == ["model.json", "t.parquet"]

"""The command line as a user meets it: files in, files out, one line and status 2 on bad input."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import pymars
from pymars.cli import main


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2)
    X = rng.uniform(size=(120, 2))
    y = np.abs(X[:, 0] - 0.5) + 0.2 * X[:, 1]
    group = np.where(X[:, 1] > 0.5, "high", "low")
    with open("train.csv", "w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["a", "b", "group", "w", "y"])
        writer.writerows(zip(X[:, 0], X[:, 1], group, np.ones(120), y, strict=True))
    pq.write_table(pa.table({"a": X[:, 0], "b": X[:, 1], "y": y}), "train.parquet")
    return tmp_path


def run(*arguments: str, status: int = 0):
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == status, result.output
    if status == 2:
        assert "Traceback" not in result.output
    return result


def read(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(Path(name).read_text().splitlines()))


FIT = ["fit", "train.csv", "-t", "y", "-o", "model.json", "--ignore", "group", "--ignore", "w"]


def test_fit_predict_inspect_validate(folder):
    shown = run(*FIT).output
    assert "GCV" in shown
    assert "saved model.json" in shown
    run("predict", "model.json", "train.csv", "-o", "found.csv")
    rows, given = read("found.csv"), read("train.csv")
    table = {name: [float(row[name]) for row in given] for name in "ab"}
    expected = pymars.predict("model.json", table)
    assert [float(row["y"]) for row in rows] == expected.tolist(), "text gives numbers back exactly"
    assert run("predict", "model.json", "train.csv", "--threads", "2").output.splitlines()[0] == "y"
    assert "ModelSpec 1.0 by mars-earth" in run("inspect", "model.json").output
    assert json.loads(run("inspect", "model.json", "--json").output)["features"] == ["a", "b"]
    assert "valid ModelSpec" in run("validate", "model.json").output
    assert "mars-earth 2.0.0" in run("doctor").output
    assert "2.0.0" in run("--version").output


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminal to be had")
@pytest.mark.parametrize(("data", "said"), [("train.csv", "120"), ("train.parquet", "120/120")])
def test_a_terminal_sees_how_many_rows_are_done(data, said, folder):
    run(*FIT)
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "pymars.cli", "predict", "model.json", data, "-o", "p.csv"]
    subprocess.run(command, stderr=theirs, stdout=subprocess.DEVNULL, check=True)
    os.close(theirs)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert "rows" in shown
    assert said in shown
    assert len(read("p.csv")) == 120


def test_a_newer_minor_version_warns(folder):
    run(*FIT)
    spec = json.loads(Path("model.json").read_text())
    Path("newer.json").write_text(json.dumps({**spec, "spec_version": "1.99"}))
    shown = run("validate", "newer.json").output
    assert "warning: the model has spec_version 1.99" in shown
    assert "newer.json: valid ModelSpec" in shown


def test_parquet_both_ways(folder):
    run("fit", "train.parquet", "-t", "y", "-o", "model.json", "-q")
    run("predict", "model.json", "train.parquet", "-o", "found.parquet")
    found = pq.read_table("found.parquet").column("y").to_numpy()
    table = pq.read_table("train.parquet").select(["a", "b"])
    assert np.array_equal(found, pymars.predict("model.json", table))


def test_categories_weights_and_several_responses(folder):
    run("fit", "train.csv", "-t", "y", "-t", "b", "-c", "group", "--weights", "w", "-o", "m.json")
    spec = json.loads(Path("m.json").read_text())
    assert spec["responses"] == ["y", "b"]
    assert spec["features"][1] == {"name": "group", "categories": ["high", "low"]}
    run("predict", "m.json", "train.csv", "-o", "found.csv")
    assert Path("found.csv").read_text().splitlines()[0] == "y,b"


def test_empty_cells_need_leave(folder):
    Path("gaps.csv").write_text(
        "a,y\n" + "".join(f"{'' if i == 3 else i},{i % 7}\n" for i in range(40))
    )
    shown = run("fit", "gaps.csv", "-t", "y", "-o", "m.json", status=2).output
    assert "row 3 has no value" in shown
    assert not Path("m.json").exists()
    run("fit", "gaps.csv", "-t", "y", "-o", "m.json", "--allow-missing")


BAD = {
    "no such file": (["fit", "absent.csv", "-t", "y", "-o", "m.json"], "No such file"),
    "no such column": (["fit", "train.csv", "-t", "z", "-o", "m.json"], "no column 'z'"),
    "near miss": (["fit", "train.csv", "-t", "grup", "-o", "m.json"], "is 'group' meant?"),
    "text column": (["fit", "train.csv", "-t", "y", "-o", "m.json"], "--categorical group"),
    "no such folder": ([*FIT[:5], "nowhere/m.json", *FIT[6:]], "cannot be written"),
    "bad option": ([*FIT, "--max-degree", "0"], "max_degree is 0"),
    "no model": (["predict", "absent.json", "train.csv"], "No such file"),
    "no json": (["validate", "train.csv"], "not a readable JSON document"),
    "not parquet": (["predict", "good.json", "fake.parquet"], "Parquet"),
    "header only": (["predict", "good.json", "header.csv"], "no rows"),
    "ragged": (["predict", "good.json", "ragged.csv"], "row 3 has 1 cells"),
    "not utf-8": (["predict", "good.json", "latin.csv"], "UTF-8"),
    "twice": (["predict", "good.json", "twice.csv"], "stand twice"),
    "missing column": (["predict", "good.json", "other.csv"], "is 'aa' meant?"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_status_2(name, folder):
    run(*[a if a != "model.json" else "good.json" for a in FIT])
    Path("fake.parquet").write_text("not parquet")
    Path("header.csv").write_text("a,b\n")
    Path("ragged.csv").write_text("a,b\n1,2\n1\n")
    Path("latin.csv").write_bytes("a,b\n1,\xe9\n".encode("latin-1"))
    Path("twice.csv").write_text("a,a\n1,2\n")
    Path("other.csv").write_text("aa,b\n1,2\n")
    before = sorted(folder.iterdir())
    arguments, says = BAD[name]
    shown = run(*arguments, status=2).output
    assert says in shown
    assert len(shown.strip().splitlines()) == 1
    assert sorted(folder.iterdir()) == before, "nothing is written"


def test_the_installed_command_exits_with_2(folder):
    done = subprocess.run(
        [sys.executable, "-m", "pymars.cli", "validate", "absent.json"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("mars-earth: absent.json: cannot be read")
    assert done.stdout == ""


@pytest.mark.parametrize(
    "command", [[], ["fit"], ["predict"], ["inspect"], ["validate"], ["doctor"]]
)
def test_help(command):
    shown = run(*command, "--help").output
    assert "Usage:" in shown
    if not command:
        assert "Examples:" in shown
        assert "_MARS_EARTH_COMPLETE" in shown


@pytest.mark.parametrize("span", ["5", "0.05", "-3"])
def test_options_of_the_estimator_are_options_of_the_command(tmp_path, span):
    rows = ["a,y", *(f"{k / 50},{abs(k / 50 - 0.5)}" for k in range(51))]
    (tmp_path / "d.csv").write_text("\n".join(rows), encoding="utf-8")
    out = tmp_path / "m.json"
    arguments = ["fit", str(tmp_path / "d.csv"), "-t", "y", "-o", str(out), "--compat", "earth"]
    result = CliRunner().invoke(main, [*arguments, "--minspan", span, "--pmethod", "exhaustive"])
    assert result.exit_code == 0, result.output
    assert out.exists()


def test_a_span_that_is_no_number_is_refused_before_anything_is_read(tmp_path):
    arguments = ["fit", "absent.csv", "-t", "y", "-o", str(tmp_path / "m.json"), "--minspan", "x"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "'x'" in result.output

"""Loading, saving and replaying models in every form they come in."""

import json
import os
import pickle
import threading

import numpy as np
import pytest

import pymars
from pymars.errors import (
    InvalidArgumentError,
    InvalidSpecError,
    MalformedSpecError,
    MissingValueError,
    ModelFileError,
    ShapeMismatchError,
)

SPEC = {
    "spec_version": "1.0",
    "allow_missing": False,
    "features": [{"name": "x"}, {"name": "unused"}],
    "responses": ["y"],
    "terms": [
        {"kind": "constant", "coefficients": [1.0]},
        {"kind": "hinge", "feature": 0, "knot": 2.0, "side": "right", "coefficients": [3.0]},
    ],
}
ROWS = np.array([[1.0, 0.0], [4.0, 0.0]])


@pytest.fixture
def threads_unset(monkeypatch):
    monkeypatch.delenv("MARS_EARTH_THREADS", raising=False)
    yield
    pymars.set_runtime_threads(None)


def test_every_form_of_a_model_replays_alike(tmp_path):
    path = pymars.save_model(SPEC, tmp_path / "model.json")
    model = pymars.load_model(path)
    forms = [SPEC, path, str(path), json.dumps(SPEC), "  " + json.dumps(SPEC), model]
    for form in forms:
        assert pymars.predict(form, ROWS).tolist() == [1.0, 7.0]
        assert pymars.design_matrix(form, ROWS).tolist() == [[1.0, 0.0], [1.0, 2.0]]
        assert pymars.load_model(form) == model
        assert pymars.validate(form) == []
    assert pickle.loads(pickle.dumps(model)) == model
    assert hash(pymars.load_model(SPEC)) == hash(model)
    assert model != SPEC
    assert "2 terms on 2 features" in repr(model)


def test_the_spec_is_a_copy():
    model = pymars.load_model(SPEC)
    model.spec["terms"].clear()
    assert len(model.spec["terms"]) == 2


@pytest.mark.parametrize("form", [None, 3, b"bytes", ["list"], object()])
def test_what_is_no_model_is_named(form):
    with pytest.raises(InvalidArgumentError, match=type(form).__name__):
        pymars.load_model(form)


def test_a_dict_that_is_no_json_is_named():
    with pytest.raises(InvalidArgumentError, match="not a JSON document"):
        pymars.load_model({"spec_version": object()})
    loop = {}
    loop["self"] = loop
    with pytest.raises(InvalidArgumentError, match="not a JSON document"):
        pymars.load_model(loop)
    with pytest.raises(MalformedSpecError):
        pymars.load_model(dict(SPEC, fit={"gcv": float("nan")}))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ModelFileError, match="No such file"):
        pymars.load_model(tmp_path / "absent.json")
    with pytest.raises(ModelFileError, match="directory"):
        pymars.load_model(tmp_path)
    with pytest.raises(ModelFileError):
        pymars.load_model("a\0b")
    (tmp_path / "half.json").write_text(json.dumps(SPEC)[:40])
    with pytest.raises(MalformedSpecError):
        pymars.load_model(tmp_path / "half.json")


def test_a_failed_save_leaves_nothing_behind(tmp_path):
    with pytest.raises(ModelFileError):
        pymars.save_model(SPEC, tmp_path / "nowhere" / "model.json")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ModelFileError):
        pymars.save_model(SPEC, tmp_path / "folder")
    target = tmp_path / "model.json"
    target.write_text("before")
    with pytest.raises(InvalidSpecError):
        pymars.save_model(dict(SPEC, terms=[]), target)
    assert target.read_text() == "before"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "model.json"]


def test_a_saved_file_has_the_users_permissions(tmp_path):
    before = os.umask(0o027)
    try:
        path = pymars.save_model(SPEC, tmp_path / "model.json")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_inspect_describes():
    found = pymars.inspect(SPEC)
    assert found["n_terms"] == 2
    assert found["max_degree"] == 1
    assert [term["label"] for term in found["terms"]] == ["(Intercept)", "h(x-2)"]
    json.dumps(found)


def test_replay_looks_only_at_the_features_in_use():
    rows = ROWS.copy()
    rows[0, 1] = np.nan
    assert pymars.predict(SPEC, rows).tolist() == [1.0, 7.0]
    rows[1, 0] = np.nan
    with pytest.raises(MissingValueError, match="row 1"):
        pymars.predict(SPEC, rows)


def test_rows_that_do_not_fit():
    with pytest.raises(ShapeMismatchError, match="2 features"):
        pymars.predict(SPEC, np.ones((2, 3)))
    with pytest.raises(ShapeMismatchError):
        pymars.predict(SPEC, [1.0, 2.0])


def test_thread_counts_are_resolved_in_order(threads_unset, monkeypatch):
    assert pymars.runtime_threads() == 1
    monkeypatch.setenv("MARS_EARTH_THREADS", "3")
    assert pymars.runtime_threads() == 3
    pymars.set_runtime_threads(2)
    assert pymars.runtime_threads() == 2
    pymars.set_runtime_threads(None)
    monkeypatch.setenv("MARS_EARTH_THREADS", "many")
    with pytest.raises(InvalidArgumentError, match="MARS_EARTH_THREADS is 'many'"):
        pymars.predict(SPEC, ROWS)


@pytest.mark.parametrize("threads", [0, -1, 1.5, "two", True, float("inf"), 2**40])
def test_bad_thread_counts_are_named(threads):
    with pytest.raises(InvalidArgumentError, match="threads is"):
        pymars.predict(SPEC, ROWS, threads=threads)
    with pytest.raises(InvalidArgumentError, match="threads is"):
        pymars.set_runtime_threads(threads)


def test_callers_may_share_a_model():
    model = pymars.load_model(SPEC)
    rows = np.random.default_rng(0).uniform(0, 5, size=(50_000, 2))
    expected = pymars.predict(model, rows)
    found = [None] * 8

    def work(k):
        found[k] = pymars.predict(model, rows, threads=1 + k % 3)

    workers = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(np.array_equal(one, expected) for one in found)


def test_the_lock_is_released_while_the_core_works():
    rng = np.random.default_rng(0)
    X = rng.uniform(size=(60_000, 8))
    y = np.sin(9 * X[:, 0]) + X[:, 1] * X[:, 2]
    ticks, done = [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(1)
            done.wait(0.005)

    watcher = threading.Thread(target=tick)
    watcher.start()
    try:
        before = len(ticks)
        pymars.Earth(max_degree=2).fit(X, y)
        during = len(ticks) - before
    finally:
        done.set()
        watcher.join()
    assert during >= 3, "another thread must run while the core fits"

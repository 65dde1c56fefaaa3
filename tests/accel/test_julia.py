"""The Julia kernels in a plain Julia, and the tier around them where juliacall cannot be had."""

import os
import shutil
import struct
import subprocess
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from support import POLICY, ROOT, home
from test_conformance_of_tiers import CASES, close, expected, rows

from pymars import accel
from pymars.accel import inputs, julia, probes
from pymars.accel.flat import flatten
from pymars.accel.rows import read

HERE = Path(__file__).parent
ROOM = "debian-bullseye-julia"
NAMES = ("design_matrix", "gcv_path", "knot_scan", "predict")


def dump(path, value):
    array = np.asarray(value)
    whole = array.dtype.kind in "iu"
    array = np.ascontiguousarray(array, np.int64 if whole else np.float64).reshape(array.shape)
    head = struct.pack(f"<{2 + array.ndim}q", 1 if whole else 0, array.ndim, *array.shape)
    path.write_bytes(head + array.tobytes())


def take(path):
    content = path.read_bytes()
    (axes,) = struct.unpack_from("<q", content, 8)
    lengths = struct.unpack_from(f"<{axes}q", content, 16)
    return np.frombuffer(content, "<f8", offset=16 + 8 * axes).reshape(lengths)


def run(calls, folder, source=julia.SOURCE):
    """Call kernels in a process of Julia: on the PATH, else in a clean room where one is wanted."""
    for k, (name, arguments) in enumerate(calls):
        place = folder / f"{k:04}"
        place.mkdir()
        (place / "name").write_text(name)
        for i, argument in enumerate(arguments, 1):
            dump(place / f"{i}.bin", argument)
    if shutil.which("julia"):
        command = ["julia", HERE / "julia_driver.jl", source, folder]
        subprocess.run(command, check=True)
    elif os.environ.get("HPC_NEED_JULIA"):
        from hpcgate.cleanroom import open_room

        mounts = {HERE: "/opt/tests", source.parent: "/opt/julia"}
        with open_room(ROOM, ROOT, mounts=mounts, memory=64 << 30) as room:
            shutil.copytree(folder, room.work / "calls")
            command = [
                "julia",
                "/opt/tests/julia_driver.jl",
                "/opt/julia/kernels.jl",
                "/work/calls",
            ]
            done = room.run(command)
            assert done.ok, done.why
            shutil.copytree(room.work / "calls", folder, dirs_exist_ok=True)
    else:
        pytest.skip("no julia here; nox -s accel runs it in a clean room")
    return [take(folder / f"{k:04}" / "out.bin") for k in range(len(calls))]


def arguments_of(name, arguments):
    """The arguments of a kernel for those of a function."""
    if name in ("gcv_path", "knot_scan"):
        return accel.get(name)._prepare(*arguments)
    spec, table = read(*arguments)
    flat = flatten(spec)
    return (table, *julia._terms(flat), *([flat.coefficients] if name == "predict" else []))


def test_the_kernels_agree_with_the_floor(tmp_path):
    cases = [(name, size, seed) for name in NAMES for size in (1, 2, 40, 300) for seed in range(5)]
    given = [(name, inputs.make(name, min(size, 60) if name == "gcv_path" else size, seed))
             for name, size, seed in cases]  # fmt: skip
    found = run([(name, arguments_of(name, arguments)) for name, arguments in given], tmp_path)
    for (name, arguments), values in zip(given, found, strict=True):
        tolerance = POLICY.functions[name].tolerance
        with accel.using("python"):
            wanted = accel.get(name)(*arguments)
        values = values[:, 0] if name == "predict" else values
        assert values.shape == wanted.shape
        np.testing.assert_allclose(values, wanted, tolerance.rtol, tolerance.atol)


def test_the_kernels_meet_the_frozen_vectors(tmp_path):
    cases = [case for case in CASES if not case["spec"].get("link")]
    calls = []
    for case in cases:
        flat = flatten(case["spec"])
        calls.append(("design_matrix", (rows(case), *julia._terms(flat))))
        calls.append(("predict", (rows(case), *julia._terms(flat), flat.coefficients)))
    found = iter(run(calls, tmp_path))
    for case in cases:
        close(next(found), expected(case, "design_matrix"))
        values = next(found)
        wanted = expected(case, "predictions")
        close(values[:, 0] if wanted.ndim == 1 else values, wanted)


def test_the_kernels_of_the_tutorial_agree_with_their_floors(tmp_path):
    kuramoto = home("order_parameter")
    cases = [(name, size, seed) for name in ("order_parameter", "kuramoto_euler")
             for size in (1, 2, 40) for seed in range(3)]  # fmt: skip
    given = [(name, kuramoto.make(name, size, seed)) for name, size, seed in cases]
    found = run(given, tmp_path, kuramoto.HERE / "kernels.jl")
    for (name, arguments), values in zip(given, found, strict=True):
        with accel.using("python"):
            wanted = np.asarray(accel.get(name)(*arguments))
        assert values.shape == wanted.shape
        np.testing.assert_allclose(values, wanted, 1e-10, 1e-10)


def test_the_tier_of_the_tutorial_starts_once_it_is_told(monkeypatch):
    kuramoto = home("order_parameter")
    assert kuramoto.probe_julia() == "is not started; call kuramoto.warm_julia()"
    with pytest.raises(ImportError, match="is not started"):
        kuramoto.julia()
    module, included = types.ModuleType("juliacall"), []
    floors = {name: accel.get(name).floor for name in ("order_parameter", "kuramoto_euler")}
    module.Main = types.SimpleNamespace(
        include=included.append, Kuramoto=types.SimpleNamespace(**floors)
    )
    monkeypatch.setitem(sys.modules, "juliacall", module)
    monkeypatch.setattr(kuramoto, "_julia", None)
    kuramoto.warm_julia()
    assert included == [(kuramoto.HERE / "kernels.jl").as_posix()]
    for name in floors:
        with accel.using("julia"):
            accel.get(name)(*kuramoto.make(name, 6))
        assert accel.get(name).last_tier == "julia"
    raised = []

    def work():
        try:
            kuramoto.julia()
        except RuntimeError as error:
            raised.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert raised == ["Julia runs on the thread that called warm_julia() alone"]
    monkeypatch.undo()
    accel.refresh()


def test_without_juliacall_the_tier_says_so(monkeypatch):
    monkeypatch.setattr(probes.importlib.util, "find_spec", lambda _: None)
    assert "pip install 'juliacall" in probes.julia()
    with pytest.raises(ImportError, match="juliacall is not installed"):
        julia.gcv_path(np.eye(2), np.ones((2, 1)), 1.0, 10, 3.0)


class Floor:
    """What juliacall's module of kernels looks like from Python; it answers with the floor."""

    def __init__(self):
        self.included = []

    def include(self, path):
        self.included.append(path)
        self.MarsKernels = self

    def gcv_path(self, *arguments):
        return np.asfortranarray(accel.gcv_path.floor(*arguments))

    def knot_scan(self, *arguments):
        return accel.knot_scan.floor(*arguments)

    def design_matrix(self, x, *terms):
        return np.zeros((len(x), int(terms[2].max()) + 1))

    def predict(self, x, *terms):
        return np.zeros((len(x), terms[-1].shape[1]))


@pytest.fixture
def started(monkeypatch):
    """A stand-in for juliacall, which needs a registry to start: the wrapper is what is tried."""
    module = types.ModuleType("juliacall")
    module.Main = Floor()
    monkeypatch.setitem(sys.modules, "juliacall", module)
    monkeypatch.setattr(probes.importlib.util, "find_spec", lambda _: module)
    monkeypatch.setattr(julia, "_started", None)
    assert probes.julia() == "is not started; call pymars.accel.julia.warm()"
    julia.warm()
    julia.warm()
    yield module.Main
    monkeypatch.undo()
    accel.refresh()


def test_it_starts_once_and_answers(started):
    assert started.included == [julia.SOURCE.as_posix()]
    assert probes.julia() == ""
    for name in NAMES:
        arguments = inputs.make(name, 6)
        with accel.using("julia"):
            found = accel.get(name)(*arguments)
        assert accel.get(name).last_tier == "julia"
        assert found.flags.c_contiguous
        with accel.using("python"):
            assert found.shape == accel.get(name)(*arguments).shape


def test_it_belongs_to_the_thread_that_started_it(started):
    raised = []

    def work():
        try:
            julia.gcv_path(np.eye(2), np.ones((2, 1)), 1.0, 10, 3.0)
        except RuntimeError as error:
            raised.append(str(error))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert raised == ["Julia runs on the thread that called warm() alone"]

"""The Go sidecar: it starts on request, keeps its limits, and ends with its caller."""

import functools
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import pymars as earth
from hpcgate.cleanroom.containers import launchers
from pymars import errors
from pymars.accel import go, inputs
from pymars.accel.dispatcher import TierError
from pymars.accel.go import Sidecar, binary, frame, probe

SOURCE = Path(__file__).parents[2] / "packages" / "go-sidecar"
GO = shutil.which("go") or shutil.which("/usr/local/go/bin/go")
needs_go = pytest.mark.skipif(GO is None, reason="no go here; see packages/go-sidecar/README.md")


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    if GO is None:
        pytest.skip("no go here; see packages/go-sidecar/README.md")
    target = tmp_path_factory.mktemp("go") / "mars-earth-sidecar"
    build(target)
    return target


def build(target):
    flags = ["-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid="]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOPROXY": "off"}
    subprocess.run(
        [GO, "build", *flags, "-o", target, "."], cwd=SOURCE, env=environment, check=True
    )


def model(intercept=1.0, **changes):
    spec = {**inputs.model_spec(), **changes}
    spec["terms"][0]["coefficients"] = [intercept]
    return earth.load_model(spec)


def rows(size=600):
    return inputs.make("predict", size)[1]


def test_many_models_agree_with_the_core(program):
    models = [model(float(k)) for k in range(7)]
    links = ("logit", "log", "inverse", "cloglog")
    models += [model(spec_version="1.1", link=link) for link in links]
    X = rows()
    with Sidecar(program) as sidecar:
        found = sidecar.predict(models, X)
        assert sidecar.predict([], X) == []
        assert sidecar.health() == {"status": "ok", "version": "2.0.0"}
    for values, each in zip(found, models, strict=True):
        expected = earth.predict(each, X)
        assert (values.shape, values.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(values, expected, 1e-10, 1e-10)


def test_no_rows_and_one_row_and_a_part_of_a_block(program):
    with Sidecar(program) as sidecar:
        for X in (rows(0), rows(1), rows(257)):
            (found,) = sidecar.predict([model()], X)
            np.testing.assert_allclose(found, earth.predict(model(), X), 1e-10, 1e-10)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda X: X[:, :-1], errors.ShapeMismatchError),
        (lambda X: with_value(X, 3, 0, np.nan), errors.MissingValueError),
        (lambda X: with_value(X, 500, 9, 7.0), errors.InvalidValueError),
        (lambda X: with_value(X, 2, 9, 0.5), errors.InvalidValueError),
    ],
)
def test_rows_that_do_not_fit_are_refused_as_by_the_core(program, change, error):
    X = change(rows())
    with Sidecar(program) as sidecar, pytest.raises(error):
        sidecar.predict([model()], X)
    with pytest.raises(error):
        earth.predict(model(), X)


def with_value(X, row, column, value):
    X[row, column] = value
    return X


def test_models_of_other_features_are_refused(program):
    spec = inputs.model_spec()
    spec["features"][0]["name"] = "other"
    with Sidecar(program) as sidecar, pytest.raises(ValueError, match="different features"):
        sidecar.predict([model(), spec], rows())


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ("-rows=10", "600 rows x 10 columns, the limits are 10 x"),
        ("-models=1", "2 models, the limit is 1"),
        ("-body-bytes=1000", "too large"),
    ],
)
def test_each_limit_is_kept(program, limit, message):
    with Sidecar(program, arguments=[limit]) as sidecar:
        with pytest.raises(errors.LimitExceededError, match=message):
            sidecar.predict([model(), model()], rows())
        assert sidecar.health()["status"] == "ok"


def test_a_request_that_takes_too_long_is_ended(program):
    with (
        Sidecar(program, arguments=["-time=1ns"]) as sidecar,
        pytest.raises(TierError, match="longer than its limit"),
    ):
        sidecar.predict([model()], rows())


def test_a_wrong_token_is_refused(program):
    with Sidecar(program) as sidecar:
        sidecar._token = "another"
        with pytest.raises(TierError, match="the token is not the one"):
            sidecar.predict([model()], rows())


def raw(sidecar, body, path="/v1/predict", method="POST"):
    return sidecar._ask(method, path, body)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"MEF1", 400),
        (b"XXXX\x00\x00\x00\x00", 400),
        (b"MEF1" + struct.pack("<I", 2**32 - 1), 413),
        (b"MEF1" + struct.pack("<I", 100) + b"{}", 400),
        (b"MEF1" + struct.pack("<I", 2) + b"[]", 400),
        (b"MEF1" + struct.pack("<I", 2) + b"{}", 413),
        (b"MEF1" + struct.pack("<I", 39) + b'{"models": [], "rows": 2, "columns": 2}', 400),
        (b"MEF1" + struct.pack("<I", 40) + b'{"models": [7], "rows": 0, "columns": 1}', 422),
        (b"MEF1" + struct.pack("<I", 41) + b'{"models": [{}], "rows": 0, "columns": 1}', 422),
        (b"MEF1" + struct.pack("<I", 39) + b'{"models": [], "rows": 0, "columns": 1} ', 400),
    ],
)
def test_hostile_frames_are_refused_and_the_service_lives(program, body, status):
    with Sidecar(program) as sidecar:
        found, answer = raw(sidecar, body)
        assert found == status, answer
        assert json.loads(answer)["error"]
        assert sidecar.health()["status"] == "ok"


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/predict", 405), ("GET", "/", 404)]
)
def test_nothing_else_is_served(program, method, path, status):
    with Sidecar(program) as sidecar:
        assert raw(sidecar, None, path, method)[0] == status


def test_the_socket_is_of_its_user_alone_and_goes(program):
    with Sidecar(program) as sidecar:
        path = sidecar._socket
        assert path.stat().st_mode & 0o077 == 0
        process = sidecar._process
    assert process.returncode == 0
    assert not path.exists()


def test_it_ends_when_its_caller_is_killed(program, tmp_path):
    code = """
import os, sys
from pymars.accel.go import Sidecar
sidecar = Sidecar(sys.argv[1]).__enter__()
print(sidecar._process.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    done = subprocess.run([sys.executable, "-c", code, program], stdout=subprocess.PIPE, text=True)
    pid = int(done.stdout)
    for _ in range(500):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the sidecar outlived its caller")


def test_a_program_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("MARS_EARTH_SIDECAR", str(tmp_path / "none"))
    assert binary() is None
    assert "build packages/go-sidecar" in probe()
    with pytest.raises(TierError, match="cannot run"):
        Sidecar().__enter__()
    with pytest.raises(TierError, match="cannot run"):
        Sidecar(tmp_path / "none").__enter__()
    with pytest.raises(TierError, match="not started"):
        Sidecar().health()


def test_a_program_that_ends_at_once_is_told(tmp_path):
    with pytest.raises(TierError, match="ended with status"):
        Sidecar(shutil.which("false")).__enter__()


def test_a_sidecar_that_is_gone_is_told(program):
    with Sidecar(program) as sidecar:
        sidecar._process.kill()
        sidecar._process.wait()
        with pytest.raises(TierError, match="does not answer"):
            sidecar.predict([model()], rows())


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"XXXX\x00\x00\x00\x00",
        b"MEF1\x10\x00\x00\x00",
        b"MEF1\x02\x00\x00\x00{}",
        b'MEF1\x12\x00\x00\x00{"shapes":[[1,1]]}',
        b'MEF1\x0d\x00\x00\x00{"shapes":[]}x',
        b'MEF1\x14\x00\x00\x00{"shapes":[[1,null]]}',
    ],
)
def test_an_answer_that_is_none_is_told(answer):
    with pytest.raises(TierError, match="cannot be read"):
        frame.read_answer(answer)


def test_answers_that_say_nothing_are_told():
    from pymars.accel.go import _refusal

    assert isinstance(_refusal(500, b"<html>"), TierError)
    assert isinstance(_refusal(429, b'{"kind": "busy", "error": "x"}'), TierError)
    assert isinstance(_refusal(422, b'{"kind": "missing_value", "error": "x"}'), ValueError)


@needs_go
def test_two_builds_are_the_same_bytes(program, tmp_path):
    build(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == program.read_bytes()


@needs_go
def test_gos_own_tests_pass():
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOPROXY": "off"}
    for command in (["vet", "./..."], ["test", "./..."]):
        done = subprocess.run(
            [GO, *command], cwd=SOURCE, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


# -- The container ---------------------------------------------------------------------------------

TOKEN, IMAGE = "MARS_EARTH_SIDECAR_TOKEN", "mars-earth-sidecar:2.0.0"


@pytest.fixture
def service(program, tmp_path, monkeypatch):
    """The service of the compose file, up under the first engine that starts containers here."""
    folder = tmp_path / "sidecar"
    shutil.copytree(SOURCE, folder)
    shutil.copy(program, folder / "mars-earth-sidecar")
    project = f"mars-earth-{os.getpid()}"
    monkeypatch.setenv(TOKEN, "f" * 32)
    refusals = []
    for launcher in launchers():
        podman = launcher.program == "podman"
        compose = [sys.executable, "-m", "podman_compose"] if podman else ["docker", "compose"]
        ask = functools.partial(in_engine, launcher, folder)
        build = ["build", *(["--format=docker"] if podman else []), "-t", IMAGE, "."]
        for line in (
            [*compose, "version"],
            [launcher.program, *build],
            [*compose, "-p", project, "up", "-d", "--no-build"],
        ):
            done = ask(*line)
            if done.returncode:
                break
        name = ask(launcher.program, "ps", "-q", "--filter", f"name={project}").stdout.strip()
        try:
            if name:
                yield functools.partial(ask, launcher.program), name, f"{project}_socket"
                return
            refusals.append(f"{launcher.version}: {done.stderr.strip()[-200:]}")
        finally:
            ask(*compose, "-p", project, "down", "-v")
    pytest.skip(f"no engine starts the service here: {refusals or 'none is installed'}")


def in_engine(launcher, folder, *words):
    line = launcher.around(words)
    return subprocess.run(line, cwd=folder, capture_output=True, text=True)


def test_the_service_of_the_compose_file(service, monkeypatch):
    ask, name, volume = service
    inspect = ["volume", "inspect", volume, "--format", "{{.Mountpoint}}"]
    place = Path(ask(*inspect).stdout.strip()) / "socket"
    models = [model(float(k)) for k in range(3)]
    with Sidecar(running=place) as sidecar:
        assert sidecar.health()["status"] == "ok"
        for values, each in zip(sidecar.predict(models, rows()), models, strict=True):
            np.testing.assert_allclose(values, earth.predict(each, rows()), 1e-10, 1e-10)
    monkeypatch.setenv(TOKEN, "e" * 32)
    with Sidecar(running=place) as sidecar, pytest.raises(TierError, match="token"):
        sidecar.predict(models, rows())
    check = ["/mars-earth-sidecar", "-check", "-socket=/run/mars-earth/socket"]
    assert ask("exec", name, *check).returncode == 0
    facts = "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.NetworkMode}} {{.Config.User}}"
    assert ask("inspect", name, "--format", facts).stdout.strip() == "true none 65534:65534"
    assert ask("stop", name).returncode == 0
    assert ask("inspect", name, "--format", "{{.State.ExitCode}}").stdout.strip() == "0"


def test_a_running_sidecar_is_neither_started_nor_ended(program, tmp_path, monkeypatch):
    monkeypatch.setenv(TOKEN, "f" * 32)
    place = tmp_path / "socket"
    process = subprocess.Popen([program, f"-socket={place}"])
    try:
        for _ in range(2):
            with Sidecar(running=place) as sidecar:
                (found,) = sidecar.predict([model()], rows())
            np.testing.assert_allclose(found, earth.predict(model(), rows()), 1e-10, 1e-10)
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(15) == 0
    monkeypatch.setattr(go, "_START", 0.1)
    with pytest.raises(TierError, match="is not healthy"):
        Sidecar(running=place).__enter__()

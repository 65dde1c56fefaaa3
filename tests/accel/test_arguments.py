"""What the scores refuse, and what the programs of the tiers print."""

import sys

import numpy as np
import pytest

import pymars as earth
from pymars import accel, errors
from pymars.accel import __main__ as listing
from pymars.accel import go, inputs, mojo, probes
from pymars.accel.mojo import __main__ as building


def path(**changes):
    r, z, rss, n, penalty = inputs.make("gcv_path", 3)
    given = {"r": r, "z": z, "rss": rss, "n": n, "penalty": penalty, **changes}
    return accel.gcv_path(**given)


def scan(**changes):
    names = ("x", "parent", "frame", "residual", "knots")
    given = dict(zip(names, inputs.make("knot_scan", 30), strict=True))
    return accel.knot_scan(**{**given, **changes})


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"r": np.eye(3)[:2]}, errors.ShapeMismatchError, "pass the square triangle"),
        ({"r": np.empty((0, 0))}, errors.ShapeMismatchError, "pass the square triangle"),
        ({"z": np.ones(4)}, errors.ShapeMismatchError, "one row per term"),
        ({"r": np.diag([1.0, 0.0, 1.0])}, errors.InvalidArgumentError, r"r\[1, 1\] is 0"),
        ({"r": np.ones((3, 3))}, errors.InvalidArgumentError, "below its diagonal"),
        ({"n": 0}, errors.InvalidArgumentError, "number of rows"),
        ({"n": 2.5}, errors.InvalidArgumentError, "number of rows"),
        ({"n": True}, errors.InvalidArgumentError, "number of rows"),
        ({"rss": np.inf}, errors.InvalidValueError, "rss is inf"),
        ({"penalty": np.nan}, errors.InvalidValueError, "penalty is nan"),
        ({"z": [[1j], [0], [0]]}, errors.InvalidDtypeError, "pass real numbers"),
    ],
)
def test_a_path_refuses(changes, error, message):
    with pytest.raises(error, match=message):
        path(**changes)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"parent": np.ones(3)}, errors.ShapeMismatchError, "parent has 3 rows and x 30"),
        ({"knots": [0.0, 0.0]}, errors.InvalidArgumentError, "do not rise"),
        ({"knots": 1.0}, errors.ShapeMismatchError, "knots has 0 axes; pass 1"),
        ({"x": np.full(30, np.nan)}, errors.InvalidValueError, "missing or infinite"),
    ],
)
def test_a_scan_refuses(changes, error, message):
    with pytest.raises(error, match=message):
        scan(**changes)


def test_large_values_whose_sum_overflows_are_taken():
    assert scan(knots=[]).shape == (0,)
    assert accel.knot_scan(*(np.array(v) for v in ([1e308] * 3, [1.0] * 3)), np.empty((3, 0)),
                           np.zeros(3), [0.0]).shape == (1,)  # fmt: skip


def test_the_core_checks_shapes_of_its_own():
    from pymars import _core

    eye, flat = np.eye(2), np.zeros(2)
    with pytest.raises(errors.ShapeMismatchError):
        _core.gcv_path(np.ones((2, 3)), eye, 1.0, 5, 3.0)
    with pytest.raises(errors.InvalidArgumentError, match="depends"):
        _core.gcv_path(np.zeros((2, 2)), eye, 1.0, 5, 3.0)
    with pytest.raises(errors.ShapeMismatchError):
        _core.knot_scan(np.zeros(3), flat, eye, eye, flat)
    with pytest.raises(errors.InvalidArgumentError, match="rise"):
        _core.knot_scan(flat, flat, eye, eye, flat)


def test_tables_and_garbage_have_one_outcome_in_all_tiers():
    model, X = inputs.make("predict", 4)
    table = {name: X[:, j] for j, name in enumerate(model.feature_names)}
    table["kind"] = X[:, -1]
    for tier in ("rust", "python"):
        with accel.using(tier):
            np.testing.assert_allclose(earth.predict(model, X.tolist()), earth.predict(model, X))
            with pytest.raises(ValueError, match=r"."):
                earth.predict(model, 7)
            with pytest.raises(errors.ShapeMismatchError):
                earth.predict(model, X[:, :3])


def test_the_listing_names_every_tier(capsys):
    assert listing.main() == 0
    printed = capsys.readouterr().out
    for name in accel.names():
        if name in ("design_matrix", "gcv_path", "knot_scan", "predict"):
            assert f"{name}: order " in printed
    assert "rust: agrees with the floor" in printed


def test_a_tier_that_disagrees_ends_with_status_1(monkeypatch, capsys):
    monkeypatch.setattr(listing.np, "allclose", lambda *_: False)
    assert listing.main() == 1
    assert "DISAGREES" in capsys.readouterr().out


def test_the_build_says_where_and_why_not(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(building, "build", lambda: tmp_path / "library.so")
    assert building.main() == 0
    assert "library.so" in capsys.readouterr().out

    def fails():
        raise RuntimeError("no mojo here")

    monkeypatch.setattr(building, "build", fails)
    assert building.main() == 1
    assert "no mojo here" in capsys.readouterr().err


def test_a_cache_that_cannot_be_had_is_told(monkeypatch):
    def fails():
        raise RuntimeError("no home")

    monkeypatch.setattr(probes, "mojo_library", fails)
    assert probes.mojo() == "has no cache: no home"


def test_a_system_without_unix_sockets_is_told(monkeypatch):
    monkeypatch.delattr(go.socket, "AF_UNIX")
    assert go.probe() == "needs Unix sockets"


def test_a_sidecar_that_never_gets_healthy_or_never_ends_is_ended(monkeypatch, tmp_path):
    stubborn = tmp_path / "stubborn"
    stubborn.write_text(
        f"#!{sys.executable}\nimport signal, socket, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "path = sys.argv[1].partition('=')[2]\n"
        "server = socket.socket(socket.AF_UNIX); server.bind(path)\n"
        "time.sleep(60)\n"
    )
    stubborn.chmod(0o755)
    monkeypatch.setattr(go, "_START", 1.0)
    monkeypatch.setattr(go, "_STOP", 0.2)
    with pytest.raises(go.TierError, match="not healthy after 1 seconds"):
        go.Sidecar(stubborn).__enter__()


def test_a_health_check_that_fails_is_told(monkeypatch):
    sidecar = go.Sidecar("none")
    monkeypatch.setattr(sidecar, "_ask", lambda *_: (500, b""))
    with pytest.raises(go.TierError, match="status 500"):
        sidecar.health()


def test_the_programs_end_with_their_status(monkeypatch, tmp_path):
    import runpy

    monkeypatch.setattr(mojo, "build", lambda: tmp_path / "library.so")
    for module in ("pymars.accel.mojo.__main__", "pymars.accel.__main__"):
        with pytest.raises(SystemExit) as caught:
            runpy.run_module(module, run_name="__main__")
        assert caught.value.code == 0

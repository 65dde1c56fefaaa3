"""What an installed mars-earth does: fit, store, replay, refuse."""

import subprocess

import numpy as np
import pytest

import pymars as earth
from pymars.errors import EarthError

X = np.arange(40.0).reshape(-1, 1)
Y = 3.0 + 2.0 * X[:, 0]


@pytest.fixture
def model():
    return earth.Earth(max_degree=1, penalty=3.0).fit(X, Y)


def test_a_line_is_found(model):
    assert abs(model.predict(X) - Y).max() < 1e-8


def test_a_stored_model_replays_the_same_bits(model, tmp_path):
    path = tmp_path / "model.json"
    earth.save_model(model, path)
    again = earth.load_model(path)
    assert earth.predict(again, X).tobytes() == np.asarray(model.predict(X)).tobytes()


def test_a_damaged_model_is_refused(model, tmp_path):
    path = tmp_path / "model.json"
    earth.save_model(model, path)
    path.write_text(path.read_text()[:40])
    with pytest.raises(EarthError):
        earth.load_model(path)


def test_the_command_says_its_version():
    done = subprocess.run(["mars-earth", "--version"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "2.0.0" in done.stdout

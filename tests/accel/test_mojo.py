"""The Mojo tier is absent unless built, and its library is loaded only where it may be trusted."""

import shutil
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest

from pymars import accel
from pymars.accel import inputs, mojo, probes
from pymars.accel.dispatcher import TierError

needs_mojo = pytest.mark.skipif(
    shutil.which("mojo", path=f"{Path(sys.executable).parent}:{__import__('os').environ['PATH']}")
    is None,
    reason="no mojo here; pip install mojo==1.2.0",
)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("MARS_EARTH_CACHE", str(tmp_path))
    accel.refresh()
    mojo._load.cache_clear()
    yield tmp_path
    mojo._load.cache_clear()
    accel.refresh()


def test_it_is_absent_unless_built(cache):
    assert probes.mojo() == "is not built; run python -m pymars.accel.mojo"
    with accel.using("mojo"), pytest.raises(TierError, match="is not built"):
        accel.gcv_path(*inputs.make("gcv_path", 5))
    with pytest.raises(ImportError, match="is not built"):
        mojo.gcv_path(*accel.gcv_path._prepare(*inputs.make("gcv_path", 5)))
    # In the measured order it is passed over, and the record says why.
    accel.gcv_path(*inputs.make("gcv_path", 5))
    assert accel.gcv_path.last_tier != "mojo"


def test_the_name_of_the_library_is_of_its_source_and_machine(cache):
    assert probes.mojo_library().parent == cache
    assert probes.mojo_library().name.startswith("mojo-")


def test_without_a_compiler_it_says_what_to_install(cache, monkeypatch):
    monkeypatch.setenv("PATH", str(cache))
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(cache))
    with pytest.raises(RuntimeError, match="pip install mojo==1"):
        mojo.build()


def test_a_compiler_that_fails_is_told(cache, monkeypatch):
    compiler = cache / "mojo"
    compiler.write_text("#!/bin/sh\necho it does not parse >&2\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(cache))
    with pytest.raises(RuntimeError, match="it does not parse"):
        mojo.build()
    assert sorted(path.name for path in cache.iterdir()) == ["mojo"]


def test_a_library_that_others_can_write_is_not_loaded(cache):
    path = probes.mojo_library()
    path.write_bytes(b"")
    path.chmod(0o666)
    assert "can be written by others" in probes.mojo()
    with pytest.raises(ImportError, match="can be written by others"):
        mojo.gcv_path(np.eye(2), np.ones((2, 1)), 1.0, 10, 3.0)


def test_a_library_that_is_none_moves_on(cache):
    path = probes.mojo_library()
    path.write_bytes(b"no library")
    path.chmod(0o700)
    assert probes.mojo() == ""
    with accel.using("mojo"), pytest.raises(TierError, match="cannot be loaded"):
        accel.gcv_path(*inputs.make("gcv_path", 5))


def test_the_version_is_that_of_the_requirement():
    text = probes.MOJO_SOURCE.with_name("requirements.txt").read_text()
    assert text == f"mojo=={mojo.VERSION}\n"


@needs_mojo
def test_it_builds_and_answers(cache):
    path = mojo.build()
    accel.refresh()
    assert (path, probes.mojo()) == (probes.mojo_library(), "")
    assert path.stat().st_mode & 0o077 == 0
    arguments = inputs.make("gcv_path", 8)
    with accel.using("mojo"):
        found = accel.gcv_path(*arguments)
    with accel.using("python"):
        np.testing.assert_allclose(found, accel.gcv_path(*arguments), 1e-10, 1e-10)

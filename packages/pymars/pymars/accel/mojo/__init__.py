# Language policy: EXEMPT from the Rust-path rule. Builds and calls a library; no computation.
"""The Mojo tier: a shared library, built on request into a cache, and absent unless built.

`python -m pymars.accel.mojo` builds it with the compiler that `pip install mojo==1.2.0` brings. The
library is named after a checksum of its source, so one of another version is never loaded.
"""

from __future__ import annotations

import ctypes
import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymars.accel import probes
from pymars.accel.flat import flatten

__all__ = ["build", "design_matrix", "gcv_path", "knot_scan", "predict"]

VERSION = "1.2.0"
_BLOCK = 128

Array = NDArray[np.float64]


def build() -> Path:
    """Compile the kernels for this machine.

    Raises
    ------
    RuntimeError
        If there is no compiler, or it fails.
    """
    import shutil
    import subprocess
    import sysconfig
    import tempfile

    # The compiler stands beside this interpreter where the environment is not activated.
    places = os.pathsep.join((sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)))
    compiler = shutil.which("mojo", path=places)
    if compiler is None:
        raise RuntimeError(f"no mojo here; pip install mojo=={VERSION}")
    target = probes.mojo_library()
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        made = Path(folder) / target.name
        command = [
            compiler,
            "build",
            "--emit",
            "shared-lib",
            str(probes.MOJO_SOURCE),
            "-o",
            str(made),
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"mojo build failed:\n{done.stderr.strip()}")
        made.chmod(0o700)
        made.replace(target)
    return target


def predict(spec: Mapping[str, Any], rows: Array) -> Array:
    """Return the linear predictors, one column per response."""
    flat = flatten(spec)
    return _replay(spec, rows, flat.coefficients.shape[1], np.zeros)


def design_matrix(spec: Mapping[str, Any], rows: Array) -> Array:
    """Return one column per term that has coefficients."""
    return _replay(spec, rows, 0, np.empty)


def gcv_path(r: Array, z: Array, rss: float, n: int, penalty: float) -> Array:
    """See :func:`pymars.accel.floor.gcv_path`."""
    terms, responses = z.shape
    found, work = np.empty((terms, 3)), np.empty((terms, terms))
    order = np.arange(terms, dtype=np.int64)
    left, along = r.copy(), z.copy()
    _library().mars_mojo_gcv_path(
        *_addresses(left, along, order), _n(terms), _n(responses), ctypes.c_double(rss),
        ctypes.c_double(n), ctypes.c_double(penalty), *_addresses(work, found),
    )  # fmt: skip
    return found


def knot_scan(x: Array, parent: Array, frame: Array, residual: Array, knots: Array) -> Array:
    """See :func:`pymars.accel.floor.knot_scan`."""
    n, terms, responses, n_knots = len(x), frame.shape[1], residual.shape[1], len(knots)
    width = terms + responses
    found, work = np.empty(n_knots), np.zeros(n_knots * (2 * width + 3) + 3 * width)
    _library().mars_mojo_knot_scan(
        *_addresses(x, parent, frame, residual, knots),
        _n(n), _n(terms), _n(responses), _n(n_knots), *_addresses(work, found),
    )  # fmt: skip
    return found


def _replay(
    spec: Mapping[str, Any], rows: Array, responses: int, make: Callable[..., Array]
) -> Array:
    flat = flatten(spec)
    n, (columns, terms) = len(rows), (len(flat.coefficients), len(flat.kind))
    found, work = make((n, responses or columns)), np.empty((terms, _BLOCK))
    rows = np.ascontiguousarray(rows)
    _library().mars_mojo_replay(
        *_addresses(rows), _n(n), _n(rows.shape[1]), _n(terms),
        *_addresses(
            flat.kind, flat.feature, flat.column, flat.knot, flat.impute, flat.parents_start,
            flat.parents, flat.levels_start, flat.levels, flat.coefficients,
        ),
        _n(columns), _n(responses), *_addresses(work, found),
    )  # fmt: skip
    return found


def _addresses(*arrays: NDArray[Any]) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(array.ctypes.data) for array in arrays]


_n = ctypes.c_ssize_t


def _library() -> ctypes.CDLL:
    if why := probes.mojo():
        raise ImportError(f"the mojo tier {why}")
    return _load(str(probes.mojo_library()))


@functools.lru_cache(maxsize=1)
def _load(path: str) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(path)
        for name in ("mars_mojo_replay", "mars_mojo_gcv_path", "mars_mojo_knot_scan"):
            getattr(library, name).restype = None
    except (OSError, AttributeError) as error:
        raise ImportError(f"the mojo tier cannot be loaded: {error}") from None
    return library

# Language policy: EXEMPT from the Rust-path rule. Hands arrays to Julia; no computation.
"""The Julia tier: `kernels.jl` inside this process, through juliacall.

Julia starts when :func:`warm` is called and never before, so that no call pays for it by surprise.
Until then the tier says that it cannot run, and the next one answers.

Not re-entrant: Julia runs on the thread that started it. A call from another thread is refused, and
the next tier answers.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymars.accel import probes
from pymars.accel.flat import Flat, flatten

__all__ = ["design_matrix", "gcv_path", "knot_scan", "predict", "warm"]

SOURCE = Path(__file__).with_name("kernels.jl")

Array = NDArray[np.float64]

_started: tuple[Any, int] | None = None


def warm() -> None:
    """Start Julia on this thread and compile the kernels, once; later calls do nothing.

    Raises
    ------
    ImportError
        If juliacall is not installed, or Julia cannot be had.
    """
    global _started
    if _started:
        return
    from juliacall import Main  # boots Julia

    Main.include(SOURCE.as_posix())
    _started = (Main.MarsKernels, threading.get_ident())
    from pymars.accel.dispatcher import refresh

    refresh()


def predict(spec: Mapping[str, Any], rows: Array) -> Array:
    """Return the linear predictors, one column per response."""
    flat = flatten(spec)
    return _array(_kernels().predict(rows, *_terms(flat), flat.coefficients))


def design_matrix(spec: Mapping[str, Any], rows: Array) -> Array:
    """Return one column per term that has coefficients."""
    return _array(_kernels().design_matrix(rows, *_terms(flatten(spec))))


def gcv_path(r: Array, z: Array, rss: float, n: int, penalty: float) -> Array:
    """See :func:`pymars.accel.floor.gcv_path`."""
    return _array(_kernels().gcv_path(r, z, rss, n, penalty))


def knot_scan(x: Array, parent: Array, frame: Array, residual: Array, knots: Array) -> Array:
    """See :func:`pymars.accel.floor.knot_scan`."""
    return _array(_kernels().knot_scan(x, parent, frame, residual, knots))


def _kernels() -> Any:
    if _started is None:
        raise ImportError(f"the julia tier {probes.julia()}")
    kernels, thread = _started
    if threading.get_ident() != thread:
        raise RuntimeError("Julia runs on the thread that called warm() alone")
    return kernels


def _terms(flat: Flat) -> tuple[NDArray[Any], ...]:
    """Return what the kernels take, in the order of their signature."""
    return (
        flat.kind, flat.feature, flat.column, flat.knot, flat.impute,
        flat.parents_start, flat.parents, flat.levels_start, flat.levels,
    )  # fmt: skip


def _array(found: Any) -> Array:
    """Copy a Julia array into one that Python owns, in row order."""
    return np.ascontiguousarray(np.asarray(found), dtype=np.float64)

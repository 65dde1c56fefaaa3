# Language policy: EXEMPT from the Rust-path rule. Converts and checks arguments; no computation.
"""Arguments as all tiers take them: float64 in row order, checked once for all tiers alike."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pymars.errors import (
    InvalidArgumentError,
    InvalidDtypeError,
    InvalidValueError,
    ShapeMismatchError,
)

__all__ = ["Array", "path_arguments", "scan_arguments"]

Array = NDArray[np.float64]


def path_arguments(
    r: ArrayLike, z: ArrayLike, rss: float, n: int, penalty: float
) -> tuple[Array, Array, float, int, float]:
    """Check the arguments of `gcv_path`."""
    triangle, along = _array("r", r, 2), _column("z", z)
    size = len(triangle)
    if not size or triangle.shape != (size, size):
        raise ShapeMismatchError(
            f"r has shape {triangle.shape}; pass the square triangle of B = QR"
        )
    if len(along) != size:
        raise ShapeMismatchError(
            f"z has {len(along)} rows and r {size}; pass Q'y, one row per term"
        )
    if not triangle.diagonal().all():
        k = int((triangle.diagonal() == 0.0).argmax())
        raise InvalidArgumentError(
            f"r[{k}, {k}] is 0: column {k} depends on those before it; leave it out"
        )
    below = np.tril(triangle, -1)
    if below.any():
        raise InvalidArgumentError("r has values below its diagonal; pass the R of B = QR")
    if isinstance(n, bool) or n != int(n) or n < 1:
        raise InvalidArgumentError(f"n is {n!r}; pass the number of rows, 1 or more")
    scalars = {"rss": float(rss), "penalty": float(penalty)}
    for name, value in scalars.items():
        if not np.isfinite(value):
            raise InvalidValueError(f"{name} is {value}; pass a finite number")
    return triangle, along, scalars["rss"], int(n), scalars["penalty"]


def scan_arguments(
    x: ArrayLike, parent: ArrayLike, frame: ArrayLike, residual: ArrayLike, knots: ArrayLike
) -> tuple[Array, Array, Array, Array, Array]:
    """Check the arguments of `knot_scan`."""
    variable, values = _array("x", x, 1), _array("parent", parent, 1)
    columns, left = _array("frame", frame, 2), _column("residual", residual)
    places = _array("knots", knots, 1)
    rows = {"parent": len(values), "frame": len(columns), "residual": len(left)}
    for name, length in rows.items():
        if length != len(variable):
            raise ShapeMismatchError(
                f"{name} has {length} rows and x {len(variable)}; pass the same rows"
            )
    if not (places[1:] > places[:-1]).all():
        raise InvalidArgumentError("the knots do not rise; sort them, and pass each once")
    return variable, values, columns, left, places


def _column(name: str, value: Any) -> Array:
    """Read one value or several per row; a flat array is one column."""
    given = np.asarray(value)
    return _array(name, given[:, None] if given.ndim == 1 else given, 2)


def _array(name: str, value: Any, axes: int) -> Array:
    given = np.asarray(value)
    if given.dtype.kind not in "biuf":
        raise InvalidDtypeError(f"{name} is of type {given.dtype}; pass real numbers")
    if given.ndim != axes:
        raise ShapeMismatchError(f"{name} has {given.ndim} axes; pass {axes}")
    found: Array = np.ascontiguousarray(given, dtype=np.float64)
    # A finite sum has finite parts, and is had in one pass; where it is not, look at each.
    with np.errstate(all="ignore"):
        total = found.sum()
    if not np.isfinite(total) and not np.isfinite(found).all():
        raise InvalidValueError(
            f"{name} has a value that is missing or infinite; leave such rows out"
        )
    return found

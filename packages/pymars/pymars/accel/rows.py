# Language policy: EXEMPT from the Rust-path rule. Checks rows for a tier; no computation.
"""What every tier of replay except Rust needs: rows as one table, checked, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pymars.errors import (
    InvalidArgumentError,
    InvalidDtypeError,
    InvalidValueError,
    MissingValueError,
    ShapeMismatchError,
)
from pymars.tables import read_rows

if TYPE_CHECKING:
    from pymars.runtime import Model

__all__ = ["deliver", "read"]

Array = NDArray[np.float64]


def read(model: Model, X: Any) -> tuple[dict[str, Any], Array]:
    """Return the ModelSpec and the rows, once they fit each other; errors are those of the core."""
    spec = model.spec
    rows = read_rows(X, model.feature_names, [f.get("categories") for f in spec["features"]])
    if rows.shape[1] != len(spec["features"]):
        raise ShapeMismatchError(
            f"the rows have {rows.shape[1]} columns, the model was fitted on "
            f"{len(spec['features'])} features; pass the same columns"
        )
    used = {term["feature"] for term in spec["terms"] if "feature" in term}
    bad = [(row, j) for j in sorted(used) if (row := _first_bad(spec, j, rows[:, j])) is not None]
    if bad:
        row, j = min(bad)
        _refuse(spec["features"][j], row, float(rows[row, j]))
    return spec, rows


def deliver(found: Array, out: Any, *, flat: bool) -> Array:
    """Return a result, in `out` where there is one; `flat` drops the axis of a single response."""
    found = found[:, 0] if flat and found.shape[1] == 1 else found
    if out is None:
        return np.ascontiguousarray(found)
    if not isinstance(out, np.ndarray) or out.dtype != np.float64:
        raise InvalidDtypeError("out is no float64 array; pass numpy.empty(shape)")
    if out.shape != found.shape and out.shape != (*found.shape, 1):
        raise ShapeMismatchError(f"out has shape {out.shape}, {found.shape} is needed")
    if not out.flags.c_contiguous:
        raise InvalidArgumentError(
            "out is strided; pass an array in row order, such as numpy.empty makes"
        )
    if not out.flags.writeable:
        raise InvalidArgumentError("out cannot be used: it is read-only")
    out[...] = found.reshape(out.shape)
    return out


def _first_bad(spec: Mapping[str, Any], j: int, column: Array) -> int | None:
    missing = np.isnan(column)
    bad = np.zeros_like(missing) if spec["allow_missing"] else missing
    labels = spec["features"][j].get("categories")
    if labels:
        bad = bad | ~(missing | np.isin(column, np.arange(len(labels))))
    return int(bad.argmax()) if bad.any() else None


def _refuse(feature: Mapping[str, Any], row: int, value: float) -> None:
    name = feature["name"]
    if np.isnan(value):
        raise MissingValueError(
            f"row {row} has no value (NaN) for feature {name!r} and the model does not allow "
            "missing values; fill the value in, or fit with allow_missing=True"
        )
    raise InvalidValueError(
        f"row {row} has {value:g} for the categorical feature {name!r}; expected a position from 0 "
        f"to {len(feature['categories']) - 1}"
    )

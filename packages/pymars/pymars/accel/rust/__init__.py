# Language policy: EXEMPT from the Rust-path rule. Hands arrays to the core; no computation.
"""The Rust tier: the compiled core, through the extension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymars import _core
from pymars.tables import read_columns, read_rows

__all__ = ["gcv_path", "knot_scan", "replay"]

gcv_path = _core.gcv_path
knot_scan = _core.knot_scan


def replay(
    core: _core.Model,
    method: Callable[..., NDArray[np.float64] | None],
    X: Any,
    threads: int,
    out: NDArray[np.float64] | None,
) -> NDArray[np.float64]:
    """Hand rows to the core as they lie, and converted where it does not take them so."""
    held, copied = X, 0
    if type(X) is not np.ndarray:
        held, copied = read_columns(X, core.feature_names, core.categories)
    found = method(held, threads, out, copied)
    if found is None:
        rows = read_rows(X, core.feature_names, core.categories)
        found = method(rows, threads, out, rows.nbytes)
    assert found is not None, "the core takes every aligned float64 array"
    return found

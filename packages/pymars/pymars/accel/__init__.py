# Language policy: EXEMPT from the Rust-path rule. Names the package; no computation.
"""Compute functions, each with a Python floor and tiers in compiled languages.

A function here is a dispatcher: it tries the tiers in the order that was measured on this kind of
machine, and ends at the floor. `last_dispatch` says what ran and what was passed over, and why.

Examples
--------
>>> import numpy as np
>>> from pymars import accel
>>> r, z = np.eye(2), np.array([[3.0], [4.0]])
>>> accel.gcv_path(r, z, 1.0, 10, 3.0)[:, 0].tolist()
[17.0, 1.0]
>>> with accel.using("python"):
...     _ = accel.gcv_path(r, z, 1.0, 10, 3.0)
>>> accel.gcv_path.last_tier
'python'
"""

from __future__ import annotations

from pymars.accel.dispatcher import (
    Dispatch,
    MultiLangDispatcher,
    Skipped,
    Tier,
    TierError,
    get,
    names,
    refresh,
    register,
    using,
)
from pymars.accel.functions import design_matrix, gcv_path, knot_scan, predict

__all__ = [
    "Dispatch",
    "MultiLangDispatcher",
    "Skipped",
    "Tier",
    "TierError",
    "design_matrix",
    "gcv_path",
    "get",
    "knot_scan",
    "names",
    "predict",
    "refresh",
    "register",
    "using",
]

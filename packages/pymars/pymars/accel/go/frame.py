# Language policy: EXEMPT from the Rust-path rule. Packs bytes for a socket; no computation.
"""The frames of the sidecar: magic, length of a JSON header, the header, float64 values."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pymars.accel.dispatcher import TierError

__all__ = ["read_answer", "write_request"]

MAGIC = b"MEF1"

Array = NDArray[np.float64]


def write_request(models: Sequence[str], rows: Array) -> bytes:
    """Return a frame that asks for predictions of models on rows."""
    n, columns = rows.shape
    header = f'{{"models": [{", ".join(models)}], "rows": {n}, "columns": {columns}}}'.encode()
    values = np.ascontiguousarray(rows, dtype="<f8")
    return MAGIC + struct.pack("<I", len(header)) + header + values.tobytes()


def read_answer(frame: bytes) -> list[Array]:
    """Return the predictions in a frame, rows x responses for each model.

    Raises
    ------
    TierError
        If the frame is cut short or says something else than it holds.
    """
    try:
        if frame[:4] != MAGIC:
            raise ValueError("no magic")
        (length,) = struct.unpack_from("<I", frame, 4)
        shapes = json.loads(frame[8 : 8 + length])["shapes"]
        at, found = 8 + length, []
        for rows, responses in shapes:
            values = np.frombuffer(frame, "<f8", rows * responses, at).reshape(rows, responses)
            found.append(values.astype(np.float64))
            at += values.nbytes
        if at != len(frame):
            raise ValueError(f"{len(frame) - at} bytes too many")
    except (ValueError, KeyError, TypeError, struct.error) as error:
        raise TierError(f"the sidecar's answer cannot be read: {error}") from None
    return found

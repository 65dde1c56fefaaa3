# Language policy: EXEMPT from the Rust-path rule. Hands batches of a table to the core.
"""Replay tables that do not fit into memory, batch by batch."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pymars.errors import (
    EarthError,
    InvalidArgumentError,
    InvalidDataError,
    LimitExceededError,
    ModelFileError,
)
from pymars.files import csv_batches, pyarrow_for, require
from pymars.runtime import Model, load_model, predict, replay_info

__all__ = ["BatchReplay", "predict_batches"]

DEFAULT_LIMIT = "256MB"
_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
# What Python holds for a cell of text: a string and its place in two lists.
_CELL = 96
# A page of a Parquet column as written by default, and the same once it is unpacked.
_PAGE = 2 * 2**20


class BatchReplay:
    """Predictions of a table, one array for each batch of its rows; made by `predict_batches`.

    Attributes
    ----------
    n_rows : int or None
        Rows of the whole table, where that is known before they are read.
    info : dict
        What the replays so far came to: `rows`, `batches`, `threads` and `instructions` (H1, not
        claimed), `bytes_batch` of the largest batch, `bytes_peak` of the largest batch and its
        replay, and `bytes_per_row` of that batch.
    """

    def __init__(self, model: Model, source: Any, limit: int, threads: int | None) -> None:
        self._model = model
        self._threads = threads
        self.n_rows, self._batches = _open(source, model, limit)
        self.info: dict[str, Any] = {"rows": 0, "batches": 0, "bytes_batch": 0, "bytes_peak": 0}

    def __iter__(self) -> Iterator[NDArray[np.float64]]:
        for batch in self._batches:
            try:
                found = predict(self._model, batch, self._threads)
            except EarthError as error:
                seen = self.info["rows"]
                if not seen:
                    raise
                raise type(error)(f"in the batch that starts at row {seen}: {error}") from None
            self._note(batch)
            # The next batch is read before the names are bound anew.
            del batch
            yield found
            del found

    def _note(self, batch: Any) -> None:
        info, last = self.info, replay_info()
        held = _bytes(batch)
        peak = held + last["bytes_peak"]
        info["rows"] += last["rows"]
        info["batches"] += 1
        info["threads"] = max(info.get("threads", 1), last["threads"])
        info["instructions"] = last["instructions"]
        info["bytes_batch"] = max(info["bytes_batch"], held)
        if peak > info["bytes_peak"]:
            info["bytes_peak"] = peak
            info["bytes_per_row"] = (held / max(last["rows"], 1)) + last["bytes_per_row"]


def predict_batches(
    model: Any,
    source: Any,
    *,
    memory_limit: int | str = DEFAULT_LIMIT,
    threads: int | None = None,
) -> BatchReplay:
    """Replay a model on a table that may be larger than memory.

    Parameters
    ----------
    model : path, dict, JSON text, Model or fitted estimator
    source : path, array, Arrow table or stream, or an iterable of tables
        A path is read by its suffix: `.parquet` or `.pq`, `.arrow`, `.ipc` or `.feather`, else CSV
        with a header. An array may be a `numpy.memmap`. An Arrow stream is
        anything that pyarrow reads as one. Tables of an iterable are as for :func:`pymars.predict`.
    memory_limit : int or str, optional
        Bytes that one batch, its conversion and its result may take, as a number or as text such
        as `"512MB"` or `"1GiB"`; default 256MB.
    threads : int, optional
        Most threads of a batch (H1, not claimed); default :func:`pymars.runtime_threads`.

    Returns
    -------
    BatchReplay
        Iterate over it: one array for each batch. Together they are what :func:`pymars.predict`
        gives for the whole table, whatever the limit.

    Raises
    ------
    LimitExceededError
        If a part that can only be read whole is larger than the limit.
    ModelFileError, InvalidDataError, UnknownColumnError
        If a file cannot be read, is not what its suffix says, or lacks a column.

    Examples
    --------
    >>> spec = {"spec_version": "1.0", "allow_missing": False, "features": [{"name": "x"}],
    ...         "responses": ["y"], "terms": [{"kind": "linear", "feature": 0,
    ...                                        "coefficients": [2.0]}]}
    >>> table = np.arange(6.0).reshape(-1, 1)
    >>> [found.tolist() for found in predict_batches(spec, table, memory_limit=32)]
    [[0.0, 2.0, 4.0, 6.0], [8.0, 10.0]]
    """
    return BatchReplay(load_model(model), source, _limit(memory_limit), threads)


def _limit(value: int | str) -> int:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", str(value))
    if isinstance(value, bool) or not found or found[2].lower() not in _UNITS:
        raise InvalidArgumentError(
            f"memory_limit is {value!r}; pass a number of bytes, or text such as '512MB' or '1GiB'"
        )
    limit = int(float(found[1]) * _UNITS[found[2].lower()])
    if limit < 1:
        raise InvalidArgumentError(f"memory_limit is {value!r}; pass 1 byte or more")
    return limit


def _bytes(batch: Any) -> int:
    """Bytes that a batch holds itself; a slice of an array holds none."""
    if isinstance(batch, dict):
        return sum(int(column.nbytes) for column in batch.values() if hasattr(column, "nbytes"))
    if isinstance(batch, np.ndarray):
        return 0
    return int(getattr(batch, "nbytes", 0))


def _open(source: Any, model: Model, limit: int) -> tuple[int | None, Iterator[Any]]:
    out = 8 * len(model.response_names)
    n = len(model.feature_names)
    if isinstance(source, (str, os.PathLike)):
        return _open_file(Path(source), model, limit)
    if isinstance(source, np.ndarray):
        copied = 0 if source.dtype in (np.float64, np.float32) else 8 * n
        rows = _rows(limit, out + copied)
        return len(source), (source[i : i + rows] for i in range(0, len(source), rows))
    if hasattr(source, "__arrow_c_stream__"):
        arrow = pyarrow_for(Path("an Arrow stream"))
        reader = arrow.RecordBatchReader.from_stream(source)
        # A column with missing values or of another type is converted.
        return None, _slices(reader, _rows(limit, 8 * n + out))
    if isinstance(source, Iterable):
        return None, iter(source)
    raise InvalidArgumentError(
        f"a source is a path, an array, an Arrow stream or an iterable of tables, not "
        f"{type(source).__name__}"
    )


def _open_file(path: Path, model: Model, limit: int) -> tuple[int | None, Iterator[Any]]:
    names, out = model.feature_names, 8 * len(model.response_names)
    kind = path.suffix.lower()
    if kind in (".parquet", ".pq"):
        return _open_parquet(path, names, limit, out)
    if kind in (".arrow", ".ipc", ".feather"):
        return None, _ipc_batches(path, names, limit, out)
    labelled = [
        name
        for name, labels in zip(names, model._core.categories, strict=True)
        if labels is not None
    ]
    with _reading(path), path.open("rb") as stream:
        wide = stream.readline().count(b",") + 1
    rows = _rows(limit, wide * _CELL + 8 * len(names) + out)
    return None, csv_batches(path, names, (), (), set(labelled), rows)


def _open_parquet(path: Path, names: list[str], limit: int, out: int) -> tuple[int, Iterator[Any]]:
    arrow = pyarrow_for(path)
    with _reading(path, arrow.ArrowInvalid):
        # Without these a reader holds the packed columns of a whole row group.
        file = arrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=2**16)
    require(names, file.schema_arrow.names, path)
    fixed = _PAGE * len(names)
    if limit <= fixed:
        raise LimitExceededError(
            f"{path}: {len(names)} columns of Parquet take {fixed} bytes of pages at least; raise "
            f"memory_limit above {limit} bytes"
        )
    # Once as Arrow, twice while that grows, and once more where a column is converted.
    rows = _rows(limit - fixed, 32 * len(names) + out)

    def batches() -> Iterator[Any]:
        with _reading(path, arrow.ArrowInvalid):
            yield from file.iter_batches(rows, columns=names, use_threads=False)

    return int(file.metadata.num_rows), batches()


def _ipc_batches(path: Path, names: list[str], limit: int, out: int) -> Iterator[Any]:
    """Read an Arrow file, or the stream format; what is not compressed stays in the file."""
    arrow = pyarrow_for(path)
    with _reading(path, arrow.ArrowInvalid), arrow.memory_map(str(path)) as memory:
        try:
            schema = arrow.ipc.open_file(memory).schema
            is_file = True
        except arrow.ArrowInvalid:
            memory.seek(0)
            schema = arrow.ipc.open_stream(memory).schema
            is_file = False
        require(names, schema.names, path)
        included = [schema.get_field_index(name) for name in names]
        options = arrow.ipc.IpcReadOptions(included_fields=included, use_threads=False)
        memory.seek(0)
        if is_file:
            file = arrow.ipc.open_file(memory, options=options)
            found = (file.get_batch(k) for k in range(file.num_record_batches))
        else:
            found = iter(arrow.ipc.open_stream(memory, options=options))
        held = arrow.total_allocated_bytes()
        for batch in found:
            taken = arrow.total_allocated_bytes() - held
            if taken > limit:
                raise LimitExceededError(
                    f"{path}: a compressed record batch takes {taken} bytes unpacked, more than "
                    f"memory_limit {limit}; raise the limit, or write smaller record batches"
                )
            yield from _slices([batch], _rows(limit - taken, 8 * len(names) + out))
            del batch


def _slices(batches: Iterable[Any], rows: int) -> Iterator[Any]:
    for batch in batches:
        for start in range(0, batch.num_rows, rows):
            yield batch.slice(start, rows)


def _rows(limit: int, per_row: int) -> int:
    return max(1, min(limit // max(per_row, 1), 2**24))


@contextmanager
def _reading(path: Path, *invalid: type[Exception]) -> Iterator[None]:
    """Turn what reading a file can raise into this library's errors."""
    try:
        yield
    except EarthError:
        raise
    except invalid as error:
        what = "a Parquet" if path.suffix.lower() in (".parquet", ".pq") else "an Arrow"
        raise InvalidDataError(f"{path}: not {what} file: {error}") from None
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror or error}") from None

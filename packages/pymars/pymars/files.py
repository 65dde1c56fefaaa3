"""CSV, Parquet, Arrow and figure files for the command line."""

from __future__ import annotations

import csv
import difflib
import io
import sys
from collections.abc import Collection, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from numpy.typing import NDArray

from pymars.errors import (
    InvalidDataError,
    InvalidValueError,
    ModelFileError,
    ShapeMismatchError,
    UnknownColumnError,
)
from pymars.runtime import replacing, write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["csv_batches", "pyarrow_for", "read_columns", "require", "write_batches", "write_figure"]

_MISSING = {"", "na", "nan", "null", "none", "n/a"}


class Labels:
    """A categorical column of text, in the form that pymars.tables reads."""

    def __init__(self, values: list[str | None]) -> None:
        self.dtype = "category"
        self.categories = sorted({value for value in values if value is not None})
        place = {label: code for code, label in enumerate(self.categories)}
        self.codes = np.array([-1 if value is None else place[value] for value in values])

    @property
    def cat(self) -> Labels:
        """The column's codes and categories."""
        return self


def read_columns(
    path: Path,
    categorical: Collection[str] = (),
    only: Collection[str] | None = None,
    ignore: Collection[str] = (),
    needed: Collection[str] = (),
) -> dict[str, Any]:
    """Read a file's columns by name.

    Parameters
    ----------
    path : Path
        `.parquet` and `.pq` are read with pyarrow, all else as CSV with a header.
    categorical : collection of str
        Columns of labels; the others hold numbers.
    only : collection of str, optional
        Columns to read, all of which must be there; the others may hold anything.
    ignore : collection of str
        Columns to leave out; they must be there, and may hold anything.
    needed : collection of str
        Further columns that must be there.

    Raises
    ------
    ModelFileError, InvalidDataError, InvalidValueError, ShapeMismatchError, UnknownColumnError
        If the file cannot be read, is empty, holds text where a number is due, has a row of the
        wrong length, or lacks a categorical column.
    """
    if path.suffix.lower() in (".parquet", ".pq"):
        return _read_parquet(path, only, ignore, [*needed, *categorical])
    return next(csv_batches(path, only, ignore, needed, set(categorical)))


def write_batches(
    names: list[str], batches: Iterator[NDArray[np.float64]], path: Path | None
) -> None:
    """Write batches of rows x columns as they come, to a new file or to the screen.

    The file's suffix says what is written: Parquet, an Arrow file, else CSV. A file is there whole
    or not at all.
    """
    if path is None:
        _write_csv(names, batches, sys.stdout)
        return
    kind = path.suffix.lower()
    with replacing(path) as stream:
        if kind in (".parquet", ".pq", ".arrow"):
            arrow = pyarrow_for(path)
            schema = arrow.schema([(name, arrow.float64()) for name in names])
            if kind == ".arrow":
                writer = arrow.ipc.new_file(stream, schema)
            else:
                writer = arrow.parquet.ParquetWriter(stream, schema)
            with writer:
                for batch in batches:
                    columns = [arrow.array(batch[:, k]) for k in range(len(names))]
                    writer.write_batch(arrow.record_batch(columns, schema=schema))
        else:
            text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
            _write_csv(names, batches, text)
            text.detach()


def _write_csv(names: list[str], batches: Iterator[NDArray[np.float64]], stream: TextIO) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    # The first batch comes before the header, so that bad input leaves nothing on the screen.
    first = next(batches, None)
    writer.writerow(names)
    for batch in () if first is None else chain([first], batches):
        # repr gives the shortest text that reads back to the same number.
        writer.writerows([repr(value) for value in row] for row in batch.tolist())
    stream.flush()


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the file's suffix, whole or not at all."""
    sink = io.BytesIO()
    try:
        figure.savefig(sink, format=path.suffix[1:].lower() or "none", dpi=150)
    except ValueError as error:
        raise ModelFileError(f"{path}: no figure can be written: {error}") from None
    write_bytes(path, sink.getvalue())


def csv_batches(
    path: Path,
    only: Collection[str] | None,
    ignore: Collection[str],
    needed: Collection[str],
    categorical: set[str],
    rows: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Read the columns of a CSV file, so many rows at a time; None reads all at once."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            lines = (row for row in csv.reader(stream) if row)
            header = next(lines, None)
            body = list(islice(lines, rows))
            if header is None or not body:
                raise InvalidDataError(
                    f"{path}: has no rows; a header and at least one row are needed"
                )
            if len(set(header)) != len(header):
                twice = sorted({name for name in header if header.count(name) > 1})
                raise InvalidDataError(f"{path}: the column names {twice} stand twice; rename them")
            require([*(only or ()), *ignore, *needed, *categorical], header, path)
            wanted = {
                name for name in header if name not in ignore and (only is None or name in only)
            }
            first = 2
            while body:
                yield _csv_columns(path, header, body, wanted, categorical, first)
                first += len(body)
                body = list(islice(lines, rows))
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidDataError(f"{path}: not a CSV file in UTF-8: {error}") from None


def _csv_columns(
    path: Path,
    header: list[str],
    body: list[list[str]],
    wanted: set[str],
    categorical: set[str],
    first: int,
) -> dict[str, Any]:
    for number, row in enumerate(body, start=first):
        if len(row) != len(header):
            raise ShapeMismatchError(
                f"{path}: row {number} has {len(row)} cells, the header has {len(header)}"
            )
    columns: dict[str, Any] = {}
    for name, cells in zip(header, zip(*body, strict=True), strict=True):
        if name not in wanted:
            continue
        if name in categorical:
            columns[name] = Labels([None if c.strip().lower() in _MISSING else c for c in cells])
        else:
            columns[name] = _floats(path, name, cells, first)
    return columns


def _floats(path: Path, name: str, cells: tuple[str, ...], first: int) -> NDArray[np.float64]:
    values = np.empty(len(cells))
    for i, cell in enumerate(cells):
        try:
            values[i] = np.nan if cell.strip().lower() in _MISSING else float(cell)
        except ValueError:
            raise InvalidValueError(
                f"{path}: row {i + first}, column {name!r} holds {cell[:40]!r}, which is no "
                f"number; mark a column of labels with --categorical {name}, or leave it out with "
                f"--ignore {name}"
            ) from None
    return values


def _read_parquet(
    path: Path,
    only: Collection[str] | None,
    ignore: Collection[str],
    needed: Collection[str],
) -> dict[str, Any]:
    arrow = pyarrow_for(path)
    try:
        present = arrow.parquet.read_schema(path).names
        require([*(only or ()), *ignore, *needed], present, path)
        wanted = [name for name in (only or present) if name not in ignore]
        table = arrow.parquet.read_table(path, columns=wanted)
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error}") from None
    except arrow.ArrowInvalid as error:
        raise InvalidDataError(f"{path}: not a Parquet file: {error}") from None
    return {name: table.column(name) for name in table.column_names}


def pyarrow_for(path: Path) -> Any:
    """Load pyarrow, or say what needs it."""
    try:
        import pyarrow
        import pyarrow.ipc
        import pyarrow.parquet
    except ImportError:
        raise ModelFileError(
            f"{path}: Parquet and Arrow need pyarrow; run: "
            "python3 -m pip install 'mars-earth[arrow]'"
        ) from None
    return pyarrow


def require(names: Collection[str], present: Collection[str], path: Path) -> None:
    """Refuse a file that lacks a column."""
    for name in names:
        if name not in present:
            raise UnknownColumnError(_absent(name, present, path))


def _absent(name: str, columns: Collection[str], path: Path) -> str:
    near = difflib.get_close_matches(name, columns, n=1)
    meant = f" (is {near[0]!r} meant?)" if near else ""
    return f"{path}: has no column {name!r}{meant}; it has {list(columns)[:20]}"

"""CSV, Parquet and figure files for the command line."""

from __future__ import annotations

import csv
import difflib
import io
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pymars.errors import (
    InvalidDataError,
    InvalidValueError,
    ModelFileError,
    ShapeMismatchError,
    UnknownColumnError,
)
from pymars.runtime import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["read_columns", "write_columns", "write_figure"]

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
    return _read_csv(path, only, ignore, needed, set(categorical))


def write_columns(columns: dict[str, NDArray[np.float64]], path: Path | None) -> None:
    """Write columns as CSV or Parquet by the file's suffix, or as CSV to the screen."""
    if path is not None and path.suffix.lower() in (".parquet", ".pq"):
        arrow = _pyarrow(path)
        sink = io.BytesIO()
        arrow.parquet.write_table(arrow.table(columns), sink)
        write_bytes(path, sink.getvalue())
        return
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    # repr gives the shortest text that reads back to the same number.
    rows = zip(*columns.values(), strict=True)
    writer.writerows([repr(float(value)) for value in row] for row in rows)
    if path is None:
        sys.stdout.write(text.getvalue())
    else:
        write_bytes(path, text.getvalue().encode())


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the file's suffix, whole or not at all."""
    sink = io.BytesIO()
    try:
        figure.savefig(sink, format=path.suffix[1:].lower() or "none", dpi=150)
    except ValueError as error:
        raise ModelFileError(f"{path}: no figure can be written: {error}") from None
    write_bytes(path, sink.getvalue())


def _read_csv(
    path: Path,
    only: Collection[str] | None,
    ignore: Collection[str],
    needed: Collection[str],
    categorical: set[str],
) -> dict[str, Any]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.reader(stream))
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror}") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidDataError(f"{path}: not a CSV file in UTF-8: {error}") from None
    rows = [row for row in rows if row]
    if len(rows) < 2:
        raise InvalidDataError(f"{path}: has no rows; a header and at least one row are needed")
    header, body = rows[0], rows[1:]
    if len(set(header)) != len(header):
        twice = sorted({name for name in header if header.count(name) > 1})
        raise InvalidDataError(f"{path}: the column names {twice} stand twice; rename them")
    for number, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise ShapeMismatchError(
                f"{path}: row {number} has {len(row)} cells, the header has {len(header)}"
            )
    _require([*(only or ()), *ignore, *needed, *categorical], header, path)
    columns: dict[str, Any] = {}
    for name, cells in zip(header, zip(*body, strict=True), strict=True):
        if name in ignore or (only is not None and name not in only):
            continue
        if name in categorical:
            columns[name] = Labels([None if c.strip().lower() in _MISSING else c for c in cells])
        else:
            columns[name] = _floats(path, name, cells)
    return columns


def _floats(path: Path, name: str, cells: tuple[str, ...]) -> NDArray[np.float64]:
    values = np.empty(len(cells))
    for i, cell in enumerate(cells):
        try:
            values[i] = np.nan if cell.strip().lower() in _MISSING else float(cell)
        except ValueError:
            raise InvalidValueError(
                f"{path}: row {i + 2}, column {name!r} holds {cell[:40]!r}, which is no number; "
                f"mark a column of labels with --categorical {name}, or leave it out with "
                f"--ignore {name}"
            ) from None
    return values


def _read_parquet(
    path: Path,
    only: Collection[str] | None,
    ignore: Collection[str],
    needed: Collection[str],
) -> dict[str, Any]:
    arrow = _pyarrow(path)
    try:
        present = arrow.parquet.read_schema(path).names
        _require([*(only or ()), *ignore, *needed], present, path)
        wanted = [name for name in (only or present) if name not in ignore]
        table = arrow.parquet.read_table(path, columns=wanted)
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error}") from None
    except arrow.ArrowInvalid as error:
        raise InvalidDataError(f"{path}: not a Parquet file: {error}") from None
    return {name: table.column(name) for name in table.column_names}


def _pyarrow(path: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ModelFileError(
            f"{path}: Parquet needs pyarrow; run: python3 -m pip install 'mars-earth[arrow]'"
        ) from None
    return pyarrow


def _require(names: Collection[str], present: Collection[str], path: Path) -> None:
    for name in names:
        if name not in present:
            raise UnknownColumnError(_absent(name, present, path))


def _absent(name: str, columns: Collection[str], path: Path) -> str:
    near = difflib.get_close_matches(name, columns, n=1)
    meant = f" (is {near[0]!r} meant?)" if near else ""
    return f"{path}: has no column {name!r}{meant}; it has {list(columns)[:20]}"

"""Text tables: ECSV, CSV and columns separated by blanks."""

from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from spectragan.spectra.formats.columns import Column, split_unit
from spectragan.spectra.formats.fits_file import read_bytes
from spectragan.spectra.formats.pixels import FileProblem, first_line


def read_text(path: Path) -> dict[str, Column]:
    """Return the columns of a text file."""
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileProblem(
            f"its text is not UTF-8 ({first_line(error)}); save it in this encoding."
        ) from error
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        table = _parse(lines)
    except Exception as error:  # astropy's readers raise whatever a bad line makes them raise
        raise FileProblem(
            f"it can't be read as a table ({first_line(error)}); check that every line has as many "
            "values as there are columns."
        ) from error
    if len(table) == 0:
        raise FileProblem("it has a heading but no values; check how it was written.")
    return dict(_column(table[name]) for name in table.colnames)


def _parse(lines: list[str]) -> Table:
    if lines[0].startswith("# %ECSV"):
        return Table.read(lines, format="ascii.ecsv")
    heading = next((line for line in lines if not line.startswith("#")), "")
    delimiter = next((mark for mark in ",;\t" if mark in heading), " ")
    return Table.read(
        lines, format="ascii.basic", delimiter=delimiter, comment=r"\s*#", guess=False
    )


def _column(column: Any) -> tuple[str, Column]:
    """Return name, values and unit of a column; empty cells become NaN."""
    name, unit = split_unit(column.name)
    values = column
    if hasattr(values, "mask"):
        values = values.astype(float).filled(np.nan) if values.dtype.kind in "fiu" else values
    values = np.asarray(values)
    if values.dtype.kind == "O":  # lists of numbers, one per row
        values = _stack(values, name)
    own = None if column.unit is None else str(column.unit)
    return name, Column(values, own or unit)


def _stack(values: np.ndarray, name: str) -> np.ndarray:
    try:
        return np.stack([np.asarray(value, dtype=float) for value in values])
    except (ValueError, TypeError):
        return values

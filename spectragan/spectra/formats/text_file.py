"""Text tables: ECSV, CSV and columns separated by blanks, with or without a heading."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table

from spectragan.spectra.formats.columns import named_by_caller, unnamed_columns
from spectragan.spectra.formats.fits_file import read_bytes, word
from spectragan.spectra.formats.generic import NAMES
from spectragan.spectra.formats.media import header_medium
from spectragan.spectra.formats.pixels import FileProblem, ReadOptions, first_line
from spectragan.spectra.formats.roles import Column, find_role, with_nan

COMMENTS = ("#", "%", "!")
# Fortran writes exponents with D.
D_EXPONENT = re.compile(r"(?<=[\d.])[dD](?=[+-]?\d)")
# Cells that hold no number.
EMPTY = {"", "--", "nan", "null", "none", "n/a", "na", "indef", "..."}
LONG_CELL = 1000  # characters
# A cell with quotes around it, in which the delimiter may occur.
CELL = r'\s*"((?:[^"]|"")*)"\s*|([^{0}]*)'


def read_text(path: Path, options: ReadOptions) -> dict[str, Column]:
    """Return the columns of a text file."""
    try:
        text = read_bytes(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileProblem(
            f"its text is not UTF-8 ({first_line(error)}); save it in this encoding."
        ) from error
    lines = [line for line in text.splitlines() if line.strip()]
    try:
        columns = _parse(lines, options)
    except FileProblem:
        raise
    except Exception as error:  # astropy's readers raise whatever a bad line makes them raise
        raise FileProblem(
            f"it can't be read as a table ({first_line(error)}); check that every line has as many "
            "values as there are columns."
        ) from error
    return named_by_caller(columns, options)


def _parse(lines: list[str], options: ReadOptions) -> dict[str, Column]:
    if lines[0].startswith("# %ECSV"):
        return _ecsv(lines)
    rows = [line for line in lines if not line.lstrip().startswith(COMMENTS)]
    if not rows:
        raise FileProblem("it has no values, all of its lines are comments; check how it was made.")
    delimiter = next((mark for mark in ",;\t" if mark in rows[0]), None)
    cells = [_split(row, delimiter) for row in rows]
    is_heading = not _are_numbers(cells[0])
    heading = cells[0] if is_heading else None
    cells = cells[1:] if is_heading else cells
    if not cells:
        raise FileProblem("it has a heading but no values; check how it was written.")
    width = len(heading or cells[0])
    for number, row in enumerate(cells):
        if len(row) != width:
            raise ValueError(f"row {number + 1} has {len(row)} values, the first line {width}")
    arrays = [_array([row[i] for row in cells]) for i in range(width)]
    if heading is None and options.columns is None:
        heading = _commented_heading(lines, delimiter, width)
    if heading is None:
        ordered = options.columns is not None
        names = (
            [f"column {i + 1}" for i in range(width)]
            if ordered
            else unnamed_columns(arrays, options)
        )
        return {name: Column(array) for name, array in zip(names, arrays, strict=True)}
    return dict(_named(name, array) for name, array in zip(heading, arrays, strict=True))


def _split(line: str, delimiter: str | None) -> list[str]:
    """Return the cells of a line; those in quotes may hold the delimiter."""
    if '"' not in line:
        return [cell.strip() for cell in line.split(delimiter)]
    if delimiter is None:
        found = re.findall(r'"([^"]*)"|(\S+)', line)
        return [quoted or plain for quoted, plain in found]
    cells, place = [], 0
    pattern = re.compile(CELL.format(re.escape(delimiter)))
    while place <= len(line):
        match = pattern.match(line, place)
        assert match is not None  # an empty cell fits everywhere
        cells.append((match[1].replace('""', '"') if match[1] is not None else match[2]).strip())
        place = match.end() + 1
    return cells


def _are_numbers(cells: list[str]) -> bool:
    """Tell whether a line holds values: as much as one number says that it is no heading."""
    return any(_number(cell) is not None for cell in cells if cell.lower() not in EMPTY)


def _number(cell: str) -> float | None:
    try:
        return float(D_EXPONENT.sub("e", cell))
    except ValueError:
        return None


def _array(cells: list[str]) -> np.ndarray:
    """Return integers, flags, numbers with NaN for empty cells, or words."""
    small = [cell.lower() for cell in cells]
    is_null = np.array([cell in EMPTY for cell in small])
    try:
        integers = [0 if null else int(cell) for cell, null in zip(cells, is_null, strict=True)]
        if not is_null.all():
            return with_nan(np.array(integers, dtype=np.int64), is_null)
    except (ValueError, OverflowError):
        pass
    if set(small) <= {"true", "false"}:
        return np.array([cell == "true" for cell in small])
    try:
        return np.array(
            [np.nan if c.lower() in EMPTY else float(D_EXPONENT.sub("e", c)) for c in cells]
        )
    except ValueError:
        # Arrays written into cells are long: one row more than the others would widen all.
        return np.array(cells, dtype=object if max(map(len, cells)) > LONG_CELL else None)


def _commented_heading(lines: list[str], delimiter: str | None, width: int) -> list[str] | None:
    """Return the names in the last comment before the values, if they are names of a spectrum."""
    before: list[str] = []
    for line in lines:
        if not line.lstrip().startswith(COMMENTS):
            break
        before.append(line.strip().lstrip("".join(COMMENTS)).strip())
    for line in reversed(before):
        mark = delimiter if delimiter and delimiter in line else None
        cells = (
            _split(line, mark) if mark else re.findall(r"[^\s\[(]+(?:\s*[\[(][^\])]*[\])])?", line)
        )
        if len(cells) != width:
            continue
        named = dict(_named(cell, np.zeros(1)) for cell in cells)
        if find_role(named, "flux") is not None:
            return cells
    return None


def split_unit(heading: str) -> tuple[str, str | None]:
    """Return name and unit of a heading such as "Wavelength [nm]" or "flux (Jy)"."""
    match = re.fullmatch(r"(.+?)\s*[\[(]([^\[\]]*|\[[^\[\]]*\])[\])]", heading.strip())
    return (match[1].lower(), match[2]) if match else (heading.strip().lower(), None)


def _named(heading: str, values: np.ndarray) -> tuple[str, Column]:
    name, unit = split_unit(heading)
    return name, Column(values, unit)


def _ecsv(lines: list[str]) -> dict[str, Column]:
    """Return the columns of an ECSV, and under "sampling" the grid that GaiaXPy writes into it."""
    table = Table.read([_without_long_cells(line) for line in lines], format="ascii.ecsv")
    if len(table) == 0:
        raise FileProblem("it has a heading but no values; check how it was written.")
    columns = dict(_ecsv_column(table[name]) for name in table.colnames)
    sampling = table.meta.get("sampling")
    columns |= {"sampling": Column(np.array([str(sampling)]))} if sampling else {}
    return _with_header(columns, table.meta)


def _with_header(columns: dict[str, Column], meta: dict[str, Any]) -> dict[str, Column]:
    """Return columns with the name of the star and the medium that the header of an ECSV says."""
    cards = {str(key).upper(): value for key, value in meta.items()}
    name, medium = word(cards, *NAMES), header_medium(cards)
    if name and find_role(columns, "identity") is None:
        columns = columns | {"object": Column(np.array([name]))}
    wave = find_role(columns, "wavelength")
    if wave is None or medium is None or columns[wave].comment:
        return columns
    return columns | {wave: replace(columns[wave], comment=medium)}


def _without_long_cells(line: str) -> str:
    """Leave out cells that are longer than the module csv reads: GaiaXPy's correlations."""
    return line if len(line) < 131072 else re.sub(r'"[^"]{131072,}"', '""', line)


def _ecsv_column(column: Any) -> tuple[str, Column]:
    """Return name, values and unit of a column; empty cells become NaN."""
    name, unit = split_unit(column.name)
    values = column
    if hasattr(values, "mask"):
        is_null = np.asarray(values.mask)
        plain = np.asarray(values.filled() if hasattr(values, "filled") else values)
        values = with_nan(plain, is_null) if plain.dtype.kind in "fiu" else values
    values = np.asarray(values)
    if values.dtype.kind == "O":  # lists of numbers, one per row
        values = _stack(values)
    own = None if column.unit is None else str(column.unit)
    ucd = str((column.meta or {}).get("ucd", "")) if hasattr(column, "meta") else ""
    return name, Column(values, own or unit, ucd, comment=str(column.description or ""))


def _stack(values: np.ndarray) -> np.ndarray:
    try:
        return np.stack([np.asarray(value, dtype=float) for value in values])
    except (ValueError, TypeError):
        return values

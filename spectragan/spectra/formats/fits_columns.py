"""The columns of a binary FITS table."""

import numpy as np

from spectragan.spectra.formats.columns import Column
from spectragan.spectra.formats.fits_file import FitsFile


def fits_columns(file: FitsFile, key: int | str) -> dict[str, Column]:
    """Return the columns of a table by their names in small letters; a single row is a spectrum."""
    data = file.table(key, "spectrum")
    return {
        column.name.strip().lower(): Column(_values(data[column.name]), column.unit)
        for column in file.hdul[key].columns
    }


def _values(values: np.ndarray) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind == "O":  # variable-length arrays: fine if they are as long in every row
        lengths = {len(value) for value in array}
        array = np.stack(list(array)) if len(lengths) == 1 else array
    return array.astype(array.dtype.newbyteorder("="))

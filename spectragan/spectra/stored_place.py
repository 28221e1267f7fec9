"""Where a data set of HDF5 is: h5py can't pickle one, and its file may be opened again."""

import os
from typing import Any, NamedTuple

from spectragan.spectra.stored import check_open, is_hdf5


class StoredPlace(NamedTuple):
    """Where a data set is.

    Attributes
    ----------
    path : str
        Of its file, from the root on.
    name : str
        Of the data set in it.
    """

    path: str
    name: str


def as_place(array: Any) -> Any:
    """Return where a data set of HDF5 is, and any other array as it is.

    Parameters
    ----------
    array : object

    Returns
    -------
    place : StoredPlace, or `array`

    Raises
    ------
    ValueError
        If its file is closed, open for writing, or only in memory: no other process can read it.
    """
    if not is_hdf5(array):
        return array
    check_open(array)
    path, mode = os.path.abspath(array.file.filename), array.file.mode
    if mode != "r" or array.name is None or not os.path.isfile(path):
        raise ValueError(
            "a data set of HDF5 must be in a file that is open for reading only to be pickled, or "
            f"sent to another process; got mode {mode!r} and {path!r}; close the file, and open it "
            "with h5py.File(name, 'r')."
        )
    return StoredPlace(path, array.name)


def reopen(place: Any) -> Any:
    """Return the data set at a place, read-only, and anything else as it is.

    Parameters
    ----------
    place : StoredPlace or object

    Returns
    -------
    array : object

    Raises
    ------
    ValueError
        If there is no such file, or no such data set in it.
    """
    if not isinstance(place, StoredPlace):
        return place
    import h5py

    try:
        # The data set keeps its file open, and closes it when nothing reads it any more.
        return h5py.File(place.path, "r")[place.name]
    except (OSError, KeyError) as error:
        raise ValueError(
            f"{place.path!r} must be a file of HDF5 with the data set {place.name!r}, which lazy "
            f"spectra read; got {type(error).__name__} ({error}); put it back there."
        ) from error

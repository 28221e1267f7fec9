"""Arrays that stay in a file, or in dask, until some of their rows are read."""

import sys
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import issparse

from spectragan.spectra.checks import is_masked
from spectragan.spectra.convert import kind_of

Rows = range | np.ndarray

WIDEST_GAP = 8  # rows: reading over a gap costs less than another call
MOST_WANTED = 512  # rows of one call: what is read over gaps must not fill the memory


def is_stored(x: Any) -> bool:
    """Tell whether `x` is a matrix that is read by slices and isn't one of numpy.

    Parameters
    ----------
    x : object

    Returns
    -------
    stored : bool
        True for h5py data sets, zarr and dask arrays, and what looks like them: ``shape``,
        ``dtype`` and ``x[first:last]``.

    Raises
    ------
    ValueError
        If it is in a file that was closed.
    """
    check_open(x)
    if isinstance(x, np.ndarray) or issparse(x) or hasattr(x, "iloc") or kind_of(x) != "array":
        return False
    is_matrix = isinstance(getattr(x, "shape", None), tuple) and len(x.shape) == 2
    return (
        is_matrix and isinstance(getattr(x, "dtype", None), np.dtype) and hasattr(x, "__getitem__")
    )


def is_dask(x: Any) -> bool:
    """Tell whether `x` is a dask array; without dask loaded there can't be one."""
    module = sys.modules.get("dask.array")
    return module is not None and isinstance(x, module.Array)


def is_hdf5(x: Any) -> bool:
    """Tell whether `x` is a data set of HDF5; without h5py loaded there can't be one."""
    module = sys.modules.get("h5py")
    return module is not None and isinstance(x, module.Dataset)


def check_open(x: Any, name: str = "flux") -> None:
    """Raise if `x` is in a file that was closed: what h5py says then names no remedy."""
    if is_hdf5(x) and not x:
        raise ValueError(
            f"`{name}` must be in an open file; got a data set of HDF5 whose file was closed; open "
            "it again with h5py.File."
        )


def check_stored(array: Any, name: str) -> tuple[int, int]:
    """Return numbers of rows and pixels of an array that rows can be read from."""
    check_open(array, name)
    if not (is_stored(array) or (isinstance(array, np.ndarray) and array.ndim == 2)):
        raise TypeError(
            f"`{name}` must be a matrix in a file, of dask or of numpy; got "
            f"{type(array).__name__}; use Spectra for anything else."
        )
    n_rows, n_pixels = array.shape
    if n_rows != n_rows:
        raise ValueError(
            f"`{name}` must have a known number of rows; got a dask array of unknown chunks; call "
            "its method compute_chunk_sizes() first."
        )
    if 0 in (n_rows, n_pixels):
        raise ValueError(
            f"`{name}` must hold at least one spectrum and one pixel; got shape "
            f"{(n_rows, n_pixels)}; check the selection that made it empty."
        )
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"`{name}` must hold real numbers; got dtype {array.dtype}; convert it to float first."
        )
    return int(n_rows), int(n_pixels)


def chunk_rows(x: Any) -> int:
    """Return how many rows are stored together; 1 where that is unknown or they aren't."""
    check_open(x)
    chunks = getattr(x, "chunks", None)
    first = chunks[0] if isinstance(chunks, tuple) and chunks else 1
    return int(max(first) if isinstance(first, tuple) else first)


def read_rows(x: Any, rows: Rows) -> np.ndarray:
    """Return rows of an array as an array in memory of its own.

    Parameters
    ----------
    x : array-like of shape (n_rows, n_pixels)
        Sliced by rows, in ascending order, at most once for every run of them.
    rows : range or ndarray of int of shape (n,)
        In any order, from 0 on.

    Returns
    -------
    values : ndarray of shape (n, n_pixels)
        Masked where `x` is.

    Raises
    ------
    ValueError
        If `x` is in a file that was closed.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.spectra.stored import read_rows
    >>> read_rows(np.arange(10)[:, None], np.array([7, 2, 3])).ravel()
    array([7, 2, 3])
    """
    check_open(x)
    if isinstance(rows, range) and rows.step == 1:
        return _in_memory(x[rows.start : rows.stop])
    wanted, place = np.unique(np.asarray(rows, dtype=int), return_inverse=True)
    if len(wanted) == 0:
        return _in_memory(x[0:0])
    runs = [
        run[start : start + MOST_WANTED]
        for run in np.split(wanted, np.flatnonzero(np.diff(wanted) > WIDEST_GAP) + 1)
        for start in range(0, len(run), MOST_WANTED)
    ]
    parts = [_in_memory(x[run[0] : run[-1] + 1])[run - run[0]] for run in runs]
    # numpy's own would drop masks.
    return np.ma.concatenate(parts)[place] if is_masked(parts[0]) else np.concatenate(parts)[place]


def read_together(arrays: Sequence[Any], rows: Rows) -> list[Any]:
    """Return rows of several arrays; those of dask are computed at once.

    Parameters
    ----------
    arrays : sequence of array-like of shape (n_rows, n_pixels), or None
        Dask arrays may come of the same computation, such as a translation: it then runs once.
    rows : range or ndarray of int of shape (n,)

    Returns
    -------
    values : list of ndarray of shape (n, n_pixels), or None
    """
    lazy = [array for array in arrays if is_dask(array)]
    computed = iter(_compute(lazy, rows) if lazy else ())
    return [
        None if array is None else next(computed) if is_dask(array) else read_rows(array, rows)
        for array in arrays
    ]


def read_spans(arrays: Sequence[Any], rows: Rows, size: int) -> list[slice]:
    """Return which rows of a selection to read at once: whole chunks of dask arrays.

    Parameters
    ----------
    arrays : sequence of array-like of shape (n_rows, n_pixels)
        Part of a chunk of dask costs as much as all of it.
    rows : range or ndarray of int of shape (n,)
        The selection.
    size : int
        At most so many, unless a chunk has more.

    Returns
    -------
    spans : list of slice
        Of the selection; together they are all of it.
    """
    chunks = next((array.chunks[0] for array in arrays if is_dask(array)), None)
    ascending = rows.step > 0 if isinstance(rows, range) else bool((np.diff(rows) >= 0).all())
    if chunks is None or not ascending:
        return [slice(start, start + size) for start in range(0, len(rows), size)]
    edges = [bisect_left(rows, edge) for edge in np.cumsum(chunks)]
    spans, first, last = [], 0, 0
    for edge in edges:
        if edge - first > size and last > first:
            spans.append(slice(first, last))
            first = last
        last = edge
    return [*spans, slice(first, last)] if last > first else spans


def _compute(arrays: list[Any], rows: Rows) -> list[np.ndarray]:
    import dask

    if isinstance(rows, range) and rows.step == 1:
        parts = dask.compute(*(array[rows.start : rows.stop] for array in arrays))
        return [_in_memory(part) for part in parts]
    wanted, place = np.unique(np.asarray(rows, dtype=int), return_inverse=True)
    return [_in_memory(part)[place] for part in dask.compute(*(array[wanted] for array in arrays))]


def _in_memory(part: Any) -> np.ndarray:
    """Return an array of its own, with the mask that `part` carries."""
    if is_masked(part):
        values = getattr(part, "unmasked", np.ma.getdata(part))
        return np.ma.array(values, mask=np.array(part.mask), copy=True)
    return np.array(part)

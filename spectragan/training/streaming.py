"""Large sets: rows in and out block by block, and what users pass for it, checked."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from spectragan.rules import check, count
from spectragan.spectra import Spectra, as_spectra
from spectragan.spectra.axis import is_descending
from spectragan.spectra.convert import kind_of
from spectragan.spectra.lazy import BLOCK_ROWS, LazySpectra, in_memory
from spectragan.spectra.stored import check_open, chunk_rows, is_dask, is_stored

# Results are computed in batches of so many rows, counted from the first: the last digits of a
# matrix product depend on its size, so they would depend on how much is read at a time.
BATCH_ROWS = BLOCK_ROWS


def rows_per_block(
    spectra: Spectra, chunk_size: int | None, *, batch: int = BATCH_ROWS, out: Any = None
) -> int:
    """Return how many rows to read at a time: whole batches.

    Parameters
    ----------
    spectra : Spectra
    chunk_size : int or None
        What the user asks for; rounded up.
    batch : int, default=512
        Rows of a batch.
    out : object, default=None
        Where results go: rows that are stored together are best written together.

    Returns
    -------
    n_rows : int

    Raises
    ------
    ValueError
        If `chunk_size` isn't an integer of at least 1.
    """
    if chunk_size is None:
        read = spectra.block_rows if isinstance(spectra, LazySpectra) else batch
        chunk_size = max(read, min(chunk_rows(out), 4 * read))
    return -(-check(chunk_size, "chunk_size", count()) // batch) * batch


def read_blocks(
    spectra: Spectra, chunk_size: int | None = None, out: Any = None
) -> Iterator[tuple[slice, Spectra]]:
    """Yield all spectra block by block.

    Parameters
    ----------
    spectra : Spectra
    chunk_size : int, default=None
        Rows read at a time.
    out : object, default=None
        Where results go.

    Yields
    ------
    rows : slice
    block : Spectra
        In memory.
    """
    size = rows_per_block(spectra, chunk_size, out=out)
    for start in range(0, len(spectra), size):
        block = in_memory(spectra[start : start + size])
        yield slice(start, start + len(block)), block


def write_blocks(
    out: Any, spectra: Spectra, chunk_size: int | None, function: Callable[[Spectra], np.ndarray]
) -> Any:
    """Write what a function makes of all spectra, block by block.

    Parameters
    ----------
    out : array or data set of shape (n_spectra, n_pixels)
        Gets pixels in the order of ``spectra.spectral_axis``, as a file of such spectra has them.
    spectra : Spectra
    chunk_size : int or None
        Rows read at a time.
    function : callable
        Makes flux, ascending in wavelength, of the spectra of a block.

    Returns
    -------
    out : object

    Raises
    ------
    TypeError, ValueError
        If `out` has another shape or type or is read-only, or `chunk_size` isn't at least 1.
    """
    check_out(out, spectra.shape)
    order = slice(None, None, -1 if is_descending(spectra.spectral_axis) else 1)
    for rows, block in read_blocks(spectra, chunk_size, out):
        out[rows] = function(block)[:, order]
    return out


def row_chunks(X: Any, chunk_size: int) -> Iterator[Any]:
    """Yield `X` in pieces that are read, where that can be had without a copy.

    Parameters
    ----------
    X : spectra
    chunk_size : int
        Pieces have at most so many rows, or a multiple where rows are read from a file.

    Raises
    ------
    ValueError
        If `X` is an empty selection of spectra.
    """
    if is_stored(X):
        X = LazySpectra(X, None)
    if isinstance(X, Spectra) and len(X) == 0:
        raise ValueError(
            "`X` must hold at least one spectrum; got none; check the selection that made it empty."
        )
    if isinstance(X, LazySpectra):
        yield from X.blocks(rows_per_block(X, None, batch=chunk_size))
        return
    sliceable = isinstance(X, Spectra) or (kind_of(X) == "array" and isinstance(X, np.ndarray))
    if not sliceable or np.ndim(X) != 2 or len(X) <= chunk_size:
        yield X
        return
    for start in range(0, len(X), chunk_size):
        yield X[start : start + chunk_size]


def count_rows(X: Any) -> int:
    """Return how many spectra `X` holds, without reading what is in a file."""
    if is_dask(X):
        return X.shape[0]  # NaN where dask can't tell
    return len(as_spectra(as_rows(X)))


def check_out(out: Any, shape: tuple[int, ...], name: str = "out") -> None:
    """Raise unless results of a shape can be written into `out`.

    Parameters
    ----------
    out : ndarray, memory map, h5py or zarr data set
    shape : tuple of int
    name : str, default="out"
        What to call it in a message.

    Raises
    ------
    TypeError
        If `out` can't be assigned to, or doesn't hold float32 or float64.
    ValueError
        If its shape is another one, it is read-only, or its file was closed.
    """
    check_open(out, name)
    if not all(hasattr(out, word) for word in ("shape", "dtype", "__setitem__")):
        raise TypeError(
            f"`{name}` must be an array or a data set that rows can be written to; got "
            f"{type(out).__name__}; make one with np.lib.format.open_memmap, h5py or zarr."
        )
    if tuple(out.shape) != shape:
        raise ValueError(
            f"`{name}` must have the shape {shape} of the result; got {tuple(out.shape)}; make it "
            "anew."
        )
    if out.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise TypeError(
            f"`{name}` must hold float32 or float64; got dtype {out.dtype}; make it anew."
        )
    if _is_read_only(out):
        raise ValueError(f"`{name}` must be writable; got a read-only one; open it for writing.")


def holds_dask(X: Any) -> bool:
    """Tell whether `X` is a dask array, or lazy spectra over such.

    Parameters
    ----------
    X : object

    Returns
    -------
    dask : bool
    """
    return X.is_dask if isinstance(X, LazySpectra) else is_dask(X)


def write_results(
    out: Any,
    X: Any,
    row_shapes: Sequence[tuple[int, ...]],
    compute: Callable[[], tuple[Any, ...]],
) -> tuple[Any, ...]:
    """Return results, or write them where the user wants them and return that.

    Parameters
    ----------
    out : array, data set, tuple of such or None
        One place for each result; checked before anything is computed.
    X : spectra of shape (n_spectra, n_pixels)
    row_shapes : sequence of tuple of int
        The shape of each result, for one spectrum.
    compute : callable
        Returns the results.

    Returns
    -------
    results : tuple

    Raises
    ------
    TypeError, ValueError
        If `out` doesn't fit.
    """
    places = as_places(out, len(row_shapes))
    if places is None:
        return compute()
    n_rows = count_rows(X)
    for i, (place, shape) in enumerate(zip(places, row_shapes, strict=True)):
        check_out(place, (n_rows, *shape), f"out[{i}]" if len(places) > 1 else "out")
    for place, result in zip(places, compute(), strict=True):
        place[...] = result
    return places


def as_places(out: Any, n_results: int) -> tuple[Any, ...] | None:
    """Return where each result goes.

    Parameters
    ----------
    out : array, data set, tuple of such or None
    n_results : int

    Returns
    -------
    places : tuple of length n_results, or None

    Raises
    ------
    ValueError
        If there is another number of places.
    """
    if out is None:
        return None
    places = tuple(out) if isinstance(out, tuple | list) else (out,)
    if len(places) == n_results:
        return places
    remedy = "give one array" if n_results == 1 else "give a tuple of labels and errors"
    raise ValueError(
        f"`out` must hold one place for each of {n_results} results; got {len(places)}; {remedy}."
    )


def _is_read_only(out: Any) -> bool:
    if isinstance(out, np.ndarray):
        return not out.flags.writeable
    if hasattr(out, "file"):  # h5py
        return getattr(out.file, "mode", None) == "r"
    return bool(getattr(out, "read_only", False))  # zarr


def as_rows(X: Any) -> Any:
    """Return plain matrices as lazy spectra, so that none is copied as a whole.

    Parameters
    ----------
    X : spectra

    Returns
    -------
    X : spectra
    """
    plain = type(X) in (np.ndarray, np.memmap) and X.ndim == 2 and X.dtype.kind in "fiub"
    return LazySpectra(X, None) if (plain and X.size) or is_stored(X) else X

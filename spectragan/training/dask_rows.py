"""Dask arrays through fitted estimators: lazily, block by block, on whatever runs dask."""

from collections.abc import Callable
from functools import partial
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.spectra import Spectra
from spectragan.spectra.checks import with_unit
from spectragan.spectra.lazy import LazySpectra
from spectragan.spectra.stored import is_dask
from spectragan.training.devices import one_thread


def check_left_to_dask(**given: Any) -> None:
    """Raise if one of some arguments isn't None.

    Parameters
    ----------
    **given
        What dask decides itself.

    Raises
    ------
    ValueError
        If one isn't None.
    """
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"`{name}` must be None where `X` is a dask array; got {type(value).__name__}; "
                "rechunk X, and store the result with dask.array.store or to_zarr."
            )


def map_spectra(
    estimator: Any,
    method: str,
    X: Any,
    n_columns: int,
    dtype: Any,
    *,
    by_row: np.ndarray | None = None,
    **arguments: Any,
) -> Any:
    """Return what an estimator makes of every block of rows, as a dask array.

    Parameters
    ----------
    estimator : object
        Fitted; sent to every worker once.
    method : str
        Name of its method that takes the `Spectra` of a block, and returns an array of shape
        (n_rows, n_columns).
    X : dask array or LazySpectra of shape (n_spectra, n_pixels)
        In one chunk of columns.
    n_columns : int
    dtype : dtype
    by_row : ndarray of shape (n_spectra, ...), default=None
        Something of each spectrum; its part is the method's second argument.
    **arguments
        Of the method, beside the spectra.

    Returns
    -------
    result : dask array of shape (n_spectra, n_columns)
        In the row chunks of `X`, which may be unknown.

    Raises
    ------
    ValueError
        If `X` has several chunks of columns.
    """
    import dask.array as da
    from dask import delayed

    arrays, build = _parts(X, da, by_row)
    return da.map_blocks(
        _run,
        *arrays,
        estimator=delayed(estimator, traverse=False),
        function=partial(_call, method=method, arguments=arguments),
        build=build,
        n_columns=n_columns,
        dtype=dtype,
        chunks=(arrays[0].chunks[0], (n_columns,)),
        meta=np.empty((0, 0), dtype),
    )


def gather_spectra(
    estimator: Any, method: str, X: Any, *, by_row: np.ndarray | None = None, **arguments: Any
) -> list[Any]:
    """Return what an estimator makes of every block of rows, computed now.

    Parameters
    ----------
    estimator : object
        Fitted.
    method : str
        Name of its method that takes the `Spectra` of a block.
    X : dask array or LazySpectra of shape (n_spectra, n_pixels)
    by_row : ndarray of shape (n_spectra, ...), default=None
        Something of each spectrum; its part is the method's second argument.
    **arguments
        Of the method, beside the spectra.

    Returns
    -------
    results : list
        One per block that isn't empty.
    """
    import dask
    import dask.array as da

    arrays, build = _parts(X, da, by_row)
    shared = dask.delayed(estimator, traverse=False)
    task = dask.delayed(_gather)
    function = partial(_call, method=method, arguments=arguments)
    # Optimized one by one, what makes both flux and ivar would be fused into each, and run twice.
    parts = (array.to_delayed(optimize_graph=False).ravel() for array in arrays)
    blocks = zip(*parts, strict=True)
    found = dask.compute(*(task(*block, shared, function, build) for block in blocks))
    return [result for result in found if result is not None]


def one_row(X: Any) -> Any:
    """Return a row of ones like `X`, to check the grid of a dask array with.

    Parameters
    ----------
    X : dask array or LazySpectra

    Returns
    -------
    row : ndarray or Spectra of shape (1, n_pixels)

    Raises
    ------
    TypeError, ValueError
        If `X` isn't a matrix of real numbers.
    """
    if X.ndim != 2:
        raise ValueError(
            f"`X` must have the shape (n_spectra, n_pixels); got a dask array of shape {X.shape}; "
            "use X[None, :] for one spectrum."
        )
    row = np.ones((1, X.shape[1]), X.dtype)
    if not isinstance(X, LazySpectra):
        return row
    return Spectra(row * X.unit, X.spectral_axis, medium=X.medium)


def _parts(
    X: Any, da: Any, by_row: np.ndarray | None
) -> tuple[list[Any], Callable[..., tuple[Any, ...]]]:
    """Return dask arrays in equal chunks, and what makes `Spectra` and so on of a block."""
    if isinstance(X, LazySpectra):
        flux, ivar = X.stored_rows()
        flux = _one_column_chunk(flux if is_dask(flux) else da.from_array(flux), "flux")
        words = da.from_array(np.asarray(X.noise)[:, None], chunks=(flux.chunks[0], 1))
        arrays = [flux, words]
        if ivar is not None:
            lazy = ivar if is_dask(ivar) else da.from_array(ivar, chunks=flux.chunks)
            arrays.append(lazy.rechunk(flux.chunks))
        build = partial(_build, axis=X.spectral_axis, medium=X.medium, unit=X.unit)
    else:
        arrays, build = [_one_column_chunk(X, "X")], partial(_build, axis=None, medium=None)
    if by_row is None:
        return arrays, build
    flat = by_row.reshape(len(by_row), -1)
    arrays.append(da.from_array(flat, chunks=(arrays[0].chunks[0], flat.shape[1])))
    return arrays, partial(build, row_shape=by_row.shape[1:])


def _one_column_chunk(array: Any, name: str) -> Any:
    if len(array.chunks[1]) > 1:
        raise ValueError(
            f"`{name}` must have whole spectra in each chunk; got {len(array.chunks[1])} chunks of "
            f"columns; call {name}.rechunk({{1: -1}}) first."
        )
    return array


def _build(
    *arrays: Any,
    axis: Any,
    medium: Any,
    unit: Any = u.dimensionless_unscaled,
    row_shape: tuple[int, ...] | None = None,
) -> tuple[Any, ...]:
    """Return the spectra of a block, and what there is of each beside them."""
    more = () if row_shape is None else (arrays[-1].reshape(-1, *row_shape),)
    flux, words, ivar = (*arrays[: len(arrays) - len(more)], None, None)[:3]
    noise = None if words is None else words[:, 0]
    return Spectra(with_unit(flux, unit), axis, ivar, noise, medium), *more


def _call(estimator: Any, inputs: tuple[Any, ...], method: str, arguments: dict[str, Any]) -> Any:
    return getattr(estimator, method)(*inputs, **arguments)


def _run(
    *arrays: np.ndarray,
    estimator: Any,
    function: Callable[[Any, tuple[Any, ...]], np.ndarray],
    build: Callable[..., tuple[Any, ...]],
    n_columns: int,
) -> np.ndarray:
    """Work on one block; runs on a worker."""
    if len(arrays[0]) == 0:
        return np.empty((0, n_columns))
    with one_thread():  # workers share the cores already
        return function(estimator, build(*arrays))


def _gather(*parts: Any) -> Any:
    """Work on one block; runs on a worker."""
    *arrays, estimator, function, build = parts
    if len(arrays[0]) == 0:
        return None
    with one_thread():
        return function(estimator, build(*arrays))

"""Rows of `Spectra`: which ones an index means, and what metadata goes with them."""

from collections.abc import Sequence
from typing import Any

import numpy as np

# What a specutils spectrum says of its own velocity travels here, in km/s: steps that keep the
# frame keep it, and a shift to rest makes it 0.
RADIAL_VELOCITY_KEY = "spectragan_radial_velocity"


def row_index(key: Any, n_rows: int) -> slice | np.ndarray:
    """Return a slice or an integer array for an index of rows.

    Parameters
    ----------
    key : int, slice, bool mask, array of int, or a tuple of one of them and ``...``
        scikit-learn asks for ``X[rows, ...]``.
    n_rows : int
        Number of rows.

    Returns
    -------
    slice or ndarray of int
        Ready for indexing the first axis of an array.

    Raises
    ------
    IndexError
        If pixels are selected, or `key` is no index of rows.
    """
    if isinstance(key, tuple):
        key = _first_of_tuple(key)
    if key is Ellipsis:
        return slice(None)
    if isinstance(key, slice):
        return key
    rows = np.asarray(key)
    if rows.dtype == bool:
        if rows.shape != (n_rows,):
            raise IndexError(
                f"a mask of spectra must have the shape ({n_rows},); got {rows.shape}; "
                "make one value per spectrum."
            )
        return np.flatnonzero(rows)
    if rows.size == 0:
        rows = rows.astype(int)
    if rows.dtype.kind not in "iu" or rows.ndim > 1:
        raise IndexError(
            f"spectra are selected by int, slice, mask or 1-D array of int; got {key!r}; "
            "use attributes such as `meta` for everything else."
        )
    rows = np.atleast_1d(rows)
    outside = (rows < -n_rows) | (rows >= n_rows)
    if outside.any():
        raise IndexError(
            f"a row of {n_rows} spectra must be one of {-n_rows} to {n_rows - 1}; got "
            f"{rows[outside][0]}; rows count from 0, and from -1 backwards."
        )
    return rows


def _first_of_tuple(key: tuple) -> Any:
    rest_is_everything = all(k is Ellipsis or k == slice(None) for k in key[1:])
    if len(key) not in (1, 2) or not rest_is_everything:
        raise IndexError(
            "an index of Spectra selects spectra only, s[rows] or s[rows, ...]; "
            f"got {key!r}; set ivar to 0 to ignore pixels, or use `select_pixels`."
        )
    return key[0]


def take_rows(meta: dict[str, Any] | None, rows: slice | np.ndarray) -> dict[str, Any] | None:
    """Return meta of the given rows; lists stay lists, arrays stay arrays."""
    if meta is None:
        return None
    return {key: _take(values, rows) for key, values in meta.items()}


def _take(values: Any, rows: slice | np.ndarray) -> Any:
    if isinstance(values, list | tuple):
        return values[rows] if isinstance(rows, slice) else [values[i] for i in rows]
    return getattr(values, "iloc", values)[rows]


def join_meta(metas: Sequence[dict[str, Any] | None], lengths: Sequence[int]) -> dict | None:
    """Join per-row metadata of several sets; rows that lack a key hold None there."""
    if all(meta is None for meta in metas):
        return None
    dicts = [meta or {} for meta in metas]
    keys = dict.fromkeys(key for meta in dicts for key in meta)
    return {
        key: _join([meta.get(key, [None] * n) for meta, n in zip(dicts, lengths, strict=True)])
        for key in keys
    }


def _join(parts: list[Any]) -> Any:
    same_kind = all(
        type(part) is np.ndarray
        and part.dtype.kind == parts[0].dtype.kind
        and part.shape[1:] == parts[0].shape[1:]
        for part in parts
    )
    if same_kind:
        return np.concatenate(parts)
    return [value for part in parts for value in part]


def drop_absent(meta: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return meta without the keys that no row has (all None), or None if nothing is left."""
    if meta is None:
        return None
    kept = {
        key: values
        for key, values in meta.items()
        if not (isinstance(values, list) and all(value is None for value in values))
    }
    return kept or None

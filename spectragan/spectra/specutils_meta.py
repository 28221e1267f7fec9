"""Metadata between one dict per spectrum (specutils) and one sequence per key (`Spectra`)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from spectragan.spectra.container import Spectra
from spectragan.spectra.rows import drop_absent, join_meta

# What specutils has no place for travels under these keys, written only where it isn't the
# default ("unknown" without uncertainty, no medium).
NOISE_KEY = "spectragan_noise"
MEDIUM_KEY = "spectragan_medium"


def merge_meta(metas: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """Return one list per key; spectra without a key hold None there."""
    if not any(metas):
        return None
    rows = [{key: [value] for key, value in (meta or {}).items()} for meta in metas]
    return join_meta(rows, [1] * len(rows))


def split_meta(meta: Mapping[str, Any], n_rows: int) -> dict[str, Any] | None:
    """Return per-row values of a dict that all rows share; what isn't per row is repeated."""
    if not meta:
        return None
    return {
        key: value if _is_per_row(value, n_rows) else [value] * n_rows
        for key, value in meta.items()
    }


def _is_per_row(value: Any, n_rows: int) -> bool:
    return (
        isinstance(value, list | tuple | np.ndarray) and np.ndim(value) > 0 and len(value) == n_rows
    )


def pop_words(meta: dict[str, Any] | None, n_rows: int) -> tuple[list[str], str | None, Any]:
    """Take the words on noise and medium out of meta."""
    if meta is None:
        return ["unknown"] * n_rows, None, None
    words = meta.pop(NOISE_KEY, None) or ["unknown"] * n_rows
    media = meta.pop(MEDIUM_KEY, None) or [None]
    medium = next((m for m in media if m), None)
    return [word or "unknown" for word in words], medium, meta or None


def row_metas(spectra: Spectra) -> Iterator[dict[str, Any]]:
    """Yield one dict per spectrum, without the keys it doesn't have."""
    meta = _with_words(spectra)
    for i in range(len(spectra)):
        row = {key: values[i] for key, values in meta.items()}
        yield {key: value for key, value in row.items() if value is not None}


def shared_meta(spectra: Spectra) -> dict[str, Any]:
    """Return one dict of all rows; a value that is the same object in every row appears once."""
    meta = drop_absent(_with_words(spectra)) or {}
    return {key: values[0] if _is_repeated(values) else values for key, values in meta.items()}


def _is_repeated(values: Any) -> bool:
    return isinstance(values, list) and all(value is values[0] for value in values)


def _with_words(spectra: Spectra) -> dict[str, Any]:
    meta = spectra.meta or {}
    meta = {key: getattr(values, "iloc", values) for key, values in meta.items()}
    if (spectra.noise == "exact").any():
        meta[NOISE_KEY] = ["exact" if word == "exact" else None for word in spectra.noise]
    if spectra.medium:
        meta[MEDIUM_KEY] = [spectra.medium] * len(spectra)
    return meta

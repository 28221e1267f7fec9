"""How much each star counts, and which stars are copies of another."""

from hashlib import blake2b
from typing import Any

import numpy as np

from spectragan.rules import is_number
from spectragan.spectra import LazySpectra, Spectra


def star_weights(sample_weight: Any, n_stars: int) -> np.ndarray:
    """Return the weights of stars, 1 where none are given.

    Parameters
    ----------
    sample_weight : array-like of shape (n_stars,), number or None
    n_stars : int

    Returns
    -------
    weights : ndarray of shape (n_stars,), float64

    Raises
    ------
    ValueError
        If there isn't one finite number >= 0 for each star, or all are 0.

    Examples
    --------
    >>> from spectragan.training.weights import star_weights
    >>> star_weights([2, 0, 1], 3)
    array([2., 0., 1.])
    """
    if sample_weight is None:
        return np.ones(n_stars)
    if is_number(sample_weight):
        sample_weight = np.full(n_stars, float(sample_weight))
    try:
        weights = np.array(sample_weight, dtype=float)
    except (TypeError, ValueError):
        weights, found = np.empty(0), "values that aren't numbers"
    else:
        found = f"shape {weights.shape} for {n_stars} stars"
    if weights.shape == (n_stars,):
        bad = ~(np.isfinite(weights) & (weights >= 0))
        if not bad.any() and weights.any():
            return weights
        row = np.flatnonzero(bad)
        found = f"{weights[row[0]]:g} at row {row[0]}" if len(row) else "zero for all stars"
    raise ValueError(
        "`sample_weight` must hold one finite number >= 0 for each star, not zero for all; got "
        f"{found}; give None to let all stars count alike."
    )


def distinct_rows(
    labels: np.ndarray, spectra: Spectra, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of different stars in an order of their own, and how much each counts.

    A star that comes twice counts twice, but is one star: held-out stars must not be among those
    that are learned from. In an order of their own, stars give the same fit however they came.

    Parameters
    ----------
    labels : ndarray of shape (n_stars, n_labels)
        NaN where a label isn't known.
    spectra : Spectra
        Files of spectra aren't searched: their rows are all there are, as they come.
    weights : ndarray of shape (n_stars,)
        Stars of weight 0 are left out.

    Returns
    -------
    rows : ndarray of int of shape (n_distinct,)
        In ascending order of the labels.
    weights : ndarray of shape (n_distinct,)

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan import Spectra
    >>> from spectragan.training.weights import distinct_rows
    >>> labels = np.array([[5.0], [4.0], [5.0]])
    >>> distinct_rows(labels, Spectra(labels, None), np.ones(3))
    (array([1, 0]), array([1., 2.]))
    """
    if isinstance(spectra, LazySpectra):
        rows = np.flatnonzero(weights > 0)
        return rows, weights[rows]
    order = np.lexsort(labels.T[::-1])
    order = order[weights[order] > 0]
    kept: dict[Any, int] = {}
    totals: list[float] = []
    for group in _like_labelled(labels, order):
        if len(group) == 1:
            names = [b""]
        else:
            names = [_digest(spectra[row : row + 1]) for row in group.tolist()]
        for place in np.argsort(np.array(names, dtype=object), kind="stable"):
            row = int(group[place])
            key = (int(group[0]), names[place])
            if key in kept:
                totals[kept[key]] += float(weights[row])
            else:
                kept[key] = len(totals)
                totals.append(float(weights[row]))
                order[kept[key]] = row
    return order[: len(totals)], np.array(totals)


def _like_labelled(labels: np.ndarray, order: np.ndarray) -> list[np.ndarray]:
    """Return groups of rows of equal labels, a copy of `order` cut into pieces."""
    ordered = labels[order]
    same = (ordered[1:] == ordered[:-1]) | (np.isnan(ordered[1:]) & np.isnan(ordered[:-1]))
    return np.split(order.copy(), np.flatnonzero(~same.all(axis=1)) + 1)


def _digest(spectrum: Spectra) -> bytes:
    """Return a name of one spectrum; values under ``ivar == 0`` don't count."""
    digest = blake2b(str(spectrum.noise[0]).encode(), digest_size=16)
    for values in (spectrum.filled(), spectrum.ivar):
        digest.update(np.ascontiguousarray(values, dtype=float).data)
    return digest.digest()

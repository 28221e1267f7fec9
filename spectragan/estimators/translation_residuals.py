"""Translated less observed spectra of the same stars: pairs, or counterparts that are inferred."""

from typing import NamedTuple

import numpy as np

from spectragan.estimators.translator_data import memory_data
from spectragan.spectra import Spectra
from spectragan.training.mismatch import MIN_PIXELS, MIN_ROWS, place_domains

MOST_RESIDUALS = 100_000  # more change no factor
FEWEST_STARS = 10  # fewer say nothing about errors


class Counterparts(NamedTuple):
    """Observed spectra and their synthetic counterparts, row by row.

    Attributes
    ----------
    synthetic : Spectra
        Noise "exact".
    observed : Spectra
        With known noise.
    used : ndarray of bool of shape (n_spectra, n_pixels)
        Pixels that both have.
    """

    synthetic: Spectra
    observed: Spectra
    used: np.ndarray


class Residuals(NamedTuple):
    """Some pixels of some stars, in one dimension.

    Attributes
    ----------
    residual, spread, noise : ndarrays of shape (n,)
        Translated less observed flux, what is said of its standard deviation, noise variance.
    stars : ndarray of int of shape (n,)
    """

    residual: np.ndarray
    spread: np.ndarray
    noise: np.ndarray
    stars: np.ndarray


def paired(synthetic: Spectra, observed: Spectra) -> Counterparts:
    """Return pairs that a user has.

    Parameters
    ----------
    synthetic, observed : Spectra of shape (n_spectra, n_pixels)
        Row by row.

    Returns
    -------
    counterparts : Counterparts

    Raises
    ------
    ValueError
        If there aren't as many of each, or fewer than 10 with known errors.
    """
    if len(synthetic) != len(observed):
        raise ValueError(
            "`X` and `y` must hold as many spectra, row by row, where `pairs` is True; got "
            f"{len(synthetic)} and {len(observed)}; give the same stars in both."
        )
    known = _known_rows(observed)
    synthetic, observed = synthetic[known], observed[known]
    return Counterparts(synthetic, observed, (synthetic.ivar > 0) & (observed.ivar > 0))


def inferred(synthetic: Spectra, observed: Spectra) -> Counterparts:
    """Return observed spectra with the synthetic counterparts that are found without a translator.

    Parameters
    ----------
    synthetic, observed : Spectra of shape (n_d, n_pixels)
        Unpaired.

    Returns
    -------
    counterparts : Counterparts
        The counterpart of a spectrum differs from it at as few pixels as possible.

    Raises
    ------
    ValueError
        If there are too few spectra, or too few with known errors.
    """
    known = _known_rows(observed)
    placed = place_domains((memory_data(synthetic), memory_data(observed)))
    if placed is None:
        raise ValueError(
            f"`X` and `y` must hold {MIN_ROWS} different spectra each, and {MIN_PIXELS} pixels "
            f"that both have; got {len(synthetic)} and {len(observed)} spectra of "
            f"{synthetic.shape[1]} pixels; give more, or pairs with pairs=True."
        )
    flux, seen = np.zeros(observed.shape), np.zeros(observed.shape)
    flux[:, placed.pixels] = placed.pairs.manifold.spectra(placed.latents[1])
    seen[:, placed.pixels] = 1.0
    partners = observed.with_flux(flux.astype(observed.dtype), seen.astype(observed.dtype), "exact")
    return Counterparts(partners[known], observed[known], ((seen > 0) & (observed.ivar > 0))[known])


def residuals_of(
    translated: np.ndarray, spread: np.ndarray, counterparts: Counterparts
) -> Residuals:
    """Return the residuals of translated counterparts, in units of nothing.

    Parameters
    ----------
    translated, spread : ndarrays of shape (n_spectra, n_pixels)
        Flux of the translated counterparts, and what is said of its standard deviation.
    counterparts : Counterparts

    Returns
    -------
    residuals : Residuals
        At most 100,000, at random.
    """
    rows, pixels = np.nonzero(counterparts.used & np.isfinite(spread) & (spread > 0))
    some = np.sort(np.random.default_rng(0).permutation(len(rows))[:MOST_RESIDUALS])
    at = rows[some], pixels[some]
    observed = counterparts.observed
    residual = translated[at] - observed.flux[at]
    return Residuals(residual, spread[at], 1 / observed.ivar[at].astype(float), at[0])


def _known_rows(observed: Spectra) -> np.ndarray:
    """Return which spectra have known errors; raise if too few."""
    known = np.flatnonzero((observed.noise == "known") & (observed.ivar > 0).any(axis=1))
    if len(known) < FEWEST_STARS:
        raise ValueError(
            f"`y` must hold {FEWEST_STARS} observed spectra or more with known errors; got "
            f"{len(known)}; give spectra with an ivar."
        )
    return known

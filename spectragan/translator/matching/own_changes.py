"""What each observed star has by itself, and what says nothing about where it lies."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from spectragan.translator.matching.instrument import Instrument

EXCESS = 1.0  # over the noise's own: changes that scatter less disturb no star's place
RANGE = 1e-3  # of the largest variance: the smallest that is told from none
RIDGE = 1e-9  # of squares, relative to their mean
NORMAL_MEDIAN = 0.6745  # of the absolute value of a standard normal number
TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class OwnChanges:
    r"""Continuum, broadening and velocity that differ from star to star, as a Gaussian prior.

    Stars are placed with these amounts left free within their scatter: a continuum that is wrong
    by a per cent would else be read as a change of the latents. All amounts are solved for with
    the latents, and taken out of the normal equations.

    Attributes
    ----------
    ways : ndarray of shape (n_ways, n_pixels)
        How flux changes with each amount; none where stars don't differ so.
    precision : ndarray of shape (n_ways,)
        Inverse variance of the amounts, in units of the mean inverse variance of a pixel.
    """

    _kept: ClassVar = {"ways": "array w p", "precision": "array w"}

    ways: np.ndarray
    precision: np.ndarray

    def take_off(
        self,
        gram: np.ndarray,
        moment: np.ndarray,
        weights: np.ndarray,
        weighted: np.ndarray,
        coefficients: np.ndarray,
    ) -> None:
        """Take what the amounts may explain out of the normal equations, in place.

        Parameters
        ----------
        gram : ndarray of shape (n_spectra, n_terms, n_terms)
        moment : ndarray of shape (n_spectra, n_terms)
        weights, weighted : ndarrays of shape (n_spectra, n_pixels)
            Inverse variances, and these times the flux.
        coefficients : ndarray of shape (n_terms, n_pixels)
        """
        if not len(self.ways):
            return
        n_ways, n_terms = len(self.ways), len(coefficients)
        products = (self.ways[:, None] * coefficients).reshape(-1, coefficients.shape[1])
        cross = (weights @ products.T).reshape(-1, n_ways, n_terms)
        prior = weights.mean(axis=1)[:, None, None] * np.diag(self.precision)
        own = _squares(self.ways, weights) + prior + TINY * np.eye(n_ways)
        seen = (weighted @ self.ways.T)[..., None]
        solved = np.linalg.solve(own, np.concatenate([cross, seen], axis=2))
        taken = cross.transpose(0, 2, 1) @ solved
        gram -= taken[..., :n_terms]
        moment -= taken[..., n_terms]


def no_own_changes(n_pixels: int) -> OwnChanges:
    """Return what stars have that don't differ.

    Parameters
    ----------
    n_pixels : int
    """
    return OwnChanges(np.empty((0, n_pixels)), np.empty(0))


def find_own_changes(
    instrument: Instrument,
    flux: np.ndarray,
    residual: np.ndarray,
    weights: np.ndarray,
    pixels: slice = slice(None),
) -> OwnChanges:
    """Return how continuum, broadening and velocity scatter between stars, beyond the noise.

    Parameters
    ----------
    instrument : Instrument
        Knows how spectra change.
    flux : ndarray of shape (n_pixels,)
        Of a typical star.
    residual : ndarray of shape (n_spectra, n_chosen)
        What a model of all stars leaves; 0 where there is no flux.
    weights : ndarray of shape (n_spectra, n_chosen)
        Inverse variances, in any unit.
    pixels : slice, default=slice(None)
        Those that are chosen.

    Returns
    -------
    own : OwnChanges
        Without ways where none of them scatters more than the noise lets it seem to.
    """
    ways = instrument.star_ways(flux)[:, pixels]
    relative = weights / np.maximum(weights.mean(axis=1, keepdims=True), TINY)
    gram = _squares(ways, relative)
    size = np.trace(gram, axis1=1, axis2=2)[:, None, None]
    inverse = np.linalg.inv(gram + (RIDGE * size + TINY) * np.eye(len(ways)))
    amounts = np.einsum("nkl,nl->nk", inverse, (relative * residual) @ ways.T)
    noise = (relative * (residual - amounts @ ways) ** 2).mean(axis=1)
    expected = np.median(np.diagonal(inverse, axis1=1, axis2=2) * noise[:, None], axis=0)
    scatter = np.median(np.abs(amounts - np.median(amounts, axis=0)), axis=0) / NORMAL_MEDIAN
    variance = scatter**2 - expected
    if not (variance > EXCESS * expected).any():
        return no_own_changes(ways.shape[1])
    variance = np.maximum(variance, RANGE * variance.max())
    return OwnChanges(ways, np.median(noise) / variance)


def _squares(ways: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return weighted products of the ways, (n_spectra, n_ways, n_ways)."""
    first, second = np.triu_indices(len(ways))
    squares = np.empty((len(weights), len(ways), len(ways)))
    squares[:, first, second] = weights @ (ways[first] * ways[second]).T
    squares[:, second, first] = squares[:, first, second]
    return squares

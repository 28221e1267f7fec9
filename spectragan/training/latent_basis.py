"""Latents of synthetic spectra: their leading principal components."""

import math
from dataclasses import dataclass

import numpy as np
from sklearn.utils.extmath import randomized_svd

from spectragan.training.dimension import intrinsic_dimension
from spectragan.training.representation import DomainData

N_COMPONENTS = 20  # in which the intrinsic dimension is counted
MAX_LATENTS = 6
SIZE_PER_COMPONENT = 10  # rows and pixels: more components would fill masked pixels with noise
FILL_ITERATIONS = 5  # masked pixels are filled with what the components say about them
ROUNDING = 1e-6  # of flux: spectra that differ by less are alike
SPREAD_FLOOR = 0.03  # of the largest spread: smaller components would count as much as large ones


@dataclass(frozen=True)
class LatentBasis:
    """Leading principal components of synthetic spectra, in units of their scatter.

    Attributes
    ----------
    mean : ndarray of shape (n_pixels,)
    components : ndarray of shape (n_components, n_pixels)
        More than there are latents: they fill masked pixels.
    scale : ndarray of shape (n_latents,)
    """

    mean: np.ndarray
    components: np.ndarray
    scale: np.ndarray

    def filled(self, data: DomainData) -> np.ndarray:
        """Return flux with masked pixels as the components have them.

        Parameters
        ----------
        data : DomainData
            Synthetic.

        Returns
        -------
        flux : ndarray of shape (n_spectra, n_pixels)
        """
        centred = np.where(data.good, data.flux - self.mean, 0.0)
        return self.mean + _filled(centred, data.good, self.components)

    def latents(self, data: DomainData) -> np.ndarray:
        """Return the latents of synthetic spectra.

        Parameters
        ----------
        data : DomainData

        Returns
        -------
        latents : ndarray of shape (n_spectra, n_latents)
        """
        centred = self.filled(data) - self.mean
        return centred @ self.components[: len(self.scale)].T / self.scale


def fit_latent_basis(data: DomainData, rng: np.random.RandomState) -> LatentBasis | None:
    """Find the leading directions of synthetic spectra.

    Parameters
    ----------
    data : DomainData
    rng : RandomState
        Starts the randomised decomposition.

    Returns
    -------
    basis : LatentBasis or None
        As many latents as the intrinsic dimension, 6 at most; None if all spectra are alike.

    Returns
    -------
    basis : LatentBasis
    """
    good = data.good
    mean = np.where(good, data.flux, 0.0).sum(axis=0) / np.maximum(good.sum(axis=0), 1)
    n_components = min(
        N_COMPONENTS, *(max(1, size // SIZE_PER_COMPONENT) for size in data.flux.shape)
    )
    centred = filled = np.where(good, data.flux - mean, 0.0)
    for _ in range(1 if good.all() else FILL_ITERATIONS):
        components = randomized_svd(filled, n_components, random_state=rng)[2]
        filled = _filled(centred, good, components)
    coefficients = filled @ components.T
    spread = coefficients.std(axis=0)
    n_real = int(np.count_nonzero(spread > ROUNDING * np.abs(data.flux).max()))
    if n_real == 0:
        return None
    scaled = coefficients / np.maximum(spread, SPREAD_FLOOR * spread.max())
    kept = min(math.ceil(intrinsic_dimension(scaled)), MAX_LATENTS, n_real)
    return LatentBasis(mean, components, spread[:kept])


def _filled(centred: np.ndarray, good: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Return spectra less their mean, masked pixels filled."""
    filled = centred
    for _ in range(0 if good.all() else FILL_ITERATIONS):
        filled = np.where(good, centred, filled @ components.T @ components)
    return filled

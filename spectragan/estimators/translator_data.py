"""Spectra of translators: as training takes them, and as they come out."""

import numpy as np

from spectragan.spectra import Spectra
from spectragan.spectra.lazy import LazySpectra
from spectragan.training.representation import DomainData
from spectragan.training.stored_domain import Domain, StoredDomain


def domain_data(spectra: Spectra) -> Domain:
    """Return what training needs of `spectra`, as numbers.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    data : DomainData or StoredDomain
        Lazy spectra stay where they are, unless they are few.
    """
    if isinstance(spectra, LazySpectra):
        return StoredDomain(spectra, memory_data).smallest()
    return memory_data(spectra)


def memory_data(spectra: Spectra) -> DomainData:
    """Return what training needs of `spectra` in memory.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    data : DomainData
    """
    return DomainData(
        flux=spectra.filled(),
        weights=np.asarray(spectra.ivar),
        known=spectra.noise == "known",
        exact=spectra.noise == "exact",
    )


def translated_spectra(spectra: Spectra, flux: np.ndarray) -> Spectra:
    """Return translated flux on the grid of `spectra`.

    Parameters
    ----------
    spectra : Spectra
    flux : ndarray of shape (n_spectra, n_pixels)
        NaN in rows that stay masked.

    Returns
    -------
    translated : Spectra
        Noise "exact".
    """
    seen = ~np.isnan(flux).all(axis=1, keepdims=True)
    good = np.broadcast_to(seen, flux.shape).astype(flux.dtype)
    return spectra.with_flux(np.where(seen, flux, 0), good, "exact")


def complete(spectra: Spectra) -> np.ndarray:
    """Return flux with masked pixels at the mean of the good ones.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    flux : ndarray of shape (n_spectra, n_pixels)
        In double precision.
    """
    good = spectra.ivar > 0
    flux = spectra.filled().astype(float)
    mean = flux.sum(axis=0) / np.maximum(good.sum(axis=0), 1)
    return np.where(good, flux, mean)

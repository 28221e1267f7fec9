"""Make the noise of two sets of spectra alike before they are compared.

A noise-free translated spectrum differs from any observed one by the noise alone, and every
two-sample test sees that first. So exact rows are lent the noise and the mask of observed rows.
"""

import numpy as np

from spectragan.spectra.container import Spectra

# Errors of two sets that differ by less look alike to a classifier of some hundred spectra.
ALIKE = 1.25


def lend_noise(spectra: Spectra, lenders: Spectra, rng: np.random.Generator) -> Spectra:
    """Give every exact row the mask, and where it is known the noise, of a random lender.

    Parameters
    ----------
    spectra : Spectra of shape (n_spectra, n_pixels)
        Rows that are not "exact" are returned as they are.
    lenders : Spectra of shape (n_lenders, n_pixels)
        Only rows that are not "exact" lend.
    rng : numpy.random.Generator
        Chooses the lenders and draws the noise.

    Returns
    -------
    noisy : Spectra of shape (n_spectra, n_pixels)
        Lent noise has standard deviation ``1 / sqrt(ivar)`` of the lender; pixels masked in the
        lender are masked, and pixels the row had masked itself stay masked.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.spectra.noise import lend_noise
    >>> from spectragan.spectra import Spectra
    >>> exact = Spectra(np.ones((1, 3)), None, noise="exact")
    >>> lender = Spectra(np.ones((1, 3)), None, ivar=[[4.0, 0.0, 4.0]])
    >>> lend_noise(exact, lender, np.random.default_rng(0)).ivar
    array([[4., 0., 4.]])
    """
    able = np.flatnonzero(lenders.noise != "exact")
    needy = np.flatnonzero(spectra.noise == "exact")
    if able.size == 0 or needy.size == 0:
        return spectra
    lent = able[rng.integers(able.size, size=needy.size)]
    known = lenders.noise[lent] == "known"
    flux, ivar, noise = spectra.flux.copy(), spectra.ivar.copy(), spectra.noise.copy()
    ivar[needy] = lenders.ivar[lent] * (spectra.ivar[needy] > 0)
    # One draw per row and pixel whatever the mask, so that masks do not shift the random stream.
    draws = rng.standard_normal((needy.size, spectra.shape[1]))
    std = np.zeros(draws.shape)
    np.divide(1.0, np.sqrt(ivar[needy]), out=std, where=ivar[needy] > 0)
    flux[needy] += np.where(known[:, None], draws * std, 0.0).astype(flux.dtype)
    noise[needy[known]] = "known"
    return spectra.with_flux(flux, ivar=ivar, noise=noise)


def match_noise(a: Spectra, b: Spectra, rng: np.random.Generator) -> tuple[Spectra, Spectra, bool]:
    """Lend noise and masks both ways between two sets, and say whether they are now alike.

    Parameters
    ----------
    a, b : Spectra of shape (n_a, n_pixels) and (n_b, n_pixels)
        The two sets.
    rng : numpy.random.Generator
        Chooses the lenders and draws the noise.

    Returns
    -------
    a, b : Spectra
        The same sets with noise lent to exact rows.
    matched : bool
        False if any row's noise is "unknown", which can be neither lent nor checked, or if both
        sets have known errors, but of different size: nothing is added to those.
    """
    unknown = (a.noise == "unknown").any() or (b.noise == "unknown").any()
    levels = [_noise_level(part) for part in (a, b) if (part.noise == "known").any()]
    alike = len(levels) < 2 or max(levels) <= ALIKE * min(levels)
    matched = bool(alike and not unknown)
    return lend_noise(a, b, rng), lend_noise(b, a, rng), matched


def _noise_level(spectra: Spectra) -> float:
    """Return the median error of a good pixel of the rows whose errors are known."""
    ivar = spectra.ivar[spectra.noise == "known"]
    good = ivar[ivar > 0]
    return float(np.median(good) ** -0.5) if len(good) else 0.0


def relative_weights(sets: list[Spectra]) -> list[np.ndarray]:
    """Return pixel weights in [0, 1] for a joint fit of all sets.

    Parameters
    ----------
    sets : list of Spectra
        If all their noise is known, a pixel with less ivar than the median of its row counts
        less; otherwise the weights are the masks, so that no set is treated unlike another.

    Returns
    -------
    weights : list of ndarray of shape (n_spectra, n_pixels)
        Zero exactly where ivar is zero.
    """
    if not all((spectra.noise == "known").all() for spectra in sets):
        return [(spectra.ivar > 0).astype(np.float64) for spectra in sets]
    return [_soft_weights(spectra.ivar.astype(np.float64)) for spectra in sets]


def _soft_weights(ivar: np.ndarray) -> np.ndarray:
    """Scale every row of `ivar` by the median of its unmasked pixels and cut at one."""
    unmasked = np.where(ivar > 0, ivar, np.nan)
    some = (ivar > 0).any(axis=1)
    scale = np.ones(len(ivar))
    scale[some] = np.nanmedian(unmasked[some], axis=1)
    return np.clip(ivar / scale[:, None], 0.0, 1.0)


def noise_variance(spectra: Spectra) -> np.ndarray:
    """Return the variance of the noise, 0 where it isn't known.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    variance : ndarray of shape (n_samples, n_pixels)
        In flux units squared.
    """
    known = spectra.noise == "known"
    if not known.any():
        return np.broadcast_to(0.0, spectra.shape)
    used = known[:, None] & (spectra.ivar > 0)
    return np.where(used, 1 / np.where(used, spectra.ivar, 1).astype(float), 0.0)

"""Make the noise of two sets of spectra alike before they are compared.

A noise-free translated spectrum differs from any observed one by the noise alone, and every
two-sample test sees that first. So exact rows are lent the noise and the mask of observed rows.
"""

from collections.abc import Sequence

import numpy as np

from spectragan.spectra.container import Spectra
from spectragan.spectra.joining import concatenate

# Times the errors of a typical row: more added noise would bury what the better set shows.
MOST_RAISED = 2.0


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
    flux, noise = spectra.flux.copy(), spectra.noise.copy()
    ivar = spectra.ivar.astype(np.result_type(spectra.dtype, lenders.dtype))
    ivar[needy] = lenders.ivar[lent] * (spectra.ivar[needy] > 0)
    # One draw per row and pixel whatever the mask, so that masks do not shift the random stream.
    draws = rng.standard_normal((needy.size, spectra.shape[1]))
    std = np.zeros(draws.shape)
    np.divide(1.0, np.sqrt(ivar[needy]), out=std, where=ivar[needy] > 0)
    flux[needy] += np.where(known[:, None], draws * std, 0.0).astype(flux.dtype)
    noise[needy[known]] = "known"
    return spectra.with_flux(flux, ivar=ivar, noise=noise)


def match_noise(sets: Sequence[Spectra], rng: np.random.Generator) -> tuple[list[Spectra], str]:
    """Make the noise of several sets alike, row by row, and say what stands against it.

    Parameters
    ----------
    sets : sequence of Spectra of shape (n_spectra, n_pixels)
        On one grid.
    rng : numpy.random.Generator
        Chooses lenders and partners, and draws the noise.

    Returns
    -------
    sets : list of Spectra
        With noise and masks lent to exact rows. Where several sets have errors of their own, each
        row gets the noise and the mask that a row of the same rank in the other sets has on top:
        the row with the third lowest errors that of the third lowest.
    difference : str
        Empty if the noise is alike now. "errors unknown" if any row's noise is: it can be neither
        lent nor checked. "errors differ by a factor of ..." if a typical row would have to get
        more than twice the noise it has: that would bury what the better set shows, and nothing
        is added.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.spectra import Spectra
    >>> from spectragan.spectra.noise import match_noise
    >>> sharp, noisy = (Spectra(np.ones((1, 3)), None, ivar=[[w, w, w]]) for w in (100.0, 81.0))
    >>> (first, second), difference = match_noise([sharp, noisy], np.random.default_rng(0))
    >>> first.ivar.round(1), difference
    (array([[81., 81., 81.]]), '')
    """
    lenders = concatenate([_without_meta(spectra) for spectra in sets])
    lent = [lend_noise(spectra, lenders, rng) for spectra in sets]
    if any((spectra.noise == "unknown").any() for spectra in sets):
        return lent, "errors unknown"
    measured = [i for i, spectra in enumerate(sets) if (spectra.noise == "known").any()]
    if len(measured) < 2:
        return lent, ""
    return _raise_to_common(lent, measured, rng)


def noise_words(difference: str) -> str:
    """Return how the noise of the sets of a diagnostic compares, for its summary.

    Parameters
    ----------
    difference : str
        As `match_noise` says it.

    Returns
    -------
    words : str
    """
    return f"noise NOT matched ({difference})" if difference else "noise matched"


def _without_meta(x: Spectra) -> Spectra:
    """Return spectra without metadata, which sets need not share."""
    return Spectra(x.flux, x.wavelength, x.ivar, x.noise, x.medium)


def _raise_to_common(
    sets: list[Spectra], measured: list[int], rng: np.random.Generator
) -> tuple[list[Spectra], str]:
    """Add noise to the rows of the measured sets, up to that of their partners."""
    variances = [noise_variance(sets[i], masked=np.inf) for i in measured]
    orders = [_by_noise(variance, rng) for variance in variances]
    targets = [np.array(variance) for variance in variances]
    for target, order in zip(targets, orders, strict=True):
        for variance, other in zip(variances, orders, strict=True):
            ranks = ((np.arange(len(order)) + 0.5) * len(other) / len(order)).astype(int)
            target[order] = np.maximum(target[order], variance[other[ranks]])
    factors = [
        _typical(target) / _typical(own) for target, own in zip(targets, variances, strict=True)
    ]
    factor = np.sqrt(max(np.median(each[np.isfinite(each)]) for each in factors))
    if factor > MOST_RAISED:
        return sets, f"errors differ by a factor of {factor:.2g}"
    result = list(sets)
    for i, target, variance in zip(measured, targets, variances, strict=True):
        result[i] = _with_noise(sets[i], variance, target, rng)
    return result, ""


def _typical(variance: np.ndarray) -> np.ndarray:
    """Return the median variance of the pixels that aren't masked, NaN in rows without one."""
    good = np.where(np.isfinite(variance), variance, np.nan)
    some = np.isfinite(good).any(axis=1)
    typical = np.full(len(good), np.nan)
    typical[some] = np.nanmedian(good[some], axis=1)
    return typical


def _by_noise(variance: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return rows in the order of their noise; equal ones in any, or they would lend theirs."""
    shuffled = rng.permutation(len(variance))
    return shuffled[np.argsort(_typical(variance)[shuffled], kind="stable")]


def _with_noise(
    spectra: Spectra, variance: np.ndarray, target: np.ndarray, rng: np.random.Generator
) -> Spectra:
    good = np.isfinite(target)
    missing = np.where(good, target, 0.0) - np.where(good, variance, 0.0)
    draws = rng.standard_normal(spectra.shape) * np.sqrt(missing)
    raised = good & (missing > 0)
    ivar = np.where(good, spectra.ivar, 0)
    ivar = np.where(raised, 1 / np.where(raised, target, 1.0), ivar)
    return spectra.with_flux((spectra.flux + draws).astype(spectra.dtype), ivar)


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


def noise_variance(spectra: Spectra, *, masked: float = 0.0) -> np.ndarray:
    """Return the variance of the noise, 0 where it isn't known.

    Parameters
    ----------
    spectra : Spectra
    masked : float, default=0.0
        What masked pixels get.

    Returns
    -------
    variance : ndarray of shape (n_samples, n_pixels)
        In flux units squared.
    """
    known, good = (spectra.noise == "known")[:, None], spectra.ivar > 0
    if not known.any() and (masked == 0 or good.all()):
        return np.broadcast_to(0.0, spectra.shape)
    used = known & good
    variance = np.where(used, 1 / np.where(used, spectra.ivar, 1).astype(float), 0.0)
    return variance if masked == 0 else np.where(good, variance, masked)

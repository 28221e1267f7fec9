"""What a fit has found for each spectrum."""

from dataclasses import dataclass, fields

import numpy as np

CONVERGED, STOPPED, TOO_FEW_PIXELS, NOT_FINITE = range(4)


@dataclass
class LabelFit:
    """What was found for each spectrum.

    Attributes
    ----------
    parameters : ndarray of shape (n_spectra, n_parameters)
        Labels, split latents and nuisances; NaN where nothing could be fitted.
    covariance : ndarray of shape (n_spectra, n_parameters, n_parameters)
        From the errors given or, where none are known, from the residuals.
    chi2 : ndarray of shape (n_spectra,)
        In units of the noise, or of weights where it isn't known.
    dof : ndarray of int of shape (n_spectra,)
        Good pixels less fitted parameters.
    n_iterations, status : ndarray of int of shape (n_spectra,)
    at_bound : ndarray of bool of shape (n_spectra, n_parameters)
    known : ndarray of bool of shape (n_spectra,)
        Whether the errors of the spectrum are.
    unbounded : ndarray of bool of shape (n_spectra, n_parameters)
        Whether the spectrum leaves a parameter anywhere within its bounds.
    ambiguous, binary : ndarray of bool of shape (n_spectra,)
        Whether other labels, or two stars, fit it as well or better, where that was examined.
    spread : ndarray of shape (n_spectra,)
        How much more chi square varies than where the noise of pixels is independent.
    """

    parameters: np.ndarray
    covariance: np.ndarray
    chi2: np.ndarray
    dof: np.ndarray
    n_iterations: np.ndarray
    status: np.ndarray
    at_bound: np.ndarray
    known: np.ndarray
    unbounded: np.ndarray
    ambiguous: np.ndarray
    binary: np.ndarray
    spread: np.ndarray


def join_fits(fits: list[LabelFit]) -> LabelFit:
    """Return the fits of all chunks as one.

    Parameters
    ----------
    fits : list of LabelFit

    Returns
    -------
    fit : LabelFit
    """
    names = [field.name for field in fields(LabelFit)]
    return LabelFit(*(np.concatenate([getattr(fit, name) for fit in fits]) for name in names))


def chi2_significance(
    chi2: np.ndarray, dof: np.ndarray, spread: np.ndarray | float = 1.0
) -> np.ndarray:
    """Return how far chi squares are from what chance gives, in standard deviations.

    Parameters
    ----------
    chi2, dof : ndarray of shape (n_spectra,)
    spread : ndarray of shape (n_spectra,), default=1
        Of the variance of chi square, in units of that of independent pixels.

    Returns
    -------
    significance : ndarray of shape (n_spectra,)
        Negative where they are too small; NaN where nothing was fitted.

    Notes
    -----
    The cube root of chi square is close to Gaussian even for few degrees of freedom (Wilson, E. B.
    & Hilferty, M. M. 1931, PNAS 17, 684).

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.fitting.found import chi2_significance
    >>> chi2_significance(np.array([600.0, 1200.0, 12.0]), np.full(3, 600)).round()
    array([  0.,  14., -38.])
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        variance = 2 * spread / (9 * np.where(dof > 0, dof, np.nan))
        return (np.cbrt(chi2 / dof) - (1 - variance)) / np.sqrt(variance)

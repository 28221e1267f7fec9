"""How much larger the errors of labels are than the noise says: model error, estimated."""

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm

COVERED = 0.6826894921370859  # of a Gaussian within one standard deviation
FEWEST_STARS = 10  # fewer say nothing about an error
LARGEST = 1e4  # times the formal error: nothing has been learned then


def inflation_from_labels(offset: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return for each label the factor that makes 68 % of stars lie within their error.

    Parameters
    ----------
    offset : ndarray of shape (n_spectra, n_labels)
        Fitted less true labels of stars that no part of the model was trained on.
    std : ndarray of shape (n_spectra, n_labels)
        Formal errors.

    Returns
    -------
    factors : ndarray of shape (n_labels,)

    Raises
    ------
    ValueError
        If fewer than 10 stars have both.

    Notes
    -----
    The quantile is that of split-conformal prediction: for another star from the same population
    the chance to be covered is at least 68 %, whatever the distribution of errors.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.estimators.fitter_calibration import inflation_from_labels
    >>> offset = np.random.default_rng(0).normal(size=(4000, 1))
    >>> inflation_from_labels(2 * offset, np.ones((4000, 1))).round(1)
    array([2.])
    """
    fitted = np.isfinite(offset).all(axis=1)
    _check_enough(int(fitted.sum()))
    factors = np.ones(offset.shape[1])
    for label, (off, error) in enumerate(zip(offset[fitted].T, std[fitted].T, strict=True)):
        free = (error > 0) & np.isfinite(error)  # a label may be constant, or held by its bounds
        if free.sum() >= FEWEST_STARS:
            rank = min(1.0, COVERED * (free.sum() + 1) / free.sum())
            factors[label] = np.quantile(np.abs(off[free]) / error[free], rank)
    return factors


def inflation_from_residuals(lack_of_fit: np.ndarray) -> float:
    r"""Return the factor that fits, if labels err as much as the residuals say.

    The factor :math:`f` for which :math:`\langle 2\Phi(f / s_i) - 1\rangle = 0.683`, with
    :math:`s_i^2` the lack of fit of star i per degree of freedom.

    Parameters
    ----------
    lack_of_fit : ndarray of shape (n_spectra,)
        As `LabelFitter.lack_of_fit` returns it; NaN is left out.

    Returns
    -------
    factor : float

    Raises
    ------
    ValueError
        If fewer than 10 stars have one.
    """
    scale = np.sqrt(np.maximum(lack_of_fit[np.isfinite(lack_of_fit)], 1e-12))
    _check_enough(len(scale))
    return float(
        brentq(
            lambda f: (2 * norm.cdf(f / scale) - 1).mean() - COVERED, 1e-7, LARGEST * scale.max()
        )
    )


def _check_enough(n_stars: int) -> None:
    if n_stars < FEWEST_STARS:
        raise ValueError(
            f"`X` must hold at least {FEWEST_STARS} spectra that can be fitted, to tell how far "
            f"errors are from the truth; got {n_stars}; give more, or a number as `err_inflation`."
        )

"""How large errors of translated spectra are, in units of what is said of them."""

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm

COVERAGES = np.array([0.5, 0.6, 0.6827, 0.75, 0.8, 0.85, 0.9, 0.95, 0.975, 0.99])
ONE_SIGMA = 0.6827  # share of a normal distribution within one standard deviation
ROUNDING = 1e-9  # of shares of stars
SMALLEST, LARGEST = 0.05, 20.0  # factors; beyond, nothing has been learned


def likeliest_scale(residual: np.ndarray, spread: np.ndarray, noise: np.ndarray) -> float:
    r"""Return the factor on standard deviations under which residuals are likeliest.

    With :math:`r_i \sim N(0, k^2 s_i^2 + v_i)`, the factor is k.

    Parameters
    ----------
    residual : ndarray of shape (n,)
        Translated less observed flux.
    spread : ndarray of shape (n,)
        Standard deviations :math:`s` of the translated flux.
    noise : ndarray of shape (n,)
        Known variances :math:`v` of the observed flux.

    Returns
    -------
    factor : float

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.training.error_scale import likeliest_scale
    >>> ones = np.ones(20_000)
    >>> r = np.random.default_rng(0).normal(scale=np.sqrt(5), size=20_000)
    >>> round(likeliest_scale(r, ones, ones), 1)
    2.0
    """

    def cost(log_factor: float) -> float:
        variance = np.exp(2 * log_factor) * spread**2 + noise
        return float((residual**2 / variance + np.log(variance)).mean())

    bounds = np.log([SMALLEST, LARGEST])
    return float(np.exp(minimize_scalar(cost, bounds=bounds, method="bounded").x))


def conformal_scales(
    residual: np.ndarray, spread: np.ndarray, noise: np.ndarray, stars: np.ndarray
) -> np.ndarray:
    r"""Return for each of `COVERAGES` the factor on standard deviations that holds by rank.

    With :math:`z_c` the normal quantile and :math:`c' = c (1 + 1/n)`, k makes a share :math:`c'`
    of the residuals lie within :math:`z_{c'} \sqrt{k^2 s^2 + v}`, each of the n stars counting
    the same, and the factor is :math:`k z_{c'} / z_c`: without noise that is split-conformal
    prediction for groups [1]_. With noise, which is normal, only what is not noise is made
    larger for a finite n.

    Parameters
    ----------
    residual, spread, noise : ndarrays of shape (n,)
        As `likeliest_scale` takes them.
    stars : ndarray of int of shape (n,)
        The star that each residual belongs to.

    Returns
    -------
    factors : ndarray of shape (10,)
        0 where noise explains all, and `LARGEST` where there are too few stars.

    References
    ----------
    .. [1] Dunn, R., Wasserman, L. & Ramdas, A. 2023, JASA, 118, 2491, arXiv:1809.07441.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.training.error_scale import conformal_scales
    >>> r = np.random.default_rng(0).normal(scale=2, size=20_000)
    >>> conformal_scales(r, np.ones(20_000), np.zeros(20_000), np.arange(20_000) // 10)[2].round(1)
    np.float64(2.0)
    """
    _, position, counts = np.unique(stars, return_inverse=True, return_counts=True)
    weight = 1 / (len(counts) * counts[position])
    level = COVERAGES * (1 + 1 / len(counts))
    enough = level < 1 - ROUNDING
    wider = norm.ppf((1 + np.where(enough, level, COVERAGES)) / 2)

    def solve(coverage: float, quantile: float) -> float:
        def lack(factor: float) -> float:
            inside = np.abs(residual) <= quantile * np.sqrt(factor**2 * spread**2 + noise)
            return float(weight @ inside) - coverage

        if lack(0.0) >= 0:
            return 0.0
        return LARGEST if lack(LARGEST) <= 0 else float(brentq(lack, 0.0, LARGEST, xtol=1e-4))

    factors = np.array([solve(*pair) for pair in zip(level, wider, strict=True)])
    widened = factors * wider / norm.ppf((1 + COVERAGES) / 2)
    return np.where(enough, np.minimum(widened, LARGEST), LARGEST)


def scale_at(factors: np.ndarray, coverage: float) -> float:
    """Return the factor on standard deviations at one coverage.

    Parameters
    ----------
    factors : ndarray of shape (10,)
        At `COVERAGES`.
    coverage : float
        Between 0 and 1.

    Returns
    -------
    factor : float
    """
    return float(np.interp(coverage, COVERAGES, factors))

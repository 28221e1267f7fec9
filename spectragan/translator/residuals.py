"""Translated less observed spectra of the same stars, and how large errors are beside them."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq, minimize_scalar
from scipy.stats import norm

from spectragan.spectra import Spectra
from spectragan.translator.domain_data import memory_data
from spectragan.translator.matching.mismatch import MIN_PIXELS, MIN_ROWS, place_domains

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
    >>> from spectragan.translator.residuals import likeliest_scale
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
    >>> from spectragan.translator.residuals import conformal_scales
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

"""Where labels of simulated stars come from, and checks of what the makers are asked for."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp

from spectragan.labels import LabelArray
from spectragan.rules import count, number, pair

__all__ = [
    "COUNT",
    "LABEL_NAMES",
    "LEAVE_OUT",
    "SEED",
    "SNR",
    "SPLIT",
    "check_triple",
    "draw_reweighted_stars",
    "draw_stars",
    "named_labels",
]


LABEL_NAMES = ("teff", "logg", "feh")
UNITS = {"teff": "K", "vmicro": "km / s", "vturb": "km / s"}  # all others are in dex

# Limits of the population: inside the validity of the synthetic model (which has no molecular
# bands, hence no cool dwarfs) with a margin for the translations users apply.
_LOW = np.array([4000.0, 0.5, -2.2])
_HIGH = np.array([7200.0, 4.85, 0.45])

# Fractions of main-sequence stars, subgiants, the red giant branch and the red clump.
_PHASES = (0.45, 0.12, 0.28, 0.15)
# Fractions, mean [Fe/H] and scatter (dex) of thin disc, thick disc and halo.
_DISCS = (0.72, 0.21, 0.07)
_DISC_FEH = np.array([-0.05, -0.50, -1.40])
_DISC_SCATTER = np.array([0.19, 0.24, 0.38])


def named_labels(labels: np.ndarray, names: Sequence[str]) -> LabelArray:
    """Return labels of a data set with their names and units.

    Parameters
    ----------
    labels : ndarray of shape (n_stars, n_labels)
    names : sequence of str

    Returns
    -------
    labels : LabelArray
    """
    return LabelArray(labels, names, {name: UNITS.get(name, "dex") for name in names})


_MAX_TILT = 30.0  # bound on the exponents of the re-weighting, far above what a useful one needs
_MOMENT_TOLERANCE = 0.02  # standard deviations

# Mean and standard deviation of a million stars of `draw_stars`, rounded: the fixed unit in
# which label shifts and scales are counted.
POPULATION_MEAN = np.array([5215.0, 3.50, -0.24])
POPULATION_STD = np.array([556.0, 0.98, 0.42])


def _draw_main_sequence(n: int, feh: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (teff, logg) of dwarfs: logg falls with teff, and with age for the hotter ones."""
    teff = 4350.0 + 2600.0 * rng.beta(2.2, 2.8, n) - 150.0 * feh
    zero_age = 4.62 - 0.16 * ((teff - 4500.0) / 1000.0)
    age = rng.beta(1.2, 2.5, n) * np.clip((teff - 4900.0) / 1500.0, 0.0, 1.0)
    return np.column_stack([teff, zero_age - 0.45 * age + rng.normal(0.0, 0.03, n)])


def _draw_subgiants(n: int, feh: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (teff, logg) of stars that cross from the turn-off to the giant branch."""
    phase = rng.uniform(0.0, 1.0, n)
    teff = 6100.0 - 1050.0 * phase - 180.0 * feh + rng.normal(0.0, 120.0, n)
    return np.column_stack([teff, 4.05 - 0.55 * phase + rng.normal(0.0, 0.08, n)])


def _draw_giant_branch(n: int, feh: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (teff, logg) of the red giant branch: the fainter, the more of them."""
    logg = 3.5 - 2.7 * rng.beta(1.0, 1.7, n)
    teff = 3770.0 + 370.0 * logg - 230.0 * feh + rng.normal(0.0, 60.0, n)
    return np.column_stack([teff, logg])


def _draw_red_clump(n: int, feh: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return (teff, logg) of the red clump, a narrow feature."""
    teff = 4770.0 - 240.0 * feh + rng.normal(0.0, 70.0, n)
    return np.column_stack([teff, rng.normal(2.45, 0.08, n)])


_PHASE_DRAWS: tuple[Callable[..., np.ndarray], ...] = (
    _draw_main_sequence,
    _draw_subgiants,
    _draw_giant_branch,
    _draw_red_clump,
)


def _draw_batch(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return at most `n` stars: those outside the limits are dropped."""
    disc = rng.choice(len(_DISCS), n, p=_DISCS)
    feh = rng.normal(_DISC_FEH[disc], _DISC_SCATTER[disc])
    phase = rng.choice(len(_PHASES), n, p=_PHASES)
    labels = np.empty((n, 3))
    labels[:, 2] = feh
    for k, draw in enumerate(_PHASE_DRAWS):
        rows = np.flatnonzero(phase == k)
        labels[rows, :2] = draw(rows.size, feh[rows], rng)
    return labels[np.all((labels >= _LOW) & (labels <= _HIGH), axis=1)]


def draw_stars(n_stars: int, rng: np.random.Generator) -> np.ndarray:
    """Draw labels of F, G and K stars, dwarfs and giants, thin disc to halo.

    Parameters
    ----------
    n_stars : int
        Number of stars.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    labels : ndarray of shape (n_stars, 3)
        ``teff`` (K), ``logg`` (dex, cgs), ``feh`` (dex); 4000-7200 K, 0.5-4.85, -2.2 to 0.45.

    Examples
    --------
    >>> import numpy as np
    >>> draw_stars(3, np.random.default_rng(0)).shape
    (3, 3)
    """
    return _draw_until(n_stars, rng, lambda batch: batch)


def draw_reweighted_stars(
    n_stars: int, rng: np.random.Generator, shift: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """Draw stars of the same kinds in other proportions, so that the moments of labels move.

    The population is re-weighted by the exponential of a polynomial in the labels, the smallest
    change (in relative entropy) with the moments that are asked for. No kind of star appears that
    `draw_stars` does not draw, so every label stays physical.

    Parameters
    ----------
    n_stars : int
        Number of stars.
    rng : numpy.random.Generator
        Source of randomness.
    shift : ndarray of shape (3,), standard deviations
        How far the mean of each label moves.
    scale : ndarray of shape (3,)
        Factor on the standard deviation of each label; where it is 1 the width is left to itself.

    Returns
    -------
    labels : ndarray of shape (n_stars, 3)
        As in `draw_stars`.

    Raises
    ------
    ValueError
        If no re-weighting of the population has these moments.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> stars = draw_reweighted_stars(2000, rng, np.array([0.5, 0.0, 0.0]), np.ones(3))
    >>> bool(stars[:, 0].mean() > 5400)
    True
    """
    shift_key, scale_key = (tuple(np.asarray(a, float).tolist()) for a in (shift, scale))
    tilt, log_bound = _solve_tilt(shift_key, scale_key)

    def keep(batch: np.ndarray) -> np.ndarray:
        log_weight = _moment_features(batch, shift_key, scale_key) @ tilt - log_bound
        return batch[np.log(rng.uniform(size=len(batch))) < log_weight]

    return _draw_until(n_stars, rng, keep)


def _moment_features(
    labels: np.ndarray, shift: tuple[float, ...], scale: tuple[float, ...]
) -> np.ndarray:
    """Return features whose mean is zero where the moments are those asked for."""
    distance = (labels - POPULATION_MEAN) / POPULATION_STD - np.array(shift)
    narrowed = np.array(scale) != 1.0
    variance = distance[:, narrowed] ** 2 - np.array(scale)[narrowed] ** 2
    return np.column_stack([distance, variance])


@lru_cache(maxsize=32)
def _solve_tilt(shift: tuple[float, ...], scale: tuple[float, ...]) -> tuple[np.ndarray, float]:
    """Return exponents of the re-weighting, and the logarithm of the largest weight."""
    # A pool and a seed of its own: the weights must not depend on the stars that are drawn.
    features = _moment_features(draw_stars(50_000, np.random.default_rng(0)), shift, scale)

    def dual(tilt: np.ndarray) -> tuple[float, np.ndarray]:
        log_weight = features @ tilt
        total = logsumexp(log_weight)
        return float(total), np.exp(log_weight - total) @ features

    start = np.zeros(features.shape[1])
    bounds = [(-_MAX_TILT, _MAX_TILT)] * start.size
    found = minimize(dual, start, jac=True, method="L-BFGS-B", bounds=bounds)
    if np.abs(dual(found.x)[1]).max() > _MOMENT_TOLERANCE:
        raise ValueError(
            "`label_shift` and `label_scale` must be reachable by re-weighting the stars of the "
            f"population; got shift {shift} and scale {scale}; use a shift nearer to 0 or a "
            "scale nearer to 1."
        )
    return found.x, float((features @ found.x).max())


def _draw_until(
    n_stars: int, rng: np.random.Generator, keep: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Draw batches, keep part of each, until there are enough stars."""
    kept: list[np.ndarray] = []
    while sum(map(len, kept)) < n_stars:
        kept.append(keep(_draw_batch(2 * n_stars + 100, rng)))
    return np.concatenate(kept)[:n_stars] if kept else np.empty((0, 3))


LEAVE_OUT = "leave it out for the default"
COUNT = count(remedy=LEAVE_OUT)
SEED = count(0, remedy=LEAVE_OUT)
SPLIT = number(closed="left", text="a number >= 0", remedy=LEAVE_OUT)
SNR = pair(
    number(),
    "two numbers, 0 < lowest <= highest",
    ascending=True,
    remedy="use (100, 100) for one value",
)


def check_triple(value: Any, name: str, direction: np.ndarray, low: float = -np.inf) -> np.ndarray:
    """Return three numbers: those given, or one number times a direction; or raise one sentence."""
    array = _numbers(value)
    if array.shape == ():
        array = array * direction
    if array.shape != (3,) or not np.isfinite(array).all() or array.min() < low:
        limit = "" if np.isinf(low) else f" >= {low:g}"
        raise ValueError(
            f"`{name}` must be one finite number{limit} or three, for teff, logg and feh; "
            f"got {value!r}; {LEAVE_OUT}."
        )
    return array


def _numbers(value: Any) -> np.ndarray:
    """Return an array of floats; one NaN for what are no numbers."""
    try:
        return np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        return np.full(1, np.nan)

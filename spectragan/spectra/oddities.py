"""Spectra that don't look like data: filled gaps, wild pixels, copies, errors taken for ivar.

What is told here would else be learned. Nothing is changed; every message names the cure.
"""

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from spectragan.exceptions import DomainScaleWarning, NoiseWarning, OddSpectraWarning
from spectragan.spectra.container import Spectra
from spectragan.spectra.lazy import LazySpectra
from spectragan.spectra.noise import noise_variance

MOST_ROWS = 1000  # that are looked at, evenly spread: what a survey fills, it fills everywhere
FEWEST_ROWS = 10  # tell a scatter
RUN = 5  # adjacent pixels of one value: noise never does that, nor does a line
FAR = 10.0  # times their range and level, from all other pixels of a spectrum
WILD = 30.0  # times the scatter of the spectra at a pixel, where normal ones reach 5
SCALE_SPREAD = 1.5  # from the 16th to the 84th percentile; normalised stars stay below 1.2
LARGE_ERRORS = 1.5  # times the scatter, which contains them
UNLIKE = 1.5  # times the distance that 95 % of a domain keep from its typical spectrum
SPREAD_RATIO = 10.0  # of the scatters of two domains; a synthetic gap stays below 3
SIGMA_PER_MAD = 1.4826


def _sample(spectra: Spectra) -> Spectra:
    """Return some rows of many, in memory."""
    step = max(1, -(-len(spectra) // MOST_ROWS))
    if isinstance(spectra, LazySpectra):
        return spectra[::step].load()
    return spectra if step == 1 else spectra[::step]


def warn_of_fillers(spectra: Spectra, name: str) -> None:
    """Warn of runs of pixels that hold what stands for no data.

    Parameters
    ----------
    spectra : Spectra
    name : str
        What to call them in the message.

    Warns
    -----
    OddSpectraWarning
        If five adjacent pixels that aren't masked are exactly 0, or one value far from all others
        of the spectrum.
    """
    if spectra.shape[1] <= RUN:
        return
    part = _sample(spectra)
    good = part.ivar > 0
    same = (part.flux[:, 1:] == part.flux[:, :-1]) & good[:, 1:] & good[:, :-1]
    rows = np.flatnonzero(np.count_nonzero(same, axis=1) >= RUN - 1)
    for row in rows:
        first, last = _filled(part.flux[row], good[row], same[row])
        if last > first:
            warnings.warn(
                f"spectra of `{name}` hold {part.flux[row, first]:g} at many adjacent pixels, such "
                f"as {first} to {last}, as gaps are filled with; it is taken for flux; give them "
                "ivar 0 or flux NaN if there are no data.",
                OddSpectraWarning,
                stacklevel=4,
            )
            return


def _filled(flux: np.ndarray, good: np.ndarray, same: np.ndarray) -> tuple[int, int]:
    """Return the first and last pixel of the first filled run of a row; 0, 0 if there is none."""
    edges = np.flatnonzero(np.diff(np.r_[False, same, False]))
    for first, last in edges.reshape(-1, 2):
        value = flux[first]
        others = flux[good & (flux != value)]
        if last - first + 1 < RUN or not others.size:
            continue
        low, high = float(others.min()), float(others.max())
        away = max(low - value, value - high)
        if value == 0 or away > FAR * max(high - low, abs(low), abs(high)):
            return int(first), int(last)
    return 0, 0


class _Statistics:
    """Robust statistics of a domain, pixel by pixel."""

    def __init__(self, spectra: Spectra) -> None:
        part = _sample(spectra)
        self.good = part.ivar > 0
        values = np.where(self.good, part.flux, np.nan).astype(float)
        values[:, ~self.good.any(axis=0)] = 0.0  # the median of nothing but NaN is a warning
        self.level = _medians(values)
        self.residual = np.nan_to_num(values - self.level)
        scatter = SIGMA_PER_MAD * _medians(np.abs(values - self.level))
        self.scatter = scatter
        self.typical = float(np.median(scatter))
        self.variance = noise_variance(part)
        self.known = part.noise == "known"
        # Models of weak lines scatter little at most pixels: a line isn't a cosmic ray there.
        self.is_exact = bool((part.noise == "exact").all())


def _medians(values: np.ndarray) -> np.ndarray:
    """Return the median of every column that isn't all NaN; numpy's own takes ten times as long."""
    ordered, n = np.sort(values, axis=0), np.count_nonzero(~np.isnan(values), axis=0)
    columns = np.arange(values.shape[1])
    return (ordered[(n - 1) // 2, columns] + ordered[n // 2, columns]) / 2


def warn_of_odd_domain(spectra: Spectra, name: str) -> None:
    """Warn of what a few spectra, or wrong errors, would do to all that is learned of a domain.

    Parameters
    ----------
    spectra : Spectra
        Of one domain; fewer than 10 say nothing.
    name : {"synthetic", "observed"}
        Which one.

    Warns
    -----
    DomainScaleWarning
        If the flux scale differs from star to star.
    NoiseWarning
        If errors are larger than the scatter that contains them.
    OddSpectraWarning
        If some pixels lie far outside the scatter, or most spectra are copies of others.
    """
    if len(spectra) < FEWEST_ROWS:
        return
    statistics = _Statistics(spectra)
    _warn_of_scale(_sample(spectra), statistics, name)
    _warn_of_errors(statistics, name)
    if not statistics.is_exact:
        _warn_of_wild_pixels(statistics, name)
    _warn_of_copies(_sample(spectra), name)


def _warn_of_scale(part: Spectra, statistics: _Statistics, name: str) -> None:
    seen = statistics.good.any(axis=1)
    values = np.where(statistics.good, part.flux, np.nan)[seen]
    levels = np.nanmedian(values, axis=1) if len(values) else np.ones(1)
    low, high = np.percentile(levels, [16, 84])
    if low > 0 and high > SCALE_SPREAD * low:
        warnings.warn(
            f"the flux scale of the {name} spectra differs from star to star, by a factor of "
            f"{high / low:.2g} between the 16th and 84th percentile of their medians: a translator "
            "would learn brightness; normalise both domains the same way first, for example with "
            "ContinuumNormalizer.",
            DomainScaleWarning,
            stacklevel=5,
        )


def _warn_of_errors(statistics: _Statistics, name: str) -> None:
    if np.count_nonzero(statistics.known) < FEWEST_ROWS or not statistics.typical:
        return
    error = np.sqrt(np.median(statistics.variance[statistics.known], axis=0))
    used = error > 0
    ratio = np.median(error[used] / np.maximum(statistics.scatter[used], 1e-3 * error[used]))
    if used.any() and ratio > LARGE_ERRORS:
        warnings.warn(
            f"the errors of the {name} spectra are {ratio:.2g} times as large as their scatter, "
            "which contains them; ivar must be 1 / sigma^2, and not an error or a variance.",
            NoiseWarning,
            stacklevel=5,
        )


def _warn_of_wild_pixels(statistics: _Statistics, name: str) -> None:
    scale = np.hypot(
        np.maximum(statistics.scatter, statistics.typical), np.sqrt(statistics.variance)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        away = np.nan_to_num(np.abs(statistics.residual) / scale, posinf=0.0)
    wild = away > WILD
    if not wild.any():
        return
    row, pixel = np.unravel_index(np.argmax(away), away.shape)
    warnings.warn(
        f"{np.count_nonzero(wild.any(axis=1))} of {len(wild)} {name} spectra have pixels more than "
        f"{WILD:.0f} times the scatter away from the others, the furthest by "
        f"{statistics.residual[row, pixel]:.3g} at pixel {pixel}: a few pixels would decide what "
        "is learned; clean them with OutlierInterpolator, or leave such spectra out.",
        OddSpectraWarning,
        stacklevel=5,
    )


def _warn_of_copies(part: Spectra, name: str) -> None:
    n_distinct = count_distinct(part)
    if n_distinct < min(FEWEST_ROWS, len(part) // 2):
        warnings.warn(
            f"only {n_distinct} of {len(part)} {name} spectra differ from each other: nothing can "
            "be learned of other stars from copies; give spectra of more stars.",
            OddSpectraWarning,
            stacklevel=5,
        )


def count_distinct(spectra: Spectra) -> int:
    """Return how many different spectra there are, whatever lies under their masks.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    n_distinct : int
    """
    part = _sample(spectra)
    return len(np.unique(np.where(part.ivar > 0, part.flux, 0), axis=0))


def check_variety(synthetic: Spectra, observed: Spectra) -> None:
    """Raise if one domain holds copies of a single spectrum, and the other doesn't.

    Parameters
    ----------
    synthetic, observed : Spectra

    Raises
    ------
    ValueError
        If so: whatever a map made of the differences, it would have learned it from nothing.
    """
    parts = {"synthetic": synthetic, "observed": observed}
    copies = [name for name, part in parts.items() if count_distinct(part) < 2]
    if len(copies) == 1:
        raise ValueError(
            f"the {copies[0]} spectra must differ from each other; got {len(parts[copies[0]])} "
            "copies of one; give spectra of more stars, or use MeanShiftTranslator to learn a "
            "constant difference."
        )


def warn_of_unequal_spread(synthetic: Spectra, observed: Spectra) -> None:
    """Warn if one domain hardly varies where the other does.

    Parameters
    ----------
    synthetic, observed : Spectra

    Warns
    -----
    OddSpectraWarning
        If their scatters, less the known noise, differ by more than a factor of ten.
    """
    if min(len(synthetic), len(observed)) < FEWEST_ROWS:
        return
    spreads = []
    for part in (synthetic, observed):
        statistics = _Statistics(part)
        noise = np.median(statistics.variance, axis=0)
        spreads.append(np.sqrt(max(np.mean(statistics.scatter**2 - noise), 0.0)))
    low, high = sorted(spreads)
    if 0 < low < high / SPREAD_RATIO:
        names = ("synthetic", "observed") if spreads[0] < spreads[1] else ("observed", "synthetic")
        warnings.warn(
            f"the {names[0]} spectra differ {high / low:.2g} times less from each other than the "
            f"{names[1]} ones: what is learned from them holds for few of the others; give spectra "
            "of the same range of stars in both domains.",
            OddSpectraWarning,
            stacklevel=4,
        )


def warn_if_unlike(given: Mapping[str, Any], domains: tuple[Spectra, Spectra]) -> None:
    """Warn if spectra lie far from those of their domain, as if they had missed a step.

    Parameters
    ----------
    given : mapping of str to two Spectra or None
        Anchors or validation spectra, synthetic first, by the name of the argument.
    domains : two Spectra
        Of the fit.

    Warns
    -----
    DomainScaleWarning
        If most are further from the median spectrum of the domain than nearly all of its own.
    """
    for name, parts in given.items():
        for part, domain in zip(parts or (), domains, strict=False):
            _warn_if_unlike(part, domain, f"`{name}`")


def _warn_if_unlike(spectra: Spectra, domain: Spectra, name: str) -> None:
    if len(domain) < FEWEST_ROWS:
        return
    statistics = _Statistics(domain)
    own = _distances(statistics.residual, statistics.good)
    good = spectra.ivar > 0
    found = _distances(np.where(good, spectra.flux - statistics.level, 0.0), good)
    nearly_all = float(np.quantile(own, 0.95))
    if nearly_all > 0 and np.median(found) > UNLIKE * nearly_all:
        warnings.warn(
            f"the spectra of {name} lie {np.median(found) / nearly_all:.2g} times as far from the "
            "typical spectrum of their domain as nearly all spectra of the fit, as if they had "
            "missed a step; they don't pass the earlier steps of a Pipeline: transform them first.",
            DomainScaleWarning,
            stacklevel=4,
        )


def _distances(residual: np.ndarray, good: np.ndarray) -> np.ndarray:
    return np.sqrt((residual**2).sum(axis=1) / np.maximum(good.sum(axis=1), 1))

"""Pairs of domains with many kinds of gaps, on two bases, with exact truth.

Synthetic and observed spectra differ by steps that are put together: lines that are wrong or
missing, lines that are all deeper, light scattered into them, other resolution, continua, and so
on. All is known: the synthetic counterpart of every observed star, and its noise-free spectrum.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial

import astropy.units as u
import numpy as np
from sklearn.utils import Bunch

from benchmarks.apogee_like import (
    FIRST_WAVELENGTH,
    INSTRUMENT_SIGMA,
    INTRINSIC_SIGMA,
    LABELS,
    LOG_STEP,
    PIXEL_VELOCITY,
    LineList,
    draw_gap,
    draw_labels,
    label_terms,
)
from spectragan.datasets import instrument
from spectragan.datasets import mock as lines
from spectragan.datasets.populations import (
    LABEL_NAMES,
    POPULATION_MEAN,
    POPULATION_STD,
    draw_reweighted_stars,
    draw_stars,
)
from spectragan.datasets.synthetic import SyntheticModel, miles_wavelength
from spectragan.spectra import Spectra

PADDING = 20  # pixels at each end, so that broadening sees the lines there
SHIFT = np.array([1.0, 0.5, 0.5])  # of teff, logg and feh, times `label_shift`
ELEMENT_SHARE = 0.15  # of all lines
SAME = 0.1  # of the stars' scatter: the unit of a gap where there is none
BROADENING_PIXELS, NARROWING_PIXELS = 0.7, 0.7
ROTATION_PIXELS = (0.0, 1.5)
SHIFT_PIXELS = 0.25
SCATTERED = 0.11  # of the continuum: lines 10 % shallower
TELLURIC_LINES, FRINGE_AMPLITUDE = 12, 0.005
OUTLIERS = 0.05  # of the observed stars
ALONG = 0.3  # standard deviations of teff


@dataclass(frozen=True)
class Base:
    """Spectra as functions of the labels: right ones, and ones whose line list is wrong.

    Attributes
    ----------
    draw : callable
        ``draw(n_stars, rng, label_shift)`` returns labels (n_stars, n_labels).
    complete : callable
        Labels to the flux that has all lines right, padded.
    wrong : callable
        The same with some lines missing or wrong: a sparse gap.
    element : callable
        The same as `complete` with the lines of one element 30 % stronger.
    wavelength : Quantity of shape (n_pixels,)
    label_names : tuple of str
    medium : str
    """

    draw: Callable
    complete: Callable
    wrong: Callable
    element: Callable
    wavelength: u.Quantity
    label_names: tuple
    medium: str


@dataclass(frozen=True)
class Sides:
    """What steps change: the flux of the same stars in both domains, padded."""

    base: Base
    labels: np.ndarray
    synthetic: np.ndarray
    observed: np.ndarray


def miles_like(n_pixels: int, seed: int) -> Base:
    """Return spectra at the resolution of MILES around 5175 Å, with three labels."""
    rng = np.random.default_rng([seed, 2])
    grid = miles_wavelength()
    typical = SyntheticModel(grid).normalized(draw_stars(200, np.random.default_rng(0)))
    altered = lines.draw_altered_lines(lines.find_lines(typical, grid, 0.2), 0.12, rng)
    missing = lines.draw_missing_lines(80, (grid[0], grid[-1]), rng)
    every = lines.find_lines(typical, grid)
    owned = every[rng.permutation(len(every))[: round(ELEMENT_SHARE * len(every))]]
    start = round((5175.0 - grid[0]) / 0.9 - n_pixels / 2)
    padded = grid[start] + 0.9 * np.arange(-PADDING, n_pixels + PADDING)
    model = SyntheticModel(padded, outside="ignore")
    element = np.clip(lines._profiles(owned, padded).sum(axis=0), 0, 1)

    def complete(labels):
        return np.clip(model.normalized(labels), 0.02, None)

    def wrong(labels):
        depth = -np.log(complete(labels)) * altered.scale(labels, padded)
        return np.exp(-depth + missing.optical_depth(labels, padded))

    def stronger(labels):
        return np.exp(np.log(complete(labels)) * (1 + 0.3 * element))

    def draw(n_stars, rng, shift):
        if shift:
            return draw_reweighted_stars(n_stars, rng, shift * SHIFT, np.ones(3))
        return draw_stars(n_stars, rng)

    wavelength = padded[PADDING:-PADDING] * u.AA
    return Base(draw, complete, wrong, stronger, wavelength, LABEL_NAMES, "air")


def apogee_like(n_pixels: int, seed: int) -> Base:
    """Return spectra like those of APOGEE, with four labels."""
    gap = draw_gap(seed)
    rng = np.random.default_rng([seed, 3])
    size = n_pixels + 2 * PADDING
    first = int(rng.integers(200, 7000 - size))
    width = np.hypot(INTRINSIC_SIGMA, INSTRUMENT_SIGMA) / PIXEL_VELOCITY
    near = np.abs(gap.complete.pixels - first - size / 2) < size / 2 + 8 * width
    shape = np.exp(-0.5 * (_distance(gap.complete, near, first, size) / INTRINSIC_SIGMA) ** 2)
    owned = rng.uniform(size=near.sum()) < ELEMENT_SHARE

    def flux(list_of_lines, labels, more=0.0):
        strength = label_terms(labels) @ list_of_lines.coefficients[:, near] + more
        depth = 10.0 ** np.minimum(strength, 1.5) @ shape
        sigma = np.full(len(labels), INSTRUMENT_SIGMA / PIXEL_VELOCITY)
        return instrument.broaden(np.exp(-depth), sigma)

    return Base(
        draw_labels,
        partial(flux, gap.complete),
        partial(flux, gap.wrong),
        partial(flux, gap.complete, more=np.log10(1.3) * owned),
        FIRST_WAVELENGTH * np.exp(LOG_STEP * (first + PADDING + np.arange(n_pixels))) * u.AA,
        LABELS,
        "vacuum",
    )


def _distance(found: LineList, near: np.ndarray, first: int, size: int) -> np.ndarray:
    """Return the distance of pixels from lines, km/s."""
    return (first + np.arange(size) - found.pixels[near, None]) * PIXEL_VELOCITY


BASES = {"MILES-like": miles_like, "APOGEE-like": apogee_like}


def sparse(sides: Sides, rng: np.random.Generator) -> Sides:
    """Take some lines out of the synthetic spectra, and change others."""
    return replace(sides, synthetic=sides.base.wrong(sides.labels))


def one_element(sides: Sides, rng: np.random.Generator) -> Sides:
    """Make the lines of one element 30 % stronger."""
    return replace(sides, observed=sides.base.element(sides.labels))


def deeper(sides: Sides, rng: np.random.Generator, factor: float = 1.15) -> Sides:
    """Make all lines deeper, or shallower."""
    return replace(sides, observed=1 - factor * (1 - sides.observed))


def scattered(sides: Sides, rng: np.random.Generator) -> Sides:
    """Scatter light into the lines, and normalise the continuum again."""
    return replace(sides, observed=(sides.observed + SCATTERED) / (1 + SCATTERED))


def shallower_by_star(sides: Sides, rng: np.random.Generator) -> Sides:
    """Make lines shallower, by 0 to 20 % from star to star."""
    factor = 1 - rng.uniform(0.0, 0.2, (len(sides.labels), 1))
    return replace(sides, observed=1 - factor * (1 - sides.observed))


def nlte(sides: Sides, rng: np.random.Generator) -> Sides:
    """Make lines the deeper the hotter a star is."""
    hot = (sides.labels[:, :1] - POPULATION_MEAN[0]) / POPULATION_STD[0]
    return replace(sides, observed=1 - (1.05 + 0.1 * hot) * (1 - sides.observed))


def broader(sides: Sides, rng: np.random.Generator) -> Sides:
    """Broaden observed lines."""
    sigma = np.full(len(sides.labels), BROADENING_PIXELS)
    return replace(sides, observed=instrument.broaden(sides.observed, sigma))


def narrower(sides: Sides, rng: np.random.Generator) -> Sides:
    """Broaden synthetic lines."""
    sigma = np.full(len(sides.labels), NARROWING_PIXELS)
    return replace(sides, synthetic=instrument.broaden(sides.synthetic, sigma))


def rotation(sides: Sides, rng: np.random.Generator) -> Sides:
    """Broaden lines, from star to star."""
    sigma = rng.uniform(*ROTATION_PIXELS, len(sides.labels))
    return replace(sides, observed=instrument.broaden(sides.observed, sigma))


def continuum(sides: Sides, rng: np.random.Generator) -> Sides:
    """Leave a continuum that all stars have, and one of each star's own."""
    basis = instrument.chebyshev_basis(sides.observed.shape[1], 4)
    common = 0.01 * np.array([0.5, 1.0, -0.7, 0.4, 0.3])
    own = rng.normal(0.0, 0.002, (len(sides.labels), 5))
    return replace(sides, observed=sides.observed * (1 + (common + own) @ basis))


def moved(sides: Sides, rng: np.random.Generator) -> Sides:
    """Shift observed wavelengths by a quarter of a pixel."""
    frequency = np.fft.rfftfreq(sides.observed.shape[1])
    turn = np.exp(-2j * np.pi * frequency * SHIFT_PIXELS)
    flux = np.fft.irfft(np.fft.rfft(1 - sides.observed) * turn, sides.observed.shape[1])
    return replace(sides, observed=1 - flux)


def telluric(sides: Sides, rng: np.random.Generator) -> Sides:
    """Add the sky's lines and fringes, from star to star."""
    n, n_pixels = sides.observed.shape
    where = np.random.default_rng(5).uniform(0, n_pixels, TELLURIC_LINES)  # the same sky for all
    pixel = np.arange(n_pixels)
    sky = np.exp(-0.5 * ((pixel - where[:, None]) / 1.5) ** 2).sum(axis=0)
    amount = rng.uniform(0.01, 0.08, (n, 1))
    phase = rng.uniform(0, 2 * np.pi, (n, 1))
    fringes = FRINGE_AMPLITUDE * np.sin(2 * np.pi * pixel / 60 + phase)
    return replace(sides, observed=sides.observed * np.exp(-amount * sky) * (1 + fringes))


def along(sides: Sides, rng: np.random.Generator) -> Sides:
    """Make observed stars look 0.3 standard deviations hotter."""
    hotter = sides.labels.copy()
    hotter[:, 0] += ALONG * POPULATION_STD[0]
    return replace(sides, observed=sides.base.complete(hotter))


@dataclass(frozen=True)
class Gap:
    """One row of the zoo.

    Attributes
    ----------
    name : str
    steps : tuple of callables
        What differs between the domains.
    options : dict
        Of `make_pair`: sizes, S/N, ...
    """

    name: str
    steps: tuple = ()
    options: dict | None = None


GAPS = (
    Gap("none"),
    Gap("sparse", (sparse,)),
    Gap("one element", (one_element,)),
    Gap("deeper", (deeper,)),
    Gap("shallower", (partial(deeper, factor=0.88),)),
    Gap("scattered light", (scattered,)),
    Gap("shallower by star", (shallower_by_star,)),
    Gap("NLTE-like", (nlte,)),
    Gap("broader", (broader,)),
    Gap("narrower", (narrower,)),
    Gap("rotation spread", (rotation,)),
    Gap("continuum", (continuum,)),
    Gap("wavelength", (moved,)),
    Gap("telluric, fringing", (telluric,)),
    Gap("deeper, broader, continuum", (deeper, broader, continuum)),
    Gap("sparse, deeper", (sparse, deeper)),
    Gap("sparse, broader, continuum", (sparse, broader, continuum)),
    Gap("sparse, rotation", (sparse, rotation)),
    Gap("sparse, telluric", (sparse, telluric)),
    Gap("sparse, outliers", (sparse,), {"outliers": OUTLIERS}),
    Gap("sparse, low S/N", (sparse,), {"snr": (10.0, 20.0)}),
    Gap("deeper, low S/N", (deeper,), {"snr": (10.0, 20.0)}),
    Gap("sparse, deeper, no ivar", (sparse, deeper), {"has_ivar": False}),
    Gap("sparse, deeper, 300 : 5000", (sparse, deeper), {"sizes": (300, 5000)}),
    Gap("sparse, deeper, 5000 : 300", (sparse, deeper), {"sizes": (5000, 300)}),
    Gap("along the labels", (along,)),
)


@lru_cache(maxsize=4)
def _base(name: str, n_pixels: int, seed: int) -> Base:
    return BASES[name](n_pixels, seed)


def make_pair(
    gap: Gap,
    base: str = "MILES-like",
    *,
    label_shift: float = 0.0,
    seed: int = 0,
    n_pixels: int = 800,
    n_test: int = 400,
) -> Bunch:
    """Make unpaired spectra with a gap, and pairs to judge by.

    Parameters
    ----------
    gap : Gap
    base : {"MILES-like", "APOGEE-like"}
    label_shift : float, standard deviations
        Of teff; of the other labels half of it.
    seed : int
    n_pixels, n_test : int

    Returns
    -------
    pair : Bunch
        ``synthetic``, ``observed``; ``synthetic_of_observed``, ``observed_truth``, row by row of
        the observed ones; ``test`` with the last two for other stars, ``noisy`` ones too;
        ``labels_synthetic``, ``labels_observed``, ``unit``: the rms gap of the test stars.
    """
    options = {"sizes": (800, 800), "snr": (60.0, 250.0), "has_ivar": True, "outliers": 0.0}
    options |= gap.options or {}
    world = _base(base, n_pixels, seed)
    n_synthetic, n_observed = options["sizes"]
    first, second, third = np.random.default_rng([seed, 7]).spawn(3)
    labels = world.draw(n_synthetic, first, 0.0)
    synthetic = _sides(gap, world, labels, first)[0]
    pair = _observed(gap, world, n_observed, label_shift, second, options)
    test = _observed(gap, world, n_test, label_shift, third, options | {"outliers": 0.0})
    left = test.observed_truth.flux - test.synthetic_of_observed.flux
    scatter = test.observed_truth.flux.std(axis=0)
    unit = float(np.sqrt((left.astype(float) ** 2).mean()))
    unit = unit if unit > 1e-4 else SAME * float(np.sqrt((scatter**2).mean()))
    return Bunch(
        synthetic=_exact(world, synthetic), labels_synthetic=labels, unit=unit, test=test, **pair
    )


def _sides(gap: Gap, base: Base, labels: np.ndarray, rng: np.random.Generator) -> tuple:
    """Return the flux of the same stars in both domains."""
    flux = base.complete(labels)
    sides = Sides(base, labels, flux, flux)
    for step in gap.steps:
        sides = step(sides, rng)
    inside = slice(PADDING, -PADDING)
    return sides.synthetic[:, inside], sides.observed[:, inside]


def _observed(
    gap: Gap, base: Base, n: int, shift: float, rng: np.random.Generator, options: dict
) -> Bunch:
    labels = base.draw(n, rng, shift)
    counterpart, truth = _sides(gap, base, labels, rng)
    snr = np.exp(rng.uniform(*np.log(options["snr"]), n))
    seen = _spoil(truth, options["outliers"], rng)
    flux, ivar = instrument.add_noise(seen, snr, np.ones(seen.shape[1]), rng)
    hit = rng.uniform(size=flux.shape) < 0.003
    ivar = np.where(hit, 0.0, ivar if options["has_ivar"] else 1.0)
    flux = np.where(hit, rng.normal(0.0, 5.0, flux.shape), flux)
    noise = "known" if options["has_ivar"] else "unknown"
    observed = Spectra(
        flux.astype(np.float32),
        base.wavelength,
        ivar=ivar.astype(np.float32),
        noise=noise,
        medium=base.medium,
    )
    return Bunch(
        observed=observed,
        labels_observed=labels,
        synthetic_of_observed=_exact(base, counterpart),
        observed_truth=_exact(base, truth),
    )


def _spoil(flux: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Turn some spectra into those of other objects."""
    spoiled = flux.copy()
    rows = np.flatnonzero(rng.uniform(size=len(flux)) < share)
    basis = instrument.chebyshev_basis(flux.shape[1], 8)
    spoiled[rows] = 1 - 0.6 * (1 - flux[rows]) + 0.03 * rng.normal(size=(len(rows), 9)) @ basis
    return spoiled


def _exact(base: Base, flux: np.ndarray) -> Spectra:
    return Spectra(flux.astype(np.float32), base.wavelength, noise="exact", medium=base.medium)

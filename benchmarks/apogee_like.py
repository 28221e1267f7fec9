"""A 7,214-pixel pair in the manner of APOGEE, with known truth: larger than the shipped mock.

It shares no spectral model with :func:`spectragan.datasets.make_mock_domains`: every line has a
closed-form strength, so defaults that work on both are less likely to be tuned to either.
"""

from dataclasses import dataclass, replace
from typing import Any

import astropy.units as u
import numpy as np
from sklearn.utils import Bunch

from spectragan.datasets import instrument
from spectragan.datasets.populations import (
    LABEL_NAMES,
    POPULATION_MEAN,
    draw_reweighted_stars,
    draw_stars,
)
from spectragan.spectra import Spectra
from spectragan.spectra.inputs import make_rng
from spectragan.spectra.steps.broadening import FWHM_PER_SIGMA

N_PIXELS = 7214
FIRST_WAVELENGTH = 15168.0  # angstrom, vacuum
LOG_STEP = np.log(16937.0 / FIRST_WAVELENGTH) / (N_PIXELS - 1)
LIGHT_SPEED = 299792.458  # km/s
PIXEL_VELOCITY = LIGHT_SPEED * LOG_STEP  # 4.6 km/s
RESOLUTION = 22_500.0
INSTRUMENT_SIGMA = LIGHT_SPEED / RESOLUTION / FWHM_PER_SIGMA  # km/s
INTRINSIC_SIGMA = 4.0  # km/s: thermal motion and microturbulence
MACROTURBULENCE = (1.0, 8.0)  # km/s, of observed stars; the synthetic domain has the lowest
CONTINUUM_DEGREE = 4
CONTINUUM_RMS = 0.0015
N_LINES = 450
MAX_LOG_WRONG = -1.1  # the strongest lines are known best
MISSING_FRACTION, ALTERED_FRACTION = 0.12, 0.18
LABELS = (*LABEL_NAMES[:2], "mh", "alpham")

# Kinds of lines: fraction, mean and scatter of the slope of log strength with 5040 K / teff
# (eV), slope with logg (dex/dex), part of [alpha/M] that counts.
KINDS = {
    "neutral": (0.50, 1.0, 2.0, 0.00, 0.0),
    "alpha": (0.20, 1.0, 1.5, 0.05, 1.0),
    "ion": (0.08, -2.5, 1.5, -0.35, 0.0),
    "molecule": (0.22, 4.0, 1.5, -0.15, 0.3),
}


@dataclass(frozen=True)
class LineList:
    """Lines with closed-form strengths.

    Attributes
    ----------
    pixels : ndarray of shape (n_lines,)
        Centers in pixels.
    coefficients : ndarray of shape (6, n_lines)
        Decadic logarithm of the core's optical depth: its value for the typical star and slopes
        with 5040 K / teff, logg, [M/H], [alpha/M] and logg times [M/H].
    """

    pixels: np.ndarray
    coefficients: np.ndarray

    def flux(self, labels: np.ndarray) -> np.ndarray:
        """Return normalised flux at infinite resolution, shape (n_samples, 7214), float32."""
        strength = 10.0 ** np.minimum(label_terms(labels) @ self.coefficients, 1.5)
        distance = np.arange(N_PIXELS) - self.pixels[:, None]
        profiles = np.exp(-0.5 * (distance * PIXEL_VELOCITY / INTRINSIC_SIGMA) ** 2)
        return np.exp(-(strength.astype(np.float32) @ profiles.astype(np.float32)))


@dataclass(frozen=True)
class ApogeeGap:
    """The two domains as noise-free functions of the labels."""

    complete: LineList
    wrong: LineList
    continuum: np.ndarray
    response: np.ndarray
    bad_columns: np.ndarray

    def synthetic(self, labels: np.ndarray) -> np.ndarray:
        """Return synthetic spectra, shape (n_samples, 7214)."""
        return broaden_velocity(self.wrong.flux(labels), np.full(len(labels), MACROTURBULENCE[0]))

    def observed(self, labels: np.ndarray, split: np.ndarray) -> np.ndarray:
        """Return noise-free observed spectra; split: macroturbulence and continuum, (n, 6)."""
        flux = broaden_velocity(self.complete.flux(labels), split[:, 0])
        basis = instrument.chebyshev_basis(N_PIXELS, CONTINUUM_DEGREE)
        return flux * (1.0 + (self.continuum + split[:, 1:]) @ basis).astype(np.float32)


def label_terms(labels: np.ndarray) -> np.ndarray:
    """Return the terms of a line's log strength, shape (n_samples, 6)."""
    teff, logg, feh = POPULATION_MEAN
    theta = 5040.0 / labels[:, 0] - 5040.0 / teff
    gravity, metal, alpha = labels[:, 1] - logg, labels[:, 2] - feh, labels[:, 3]
    return np.column_stack([np.ones(len(labels)), theta, gravity, metal, alpha, gravity * metal])


def broaden_velocity(flux: np.ndarray, macroturbulence: np.ndarray) -> np.ndarray:
    """Convolve with the instrument's profile and a macroturbulence (km/s) of each star."""
    sigma = np.sqrt(INSTRUMENT_SIGMA**2 + 0.5 * macroturbulence**2) / PIXEL_VELOCITY
    chunks = [slice(i, i + 500) for i in range(0, len(flux), 500)]  # bounds the memory
    return np.concatenate([instrument.broaden(flux[rows], sigma[rows]) for rows in chunks])


def draw_line_list(rng: np.random.Generator) -> LineList:
    """Draw the lines of real stars: many weak, few strong."""
    fractions, energy, scatter, gravity, alpha = np.array(list(KINDS.values())).T
    kind = rng.choice(len(KINDS), N_LINES, p=fractions)
    log_strength = rng.uniform(-2.6, -0.7, N_LINES)
    metal = np.where(kind == 3, 1.3, 0.95) + rng.normal(0.0, 0.1, N_LINES)
    coefficients = np.stack(
        [
            log_strength,
            rng.normal(energy[kind], scatter[kind]),
            gravity[kind] + rng.normal(0.0, 0.05, N_LINES),
            metal,
            alpha[kind],
            np.zeros(N_LINES),
        ]
    )
    return LineList(rng.uniform(0.0, N_PIXELS, N_LINES), coefficients)


def draw_gap(seed: int) -> ApogeeGap:
    """Draw the lines, what is wrong with them in the synthetic domain, and the telescope."""
    rng = np.random.default_rng([seed, 22_500])
    complete = draw_line_list(rng)
    wrong = rng.permutation(np.flatnonzero(complete.coefficients[0] < MAX_LOG_WRONG))
    n_missing, n_altered = (round(f * N_LINES) for f in (MISSING_FRACTION, ALTERED_FRACTION))
    altered = wrong[n_missing : n_missing + n_altered]
    coefficients = complete.coefficients.copy()
    scatter = np.array([0.15, 1.0, 0.05, 0.10, 0.0, 0.05])
    coefficients[:, altered] += scatter[:, None] * rng.standard_normal((6, n_altered))
    coefficients[0, wrong[:n_missing]] = -np.inf
    return ApogeeGap(
        complete=complete,
        wrong=replace(complete, coefficients=coefficients),
        continuum=rng.normal(0.0, CONTINUUM_RMS, CONTINUUM_DEGREE + 1),
        response=instrument.draw_response(N_PIXELS, rng),
        bad_columns=rng.integers(N_PIXELS, size=18),
    )


def draw_labels(n_stars: int, rng: np.random.Generator, label_shift: float) -> np.ndarray:
    """Draw teff, logg, [M/H] and an [alpha/M] with two sequences, shape (n_stars, 4)."""
    if label_shift:
        shift = label_shift * np.array([1.0, 0.5, 0.5])
        labels = draw_reweighted_stars(n_stars, rng, shift, np.ones(3))
    else:
        labels = draw_stars(n_stars, rng)
    metal = labels[:, 2]
    is_thick = rng.uniform(size=n_stars) < 1.0 / (1.0 + np.exp((metal + 0.45) / 0.15))
    high = np.clip(0.22 - 0.15 * (metal + 0.5), 0.1, 0.32)
    low = np.clip(0.03 - 0.12 * metal, 0.0, 0.12)
    alpha = np.where(is_thick, high, low) + rng.normal(0.0, 0.03, n_stars)
    return np.column_stack([labels, alpha])


def draw_split(n_stars: int, rng: np.random.Generator) -> np.ndarray:
    """Draw macroturbulence (km/s) and continuum of each observed star, independent of labels."""
    low, high = MACROTURBULENCE
    macroturbulence = low + (high - low) * rng.beta(2.0, 2.5, n_stars)
    continuum = rng.normal(0.0, 0.5 * CONTINUUM_RMS, (n_stars, CONTINUUM_DEGREE + 1))
    return np.column_stack([macroturbulence, continuum])


def make_apogee_like_pair(
    n_synthetic: int = 4000,
    n_observed: int = 4000,
    label_shift: float = 0.0,
    random_state: Any = None,
    gap_seed: int = 0,
) -> Bunch:
    """Make unpaired APOGEE-like spectra with the fields of `make_mock_domains`.

    Parameters
    ----------
    n_synthetic, n_observed : int, default=4000
        Numbers of spectra; 2000 and 2000 need about 0.6 GB.
    label_shift : float, default=0.0, standard deviations
        As a single number in `make_mock_domains`.
    random_state : int, Generator, RandomState or None, default=None
        Fixes the stars and their noise.
    gap_seed : int, default=0
        Fixes the two domains.

    Returns
    -------
    data : Bunch
        As `make_mock_domains`, with four labels and wavelengths in vacuum.
    """
    gap = draw_gap(gap_seed)
    rng_synthetic, rng_observed, rng_split, rng_noise = make_rng(random_state).spawn(4)
    labels_synthetic = draw_labels(n_synthetic, rng_synthetic, 0.0)
    labels_observed = draw_labels(n_observed, rng_observed, label_shift)
    split = draw_split(n_observed, rng_split)
    truth, counterpart = gap.observed(labels_observed, split), gap.synthetic(labels_observed)
    flux, ivar = _observe(truth, gap, rng_noise)
    wavelength = FIRST_WAVELENGTH * np.exp(LOG_STEP * np.arange(N_PIXELS)) * u.AA
    exact = {"wavelength": wavelength, "noise": "exact", "medium": "vacuum"}
    return Bunch(
        synthetic=Spectra(gap.synthetic(labels_synthetic), **exact),
        observed=Spectra(flux, wavelength, ivar=ivar, medium="vacuum"),
        labels_synthetic=labels_synthetic,
        labels_observed=labels_observed,
        label_names=LABELS,
        synthetic_of_observed=Spectra(counterpart, **exact),
        observed_truth=Spectra(truth, **exact),
        split_observed=split,
        split_names=("macroturbulence", *(f"continuum_{k}" for k in range(CONTINUUM_DEGREE + 1))),
        raw_gap=float(np.sqrt(np.mean((truth - counterpart) ** 2, dtype=float))),
        gap=gap,
        DESCR=__doc__,
    )


def _observe(
    truth: np.ndarray, gap: ApogeeGap, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy flux and ivar, S/N 60-250; bad pixels hold garbage and ivar 0."""
    snr = np.exp(rng.uniform(np.log(60.0), np.log(250.0), len(truth)))
    flux, ivar = instrument.add_noise(truth, snr, gap.response, rng)
    rows, columns = instrument.draw_bad_pixels(flux.shape, gap.bad_columns, rng)
    flux[rows, columns] = rng.normal(0.0, 5.0, rows.size)
    ivar[rows, columns] = 0.0
    return flux, ivar

"""What is wrong with the lines of a simulated synthetic domain: some are missing, some altered."""

from dataclasses import dataclass

import numpy as np
from scipy.signal import find_peaks

from spectragan.datasets.populations import POPULATION_MEAN
from spectragan.spectra.steps.broadening import FWHM_PER_SIGMA

__all__ = [
    "AlteredLines",
    "MissingLines",
    "draw_altered_lines",
    "draw_missing_lines",
    "find_lines",
]

# Bounds of the decadic logarithm of a strength factor: between a tenth and four times.
_LOG_STRENGTH_RANGE = (-1.0, 0.6)
# Optical depths in the core, for the typical star, of the weakest and strongest missing line.
_MISSING_DEPTHS = (0.002, 0.06)
# Optical depth in the core at which an unresolved line saturates: at a resolution of 2000 a line
# that is black in reality takes about a third of the light.
_SATURATION = 0.4
_MIN_PROMINENCE = 0.004  # of the continuum: what counts as a line in a blended spectrum
# Standard deviation of an unresolved line at the resolution of the model, FWHM 2.5 angstrom.
_LINE_WIDTH = 2.5 / FWHM_PER_SIGMA


def _label_terms(labels: np.ndarray) -> np.ndarray:
    """Return 5040 K / teff, logg and feh relative to the typical star, shape (n_samples, 3)."""
    teff, logg, feh = POPULATION_MEAN
    return np.column_stack(
        [5040.0 / labels[:, 0] - 5040.0 / teff, labels[:, 1] - logg, labels[:, 2] - feh]
    )


def _profiles(centers: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
    """Return Gaussians of height 1, shape (n_lines, n_pixels), float32."""
    distance = (wavelength - centers[:, None]) / _LINE_WIDTH
    return np.exp(-0.5 * distance**2).astype(np.float32)


@dataclass(frozen=True)
class AlteredLines:
    """Lines whose strength is wrong by a factor that depends on the labels.

    Attributes
    ----------
    centers : ndarray of shape (n_lines,), angstrom
        Wavelengths.
    log_strength : ndarray of shape (5, n_lines)
        Decadic logarithm of the factor on the optical depth: a constant (wrong oscillator
        strength) and slopes with 5040 K / teff (wrong excitation energy), with logg (wrong
        damping), with feh and with feh times logg (departures from LTE).
    """

    centers: np.ndarray
    log_strength: np.ndarray

    def scale(self, labels: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Return the factor on the optical depth of each pixel.

        Parameters
        ----------
        labels : ndarray of shape (n_samples, 3)
            ``teff`` (K), ``logg`` (dex), ``feh`` (dex).
        wavelength : ndarray of shape (n_pixels,), angstrom
            Wavelength of each pixel.

        Returns
        -------
        factor : ndarray of shape (n_samples, n_pixels)
            1 away from the altered lines, never negative.
        """
        terms = _label_terms(labels)
        terms = np.column_stack([np.ones(len(labels)), terms, terms[:, 1] * terms[:, 2]])
        strength = 10.0 ** np.clip(terms @ self.log_strength, *_LOG_STRENGTH_RANGE)
        change = (strength - 1.0).astype(np.float32) @ _profiles(self.centers, wavelength)
        return np.maximum(1.0 + change, 0.0)


@dataclass(frozen=True)
class MissingLines:
    """Lines that real stars have and the synthetic domain lacks.

    Attributes
    ----------
    centers : ndarray of shape (n_lines,), angstrom
        Wavelengths.
    log_strength : ndarray of shape (4, n_lines)
        Decadic logarithm of the optical depth before saturation: its value for the typical star,
        and slopes with 5040 K / teff (energy of the levels, eV), with logg and with feh.
    """

    centers: np.ndarray
    log_strength: np.ndarray

    def optical_depth(self, labels: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
        """Return the optical depth that the missing lines add.

        Parameters
        ----------
        labels : ndarray of shape (n_samples, 3)
            ``teff`` (K), ``logg`` (dex), ``feh`` (dex).
        wavelength : ndarray of shape (n_pixels,), angstrom
            Wavelength of each pixel.

        Returns
        -------
        depth : ndarray of shape (n_samples, n_pixels)
            Not negative.
        """
        terms = np.column_stack([np.ones(len(labels)), _label_terms(labels)])
        strength = 10.0 ** (terms @ self.log_strength)
        core = strength / (1.0 + strength / _SATURATION)
        return core.astype(np.float32) @ _profiles(self.centers, wavelength)


def find_lines(flux: np.ndarray, wavelength: np.ndarray, max_depth: float = 1.0) -> np.ndarray:
    """Return the wavelengths of the local absorption maxima of the mean of some spectra.

    Parameters
    ----------
    flux : ndarray of shape (n_samples, n_pixels)
        Continuum-normalised flux.
    wavelength : ndarray of shape (n_pixels,), angstrom
        Wavelength of each pixel.
    max_depth : float, default=1.0
        Leave out deeper lines, in units of the continuum.

    Returns
    -------
    centers : ndarray of shape (n_lines,), angstrom
        Ascending wavelengths.
    """
    depth = 1.0 - flux.mean(axis=0)
    peaks, _ = find_peaks(depth, prominence=_MIN_PROMINENCE)
    return wavelength[peaks[depth[peaks] <= max_depth]]


def draw_altered_lines(
    lines: np.ndarray, fraction: float, rng: np.random.Generator
) -> AlteredLines:
    """Choose which of some lines have a wrong strength, and how wrong it is.

    Parameters
    ----------
    lines : ndarray of shape (n_lines,), angstrom
        All lines.
    fraction : float
        Part of them that is altered.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    altered : AlteredLines
        ``round(fraction * n_lines)`` lines.
    """
    chosen = rng.permutation(lines.size)[: round(fraction * lines.size)]
    scatter = np.array([0.15, 0.9, 0.06, 0.15, 0.06])  # dex per unit of each term
    coefficients = scatter[:, None] * rng.standard_normal((5, chosen.size))
    return AlteredLines(lines[chosen], coefficients)


def draw_missing_lines(
    n_lines: int, limits: tuple[float, float], rng: np.random.Generator
) -> MissingLines:
    """Draw lines of neutral and ionised atoms that a line list has forgotten.

    Parameters
    ----------
    n_lines : int
        Number of lines.
    limits : tuple of float, angstrom
        Shortest and longest wavelength.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    missing : MissingLines
        Mostly weak ones: the logarithm of the strength is uniform.
    """
    ionised = rng.random(n_lines) < 0.3
    strength = rng.uniform(np.log10(_MISSING_DEPTHS[0]), np.log10(_MISSING_DEPTHS[1]), n_lines)
    # Neutral lines fade in hot stars, those of ions in cool ones and in dwarfs, where electron
    # pressure keeps atoms neutral.
    energy = rng.normal(np.where(ionised, -3.0, 2.0), 5.0)
    gravity = rng.normal(np.where(ionised, -0.35, 0.05), 0.10)
    metal = rng.normal(0.9, 0.25, n_lines)
    centers = rng.uniform(*limits, n_lines)
    return MissingLines(centers, np.stack([strength, energy, gravity, metal]))

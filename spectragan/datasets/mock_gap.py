"""The two simulated domains: what a star of given labels looks like in each of them."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np

from spectragan.datasets import instrument, lines
from spectragan.datasets.populations import draw_stars
from spectragan.datasets.synthetic import SyntheticModel, miles_wavelength
from spectragan.spectra.broadening import FWHM_PER_SIGMA

__all__ = ["SPLIT_NAMES", "MockGap", "draw_gap", "draw_split"]

_STEP = 0.9  # angstrom per pixel
_PADDING = 40  # pixels beyond the edges, so that broadening sees the lines there
_CENTER = 5175.0  # angstrom: short versions are cut around the Mg b triplet
_MODEL_FWHM = 2.5  # angstrom
_OBSERVED_FWHM = (2.55, 3.0)  # angstrom: the sharpest and the broadest observed spectrum
_FWHM_SHAPE = (1.5, 2.5)  # of the beta distribution between the two
_CONTINUUM_DEGREE = 4
_CONTINUUM_RMS = 0.002  # of each Chebyshev coefficient of the residual continuum
_N_MISSING = 80  # over the whole grid
_ALTERED_FRACTION = 0.12
_MAX_ALTERED_DEPTH = 0.2  # the strongest lines are known best
_MIN_FLUX = 0.02  # a polynomial may dip below what any star shows
_PIXELS_PER_BAD_COLUMN = 400

SPLIT_NAMES = ("fwhm", *(f"continuum_{k}" for k in range(_CONTINUUM_DEGREE + 1)))


@dataclass(frozen=True)
class MockGap:
    """A synthetic and an observed domain, noise-free, as functions of the labels.

    Attributes
    ----------
    model : SyntheticModel
        Source of all lines that both domains share, on a grid padded at both ends.
    missing : MissingLines
        Lines of the observed domain that the synthetic one lacks.
    altered : AlteredLines
        Lines whose strength is wrong in the synthetic domain.
    continuum : ndarray of shape (5,)
        Chebyshev coefficients of the residual continuum common to all observed stars.
    response : ndarray of shape (n_pixels,)
        Efficiency of the spectrograph, at most 1.
    bad_columns : ndarray of int
        Detector columns that hold garbage.
    """

    model: SyntheticModel
    missing: lines.MissingLines
    altered: lines.AlteredLines
    continuum: np.ndarray
    response: np.ndarray
    bad_columns: np.ndarray

    @property
    def wavelength(self) -> u.Quantity:
        """Grid of both domains, shape (n_pixels,), angstrom, air."""
        return self.model.wavelength[_PADDING:-_PADDING]

    def synthetic(self, labels: np.ndarray) -> np.ndarray:
        """Return synthetic spectra.

        Parameters
        ----------
        labels : ndarray of shape (n_samples, 3)
            ``teff`` (K), ``logg`` (dex), ``feh`` (dex).

        Returns
        -------
        flux : ndarray of shape (n_samples, n_pixels), float32
            Continuum-normalised.
        """
        depth = -np.log(self._complete(labels))
        return _crop(np.exp(-depth * self.altered.scale(labels, self.model.wavelength.value)))

    def observed(self, labels: np.ndarray, split: np.ndarray) -> np.ndarray:
        """Return noise-free observed spectra.

        Parameters
        ----------
        labels : ndarray of shape (n_samples, 3)
            ``teff`` (K), ``logg`` (dex), ``feh`` (dex).
        split : ndarray of shape (n_samples, 6)
            What labels can't tell, in the order of `SPLIT_NAMES`: FWHM of the line spread
            function (angstrom) and the star's own Chebyshev coefficients of the continuum.

        Returns
        -------
        flux : ndarray of shape (n_samples, n_pixels), float32
            Continuum-normalised up to a residual continuum.
        """
        added = self.missing.optical_depth(labels, self.model.wavelength.value)
        flux = self._complete(labels) * np.exp(-added)
        sigma = np.sqrt(split[:, 0] ** 2 - _MODEL_FWHM**2) / FWHM_PER_SIGMA / _STEP
        flux = _crop(instrument.broaden(flux, sigma))
        basis = instrument.chebyshev_basis(flux.shape[1], _CONTINUUM_DEGREE)
        return flux * (1.0 + (self.continuum + split[:, 1:]) @ basis).astype(flux.dtype)

    def _complete(self, labels: np.ndarray) -> np.ndarray:
        """Return the flux of the model, float32, with its own lines right."""
        return np.maximum(self.model.normalized(labels), _MIN_FLUX).astype(np.float32)


def _crop(flux: np.ndarray) -> np.ndarray:
    """Drop the padding."""
    return np.ascontiguousarray(flux[:, _PADDING:-_PADDING])


def draw_gap(n_pixels: int, seed: int) -> MockGap:
    """Draw what is wrong with the synthetic domain, and the telescope of the observed one.

    Parameters
    ----------
    n_pixels : int
        Length of the grid, at most 3111. A short grid is a window around 5175 Å and has the same
        wrong lines there as the full one.
    seed : int
        Fixes the draw.

    Returns
    -------
    gap : MockGap
        The two domains.
    """
    rng = np.random.default_rng(seed)
    grid = miles_wavelength()
    typical = SyntheticModel(grid).normalized(draw_stars(200, np.random.default_rng(0)))
    known = lines.find_lines(typical, grid, _MAX_ALTERED_DEPTH)
    altered = lines.draw_altered_lines(known, _ALTERED_FRACTION, rng)
    missing = lines.draw_missing_lines(_N_MISSING, (grid[0], grid[-1]), rng)
    continuum = rng.normal(0.0, _CONTINUUM_RMS, _CONTINUUM_DEGREE + 1)
    start = int(np.clip((_CENTER - grid[0]) / _STEP - n_pixels / 2, 0, grid.size - n_pixels))
    padded = grid[start] + _STEP * np.arange(-_PADDING, n_pixels + _PADDING)
    n_columns = max(1, n_pixels // _PIXELS_PER_BAD_COLUMN)
    return MockGap(
        # The population is within the model's validity by construction.
        model=SyntheticModel(padded, outside="ignore"),
        missing=missing,
        altered=altered,
        continuum=continuum,
        response=instrument.draw_response(n_pixels, rng),
        bad_columns=rng.integers(n_pixels, size=n_columns),
    )


def draw_split(n_stars: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    """Draw what observed stars of equal labels differ in.

    Parameters
    ----------
    n_stars : int
        Number of stars.
    spread : float
        Factor on the differences between stars; 0 gives all stars the mean broadening and no
        continuum of their own.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    split : ndarray of shape (n_stars, 6)
        In the order of `SPLIT_NAMES`; independent of the labels.
    """
    low, high = _OBSERVED_FWHM
    mean = _FWHM_SHAPE[0] / sum(_FWHM_SHAPE)
    place = mean + spread * (rng.beta(*_FWHM_SHAPE, n_stars) - mean)
    # The observed spectrograph is never sharper than the model.
    fwhm = low + (high - low) * np.maximum(place, 0.0)
    continuum = rng.normal(0.0, 0.5 * _CONTINUUM_RMS * spread, (n_stars, _CONTINUUM_DEGREE + 1))
    return np.column_stack([fwhm, continuum])

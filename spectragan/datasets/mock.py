"""A pair of domains whose truth is known: how a star of given labels looks in each of them."""

from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from scipy.signal import find_peaks
from sklearn.utils import Bunch

from spectragan.datasets import instrument
from spectragan.datasets.populations import (
    COUNT,
    LABEL_NAMES,
    LEAVE_OUT,
    POPULATION_MEAN,
    SEED,
    SNR,
    SPLIT,
    check_triple,
    draw_reweighted_stars,
    draw_stars,
    named_labels,
)
from spectragan.datasets.synthetic import SyntheticModel, miles_wavelength
from spectragan.rules import check, count
from spectragan.spectra import Spectra
from spectragan.spectra.inputs import make_rng
from spectragan.spectra.steps.broadening import FWHM_PER_SIGMA

__all__ = [
    "SPLIT_NAMES",
    "AlteredLines",
    "MissingLines",
    "MockGap",
    "draw_altered_lines",
    "draw_gap",
    "draw_missing_lines",
    "draw_split",
    "find_lines",
    "make_mock_domains",
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
    missing: MissingLines
    altered: AlteredLines
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
    known = find_lines(typical, grid, _MAX_ALTERED_DEPTH)
    altered = draw_altered_lines(known, _ALTERED_FRACTION, rng)
    missing = draw_missing_lines(_N_MISSING, (grid[0], grid[-1]), rng)
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


_MIN_SCALE = 0.2
_PIXELS = count(16, 3111, remedy=LEAVE_OUT)
# A single number can't move all labels alike: no population of real stars is one standard
# deviation hotter, denser and richer in metals at once.
_SHIFT_DIRECTION = np.array([1.0, 0.5, 0.5])

_DESCR = """A controlled pair of domains, unpaired, with known truth

Both sides are F, G and K dwarfs and giants of the thin disc, the thick disc and the halo, drawn
independently: no row of one side is a row of the other. Flux is continuum-normalised, wavelengths
are in air.
Synthetic: a Cannon-type model of LTE syntheses, FWHM 2.5 angstrom, without noise. Its line list is
wrong: 80 lines (over 2800 angstrom) that the observed stars have are missing, and an eighth of its
weaker lines have a strength that is wrong by a factor that depends on the labels.
Observed: the same model with these lines right; broadened, to another FWHM (2.55-3.0 angstrom) in
every star; a residual continuum, a Chebyshev polynomial of degree 4 with coefficients of 0.2 %
common to all stars and 0.1 % of every star's own; photon noise, the S/N per pixel log-uniform over
the stars; cosmic rays and bad columns, which hold garbage and ivar 0.
Truth: `synthetic_of_observed` and `observed_truth` are the two noise-free versions of every
observed star, row by row. A translator must not be fitted to them. `split_observed` is what no
synthetic spectrum can know.
With the defaults the rms between the two is 0.013 of the continuum. Mean shift leaves 0.74-0.79 of
it, Gaussian optimal transport in 20 components 0.41-0.53, and the truth averaged over the split
latents, the best that any function of the labels can do, 0.15.
The synthetic model came with the Doppler (Nidever et al. 2021, doi:10.5281/zenodo.4906680, MIT
licence).
"""


def make_mock_domains(
    n_synthetic: int = 2000,
    n_observed: int = 2000,
    *,
    label_shift: Any = 0.0,
    label_scale: Any = 1.0,
    n_pixels: int = 3111,
    snr: tuple[float, float] = (60.0, 250.0),
    split: float = 1.0,
    gap_seed: int = 0,
    random_state: Any = None,
) -> Bunch:
    """Make unpaired synthetic and observed spectra whose truth is known.

    The synthetic domain lacks lines and has others at a wrong strength, which depends on the
    labels; observed stars have other broadening, a residual continuum, noise and bad pixels. What
    differs between observed stars of equal labels (broadening and continuum, the ``split``
    latents) is small but can't be known from a synthetic spectrum.

    Parameters
    ----------
    n_synthetic, n_observed : int, default=2000
        Numbers of spectra.
    label_shift : float or array-like of shape (3,), default=0.0, standard deviations
        How far the mean labels of the observed stars lie from those of the synthetic ones, in
        units of the population's standard deviations: 556 K, 0.98, 0.42. Three numbers are for
        ``teff``, ``logg`` and ``feh``; one number moves ``teff`` by it and the other two by half
        of it, and may lie between -1.5 and 1.5. The same kinds of stars appear in other
        proportions, so labels stay physical, and the widths change too.
    label_scale : float or array-like of shape (3,), default=1.0
        Factor, at least 0.2, on the standard deviations of the observed stars' labels; where it is
        1, the width is left to itself.
    n_pixels : int, default=3111
        16 to 3111. Fewer than 3111 are a window around 5175 Å (Mg b) with the same pixels.
    snr : tuple of two floats, default=(60.0, 250.0)
        Smallest and largest signal-to-noise ratio per pixel; log-uniform over the stars.
    split : float, default=1.0
        Factor on the differences between observed stars of equal labels; 0 removes them.
    gap_seed : int, default=0
        What is wrong with the synthetic domain, and the telescope. Two calls with the same
        `gap_seed` and another `random_state` give other stars of the same two domains, such as a
        validation set.
    random_state : int, Generator, RandomState or None, default=None
        Fixes the stars and their noise. The global generator is never touched.

    Returns
    -------
    data : Bunch
        Spectra are float32, of shape (n_synthetic or n_observed, n_pixels).

        synthetic : Spectra
            Noise ``exact``.
        observed : Spectra
            Noise ``known``.
        labels_synthetic, labels_observed : ndarray of shape (n_synthetic or n_observed, 3)
            ``teff`` (K), ``logg`` (dex, cgs), ``feh`` (dex).
        label_names : tuple of str
            Their names.
        synthetic_of_observed : Spectra
            Synthetic spectra with the labels of the observed stars, row by row.
        observed_truth : Spectra
            The observed stars without noise and bad pixels, row by row.
        split_observed : ndarray of shape (n_observed, 6)
            FWHM (angstrom) and the coefficients of the star's own continuum; `split_names`.
        raw_gap : float
            Rms of ``observed_truth - synthetic_of_observed``; 1 is the continuum.
        gap : MockGap
            The two domains as noise-free functions: ``gap.synthetic(labels)``,
            ``gap.observed(labels, split)``, and the wrong lines.
        DESCR : str
            What this is, in full.

    Raises
    ------
    ValueError
        If a number lies outside the limits above, or no population has the moments asked for.

    Notes
    -----
    Photon noise makes ivar larger where flux is lower. Means over stars that are weighted by ivar
    therefore favour stars with deep lines and are biased; weight with the mask only.

    Examples
    --------
    >>> from spectragan.datasets import make_mock_domains
    >>> pair = make_mock_domains(100, 150, n_pixels=300, random_state=0)
    >>> pair.synthetic.shape, pair.observed.shape, pair.observed_truth.shape
    ((100, 300), (150, 300), (150, 300))
    """
    n_synthetic = check(n_synthetic, "n_synthetic", COUNT)
    n_observed = check(n_observed, "n_observed", COUNT)
    n_pixels = check(n_pixels, "n_pixels", _PIXELS)
    split = check(split, "split", SPLIT)
    shift = check_triple(label_shift, "label_shift", _SHIFT_DIRECTION)
    scale = check_triple(label_scale, "label_scale", np.ones(3), _MIN_SCALE)
    snr = check(snr, "snr", SNR)
    gap = draw_gap(n_pixels, check(gap_seed, "gap_seed", SEED))

    rng_synthetic, rng_observed, rng_split, rng_noise = make_rng(random_state).spawn(4)
    labels_synthetic = draw_stars(n_synthetic, rng_synthetic)
    labels_observed = _draw_observed_stars(n_observed, shift, scale, rng_observed)
    split_observed = draw_split(n_observed, split, rng_split)
    truth = gap.observed(labels_observed, split_observed)
    synthetic_of_observed = gap.synthetic(labels_observed)
    flux, ivar = _observe(truth, gap, snr, rng_noise)
    exact = {"wavelength": gap.wavelength, "noise": "exact", "medium": "air"}
    return Bunch(
        synthetic=Spectra(gap.synthetic(labels_synthetic), **exact),
        observed=Spectra(flux, gap.wavelength, ivar=ivar, medium="air"),
        labels_synthetic=named_labels(labels_synthetic, LABEL_NAMES),
        labels_observed=named_labels(labels_observed, LABEL_NAMES),
        label_names=LABEL_NAMES,
        synthetic_of_observed=Spectra(synthetic_of_observed, **exact),
        observed_truth=Spectra(truth, **exact),
        split_observed=split_observed,
        split_names=SPLIT_NAMES,
        raw_gap=float(np.sqrt(np.mean((truth - synthetic_of_observed) ** 2, dtype=float))),
        gap=gap,
        DESCR=_DESCR,
    )


def _draw_observed_stars(
    n_stars: int, shift: np.ndarray, scale: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Draw from the population, or from a re-weighted one."""
    if not shift.any() and np.all(scale == 1.0):
        return draw_stars(n_stars, rng)
    return draw_reweighted_stars(n_stars, rng, shift, scale)


def _observe(
    truth: np.ndarray, gap: MockGap, snr: tuple[float, float], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy flux and ivar; bad pixels hold garbage and ivar 0."""
    ratio = np.exp(rng.uniform(np.log(snr[0]), np.log(snr[1]), len(truth)))
    flux, ivar = instrument.add_noise(truth, ratio, gap.response, rng)
    rows, columns = instrument.draw_bad_pixels(flux.shape, gap.bad_columns, rng)
    flux[rows, columns] = rng.normal(0.0, 5.0, rows.size)
    ivar[rows, columns] = 0.0
    return flux, ivar

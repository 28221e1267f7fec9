"""A pair of domains where synthetic spectra lack lines whose owners are known.

Lines are in closed form: where they are, and how strong in a star of given labels.
"""

import math
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import Table
from scipy.constants import atomic_mass, c, k
from sklearn.utils import Bunch

from spectragan.datasets import instrument
from spectragan.datasets.populations import COUNT, LEAVE_OUT, SEED, SNR, SPLIT, named_labels
from spectragan.rules import check, count, number
from spectragan.spectra import Spectra
from spectragan.spectra.inputs import make_rng

__all__ = [
    "ELEMENTS",
    "SPECIES_LABELS",
    "LineGap",
    "LineList",
    "draw_line_list",
    "make_line_domains",
]


SPECIES_LABELS = ("teff", "logg", "vturb")

# Symbol, ionisation energy (eV) and atomic mass, in the order in which elements are taken.
ELEMENTS = {
    "Fe": (7.90, 55.8),
    "Si": (8.15, 28.1),
    "Mg": (7.65, 24.3),
    "Ti": (6.83, 47.9),
    "Ca": (6.11, 40.1),
    "Ni": (7.64, 58.7),
    "Cr": (6.77, 52.0),
    "Mn": (7.43, 54.9),
    "Al": (5.99, 27.0),
    "V": (6.75, 50.9),
    "Na": (5.14, 23.0),
    "Co": (7.88, 58.9),
    "K": (4.34, 39.1),
    "S": (10.36, 32.1),
    "Sc": (6.56, 45.0),
    "Cu": (7.73, 63.5),
    "Y": (6.22, 88.9),
    "Ce": (5.54, 140.1),
    "Nd": (5.53, 144.2),
    "Zn": (9.39, 65.4),
}
# The typical star: what the strength of a line is quoted for.
TYPICAL = {"teff": 4600.0, "logg": 2.4, "vturb": 1.8}

_ION_FRACTION = 0.12  # of the lines
_RARITY = 0.7  # the k-th element has lines in proportion to k to minus this power
_FEWEST_LINES = 4  # of an element
_LOG_DEPTH = (
    -2.6,
    1.1,
)  # decadic logarithm of the optical depth of a line's core before broadening
_LIGHT_SPEED = c / 1e3  # km/s
_PLANCK = 5040.0  # K: 1 eV over k ln 10


@dataclass(frozen=True)
class LineList:
    """Lines of atoms, with a strength in closed form.

    Attributes
    ----------
    wavelength : ndarray of shape (n_lines,), angstrom
        Ascending.
    element : ndarray of int of shape (n_lines,)
        Index into `elements`.
    excitation : ndarray of shape (n_lines,), eV
        Energy of the lower level.
    ionised : ndarray of bool of shape (n_lines,)
        Whether the line is of the singly ionised atom.
    log_strength : ndarray of shape (n_lines,)
        Decadic logarithm of the optical depth in the core for the typical star.
    elements : tuple of str
        Symbols.
    """

    wavelength: np.ndarray
    element: np.ndarray
    excitation: np.ndarray
    ionised: np.ndarray
    log_strength: np.ndarray
    elements: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.wavelength)

    def equivalent_width(self, labels: np.ndarray) -> np.ndarray:
        """Return how much light every line takes.

        Parameters
        ----------
        labels : ndarray of shape (n_samples, 3 + n_elements)
            ``teff`` (K), ``logg`` (dex, cgs), ``vturb`` (km/s) and an abundance (dex) per element.

        Returns
        -------
        width : ndarray of shape (n_samples, n_lines), km/s
        """
        change = self._log_population(labels) - self._log_population(_typical(len(self.elements)))
        doppler = self._doppler_width(labels)
        narrow = self._doppler_width(_typical(len(self.elements)))
        abundance = labels[:, len(SPECIES_LABELS) :][:, self.element]
        # A wider profile spreads the same atoms over more velocities.
        depth = 10.0 ** (self.log_strength + change + abundance) * narrow / doppler
        return doppler * curve_of_growth(depth)

    def _log_population(self, labels: np.ndarray) -> np.ndarray:
        """Return the logarithm of absorbers over continuous opacity, up to a constant."""
        teff, logg = labels[:, :1], labels[:, 1:2]
        theta = _PLANCK / teff
        # Electrons come from metals: more of them in hot and in dense atmospheres.
        log_pressure = 0.33 * logg + 0.0007 * (teff - 4600.0) - 1.0
        energy = np.array([ELEMENTS[name][0] for name in self.elements])[self.element]
        log_ratio = 2.5 * np.log10(teff) - energy * theta - log_pressure - 0.48  # Saha
        log_fraction = -np.logaddexp(0.0, np.log(10.0) * log_ratio) / np.log(10.0)
        log_fraction = log_fraction + np.where(self.ionised, log_ratio, 0.0)
        opacity = log_pressure + 2.5 * np.log10(theta) + 0.754 * theta  # of negative hydrogen
        return log_fraction - self.excitation * theta - opacity

    def _doppler_width(self, labels: np.ndarray) -> np.ndarray:
        """Return thermal motion and microturbulence together, km/s."""
        mass = np.array([ELEMENTS[name][1] for name in self.elements])[self.element] * atomic_mass
        thermal = 2 * k * labels[:, :1] / mass / 1e6
        return np.sqrt(thermal + labels[:, 2:3] ** 2)


def curve_of_growth(depth: np.ndarray) -> np.ndarray:
    r"""Return the equivalent width of a line in Doppler widths.

    Parameters
    ----------
    depth : ndarray
        Optical depth :math:`\tau` in the core.

    Returns
    -------
    width : ndarray
        :math:`\sqrt{\pi} \tau` for weak lines, :math:`2 \sqrt{\ln \tau}` for strong ones.
    """
    return np.sqrt(np.pi) * depth / np.sqrt(1.0 + np.pi * depth**2 / (4.0 * np.log(math.e + depth)))


def line_profiles(
    lines: LineList, wavelength: np.ndarray, sigma: float, kept: np.ndarray
) -> np.ndarray:
    """Return Gaussian profiles of unit area in velocity.

    Parameters
    ----------
    lines : LineList
    wavelength : ndarray of shape (n_pixels,), angstrom
    sigma : float, km/s
        Standard deviation.
    kept : ndarray of bool of shape (n_lines,)
        Lines that are there; others get 0.

    Returns
    -------
    profiles : ndarray of shape (n_lines, n_pixels), float32
    """
    velocity = _LIGHT_SPEED * np.log(wavelength / lines.wavelength[:, None])
    profiles = np.exp(-0.5 * (velocity / sigma) ** 2) / (np.sqrt(2 * np.pi) * sigma)
    return (profiles * kept[:, None]).astype(np.float32)


def draw_line_list(
    n_lines: int, n_elements: int, limits: tuple[float, float], rng: np.random.Generator
) -> LineList:
    """Draw lines of a number of elements, many of the first and few of the last.

    Parameters
    ----------
    n_lines, n_elements : int
    limits : tuple of float, angstrom
        Shortest and longest wavelength.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    lines : LineList
    """
    share = np.arange(1, n_elements + 1) ** -_RARITY
    few = np.repeat(np.arange(n_elements), min(_FEWEST_LINES, n_lines // n_elements))
    rest = rng.choice(n_elements, n_lines - len(few), p=share / share.sum())
    ionised = rng.random(n_lines) < _ION_FRACTION
    return LineList(
        wavelength=np.sort(rng.uniform(*limits, n_lines)),
        element=rng.permutation(np.concatenate([few, rest])),
        excitation=np.where(
            ionised, rng.uniform(0.0, 4.0, n_lines), rng.uniform(0.0, 6.5, n_lines)
        ),
        ionised=ionised,
        log_strength=rng.uniform(*_LOG_DEPTH, n_lines),
        elements=tuple(ELEMENTS)[:n_elements],
    )


def _typical(n_elements: int) -> np.ndarray:
    """Return the labels of the typical star, shape (1, 3 + n_elements)."""
    return np.array([[*TYPICAL.values(), *[0.0] * n_elements]])


_FIRST_WAVELENGTH = 15168.0  # angstrom, vacuum
_LOG_STEP = 1.4e-5  # 4.2 km/s per pixel
_PIXEL_VELOCITY = 299792.458 * _LOG_STEP  # km/s
_LINE_SIGMA = 5.4  # km/s: a resolution of 22,500 and the intrinsic width of lines
_BROADENING = 1.5  # km/s: added to the synthetic spectra, and on average to the observed ones
_BROADENING_SCATTER = 0.3  # km/s
_CONTINUUM_DEGREE = 4
_CONTINUUM_RMS = 0.001
_PIXELS_PER_BAD_COLUMN = 400
_PIXELS = count(200, 8000, remedy=LEAVE_OUT)
_N_ELEMENTS = count(2, len(ELEMENTS), remedy=LEAVE_OUT)
_SHARE = number(0, 1, closed="both", remedy=LEAVE_OUT)
_COMMON_SCATTER, _OWN_SCATTER = 0.08, 0.12  # dex; together 0.144

_DESCR = """Synthetic spectra that lack lines, observed ones that have them, with known truth

Both sides are red giants: teff 3900-5300 K, logg 1-3.5, microturbulence 1.2-2.4 km/s, and an
abundance per element with a scatter of 0.144 dex (0.08 common to all elements, 0.12 its own), drawn
independently: no row of one side is a row of the other. Flux is continuum-normalised, 4.2 km/s per
pixel from 15168 angstrom (vacuum), at a resolution of about 21,000.
Lines have closed-form strengths: Boltzmann and Saha factors with the electron pressure of a giant,
H- as the continuous opacity, a curve of growth with microturbulence, one Gaussian profile. Optical
depths add and flux is their exponential.
Synthetic: the lines of `lines` with ``missing`` are absent. No noise.
Observed: all lines; every star with its own small broadening and residual continuum (the split
latents); photon noise, the S/N per pixel log-uniform over the stars; bad pixels with ivar 0.
Truth: `lines`, `missing_depth` per pixel and element, and `unattributable`: elements that have no
line left in the synthetic domain, whose abundance therefore leaves no trace there.
"""


@dataclass(frozen=True)
class LineGap:
    """Both domains, noise-free, as functions of the labels.

    Attributes
    ----------
    lines : LineList
    missing : ndarray of bool of shape (n_lines,)
        Lines that the synthetic domain lacks.
    wavelength : Quantity of shape (n_pixels,)
        Angstrom, vacuum.
    """

    lines: LineList
    missing: np.ndarray
    wavelength: u.Quantity

    def synthetic(self, labels: np.ndarray) -> np.ndarray:
        """Return synthetic spectra.

        Parameters
        ----------
        labels : ndarray of shape (n_samples, 3 + n_elements)
            ``teff`` (K), ``logg`` (dex), ``vturb`` (km/s), abundances (dex).

        Returns
        -------
        flux : ndarray of shape (n_samples, n_pixels), float32
        """
        return self._flux(labels, ~self.missing, np.full(len(labels), _BROADENING))

    def observed(self, labels: np.ndarray, split: np.ndarray) -> np.ndarray:
        """Return noise-free observed spectra.

        Parameters
        ----------
        labels : ndarray of shape (n_samples, 3 + n_elements)
            As `synthetic` takes them.
        split : ndarray of shape (n_samples, 6)
            Broadening (km/s) and Chebyshev coefficients of the residual continuum.

        Returns
        -------
        flux : ndarray of shape (n_samples, n_pixels), float32
        """
        flux = self._flux(labels, np.ones_like(self.missing), split[:, 0])
        basis = instrument.chebyshev_basis(flux.shape[1], _CONTINUUM_DEGREE)
        return flux * (1.0 + split[:, 1:] @ basis).astype(flux.dtype)

    def missing_depth(self, labels: np.ndarray) -> np.ndarray:
        """Return what the missing lines of every element take from the continuum, on average.

        Parameters
        ----------
        labels : ndarray of shape (n_samples, 3 + n_elements)

        Returns
        -------
        depth : ndarray of shape (n_pixels, n_elements)
        """
        width = self.lines.equivalent_width(labels).astype(np.float32)
        depth = np.empty((self.wavelength.size, len(self.lines.elements)))
        for element in range(depth.shape[1]):
            kept = self.missing & (self.lines.element == element)
            depth[:, element] = 1.0 - np.exp(-width @ self._profiles(kept)).mean(axis=0)
        return depth

    def line_depth(self, labels: np.ndarray) -> np.ndarray:
        """Return the depth of every line's core if it stood alone, on average, (n_lines,)."""
        sigma = np.hypot(_LINE_SIGMA, _BROADENING)
        core = self.lines.equivalent_width(labels) / (np.sqrt(2 * np.pi) * sigma)
        return 1.0 - np.exp(-core).mean(axis=0)

    def _flux(self, labels: np.ndarray, kept: np.ndarray, broadening: np.ndarray) -> np.ndarray:
        width = self.lines.equivalent_width(labels).astype(np.float32)
        flux = np.exp(-width @ self._profiles(kept, _LINE_SIGMA))
        return instrument.broaden(flux, broadening / _PIXEL_VELOCITY)

    def _profiles(self, kept: np.ndarray, sigma: float | None = None) -> np.ndarray:
        sigma = np.hypot(_LINE_SIGMA, _BROADENING) if sigma is None else sigma
        return line_profiles(self.lines, self.wavelength.value, sigma, kept)


def make_line_domains(
    n_synthetic: int = 4000,
    n_observed: int = 4000,
    *,
    n_pixels: int = 4000,
    n_elements: int = 12,
    n_lines: int | None = None,
    masked_fraction: float = 0.3,
    snr: tuple[float, float] = (35.0, 250.0),
    split: float = 1.0,
    gap_seed: int | None = None,
    random_state: Any = None,
) -> Bunch:
    """Make unpaired spectra of which the synthetic ones lack a part of the lines.

    Parameters
    ----------
    n_synthetic, n_observed : int, default=4000
        Numbers of spectra.
    n_pixels : int, default=4000
        200 to 8000, of 4.2 km/s each from 15168 Å on.
    n_elements : int, default=12
        2 to 20, each with an abundance that is a label. The first have many lines, the last few.
    n_lines : int, default=None
        Lines of all elements. None takes one per ten pixels.
    masked_fraction : float, default=0.3
        Part of the lines that the synthetic domain lacks, chosen at random. 0 gives a pair
        without missing lines.
    snr : tuple of two floats, default=(35.0, 250.0)
        Smallest and largest signal-to-noise ratio per pixel; log-uniform over the stars.
    split : float, default=1.0
        Factor on the differences between observed stars of equal labels; 0 removes them.
    gap_seed : int, default=None
        Fixes the lines and which are missing. None draws them with `random_state`, too.
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
        labels_synthetic, labels_observed : ndarray of shape (n, 3 + n_elements)
            ``teff`` (K), ``logg`` (dex, cgs), ``vturb`` (km/s), abundances (dex).
        label_names : tuple of str
            Their names; elements by their symbols.
        lines : Table
            ``wavelength`` (angstrom), ``element``, ``excitation`` (eV), ``ionised``, ``strength``
            (optical depth integrated over the line, mean of the observed stars, angstrom),
            ``depth`` (mean depth of the core there if it stood alone), ``missing``.
        missing_depth : ndarray of shape (n_pixels, n_elements)
            What the missing lines of each element take from the continuum of the observed stars,
            on average.
        unattributable : tuple of str
            Elements without a line in the synthetic domain: no spectrum of it tells their
            abundance, so no missing line can be shown to be theirs.
        split_observed : ndarray of shape (n_observed, 6)
            Broadening (km/s) and the coefficients of the star's own continuum.
        gap : LineGap
            The two domains as noise-free functions.
        DESCR : str
            What this is, in full.

    Raises
    ------
    ValueError
        If a number lies outside the limits above.

    See Also
    --------
    make_mock_domains : Another gap, of three labels.

    Examples
    --------
    >>> from spectragan.datasets import make_line_domains
    >>> pair = make_line_domains(50, 60, n_pixels=500, n_elements=4, random_state=0)
    >>> pair.observed.shape, pair.label_names
    ((60, 500), ('teff', 'logg', 'vturb', 'Fe', 'Si', 'Mg', 'Ti'))
    >>> int(pair.lines["missing"].sum()), len(pair.lines)
    (15, 50)
    """
    n_synthetic = check(n_synthetic, "n_synthetic", COUNT)
    n_observed = check(n_observed, "n_observed", COUNT)
    n_pixels = check(n_pixels, "n_pixels", _PIXELS)
    n_elements = check(n_elements, "n_elements", _N_ELEMENTS)
    n_lines = n_pixels // 10 if n_lines is None else n_lines
    n_lines = check(n_lines, "n_lines", count(n_elements, remedy=LEAVE_OUT))
    masked_fraction = check(masked_fraction, "masked_fraction", _SHARE)
    split = check(split, "split", SPLIT)
    snr = check(snr, "snr", SNR)

    rngs = make_rng(random_state).spawn(5)
    if gap_seed is not None:
        rngs[0] = np.random.default_rng(check(gap_seed, "gap_seed", SEED))
    gap = _draw_gap(n_pixels, n_elements, n_lines, masked_fraction, rngs[0])
    labels_synthetic = _draw_labels(n_synthetic, n_elements, rngs[1])
    labels_observed = _draw_labels(n_observed, n_elements, rngs[2])
    split_observed = _draw_split(n_observed, split, rngs[3])
    flux, ivar = _observe(gap.observed(labels_observed, split_observed), snr, rngs[4])
    names = (*SPECIES_LABELS, *gap.lines.elements)
    return Bunch(
        synthetic=Spectra(
            gap.synthetic(labels_synthetic), gap.wavelength, noise="exact", medium="vacuum"
        ),
        observed=Spectra(flux, gap.wavelength, ivar=ivar, medium="vacuum"),
        labels_synthetic=named_labels(labels_synthetic, names),
        labels_observed=named_labels(labels_observed, names),
        label_names=names,
        lines=_line_table(gap, labels_observed),
        missing_depth=gap.missing_depth(labels_observed),
        unattributable=_without_lines(gap),
        split_observed=split_observed,
        gap=gap,
        DESCR=_DESCR,
    )


def _draw_gap(
    n_pixels: int, n_elements: int, n_lines: int, fraction: float, rng: np.random.Generator
) -> LineGap:
    grid = _FIRST_WAVELENGTH * np.exp(_LOG_STEP * np.arange(n_pixels))
    lines = draw_line_list(n_lines, n_elements, (grid[0], grid[-1]), rng)
    missing = np.zeros(n_lines, dtype=bool)
    missing[rng.permutation(n_lines)[: round(fraction * n_lines)]] = True
    return LineGap(lines, missing, grid * u.AA)


def _draw_labels(n_stars: int, n_elements: int, rng: np.random.Generator) -> np.ndarray:
    """Draw red giants: the larger, the cooler and the more turbulent."""
    logg = 1.0 + 2.5 * rng.beta(1.8, 1.5, n_stars)
    teff = np.clip(3780.0 + 370.0 * logg + rng.normal(0.0, 110.0, n_stars), 3900.0, 5300.0)
    vturb = np.clip(2.3 - 0.25 * logg + rng.normal(0.0, 0.12, n_stars), 1.2, 2.4)
    common = rng.normal(0.0, _COMMON_SCATTER, (n_stars, 1))
    abundances = common + rng.normal(0.0, _OWN_SCATTER, (n_stars, n_elements))
    return np.column_stack([teff, logg, vturb, abundances])


def _draw_split(n_stars: int, spread: float, rng: np.random.Generator) -> np.ndarray:
    broadening = _BROADENING + spread * rng.normal(0.0, _BROADENING_SCATTER, n_stars)
    continuum = rng.normal(0.0, _CONTINUUM_RMS * spread, (n_stars, _CONTINUUM_DEGREE + 1))
    return np.column_stack([np.maximum(broadening, 0.0), continuum])


def _observe(
    truth: np.ndarray, snr: tuple[float, float], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return noisy flux and ivar; bad pixels hold garbage and ivar 0."""
    n_stars, n_pixels = truth.shape
    ratio = np.exp(rng.uniform(np.log(snr[0]), np.log(snr[1]), n_stars))
    flux, ivar = instrument.add_noise(truth, ratio, instrument.draw_response(n_pixels, rng), rng)
    columns = rng.integers(n_pixels, size=max(1, n_pixels // _PIXELS_PER_BAD_COLUMN))
    bad = instrument.draw_bad_pixels(flux.shape, columns, rng)
    flux[bad] = rng.normal(0.0, 5.0, bad[0].size)
    ivar[bad] = 0.0
    return flux, ivar


def _line_table(gap: LineGap, labels: np.ndarray) -> Table:
    lines = gap.lines
    velocity = lines.equivalent_width(labels).mean(axis=0)
    return Table(
        {
            "wavelength": lines.wavelength * u.AA,
            "element": np.array(lines.elements)[lines.element],
            "excitation": lines.excitation * u.eV,
            "ionised": lines.ionised,
            "strength": lines.wavelength * velocity / 299792.458 * u.AA,
            "depth": gap.line_depth(labels),
            "missing": gap.missing,
        }
    )


def _without_lines(gap: LineGap) -> tuple[str, ...]:
    left = np.bincount(gap.lines.element[~gap.missing], minlength=len(gap.lines.elements))
    return tuple(name for name, n in zip(gap.lines.elements, left, strict=True) if n == 0)

"""Closed-form absorption lines: where they are, and how strong in a star of given labels."""

from dataclasses import dataclass

import numpy as np
from scipy.constants import atomic_mass, c, k

__all__ = ["ELEMENTS", "SPECIES_LABELS", "LineList", "draw_line_list"]

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
    return np.sqrt(np.pi) * depth / np.sqrt(1.0 + np.pi * depth**2 / (4.0 * np.log(np.e + depth)))


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

"""Synthetic spectra as polynomials of a few latents."""

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np

MAX_CUBIC = 4  # latents: more would ask for more terms than there are spectra
MANIFOLD_RIDGE = 1e-8  # relative to the mean square of a term
MARGIN = 0.2  # of the range of the latents: how far outside of it a spectrum may be sought


@dataclass(frozen=True)
class Powers:
    """Monomials of latents up to a degree, the constant and the latents themselves first.

    Attributes
    ----------
    n_latents, degree : int
    """

    n_latents: int
    degree: int

    @cached_property
    def factors(self) -> list[tuple[int, ...]]:
        """Which latents every term multiplies."""
        latents = range(self.n_latents)
        degrees = range(self.degree + 1)
        return [term for d in degrees for term in combinations_with_replacement(latents, d)]

    def __call__(self, latents: np.ndarray) -> np.ndarray:
        """Return the terms, shape (n, n_terms).

        Parameters
        ----------
        latents : ndarray of shape (n, n_latents)
        """
        columns = [latents[:, list(term)].prod(axis=1) for term in self.factors]
        return np.stack(columns, axis=1)

    def jacobian(self, latents: np.ndarray) -> np.ndarray:
        """Return the derivatives of the terms, shape (n, n_terms, n_latents).

        Parameters
        ----------
        latents : ndarray of shape (n, n_latents)
        """
        result = np.zeros((len(latents), len(self.factors), self.n_latents))
        for column, term in enumerate(self.factors):
            for latent in set(term):
                rest = list(term)
                rest.remove(latent)
                power = term.count(latent)
                result[:, column, latent] = power * latents[:, rest].prod(axis=1)
        return result


@dataclass(frozen=True)
class Manifold:
    """Where synthetic spectra lie: every pixel a polynomial of common latents.

    Attributes
    ----------
    powers : Powers
    coefficients : ndarray of shape (n_terms, n_pixels)
    lowest, highest : ndarray of shape (n_latents,)
        Range of the latents, with a margin.
    latents : ndarray of shape (n_spectra, n_latents)
        Those it was fitted at.
    """

    powers: Powers
    coefficients: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray
    latents: np.ndarray

    def spectra(self, latents: np.ndarray) -> np.ndarray:
        """Return synthetic spectra, shape (n, n_pixels).

        Parameters
        ----------
        latents : ndarray of shape (n, n_latents)
        """
        return self.powers(latents) @ self.coefficients

    def at(self, pixels: slice) -> "Manifold":
        """Return the manifold at some pixels."""
        return replace(self, coefficients=self.coefficients[:, pixels])

    @cached_property
    def times_latent(self) -> list[np.ndarray]:
        """For each latent: what turns coefficients into those of the polynomials times it.

        By least squares, where the degree would be too high.
        """
        terms = self.powers(self.latents)
        return [_coefficients(terms, terms * z[:, None]) for z in self.latents.T]


def fit_manifold(latents: np.ndarray, flux: np.ndarray) -> Manifold:
    """Fit the polynomials of all pixels by least squares.

    Parameters
    ----------
    latents : ndarray of shape (n_spectra, n_latents)
    flux : ndarray of shape (n_spectra, n_pixels)
        Finite everywhere.

    Returns
    -------
    manifold : Manifold
        Cubic up to four latents, else quadratic.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.translator.matching.manifold import fit_manifold
    >>> z = np.linspace(-1, 1, 50)[:, None]
    >>> fit_manifold(z, 1 + z**2).spectra(np.array([[0.5]])).round(3)
    array([[1.25]])
    """
    powers = Powers(latents.shape[1], 3 if latents.shape[1] <= MAX_CUBIC else 2)
    coefficients = _coefficients(powers(latents), flux)
    low, high = latents.min(axis=0), latents.max(axis=0)
    margin = MARGIN * (high - low)
    return Manifold(powers, coefficients, low - margin, high + margin, latents)


def _coefficients(terms: np.ndarray, flux: np.ndarray) -> np.ndarray:
    gram = terms.T @ terms
    gram += MANIFOLD_RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    return np.linalg.solve(gram, terms.T @ flux)

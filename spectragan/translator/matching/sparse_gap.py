"""Which part of a gap is a change of the latents: the one that leaves a gap at fewest pixels.

Synthetic spectra are polynomials of a few latents here.
"""

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement

import numpy as np
from numpy.polynomial import chebyshev

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
    """

    powers: Powers
    coefficients: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray

    def spectra(self, latents: np.ndarray) -> np.ndarray:
        """Return synthetic spectra, shape (n, n_pixels).

        Parameters
        ----------
        latents : ndarray of shape (n, n_latents)
        """
        return self.powers(latents) @ self.coefficients


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
    >>> from spectragan.translator.matching.sparse_gap import fit_manifold
    >>> z = np.linspace(-1, 1, 50)[:, None]
    >>> fit_manifold(z, 1 + z**2).spectra(np.array([[0.5]])).round(3)
    array([[1.25]])
    """
    powers = Powers(latents.shape[1], 3 if latents.shape[1] <= MAX_CUBIC else 2)
    terms = powers(latents)
    gram = terms.T @ terms
    gram += MANIFOLD_RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram))
    coefficients = np.linalg.solve(gram, terms.T @ flux)
    low, high = latents.min(axis=0), latents.max(axis=0)
    margin = MARGIN * (high - low)
    return Manifold(powers, coefficients, low - margin, high + margin)


ITERATIONS = 20
SOFTENING = 0.3  # of the typical gap: pixels that differ less count fully
CONTINUUM_DEGREE = 6  # of a smooth factor between the domains; from 4 to 12 the same is found
BLOCK_PIXELS = 60  # of neighbours that err together
N_RESAMPLES = 24
CHUNK_PIXELS = 256
GAP_RIDGE = 1e-9
TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class GapForms:
    """Mean square of the gap at every pixel, as a quadratic form of what may be taken off it.

    Attributes
    ----------
    n_latents : int
    square : ndarray of shape (n_pixels, n, n)
    linear : ndarray of shape (n_pixels, n)
    constant : ndarray of shape (n_pixels,)
    """

    n_latents: int
    square: np.ndarray
    linear: np.ndarray
    constant: np.ndarray

    @property
    def signal(self) -> np.ndarray:
        """Mean square of what a standard deviation of the latents changes, (n_pixels,)."""
        constants = np.arange(self.n_latents) * (self.n_latents + 1)
        return self.square[:, constants, constants].sum(axis=1)

    def sizes(self, change: np.ndarray) -> np.ndarray:
        """Return the rms gap at every pixel, less what `change` takes off.

        Parameters
        ----------
        change : ndarray of shape (n,)

        Returns
        -------
        sizes : ndarray of shape (n_pixels,)
        """
        left = self.constant - 2 * self.linear @ change
        left += np.einsum("pst,s,t->p", self.square, change, change)
        return np.sqrt(np.maximum(left, 0.0))

    def shift(self, change: np.ndarray) -> np.ndarray:
        """Return the part of `change` that moves the latents.

        Parameters
        ----------
        change : ndarray of shape (n,)

        Returns
        -------
        shift : ndarray of shape (n_latents, n_latents + 1)
            Constants, then slopes.
        """
        size = self.n_latents * (self.n_latents + 1)
        return change[:size].reshape(self.n_latents, -1)


def gap_forms(manifold: Manifold, gap: np.ndarray, latents: np.ndarray) -> GapForms:
    """Return the quadratic forms of a gap, averaged over some spectra.

    Parameters
    ----------
    manifold : Manifold
    gap : ndarray of shape (n_latents + 1, n_pixels)
        Its mean and slopes.
    latents : ndarray of shape (n_spectra, n_latents)

    Returns
    -------
    forms : GapForms
    """
    terms = Powers(latents.shape[1], 1)(latents)
    slopes = manifold.powers.jacobian(latents)
    n, n_pixels = len(terms), gap.shape[1]
    instrument = _instrument(manifold.spectra(latents))
    size = slopes.shape[2] * terms.shape[1] + instrument.shape[2]
    square = np.empty((n_pixels, size, size))
    linear, constant = np.empty((n_pixels, size)), np.empty(n_pixels)
    for begin in range(0, n_pixels, CHUNK_PIXELS):
        pixels = slice(begin, begin + CHUNK_PIXELS)
        change = np.einsum("ntk,tp->pnk", slopes, manifold.coefficients[:, pixels])
        moved = (change[..., None] * terms[:, None]).reshape(len(change), n, -1)
        design = np.concatenate([moved, instrument[pixels]], axis=2)
        present = (terms @ gap[:, pixels]).T
        square[pixels] = design.transpose(0, 2, 1) @ design / n
        linear[pixels] = np.einsum("pns,pn->ps", design, present) / n
        constant[pixels] = (present**2).mean(axis=1)
    return GapForms(latents.shape[1], square, linear, constant)


def _instrument(flux: np.ndarray) -> np.ndarray:
    """Return how each spectrum changes with its continuum and line width, (n_pixels, n, n_ways)."""
    n_pixels = flux.shape[1]
    factors = chebyshev.chebvander(np.linspace(-1, 1, n_pixels), CONTINUUM_DEGREE)
    ends = np.pad(flux, ((0, 0), (1, 1)), mode="edge")
    wider = (ends[:, 2:] - flux) - (flux - ends[:, :-2])
    return np.concatenate([flux.T[..., None] * factors[:, None], wider.T[..., None]], axis=2)


def find_sparsest(
    forms: GapForms,
    counts: np.ndarray | None = None,
    start: np.ndarray | None = None,
    n_iterations: int = ITERATIONS,
) -> np.ndarray:
    r"""Find the change of the latents after which the fewest pixels have a gap.

    .. math:: \min_{D, c, b} \sum_j \sqrt{\langle (g_j(z) - J_j(z)\, D\, (1, z)
              - s_j(z)\, T_j c - s''_j(z)\, b)^2 \rangle_z},

    a sum of norms, by iteratively reweighted least squares. The last terms are a smooth factor
    between the domains and lines of another width, to first order: instruments that differ are
    neither labels nor lines that are wrong.

    Parameters
    ----------
    forms : GapForms
    counts : ndarray of shape (n_pixels,), default=None
        How often a pixel counts; None is once.
    start : ndarray of shape (n,), default=None
        Where to start; None is no change.
    n_iterations : int, default=20

    Returns
    -------
    change : ndarray of shape (n,)
        Elements of D, then of c and b.
    """
    size = forms.linear.shape[1]
    change = np.zeros(size) if start is None else start
    once = np.ones(len(forms.constant)) if counts is None else counts
    for _ in range(n_iterations):
        gap = forms.sizes(change)
        soft = max(SOFTENING * weighted_median(gap, forms.signal), TINY)
        weights = once / np.hypot(gap / soft, 1.0)
        total = np.tensordot(weights, forms.square, axes=1)
        total += max(GAP_RIDGE * np.trace(total) / size, TINY) * np.eye(size)
        change = np.linalg.solve(total, weights @ forms.linear)
    return change


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Return the value below which values with half of all weight lie.

    Parameters
    ----------
    values, weights : ndarrays of shape (n,)

    Returns
    -------
    median : float
    """
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, 0.5 * total[-1])])


def resampled_error(forms: GapForms, change: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Return the scatter of the constant shift over pixels, resampled in blocks.

    Parameters
    ----------
    forms : GapForms
    change : ndarray of shape (n,)
        Of all pixels.
    rng : RandomState

    Returns
    -------
    error : ndarray of shape (n_latents,)
    """
    blocks = np.arange(len(forms.constant)) // BLOCK_PIXELS
    n_blocks = blocks[-1] + 1
    draws = []
    for _ in range(N_RESAMPLES):
        drawn = rng.randint(n_blocks, size=n_blocks)
        counts = np.bincount(drawn, minlength=n_blocks)[blocks].astype(float)
        draws.append(forms.shift(find_sparsest(forms, counts, change, ITERATIONS // 2))[:, 0])
    return np.std(draws, axis=0)

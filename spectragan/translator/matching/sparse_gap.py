"""Which part of a gap is no line that is wrong: what leaves a gap at the fewest pixels."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spectragan.translator.matching.instrument import Instrument
from spectragan.translator.matching.manifold import Manifold, Powers

CONVEX_ITERATIONS = 8  # of a sum of norms, which has one minimum: where the search starts
ITERATIONS = 24
SOFTENING = 0.3  # of the typical gap: pixels that differ less count fully
BLOCK_PIXELS = 60  # of neighbours that err together
N_RESAMPLES = 24
RESAMPLED_ITERATIONS = 4
CHUNK_PIXELS = 64
RIDGE = 1e-7  # of each coefficient's own square
TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class GapForms:
    """Mean square of the gap at every pixel, as a quadratic form of what may be taken off it.

    Attributes
    ----------
    n_latents : int
    square : ndarray of shape (n_pixels, n (n + 1) / 2)
        Upper triangles of symmetric matrices.
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
        first, second = self._triangle
        constant = (first == second) & (first < self._n_shifts)
        constant &= first % (self.n_latents + 1) == 0
        return self.square[:, constant].sum(axis=1)

    def sizes(self, change: np.ndarray) -> np.ndarray:
        """Return the rms gap at every pixel, less what `change` takes off.

        Parameters
        ----------
        change : ndarray of shape (n,)

        Returns
        -------
        sizes : ndarray of shape (n_pixels,)
        """
        first, second = self._triangle
        products = change[first] * change[second] * np.where(first == second, 1.0, 2.0)
        left = self.constant - 2 * self.linear @ change + self.square @ products
        return np.sqrt(np.maximum(left, 0.0))

    def total(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weighted sums over pixels of the matrices (n, n) and vectors (n,).

        Parameters
        ----------
        weights : ndarray of shape (n_pixels,)
        """
        n = self.linear.shape[1]
        first, second = self._triangle
        square = np.empty((n, n))
        square[first, second] = square[second, first] = weights @ self.square
        return square, weights @ self.linear

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
        return change[: self._n_shifts].reshape(self.n_latents, -1)

    def amounts(self, change: np.ndarray) -> np.ndarray:
        """Return the part of `change` that is the instrument's."""
        return change[self._n_shifts :]

    def start(self, amounts: np.ndarray) -> np.ndarray:
        """Return the change that moves no latents."""
        return np.concatenate([np.zeros(self._n_shifts), amounts])

    @property
    def _n_shifts(self) -> int:
        return self.n_latents * (self.n_latents + 1)

    @cached_property
    def _triangle(self) -> tuple[np.ndarray, np.ndarray]:
        return np.triu_indices(self.linear.shape[1])


def gap_forms(
    manifold: Manifold,
    instrument: Instrument,
    gap: np.ndarray,
    latents: np.ndarray,
    pixels: slice = slice(None),
) -> GapForms:
    """Return the quadratic forms of a gap, averaged over some spectra.

    Parameters
    ----------
    manifold : Manifold
        Of the synthetic spectra.
    instrument : Instrument
        What is known of it: part of the gap that may be taken off.
    gap : ndarray of shape (n_latents + 1, n_chosen)
        What there is beside: its mean and slopes.
    latents : ndarray of shape (n_spectra, n_latents)
    pixels : slice, default=slice(None)
        Those that are chosen.

    Returns
    -------
    forms : GapForms
    """
    terms = Powers(latents.shape[1], 1)(latents)
    slopes = manifold.powers.jacobian(latents)
    n, n_pixels = len(terms), gap.shape[1]
    ways = instrument.ways(manifold.spectra(latents), latents)
    size = slopes.shape[2] * terms.shape[1] + len(instrument.terms)
    triangle = np.ravel_multi_index(np.triu_indices(size), (size, size))
    square = np.empty((n_pixels, len(triangle)))
    linear, constant = np.empty((n_pixels, size)), np.empty(n_pixels)
    chosen = np.arange(manifold.coefficients.shape[1])[pixels]
    for begin in range(0, n_pixels, CHUNK_PIXELS):
        part = slice(begin, begin + CHUNK_PIXELS)
        change = np.einsum("ntk,tp->pnk", slopes, manifold.coefficients[:, chosen[part]])
        moved = (change[..., None] * terms[:, None]).reshape(len(change), n, -1)
        instrumental = ways.at(chosen[part])
        design = np.concatenate([moved, instrumental], axis=2)
        present = (terms @ gap[:, part]).T + instrumental @ instrument.amounts
        products = design.transpose(0, 2, 1) @ design / n
        square[part] = products.reshape(len(products), -1)[:, triangle]
        linear[part] = (present[:, None] @ design)[:, 0] / n
        constant[part] = (present**2).mean(axis=1)
    return GapForms(latents.shape[1], square, linear, constant)


def find_sparsest(
    forms: GapForms,
    counts: np.ndarray | None = None,
    start: np.ndarray | None = None,
    n_iterations: int = ITERATIONS,
) -> np.ndarray:
    r"""Find the change of latents and instrument after which the fewest pixels have a gap.

    .. math:: \min_{D, w} \sum_j \log\left(1 + \langle (g_j(z) - J_j(z)\, D\, (1, z)
              - I_j(z)\, w)^2 \rangle_z / \sigma^2\right),

    by iteratively reweighted least squares, with a scale :math:`\sigma` that shrinks with the gap
    of the typical pixel. Each pixel's part soon stops to grow: lines that are wrong by much pull
    no more than those that are wrong by little. Without a start, a sum of norms is minimised
    first, which has no other minima to fall into.

    Parameters
    ----------
    forms : GapForms
    counts : ndarray of shape (n_pixels,), default=None
        How often a pixel counts; None is once.
    start : ndarray of shape (n,), default=None
        Where to start.
    n_iterations : int, default=24

    Returns
    -------
    change : ndarray of shape (n,)
        Elements of D, then the instrument's amounts.
    """
    change = np.zeros(forms.linear.shape[1]) if start is None else start
    once = np.ones(len(forms.constant)) if counts is None else counts
    signal = forms.signal
    for iteration in range(n_iterations):
        weights = closeness(forms.sizes(change), signal, SOFTENING)
        if start is None and iteration < CONVEX_ITERATIONS:
            weights = np.sqrt(weights)
        change = _least_squares(forms, once * weights)
    return change


def closeness(size: np.ndarray, signal: np.ndarray, softening: float = 1.0) -> np.ndarray:
    """Return weights of pixels: 1 without a gap, little where it is beyond the typical one.

    Parameters
    ----------
    size, signal : ndarrays of shape (n_pixels,)
        The gap, and what the latents change: pixels without lines say nothing.
    softening : float, default=1.0
        Of the typical gap: where the weight is a half.

    Returns
    -------
    weights : ndarray of shape (n_pixels,)
    """
    soft = max(softening * weighted_median(size, signal), TINY)
    return 1 / (1 + (size / soft) ** 2)


def _least_squares(forms: GapForms, weights: np.ndarray) -> np.ndarray:
    """Minimise the weighted sum of squares; coefficients may have any unit."""
    square, linear = forms.total(weights)
    scale = np.sqrt(np.maximum(np.diag(square), TINY)) ** -1
    scaled = square * scale * scale[:, None] + RIDGE * np.eye(len(square))
    return scale * np.linalg.solve(scaled, scale * linear)


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


def resampled_changes(
    forms: GapForms, change: np.ndarray, rng: np.random.RandomState
) -> np.ndarray:
    """Return what other pixels would have given, resampled in blocks.

    Parameters
    ----------
    forms : GapForms
    change : ndarray of shape (n,)
        Of all pixels.
    rng : RandomState

    Returns
    -------
    changes : ndarray of shape (24, n)
    """
    blocks = np.arange(len(forms.constant)) // BLOCK_PIXELS
    n_blocks = blocks[-1] + 1
    draws = []
    for _ in range(N_RESAMPLES):
        drawn = rng.randint(n_blocks, size=n_blocks)
        counts = np.bincount(drawn, minlength=n_blocks)[blocks].astype(float)
        draws.append(find_sparsest(forms, counts, change, RESAMPLED_ITERATIONS))
    return np.array(draws)

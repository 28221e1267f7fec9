"""Latents of observed spectra on the scale of the synthetic ones: most pixels must agree."""

from dataclasses import dataclass, replace
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
    >>> from spectragan.translator.matching.pseudo_pairs import fit_manifold
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


ROUNDS = 3
STEPS = 50  # of Gauss-Newton at most: few stars, far off on a curved manifold, need more than 8
CONVERGED = 1e-3  # standard deviations of the latents: steps no longer than this end it
LONGEST_STEP = 1.0  # standard deviations of the latents
PRIOR_VARIANCE = 9.0  # of latents: only directions a spectrum says nothing about feel it
INFORMATION = 1e4  # that every spectrum has on the latents, beside the prior's
SAMPLE_ROWS = 150  # of observed spectra, over which the gap is averaged
CHUNK_ROWS = 256
RIDGE = 1e-6
OUTLYING = 3.0  # median residuals beyond which a spectrum counts for less
FREE_ANCHORS = 2  # anchors beyond one for each coefficient that slopes need
PRIOR_ANCHORS = 3.0  # that the prior is worth where the scatter of the anchors is estimated


@dataclass(frozen=True)
class PseudoPairs:
    """Where observed spectra lie on the manifold of the synthetic ones.

    Attributes
    ----------
    manifold : Manifold
    gap : ndarray of shape (n_latents + 1, n_pixels)
        What observed spectra have more: its mean, and its slopes with the latents.
    emphasis : ndarray of shape (n_pixels,)
        Factor on the weights: pixels with a large gap say less.
    error : ndarray of shape (n_latents,)
        How far all latents together may be off: by the choice of pixels, and by what a gap of
        this size can hide.
    shift : ndarray of shape (n_latents, n_latents + 1)
        Added to the latents, linear in them: what anchors taught.
    """

    manifold: Manifold
    gap: np.ndarray
    emphasis: np.ndarray
    error: np.ndarray
    shift: np.ndarray

    def place(self, flux: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return the latents of observed spectra, those of their synthetic counterparts.

        Parameters
        ----------
        flux, weights : ndarrays of shape (n_spectra, n_pixels)
            Weights are inverse variances, or 0 and 1 where they are unknown.

        Returns
        -------
        latents : ndarray of shape (n_spectra, n_latents)
            Of each spectrum by itself.
        """
        start = np.zeros((len(flux), self.manifold.powers.n_latents))
        scaled = scaled_weights(self.manifold, weights) * self.emphasis
        latents = fit_latents(self.manifold, self.gap, flux, scaled, start)
        return latents + _affine(latents) @ self.shift.T

    def with_anchors(
        self, partners: np.ndarray, flux: np.ndarray, weights: np.ndarray
    ) -> "PseudoPairs":
        r"""Return pairs that agree with some stars whose synthetic counterparts are known.

        The latents move by :math:`D\,(1, z)`. Before the anchors, each coefficient is zero within
        `error`; their own scatter says how much they count (Bayesian linear regression). A few
        anchors move the constant alone.

        Parameters
        ----------
        partners : ndarray of shape (n_anchors, n_latents)
            Latents of the synthetic counterparts.
        flux, weights : ndarrays of shape (n_anchors, n_pixels)
            Of the observed anchors.

        Returns
        -------
        pairs : PseudoPairs
        """
        latents = self.place(flux, weights)
        n_latents = latents.shape[1]
        few = len(latents) < n_latents + 1 + FREE_ANCHORS
        terms, off = _affine(latents)[:, : 1 if few else None], partners - latents
        gram = terms.T @ terms
        shift, error = np.zeros_like(self.shift), np.empty_like(self.error)
        for k, prior in enumerate(np.maximum(self.error, TINY) ** 2):
            # A single anchor has no scatter: the prior stands in for some of them.
            scatter = ((off[:, k] - np.median(off[:, k])) ** 2).sum()
            noise = (PRIOR_ANCHORS * prior + scatter) / (PRIOR_ANCHORS + len(off))
            covariance = np.linalg.inv(gram / noise + np.eye(len(gram)) / prior)
            shift[k, : len(gram)] = covariance @ (terms.T @ off[:, k]) / noise
            error[k] = np.sqrt(covariance[0, 0])
        return replace(self, error=error, shift=shift)


def find_pseudo_pairs(
    manifold: Manifold, flux: np.ndarray, weights: np.ndarray, rng: np.random.RandomState
) -> PseudoPairs:
    r"""Find the synthetic counterpart of every observed spectrum, whatever its label distribution.

    Observed spectra are synthetic ones plus a gap, linear in the latents at every pixel. A change
    of the latents, :math:`\delta = D\,(1, z)`, and one of the gap, :math:`-J_j \delta`, are the
    same to the data. The one chosen leaves a gap at as few pixels as possible (see
    `find_sparsest`). Pixels with a large gap then count less in the latents, and so on.

    Parameters
    ----------
    manifold : Manifold
        Of the synthetic spectra.
    flux, weights : ndarrays of shape (n_observed, n_pixels)
        Weights are inverse variances, or 0 and 1 where they are unknown.
    rng : RandomState
        Chooses the rows and pixels of the error estimate.

    Returns
    -------
    pairs : PseudoPairs

    Notes
    -----
    Nothing in spectra without pairs tells a gap that looks like a change of labels from a change
    of labels. Where the gap is sparse that is no matter; where every pixel has a gap of
    :math:`\rho` of what one standard deviation of the latents changes, an offset of that order
    can hide in it, and ``error`` has half of it. Half is an assumption, not a measurement.
    """
    n_latents = manifold.powers.n_latents
    gap = np.zeros((n_latents + 1, flux.shape[1]))
    emphasis, latents = np.ones(flux.shape[1]), np.zeros((len(flux), n_latents))
    scaled, good = scaled_weights(manifold, weights), weights > 0
    trust = np.ones(len(flux))
    for _ in range(ROUNDS):
        latents = fit_latents(manifold, gap, flux, scaled * emphasis, latents)
        gap = _regress_gap(manifold, latents, flux, good, trust)
        trust = _trust(manifold, gap, latents, flux, good)
        gap = _regress_gap(manifold, latents, flux, good, trust)
        rows = _trusted(trust, rng)
        forms = gap_forms(manifold, gap, latents[rows])
        change = find_sparsest(forms)
        latents = latents + _affine(latents) @ forms.shift(change).T
        latents = np.clip(latents, manifold.lowest, manifold.highest)
        gap = _regress_gap(manifold, latents, flux, good, trust)
        size = np.sqrt(((_affine(latents[rows]) @ gap) ** 2).mean(axis=0))
        # Of pixels that say something: elsewhere there may be no gap for want of lines.
        typical = max(weighted_median(size, forms.signal), TINY)
        emphasis = 1 / (1 + (size / typical) ** 2)
    error = np.hypot(
        resampled_error(forms, change, rng), _hidden(manifold, forms.sizes(change), latents[rows])
    )
    return PseudoPairs(manifold, gap, emphasis, error, np.zeros((n_latents, n_latents + 1)))


def fit_latents(
    manifold: Manifold, gap: np.ndarray, flux: np.ndarray, weights: np.ndarray, start: np.ndarray
) -> np.ndarray:
    """Fit the latents of each spectrum by weighted least squares.

    Parameters
    ----------
    manifold : Manifold
    gap : ndarray of shape (n_latents + 1, n_pixels)
        Added to the synthetic spectra: its mean and slopes.
    flux, weights : ndarrays of shape (n_spectra, n_pixels)
    start : ndarray of shape (n_spectra, n_latents)

    Returns
    -------
    latents : ndarray of shape (n_spectra, n_latents)
    """
    coefficients = manifold.coefficients.copy()
    coefficients[: len(gap)] += gap
    first, second = np.triu_indices(len(coefficients))
    pairs = coefficients[first] * coefficients[second]
    latents = np.empty_like(start)
    for begin in range(0, len(flux), CHUNK_ROWS):
        rows = slice(begin, begin + CHUNK_ROWS)
        weight = np.asarray(weights[rows], dtype=float)
        gram = np.empty((len(weight), *2 * (len(coefficients),)))
        gram[:, first, second] = gram[:, second, first] = weight @ pairs.T
        moment = np.where(weight > 0, weight * flux[rows], 0.0) @ coefficients.T
        latents[rows] = _descend(manifold, gram, moment, start[rows])
    return latents


def scaled_weights(manifold: Manifold, weights: np.ndarray) -> np.ndarray:
    """Return weights that give every spectrum the same information on the latents.

    Parameters
    ----------
    manifold : Manifold
    weights : ndarray of shape (n_spectra, n_pixels)

    Returns
    -------
    scaled : ndarray of shape (n_spectra, n_pixels)
        Whatever the unit of flux, and whether errors are known. The prior on the latents is then
        equally weak for all.
    """
    signal = (manifold.coefficients[1 : manifold.powers.n_latents + 1] ** 2).sum(axis=0)
    information = np.asarray(weights, dtype=float) @ signal
    return weights * (INFORMATION / np.where(information > 0, information, 1.0))[:, None]


def _descend(
    manifold: Manifold, gram: np.ndarray, moment: np.ndarray, latents: np.ndarray
) -> np.ndarray:
    """Minimise the quadratic forms of the terms: pixels aren't needed any more."""
    powers, prior = manifold.powers, np.eye(manifold.powers.n_latents) / PRIOR_VARIANCE
    latents, rows = latents.copy(), np.arange(len(latents))
    for _ in range(STEPS):
        last = latents[rows]
        slopes, curved = powers.jacobian(last), gram[rows]
        pull = moment[rows] - np.einsum("nfg,ng->nf", curved, powers(last))
        gradient = np.einsum("nfk,nf->nk", slopes, pull) - last / PRIOR_VARIANCE
        curvature = slopes.transpose(0, 2, 1) @ curved @ slopes + prior
        step = np.linalg.solve(curvature, gradient[..., None])[..., 0]
        step = np.clip(step, -LONGEST_STEP, LONGEST_STEP)
        latents[rows] = np.clip(last + step, manifold.lowest, manifold.highest)
        # Each row ends by itself: where a star lies mustn't depend on the others.
        rows = rows[np.abs(latents[rows] - last).max(axis=1) >= CONVERGED]
        if not len(rows):
            break
    return latents


def _affine(latents: np.ndarray) -> np.ndarray:
    return Powers(latents.shape[1], 1)(latents)


def _regress_gap(
    manifold: Manifold, latents: np.ndarray, flux: np.ndarray, good: np.ndarray, trust: np.ndarray
) -> np.ndarray:
    """Regress what synthetic spectra lack on the latents, pixel by pixel."""
    terms = _affine(latents)
    weighted = terms * trust[:, None]
    size = terms.shape[1]
    products = (weighted[:, :, None] * terms[:, None]).reshape(len(terms), -1)
    gram = (good.T.astype(float) @ products).reshape(-1, size, size)
    gram += RIDGE * len(terms) * np.eye(size)
    residual = np.where(good, flux - manifold.spectra(latents), 0.0)
    return np.linalg.solve(gram, (residual.T @ weighted)[..., None])[..., 0].T


def _trust(
    manifold: Manifold, gap: np.ndarray, latents: np.ndarray, flux: np.ndarray, good: np.ndarray
) -> np.ndarray:
    """Return the weight of each spectrum: small where it is no spectrum like the others."""
    model = manifold.spectra(latents) + _affine(latents) @ gap
    square = np.where(good, flux - model, 0.0).astype(float) ** 2
    residual = np.sqrt(square.sum(axis=1) / np.maximum(good.sum(axis=1), 1))
    typical = max(float(np.median(residual)), TINY)
    return 1 / (1 + (residual / (OUTLYING * typical)) ** 4)


def _trusted(trust: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    rows = np.flatnonzero(trust >= min(0.5, float(trust.max())))
    return np.sort(rng.permutation(rows)[:SAMPLE_ROWS])


def _hidden(manifold: Manifold, size: np.ndarray, latents: np.ndarray) -> np.ndarray:
    """Return the offset of each latent that the gap at the typical pixel could hide."""
    slopes = manifold.powers.jacobian(latents)
    change = np.einsum("ntk,tp->nkp", slopes, manifold.coefficients)
    signal = np.sqrt((change**2).mean(axis=0))
    return np.array([0.5 * weighted_median(size / np.maximum(s, TINY), s**2) for s in signal])

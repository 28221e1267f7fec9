"""Latents of observed spectra on the scale of the synthetic ones: most pixels must agree."""

from dataclasses import dataclass, replace

import numpy as np

from spectragan.translator.matching.sparse_gap import (
    Manifold,
    Powers,
    find_sparsest,
    gap_forms,
    resampled_error,
    weighted_median,
)

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
TINY = np.finfo(float).tiny


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

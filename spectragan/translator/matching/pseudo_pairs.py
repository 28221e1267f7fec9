"""Latents of observed spectra on the scale of the synthetic ones: most pixels must agree."""

from dataclasses import dataclass, replace

import numpy as np

from spectragan.translator.matching.instrument import Instrument, no_instrument
from spectragan.translator.matching.manifold import Manifold, Powers
from spectragan.translator.matching.sparse_gap import (
    GapForms,
    closeness,
    find_sparsest,
    gap_forms,
    resampled_changes,
    weighted_median,
)

ROUNDS = 32  # at most: latents, instrument and gap are found in turn, until they agree
AGREED = 1e-3  # standard deviations of the latents: mean changes no larger than this end it
ROUND_ITERATIONS = 10  # of a round that starts where the last one ended
ROUND_ROWS, ROUND_PIXELS = 400, 1500  # observed spectra and pixels that rounds work with
LAST_ROUNDS = 2  # with all of them
STEPS = 50  # of Gauss-Newton at most: few stars, far off on a curved manifold, need more than 8
CONVERGED = 1e-3  # standard deviations of the latents: steps no longer than this end it
LONGEST_STEP = 1.0  # standard deviations of the latents
PRIOR_VARIANCE = 9.0  # of latents: only directions a spectrum says nothing about feel it
INFORMATION = 1e4  # that every spectrum has on the latents, beside the prior's
SAMPLE_ROWS = 150  # of observed spectra, over which the gap is averaged
CHUNK_ROWS = 256
RIDGE = 1e-6
OUTLYING = 3.0  # median residuals beyond which a spectrum counts for less
PRIOR_ANCHORS = 3.0  # that the prior is worth where the scatter of the anchors is estimated
# What polynomials and first-order changes leave open, in standard deviations of the latents:
# errors of the mean latents were no larger where a gap was common to all lines.
MODEL_ERROR = 0.02
FIRST_ORDER = 0.06  # of a common change: how far off its size may be
# Error of a typical latent, in standard deviations, beyond which counterparts aren't trusted: 0.02
# to 0.05 where gaps are sparse, 0.3 between real stars and their models.
SPARSE = 0.1
FLOOR = 1e-9  # of covariances, relative to their mean
TINY = np.finfo(float).tiny


@dataclass(frozen=True)
class PseudoPairs:
    """Where observed spectra lie on the manifold of the synthetic ones.

    Attributes
    ----------
    manifold : Manifold
        Of the synthetic spectra.
    instrument : Instrument
        What all lines have in common.
    seen : Manifold
        The synthetic spectra as that instrument shows them.
    gap : ndarray of shape (n_latents + 1, n_pixels)
        What observed spectra have more: its mean, and its slopes with the latents.
    emphasis : ndarray of shape (n_pixels,)
        Factor on the weights: pixels with a large gap say less.
    covariance : ndarray of shape (n, n)
        Of the errors of the elements of `shift`: by the choice of pixels, and by what a gap of
        this size can hide.
    common : ndarray of shape (4, 2)
        What all lines have in common at the mean star (see `Instrument.common`), and its errors
        by the choice of pixels.
    shift : ndarray of shape (n_latents, n_latents + 1)
        Added to the latents, linear in them: what anchors taught.
    centre : ndarray of shape (n_latents,)
        Mean latents of the observed spectra.
    """

    manifold: Manifold
    instrument: Instrument
    seen: Manifold
    gap: np.ndarray
    emphasis: np.ndarray
    covariance: np.ndarray
    common: np.ndarray
    shift: np.ndarray
    centre: np.ndarray

    @property
    def mean_covariance(self) -> np.ndarray:
        """Covariance of the errors that the mean star has, shape (n_latents, n_latents)."""
        mean = _move_of(self.centre)
        return mean @ self.covariance @ mean.T

    @property
    def error(self) -> np.ndarray:
        """How far all latents together may be off, shape (n_latents,)."""
        return np.sqrt(np.diag(self.mean_covariance))

    @property
    def is_sparse(self) -> bool:
        """Whether so few pixels have a gap of their own that it can't hide where stars are."""
        return float(np.median(self.error)) <= SPARSE

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
        latents = fit_latents(self.seen, self.gap, flux, scaled, start)
        return latents + _affine(latents) @ self.shift.T

    def moved(self, by: np.ndarray, covariance: np.ndarray) -> "PseudoPairs":
        """Return pairs with the mean star elsewhere, and all others as is likely then.

        Parameters
        ----------
        by : ndarray of shape (n_latents,)
        covariance : ndarray of shape (n_latents, n_latents)
            Of the errors that the mean star has there.
        """
        before = self.mean_covariance
        floor = (FLOOR * np.trace(before) + TINY) * np.eye(len(by))
        gain = np.linalg.solve(before + floor, _move_of(self.centre) @ self.covariance).T
        return replace(
            self,
            shift=self.shift + (gain @ by).reshape(self.shift.shape),
            covariance=self.covariance + gain @ (covariance - before) @ gain.T,
        )

    def with_anchors(
        self,
        partners: np.ndarray,
        flux: np.ndarray,
        weights: np.ndarray,
        doubt: np.ndarray | None = None,
    ) -> "PseudoPairs":
        r"""Return pairs that agree with some stars whose synthetic counterparts are known.

        The latents move by :math:`D\,(1, z)`, a Kalman update of all of its elements together.
        Before the anchors they are zero within `covariance` and `doubt`; the anchors' own scatter
        says how much these count.

        Parameters
        ----------
        partners : ndarray of shape (n_anchors, n_latents)
            Latents of the synthetic counterparts.
        flux, weights : ndarrays of shape (n_anchors, n_pixels)
            Of the observed anchors.
        doubt : ndarray of shape (n_latents, n_latents), default=None
            Covariance of what the mean latents may be off beyond `covariance`: a gap along the
            labels leaves no trace in the spectra.

        Returns
        -------
        pairs : PseudoPairs
        """
        latents = self.place(flux, weights)
        n = latents.shape[1]
        prior = self.covariance.copy()
        if doubt is not None:
            constants = np.arange(n) * (n + 1)
            prior[np.ix_(constants, constants)] += doubt
        terms, off = _affine(latents), partners - latents
        # A single anchor has no scatter: the prior stands in for some of them.
        own = (off - np.median(off, axis=0)).T @ (off - np.median(off, axis=0))
        mean = _move_of(latents.mean(axis=0))
        noise = PRIOR_ANCHORS * mean @ self.covariance @ mean.T + own
        noise = noise / (PRIOR_ANCHORS + len(off)) + TINY * np.eye(n)
        precision = np.linalg.inv(noise)
        floor = FLOOR * np.trace(prior) / len(prior) + TINY
        gained = np.linalg.inv(prior + floor * np.eye(len(prior)))
        gained += np.kron(precision, terms.T @ terms)
        covariance = np.linalg.inv(gained)
        moved = covariance @ (precision @ off.T @ terms).ravel()
        return replace(self, covariance=covariance, shift=moved.reshape(self.shift.shape))


def find_pseudo_pairs(
    manifold: Manifold, flux: np.ndarray, weights: np.ndarray, rng: np.random.RandomState
) -> PseudoPairs:
    r"""Find the synthetic counterpart of every observed spectrum, whatever its label distribution.

    Observed spectra are synthetic ones as an instrument shows them, plus a gap that is linear in
    the latents at every pixel. A change of the latents, :math:`\delta = D\,(1, z)`, and one of
    the gap, :math:`-J_j \delta`, are the same to the data; so are one of the instrument and of the
    gap. The ones chosen leave a gap at as few pixels as possible (see `find_sparsest`). Then
    latents are found anew where there is no gap, and so on until nothing moves.

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
    of labels. Where the gap is sparse, but for what all lines have in common, that is no matter;
    where every pixel has a gap of :math:`\rho` of what one standard deviation of the latents
    changes, an offset of that order can hide in it, and ``covariance`` has half of it. Half is an
    assumption, not a measurement.
    """
    some = np.sort(rng.permutation(len(flux))[:ROUND_ROWS])
    few = slice(None, None, -(-flux.shape[1] // ROUND_PIXELS))
    search = _Search(manifold, flux[some, few], weights[some, few], rng, few)
    for _ in range(ROUNDS):
        if search.step() < AGREED:
            break
    if search.flux.size < flux.size:
        search = search.widened(flux, weights)
        for _ in range(LAST_ROUNDS):
            search.step()
    return search.result()


class _Search:
    """Latents, instrument and gap, each found with the others as they are."""

    def __init__(
        self,
        manifold: Manifold,
        flux: np.ndarray,
        weights: np.ndarray,
        rng: np.random.RandomState,
        pixels: slice = slice(None),
    ) -> None:
        n_latents, n_pixels = manifold.powers.n_latents, flux.shape[1]
        self.manifold, self.rng, self.pixels = manifold, rng, pixels
        # Drawn once: other stars in each round would move the latents for ever.
        self.order = rng.permutation(len(flux))
        self.flux, self.good = flux, weights > 0
        self.scaled = scaled_weights(manifold.at(pixels), weights)
        self.instrument, self.seen = no_instrument(manifold), manifold.at(pixels)
        self.gap, self.sparse = np.zeros((2, n_latents + 1, n_pixels))
        self.emphasis = np.ones(n_pixels)
        self.latents, self.trust = np.zeros((len(flux), n_latents)), np.ones(len(flux))
        self.forms: GapForms | None = None
        self.change: np.ndarray | None = None

    def widened(self, flux: np.ndarray, weights: np.ndarray) -> "_Search":
        """Return the search where it stands, with all spectra and pixels."""
        other = _Search(self.manifold, flux, weights, self.rng)
        other.instrument, other.change = self.instrument, self.change
        other.seen = self.instrument.changed(self.manifold)
        # Of the other pixels nothing is known yet: they don't count in the first round.
        other.emphasis[:] = 0.0
        other.emphasis[self.pixels], other.sparse[:, self.pixels] = self.emphasis, self.sparse
        return other

    def step(self) -> float:
        """Find everything once more; return how far the mean latents moved."""
        weights = self.scaled * self.emphasis
        latents = fit_latents(self.seen, self.sparse, self.flux, weights, self.latents)
        self._find_gap(latents)
        self.trust = _trust(self.seen, self.gap, latents, self.flux, self.good)
        self._find_gap(latents)
        rows = self._sample()
        forms = gap_forms(self.manifold, self.instrument, self.gap, latents[rows], self.pixels)
        if self.change is None:
            change = find_sparsest(forms)
        else:
            start = forms.start(self.instrument.amounts)
            change = find_sparsest(forms, None, start, ROUND_ITERATIONS)
        moved = _affine(latents) @ forms.shift(change).T
        latents = np.clip(latents + moved, self.manifold.lowest, self.manifold.highest)
        self.forms, self.change = forms, change
        self.instrument = replace(self.instrument, amounts=forms.amounts(change))
        self.seen = self.instrument.changed(self.manifold).at(self.pixels)
        self._find_gap(latents)
        size = np.sqrt(((_affine(latents[rows]) @ self.gap) ** 2).mean(axis=0))
        # Of pixels that say something: elsewhere there may be no gap for want of lines.
        self.emphasis = closeness(size, forms.signal)
        # What is left at pixels that agree is taken for nothing: else the gap would remember
        # latents that were wrong, and hold them there.
        self.sparse = self.gap * (1 - closeness(forms.sizes(change), forms.signal))
        step = np.abs((latents - self.latents).mean(axis=0)).max()
        self.latents = latents
        return float(step)

    def result(self) -> PseudoPairs:
        """Return the pairs, with errors."""
        assert self.forms is not None
        assert self.change is not None
        forms, n = self.forms, self.manifold.powers.n_latents
        draws = resampled_changes(forms, self.change, self.rng)
        shifts = draws[:, : n * (n + 1)]
        rows = self._sample()
        hidden = _hidden(self.manifold, forms.sizes(self.change), self.latents[rows])
        assumed = np.hypot(hidden, MODEL_ERROR)
        centre = np.average(self.latents, axis=0, weights=self.trust)
        covariance = np.cov(shifts.T) + np.diag(np.repeat(assumed, n + 1) ** 2)
        return PseudoPairs(
            self.manifold,
            self.instrument,
            self.seen,
            self.sparse,
            self.emphasis,
            covariance,
            self._common(forms.amounts(draws.T).T, centre),
            np.zeros((n, n + 1)),
            centre,
        )

    def _common(self, draws: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Return what all lines have in common, and its scatter over draws."""
        flux = self.manifold.spectra(centre[None])[0]
        sizes = self.instrument.common(flux, centre)
        others = [
            replace(self.instrument, amounts=amounts).common(flux, centre) for amounts in draws
        ]
        # To first order only, and depths are parts of a continuum that isn't known well.
        depth, width, place, _ = FIRST_ORDER * np.abs(sizes)
        return np.column_stack(
            [sizes, np.hypot(np.std(others, axis=0), [depth, width, place, depth])]
        )

    def _sample(self) -> np.ndarray:
        trust = self.trust[self.order]
        return np.sort(self.order[trust >= min(0.5, float(trust.max()))][:SAMPLE_ROWS])

    def _find_gap(self, latents: np.ndarray) -> None:
        self.gap = _regress_gap(self.seen, latents, self.flux, self.good, self.trust)


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


def _move_of(latents: np.ndarray) -> np.ndarray:
    """Return the matrix that turns the elements of a shift into the move of one star."""
    return np.kron(np.eye(len(latents)), np.append(1.0, latents))


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
    return trust_in(np.where(good, flux - model, 0.0), good)


def trust_in(residual: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Return the weight of each spectrum: small where it is no spectrum like the others.

    Parameters
    ----------
    residual : ndarray of shape (n_spectra, n_pixels)
        What a model of all of them leaves.
    good : ndarray of bool of shape (n_spectra, n_pixels)

    Returns
    -------
    trust : ndarray of shape (n_spectra,)
    """
    square = np.where(good, residual, 0.0).astype(float) ** 2
    left = np.sqrt(square.sum(axis=1) / np.maximum(good.sum(axis=1), 1))
    typical = max(float(np.median(left)), TINY)
    return 1 / (1 + (left / (OUTLYING * typical)) ** 4)


def _hidden(manifold: Manifold, size: np.ndarray, latents: np.ndarray) -> np.ndarray:
    """Return the offset of each latent that the gap at the typical pixel could hide."""
    slopes = manifold.powers.jacobian(latents)
    change = np.einsum("ntk,tp->nkp", slopes, manifold.coefficients)
    signal = np.sqrt((change**2).mean(axis=0))
    return np.array([0.5 * weighted_median(size / np.maximum(s, TINY), s**2) for s in signal])

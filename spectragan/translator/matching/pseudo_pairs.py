"""Latents of observed spectra on the scale of the synthetic ones: most pixels must agree."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from spectragan.translator.matching.instrument import Instrument
from spectragan.translator.matching.known_stars import LabelledStars, LabelRelation
from spectragan.translator.matching.manifold import Manifold, Powers
from spectragan.translator.matching.own_changes import OwnChanges

STEPS = 50  # of Gauss-Newton at most: few stars, far off on a curved manifold, need more than 8
CONVERGED = 1e-3  # standard deviations of the latents: steps no longer than this end it
LONGEST_STEP = 1.0  # standard deviations of the latents
PRIOR_VARIANCE = 9.0  # of latents: only directions a spectrum says nothing about feel it
INFORMATION = 1e4  # that every spectrum has on the latents, beside the prior's
CHUNK_ROWS = 256
PRIOR_ANCHORS = 3.0  # that the prior is worth where the scatter of the anchors is estimated
LABEL_ROUNDS = 3  # of an update with rough labels: they aren't linear in the latents
FAR_OFF = 3.0  # standard deviations beyond which a rough label counts for less
HIDING = 0.05  # how likely labels and a gap along them cancel, beside either of the others
USEFUL = 0.5  # of a doubt: rough labels that leave more of it say too little about it
BOUND = 0.125  # standard deviations of the latents: what they must leave to settle it
# Error of a typical latent, in standard deviations, beyond which counterparts aren't trusted: 0.02
# to 0.05 where gaps are sparse, 0.3 between real stars and their models.
SPARSE = 0.1
NORMAL_MEDIAN = 0.6745  # of the absolute value of a standard normal number
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
    own : OwnChanges
        What observed stars have by themselves.
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
    own: OwnChanges

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
        latents = self._unmoved(flux, weights)
        return latents + affine(latents) @ self.shift.T

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
        doubt : ndarray of shape (n, n), default=None
            Covariance of what the elements of `shift` may be off beyond `covariance`: a gap along
            the labels leaves no trace in the spectra.

        Returns
        -------
        pairs : PseudoPairs
        """
        latents = self._unmoved(flux, weights)
        terms = affine(latents)
        off = partners - latents - terms @ self.shift.T
        # A single anchor has no scatter: the prior stands in for some of them.
        own = (off - np.median(off, axis=0)).T @ (off - np.median(off, axis=0))
        mean = _move_of(latents.mean(axis=0))
        noise = PRIOR_ANCHORS * mean @ self.covariance @ mean.T + own
        noise = noise / (PRIOR_ANCHORS + len(off)) + TINY * np.eye(latents.shape[1])
        precision = np.linalg.inv(noise)
        gram, pull = np.kron(precision, terms.T @ terms), (precision @ off.T @ terms).ravel()
        return self._updated(doubt, gram, pull)

    def with_labels(
        self,
        relation: LabelRelation,
        stars: LabelledStars,
        doubt: np.ndarray | None = None,
        *,
        differ: bool = True,
    ) -> tuple["PseudoPairs", bool]:
        r"""Return pairs that agree with rough labels of observed stars.

        Three assumptions are weighted by how well they explain the mean labels: the latents are
        right; they are off within `covariance`; or within that and `doubt`. Before, all are as
        likely, but the last one is not where spectra see no difference: a gap would have to hide
        just that of the labels. The two last are updates as with anchors, for what labels say of
        latents by `relation`, with zero points that are unknown, too. Stars far off count for
        less, and errors that are stated too small are taken for what the stars' scatter says.

        Parameters
        ----------
        relation : LabelRelation
        stars : LabelledStars
        doubt : ndarray of shape (n, n), default=None
            As for anchors. Left aside where the labels are too rough to halve it.
        differ : bool, default=True
            Whether spectra see the domains differ.

        Returns
        -------
        pairs : PseudoPairs
        settled : bool
            Whether the labels settle what is in doubt: to an eighth of a standard deviation.
        """
        latents = self._unmoved(stars.observed.flux, stars.observed.weights)
        means = self._mean_labels(relation, stars, latents)
        near = self._labelled(relation, stars, latents, None)
        evidence = means.evidence(self._prior(None))
        as_found = replace(near, shift=self.shift)
        certain = _mixture([as_found, near], [0.0, evidence])
        if doubt is None:
            return certain, True
        far = self._labelled(relation, stars, latents, doubt)
        more = means.evidence(self._prior(doubt)) + (0.0 if differ else np.log(HIDING))
        mixed = _mixture([as_found, near, far], [0.0, evidence, more])
        move = _move_of(self.centre)
        furthest = np.linalg.eigh(move @ doubt @ move.T)[1][:, -1] @ move
        before, after = (
            np.sqrt(furthest @ covariance @ furthest)
            for covariance in (self.covariance + doubt, far.covariance)
        )
        if after > USEFUL * before:
            return certain, False
        return mixed, bool(after < BOUND)

    def _labelled(
        self,
        relation: LabelRelation,
        stars: LabelledStars,
        latents: np.ndarray,
        doubt: np.ndarray | None,
    ) -> "PseudoPairs":
        """Update with labels of stars at `latents`, linear about where they are found to be."""
        pairs, terms, size = self, affine(latents), len(self.covariance)
        variance = stars.error**2 + relation.scatter**2
        smallest = FLOOR * np.median(variance, axis=0)
        zero = np.diag(1 / (stars.zero_point**2 + smallest))
        weight = np.isfinite(stars.observed_labels) / variance
        for _ in range(LABEL_ROUNDS):
            found = latents + terms @ pairs.shift.T
            slopes = relation.slopes(found)
            rows = np.einsum("nlk,nt->nlkt", slopes, terms).reshape(*weight.shape, size)
            off = np.nan_to_num(stars.observed_labels - relation.labels(found))
            known = _trusted(off, weight)
            off += rows @ (pairs.shift - self.shift).ravel()
            weighted = rows * known[..., None]
            # Zero points are unknown, too: what they may be is taken out of what labels say.
            cross = weighted.sum(axis=0)
            taken = cross.T @ np.linalg.inv(np.diag(known.sum(axis=0)) + zero)
            gram = np.einsum("nla,nlb->ab", weighted, rows) - taken @ cross
            pull = np.einsum("nla,nl->a", weighted, off) - taken @ (known * off).sum(axis=0)
            pairs = self._updated(doubt, gram, pull)
        return pairs

    def _mean_labels(
        self, relation: LabelRelation, stars: LabelledStars, latents: np.ndarray
    ) -> "_MeanLabels":
        """Return how far labels are off on average: evidence doesn't look at single stars."""
        found = latents + affine(latents) @ self.shift.T
        weight = np.isfinite(stars.observed_labels) / (stars.error**2 + relation.scatter**2)
        off = np.nan_to_num(stars.observed_labels - relation.labels(found))
        known = _trusted(off, weight)
        total = known.sum(axis=0)
        mean = (known * off).sum(axis=0) / total
        slopes = np.einsum("nl,nlk->lk", known, relation.slopes(found)) / total[:, None]
        chance = np.diag(1 / total + stars.zero_point**2)
        return _MeanLabels(mean, chance, slopes @ _move_of(self.centre))

    def _unmoved(self, flux: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Return latents without `shift`."""
        start = np.zeros((len(flux), self.manifold.powers.n_latents))
        scaled = scaled_weights(self.manifold, weights) * self.emphasis
        return fit_latents(self.seen, self.gap, flux, scaled, start, self.own)

    def _prior(self, doubt: np.ndarray | None) -> np.ndarray:
        """Return the covariance of all elements of the shift before anything is known."""
        prior = self.covariance if doubt is None else self.covariance + doubt
        return prior + (FLOOR * np.trace(prior) / len(prior) + TINY) * np.eye(len(prior))

    def _updated(
        self, doubt: np.ndarray | None, gram: np.ndarray, pull: np.ndarray
    ) -> "PseudoPairs":
        """Return pairs moved by a Kalman update: what was learned, with its precision."""
        covariance = np.linalg.inv(np.linalg.inv(self._prior(doubt)) + gram)
        shift = (covariance @ pull).reshape(self.shift.shape)
        return replace(self, covariance=covariance, shift=self.shift + shift)


class _MeanLabels(NamedTuple):
    """Mean labels of stars less those of their latents.

    Of the means alone: how an offset changes from star to star isn't known well enough.
    """

    off: np.ndarray  # (n_labels,)
    chance: np.ndarray  # covariance of `off` if the latents are right
    slopes: np.ndarray  # (n_labels, n): with the elements of a shift

    def evidence(self, prior: np.ndarray) -> float:
        """Return how much likelier they are with such a shift than without, as a logarithm."""
        wider = self.slopes @ prior @ self.slopes.T + self.chance
        return log_density(self.off, wider) - log_density(self.off, self.chance)


def fit_latents(
    manifold: Manifold,
    gap: np.ndarray,
    flux: np.ndarray,
    weights: np.ndarray,
    start: np.ndarray,
    own: OwnChanges,
) -> np.ndarray:
    """Fit the latents of each spectrum by weighted least squares.

    Parameters
    ----------
    manifold : Manifold
    gap : ndarray of shape (n_latents + 1, n_pixels)
        Added to the synthetic spectra: its mean and slopes.
    flux, weights : ndarrays of shape (n_spectra, n_pixels)
    start : ndarray of shape (n_spectra, n_latents)
    own : OwnChanges
        What each spectrum may have by itself.

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
        weighted = np.where(weight > 0, weight * flux[rows], 0.0)
        moment = weighted @ coefficients.T
        own.take_off(gram, moment, weight, weighted, coefficients)
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


def _mixture(pairs: list[PseudoPairs], evidence: list[float]) -> PseudoPairs:
    """Return the mean of pairs, weighted by evidence; where they differ, errors say so."""
    share = np.exp(np.array(evidence) - max(evidence))
    share /= share.sum()
    shift = sum(part * one.shift for part, one in zip(share, pairs, strict=True))
    away = [(one.shift - shift).ravel() for one in pairs]
    covariance = sum(
        part * (one.covariance + np.outer(off, off))
        for part, one, off in zip(share, pairs, away, strict=True)
    )
    return replace(pairs[0], shift=shift, covariance=covariance)


def log_density(x: np.ndarray, covariance: np.ndarray) -> float:
    """Return the logarithm of a Gaussian's density, up to a constant.

    Parameters
    ----------
    x : ndarray of shape (n,)
        Less the mean.
    covariance : ndarray of shape (n, n)

    Returns
    -------
    density : float
    """
    square = x @ np.linalg.solve(covariance, x)
    return -0.5 * float(square + np.linalg.slogdet(covariance)[1])


def _trusted(off: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return the weights of labels (n_stars, n_labels) that are `off` the model by so much.

    Their scatter is at least what is stated, and those that are far off count for less.
    """
    relative = np.abs(off) * np.sqrt(weight)
    seen = np.where(weight > 0, relative, np.nan)
    centred = np.abs(seen * np.sign(off) - np.nanmedian(seen * np.sign(off), axis=0))
    scatter = np.nan_to_num(np.nanmedian(centred, axis=0) / NORMAL_MEDIAN)
    scatter = np.maximum(scatter, 1.0)
    return weight / scatter**2 * np.minimum(1.0, FAR_OFF * scatter / np.maximum(relative, TINY))


def affine(latents: np.ndarray) -> np.ndarray:
    """Return 1 and the latents, shape (n, n_latents + 1).

    Parameters
    ----------
    latents : ndarray of shape (n, n_latents)
    """
    return Powers(latents.shape[1], 1)(latents)

"""How pseudo-pairs are found: latents, instrument and gap, each with the others as they are."""

from copy import copy
from dataclasses import replace

import numpy as np

from spectragan.translator.matching.instrument import no_instrument
from spectragan.translator.matching.manifold import Manifold
from spectragan.translator.matching.own_changes import find_own_changes, no_own_changes
from spectragan.translator.matching.pseudo_pairs import (
    PseudoPairs,
    affine,
    fit_latents,
    scaled_weights,
)
from spectragan.translator.matching.regression import noise_slopes, regress_gap, trust_in
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
# Standard deviations of the latents: the first round is never so far off (measured: 0.3 at most),
# but where spectra are too noisy for their lines, later ones go astray by 0.8 to 2.
ASTRAY = 0.5
SAMPLE_ROWS = 150  # of observed spectra, over which the gap is averaged
# What polynomials and first-order changes leave open, in standard deviations of the latents:
# errors of the mean latents were no larger where a gap was common to all lines.
MODEL_ERROR = 0.02
FIRST_ORDER = 0.06  # of a common change: how far off its size may be
TINY = np.finfo(float).tiny


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
    assumption, not a measurement. Where rounds go far from where the first one has ended, which
    has no other minima to fall into, the first is taken, and the way is part of the error.
    """
    some = np.sort(rng.permutation(len(flux))[:ROUND_ROWS])
    few = slice(None, None, -(-flux.shape[1] // ROUND_PIXELS))
    search = _Search(manifold, flux[some, few], weights[some, few], rng, few)
    search.step()
    first = copy(search)
    for _ in range(1, ROUNDS):
        if search.step() < AGREED:
            break
    way = (search.latents - first.latents).mean(axis=0)
    astray = np.abs(way).max() > ASTRAY
    if astray:
        search = first
    if search.flux.size < flux.size:
        search = search.widened(flux, weights)
        for _ in range(LAST_ROUNDS):
            search.step()
    return search.result(doubt=way if astray else None)


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
        self.emphasis = self.used = np.ones(n_pixels)  # found last, and latents' at present
        self.latents, self.trust = np.zeros((len(flux), n_latents)), np.ones(len(flux))
        self.own, self.left = no_own_changes(n_pixels), np.zeros_like(flux)
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
        self.used = self.emphasis
        weights = self.scaled * self.used
        latents = fit_latents(self.seen, self.sparse, self.flux, weights, self.latents, self.own)
        self._find_gap(latents)
        self.trust = trust_in(self.left, self.good)
        self._find_gap(latents)
        rows = self._sample()
        self.own = find_own_changes(
            self.instrument,
            self.manifold.coefficients[0],
            self.left[rows],
            self.scaled[rows],
            self.pixels,
        )
        forms = gap_forms(self.manifold, self.instrument, self.gap, latents[rows], self.pixels)
        if self.change is None:
            change = find_sparsest(forms)
        else:
            start = forms.start(self.instrument.amounts)
            change = find_sparsest(forms, None, start, ROUND_ITERATIONS)
        moved = affine(latents) @ forms.shift(change).T
        latents = np.clip(latents + moved, self.manifold.lowest, self.manifold.highest)
        self.forms, self.change = forms, change
        self.instrument = replace(self.instrument, amounts=forms.amounts(change))
        self.seen = self.instrument.changed(self.manifold).at(self.pixels)
        self._find_gap(latents)
        size = np.sqrt(((affine(latents[rows]) @ self.gap) ** 2).mean(axis=0))
        # Of pixels that say something: elsewhere there may be no gap for want of lines.
        self.emphasis = closeness(size, forms.signal)
        # What is left at pixels that agree is taken for nothing: else the gap would remember
        # latents that were wrong, and hold them there.
        self.sparse = self.gap * (1 - closeness(forms.sizes(change), forms.signal))
        step = np.abs((latents - self.latents).mean(axis=0)).max()
        self.latents = latents
        return float(step)

    def result(self, doubt: np.ndarray | None = None) -> PseudoPairs:
        """Return the pairs, with errors; mean latents that were `doubt` off elsewhere are so."""
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
        if doubt is not None:
            constants = np.zeros((n, n + 1))
            constants[:, 0] = doubt
            covariance += np.outer(constants, constants)
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
            self.own,
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
        """Find the gap beside latents, and what is left of the spectra then."""
        lacking = np.where(self.good, self.flux - self.seen.spectra(latents), 0.0)
        self.gap = regress_gap(latents, lacking, self.good, self.trust)
        self.left = np.where(self.good, lacking - affine(latents) @ self.gap, 0.0)
        self.gap[1:] -= noise_slopes(
            self.seen, latents, self.left, self.scaled, self.used, self.trust
        )


def _hidden(manifold: Manifold, size: np.ndarray, latents: np.ndarray) -> np.ndarray:
    """Return the offset of each latent that the gap at the typical pixel could hide."""
    slopes = manifold.powers.jacobian(latents)
    change = np.einsum("ntk,tp->nkp", slopes, manifold.coefficients)
    signal = np.sqrt((change**2).mean(axis=0))
    return np.array([0.5 * weighted_median(size / np.maximum(s, TINY), s**2) for s in signal])

"""Pseudo-pairs as a map between the domains, in closed form."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from spectragan.translator.domain_data import DomainData
from spectragan.translator.matching.manifold import Manifold, Powers
from spectragan.translator.matching.mismatch import Placed
from spectragan.translator.matching.own_changes import OwnChanges, no_own_changes
from spectragan.translator.matching.pseudo_pairs import fit_latents, scaled_weights
from spectragan.translator.matching.regression import trust_in
from spectragan.translator.representation import fit_head
from spectragan.translator.subspace import Subspace

MAX_ROWS = 4000  # observed spectra that the map is learned from
FAR = 1e3  # standard deviations: limits of latents that aren't any
ROWS_PER_TERM = 10  # of a regression on the latents: of fewer, curvature isn't asked for


@dataclass(frozen=True)
class PseudoMap:
    """Latents of synthetic spectra, and what observed spectra with these have more.

    Attributes
    ----------
    mean : ndarray of shape (n_pixels,)
        The synthetic spectrum whose latents are 0.
    encoder : ndarray of shape (n_latents, n_pixels)
    synthetic : ndarray of shape (n_terms, n_pixels)
        Synthetic spectra as polynomials of the latents.
    change : ndarray of shape (n_terms, n_pixels)
        What is added to them.
    emphasis : ndarray of shape (n_pixels,)
        How much each pixel says about the latents of observed spectra.
    limits : ndarray of shape (2, n_latents)
        Outside of these latents the change stays what it is there.
    degree : int
        Of the polynomials.
    own : OwnChanges
        What observed stars have by themselves, on no grounds for another place.
    """

    _kept: ClassVar = {
        "mean": "array p",
        "encoder": "array s p",
        "synthetic": "array t p",
        "change": "array t p",
        "emphasis": "array p",
        "limits": "array 2 s",
        "degree": "whole",
        "own": "OwnChanges w p",
    }

    mean: np.ndarray
    encoder: np.ndarray
    synthetic: np.ndarray
    change: np.ndarray
    emphasis: np.ndarray
    limits: np.ndarray
    degree: int
    own: OwnChanges

    @property
    def n_latents(self) -> int:
        """Number of latents."""
        return len(self.encoder)

    def encode(self, flux: np.ndarray) -> np.ndarray:
        """Return the latents of synthetic spectra, shape (n, n_latents)."""
        return (flux - self.mean) @ self.encoder.T

    def encode_observed(self, flux: np.ndarray) -> np.ndarray:
        """Return the latents of observed spectra, of each by itself, shape (n, n_latents)."""
        low, high = self.limits
        manifold = Manifold(self._powers, self.synthetic, low, high, np.empty((0, self.n_latents)))
        seen = replace(manifold, coefficients=self.synthetic + self.change)
        weights = scaled_weights(manifold, np.broadcast_to(self.emphasis, flux.shape))
        start = np.zeros((len(flux), self.n_latents))
        return fit_latents(seen, np.zeros((1, flux.shape[1])), flux, weights, start, self.own)

    def translate(self, flux: np.ndarray) -> np.ndarray:
        """Return synthetic spectra as observed ones, shape (n, n_pixels)."""
        return flux + self.added(self.encode(flux))

    def added(self, latents: np.ndarray) -> np.ndarray:
        """Return what observed spectra with these latents have more, shape (n, n_pixels)."""
        return self._powers(np.clip(latents, *self.limits)) @ self.change

    def spectra(self, latents: np.ndarray) -> np.ndarray:
        """Return synthetic spectra, shape (n, n_pixels)."""
        return self._powers(latents) @ self.synthetic

    def push(self, flux: np.ndarray, tangents: np.ndarray) -> np.ndarray:
        """Return how translated spectra change, (n, n_pixels, n_ways), where synthetic ones do."""
        latents = self.encode(flux)
        inside = (latents > self.limits[0]) & (latents < self.limits[1])
        slopes = self._powers.jacobian(np.clip(latents, *self.limits)) * inside[:, None]
        moved = np.einsum("kp,npw->nkw", self.encoder, tangents)
        return tangents + np.einsum("ntw,tp->npw", slopes @ moved, self.change)

    @property
    def _powers(self) -> Powers:
        return Powers(self.n_latents, self.degree)


def fit_pseudo_map(placed: Placed, observed: DomainData, subspace: Subspace) -> PseudoMap:
    """Return the map that pseudo-pairs give.

    What all lines have in common, and a regression on the latents, pixel by pixel, of what
    observed spectra have beside.

    Parameters
    ----------
    placed : Placed
    observed : DomainData
    subspace : Subspace
        Its means are used where a domain has no pixels.

    Returns
    -------
    pseudo_map : PseudoMap
    """
    pairs, basis, pixels = placed.pairs, placed.basis, placed.pixels
    observed = observed.take(slice(None, None, -(-len(observed) // MAX_ROWS)))
    flux, good = observed.flux[:, pixels], observed.good[:, pixels]
    latents = pairs.place(flux, observed.weights[:, pixels])
    manifold, seen = pairs.manifold, pairs.seen
    powers = Powers(manifold.powers.n_latents, 2)
    if len(latents) < ROWS_PER_TERM * len(powers.factors):
        powers = Powers(powers.n_latents, 1)
    residual = np.where(good, flux - seen.spectra(latents), 0.0).astype(float)
    head = fit_head(powers(latents), residual, good * trust_in(residual, good)[:, None])
    change = seen.coefficients - manifold.coefficients
    change[: len(head)] += head
    n_pixels = observed.flux.shape[1]
    known = np.zeros(n_pixels, bool)
    known[pixels] = True
    elsewhere = constant_map(subspace)
    synthetic, change = (
        _spread(values, pixels, n_pixels) for values in (manifold.coefficients, change)
    )
    synthetic[0, ~known], change[0, ~known] = (
        elsewhere.synthetic[0, ~known],
        elsewhere.change[0, ~known],
    )
    return PseudoMap(
        _spread(basis.mean, pixels, n_pixels),
        _spread(basis.components[: len(basis.scale)] / basis.scale[:, None], pixels, n_pixels),
        synthetic,
        change,
        _spread(pairs.emphasis, pixels, n_pixels),
        np.clip([latents.min(axis=0), latents.max(axis=0)], manifold.lowest, manifold.highest),
        manifold.powers.degree,
        replace(pairs.own, ways=_spread(pairs.own.ways, pixels, n_pixels)),
    )


def constant_map(subspace: Subspace) -> PseudoMap:
    """Return the map that adds the difference of the mean spectra.

    Parameters
    ----------
    subspace : Subspace

    Returns
    -------
    pseudo_map : PseudoMap
        Its latents are those of the subspace.
    """
    spread = np.where(subspace.spread > 0, subspace.spread, 1.0)
    components = subspace.components
    synthetic = np.vstack([subspace.means[0], components * spread[:, None]])
    change = np.zeros_like(synthetic)
    change[0] = subspace.means[1] - subspace.means[0]
    reach = np.full(len(components), FAR)
    return PseudoMap(
        subspace.means[0],
        components / spread[:, None],
        synthetic,
        change,
        np.ones(synthetic.shape[1]),
        np.array([-reach, reach]),
        1,
        no_own_changes(synthetic.shape[1]),
    )


def _spread(values: np.ndarray, pixels: np.ndarray, n_pixels: int) -> np.ndarray:
    """Return values on all pixels, 0 where a domain has none."""
    spread = np.zeros((*values.shape[:-1], n_pixels))
    spread[..., pixels] = values
    return spread

"""Does what latents say fit into the subspace? If not, more components are needed."""

import warnings

import numpy as np
import torch

from spectragan.exceptions import SubspaceTruncationWarning
from spectragan.training.inference import map_padded
from spectragan.translator.networks.contract import OBSERVED
from spectragan.translator.networks.pixels import SubspacePixels, head_features
from spectragan.translator.stored_domain import Domain
from spectragan.translator.subspace import Subspace

MAX_SHARE = 0.01  # of the pixels
SIGNIFICANCE = 5.0  # sigma by which the head must exceed what it makes of noise
MAX_ROWS = 2000  # spectra that are looked at


def warn_of_truncation(pixels: SubspacePixels, subspace: Subspace, observed: Domain) -> None:
    """Warn where the latents explain more outside the subspace than the components do inside.

    Parameters
    ----------
    pixels : SubspacePixels
        The trained network, with its heads fitted to `observed`.
    subspace : Subspace
    observed : DomainData or StoredDomain
        The observed spectra of the training.

    Warns
    -----
    SubspaceTruncationWarning
        If this is so at 1 % of the pixels or more.
    """
    some = slice(None, None, -(-len(observed) // MAX_ROWS))
    part = observed.take(some)
    flux, weights, good = part.flux, part.weights, part.good
    coefficients, _ = subspace.project(flux, weights, OBSERVED)
    x = torch.as_tensor(coefficients / subspace.spread)
    features = map_padded(lambda rows: head_features(*pixels.network.encode(rows, OBSERVED)), x)
    outside = features.numpy() @ pixels.observed_head.numpy()
    inside = coefficients @ subspace.components
    residual = np.where(good, flux - subspace.means[OBSERVED] - inside, 0.0)
    larger = outside.var(axis=0) > inside.var(axis=0)
    share = float((larger & _is_significant(outside, residual, weights, features.shape[1])).mean())
    if share >= MAX_SHARE:
        warnings.warn(
            f"at {100 * share:.2g} % of the pixels the latents explain more of the observed "
            f"spectra outside the {len(subspace.components)} components than these carry inside; "
            "raise n_components.",
            SubspaceTruncationWarning,
            stacklevel=3,
        )


def _is_significant(
    outside: np.ndarray, residual: np.ndarray, weights: np.ndarray, n_features: int
) -> np.ndarray:
    """Return where a head explains more than one of `n_features` would of noise alone."""
    freedom = np.maximum((weights > 0).sum(axis=0) - n_features, 1)
    noise = (weights * (residual - outside) ** 2).sum(axis=0) / freedom
    explained = (weights * outside**2).sum(axis=0)
    # Of noise it explains chi-squared with as many degrees of freedom as it has coefficients.
    return explained > noise * (n_features + SIGNIFICANCE * np.sqrt(2 * n_features))

"""What networks start from: linear least squares, or pseudo-pairs in closed form."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from spectragan.translator.domain_data import DomainData
from spectragan.translator.matching.mismatch import Match
from spectragan.translator.matching.offset import likely_pairs
from spectragan.translator.matching.pseudo_map import PseudoMap, fit_pseudo_map
from spectragan.translator.networks.contract import OBSERVED, SYNTHETIC
from spectragan.translator.networks.conv import AdaptedConvTranslator
from spectragan.translator.parameters import with_defaults
from spectragan.translator.representation import (
    ERROR_FLOOR,
    PixelRepresentation,
    SubspaceRepresentation,
    as_tensor,
)
from spectragan.translator.subspace import Alignment, Subspace, intrinsic_dimension

# What pseudo-pairs translate has all details of a spectrum, and fewer latents can't carry these: 8
# instead of 4 left 0.12 instead of 0.37 of a small gap, and 12 as much at twice the time.
SHARED_FROM_PAIRS = 8
ROWS_PER_LATENT = 20  # spectra: fewer can't teach so many
MAX_SHARED = 6  # counted; more are for users who know their labels
N_SPLIT = 3  # enough for broadening and a slope; more changes little (measured: 3, 4, 6)
# From there the game has little to learn: the way there is kept, and of mocks the way back leaves
# 0.132, 0.129 and 0.131 of the gap after 100, 200 and 500 steps. Small sets have short epochs.
STEPS_FROM_PAIRS = 200
EPOCHS_FROM_PAIRS = 4, 10  # at least, at most

MAX_ROWS = 4000  # noisy spectra that the head is fitted on
TEST_EVERY = 4  # spectrum chooses the ridge
RIDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # in units of a latent's mean square
SMALLEST_SQUARE = 1e-12  # latents that never vary
CHUNK = 500  # spectra encoded, or translated, at a time


@dataclass(frozen=True)
class Start:
    """The translation that training starts from.

    Attributes
    ----------
    representation : SubspaceRepresentation or PixelRepresentation
    translation : ndarray of shape (n_components, n_components)
        Of coefficients.
    pseudo_map : PseudoMap or None
        Takes its place where it is to be trusted.
    """

    representation: Any
    translation: np.ndarray
    pseudo_map: PseudoMap | None = None

    def __call__(self, data: DomainData, x: torch.Tensor) -> torch.Tensor:
        """Return synthetic rows translated.

        Parameters
        ----------
        data : DomainData
            The spectra.
        x : tensor of shape (n_spectra, n_values)
            Their rows.

        Returns
        -------
        translated : tensor of shape (n_spectra, n_values)
        """
        if self.pseudo_map is None:
            return self.representation.start(x, self.translation)
        # In parts: as pixels, and in double precision, rows take far more memory.
        parts = (data.take(slice(i, i + CHUNK)) for i in range(0, len(data), CHUNK))
        filled = (self.representation.fill(part, SYNTHETIC) for part in parts)
        translated = (self.pseudo_map.translate(flux) for flux in filled)
        return torch.cat([self.representation.observed_rows(flux) for flux in translated])


def find_start(
    representation: SubspaceRepresentation | PixelRepresentation,
    linear: Alignment,
    found: Match | None,
    observed: DomainData,
) -> Start:
    """Return what to start from: pseudo-pairs where the gap is too sparse to hide where stars are.

    Parameters
    ----------
    representation : SubspaceRepresentation or PixelRepresentation
        Networks on pixels start linearly.
    linear : Alignment
    found : Match or None
        Where the spectra lie, if there are enough to tell.
    observed : DomainData

    Returns
    -------
    start : Start
    """
    pseudo_map = None
    if (
        isinstance(representation, SubspaceRepresentation)
        and found
        and found.placed.pairs.is_sparse
    ):
        pseudo_map = fit_pseudo_map(likely_pairs(found.placed), observed, representation.subspace)
    return Start(representation, linear.translation, pseudo_map)


@torch.no_grad()
def start_linearly(
    network: AdaptedConvTranslator,
    alignment: Alignment,
    rows: tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]],
) -> None:
    """Set adapters and head such that `network` reconstructs, and translates linearly.

    Parameters
    ----------
    network : AdaptedConvTranslator
        Changed in place.
    alignment : Alignment
        The linear translation of coefficients.
    rows : two dicts
        Rows of both domains with ``x``, and ``noise`` of the observed ones.

    Notes
    -----
    The latents of a convolutional encoder with random weights already determine the spectrum;
    to find how is linear least squares for the head, but thousands of steps for generators. The
    adapters turn observed spectra into synthetic ones at the entrance, and back at the exit.
    """
    shared = alignment.generators[1][:, : len(alignment.encoders[0])]
    change = alignment.generators[0] - shared
    entrance: Any = network.input_adapters[OBSERVED]
    exit_: Any = network.output_adapters[OBSERVED]
    entrance.change.copy_(as_tensor(change @ alignment.encoders[1]))
    exit_.change.copy_(as_tensor(-change @ alignment.encoders[0]))

    x, noise = rows[SYNTHETIC]["x"], rows[OBSERVED]["noise"]
    few = torch.randint(len(x), (MAX_ROWS,))
    donors = torch.randint(len(noise), (MAX_ROWS,))
    noisy = x[few] + noise[donors] * torch.randn(len(few), x.shape[1])
    latents = torch.cat([network.encode(p, SYNTHETIC)[0].flatten(1) for p in noisy.split(CHUNK)])
    deviation = (x[few] - network.centre[SYNTHETIC]) / network.scale[SYNTHETIC]
    test = few % TEST_EVERY == 0
    network.latent_head.set(*fit_affine(latents, deviation, test))


def fit_affine(
    inputs: torch.Tensor, outputs: torch.Tensor, test: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fit a ridge regression whose penalty predicts the test rows best.

    Parameters
    ----------
    inputs : tensor of shape (n_rows, n_inputs)
    outputs : tensor of shape (n_rows, n_outputs)
    test : tensor of bool of shape (n_rows,)
        The rows that choose the penalty.

    Returns
    -------
    weight : tensor of shape (n_outputs, n_inputs)
    bias : tensor of shape (n_outputs,)

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.game.start import fit_affine
    >>> inputs = torch.arange(40.0)[:, None]
    >>> weight, bias = fit_affine(inputs, 3 * inputs + 2, torch.arange(40) % 4 == 0)
    >>> weight.round(decimals=2), bias.round(decimals=2)
    (tensor([[3.]]), tensor([2.]))
    """
    centre, mean = inputs[~test].double().mean(0), outputs[~test].double().mean(0)
    a, b = inputs.double() - centre, outputs.double() - mean
    gram, cross = a[~test].T @ a[~test], a[~test].T @ b[~test]
    size = gram.diagonal().mean().clamp_min(SMALLEST_SQUARE)
    eye = torch.eye(len(gram), dtype=gram.dtype)
    solutions = [torch.linalg.solve(gram + ridge * size * eye, cross) for ridge in RIDGES]
    errors = [(a[test] @ solution - b[test]).square().mean() for solution in solutions]
    best = solutions[int(torch.stack(errors).argmin())]
    return best.T.float(), (mean - centre @ best).float()


def count_shared(subspace: Subspace, coefficients: np.ndarray) -> int:
    """Return the intrinsic dimension of synthetic spectra, rounded up.

    Parameters
    ----------
    subspace : Subspace
    coefficients : ndarray of shape (n_spectra, n_components)

    Returns
    -------
    n_shared : int
    """
    spread = np.maximum(subspace.spread, ERROR_FLOOR * subspace.spread.max())
    return min(MAX_SHARED, math.ceil(intrinsic_dimension(coefficients / spread)))


def keeping_pairs(
    given: dict[str, Any], subspace: Subspace, coefficients: np.ndarray, n_batches: int
) -> dict[str, Any]:
    """Return the parameters of a game that keeps what pseudo-pairs translate.

    Parameters
    ----------
    given : dict
        Those of `spectragan.CycleGANTranslator`.
    subspace : Subspace
    coefficients : ndarray of shape (n_spectra, n_components)
        Of synthetic spectra.
    n_batches : int
        Steps of an epoch.

    Returns
    -------
    parameters : dict
    """
    chosen: dict[str, Any] = {}
    if given["max_epochs"] is given["warmup_epochs"] is None:
        chosen["max_epochs"] = int(np.clip(STEPS_FROM_PAIRS // n_batches, *EPOCHS_FROM_PAIRS))
    if given["n_shared"] is None:
        n_split = N_SPLIT if given["n_split"] is None else given["n_split"]
        left, taught = len(subspace.components) - n_split, len(coefficients) // ROWS_PER_LATENT
        least = count_shared(subspace, coefficients)
        chosen["n_shared"] = max(least, min(SHARED_FROM_PAIRS, left, taught))
    return with_defaults(given | chosen)

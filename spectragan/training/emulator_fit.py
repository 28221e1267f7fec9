"""Fit all parts of the emulator: components, kernel head, fully connected trunk."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from spectragan.networks.emulator import EmulatorNetwork
from spectragan.training.checkpoints import NOT_KEPT, Checkpoints
from spectragan.training.compression import CompressedSpectra, compress
from spectragan.training.emulator_net import (
    EmulatorNet,
    TrunkSettings,
    make_emulator_net,
    train_trunk,
)
from spectragan.training.kernel_fit import learn_kernels, solve_kernel_head
from spectragan.training.padding import map_padded

MEDIAN_TOLERANCE = 1e-5  # float32 spectra divided by their median are 1 to this precision
KERNEL_ROWS = 500  # choose the kernels; 1000 lower errors by 6 percent in 4 times the time
FEWEST_TRUNK_ROWS = 100  # too few to train a network and to tell whether it helps


@dataclass(frozen=True)
class EmulatorSettings:
    """What the emulator is made of.

    Attributes
    ----------
    n_components : int
        At most, beside the mean spectrum.
    n_centers : int
        At most so many stars carry a bump of the kernel head.
    hidden : sequence of int
        Widths of the trunk's layers.
    trunk : TrunkSettings
    """

    n_components: int
    n_centers: int
    hidden: Sequence[int]
    trunk: TrunkSettings


def fit_emulator(
    labels: np.ndarray,
    flux: np.ndarray,
    variance: np.ndarray,
    good: np.ndarray,
    settings: EmulatorSettings,
    *,
    rng: np.random.RandomState,
    checkpoints: Checkpoints = NOT_KEPT,
) -> EmulatorNet:
    """Return a net that holds an `EmulatorNetwork` fitted to spectra, in double precision.

    Parameters
    ----------
    labels : ndarray of shape (n_spectra, n_labels)
    flux, variance, good : ndarray of shape (n_spectra, n_pixels)
        As for `spectragan.training.compression.compress`.
    settings : EmulatorSettings
    rng : RandomState
        Torch's own generator is used too: call inside `spectragan.training.seeding.seeded`.
    checkpoints : Checkpoints, default=NOT_KEPT
        Where the state of the trunk's training is kept; all else is worked out again.

    Returns
    -------
    net : EmulatorNet
        On the CPU; ``net.module_`` maps labels to spectra.
    """
    unit_median = has_unit_median(flux, good)
    if unit_median:  # learn spectra on a scale that is a smooth function of the labels
        flux = flux / flux.mean(1, keepdims=True)
    compressed = compress(labels, flux, variance, good, settings.n_components, rng=rng)
    module = EmulatorNetwork(
        labels.shape[1],
        flux.shape[1],
        compressed.values.shape[1],
        n_centers=min(len(labels), settings.n_centers),
        hidden=settings.hidden,
        unit_median=unit_median,
    )
    net = make_emulator_net(module, settings.trunk)
    kernel = module.kernel.cpu().double()
    scale = _set_scales(module, labels, compressed)
    standard = module.standardize(torch.as_tensor(labels, dtype=torch.float64))
    values = torch.as_tensor(compressed.values) / scale
    errors = torch.as_tensor(compressed.variance)[:, None] / scale.square()
    order = torch.as_tensor(rng.permutation(len(labels)))
    few, centers = order[:KERNEL_ROWS], order[: settings.n_centers]
    rest = order[settings.n_centers :]
    kernels = learn_kernels(
        kernel, standard[few], values[few], errors[few], verbose=settings.trunk.verbose
    )
    solve_kernel_head(kernel, kernels, standard[centers], values[centers], errors[centers])
    if len(rest) >= FEWEST_TRUNK_ROWS and settings.trunk.max_epochs > 0:
        residual = values[rest] - map_padded(kernel, standard[rest], batch_size=1024)
        fraction = settings.trunk.validation_fraction
        train_trunk(
            net,
            standard[rest],
            residual,
            errors[rest],
            validation_fraction=fraction,
            checkpoints=checkpoints,
        )
    net.set_params(device="cpu")
    module.cpu().double().requires_grad_(False)
    return net


def has_unit_median(flux: np.ndarray, good: np.ndarray) -> bool:
    """Tell whether all spectra are complete and were divided by their own median.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_pixels)
    good : ndarray of bool of shape (n_spectra, n_pixels)

    Returns
    -------
    unit_median : bool
    """
    if flux.shape[1] < 3 or not good.all():
        return False
    off = np.abs(np.median(flux, axis=1) - 1).max()
    continuum = np.mean(flux == 1)  # a continuum clipped at 1 isn't a division by the median
    return bool(off < MEDIAN_TOLERANCE and continuum < 0.1 and (flux.mean(1) > 0).all())


def _set_scales(
    module: EmulatorNetwork, labels: np.ndarray, compressed: CompressedSpectra
) -> torch.Tensor:
    """Fill the buffers of `module` that aren't fitted; return the components' scales."""
    spread = labels.std(0)
    scale = compressed.values.std(0)
    scale = torch.as_tensor(np.where(scale > 0, scale, 1.0))
    parts = {
        "label_mean": torch.as_tensor(labels.mean(0)),
        "label_scale": torch.as_tensor(np.where(spread > 0, spread, 1.0)),
        "components": torch.as_tensor(np.vstack([compressed.mean, compressed.components])),
        "coefficient_scale": scale,
    }
    for name, value in parts.items():
        setattr(module, name, value.double())
    return scale

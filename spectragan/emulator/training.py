"""Fit all parts of the emulator: components, kernel head, fully connected trunk."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.helper import predefined_split
from torch import nn

from spectragan.emulator.compression import CompressedSpectra, compress, find_levels
from spectragan.emulator.kernels import learn_kernels, solve_kernel_head
from spectragan.emulator.network import EmulatorNetwork
from spectragan.training.adam import Adam
from spectragan.training.checkpoints import NOT_KEPT, Checkpoints
from spectragan.training.inference import map_padded
from spectragan.training.progress import EpochProgress
from spectragan.training.rows import RowBatches, TensorRows


class WeightedSquaredError(nn.Module):
    """Mean squared error with one weight per value."""

    def forward(self, predicted: torch.Tensor, target: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return ``mean(weights * (predicted - values)^2)`` of ``target``'s two tensors."""
        return (target["weights"] * (predicted - target["values"]).square()).mean()


class EmulatorNet(NeuralNet):
    """Trains ``module.trunk`` on what the kernel head leaves unexplained.

    Batches hold standardised labels and residual coefficients, not spectra: components are
    orthonormal, so the error is the same and a batch is a hundred times smaller.

    Parameters
    ----------
    module : EmulatorNetwork
    **kwargs
        As `skorch.NeuralNet` takes them.
    """

    def __init__(self, module, *args, criterion=WeightedSquaredError, **kwargs) -> None:
        super().__init__(module, *args, criterion=criterion, **kwargs)

    def infer(self, x, **fit_params) -> torch.Tensor:
        """Return the trunk's coefficients of a batch of standardised labels."""
        return self.module_.trunk(x)


@dataclass(frozen=True)
class TrunkSettings:
    """How the fully connected part is trained.

    Attributes
    ----------
    max_epochs, batch_size : int
    learning_rate : float
        Of Adam, falling to 0 along a cosine.
    validation_fraction : float
        Share of the rows that decide which epoch is kept.
    device : torch.device
    verbose : int
        0 shows no progress bar.
    """

    max_epochs: int
    batch_size: int
    learning_rate: float
    validation_fraction: float
    device: torch.device
    verbose: int = 0


def make_emulator_net(module: EmulatorNetwork, settings: TrunkSettings) -> EmulatorNet:
    """Return an initialised net that trains the trunk of `module`.

    Parameters
    ----------
    module : EmulatorNetwork
    settings : TrunkSettings

    Returns
    -------
    net : EmulatorNet
        Adam on a cosine schedule, an early stop, and the best epoch kept.
    """
    patience = max(5, settings.max_epochs // 4)  # early on a cosine, progress may well pause
    horizon = max(1, settings.max_epochs)
    net = EmulatorNet(
        module,
        optimizer=Adam,
        lr=settings.learning_rate,
        max_epochs=settings.max_epochs,
        batch_size=settings.batch_size,
        iterator_train=RowBatches,
        iterator_train__shuffle=True,
        iterator_valid=RowBatches,
        iterator_valid__batch_size=-1,
        train_split=None,
        callbacks=[
            ("early_stopping", EarlyStopping(patience=patience, load_best=True, sink=_silent)),
            ("schedule", LRScheduler(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=horizon)),
            ("progress", EpochProgress("emulator, network", verbose=settings.verbose)),
        ],
        callbacks__print_log=None,
        callbacks__epoch_timer=None,  # a saved net would hold how long this machine took
        device=settings.device,
        verbose=0,
    )
    return net.initialize()


def train_trunk(
    net: EmulatorNet,
    labels: torch.Tensor,
    residual: torch.Tensor,
    variance: torch.Tensor,
    counts: torch.Tensor,
    *,
    validation_fraction: float,
    checkpoints: Checkpoints = NOT_KEPT,
) -> None:
    """Train the trunk on residual coefficients, and keep it only if it helps.

    Parameters
    ----------
    net : EmulatorNet
        Changed in place; its history says how training went.
    labels : tensor of shape (n_rows, n_labels)
        Standardised; rows that the kernel head was not fitted to.
    residual, variance : tensor of shape (n_rows, n_components)
        What the kernel head leaves, and the variance of its errors.
    counts : tensor of shape (n_rows,)
        How much each row counts.
    validation_fraction : float
        Share of the rows held out.
    checkpoints : Checkpoints, default=NOT_KEPT
        Where the state of training is kept.
    """
    scale = residual.std(0).clamp_min(torch.finfo(torch.float32).tiny)
    # Between equal weight for every component and equal weight for every unit of flux, measured
    # best on held-out spectra.
    weights = (scale / variance.sqrt()).clamp_max(1e6) * counts[:, None]
    targets = {"values": residual / scale, "weights": weights / weights.mean()}
    targets = {name: value.float() for name, value in targets.items()}
    order = torch.randperm(len(labels))
    n_valid = max(1, round(validation_fraction * len(labels)))
    valid, train = (
        TensorRows(labels[rows].float(), {name: value[rows] for name, value in targets.items()})
        for rows in (order[:n_valid], order[n_valid:])
    )
    net.train_split = predefined_split(valid)
    checkpoints.train(net, train)
    net.train_split = None  # the rows held out don't belong into a saved net
    last = net.module_.trunk[-1]
    with torch.no_grad():
        kept = (scale if _helps(net, valid) else 0 * scale).to(last.weight)
        last.weight.mul_(kept[:, None])
        last.bias.mul_(kept)


def _helps(net: EmulatorNet, valid: TensorRows) -> bool:
    """Tell whether the trunk lowers the error of held-out rows: of all, and of the typical one."""
    with torch.no_grad():
        predicted = net.infer(valid.inputs.to(net.device)).cpu()
    weights, values = valid.targets["weights"], valid.targets["values"]
    after, before = (
        (weights * (guess - values).square()).mean(1) for guess in (predicted, 0 * predicted)
    )
    return bool(after.mean() < before.mean() and after.median() < before.median())


def _silent(message: str) -> None:
    """Print nothing."""


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
    weights: np.ndarray,
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
        As for `spectragan.emulator.compression.compress`.
    weights : ndarray of shape (n_spectra,)
        How much each counts against the others, > 0.
    settings : EmulatorSettings
    rng : RandomState
        Torch's own generator is used too: call inside `spectragan.training.devices.seeded`.
    checkpoints : Checkpoints, default=NOT_KEPT
        Where the state of the trunk's training is kept; all else is worked out again.

    Returns
    -------
    net : EmulatorNet
        On the CPU; ``net.module_`` maps labels to spectra.
    """
    compressed, module = _build(labels, flux, variance, good, settings, rng)
    net = make_emulator_net(module, settings.trunk)
    kernel = module.kernel.cpu().double()
    scale = _set_scales(module, labels, compressed)
    standard = module.standardize(torch.as_tensor(labels, dtype=torch.float64))
    values = torch.as_tensor(compressed.values) / scale
    errors = torch.as_tensor(compressed.variance) / scale.square()
    counts = torch.as_tensor(weights / weights.mean())
    order = torch.as_tensor(rng.permutation(len(labels)))
    few, centers = order[:KERNEL_ROWS], order[: settings.n_centers]
    rest = order[settings.n_centers :]
    kernels = learn_kernels(
        kernel,
        *(each[few] for each in (standard, values, errors, counts)),
        verbose=settings.trunk.verbose,
    )
    solve_kernel_head(
        kernel, kernels, *(each[centers] for each in (standard, values, errors, counts))
    )
    if len(rest) >= FEWEST_TRUNK_ROWS and settings.trunk.max_epochs > 0:
        residual = values[rest] - map_padded(kernel, standard[rest], batch_size=1024)
        fraction = settings.trunk.validation_fraction
        train_trunk(
            net,
            standard[rest],
            residual,
            errors[rest],
            counts[rest],
            validation_fraction=fraction,
            checkpoints=checkpoints,
        )
    net.set_params(device="cpu")
    module.cpu().double().requires_grad_(False)
    return net


def _build(
    labels: np.ndarray,
    flux: np.ndarray,
    variance: np.ndarray,
    good: np.ndarray,
    settings: EmulatorSettings,
    rng: np.random.RandomState,
) -> tuple[CompressedSpectra, EmulatorNetwork]:
    """Return spectra compressed on the scale they are learned on, and the network for that."""
    unit_median = has_unit_median(flux, good)
    if unit_median:  # learn spectra on a scale that is a smooth function of the labels
        flux = flux / flux.mean(1, keepdims=True)
    levels = find_levels(flux, variance, good)
    if levels is not None:
        flux, variance = flux / levels.level, variance / levels.level**2
    compressed = compress(labels, flux, variance, good, settings.n_components, rng=rng)
    if levels is not None:
        compressed = levels.joined(compressed)
    module = EmulatorNetwork(
        labels.shape[1],
        flux.shape[1],
        len(compressed.components),
        n_centers=min(len(labels), settings.n_centers),
        hidden=settings.hidden,
        unit_median=unit_median,
        log_level=levels is not None,
    )
    return compressed, module


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

"""The skorch net that trains the fully connected part of the emulator."""

from dataclasses import dataclass

import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.helper import predefined_split
from torch import nn

from spectragan.networks.emulator import EmulatorNetwork
from spectragan.training.checkpoints import NOT_KEPT, Checkpoints
from spectragan.training.data import RowBatches, TensorRows
from spectragan.training.progress import EpochProgress


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
        optimizer=torch.optim.Adam,
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
            ("progress", EpochProgress("network", verbose=settings.verbose)),
        ],
        callbacks__print_log=None,
        device=settings.device,
        verbose=0,
    )
    return net.initialize()


def train_trunk(
    net: EmulatorNet,
    labels: torch.Tensor,
    residual: torch.Tensor,
    variance: torch.Tensor,
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
    validation_fraction : float
        Share of the rows held out.
    checkpoints : Checkpoints, default=NOT_KEPT
        Where the state of training is kept.
    """
    scale = residual.std(0).clamp_min(torch.finfo(torch.float32).tiny)
    # Between equal weight for every component and equal weight for every unit of flux, measured
    # best on held-out spectra.
    weights = (scale / variance.sqrt()).clamp_max(1e6)
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

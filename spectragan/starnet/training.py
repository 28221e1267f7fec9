"""Train StarNet with fresh noise and masks in every batch, and several networks as one."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.helper import predefined_split
from torch import nn

from spectragan.starnet.network import StarNet
from spectragan.training.adam import Adam
from spectragan.training.checkpoints import NOT_KEPT, Checkpoints
from spectragan.training.devices import one_thread, to_device
from spectragan.training.inference import map_padded
from spectragan.training.progress import EpochProgress
from spectragan.training.rows import RowBatches, TensorRows

PREDICT_ROWS = 32  # a fixed batch: small enough for one star at a time, large enough for many
ONE_SIGMA = 0.6827  # share of a normal distribution within one standard deviation
PRIOR_ROWS = 10  # held-out spectra that the networks' own word on their errors is worth
LOSSES = ("train_loss", "valid_loss")


def predict_ensemble(
    nets: Sequence[NeuralNet], flux: torch.Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of the mixture of all members.

    Parameters
    ----------
    nets : sequence of NeuralNet
        Their modules give mean and log-variance of standardised labels, in double precision.
    flux : tensor of shape (n_rows, n_pixels)
        Standardised, float64, nothing masked.

    Returns
    -------
    mean, std : ndarray of shape (n_rows, n_labels)
        Each row computed independently of the others.
    """
    members = [map_padded(net.module_, flux, batch_size=PREDICT_ROWS) for net in nets]
    means, log_variances = (torch.stack(part) for part in zip(*members, strict=True))
    variance = torch.exp(log_variances).mean(0) + means.var(0, correction=0)
    return means.mean(0).numpy(), variance.sqrt().numpy()


def std_factor(deviation: np.ndarray) -> np.ndarray:
    """Return what standard deviations must be multiplied by to contain 68 percent.

    Parameters
    ----------
    deviation : ndarray of shape (n_rows, n_labels)
        Absolute errors of held-out spectra in units of the predicted standard deviation; NaN
        where a label isn't known.

    Returns
    -------
    factor : ndarray of shape (n_labels,)
        Near 1 where there are few rows to tell.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.starnet.training import std_factor
    >>> errors = np.random.default_rng(0).normal(size=(10_000, 1))
    >>> std_factor(np.abs(2 * errors)).round(1)
    array([2.])
    """
    n_rows = np.isfinite(deviation).sum(axis=0)
    known = np.where(n_rows > 0, deviation, 1.0)  # nothing to tell by: as the networks say
    quantile = np.nanquantile(known, ONE_SIGMA, axis=0)
    return np.sqrt((PRIOR_ROWS + n_rows * quantile**2) / (PRIOR_ROWS + n_rows))


def join_histories(nets: Sequence[NeuralNet]) -> dict[str, list[float]]:
    """Return the losses of every epoch of every member.

    Parameters
    ----------
    nets : sequence of NeuralNet

    Returns
    -------
    history : dict of str to list of float
        ``train_loss`` and ``valid_loss`` of the first, ``train_loss_2`` and so on of the others.
    """
    return {
        f"{name}_{number}" if number > 1 else name: [float(v) for v in net.history[:, name]]
        for number, net in enumerate(nets, start=1)
        for name in LOSSES
    }


def bridge_gaps(flux: torch.Tensor, good: torch.Tensor) -> torch.Tensor:
    """Replace masked pixels by straight lines between their good neighbours.

    A constant in place of lines lets convolutions see steps where pixels are missing: with 30
    percent of the pixels masked, errors of labels were two to six times as large.

    Parameters
    ----------
    flux : tensor of shape (n_rows, n_pixels)
    good : tensor of bool of shape (n_rows, n_pixels)

    Returns
    -------
    bridged : tensor of shape (n_rows, n_pixels)
        Ends are continued with the nearest good pixel; rows without one are 0. Values of masked
        pixels are never used.

    Examples
    --------
    >>> import torch
    >>> from spectragan.starnet.training import bridge_gaps
    >>> flux = torch.tensor([[7.0, 1.0, 9.0, 9.0, 4.0]])
    >>> bridge_gaps(flux, torch.tensor([[False, True, False, False, True]]))
    tensor([[1., 1., 2., 3., 4.]])
    """
    n_pixels = flux.shape[1]
    pixel = torch.arange(n_pixels, device=flux.device).expand(flux.shape)
    left = torch.where(good, pixel, -1).cummax(1).values
    right = torch.where(good, pixel, n_pixels).flip(1).cummin(1).values.flip(1)
    left, right = (
        torch.where(left < 0, right, left).clamp(max=n_pixels - 1),
        torch.where(right == n_pixels, left, right).clamp(min=0),
    )
    share = (pixel - left).to(flux.dtype) / (right - left).clamp(min=1)
    known = torch.where(good, flux, 0.0)
    start, end = known.gather(1, left), known.gather(1, right)
    return torch.where(good, flux, start + share * (end - start))


BETA = 0.5  # between the likelihood (0), which gives up on what is hard at first, and squares (1)
VALIDATION_ROWS = 256  # at a time
ONE_THREAD_PIXELS = 500  # up to here, sharing the work costs more than it saves


class LabelLikelihood(nn.Module):
    """Negative logarithm of the Gaussian likelihood of labels, without its constant.

    While training, every term is multiplied by ``variance ** BETA``, through which no gradient
    flows: otherwise labels that are uncertain at first are hardly learned (Seitzer et al. 2022,
    arXiv:2203.09168). Scores of held-out spectra are the likelihood itself.

    Examples
    --------
    >>> import torch
    >>> from spectragan.starnet.training import LabelLikelihood
    >>> LabelLikelihood().eval()((torch.zeros(2, 1), torch.zeros(2, 1)), torch.ones(2, 1))
    tensor(0.5000)
    """

    def forward(
        self, predicted: tuple[torch.Tensor, torch.Tensor], target: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean over rows and labels; `predicted` is mean and log-variance.

        `target` (n_rows, n_labels) holds the labels; or (n_rows, 3, n_labels): labels, what each
        counts, and the variance of its error.
        """
        mean, log_variance = predicted
        if target.ndim == 2:
            return self._terms(target - mean, log_variance).mean()
        labels, weights, errors = target.unbind(1)
        spread = torch.logaddexp(log_variance, errors.log())
        return (weights * self._terms(labels - mean, spread)).mean()

    def _terms(self, deviation: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
        terms = 0.5 * (log_variance + deviation.square() * torch.exp(-log_variance))
        return terms * torch.exp(BETA * log_variance.detach()) if self.training else terms


@dataclass(frozen=True)
class Augmentation:
    """What is done to every batch of training spectra.

    Attributes
    ----------
    noise_scale : float
        Spectra with known errors get noise of at most so many times these errors.
    snr : tuple of two floats or None
        Spectra without noise get noise of a signal-to-noise ratio per pixel in this range,
        log-uniform; None adds none.
    masked_fraction : float
        At most this share of the pixels is masked.
    """

    noise_scale: float
    snr: tuple[float, float] | None
    masked_fraction: float


@dataclass(frozen=True)
class StarNetSettings:
    """What one StarNet is made of and how it is trained.

    Attributes
    ----------
    filters, hidden : sequence of int
        As `StarNet` takes them.
    augmentation : Augmentation
    max_epochs, batch_size : int
    learning_rate : float
        Of Adam, falling to 0 along a cosine.
    device : torch.device
    verbose : int
        0 shows no progress bar.
    """

    filters: Sequence[int]
    hidden: Sequence[int]
    augmentation: Augmentation
    max_epochs: int
    batch_size: int
    learning_rate: float
    device: torch.device
    verbose: int = 0


class StarNetNet(NeuralNet):
    """Trains a `StarNet`; every batch is augmented anew, held-out spectra are not.

    Parameters
    ----------
    module : StarNet
    augmentation : Augmentation
    **kwargs
        As `skorch.NeuralNet` takes them.
    """

    def __init__(
        self,
        module: nn.Module,
        augmentation: Augmentation,
        *args,
        criterion=LabelLikelihood,
        **kwargs,
    ) -> None:
        self.augmentation = augmentation
        super().__init__(module, *args, criterion=criterion, **kwargs)

    def infer(self, x: dict[str, torch.Tensor], **fit_params) -> Any:
        """Return mean and log-variance of a batch; rows in training are augmented."""
        rows = to_device(x, self.device)
        training = self.module_.training
        return self.module_(augment(rows, self.augmentation) if training else rows["flux"])


def augment(rows: dict[str, torch.Tensor], augmentation: Augmentation) -> torch.Tensor:
    """Return flux with more noise and more masked pixels.

    Parameters
    ----------
    rows : dict of str to tensor
        ``flux`` (n_rows, n_pixels), standardised. ``good`` of the same shape, False where masked.
        ``sigma`` of the same shape: the errors of a spectrum with known noise, the flux level of
        an exact one, 0 otherwise. ``exact`` (n_rows, 1), whether it is one.
    augmentation : Augmentation

    Returns
    -------
    flux : tensor of shape (n_rows, n_pixels)
        Masked pixels are bridged. Random numbers come from torch's default generator.
    """
    flux, sigma, exact = rows["flux"], rows["sigma"], rows["exact"]
    scale = augmentation.noise_scale * torch.rand_like(sigma[:, :1])
    if augmentation.snr is None:
        inverse_snr = torch.zeros_like(scale)
    else:
        low, high = torch.tensor(augmentation.snr).log().tolist()
        inverse_snr = torch.exp(-low - (high - low) * torch.rand_like(scale))
    noisy = flux + torch.where(exact, inverse_snr, scale) * sigma * torch.randn_like(flux)
    share = augmentation.masked_fraction * torch.rand_like(scale)
    return bridge_gaps(noisy, rows["good"] & (torch.rand_like(flux) >= share))


def make_starnet_net(n_pixels: int, n_labels: int, settings: StarNetSettings) -> StarNetNet:
    """Return an initialised net around a `StarNet` with new weights.

    Parameters
    ----------
    n_pixels, n_labels : int
    settings : StarNetSettings

    Returns
    -------
    net : StarNetNet
        Adam on a cosine schedule, an early stop, and the best epoch kept.
    """
    stop = EarlyStopping(
        patience=max(5, settings.max_epochs // 3),  # of few held-out spectra, the first half of
        # a cosine tells little
        threshold=0,  # skorch's relative one turns around where the likelihood is negative
        load_best=True,
        sink=_silent,
    )
    net = StarNetNet(
        StarNet(n_pixels, n_labels, filters=settings.filters, hidden=settings.hidden),
        settings.augmentation,
        optimizer=Adam,
        lr=settings.learning_rate,
        max_epochs=settings.max_epochs,
        batch_size=settings.batch_size,
        iterator_train=RowBatches,
        iterator_train__shuffle=True,
        iterator_valid=RowBatches,
        iterator_valid__batch_size=VALIDATION_ROWS,
        train_split=None,
        callbacks=[
            ("early_stopping", stop),
            (
                "schedule",
                LRScheduler(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=settings.max_epochs),
            ),
            ("progress", EpochProgress("StarNet", verbose=settings.verbose)),
        ],
        callbacks__print_log=None,
        callbacks__epoch_timer=None,  # a saved net would hold how long this machine took
        device=settings.device,
        verbose=0,
    )
    return net.initialize()


def train_starnet(
    net: StarNetNet,
    train: TensorRows,
    valid: TensorRows,
    *,
    checkpoints: Checkpoints = NOT_KEPT,
    number: int = 1,
) -> None:
    """Train until held-out spectra stop improving; then put the net on the CPU.

    Parameters
    ----------
    net : StarNetNet
        Changed in place: the best epoch's weights in double precision, without gradients.
    train, valid : TensorRows
        Inputs as `augment` takes them, and standardised labels as `LabelLikelihood` does.
    checkpoints : Checkpoints, default=NOT_KEPT
        Where the state of training is kept.
    number : int, default=1
        Which member of an ensemble it is.

    Raises
    ------
    KeyboardInterrupt
        If training was interrupted: half a training isn't a fit.
    """
    net.train_split = predefined_split(valid)
    checkpoints.train(net, train, number=number)
    net.train_split = None  # the rows held out don't belong into a saved net
    if len(net.history) < net.max_epochs and not _stopped_early(net):
        raise KeyboardInterrupt  # skorch stops quietly
    net.optimizer_.state.clear()  # twice the size of the network
    net.set_params(device="cpu")
    net.module_.cpu().double().eval().requires_grad_(False)


def train_ensemble(
    train: TensorRows,
    valid: TensorRows,
    n_members: int,
    settings: StarNetSettings,
    *,
    checkpoints: Checkpoints = NOT_KEPT,
) -> list[StarNetNet]:
    """Return trained nets that differ in their first weights and in the order of the spectra.

    Parameters
    ----------
    train, valid : TensorRows
        As for `train_starnet`.
    n_members : int
    settings : StarNetSettings
    checkpoints : Checkpoints, default=NOT_KEPT
        Where the state of training is kept.

    Returns
    -------
    nets : list of StarNetNet
    """
    n_pixels, n_labels = valid.inputs["flux"].shape[1], valid.targets.shape[-1]
    nets = []
    with one_thread() if n_pixels <= ONE_THREAD_PIXELS else nullcontext():
        for number in range(1, n_members + 1):
            nets.append(make_starnet_net(n_pixels, n_labels, settings))
            train_starnet(nets[-1], train, valid, checkpoints=checkpoints, number=number)
    return nets


def _stopped_early(net: StarNetNet) -> bool:
    stop = dict(net.callbacks_)["early_stopping"]
    return stop.misses_ >= stop.patience


def _silent(message: str) -> None:
    """Print nothing."""

"""The skorch net that trains StarNet on spectra with fresh noise and masks in every batch."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import EarlyStopping, LRScheduler
from skorch.helper import predefined_split
from torch import nn

from spectragan.networks.starnet import StarNet
from spectragan.training.checkpoints import NOT_KEPT, Checkpoints
from spectragan.training.data import RowBatches, TensorRows
from spectragan.training.gaps import bridge_gaps
from spectragan.training.prefetch import prefetched, to_device
from spectragan.training.progress import EpochProgress
from spectragan.training.seeding import one_thread

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
    >>> from spectragan.training.starnet_net import LabelLikelihood
    >>> LabelLikelihood().eval()((torch.zeros(2, 1), torch.zeros(2, 1)), torch.ones(2, 1))
    tensor(0.5000)
    """

    def forward(
        self, predicted: tuple[torch.Tensor, torch.Tensor], labels: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean over rows and labels; `predicted` is mean and log-variance."""
        mean, log_variance = predicted
        terms = 0.5 * (log_variance + (labels - mean).square() * torch.exp(-log_variance))
        if self.training:
            terms = terms * torch.exp(BETA * log_variance.detach())
        return terms.mean()


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

    def get_iterator(self, dataset, training=False) -> Iterable[Any]:
        """Return the batches of an epoch, read ahead for a GPU; skorch calls this."""
        return prefetched(super().get_iterator(dataset, training=training), self.device)

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
        patience=max(5, settings.max_epochs // 4),  # early on a cosine, progress may well pause
        threshold=0,  # skorch's relative one turns around where the likelihood is negative
        load_best=True,
        sink=_silent,
    )
    net = StarNetNet(
        StarNet(n_pixels, n_labels, filters=settings.filters, hidden=settings.hidden),
        settings.augmentation,
        optimizer=torch.optim.Adam,
        # The loop over weights in Python costs a fifth of the training on a CPU.
        optimizer__fused=settings.device.type != "mps",
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
        Inputs as `augment` takes them, and standardised labels (n_rows, n_labels).
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
    n_pixels, n_labels = valid.inputs["flux"].shape[1], valid.targets.shape[1]
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

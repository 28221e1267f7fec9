"""How the game between translator and critic is played."""

from dataclasses import dataclass, field

import torch

from spectragan.training.losses import AdversarialLoss
from spectragan.training.sharing import ALONE, Share

LOSS_TERMS = ("reconstruction", "cycle", "latent", "identity", "start", "adversarial")
TERMS = (*LOSS_TERMS, "critic")


@dataclass(frozen=True)
class TranslatorSettings:
    """How the game is played.

    Attributes
    ----------
    weights : dict of str to float
        Of the loss terms ``reconstruction``, ``cycle``, ``latent``, ``identity``, ``start`` and
        ``adversarial``.
    game : AdversarialLoss
    penalty : float
        Of the critic's gradients.
    identity_scale : float
        Change of flux beyond which the identity loss grows linearly.
    warmup_epochs : int
        Epochs before the critic plays.
    max_epochs, batch_size, n_batches : int
        Epochs, rows of each domain in a batch, batches in an epoch.
    learning_rate : float
        Of both optimizers.
    ema_decay : float
        What remains of the averaged weights after one step.
    device : torch.device
    verbose : int
        0 shows no progress bar.
    pixel_map : tuple of (tensor of shape (n_pixels, n_values) or None, tensor of shape (n_pixels,))
        What turns rows into flux, see `identity_loss`.
    precision : {"float32", "bfloat16"}
    compiled : bool
        Both as `Players` takes them.
    share : Share
        What this process trains with of every batch.
    """

    weights: dict[str, float]
    game: AdversarialLoss
    penalty: float
    identity_scale: float
    warmup_epochs: int
    max_epochs: int
    batch_size: int
    n_batches: int
    learning_rate: float
    ema_decay: float
    device: torch.device
    verbose: int = 0
    pixel_map: tuple[torch.Tensor | None, torch.Tensor] = field(
        default_factory=lambda: (None, torch.zeros(()))
    )
    precision: str = "float32"
    compiled: bool = False
    share: Share = ALONE

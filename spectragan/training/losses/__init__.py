"""Loss functions of tensors: no state, no modules, no random numbers."""

from spectragan.training.losses.adversarial import (
    AdversarialLoss,
    adversarial_loss,
    adversarial_names,
)
from spectragan.training.losses.distance import (
    huber_distance,
    weighted_distance,
)
from spectragan.training.losses.penalty import gradient_penalty

__all__ = [
    "AdversarialLoss",
    "adversarial_loss",
    "adversarial_names",
    "gradient_penalty",
    "huber_distance",
    "weighted_distance",
]

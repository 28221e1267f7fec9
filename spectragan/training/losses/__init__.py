"""Loss functions of tensors: no state, no modules, no random numbers."""

from spectragan.training.losses.adversarial import (
    AdversarialLoss,
    adversarial_loss,
    adversarial_names,
)
from spectragan.training.losses.distance import (
    absolute_distance,
    distance_loss,
    distance_names,
    huber_distance,
    weighted_distance,
)
from spectragan.training.losses.penalty import gradient_penalty

__all__ = [
    "AdversarialLoss",
    "absolute_distance",
    "adversarial_loss",
    "adversarial_names",
    "distance_loss",
    "distance_names",
    "gradient_penalty",
    "huber_distance",
    "weighted_distance",
]

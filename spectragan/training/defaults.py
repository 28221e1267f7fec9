"""Training parameters whose best value depends on the network."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

# A convolutional step costs 20 times as much per spectrum: small batches learn most per second.
# It starts at the linear translation with its many weights in balance, hence the low rate.
# Errors of pixels have a higher floor than those of coefficients: changes must cost less, too.
OTHERWISE = {
    "identity_weight": 0.1,
    "width": 1.0,
    "max_epochs": 40,
    "batch_size": 256,
    "learning_rate": 2e-3,
    "ema_decay": 0.998,
}
CONV = {
    "identity_weight": 0.01,
    "width": 0.25,
    "max_epochs": 16,
    "batch_size": 32,
    "learning_rate": 3e-4,
    "ema_decay": 0.99,
}
# Published are 5e5 steps of 8 spectra at a rate of 1e-4, half a day on a GPU.
CONV_PUBLISHED = OTHERWISE | {"identity_weight": 0.01, "batch_size": 32, "learning_rate": 1e-3}
DEFAULTS = {"conv": CONV, "conv-published": CONV_PUBLISHED}
# A part and not a number of epochs: short trainings would end before the critics play.
WARMUP_PART = 4  # one epoch of four


def with_defaults(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return parameters with None replaced where the default depends on the network.

    Parameters
    ----------
    parameters : mapping of str to object
        Those of `spectragan.CycleGANTranslator`.

    Returns
    -------
    parameters : dict
        A copy; None stays where it has a meaning of its own.

    Examples
    --------
    >>> from spectragan.training.defaults import with_defaults
    >>> with_defaults({"network": "conv", "batch_size": None})["batch_size"]
    32
    >>> with_defaults({"network": "subspace", "batch_size": None})["batch_size"]
    256
    >>> with_defaults({"network": "subspace", "max_epochs": 20})["warmup_epochs"]
    5
    """
    network = parameters["network"]
    defaults = DEFAULTS.get(network, OTHERWISE) if isinstance(network, str) else OTHERWISE
    chosen = {name: value for name, value in parameters.items() if value is not None}
    filled = {**parameters, **defaults, **chosen}
    if filled.get("warmup_epochs") is None and isinstance(filled["max_epochs"], Integral):
        filled["warmup_epochs"] = filled["max_epochs"] // WARMUP_PART
    return filled

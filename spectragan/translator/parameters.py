"""Parameters of `CycleGANTranslator`: their rules, and defaults that depend on the network."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral
from typing import Any

from torch import nn

from spectragan.spectra import Spectra
from spectragan.spectra.checks import check_verbose, is_number
from spectragan.translator.game.losses import adversarial_loss
from spectragan.translator.game.net import LOSS_TERMS
from spectragan.translator.scores import MIN_PAIRS

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
    >>> from spectragan.translator.parameters import with_defaults
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


NETWORKS = ("subspace", "conv", "conv-published")
# Lowest value of each integer parameter, and whether it may be None.
INTEGERS = {
    "n_shared": (1, True),
    "n_split": (0, True),
    "n_components": (1, True),
    "n_codes": (1, False),
    "max_epochs": (0, False),
    "warmup_epochs": (0, False),
    "steps_per_epoch": (1, True),
    "batch_size": (1, False),
}


def check_parameters(parameters: Mapping[str, Any], *, is_new: bool = True) -> None:
    """Raise one sentence for the first parameter that breaks its rule.

    Parameters
    ----------
    parameters : mapping of str to object
        Those of `spectragan.CycleGANTranslator`.
    is_new : bool, default=True
        Whether training starts anew: one that goes on has had its warm-up.

    Raises
    ------
    ValueError
        If a parameter breaks its rule.
    """
    parameters = with_defaults(parameters)
    adversarial_loss(parameters["adversarial"])
    _check_networks(parameters["network"], parameters["critic"])
    _check_integers(parameters)
    if is_new:
        _check_warmup(parameters)
    check_verbose(parameters["verbose"])
    for name in (*(f"{term}_weight" for term in LOSS_TERMS), "penalty", "learning_rate"):
        value = parameters[name]
        if not (is_number(value) and value >= 0):
            raise ValueError(
                f"`{name}` must be a finite number >= 0; got {value!r}; 0 switches it off."
            )
    _check_shapes(parameters["hidden"], parameters["width"], parameters["ema_decay"])
    matching = parameters["match_labels"]
    if not (isinstance(matching, bool) or (isinstance(matching, str) and matching == "auto")):
        raise ValueError(
            f"`match_labels` must be 'auto', True or False; got {matching!r}; 'auto' matches where "
            "the labels of the domains seem to differ."
        )
    if not isinstance(parameters["warm_start"], bool):
        raise ValueError(
            f"`warm_start` must be True or False; got {parameters['warm_start']!r}; True trains "
            "on in a later fit."
        )


def check_pairs(validation: Any, read: Callable[[Any], Spectra]) -> tuple[Spectra, Spectra] | None:
    """Return the pairs that are scored during training.

    Parameters
    ----------
    validation : tuple of (synthetic, observed) spectra, or None
    read : callable
        Turns spectra of any kind into `Spectra` on the grid of the fit.

    Returns
    -------
    synthetic, observed : Spectra
        None where there are none.

    Raises
    ------
    ValueError
        If these aren't two sets of equally many spectra.
    """
    if validation is None:
        return None
    if not (isinstance(validation, tuple | list) and len(validation) == 2):
        raise ValueError(
            "`validation` must be a pair (synthetic, observed) of spectra; got "
            f"{type(validation).__name__}; give two sets of the same stars."
        )
    synthetic, observed = (read(part) for part in validation)
    if len(synthetic) != len(observed) or len(synthetic) < MIN_PAIRS:
        raise ValueError(
            f"`validation` must hold {MIN_PAIRS} pairs or more, row by row; got "
            f"{len(synthetic)} synthetic and {len(observed)} observed spectra; give the same "
            "stars in both."
        )
    return synthetic, observed


def _check_networks(network: Any, critic: Any) -> None:
    if isinstance(network, nn.Module):
        if not isinstance(critic, nn.Module):
            raise ValueError(
                "`critic` must be a torch.nn.Module where `network` is one; got "
                f"{critic!r}; give a module that follows CriticNetwork."
            )
    elif not (isinstance(network, str) and network in NETWORKS):
        raise ValueError(
            f"`network` must be one of {NETWORKS} or a torch.nn.Module; got "
            f"{network!r}; use 'subspace' if in doubt."
        )


def _check_integers(parameters: Mapping[str, Any]) -> None:
    for name, (lowest, optional) in INTEGERS.items():
        value = parameters[name]
        if (value is None and optional) or (_is_integer(value) and value >= lowest):
            continue
        raise ValueError(
            f"`{name}` must be an integer >= {lowest}{' or None' * optional}; got {value!r}; "
            "see the class docstring for its default."
        )
    latents = [parameters[name] or 0 for name in ("n_shared", "n_split")]
    components = parameters["n_components"]
    if parameters["network"] == "subspace" and components and sum(latents) > components:
        raise ValueError(
            f"`n_shared` and `n_split` together must be <= `n_components` = {components}; got "
            f"{latents[0]} and {latents[1]}; ask for fewer latents or more components."
        )
    if parameters["network"] in NETWORKS[1:] and parameters["n_split"] == 0:
        raise ValueError(
            f"`n_split` must be >= 1 where `network` is {parameters['network']!r}; got 0; use "
            "network='subspace' for a translator without split latents."
        )


def _check_warmup(parameters: Mapping[str, Any]) -> None:
    warmup, total = parameters["warmup_epochs"], parameters["max_epochs"]
    if warmup > total > 0:  # without training, nothing is to be warmed up
        raise ValueError(
            f"`warmup_epochs` must be <= `max_epochs` = {total}; got {warmup}; None takes a "
            "quarter of them."
        )


def _check_shapes(hidden: Any, width: Any, ema_decay: Any) -> None:
    sizes = list(hidden) if isinstance(hidden, Sequence) and not isinstance(hidden, str) else [0]
    if not all(_is_integer(size) and size >= 1 for size in sizes):
        raise ValueError(
            f"`hidden` must be a sequence of integers >= 1; got {hidden!r}; use (64, 64) if in "
            "doubt."
        )
    if not (is_number(width) and width > 0):
        raise ValueError(
            f"`width` must be a finite number > 0; got {width!r}; use 1 for the published channels."
        )
    if not (is_number(ema_decay) and 0 <= ema_decay < 1):
        raise ValueError(
            f"`ema_decay` must be a number >= 0 and < 1; got {ema_decay!r}; 0 uses the last "
            "weights alone."
        )


def _is_integer(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)

"""Parameters of `CycleGANTranslator`: their rules, and defaults that depend on the network."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from skorch.callbacks import Callback, LRScheduler
from torch import nn

from spectragan.rules import (
    FLAG,
    NONE,
    VERBOSE,
    Rule,
    check,
    check_all,
    count,
    counts,
    is_integer,
    number,
    one_of,
    pair,
)
from spectragan.spectra import Spectra
from spectragan.translator.game.epochs import LOSS_TERMS
from spectragan.translator.game.losses import adversarial_loss
from spectragan.translator.game.net import OUR_CALLBACKS
from spectragan.translator.scores import MIN_PAIRS, SCORES

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
CONV_PUBLISHED = OTHERWISE | {"identity_weight": 0.01, "batch_size": 32, "learning_rate": 1e-3}
DEFAULTS = {"conv": CONV, "conv-published": CONV_PUBLISHED}
# The method of O'Briain et al. 2021 (arXiv:2007.03109), but for the lengths: 5e5 steps, 500 epochs
# here, which took ten hours on a GPU. Nearly all of their progress came in the first tenth of it.
PUBLISHED = {
    "network": "conv-published",
    "adversarial": "bce",
    "reconstruction_weight": (3.0, 9.0),
    "cycle_weight": (3.0, 9.0),
    **dict.fromkeys(("latent_weight", "identity_weight", "start_weight", "penalty"), 0.0),
    "max_epochs": 50,
    "warmup_epochs": 0,
    "steps_per_epoch": 1000,
    "batch_size": 8,
    "learning_rate": 1e-4,
    "betas": (0.5, 0.999),
    "schedule": (50_000, 100_000, 150_000, 200_000),
    "error_floor": 0.005,
    "ema_decay": 0.0,
    "reencode_noise": False,
    "critic_split": "reencoded",
    "critics_first": False,
    "undo_bad_epochs": False,
    "match_labels": False,
}
MOCK_WEIGHTS = dict.fromkeys(("reconstruction_weight", "cycle_weight"), (90.0, 90.0))
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
    if filled.get("warmup_epochs") is None and is_integer(filled["max_epochs"]):
        part = WARMUP_PART if filled.get("adversarial", True) else 1
        filled["warmup_epochs"] = filled["max_epochs"] // part
    return filled


def published(mock: bool) -> dict[str, Any]:
    """Return the published parameters, for real spectra or for a mock.

    Parameters
    ----------
    mock : bool

    Returns
    -------
    parameters : dict
        Of `spectragan.CycleGANTranslator`, which has defaults for the others.

    Raises
    ------
    ValueError
        If `mock` isn't a boolean.
    """
    check(mock, "mock", replace(FLAG, remedy="True takes the weights of the trial on a mock"))
    return PUBLISHED | (MOCK_WEIGHTS if mock else {})


CALLBACKS_REMEDY = "give instances, or pairs of a name and an instance"


def _are_callbacks(value: Any) -> bool:
    parts = value if isinstance(value, list | tuple) else [None]
    return all(isinstance(callback, Callback) for _, callback in map(_named, parts))


def _named(callback: Any) -> tuple[str | None, Any]:
    """Return a user's callback with the name that it was given, if it was."""
    if isinstance(callback, tuple | list) and len(callback) == 2 and isinstance(callback[0], str):
        return callback[0], callback[1]
    return None, callback


NETWORKS = ("subspace", "conv", "conv-published")
DOCUMENTED = "see the class docstring for its default"
WEIGHT = number(closed="left", remedy="0 switches it off")
TWO_WEIGHTS = WEIGHT | pair(WEIGHT, "a pair of them, for synthetic and for observed spectra")
RULES = {
    "network": one_of(*NETWORKS, text=f"one of {NETWORKS}", remedy="use 'subspace' if in doubt")
    | Rule("a torch.nn.Module", lambda value: isinstance(value, nn.Module)),
    "n_shared": count(1, remedy=DOCUMENTED) | NONE,
    "n_split": count(0, remedy=DOCUMENTED) | NONE,
    "n_components": count(1, remedy=DOCUMENTED) | NONE,
    "n_codes": count(1, remedy=DOCUMENTED),
    "max_epochs": count(0, remedy=DOCUMENTED),
    "warmup_epochs": count(0, remedy=DOCUMENTED),
    "steps_per_epoch": count(1, remedy=DOCUMENTED) | NONE,
    "batch_size": count(1, remedy=DOCUMENTED),
    "verbose": VERBOSE,
    **dict.fromkeys((f"{term}_weight" for term in LOSS_TERMS), WEIGHT),
    **dict.fromkeys(("reconstruction_weight", "cycle_weight"), TWO_WEIGHTS),
    "penalty": WEIGHT,
    "learning_rate": WEIGHT,
    "betas": pair(
        number(0, 1, closed="left"),
        "two numbers >= 0 and < 1",
        remedy="use (0.5, 0.999) as published, or None",
    )
    | NONE,
    "schedule": one_of("cosine", remedy="give the steps after which rates fall, or () for none")
    | counts(remedy=""),
    "error_floor": number(remedy="give a flux: published is 0.005 of the continuum") | NONE,
    "reencode_noise": FLAG,
    "critic_split": one_of("lent", "reencoded"),
    "critics_first": FLAG,
    "undo_bad_epochs": FLAG,
    "hidden": counts(remedy="use (64, 64) if in doubt"),
    "width": number(remedy="use 1 for the published channels"),
    "ema_decay": number(0, 1, closed="left", remedy="0 uses the last weights alone"),
    "oversample": count(1, remedy="4 is a good start") | NONE,
    "select_by": one_of(*SCORES, None, remedy="'x_so' judges what `transform` returns"),
    "patience": count(1, remedy="None trains to the last epoch") | NONE,
    "callbacks": Rule("a list of skorch callbacks", _are_callbacks, CALLBACKS_REMEDY) | NONE,
    "match_labels": one_of(
        "auto", remedy="'auto' matches where the labels of the domains seem to differ"
    )
    | FLAG,
    "warm_start": replace(FLAG, remedy="True trains on in a later fit"),
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
    if parameters["adversarial"] is not None:
        adversarial_loss(parameters["adversarial"])
    check_all(parameters, RULES)
    _check_together(parameters, is_new)
    _check_game(parameters, is_new)
    _check_callbacks(parameters["callbacks"])


def check_pairs(
    validation: Any, read: Callable[[Any], Spectra], estimator: Any
) -> tuple[Spectra, Spectra] | None:
    """Return the pairs that are scored during training.

    Parameters
    ----------
    validation : tuple of (synthetic, observed) spectra, or None
    read : callable
        Turns spectra of any kind into `Spectra` on the grid of the fit.
    estimator : CycleGANTranslator
        Its `select_by` and `callbacks` may need them.

    Returns
    -------
    synthetic, observed : Spectra
        None where there are none.

    Raises
    ------
    ValueError
        If these aren't two sets of equally many spectra, or are missing where they are needed.
    """
    select_by = estimator.select_by
    if validation is None and select_by is not None:
        raise ValueError(
            f"`validation` must be given where `select_by` is {select_by!r}; got None; give pairs "
            "of synthetic and observed spectra to `fit`, or set select_by=None."
        )
    callbacks = map(_named, estimator.callbacks or [])
    watched = {str(getattr(callback, "monitor", "")) for _, callback in callbacks} & set(SCORES)
    if validation is None and watched:
        raise ValueError(
            f"`validation` must be given where `callbacks` watch {min(watched)!r}; got None; give "
            "pairs of synthetic and observed spectra to `fit`."
        )
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


def _check_callbacks(callbacks: Any) -> None:
    """Raise about callbacks that would do nothing, or whose names are taken."""
    names = [name for name, _ in map(_named, callbacks or []) if name]
    if len(set(names)) < len(names):
        raise ValueError(
            f"names in `callbacks` must differ; got {', '.join(names)}; choose others."
        )
    for name, callback in map(_named, callbacks or []):
        kind = type(callback).__name__
        if name in OUR_CALLBACKS:
            raise ValueError(
                f"a name in `callbacks` must not be one of {', '.join(sorted(OUR_CALLBACKS))}; "
                f"got {name!r}; choose another."
            )
        if isinstance(callback, LRScheduler):
            raise ValueError(
                f"`callbacks` must not set learning rates, which fall as `schedule` says; got "
                f"{kind}; set `learning_rate`, `schedule` and `max_epochs`."
            )
        watched = str(getattr(callback, "monitor", ""))
        if watched.startswith("valid_loss"):
            raise ValueError(
                f"`callbacks` must not watch {watched!r}, which two players lack; got {kind}; name "
                "a column of `history_`, as 'x_so' with `validation`."
            )
        if getattr(callback, "load_best", False):
            raise ValueError(
                "`callbacks` must not put weights back, for averaged ones are used; got "
                f"{kind}(load_best=True); set `select_by` to keep the best epoch."
            )


def _check_game(parameters: Mapping[str, Any], is_new: bool) -> None:
    """Raise about parameters that need critics, or an epoch to choose."""
    warmup, total = parameters["warmup_epochs"], parameters["max_epochs"]
    has_critics = parameters["adversarial"] is not None
    never = not has_critics or (is_new and warmup >= total > 0)
    if not has_critics and warmup != total:
        raise ValueError(
            f"`warmup_epochs` must be None where `adversarial` is None; got {warmup}; all epochs "
            "are without critics then."
        )
    if never and (parameters["oversample"] or 1) > 1:
        raise ValueError(
            "`oversample` must be None where no critics play to choose spectra; got "
            f"{parameters['oversample']}; set `adversarial`, and fewer `warmup_epochs`."
        )
    if "split" in (parameters["select_by"] or "") and parameters["n_split"] == 0:
        raise ValueError(
            f"`select_by` must not be {parameters['select_by']!r} where `n_split` is 0; got a "
            "score of split latents, of which there are none; name another, as 'x_so'."
        )
    if parameters["patience"] is not None and parameters["select_by"] is None:
        raise ValueError(
            "`patience` must be None where `select_by` is None; got "
            f"{parameters['patience']}; name the score to wait for, as select_by='x_so'."
        )


def _check_together(parameters: Mapping[str, Any], is_new: bool) -> None:
    """Raise about parameters that don't fit each other."""
    network, critic = parameters["network"], parameters["critic"]
    if isinstance(network, nn.Module) and not isinstance(critic, nn.Module):
        raise ValueError(
            "`critic` must be a torch.nn.Module where `network` is one; got "
            f"{critic!r}; give a module that follows CriticNetwork."
        )
    latents = [parameters[name] or 0 for name in ("n_shared", "n_split")]
    components = parameters["n_components"]
    if network == "subspace" and components and sum(latents) > components:
        raise ValueError(
            f"`n_shared` and `n_split` together must be <= `n_components` = {components}; got "
            f"{latents[0]} and {latents[1]}; ask for fewer latents or more components."
        )
    if network in NETWORKS[1:] and parameters["n_split"] == 0:
        raise ValueError(
            f"`n_split` must be >= 1 where `network` is {network!r}; got 0; use "
            "network='subspace' for a translator without split latents."
        )
    warmup, total = parameters["warmup_epochs"], parameters["max_epochs"]
    if is_new and warmup > total > 0:  # without training, nothing is to be warmed up
        raise ValueError(
            f"`warmup_epochs` must be <= `max_epochs` = {total}; got {warmup}; None takes a "
            "quarter of them."
        )

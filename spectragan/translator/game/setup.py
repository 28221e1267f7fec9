"""From two sets of spectra to a game that is ready to be played."""

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from torch import nn

from spectragan.training.devices import one_thread
from spectragan.training.rows import DomainRows
from spectragan.training.snapshot import capture, restore
from spectragan.translator.domain_data import (
    Domain,
    DomainData,
    StoredDomain,
    draw_rows,
    stored_means,
)
from spectragan.translator.game.epochs import LOSS_TERMS
from spectragan.translator.game.losses import adversarial_loss
from spectragan.translator.game.maps import flux_change
from spectragan.translator.game.net import TranslatorNet, TranslatorSettings, make_translator_net
from spectragan.translator.game.start import (
    N_SPLIT,
    Start,
    count_shared,
    find_start,
    keeping_pairs,
    start_linearly,
)
from spectragan.translator.matching.mismatch import Match
from spectragan.translator.matching.pseudo_map import PseudoMap
from spectragan.translator.networks.contract import OBSERVED, SYNTHETIC
from spectragan.translator.networks.conv import AdaptedConvTranslator, ConvCritic, ConvTranslator
from spectragan.translator.networks.conv_layers import (
    PUBLISHED_CRITIC_STRIDES,
    set_published_start,
)
from spectragan.translator.networks.subspace import SubspaceCritic, SubspaceTranslator
from spectragan.translator.parameters import with_defaults
from spectragan.translator.representation import (
    PixelRepresentation,
    SubspaceRepresentation,
    as_tensor,
)
from spectragan.translator.subspace import (
    Alignment,
    Subspace,
    align_latents,
    fit_subspace,
    noise_free_covariance,
)

# Parameters of the estimator that are settings of the game by the same name.
HOW_TO_STEP = (
    "betas",
    "schedule",
    "reencode_noise",
    "critic_split",
    "critics_first",
    "undo_bad_epochs",
)
STEPS_PER_EPOCH = 50
PASSES_PER_EPOCH = 8  # over a small set, until STEPS_PER_EPOCH is reached
SCALE_SHARE = 0.5  # of the median change of flux: where the identity loss turns linear
START_LATENTS, START_SPLIT = 8, 4  # of the linear start: its latents can't follow a curve
SMALLEST_SCALE = 1e-6  # of the flux: domains without a gap have no median change
ANY_GAME = "rpgan"  # is set up where none is played
START_ROWS = 1000  # synthetic spectra from which that median is taken
SAME = 1e-12  # of the flux: spectra that scatter by less are equal but for rounding


@dataclass(frozen=True)
class Earlier:
    """A training that is to go on, perhaps with other spectra and settings.

    Attributes
    ----------
    subspace : Subspace
    net : TranslatorNet
    """

    subspace: Subspace
    net: TranslatorNet


@dataclass(frozen=True)
class Game:
    """All that a translator is trained with.

    Attributes
    ----------
    subspace : Subspace
    representation : SubspaceRepresentation or PixelRepresentation
    rows : DomainRows
    module : TranslatorNetwork
    critic : CriticNetwork
    settings : TranslatorSettings
    pseudo_map : PseudoMap or None
        The translation that the game starts from, where it is not the linear one.
    earlier : Earlier or None
    """

    subspace: Subspace
    representation: SubspaceRepresentation | PixelRepresentation
    rows: DomainRows
    module: nn.Module
    critic: nn.Module
    settings: TranslatorSettings
    pseudo_map: PseudoMap | None = None
    earlier: Earlier | None = None

    def threads(self) -> AbstractContextManager[None]:
        """Return the context to train in: small networks do best on one thread."""
        small = isinstance(self.representation, SubspaceRepresentation)
        return one_thread() if small else nullcontext()

    def make_net(self, callbacks: list[Any]) -> TranslatorNet:
        """Return an initialised net.

        Parameters
        ----------
        callbacks : list of Callback or (str, Callback)

        Returns
        -------
        net : TranslatorNet
            In the state of the earlier training, if there was one.
        """
        net = make_translator_net(self.module, self.critic, self.settings, callbacks=callbacks)
        if self.earlier is not None:
            restore(net, capture(self.earlier.net))
            net.begin_training()
        return net


def _check_variation(subspace: Subspace) -> None:
    if subspace.spread.max() <= SAME * np.abs(subspace.means).max():
        raise ValueError(
            "the spectra of a domain must differ from each other; got two sets of equal spectra; "
            "use MeanShiftTranslator to learn a constant difference."
        )


def earlier_training(estimator: Any) -> Earlier | None:
    """Return the training that a translator with `warm_start` goes on with.

    Parameters
    ----------
    estimator : CycleGANTranslator

    Returns
    -------
    earlier : Earlier or None
        None if it starts anew.

    Raises
    ------
    ValueError
        If it can't go on.
    """
    if not estimator.warm_start or not hasattr(estimator, "net_"):
        return None
    if not isinstance(estimator.net_, TranslatorNet):
        raise ValueError(
            "`warm_start` must be False where a translator was loaded from a file; got True, "
            "and files don't hold the state of training; keep that with pickle, or fit anew."
        )
    if estimator.checkpoint is not None:
        raise ValueError(
            "`checkpoint` must be None where `warm_start` trains a fitted translator on; got "
            f"{estimator.checkpoint!r}; keep the fitted translator with pickle instead."
        )
    return Earlier(estimator.subspace_, estimator.net_)


def build_game(
    domains: tuple[Domain, Domain],
    parameters: dict[str, Any],
    device: torch.device,
    rng: np.random.RandomState,
    *,
    found: Match | None = None,
    earlier: Earlier | None = None,
) -> Game:
    """Set up everything a translator is trained with.

    Parameters
    ----------
    domains : two DomainData or StoredDomain
        Synthetic first.
    parameters : dict
        Those of `spectragan.CycleGANTranslator`.
    device : torch.device
    rng : RandomState
    found : Match, default=None
        Where the spectra lie: subspace networks start from what that gives in closed form, if it
        is to be trusted.
    earlier : Earlier, default=None
        Its subspace and networks are used again.

    Returns
    -------
    game : Game
    """
    given, parameters = parameters, with_defaults(parameters)
    whole, domains = domains, (domains[0].sample(rng), domains[1].sample(rng))
    subspace = (
        _subspace(domains, stored_means(whole), parameters, rng)
        if earlier is None
        else earlier.subspace
    )
    _check_variation(subspace)
    representation = _representation(subspace, parameters, earlier)
    projected = [subspace.project(data.flux, data.weights, d) for d, data in enumerate(domains)]
    rows = [representation.rows(data, d, *projected[d]) for d, data in enumerate(domains)]
    spreads = [noise_free_covariance(*projected[d], data.known) for d, data in enumerate(domains)]
    covariances = spreads[0], spreads[1]
    linear = _align(subspace, covariances, START_LATENTS, START_SPLIT)
    start = find_start(representation, linear, found, domains[OBSERVED])
    coefficients = projected[SYNTHETIC][0]
    if start.pseudo_map is not None:
        n_batches = _count_batches(rows, parameters)
        parameters = keeping_pairs(given, subspace, coefficients, n_batches)
    rows[SYNTHETIC]["start"] = start(domains[SYNTHETIC], rows[SYNTHETIC]["x"])
    if earlier is not None:
        module, critic = deepcopy(earlier.net.module_), deepcopy(earlier.net.critic_)
    elif isinstance(representation, SubspaceRepresentation):
        module, critic = _subspace_networks(representation, covariances, coefficients, parameters)
    else:
        module, critic = _pixel_networks(representation, parameters, rows[SYNTHETIC]["x"])
        if parameters["network"] == "conv":
            start_linearly(cast(AdaptedConvTranslator, module), linear, (rows[0], rows[1]))
    return Game(
        subspace,
        representation,
        DomainRows(rows[0], rows[1], _draw(whole, representation, start)),
        module,
        critic,
        _settings(representation, rows, parameters, device, start),
        start.pseudo_map,
        earlier,
    )


def _subspace(
    domains: tuple[DomainData, DomainData],
    means: np.ndarray | None,
    parameters: dict[str, Any],
    rng: np.random.RandomState,
) -> Subspace:
    synthetic, observed = domains
    return fit_subspace(
        (synthetic.flux, observed.flux),
        (synthetic.weights, observed.weights),
        known=(synthetic.known, observed.known),
        n_components=parameters["n_components"],
        rng=rng,
        means=means,
    )


def _draw(
    domains: tuple[Domain, Domain],
    representation: SubspaceRepresentation | PixelRepresentation,
    start: Start,
) -> dict[str, Callable[[int], Any]]:
    """Return what reads the rows of an epoch, of domains that aren't in memory."""
    names = ("synthetic", "observed")
    return {
        names[d]: partial(
            draw_rows,
            data=data,
            domain=d,
            representation=representation,
            start=start if d == SYNTHETIC else None,
        )
        for d, data in enumerate(domains)
        if isinstance(data, StoredDomain)
    }


def _representation(
    subspace: Subspace, parameters: dict[str, Any], earlier: Earlier | None
) -> SubspaceRepresentation | PixelRepresentation:
    network, floor = parameters["network"], parameters["error_floor"]
    in_subspace = isinstance(network, str) and network == "subspace"
    if earlier is not None:
        in_subspace = isinstance(earlier.net.module_, SubspaceTranslator)
    kind = SubspaceRepresentation if in_subspace else PixelRepresentation
    return kind(subspace, floor)


def _align(
    subspace: Subspace, covariances: tuple[np.ndarray, np.ndarray], n_shared: int, n_split: int
) -> Alignment:
    """Align as many latents as there are components for."""
    n_components = len(subspace.components)
    n_shared = min(n_shared, n_components)
    n_split = min(n_split, n_components - n_shared)
    return align_latents(subspace.components, covariances, n_shared, n_split)


def _subspace_networks(
    representation: SubspaceRepresentation,
    covariances: tuple[np.ndarray, np.ndarray],
    coefficients: np.ndarray,
    parameters: dict[str, Any],
) -> tuple[nn.Module, nn.Module]:
    """Return both players, the translator at its linear start."""
    subspace, hidden = representation.subspace, parameters["hidden"]
    n_shared = parameters["n_shared"] or count_shared(subspace, coefficients)
    n_split = N_SPLIT if parameters["n_split"] is None else parameters["n_split"]
    alignment = _align(subspace, covariances, n_shared, n_split)
    sizes = representation.size, len(alignment.encoders[0]), len(alignment.split_encoder)
    translator = SubspaceTranslator(*sizes, hidden)
    scale = representation.scale
    translator.set_start(
        [as_tensor(encoder * scale) for encoder in alignment.encoders],
        as_tensor(alignment.split_encoder * scale),
        [as_tensor(generator / scale[:, None]) for generator in alignment.generators],
    )
    return translator, SubspaceCritic(*sizes, hidden)


def _pixel_networks(
    representation: PixelRepresentation, parameters: dict[str, Any], synthetic: torch.Tensor
) -> tuple[nn.Module, nn.Module]:
    """Return both players of a game between pixels."""
    if isinstance(parameters["network"], nn.Module):
        return deepcopy(parameters["network"]), deepcopy(parameters["critic"])
    names = ("n_shared", "n_split", "width")
    given = {name: parameters[name] for name in names if parameters[name]}
    if parameters["network"] == "conv-published":
        return _published_networks(synthetic, given)
    subspace = representation.subspace
    size = float(np.sqrt((subspace.spread**2).sum() / representation.size))
    given |= {"centre": as_tensor(subspace.means), "scale": size or 1.0}
    components = as_tensor(subspace.components)
    translator = AdaptedConvTranslator(representation.size, components=components, **given)
    return translator, ConvCritic(representation.size, **given)


def _published_networks(
    synthetic: torch.Tensor, given: dict[str, Any]
) -> tuple[nn.Module, nn.Module]:
    """Return both published players: one mean and one scatter of flux serve both domains."""
    given |= {"centre": synthetic.mean().item(), "scale": synthetic.std().item() or 1.0}
    translator = ConvTranslator(synthetic.shape[1], **given)
    critic = ConvCritic(synthetic.shape[1], critic_strides=PUBLISHED_CRITIC_STRIDES, **given)
    for network in (translator, critic):
        set_published_start(network)
    return translator, critic


def _settings(
    representation: SubspaceRepresentation | PixelRepresentation,
    rows: Sequence[dict],
    parameters: dict[str, Any],
    device: torch.device,
    start: Start,
) -> TranslatorSettings:
    keeps_start = start.pseudo_map is not None
    matrix, shift = pixel_map = representation.pixel_map()
    return TranslatorSettings(
        weights={name: _plain(parameters[f"{name}_weight"]) for name in LOSS_TERMS},
        game=adversarial_loss(parameters["adversarial"] or ANY_GAME),
        has_critics=parameters["adversarial"] is not None,
        oversample=parameters["oversample"] or 1,
        select_by=parameters["select_by"],
        patience=parameters["patience"],
        penalty=parameters["penalty"],
        identity_scale=_identity_scale(rows[SYNTHETIC], pixel_map, representation.subspace),
        # Both are observed spectra where changes are counted from the start.
        pixel_map=(
            None if matrix is None else matrix.to(device),
            (torch.zeros_like(shift) if keeps_start else shift).to(device),
        ),
        keeps_start=keeps_start,
        warmup_epochs=min(parameters["warmup_epochs"], parameters["max_epochs"]),
        max_epochs=parameters["max_epochs"],
        batch_size=min(parameters["batch_size"], _largest(rows)),
        n_batches=_count_batches(rows, parameters),
        learning_rate=parameters["learning_rate"],
        ema_decay=parameters["ema_decay"],
        device=device,
        verbose=parameters["verbose"],
        **{name: _plain(parameters[name]) for name in HOW_TO_STEP},
    )


def _largest(rows: Sequence[dict]) -> int:
    return max(len(part["x"]) for part in rows)


def _count_batches(rows: Sequence[dict], parameters: dict[str, Any]) -> int:
    """Return the number of steps of an epoch."""
    needed = math.ceil(PASSES_PER_EPOCH * max(1, _largest(rows) / parameters["batch_size"]))
    return parameters["steps_per_epoch"] or min(STEPS_PER_EPOCH, needed)


def _plain(value: Any) -> Any:
    """Return sequences and arrays as tuples of Python's numbers."""
    if value is None or isinstance(value, str) or np.ndim(value) == 0:
        return value
    return tuple(np.asarray(value).tolist())


def _identity_scale(rows: dict[str, torch.Tensor], pixel_map: tuple, subspace: Subspace) -> float:
    """Return the change of flux beyond which the identity loss grows linearly."""
    change = flux_change((rows["start"] - rows["x"])[:START_ROWS], pixel_map).abs()
    level = max(np.abs(subspace.means).max(), subspace.spread.max())
    return max(SCALE_SHARE * change.median().item(), SMALLEST_SCALE * float(level))

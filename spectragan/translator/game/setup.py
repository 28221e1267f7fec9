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
from skorch.callbacks import Callback
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
from spectragan.translator.game.losses import adversarial_loss
from spectragan.translator.game.maps import flux_change
from spectragan.translator.game.net import (
    LOSS_TERMS,
    TranslatorNet,
    TranslatorSettings,
    make_translator_net,
)
from spectragan.translator.matching.mismatch import Match
from spectragan.translator.matching.offset import likely_pairs
from spectragan.translator.matching.pseudo_map import PseudoMap, fit_pseudo_map
from spectragan.translator.networks.contract import OBSERVED, SYNTHETIC
from spectragan.translator.networks.conv import AdaptedConvTranslator, ConvCritic, ConvTranslator
from spectragan.translator.networks.subspace import SubspaceCritic, SubspaceTranslator
from spectragan.translator.parameters import with_defaults
from spectragan.translator.representation import (
    ERROR_FLOOR,
    PixelRepresentation,
    SubspaceRepresentation,
    as_tensor,
)
from spectragan.translator.subspace import (
    Alignment,
    Subspace,
    align_latents,
    fit_subspace,
    intrinsic_dimension,
    noise_free_covariance,
)

MAX_ROWS = 4000  # noisy spectra that the head is fitted on
TEST_EVERY = 4  # spectrum chooses the ridge
RIDGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # in units of a latent's mean square
SMALLEST_SQUARE = 1e-12  # latents that never vary
CHUNK = 500  # spectra encoded at a time


@torch.no_grad()
def start_linearly(
    network: AdaptedConvTranslator,
    alignment: Alignment,
    rows: tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]],
) -> None:
    """Set adapters and head such that `network` reconstructs, and translates linearly.

    Parameters
    ----------
    network : AdaptedConvTranslator
        Changed in place.
    alignment : Alignment
        The linear translation of coefficients.
    rows : two dicts
        Rows of both domains with ``x``, and ``noise`` of the observed ones.

    Notes
    -----
    The latents of a convolutional encoder with random weights already determine the spectrum;
    to find how is linear least squares for the head, but thousands of steps for generators. The
    adapters turn observed spectra into synthetic ones at the entrance, and back at the exit.
    """
    shared = alignment.generators[1][:, : len(alignment.encoders[0])]
    change = alignment.generators[0] - shared
    entrance: Any = network.input_adapters[OBSERVED]
    exit_: Any = network.output_adapters[OBSERVED]
    entrance.change.copy_(as_tensor(change @ alignment.encoders[1]))
    exit_.change.copy_(as_tensor(-change @ alignment.encoders[0]))

    x, noise = rows[SYNTHETIC]["x"], rows[OBSERVED]["noise"]
    few = torch.randint(len(x), (MAX_ROWS,))
    donors = torch.randint(len(noise), (MAX_ROWS,))
    noisy = x[few] + noise[donors] * torch.randn(len(few), x.shape[1])
    latents = torch.cat([network.encode(p, SYNTHETIC)[0].flatten(1) for p in noisy.split(CHUNK)])
    deviation = (x[few] - network.centre[SYNTHETIC]) / network.scale[SYNTHETIC]
    test = few % TEST_EVERY == 0
    network.latent_head.set(*fit_affine(latents, deviation, test))


def fit_affine(
    inputs: torch.Tensor, outputs: torch.Tensor, test: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fit a ridge regression whose penalty predicts the test rows best.

    Parameters
    ----------
    inputs : tensor of shape (n_rows, n_inputs)
    outputs : tensor of shape (n_rows, n_outputs)
    test : tensor of bool of shape (n_rows,)
        The rows that choose the penalty.

    Returns
    -------
    weight : tensor of shape (n_outputs, n_inputs)
    bias : tensor of shape (n_outputs,)

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.game.setup import fit_affine
    >>> inputs = torch.arange(40.0)[:, None]
    >>> weight, bias = fit_affine(inputs, 3 * inputs + 2, torch.arange(40) % 4 == 0)
    >>> weight.round(decimals=2), bias.round(decimals=2)
    (tensor([[3.]]), tensor([2.]))
    """
    centre, mean = inputs[~test].double().mean(0), outputs[~test].double().mean(0)
    a, b = inputs.double() - centre, outputs.double() - mean
    gram, cross = a[~test].T @ a[~test], a[~test].T @ b[~test]
    size = gram.diagonal().mean().clamp_min(SMALLEST_SQUARE)
    eye = torch.eye(len(gram), dtype=gram.dtype)
    solutions = [torch.linalg.solve(gram + ridge * size * eye, cross) for ridge in RIDGES]
    errors = [(a[test] @ solution - b[test]).square().mean() for solution in solutions]
    best = solutions[int(torch.stack(errors).argmin())]
    return best.T.float(), (mean - centre @ best).float()


MAX_SHARED = 6  # counted; more are for users who know their labels
N_SPLIT = 3  # enough for broadening and a slope; more changes little (measured: 3, 4, 6)
STEPS_PER_EPOCH = 50
PASSES_PER_EPOCH = 8  # over a small set, until STEPS_PER_EPOCH is reached
SCALE_SHARE = 0.5  # of the median change of flux: where the identity loss turns linear
START_LATENTS, START_SPLIT = 8, 4  # of the linear start: its latents can't follow a curve
SMALLEST_SCALE = 1e-6  # of the flux: domains without a gap have no median change
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

    def make_net(self, callbacks: list[tuple[str, Callback]]) -> TranslatorNet:
        """Return an initialised net.

        Parameters
        ----------
        callbacks : list of (str, Callback)

        Returns
        -------
        net : TranslatorNet
            In the state of the earlier training, if there was one.
        """
        net = make_translator_net(self.module, self.critic, self.settings, callbacks=callbacks)
        if self.earlier is not None:
            restore(net, capture(self.earlier.net))
            net.first_epoch_ = len(net.history)
            net.penalty_ = self.settings.penalty
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
    parameters = with_defaults(parameters)
    whole, domains = domains, (domains[0].sample(rng), domains[1].sample(rng))
    synthetic, observed = domains
    subspace = (
        _subspace(domains, stored_means(whole), parameters, rng)
        if earlier is None
        else earlier.subspace
    )
    _check_variation(subspace)
    representation = _representation(subspace, parameters["network"], earlier)
    projected = [subspace.project(data.flux, data.weights, d) for d, data in enumerate(domains)]
    rows = [representation.rows(data, d, *projected[d]) for d, data in enumerate(domains)]
    covariances = (
        noise_free_covariance(*projected[SYNTHETIC], synthetic.known),
        noise_free_covariance(*projected[OBSERVED], observed.known),
    )
    start = _align(subspace, covariances, START_LATENTS, START_SPLIT)
    pseudo_map = None
    if found is not None and isinstance(representation, SubspaceRepresentation):
        pseudo_map = trusted_map(found, observed, subspace)
    translated = (
        partial(_linearly, representation, start.translation)
        if pseudo_map is None
        else partial(_by_pairs, representation, pseudo_map)
    )
    rows[SYNTHETIC]["start"] = translated(synthetic, rows[SYNTHETIC]["x"])
    if earlier is not None:
        module, critic = deepcopy(earlier.net.module_), deepcopy(earlier.net.critic_)
    elif isinstance(representation, SubspaceRepresentation):
        n_shared = parameters["n_shared"] or _count_shared(subspace, projected[SYNTHETIC][0])
        n_split = N_SPLIT if parameters["n_split"] is None else parameters["n_split"]
        module, critic = _subspace_networks(
            representation, _align(subspace, covariances, n_shared, n_split), parameters["hidden"]
        )
    else:
        module, critic = _pixel_networks(representation, parameters)
        if parameters["network"] == "conv":
            start_linearly(cast(AdaptedConvTranslator, module), start, (rows[0], rows[1]))
    return Game(
        subspace,
        representation,
        DomainRows(rows[0], rows[1], _draw(whole, representation, translated)),
        module,
        critic,
        _settings(representation, rows, parameters, device, keeps_start=pseudo_map is not None),
        pseudo_map,
        earlier,
    )


def trusted_map(found: Match, observed: DomainData, subspace: Subspace) -> PseudoMap | None:
    """Return what pseudo-pairs give in closed form, or None if a gap this dense hides them."""
    if not found.placed.pairs.is_sparse:
        return None
    return fit_pseudo_map(likely_pairs(found.placed), observed, subspace)


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


def _linearly(
    representation: Any, translation: np.ndarray, data: DomainData, x: torch.Tensor
) -> torch.Tensor:
    return representation.start(x, translation)


def _by_pairs(
    representation: SubspaceRepresentation, pseudo_map: PseudoMap, data: DomainData, x: torch.Tensor
) -> torch.Tensor:
    flux = representation.fill(data, SYNTHETIC)
    return representation.observed_rows(pseudo_map.translate(flux))


def _draw(
    domains: tuple[Domain, Domain],
    representation: SubspaceRepresentation | PixelRepresentation,
    translated: Callable[[DomainData, torch.Tensor], torch.Tensor],
) -> dict[str, Callable[[int], Any]]:
    """Return what reads the rows of an epoch, of domains that aren't in memory."""
    names = ("synthetic", "observed")
    return {
        names[d]: partial(
            draw_rows,
            data=data,
            domain=d,
            representation=representation,
            start=translated if d == SYNTHETIC else None,
        )
        for d, data in enumerate(domains)
        if isinstance(data, StoredDomain)
    }


def _representation(
    subspace: Subspace, network: str | nn.Module, earlier: Earlier | None
) -> SubspaceRepresentation | PixelRepresentation:
    in_subspace = isinstance(network, str) and network == "subspace"
    if earlier is not None:
        in_subspace = isinstance(earlier.net.module_, SubspaceTranslator)
    return SubspaceRepresentation(subspace) if in_subspace else PixelRepresentation(subspace)


def _count_shared(subspace: Subspace, coefficients: np.ndarray) -> int:
    """Return the intrinsic dimension of synthetic spectra, rounded up."""
    spread = np.maximum(subspace.spread, ERROR_FLOOR * subspace.spread.max())
    return min(MAX_SHARED, math.ceil(intrinsic_dimension(coefficients / spread)))


def _align(
    subspace: Subspace, covariances: tuple[np.ndarray, np.ndarray], n_shared: int, n_split: int
) -> Alignment:
    """Align as many latents as there are components for."""
    n_components = len(subspace.components)
    n_shared = min(n_shared, n_components)
    n_split = min(n_split, n_components - n_shared)
    return align_latents(subspace.components, covariances, n_shared, n_split)


def _subspace_networks(
    representation: SubspaceRepresentation, alignment: Alignment, hidden: Sequence[int]
) -> tuple[nn.Module, nn.Module]:
    """Return both players, the translator at its linear start."""
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
    representation: PixelRepresentation, parameters: dict[str, Any]
) -> tuple[nn.Module, nn.Module]:
    """Return both players of a game between pixels."""
    if isinstance(parameters["network"], nn.Module):
        return deepcopy(parameters["network"]), deepcopy(parameters["critic"])
    subspace = representation.subspace
    size = float(np.sqrt((subspace.spread**2).sum() / representation.size))
    given = {name: parameters[name] for name in ("n_shared", "n_split") if parameters[name]}
    shared = {
        "width": parameters["width"],
        "centre": as_tensor(subspace.means),
        "scale": size or 1.0,
        **given,
    }
    translator: nn.Module
    if parameters["network"] == "conv-published":
        translator = ConvTranslator(representation.size, **shared)
    else:
        components = as_tensor(subspace.components)
        translator = AdaptedConvTranslator(representation.size, components=components, **shared)
    return translator, ConvCritic(representation.size, **shared)


def _settings(
    representation: SubspaceRepresentation | PixelRepresentation,
    rows: Sequence[dict],
    parameters: dict[str, Any],
    device: torch.device,
    *,
    keeps_start: bool,
) -> TranslatorSettings:
    largest = max(len(part["x"]) for part in rows)
    batch_size = min(parameters["batch_size"], largest)
    needed = math.ceil(PASSES_PER_EPOCH * largest / batch_size)
    matrix, shift = pixel_map = representation.pixel_map()
    return TranslatorSettings(
        weights={name: parameters[f"{name}_weight"] for name in LOSS_TERMS},
        game=adversarial_loss(parameters["adversarial"]),
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
        batch_size=batch_size,
        n_batches=parameters["steps_per_epoch"] or min(STEPS_PER_EPOCH, needed),
        learning_rate=parameters["learning_rate"],
        ema_decay=parameters["ema_decay"],
        device=device,
        verbose=parameters["verbose"],
    )


def _identity_scale(rows: dict[str, torch.Tensor], pixel_map: tuple, subspace: Subspace) -> float:
    """Return the change of flux beyond which the identity loss grows linearly."""
    change = flux_change((rows["start"] - rows["x"])[:START_ROWS], pixel_map).abs()
    level = max(np.abs(subspace.means).max(), subspace.spread.max())
    return max(SCALE_SHARE * change.median().item(), SMALLEST_SCALE * float(level))

"""The skorch net that plays the game between translator and critics, epoch by epoch."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import nn

from spectragan.training.adam import Adam
from spectragan.training.checkpoints import Checkpoints
from spectragan.training.devices import to_device
from spectragan.training.progress import EpochProgress
from spectragan.training.rows import DomainBatches
from spectragan.translator.game.best_epoch import BestEpoch
from spectragan.translator.game.epochs import TERMS, CosineRates, EpochMeans, StepRates
from spectragan.translator.game.health import HealthGuard, chance_loss
from spectragan.translator.game.losses import AdversarialLoss, gradient_penalty
from spectragan.translator.game.maps import (
    Maps,
    identity_loss,
    latent_loss,
    spectrum_loss,
    translate,
)
from spectragan.translator.game.oversampling import Chooser
from spectragan.translator.networks.contract import OBSERVED, SYNTHETIC


@dataclass(frozen=True)
class TranslatorSettings:
    """How the game is played.

    Attributes
    ----------
    weights : dict of str to float or (float, float)
        Of the loss terms ``reconstruction``, ``cycle``, ``latent``, ``identity``, ``start`` and
        ``adversarial``. The first two may have one for synthetic and one for observed spectra.
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
    betas : (float, float), default=None
        Of both optimizers. None has two pairs that suit R1 and R2.
    schedule : "cosine" or sequence of int
        How the rates fall: see `CosineRates` and `StepRates`.
    reencode_noise : bool
        Whether translated spectra get noise before they are encoded again.
    critic_split : {"lent", "reencoded"}
        Which split latents critics see beside a translated spectrum.
    critics_first : bool
        Whether the critics' step comes before the translator's.
    undo_bad_epochs : bool
        Whether a bad epoch is undone.
    ema_decay : float
        What remains of the averaged weights after one step.
    device : torch.device
    verbose : int
    keeps_start : bool
        Whether the identity term counts changes from the start, and not from synthetic spectra.
        0 shows no progress bar.
    pixel_map : tuple of (tensor of shape (n_pixels, n_values) or None, tensor of shape (n_pixels,))
        What turns rows into flux, see `identity_loss`.
    has_critics : bool
        Whether critics play at all.
    oversample : int
        Synthetic candidates for each place in a batch.
    select_by : str or None
        The score that chooses the epoch which is kept.
    patience : int or None
        Epochs without a better score after which training stops.
    """

    weights: dict[str, Any]
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
    keeps_start: bool = False
    betas: tuple[float, float] | None = None
    schedule: str | Sequence[int] = "cosine"
    reencode_noise: bool = True
    critic_split: str = "lent"
    critics_first: bool = True
    undo_bad_epochs: bool = True
    pixel_map: tuple[torch.Tensor | None, torch.Tensor] = field(
        default_factory=lambda: (None, torch.zeros(()))
    )
    has_critics: bool = True
    oversample: int = 1
    select_by: str | None = None
    patience: int | None = None


SHOWN = ("cycle", "adversarial", "critic")  # by the progress bar, with scores if there are any
# Names of callbacks; a user's have others.
OUR_CALLBACKS = {"rates", "terms", "health", "oversampling", "validation", "best_epoch"}
OUR_CALLBACKS |= {"progress", "checkpoints"}


def _schedule_of(settings: TranslatorSettings) -> Callback:
    if isinstance(settings.schedule, str):
        return CosineRates(settings.learning_rate)
    return StepRates(settings.learning_rate, settings.schedule)


def averaged_copy(module: nn.Module) -> nn.Module:
    """Return a copy of `module` that no optimizer trains.

    Parameters
    ----------
    module : nn.Module

    Returns
    -------
    copy : nn.Module

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.game.net import averaged_copy, update_average
    >>> module = torch.nn.Linear(1, 1)
    >>> average = averaged_copy(module)
    >>> with torch.no_grad():
    ...     _ = module.weight.add_(1.0)
    >>> update_average(average, module, decay=0.75)
    >>> (module.weight - average.weight).item()
    0.75
    """
    return deepcopy(module).requires_grad_(False)


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, *, decay: float) -> None:
    """Move `average` towards the present weights of `module`; buffers are copied.

    Parameters
    ----------
    average, module : nn.Module
        Of the same structure; `average` is changed.
    decay : float
        What remains of the average.
    """
    torch._foreach_lerp_(list(average.parameters()), list(module.parameters()), 1 - decay)
    # Running statistics are averages already.
    for kept, present in zip(average.buffers(), module.buffers(), strict=True):
        kept.copy_(present)


EMA_RAMP = 10  # steps: the average forgets the start, where weights move fastest
TRANSLATOR_BETAS = (0.5, 0.99)
CRITIC_BETAS = (0.0, 0.99)  # no momentum: it would push on after the translator has moved


class TranslatorNet(NeuralNet):
    """Trains a translator against a critic: one alternating update of both per batch.

    Parameters
    ----------
    module : TranslatorNetwork
    critic : CriticNetwork
    settings : TranslatorSettings
    **kwargs
        As `skorch.NeuralNet` takes them.

    Notes
    -----
    What may be overridden: `critic_step`, `translator_step`, and the functions they call. The
    fakes of a batch serve both updates, the critic's first unless ``critics_first`` is False.
    ``average_`` holds the running average of the translator's weights, which is what estimators
    use.
    """

    def __init__(
        self,
        module: nn.Module,
        critic: nn.Module,
        settings: TranslatorSettings,
        *args,
        criterion=nn.Identity,
        **kwargs,
    ) -> None:
        self.critic = critic
        self.settings = settings
        super().__init__(module, *args, criterion=criterion, **kwargs)

    def initialize_module(self) -> "TranslatorNet":
        """Set up translator, critic and averaged translator; skorch calls this."""
        super().initialize_module()
        self.critic_ = self.initialized_instance(self.critic, {})
        self.average_ = averaged_copy(self.module_)
        return self

    def initialize_optimizer(self, *args, **kwargs) -> "TranslatorNet":
        """Give translator and critic an optimizer each; skorch calls this."""
        adam = partial(Adam, lr=self.settings.learning_rate)
        self.optimizer_ = adam(self.module_.parameters())
        self.critic_optimizer_ = adam(self.critic_.parameters())
        self.n_steps_ = 0
        self.begin_training()
        return self

    def begin_training(self) -> None:
        """Let a new training begin in the present state, with the settings that this net has."""
        self.first_epoch_ = len(self.history or ())  # those before had a cosine of their own
        self.penalty_ = self.settings.penalty  # raised where critics get out of hand
        self.stopped_ = False  # early, because a callback said so
        both = TRANSLATOR_BETAS, CRITIC_BETAS
        betas = both if self.settings.betas is None else (self.settings.betas,) * 2
        for own, optimizer in zip(betas, (self.optimizer_, self.critic_optimizer_), strict=True):
            for group in optimizer.param_groups:
                group["betas"] = own

    @property
    def is_trained(self) -> bool:
        """Whether training went on to its last epoch, or was to stop."""
        return self.stopped_ or len(self.history) >= self.first_epoch_ + self.max_epochs

    @property
    def kept_epoch(self) -> int:
        """The epoch whose averaged weights are kept, from 1; 0 where there was none."""
        best = dict(self.callbacks_).get("best_epoch")
        return getattr(best, "epoch_", 0) or len(self.history)

    @property
    def is_playing(self) -> bool:
        """Whether critics play in this epoch."""
        return self.settings.has_critics and len(self.history) > self.settings.warmup_epochs

    @property
    def played(self) -> float:
        """Share of the game before this epoch; negative during warm-up."""
        begin = max(self.first_epoch_, self.settings.warmup_epochs)
        end = self.first_epoch_ + self.max_epochs
        return (len(self.history) - 1 - begin) / max(1, end - begin)

    def on_train_begin(self, net, X=None, y=None, **kwargs) -> None:
        """Begin anew; skorch calls this."""
        self.stopped_ = False

    def notify(self, method_name: str, **kwargs: Any) -> None:
        """Call all callbacks; one of a user's that stops training doesn't keep others from it."""
        getattr(self, method_name)(self, **kwargs)
        for name, callback in self.callbacks_:
            try:
                getattr(callback, method_name)(self, **kwargs)
            except KeyboardInterrupt:  # so skorch's stop; from ours it is the user's
                if name in OUR_CALLBACKS or method_name != "on_epoch_end":
                    raise
                self.stopped_ = True
        if self.stopped_ and method_name == "on_epoch_end":
            raise KeyboardInterrupt

    def fit_loop(self, X, y=None, epochs=None, **fit_params) -> "TranslatorNet":
        """Train, unless the checkpoint is of a training that was to stop; skorch calls this."""
        return super().fit_loop(X, y, 0 if self.stopped_ else epochs, **fit_params)

    def train_step(self, batch, **fit_params) -> dict[str, Any]:
        """Update critic and translator on one batch; skorch calls this."""
        settings = self.settings
        rows = to_device(batch[0], self.device)
        self._set_training(True)
        if settings.oversample > 1:
            rows = dict(self.callbacks_)["oversampling"].choose(self, rows)
        maps = translate(
            self.module_,
            rows,
            noisy=settings.reencode_noise,
            critic_split=settings.critic_split,
        )
        terms = dict.fromkeys(TERMS, math.nan)
        playing = self.is_playing
        if playing and settings.critics_first:
            terms["critic"] = self.critic_step(maps)
        terms.update(self.translator_step(maps, rows, playing=playing))
        if playing and not settings.critics_first:
            terms["critic"] = self.critic_step(maps)
        loss = terms.pop("loss")
        self.n_steps_ += 1
        decay = min(settings.ema_decay, self.n_steps_ / (self.n_steps_ + EMA_RAMP))
        update_average(self.average_, self.module_, decay=decay)
        for name, value in terms.items():
            self.history.record_batch(name, value)
        return {"loss": torch.tensor(loss), "y_pred": None}

    def critic_step(self, maps: Maps) -> float:
        """Update the critic; the translator isn't touched.

        Parameters
        ----------
        maps : Maps
            The translator's results on one batch.

        Returns
        -------
        loss : float
        """
        loss = torch.zeros((), device=self.device)
        for domain in (SYNTHETIC, OBSERVED):
            # Real rows on top of fake ones: one pass, and one penalty for R1 and R2 together.
            inputs = [
                torch.cat(pair).detach().requires_grad_(True)
                for pair in zip(maps.real(domain), maps.fake(domain), strict=True)
            ]
            scores = self.critic_(*inputs, domain)
            loss = loss + self.settings.game.critic(*scores.chunk(2))
            if self.penalty_ > 0:
                loss = loss + self.penalty_ * gradient_penalty(scores, *inputs)
        return self._update(self.critic_, self.critic_optimizer_, loss, [loss])[0]

    def translator_step(self, maps: Maps, rows: dict, *, playing: bool) -> dict[str, float]:
        """Update the translator; the critic isn't touched.

        Parameters
        ----------
        maps : Maps
            The translator's results on `rows`.
        rows : dict of str to dict of tensors
            One batch of both domains.
        playing : bool
            Whether the critic judges; before that, the linear start is followed.

        Returns
        -------
        terms : dict of str to float
            Loss terms without their weights, and their weighted sum ``loss``.
        """
        settings = self.settings
        synthetic, observed = rows["synthetic"], rows["observed"]
        terms: dict[str, Any] = {
            "reconstruction": (spectrum_loss(maps.ss, synthetic), spectrum_loss(maps.oo, observed)),
            "cycle": (spectrum_loss(maps.sos, synthetic), spectrum_loss(maps.oso, observed)),
            "latent": latent_loss(maps),
            "identity": identity_loss(
                maps.so - synthetic["start" if settings.keeps_start else "x"],
                settings.pixel_map,
                settings.identity_scale,
            ),
        }
        if playing:
            terms["adversarial"] = self._adversarial(maps)
        else:
            terms["start"] = spectrum_loss(maps.so, synthetic, target="start")
        weighted = [_weighted(value, settings.weights[n]) for n, value in terms.items()]
        total = torch.stack(weighted).sum()
        sums = [_weighted(value, 1.0) for value in terms.values()]
        values = self._update(self.module_, self.optimizer_, total, [*sums, total])
        return dict(zip((*terms, "loss"), values, strict=True))

    def _adversarial(self, maps: Maps) -> torch.Tensor:
        self.critic_.requires_grad_(False)
        try:
            losses = [self._deceive(maps, domain) for domain in (SYNTHETIC, OBSERVED)]
        finally:
            self.critic_.requires_grad_(True)
        return torch.stack(losses).sum()

    def _deceive(self, maps: Maps, domain: int) -> torch.Tensor:
        game = self.settings.game
        real = self.critic_(*maps.real(domain), domain) if game.relativistic else None
        fake = self.critic_(*maps.fake(domain), domain)
        return game.translator(fake if real is None else real, fake)

    def _update(
        self,
        player: nn.Module,
        optimizer: torch.optim.Optimizer,
        loss: torch.Tensor,
        values: list[torch.Tensor],
    ) -> list[float]:
        """Take one step of one player, and return values as they were before it."""
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        weights = list(player.named_parameters())
        self.notify("on_grad_computed", named_parameters=weights, training=True)
        optimizer.step()
        return torch.stack(values).detach().tolist()

    def retire(self) -> None:
        """Bring all to the CPU once training is over: it may be unpickled where there is no GPU."""
        self.device = cpu = torch.device("cpu")
        matrix, shift = self.settings.pixel_map
        pixel_map = None if matrix is None else matrix.to(cpu), shift.to(cpu)
        self.settings = replace(self.settings, device=cpu, pixel_map=pixel_map)
        for name in self._modules:
            getattr(self, f"{name}_").to(cpu)
        for optimizer in (self.optimizer_, self.critic_optimizer_):
            optimizer.load_state_dict(optimizer.state_dict())  # moments follow their weights


def _weighted(value: Any, weight: Any) -> torch.Tensor:
    """Return a term times its weight; one of both domains may have a weight for each."""
    if not isinstance(value, tuple):
        return weight * value
    first, second = weight if isinstance(weight, tuple) else (weight, weight)
    return first * value[0] + second * value[1]


def train(
    net: TranslatorNet, rows: Any, checkpoints: Checkpoints, threads: AbstractContextManager
) -> None:
    """Train a net to its end.

    Parameters
    ----------
    net : TranslatorNet
    rows : DomainRows
    checkpoints : Checkpoints
    threads : context manager
        To train in.

    Raises
    ------
    KeyboardInterrupt
        If the user interrupted it.
    """
    with threads:
        checkpoints.train(net, rows)
    net.retire()
    if not net.is_trained:
        raise KeyboardInterrupt  # skorch stops quietly: half a training isn't a fit


def make_translator_net(
    module: nn.Module,
    critic: nn.Module,
    settings: TranslatorSettings,
    *,
    callbacks: list[Any] | None = None,
) -> TranslatorNet:
    """Return an initialised net.

    Parameters
    ----------
    module : TranslatorNetwork
    critic : CriticNetwork
    settings : TranslatorSettings
    callbacks : list of Callback or (str, Callback), default=None
        More skorch callbacks, run before the progress bar; one that scores is called "validation".

    Returns
    -------
    net : TranslatorNet
    """
    progress = EpochProgress(
        "translator",
        columns=tuple(dict.fromkeys((*SHOWN, settings.select_by or "x_so", "x_os"))),
        verbose=settings.verbose,
    )
    ours: list[Any] = []
    if settings.oversample > 1:
        ours.append(("oversampling", Chooser(settings.oversample)))
    given = list(callbacks or [])
    if settings.select_by is not None:
        best = BestEpoch(settings.select_by, settings.patience)
        given.insert(1, ("best_epoch", best))  # after the scores, before what a user watches
    net = TranslatorNet(
        module,
        critic,
        settings,
        max_epochs=settings.max_epochs,
        batch_size=settings.batch_size,
        iterator_train=DomainBatches,
        iterator_train__n_batches=settings.n_batches,
        iterator_train__oversample=settings.oversample,
        train_split=None,
        callbacks=[
            ("rates", _schedule_of(settings)),
            ("terms", EpochMeans()),
            ("health", HealthGuard(chance_loss(settings.game), settings.undo_bad_epochs)),
            *ours,
            *given,
            ("progress", progress),
        ],
        callbacks__print_log=None,
        callbacks__epoch_timer=None,
        callbacks__valid_loss=None,
        device=settings.device,
        verbose=0,
    )
    return net.initialize()

"""The skorch net that plays the adversarial game between translator and critic."""

import math
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import nn

from spectragan.networks.contract import OBSERVED, SYNTHETIC
from spectragan.training.domains import DomainBatches
from spectragan.training.ema import averaged_copy, update_average
from spectragan.training.health import HealthGuard, chance_loss
from spectragan.training.losses import gradient_penalty
from spectragan.training.maps import Maps, identity_loss, latent_loss, spectrum_loss, translate
from spectragan.training.players import Players
from spectragan.training.prefetch import prefetched, to_device
from spectragan.training.progress import EpochProgress
from spectragan.training.sharing import ALONE
from spectragan.training.together import KeepTogether
from spectragan.training.translator_callbacks import CosineRates, EpochMeans
from spectragan.training.translator_settings import TERMS, TranslatorSettings

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
    fakes of a batch serve both updates, the critic's first. ``average_`` holds the running
    average of the translator's weights, which is what estimators use.
    """

    _players: Players | None = None  # made when first needed: compiled code can't be copied

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
        # All weights at once: the same numbers as one by one, in fewer calls.
        adam = partial(torch.optim.Adam, lr=self.settings.learning_rate, foreach=True)
        self.optimizer_ = adam(self.module_.parameters(), betas=TRANSLATOR_BETAS)
        self.critic_optimizer_ = adam(self.critic_.parameters(), betas=CRITIC_BETAS)
        self.n_steps_ = 0
        self.penalty_ = self.settings.penalty  # raised where critics get out of hand
        self.first_epoch_ = 0  # of this training: those before it had a cosine of their own
        return self

    @property
    def players(self) -> Players:
        """Both networks as a training step calls them."""
        kept = self._players
        if kept is None or kept.module is not self.module_:
            settings = self.settings
            kept = self._players = Players(
                self.module_,
                self.critic_,
                settings.device,
                precision=settings.precision,
                compiled=settings.compiled,
            )
        return kept

    def get_iterator(self, dataset, training=False) -> Iterable[Any]:
        """Return the batches of an epoch, read ahead for a GPU; skorch calls this."""
        return prefetched(super().get_iterator(dataset, training=training), self.device)

    def __getstate__(self) -> dict[str, Any]:
        return {name: v for name, v in super().__getstate__().items() if name != "_players"}

    @property
    def is_trained(self) -> bool:
        """Whether training went on to its last epoch."""
        return len(self.history) >= self.first_epoch_ + self.max_epochs

    def train_step(self, batch, **fit_params) -> dict[str, Any]:
        """Update critic and translator on one batch; skorch calls this."""
        rows, share = to_device(batch[0], self.device), self.settings.share
        self._set_training(True)
        maps = translate(self.players, rows, share)
        terms = dict.fromkeys(TERMS, math.nan)
        playing = len(self.history) > self.settings.warmup_epochs
        if playing:
            terms["critic"] = self.critic_step(maps)
        terms.update(self.translator_step(maps, share.take(rows), playing=playing))
        self.n_steps_ += 1
        decay = min(self.settings.ema_decay, self.n_steps_ / (self.n_steps_ + EMA_RAMP))
        update_average(self.average_, self.module_, decay=decay)
        for name, value in terms.items():
            self.history.record_batch(name, value)
        weights = self.settings.weights
        total = sum(weights[n] * v for n, v in terms.items() if n in weights and not math.isnan(v))
        return {"loss": torch.tensor(total), "y_pred": None}

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
            scores = self.players.judge_eagerly(*inputs, domain)
            loss = loss + self.settings.game.critic(*scores.chunk(2))
            loss = loss + self.penalty_ * gradient_penalty(scores, *inputs)
        return self._update(self.critic_optimizer_, loss, [loss], maps.weight)[0]

    def translator_step(self, maps: Maps, rows: dict, *, playing: bool) -> dict[str, float]:
        """Update the translator; the critic isn't touched.

        Parameters
        ----------
        maps : Maps
            The translator's results on `rows`.
        rows : dict of str to dict of tensors
            One batch of both domains: of it, what this process has a share in.
        playing : bool
            Whether the critic judges; before that, the linear start is followed.

        Returns
        -------
        terms : dict of str to float
            Loss terms without their weights.
        """
        settings = self.settings
        synthetic, observed = rows["synthetic"], rows["observed"]
        terms = {
            "reconstruction": spectrum_loss(maps.ss, synthetic) + spectrum_loss(maps.oo, observed),
            "cycle": spectrum_loss(maps.sos, synthetic) + spectrum_loss(maps.oso, observed),
            "latent": latent_loss(maps),
            "identity": identity_loss(
                maps.so - synthetic["x"], settings.pixel_map, settings.identity_scale
            ),
        }
        if playing:
            terms["adversarial"] = self._adversarial(maps)
        else:
            terms["start"] = spectrum_loss(maps.so, synthetic, target="start")
        total = torch.stack([settings.weights[n] * value for n, value in terms.items()]).sum()
        values = self._update(self.optimizer_, total, list(terms.values()), maps.weight)
        return dict(zip(terms, values, strict=True))

    def _adversarial(self, maps: Maps) -> torch.Tensor:
        self.critic_.requires_grad_(False)
        try:
            losses = [
                self.settings.game.translator(
                    self.players.judge(*maps.real(domain), domain),
                    self.players.judge(*maps.fake(domain), domain),
                )
                for domain in (SYNTHETIC, OBSERVED)
            ]
        finally:
            self.critic_.requires_grad_(True)
        return torch.stack(losses).sum()

    def _update(
        self,
        optimizer: torch.optim.Optimizer,
        loss: torch.Tensor,
        values: list[torch.Tensor],
        weight: float,
    ) -> list[float]:
        """Take one step of one player; return means over the rows of all processes."""
        optimizer.zero_grad(set_to_none=True)
        (weight * loss).backward()
        means = weight * torch.stack(values).detach()
        weights = (w for group in optimizer.param_groups for w in group["params"])
        self.settings.share.add_up([*(w.grad for w in weights if w.grad is not None), means])
        optimizer.step()
        return means.tolist()

    def retire(self) -> None:
        """Bring all to the CPU once training is over: it may be unpickled where there is no GPU."""
        self.device = cpu = torch.device("cpu")
        matrix, shift = self.settings.pixel_map
        pixel_map = None if matrix is None else matrix.to(cpu), shift.to(cpu)
        self.settings = replace(self.settings, device=cpu, pixel_map=pixel_map, share=ALONE)
        self._players = None  # compiled code isn't needed any longer
        for name in self._modules:
            getattr(self, f"{name}_").to(cpu)
        for optimizer in (self.optimizer_, self.critic_optimizer_):
            optimizer.load_state_dict(optimizer.state_dict())  # moments follow their weights


def make_translator_net(
    module: nn.Module,
    critic: nn.Module,
    settings: TranslatorSettings,
    *,
    callbacks: list[tuple[str, Callback]] | None = None,
) -> TranslatorNet:
    """Return an initialised net.

    Parameters
    ----------
    module : TranslatorNetwork
    critic : CriticNetwork
    settings : TranslatorSettings
    callbacks : list of (str, Callback), default=None
        More skorch callbacks, run before the progress bar.

    Returns
    -------
    net : TranslatorNet
    """
    share = settings.share
    progress = EpochProgress(
        "translator",
        columns=("cycle", "adversarial", "critic"),
        verbose=settings.verbose if share.is_main else 0,
    )
    together = [] if share.is_alone else [("together", KeepTogether(share))]
    net = TranslatorNet(
        module,
        critic,
        settings,
        max_epochs=settings.max_epochs,
        batch_size=settings.batch_size,
        iterator_train=DomainBatches,
        iterator_train__n_batches=settings.n_batches,
        train_split=None,
        callbacks=[
            *together,
            ("rates", CosineRates(settings.learning_rate)),
            ("terms", EpochMeans()),
            ("health", HealthGuard(chance_loss(settings.game))),
            *(callbacks or []),
            ("progress", progress),
        ],
        callbacks__print_log=None,
        callbacks__epoch_timer=None,
        callbacks__valid_loss=None,
        device=settings.device,
        verbose=0,
    )
    return net.initialize()

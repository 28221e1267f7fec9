"""Watch the game: a training that goes wrong goes on from its last good state, stiffer."""

import math
import warnings
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from skorch.callbacks import Callback

from spectragan.exceptions import FewSpectraWarning, TrainingHealthWarning
from spectragan.spectra.summary import SummaryMixin
from spectragan.training.snapshot import Snapshot, capture, restore
from spectragan.translator.game.losses import AdversarialLoss

STIFFER = 4.0  # factor on the critics' penalty after each of the first restarts
MAX_STIFFENED = 3  # of them: 64 times the penalty is as stiff as a game can be
LEAST_PENALTY = 0.0125  # to start from where there was none
GROWTH = 3.0  # of reconstruction and cycle losses over their best: the translator is lost
OVERRUN = 0.1  # of the critics' loss where they know nothing: they see through every fake
PATIENCE = 3  # epochs in a row for which critics may do so
WATCHED = ("reconstruction", "cycle")
FEW = 30  # spectra of a domain: of a mock's gap 10 left 1.04, 20 left 0.70, 40 left 0.47


def warn_of_few(n_synthetic: int, n_observed: int) -> None:
    """Warn where a game is played with so few spectra that a baseline may do better.

    Parameters
    ----------
    n_synthetic, n_observed : int
        Spectra with a good pixel.

    Warns
    -----
    FewSpectraWarning
        If there are fewer than 30 of either.
    """
    if min(n_synthetic, n_observed) < FEW:
        warnings.warn(
            f"each domain should have at least {FEW} spectra for the game to learn from; got "
            f"{n_synthetic} synthetic and {n_observed} observed; add spectra, or compare with "
            "MeanShiftTranslator, which needs the fewest.",
            FewSpectraWarning,
            stacklevel=4,
        )


@dataclass(frozen=True, repr=False)
class TrainingHealth(SummaryMixin):
    """How the game went.

    Attributes
    ----------
    problems : tuple of str
        What went wrong, and in which epoch, in words.
    penalty : float
        Of the critics' gradients at the end: larger than the parameter after a restart.
    healthy : bool
        Whether the last epoch was a good one.
    undone : bool
        Whether training went back after each problem, or went on.
    """

    _kept: ClassVar = {
        "problems": "words n",
        "penalty": "number",
        "healthy": "flag",
        "undone?": "flag",
    }

    problems: tuple[str, ...] = ()
    penalty: float = 0.0
    healthy: bool = True
    undone: bool = True

    @property
    def n_restarts(self) -> int:
        """How often training went back."""
        return len(self.problems) if self.undone else 0

    def summary(self) -> str:
        """Return how the game went as a small table.

        Returns
        -------
        table : str
            Three lines, and one per problem.
        """
        lines = [
            f"{'last epoch':<20}{'good' if self.healthy else 'bad'}",
            f"{'restarts':<20}{self.n_restarts}",
            f"{'penalty':<20}{self.penalty:g}",
        ]
        return "\n".join([*lines, *(f"  {problem}" for problem in self.problems)])

    def __repr__(self) -> str:
        return (
            f"TrainingHealth(healthy={self.healthy}, n_restarts={self.n_restarts}, "
            f"penalty={self.penalty:g})"
        )


class HealthGuard(Callback):
    """Take a snapshot after every good epoch, and return to it after a bad one.

    Parameters
    ----------
    chance : float
        Critics' loss where they can't tell real from fake.
    undo : bool, default=True
        Whether to return; else it takes note, and training goes on.

    Notes
    -----
    Weights and optimizers go back; the history and the rates go on, so that training ends when it
    should. After each of the first three returns the critics' penalty is four times as large. So
    every epoch ends in a good state, at worst that of the start: a training that is resumed there
    has nothing else to remember, and one that ends badly has nothing to undo.
    """

    def __init__(self, chance: float, undo: bool = True) -> None:
        self.chance = chance
        self.undo = undo

    def on_train_begin(self, net, X=None, y=None, **kwargs) -> None:
        """Start watching; skorch calls this."""
        self.problems_: dict[str, str] = {}  # by epoch; a checkpoint keeps all three
        self.n_overrun_ = 0
        self.healthy_ = True
        self.good: Snapshot | None = None

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs) -> None:
        """Keep the state that training starts, or is resumed, from; skorch calls this."""
        if self.good is None and self.undo:
            self.good = capture(net)

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs) -> None:
        """Judge this epoch; skorch calls this."""
        problem = self._problem(net)
        self.healthy_ = problem is None
        if problem is None:
            self.good = capture(net) if self.undo else None
            return
        self.problems_[str(len(net.history))] = problem
        self.n_overrun_ = 0
        if not self.undo:
            return
        self._go_back(net)
        if len(self.problems_) <= MAX_STIFFENED:
            net.penalty_ = STIFFER * max(net.penalty_, LEAST_PENALTY)

    def on_train_end(self, net, X=None, y=None, **kwargs) -> None:
        """Let go of the good state; skorch calls this."""
        self.good = None

    def report(self, net: Any) -> TrainingHealth:
        """Return how the game went.

        Parameters
        ----------
        net : TranslatorNet

        Returns
        -------
        health : TrainingHealth
        """
        problems = tuple(f"{words} in epoch {epoch}" for epoch, words in self.problems_.items())
        return TrainingHealth(problems, net.penalty_, bool(self.healthy_), self.undo)

    def _problem(self, net: Any) -> str | None:
        if not _is_finite(net):
            return "a loss or a weight was not finite"
        ours = net.history[net.first_epoch_ :]  # of this training, not of an earlier one
        sums = [sum(epoch[name] for name in WATCHED) for epoch in ours]
        best = min(filter(math.isfinite, sums))
        now = sum(net.history[-1][name] for name in WATCHED)
        if now > GROWTH * best and now > 1.0:
            return f"the reconstruction and cycle losses rose to {now / best:.1f} times their best"
        critic = net.history[-1]["critic"]
        self.n_overrun_ = self.n_overrun_ + 1 if critic < OVERRUN * self.chance else 0
        if self.n_overrun_ >= PATIENCE:
            return f"the critics saw through every translation for {PATIENCE} epochs"
        return None

    def _go_back(self, net: Any) -> None:
        present = capture(net)
        assert self.good is not None
        restore(
            net,
            replace(
                self.good,
                history=present.history,
                generators=present.generators,
                counters=present.counters,
                callbacks=present.callbacks,
            ),
        )


def chance_loss(game: AdversarialLoss) -> float:
    """Return the loss of critics, of both domains together, that can't tell real from fake.

    Parameters
    ----------
    game : AdversarialLoss

    Returns
    -------
    loss : float
    """
    nothing = torch.zeros(1)
    return 2 * game.critic(nothing, nothing).item()


def judge_health(net: Any) -> TrainingHealth:
    """Return how a training went, and warn if it went wrong.

    Parameters
    ----------
    net : TranslatorNet
        Trained.

    Returns
    -------
    health : TrainingHealth

    Warns
    -----
    TrainingHealthWarning
        If it had to go back, or ended in a bad state.
    """
    health = dict(net.callbacks_)["health"].report(net)
    if health.problems:
        warnings.warn(
            f"training went wrong {len(health.problems)} time(s), the first time because "
            f"{health.problems[0]}; {_end(health)}: raise `penalty`, lower `learning_rate`, or "
            "compare with LinearTranslator before you trust it.",
            TrainingHealthWarning,
            stacklevel=4,
        )
    return health


def _end(health: TrainingHealth) -> str:
    """Return what was done about problems, and how training ended."""
    if not health.undone:
        end = "ended well" if health.healthy else "ended badly, and this end was kept"
        return f"nothing was undone (`undo_bad_epochs` is False), and it {end}"
    end = "ended well" if health.healthy else "the end was bad: the last good state was kept"
    went = f"it went back {health.n_restarts} time(s), to a `penalty` of {health.penalty:.3g}"
    return f"{went}, and {end}"


def _is_finite(net: Any) -> bool:
    last = net.history[-1]
    terms = [last[name] for name in WATCHED]
    weights = [p for module in (net.module_, net.critic_) for p in module.parameters()]
    return all(map(math.isfinite, terms)) and all(bool(torch.isfinite(p).all()) for p in weights)

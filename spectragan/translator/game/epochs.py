"""What happens in every epoch of a game: rates, means of the loss terms, scores, the history."""

import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import numpy as np
from skorch import NeuralNet
from skorch.callbacks import Callback

from spectragan.files.layout import refusal

LOSS_TERMS = ("reconstruction", "cycle", "latent", "identity", "start", "adversarial")
TERMS = (*LOSS_TERMS, "critic")
LOWEST_RATE = 0.05  # of the learning rate, at the end of the cosine
MILESTONE_FACTOR = 0.7  # on the rates at each milestone, as published
BOOKKEEPING = {"batches", "epoch", "train_loss", "train_loss_best", "train_batch_count"}  # skorch's


class CosineRates(Callback):
    """Lower the rates of both optimizers along a cosine, from epoch to epoch.

    Parameters
    ----------
    learning_rate : float
        The rate to start from.
    """

    def __init__(self, learning_rate: float) -> None:
        self.learning_rate = learning_rate

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs) -> None:
        """Set the rates of this epoch; skorch calls this."""
        done = (len(net.history) - 1 - net.first_epoch_) / max(1, net.max_epochs)
        factor = LOWEST_RATE + (1 - LOWEST_RATE) * 0.5 * (1 + math.cos(math.pi * done))
        _set_rates(net, self.learning_rate * factor)


class StepRates(Callback):
    """Multiply the rates of both optimizers by 0.7 after certain numbers of steps.

    Parameters
    ----------
    learning_rate : float
        The rate to start from.
    milestones : sequence of int
        Steps, counted from the first one of all trainings.
    """

    def __init__(self, learning_rate: float, milestones: Sequence[int]) -> None:
        self.learning_rate = learning_rate
        self.milestones = milestones

    def on_batch_begin(self, net, batch=None, training=None, **kwargs) -> None:
        """Set the rates of this step; skorch calls this."""
        n_passed = sum(net.n_steps_ >= milestone for milestone in self.milestones)
        _set_rates(net, self.learning_rate * MILESTONE_FACTOR**n_passed)


def _set_rates(net: Any, rate: float) -> None:
    for optimizer in (net.optimizer_, net.critic_optimizer_):
        for group in optimizer.param_groups:
            group["lr"] = rate


class EpochMeans(Callback):
    """Record the mean of every loss term over the batches of an epoch, which are let go then."""

    def on_epoch_begin(self, net, dataset_train=None, dataset_valid=None, **kwargs) -> None:
        """Forget the batches of the epoch before; skorch calls this."""
        for epoch in net.history[-2:-1]:
            epoch["batches"] = []  # 5e5 steps, as published, would fill hundreds of megabytes

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs) -> None:
        """Average and record; skorch calls this."""
        for name in TERMS:
            values = net.history[-1, "batches", :, name]
            net.history.record(name, sum(values) / len(values))


class EpochScores(Callback):
    """Record scores of the averaged translator after each epoch.

    Parameters
    ----------
    score : callable or None
        ``score(net)`` -> dict of str to float. It is let go when training ends: it may hold all
        spectra, which a pickled net should not carry along.
    """

    def __init__(self, score: Callable[[Any], dict[str, float]] | None) -> None:
        self.score = score

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs) -> None:
        """Score and record; skorch calls this."""
        if self.score is not None:
            for name, value in self.score(net).items():
                net.history.record(name, value)

    def on_train_end(self, net, X=None, y=None, **kwargs) -> None:
        """Let go of what scored; skorch calls this."""
        self.score = None


def epoch_history(net: NeuralNet) -> dict[str, list[float]]:
    """Return what was recorded of every epoch.

    Parameters
    ----------
    net : NeuralNet

    Returns
    -------
    history : dict of str to list of float
        Every loss term, the critics' loss, and any score: one value per epoch, NaN where there
        was none.
    """
    recorded = dict.fromkeys(name for epoch in net.history for name in epoch)
    names = [name for name in recorded if name not in BOOKKEEPING]
    # Row by row: skorch's columns leave epochs without a value out, and scores would move ahead.
    return {name: [_as_number(epoch.get(name)) for epoch in net.history] for name in names}


def epoch_rows(history: dict[str, list[float]], kept: int | None) -> list[dict[str, float]]:
    """Return the history of a loaded translator epoch by epoch.

    Parameters
    ----------
    history : dict of str to list of float
        See `epoch_history`.
    kept : int or None
        The epoch that is in use, where the file says so.

    Returns
    -------
    rows : list of dict of str to float

    Raises
    ------
    ModelFileError
        If there is no such epoch.
    """
    rows = [dict(zip(history, e, strict=True)) for e in zip(*history.values(), strict=True)]
    if kept is not None and not min(1, len(rows)) <= kept <= len(rows):
        raise refusal(f"the epoch that is kept must be one of {len(rows)}", kept)
    return rows


def _as_number(value: Any) -> float:
    """Return what was recorded, or NaN if that is no number: a user's callbacks record anything."""
    return float(value) if isinstance(value, Real | np.number) else math.nan

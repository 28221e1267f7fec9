"""Keep the epoch whose translator scored best on pairs, and stop when none is better for long."""

import math

import torch
from skorch.callbacks import Callback


class BestEpoch(Callback):
    """Keep the averaged weights of the epoch with the lowest score.

    Parameters
    ----------
    score : str
        Column of the history; lower is better.
    patience : int or None
        Epochs without a better one after which training stops; those of the warm-up don't count
        where critics are to play. None never stops.

    Attributes
    ----------
    epoch_ : int
        The epoch that is kept, from 1; 0 if none had a score.
    """

    def __init__(self, score: str, patience: int | None) -> None:
        self.score = score
        self.patience = patience

    def on_train_begin(self, net, X=None, y=None, **kwargs) -> None:
        """Forget an earlier training; skorch calls this."""
        self.lowest_, self.epoch_, self.n_misses_ = math.inf, 0, 0
        self.weights_: dict[str, torch.Tensor] | None = None  # a checkpoint keeps all four

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs) -> None:
        """Keep this epoch if it is better; skorch calls this."""
        score = net.history[-1][self.score]
        if score < self.lowest_:
            self.lowest_, self.epoch_, self.n_misses_ = score, len(net.history), 0
            state = net.average_.state_dict()
            self.weights_ = {name: value.clone() for name, value in state.items()}
        elif net.is_playing or not net.settings.has_critics:
            self.n_misses_ += 1
        if self.patience is not None and self.n_misses_ >= self.patience:
            net.stopped_ = True

    def on_train_end(self, net, X=None, y=None, **kwargs) -> None:
        """Put the weights of that epoch in place; skorch calls this."""
        if self.weights_ is not None:
            net.average_.load_state_dict(self.weights_)
        self.weights_ = None

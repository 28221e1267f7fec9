"""What is left of a skorch net in a file: the trained module, and how training went."""

from typing import Any


class LoadedNet:
    """A trained module with its history; it can't be trained on.

    Parameters
    ----------
    module_ : torch.nn.Module
        Trained.
    history : list of dict
        One row per epoch.

    Examples
    --------
    >>> from spectragan.persistence.loaded_net import LoadedNet
    >>> LoadedNet(None, [{"epoch": 1, "train_loss": 0.5}]).history[:, "train_loss"]
    [0.5]
    """

    def __init__(self, module_: Any, history: list[dict[str, Any]]) -> None:
        from skorch.history import History

        self.module_ = module_
        self.history = History(history)

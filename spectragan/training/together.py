"""Keep the networks of processes that share a training alike."""

from typing import Any

import torch
from skorch.callbacks import Callback
from torch import nn

from spectragan.training.sharing import Share

# Rows of other processes would have to be known for their statistics, or other random numbers.
MIXES_ROWS = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd)


class KeepTogether(Callback):
    """Start with the same weights in all processes, and see after each epoch that they still are.

    Parameters
    ----------
    share : Share

    Notes
    -----
    All processes add up the same numbers, so that weights stay the same without being sent.
    """

    def __init__(self, share: Share) -> None:
        self.share = share

    def on_train_begin(self, net, X=None, y=None, **kwargs) -> None:
        """Check what can't be shared, and send the weights of the main process; skorch calls this.

        Raises
        ------
        ValueError
            If a network mixes rows, or batches are too small.
        """
        _check(net, self.share)
        self.share.copy_from_main(_weights(net))

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs) -> None:
        """Compare the weights; skorch calls this.

        Raises
        ------
        RuntimeError
            If they have drifted apart.
        """
        if not self.share.copy_from_main(_weights(net)):
            raise RuntimeError(
                f"the weights must be the same in all {self.share.count} processes that share a "
                f"training; got different ones after epoch {len(net.history)}; use devices of one "
                "kind, and networks without random numbers of their own."
            )


def _weights(net: Any) -> list[torch.Tensor]:
    return [
        value
        for name in net._modules
        for value in getattr(net, f"{name}_").state_dict().values()
        if value.numel()
    ]


def _check(net: Any, share: Share) -> None:
    if share.is_alone:
        return
    for name in net._modules:
        for part in getattr(net, f"{name}_").modules():
            if isinstance(part, MIXES_ROWS):
                raise ValueError(
                    "networks must treat every row on its own where processes share a training; "
                    f"got one with {type(part).__name__}; train it in one process, or leave that "
                    "layer out."
                )
    if net.batch_size < share.count:
        raise ValueError(
            "`batch_size` must be at least the number of processes that share a training, "
            f"{share.count}; got batches of {net.batch_size}; raise it, or start fewer."
        )

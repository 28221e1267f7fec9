"""StarNet: a small convolutional network from spectra to labels and their variances."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import nn

KERNEL = 8  # pixels, as published
POOL = 4  # pixels, as published
LOG_VARIANCE_RANGE = (-16.0, 8.0)  # of standardised labels; beyond, the likelihood overflows


class StarNet(nn.Module):
    """Mean and logarithmic variance of every label of a spectrum.

    Convolutions, one max-pool and fully connected layers as published, with two linear heads in
    place of one. For spectra of a few pixels, kernel and pool shrink.

    Parameters
    ----------
    n_pixels : int
        Any number >= 1.
    n_labels : int
    filters : sequence of int, default=(4, 16)
        Channels of the convolutions, at least one.
    hidden : sequence of int, default=(256, 128)
        Widths of the fully connected layers, at least one.

    Attributes
    ----------
    arguments : dict
        What it was made with: a saved network is made again so.

    Examples
    --------
    >>> import torch
    >>> from spectragan.starnet.network import StarNet
    >>> mean, log_variance = StarNet(100, 3)(torch.zeros(2, 100))
    >>> mean.shape, log_variance.shape
    (torch.Size([2, 3]), torch.Size([2, 3]))
    """

    _kept_arguments: ClassVar = {
        "n_pixels": "count p",
        "n_labels": "count l",
        "filters": "sizes",
        "hidden": "sizes",
    }

    def __init__(
        self,
        n_pixels: int,
        n_labels: int,
        *,
        filters: Sequence[int] = (4, 16),
        hidden: Sequence[int] = (256, 128),
    ) -> None:
        super().__init__()
        self.arguments = {
            "n_pixels": n_pixels,
            "n_labels": n_labels,
            "filters": tuple(filters),
            "hidden": tuple(hidden),
        }
        pool = max(1, min(POOL, n_pixels // POOL))
        self.convolutions = _convolutions(filters, min(KERNEL, n_pixels), pool)
        self.dense = nn.Sequential()
        for n_in, n_out in pairwise([filters[-1] * (n_pixels // pool), *hidden]):
            self.dense.extend([nn.Linear(n_in, n_out), nn.ReLU()])
        self.mean = nn.Linear(hidden[-1], n_labels)
        self.log_variance = nn.Linear(hidden[-1], n_labels)
        nn.init.zeros_(self.log_variance.bias)

    def forward(self, flux: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return two tensors (n_rows, n_labels) of standardised flux (n_rows, n_pixels)."""
        # One row of pixels as an image of height 1, channels last: the fastest way to train on a
        # CPU, in half the time of one-dimensional convolutions.
        image = flux[:, None, None, :].to(memory_format=torch.channels_last)
        features = self.dense(self.convolutions(image).flatten(1))
        return self.mean(features), self.log_variance(features).clamp(*LOG_VARIANCE_RANGE)


def _convolutions(filters: Sequence[int], kernel: int, pool: int) -> nn.Sequential:
    """Return convolutions that keep the number of pixels, and the pool."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise([1, *filters]):
        layers += [
            nn.ZeroPad2d(((kernel - 1) // 2, kernel // 2, 0, 0)),
            nn.Conv2d(n_in, n_out, (1, kernel)),
            nn.ReLU(),
        ]
    layers.insert(-1, nn.MaxPool2d((1, pool)))  # before the ReLU: the same, in less time
    stack: Any = nn.Sequential(*layers)  # mypy knows no memory format of a module
    return stack.to(memory_format=torch.channels_last)

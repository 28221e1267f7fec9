"""A running average of a network's weights."""

from copy import deepcopy

import torch
from torch import nn


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
    >>> from spectragan.training.ema import averaged_copy, update_average
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

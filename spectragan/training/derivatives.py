"""Exact derivatives of what a network does, along given directions."""

import warnings
from collections.abc import Callable

import torch


def push_forward(
    function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, directions: torch.Tensor
) -> torch.Tensor:
    """Return the derivatives of `function` at `x` along several directions.

    Parameters
    ----------
    function : callable
        Maps (n_rows, n_inputs) to (n_rows, n_outputs).
    x : tensor of shape (n_rows, n_inputs)
    directions : tensor of shape (n_rows, n_inputs, n_directions)

    Returns
    -------
    derivatives : tensor of shape (n_rows, n_outputs, n_directions)

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.derivatives import push_forward
    >>> push_forward(torch.square, torch.tensor([[3.0]]), torch.tensor([[[1.0, 2.0]]]))
    tensor([[[ 6., 12.]]])
    """
    with warnings.catch_warnings():
        # On first use torch compiles functions of its own, in a way that it calls deprecated.
        warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
        columns = [torch.func.jvp(function, (x,), (d,))[1] for d in directions.unbind(2)]
    return torch.stack(columns, dim=2)

"""Exact derivatives of what a network does, along given directions."""

from collections.abc import Callable

import torch


def push_forward(
    function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, directions: torch.Tensor
) -> torch.Tensor:
    """Return the derivatives of `function` at `x` along several directions.

    Parameters
    ----------
    function : callable
        Maps (n_rows, n_inputs) to (n_rows, n_outputs), each row on its own.
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
    # The gradient of the inputs is linear in the weights of the outputs: differentiating it along a
    # direction gives the derivative. Forward-mode differentiation keeps its state in globals, and
    # fits run in several threads.
    with torch.enable_grad():
        inputs = x.detach().requires_grad_()
        outputs = function(inputs)
        weights = torch.zeros_like(outputs, requires_grad=True)
        (gradient,) = torch.autograd.grad(outputs, inputs, weights, create_graph=True)
        columns = [
            torch.autograd.grad((gradient * d).sum(), weights, retain_graph=True)[0]
            for d in directions.unbind(2)
        ]
    return torch.stack(columns, dim=2)

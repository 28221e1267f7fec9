"""A module over rows: no result depends on its neighbours, and derivatives are exact."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

BATCH_ROWS = 256
EXACT_ROWS = 1024


def map_padded(
    function: Callable[..., torch.Tensor | tuple[torch.Tensor, ...]],
    *rows: torch.Tensor,
    batch_size: int = BATCH_ROWS,
) -> Any:
    """Apply `function` to rows in batches of one fixed size.

    Matrix products pick their kernel by shape, so float32 results of one row differ by about
    3e-7 between batch sizes. Here every call sees exactly `batch_size` rows: the last batch is
    filled up with copies of its last row, which are cut off again.

    Parameters
    ----------
    function : callable
        Takes as many tensors as `rows` and returns a tensor, or a tuple of tensors, with one row
        per row.
    *rows : tensor of shape (n_rows, ...)
        One or more tensors of equal length >= 1.
    batch_size : int, default=256
        Rows per call.

    Returns
    -------
    results : tensor of shape (n_rows, ...) or tuple of such
        Computed without gradients.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.inference import map_padded
    >>> map_padded(lambda x: 2 * x, torch.tensor([[1.0], [2.0], [3.0]]), batch_size=2)
    tensor([[2.], [4.], [6.]])
    """
    n_rows = len(rows[0])
    parts: list[Any] = []
    with torch.no_grad():
        for start in range(0, n_rows, batch_size):
            batch = [_pad(tensor[start : start + batch_size], batch_size) for tensor in rows]
            parts.append(_cut(function(*batch), min(batch_size, n_rows - start)))
    if isinstance(parts[0], tuple):
        return tuple(torch.cat(column) for column in zip(*parts, strict=True))
    return torch.cat(parts)


def _pad(rows: torch.Tensor, n_rows: int) -> torch.Tensor:
    missing = n_rows - len(rows)
    if missing == 0:
        return rows
    return torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])])


def _cut(
    result: torch.Tensor | tuple[torch.Tensor, ...], n_rows: int
) -> torch.Tensor | tuple[torch.Tensor, ...]:
    if isinstance(result, tuple):
        return tuple(tensor[:n_rows] for tensor in result)
    return result[:n_rows]


def map_exactly(function: Callable[..., torch.Tensor], *arrays: np.ndarray) -> np.ndarray:
    """Apply `function` to rows in double precision, in which batches of any size are as good.

    Parameters
    ----------
    function : callable
        Takes as many tensors as there are arrays, and returns one, with one row per row.
    *arrays : ndarray of shape (n_rows, ...)

    Returns
    -------
    results : ndarray of shape (n_rows, ...)

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.training.inference import map_exactly
    >>> map_exactly(lambda x: 2 * x, np.array([[1.0], [2.0]]))
    array([[2.],
           [4.]])
    """
    rows = [torch.as_tensor(np.ascontiguousarray(array, dtype=float)) for array in arrays]
    with torch.no_grad():
        parts = [
            function(*chunk) for chunk in zip(*(r.split(EXACT_ROWS) for r in rows), strict=True)
        ]
    return torch.cat(parts).numpy()


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
    >>> from spectragan.training.inference import push_forward
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

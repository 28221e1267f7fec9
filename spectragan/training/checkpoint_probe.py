"""The first training rows: they tell whether two trainings start from the same numbers."""

from typing import Any

import torch

from spectragan.training.data import TensorRows
from spectragan.training.domains import DomainRows

PROBE_ROWS = 8
TOLERANCE = 1e-3  # of the largest value: far above rounding on another machine


def first_rows(rows: Any) -> list[torch.Tensor]:
    """Return the first rows of all tensors of a data set.

    Parameters
    ----------
    rows : TensorRows, DomainRows, tensor or mapping of these

    Returns
    -------
    first : list of tensors of shape (at most 8, ...)
        In single precision, on the CPU.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.checkpoint_probe import first_rows
    >>> from spectragan.training.data import TensorRows
    >>> [tuple(tensor.shape) for tensor in first_rows(TensorRows(torch.ones(20, 3)))]
    [(8, 3), (8, 0)]
    """
    if isinstance(rows, torch.Tensor):
        return [rows[:PROBE_ROWS].to("cpu", torch.float32, copy=True)]
    if isinstance(rows, DomainRows):
        rows = rows.parts
    elif isinstance(rows, TensorRows):
        # Nothing else of them: rows of a file keep the page there is, which training changes.
        rows = {"inputs": rows.inputs, "targets": rows.targets}
    return [tensor for name in sorted(rows) for tensor in first_rows(rows[name])]


def agree(first: list[torch.Tensor], second: list[torch.Tensor]) -> bool:
    """Tell whether first rows are the same but for rounding.

    Parameters
    ----------
    first, second : list of tensors
        As `first_rows` gives them.

    Returns
    -------
    same : bool
    """
    return len(first) == len(second) and all(
        a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=_tolerance(a))
        for a, b in zip(first, second, strict=True)
    )


def _tolerance(values: torch.Tensor) -> float:
    return TOLERANCE * values.abs().max().item() if values.numel() else 0.0

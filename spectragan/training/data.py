"""Rows of tensors as a data set, and batches of them as one indexing operation each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils.data import Dataset

Rows = torch.Tensor | Mapping[str, "Rows"]


class TensorRows(Dataset):
    """Tensors of equal length, read many rows at a time.

    The default collate of a ``DataLoader`` stacks single rows, which is 4-8 times slower than
    indexing once: this data set answers ``__getitems__`` with the finished batch.

    Parameters
    ----------
    inputs : tensor of shape (n_rows, ...) or mapping of str to such tensors
        What the module is called with.
    targets : tensor of shape (n_rows, ...), mapping of such or None, default=None
        What the loss compares with; None gives targets without columns.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.data import TensorRows
    >>> rows = TensorRows({"labels": torch.arange(6.0).reshape(3, 2)}, torch.arange(3.0))
    >>> inputs, targets = rows.__getitems__([2, 0])
    >>> targets
    tensor([2., 0.])
    """

    def __init__(self, inputs: Rows, targets: Rows | None = None) -> None:
        self.inputs: Any = inputs
        self.targets: Any = torch.empty(_length(inputs), 0) if targets is None else targets
        lengths = {len(tensor) for tensor in (*_leaves(self.inputs), *_leaves(self.targets))}
        if len(lengths) != 1:
            raise ValueError(
                f"`inputs` and `targets` must have equally many rows; got {sorted(lengths)}; "
                "pass tensors of one length."
            )

    def __len__(self) -> int:
        return _length(self.inputs)

    def __getitem__(self, index: int) -> tuple[Rows, Rows]:
        return _take(self.inputs, index), _take(self.targets, index)

    def order(self) -> torch.Tensor:
        """Return a new order of all rows, from torch's default generator."""
        return torch.randperm(len(self))

    def __getitems__(self, indices: Sequence[int] | torch.Tensor) -> tuple[Rows, Rows]:
        """Return the batch of the rows `indices`.

        Parameters
        ----------
        indices : sequence of int or tensor of shape (n_batch,)

        Returns
        -------
        batch : tuple of (inputs, targets)
            Each with `n_batch` rows.
        """
        rows = torch.as_tensor(indices)
        return _take(self.inputs, rows), _take(self.targets, rows)


def identity_collate(batch: tuple[Rows, Rows]) -> tuple[Rows, Rows]:
    """Return `batch` as it is: the ``collate_fn`` for a ``DataLoader`` over `TensorRows`.

    Parameters
    ----------
    batch : tuple of (inputs, targets)

    Returns
    -------
    batch : tuple of (inputs, targets)
    """
    return batch


class RowBatches:
    """Iterate over `TensorRows` in batches, without the overhead of a ``DataLoader``.

    What skorch takes as ``iterator_train`` and ``iterator_valid``. The order of a shuffled pass
    comes from torch's default generator: iterate inside `spectragan.training.seeding.seeded`.

    Parameters
    ----------
    dataset : TensorRows
    batch_size : int, default=64
        -1 for one batch of all rows.
    shuffle : bool, default=False
        Draw a new order for every pass.
    drop_last : bool, default=False
        Leave out a last batch that is not full, unless it is the only one.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.data import RowBatches, TensorRows
    >>> rows = TensorRows(torch.arange(5.0))
    >>> [inputs.tolist() for inputs, _ in RowBatches(rows, batch_size=2)]
    [[0.0, 1.0], [2.0, 3.0], [4.0]]
    """

    def __init__(
        self,
        dataset: TensorRows,
        batch_size: int = 64,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
    ) -> None:
        self.dataset = dataset
        self.batch_size = len(dataset) if batch_size == -1 else min(batch_size, len(dataset))
        self.shuffle = shuffle
        self.drop_last = drop_last

    def __len__(self) -> int:
        full, rest = divmod(len(self.dataset), self.batch_size)
        return full if self.drop_last or rest == 0 else full + 1

    def __iter__(self) -> Iterator[tuple[Rows, Rows]]:
        n_rows = len(self.dataset)
        order = self.dataset.order() if self.shuffle else torch.arange(n_rows)
        for batch in range(len(self)):
            start = batch * self.batch_size
            yield self.dataset.__getitems__(order[start : start + self.batch_size])


def _take(rows: Rows, index: int | torch.Tensor) -> Rows:
    if isinstance(rows, Mapping):
        return {name: _take(value, index) for name, value in rows.items()}
    return rows[index]


def _leaves(rows: Rows) -> list[torch.Tensor]:
    if isinstance(rows, Mapping):
        return [leaf for value in rows.values() for leaf in _leaves(value)]
    return [rows]


def _length(rows: Rows) -> int:
    return len(_leaves(rows)[0])

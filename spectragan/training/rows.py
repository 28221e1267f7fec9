"""Rows of tensors as a data set, and batches of them as one indexing operation each."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    >>> from spectragan.training.rows import TensorRows
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
    comes from torch's default generator: iterate inside `spectragan.training.devices.seeded`.

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
    >>> from spectragan.training.rows import RowBatches, TensorRows
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


Batch = tuple[dict[str, dict[str, torch.Tensor]], torch.Tensor]


class DomainRows(Dataset):
    """Training rows of both domains.

    Parameters
    ----------
    synthetic, observed : dict of tensors of shape (n_d, ...)
        Rows by name, of equal length within a domain.
    draw : mapping of {"synthetic", "observed"} to callables, default=None
        For domains that don't fit into memory: ``draw[name](n_rows)`` reads other rows, at most so
        many, for each epoch; the ones above are then an example.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.rows import DomainRows
    >>> len(DomainRows({"x": torch.ones(3, 2)}, {"x": torch.ones(5, 2)}))
    5
    """

    def __init__(
        self,
        synthetic: dict[str, torch.Tensor],
        observed: dict[str, torch.Tensor],
        draw: Mapping[str, Callable[[int], dict[str, torch.Tensor]]] | None = None,
    ) -> None:
        self.parts = {"synthetic": TensorRows(synthetic), "observed": TensorRows(observed)}
        self.draw = dict(draw or {})

    def epoch(self, n_rows: int) -> dict[str, dict[str, torch.Tensor]]:
        """Return the rows of both domains that one epoch is made of.

        Parameters
        ----------
        n_rows : int
            How many are needed; there may be more, or fewer.

        Returns
        -------
        rows : dict of str to dict of tensors
        """
        return {
            name: self.draw[name](n_rows) if name in self.draw else part.inputs
            for name, part in self.parts.items()
        }

    def __len__(self) -> int:
        return max(len(part) for part in self.parts.values())


class DomainBatches:
    """Iterate over one epoch of unpaired batches, which is what skorch takes as iterator.

    Each domain is read in an order of its own, every row once before any comes again. The orders
    come from torch's default generator: iterate inside `spectragan.training.devices.seeded`.

    Parameters
    ----------
    dataset : DomainRows
    batch_size : int
        Rows of each domain in a batch.
    n_batches : int
        Batches in an epoch.
    oversample : int, default=1
        Synthetic candidates for every place in a batch. If there are several, values have the
        shape (batch_size, oversample, ...), and ``row`` says which row of the epoch each is. An
        epoch has no more different rows for that: each comes as often again.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.rows import DomainBatches, DomainRows
    >>> rows = DomainRows({"x": torch.ones(3, 2)}, {"x": torch.ones(5, 2)})
    >>> [batch["observed"]["x"].shape[0] for batch, _ in DomainBatches(rows, 4, n_batches=2)]
    [4, 4]
    """

    def __init__(
        self, dataset: DomainRows, batch_size: int, *, n_batches: int, oversample: int = 1
    ) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.n_batches = n_batches
        self.oversample = oversample

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[Batch]:
        parts = self.dataset.epoch(self.n_batches * self.batch_size)
        times = {"synthetic": self.oversample, "observed": 1}
        orders = {name: self._order(len(part["x"]), times[name]) for name, part in parts.items()}
        for i in range(self.n_batches):
            batch = {
                name: {key: values[orders[name][i]] for key, values in part.items()}
                for name, part in parts.items()
            }
            if self.oversample > 1:
                batch["synthetic"]["row"] = orders["synthetic"][i]
            yield batch, torch.empty(self.batch_size, 0)

    def _order(self, n_rows: int, times: int) -> torch.Tensor:
        """Return row numbers for all batches: shuffled passes, one after the other."""
        n_needed = self.n_batches * self.batch_size
        if times == 1:
            return self._passes(n_rows, n_needed).reshape(self.n_batches, self.batch_size)
        some = torch.randperm(n_rows)[:n_needed]
        order = some[self._passes(len(some), n_needed * times)]
        return order.reshape(self.n_batches, self.batch_size, times)

    @staticmethod
    def _passes(n_rows: int, n_needed: int) -> torch.Tensor:
        n_passes = -(-n_needed // n_rows)
        return torch.cat([torch.randperm(n_rows) for _ in range(n_passes)])[:n_needed]

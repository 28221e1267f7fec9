"""Unpaired batches: rows of both domains drawn side by side."""

from collections.abc import Callable, Iterator, Mapping

import torch
from torch.utils.data import Dataset

from spectragan.training.data import TensorRows

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
    >>> from spectragan.training.domains import DomainRows
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
    come from torch's default generator: iterate inside `spectragan.training.seeding.seeded`.

    Parameters
    ----------
    dataset : DomainRows
    batch_size : int
        Rows of each domain in a batch.
    n_batches : int
        Batches in an epoch.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.domains import DomainBatches, DomainRows
    >>> rows = DomainRows({"x": torch.ones(3, 2)}, {"x": torch.ones(5, 2)})
    >>> [batch["observed"]["x"].shape[0] for batch, _ in DomainBatches(rows, 4, n_batches=2)]
    [4, 4]
    """

    def __init__(self, dataset: DomainRows, batch_size: int, *, n_batches: int) -> None:
        self.dataset = dataset
        self.batch_size = batch_size
        self.n_batches = n_batches

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[Batch]:
        parts = self.dataset.epoch(self.n_batches * self.batch_size)
        orders = {name: self._order(len(part["x"])) for name, part in parts.items()}
        for i in range(self.n_batches):
            rows = slice(i * self.batch_size, (i + 1) * self.batch_size)
            batch = {
                name: {key: values[orders[name][rows]] for key, values in part.items()}
                for name, part in parts.items()
            }
            yield batch, torch.empty(self.batch_size, 0)

    def _order(self, n_rows: int) -> torch.Tensor:
        """Return row numbers for all batches: shuffled passes, one after the other."""
        n_needed = self.n_batches * self.batch_size
        n_passes = -(-n_needed // n_rows)
        return torch.cat([torch.randperm(n_rows) for _ in range(n_passes)])[:n_needed]

"""Training spectra that are larger than the memory: read in runs of rows, shuffled."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from spectragan.spectra.lazy import LazySpectra
from spectragan.training.representation import DomainData, Rows
from spectragan.training.subspace import CHUNK_ROWS, mean_spectra, sum_spectra

SAMPLE_VALUES = 2**23  # flux values held in memory of a larger set: what training starts from
SAMPLE_ROWS = 2000  # at least: of fewer, components and covariances would be noisy
RUN_ROWS = 64  # read together: neighbours in a file are shuffled among thousands of other rows


class StoredDomain:
    """Spectra of one domain, too many for the memory.

    Parameters
    ----------
    spectra : LazySpectra
    convert : callable
        Makes `DomainData` of `Spectra` in memory.
    """

    def __init__(self, spectra: LazySpectra, convert: Callable[[Any], DomainData]) -> None:
        self.spectra, self.convert = spectra, convert

    def __len__(self) -> int:
        return len(self.spectra)

    @property
    def sample_rows(self) -> int:
        """How many spectra may be in memory at once."""
        return max(SAMPLE_ROWS, SAMPLE_VALUES // self.spectra.shape[1])

    def smallest(self) -> "DomainData | StoredDomain":
        """Return the spectra in memory if they are few, else this object."""
        return self if len(self) > self.sample_rows else self.convert(self.spectra.load())

    def take(self, rows: slice | np.ndarray) -> DomainData:
        """Read some spectra.

        Parameters
        ----------
        rows : slice or ndarray of int

        Returns
        -------
        data : DomainData
        """
        return self.convert(self.spectra[rows].load())

    def blocks(self) -> Iterator[tuple[slice, DomainData]]:
        """Read all spectra, block by block, in their order.

        Yields
        ------
        rows : slice
        data : DomainData
        """
        first = 0
        for block in self.spectra.blocks():
            yield slice(first, first + len(block)), self.convert(block)
            first += len(block)

    def sample(self, rng: np.random.RandomState) -> DomainData:
        """Read a random part of all spectra, as large as may be in memory.

        Parameters
        ----------
        rng : RandomState

        Returns
        -------
        data : DomainData
        """
        return self.take(np.sort(draw_runs(len(self), self.sample_rows, rng.permutation)))


Domain = DomainData | StoredDomain


def stored_means(domains: Sequence[Domain]) -> np.ndarray | None:
    """Return the mean spectra of domains that aren't in memory, or None if both are.

    Parameters
    ----------
    domains : two DomainData or StoredDomain

    Returns
    -------
    means : ndarray of shape (2, n_pixels) or None
    """
    if all(isinstance(data, DomainData) for data in domains):
        return None
    sums, counts = [], []
    for data in domains:
        parts = [sum_spectra(block.flux, block.good) for _, block in data.blocks()]
        total, number = (np.sum(column, axis=0) for column in zip(*parts, strict=True))
        sums.append(total)
        counts.append(number)
    return mean_spectra(sums, counts)


def draw_rows(
    n_rows: int,
    *,
    data: StoredDomain,
    domain: int,
    representation: Any,
    translation: np.ndarray | None,
) -> Rows:
    """Read training rows of some spectra from all over a file, for one epoch.

    Parameters
    ----------
    n_rows : int
        Wanted; fewer if there aren't as many, or they don't fit into memory.
    data : StoredDomain
    domain : {0, 1}
    representation : SubspaceRepresentation or PixelRepresentation
    translation : ndarray of shape (n_components, n_components) or None
        Of the linear start, where rows are to have one.

    Returns
    -------
    rows : dict of tensors of shape (n_rows, ...)
        Run by run: shuffle them. Which ones is drawn from torch's default generator.
    """
    n_drawn = min(n_rows, len(data), data.sample_rows)
    drawn = draw_runs(len(data), n_drawn, torch.randperm)
    parts = []
    for start in range(0, len(drawn), CHUNK_ROWS):
        part = data.take(drawn[start : start + CHUNK_ROWS])
        projected = representation.subspace.project(part.flux, part.weights, domain)
        rows = representation.rows(part, domain, *projected)
        if translation is not None:
            rows["start"] = representation.start(rows["x"], translation)
        parts.append(rows)
    return {name: torch.cat([rows[name] for rows in parts]) for name in parts[0]}


def draw_runs(n_rows: int, n_drawn: int, permutation: Callable[[int], Any]) -> np.ndarray:
    """Draw rows in short runs, so that they can be read fast.

    Parameters
    ----------
    n_rows, n_drawn : int
        Rows there are, and rows wanted.
    permutation : callable
        ``permutation(n)`` draws an order of n things.

    Returns
    -------
    rows : ndarray of int of shape (n_drawn,)
        Different ones, run by run; the last run is cut.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.training.stored_domain import draw_runs
    >>> len(set(draw_runs(1000, 300, np.random.RandomState(0).permutation)))
    300
    """
    n_runs = -(-n_rows // RUN_ROWS)
    runs = np.asarray(permutation(n_runs))[: -(-n_drawn // RUN_ROWS) + 1]
    rows = (runs[:, None] * RUN_ROWS + np.arange(RUN_ROWS)).ravel()
    return rows[rows < n_rows][:n_drawn]

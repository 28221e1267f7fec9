"""Spectra of one domain as numbers: in memory or, if they are larger, read in runs of rows."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from spectragan.spectra import Spectra
from spectragan.spectra.lazy import LazySpectra
from spectragan.training.stored_rows import SAMPLE_ROWS, SAMPLE_VALUES, draw_runs
from spectragan.translator.subspace import CHUNK_ROWS, mean_spectra, sum_spectra

Rows = dict[str, torch.Tensor]


@dataclass(frozen=True)
class DomainData:
    """Spectra of one domain, as numbers.

    Attributes
    ----------
    flux : ndarray of shape (n_spectra, n_pixels)
        Finite everywhere.
    weights : ndarray of shape (n_spectra, n_pixels)
        Inverse variances where they are known, else 0 or 1.
    known : ndarray of bool of shape (n_spectra,)
        Whether the errors of a spectrum are known.
    exact : ndarray of bool of shape (n_spectra,)
        Whether a spectrum has no noise.
    """

    flux: np.ndarray
    weights: np.ndarray
    known: np.ndarray
    exact: np.ndarray

    @property
    def good(self) -> np.ndarray:
        """Mask of shape (n_spectra, n_pixels): True where a pixel counts."""
        return self.weights > 0

    def __len__(self) -> int:
        return len(self.flux)

    def take(self, rows: slice | np.ndarray) -> "DomainData":
        """Return some spectra."""
        return DomainData(self.flux[rows], self.weights[rows], self.known[rows], self.exact[rows])

    def blocks(self) -> Iterator[tuple[slice, "DomainData"]]:
        """Yield all spectra at once: they are in memory anyway."""
        yield slice(0, len(self)), self

    def sample(self, rng: np.random.RandomState) -> "DomainData":
        """Return all spectra; what doesn't fit into memory returns a part."""
        return self


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


def domain_data(spectra: Spectra) -> Domain:
    """Return what training needs of `spectra`, as numbers.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    data : DomainData or StoredDomain
        Lazy spectra stay where they are, unless they are few.
    """
    if isinstance(spectra, LazySpectra):
        return StoredDomain(spectra, memory_data).smallest()
    return memory_data(spectra)


def memory_data(spectra: Spectra) -> DomainData:
    """Return what training needs of `spectra` in memory.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    data : DomainData
    """
    return DomainData(
        flux=spectra.filled(),
        weights=np.asarray(spectra.ivar),
        known=spectra.noise == "known",
        exact=spectra.noise == "exact",
    )


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
    start: Callable[[DomainData, torch.Tensor], torch.Tensor] | None,
) -> Rows:
    """Read training rows of some spectra from all over a file, for one epoch.

    Parameters
    ----------
    n_rows : int
        Wanted; fewer if there aren't as many, or they don't fit into memory.
    data : StoredDomain
    domain : {0, 1}
    representation : SubspaceRepresentation or PixelRepresentation
    start : callable, default=None
        Turns spectra and their rows into rows of the start, where there are to be any.

    Returns
    -------
    rows : dict of tensors of shape (n_rows, ...)
        Run by run: shuffle them. Which ones is drawn from torch's default generator.
    """
    n_drawn = min(n_rows, len(data), data.sample_rows)
    drawn = draw_runs(len(data), n_drawn, torch.randperm)
    parts = []
    for first in range(0, len(drawn), CHUNK_ROWS):
        part = data.take(drawn[first : first + CHUNK_ROWS])
        projected = representation.subspace.project(part.flux, part.weights, domain)
        rows = representation.rows(part, domain, *projected)
        if start is not None:
            rows["start"] = start(part, rows["x"])
        parts.append(rows)
    return {name: torch.cat([rows[name] for rows in parts]) for name in parts[0]}

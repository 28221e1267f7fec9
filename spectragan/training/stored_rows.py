"""Training rows that are larger than the memory: read page by page, shuffled."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch

from spectragan.training.rows import Rows, TensorRows

SAMPLE_VALUES = 2**23  # flux values held in memory of a larger set: what training starts from
SAMPLE_ROWS = 2000  # at least: of fewer, components and covariances would be noisy
RUN_ROWS = 64  # read together: neighbours in a file are shuffled among thousands of other rows
PAGE_VALUES = 2**22  # pixels of the spectra that are in memory at once
EXAMPLE_ROWS = 8


class StoredRows(TensorRows):
    """Rows whose inputs are read from a file: those of a page at once.

    A page is made of short runs of rows from all over the file, and is shuffled itself: so are
    neighbours in the file, within and across pages, in each pass anew.

    Parameters
    ----------
    read : callable
        ``read(rows)`` returns the inputs of some rows, an ndarray of int, as a dict of tensors,
        with the spectra of shape (n_rows, n_pixels) under ``flux``.
    targets : tensor of shape (n_rows, n_targets)

    Notes
    -----
    ``inputs`` holds the first rows only, as an example.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.rows import RowBatches
    >>> from spectragan.training.stored_rows import StoredRows
    >>> targets = torch.arange(500.0)[:, None]
    >>> rows = StoredRows(lambda rows: {"flux": targets[rows]}, targets)
    >>> all(bool((x["flux"] == y).all()) for x, y in RowBatches(rows, 100, shuffle=True))
    True
    """

    def __init__(self, read: Callable[[np.ndarray], Any], targets: torch.Tensor) -> None:
        self.read, self.targets = read, targets
        self.inputs = read(np.arange(min(EXAMPLE_ROWS, len(targets))))
        self._page_of = torch.zeros(len(targets), dtype=torch.int64)
        self._place_of = torch.arange(len(targets))
        self._page: dict[int, Any] = {}
        self._paginate(torch.arange(-(-len(targets) // RUN_ROWS)))

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Rows, Rows]:
        inputs, targets = self.__getitems__([index])
        return {name: tensor[0] for name, tensor in inputs.items()}, targets[0]  # type: ignore

    def __getitems__(self, indices: Sequence[int] | torch.Tensor) -> tuple[Rows, Rows]:
        """Return the batch of the rows `indices`, see `TensorRows.__getitems__`."""
        rows = torch.as_tensor(indices)
        pages = self._page_of[rows]
        parts, places = [], []
        for page in dict.fromkeys(pages.tolist()):
            where = torch.nonzero(pages == page).ravel()
            inputs = self._open(page)
            found = self._place_of[rows[where]]
            parts.append({name: tensor[found] for name, tensor in inputs.items()})
            places.append(where)
        back = torch.cat(places).argsort()
        joined = {name: torch.cat([part[name] for part in parts])[back] for name in parts[0]}
        return joined, self.targets[rows]

    def order(self) -> torch.Tensor:
        """Return a new order of all rows, from torch's default generator, page by page."""
        pages = self._paginate(torch.randperm(-(-len(self) // RUN_ROWS)))
        return torch.cat([rows[torch.randperm(len(rows))] for rows in pages])

    def _paginate(self, runs: torch.Tensor) -> list[torch.Tensor]:
        """Make pages of runs in this order; return the rows of each in the order of the file."""
        n_pixels = self.inputs["flux"].shape[1]
        per_page = max(1, PAGE_VALUES // (n_pixels * RUN_ROWS))
        pages = []
        for number, some in enumerate(runs.split(per_page)):
            rows = (some.sort().values[:, None] * RUN_ROWS + torch.arange(RUN_ROWS)).ravel()
            rows = rows[rows < len(self)]
            self._page_of[rows], self._place_of[rows] = number, torch.arange(len(rows))
            pages.append(rows)
        self._page = {}
        return pages

    def _open(self, page: int) -> Any:
        """Return the inputs of a page; only one page is in memory."""
        if page not in self._page:
            rows = torch.nonzero(self._page_of == page).ravel()
            self._page = {}  # the last one goes before the next one comes
            self._page = {page: self.read(rows.numpy())}
        return self._page[page]


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
    >>> from spectragan.training.stored_rows import draw_runs
    >>> len(set(draw_runs(1000, 300, np.random.RandomState(0).permutation)))
    300
    """
    n_runs = -(-n_rows // RUN_ROWS)
    runs = np.asarray(permutation(n_runs))[: -(-n_drawn // RUN_ROWS) + 1]
    rows = (runs[:, None] * RUN_ROWS + np.arange(RUN_ROWS)).ravel()
    return rows[rows < n_rows][:n_drawn]

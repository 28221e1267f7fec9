"""Share rows between threads: better use of cores than torch makes of small products."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import torch

from spectragan.training.seeding import one_thread

FEWEST_ROWS = 32  # per thread: fewer are not worth one

Result = TypeVar("Result")


def map_rows(function: Callable[[slice], Result], n_rows: int) -> list[Result]:
    """Apply a function to all rows, in as many parts as torch has threads.

    Parameters
    ----------
    function : callable
        Takes a slice of rows; torch uses one thread in it.
    n_rows : int

    Returns
    -------
    results : list
        In the order of the rows; at least one.

    Examples
    --------
    >>> from spectragan.training.threads import map_rows
    >>> sum(map_rows(lambda rows: len(range(1000)[rows]), 1000))
    1000
    """
    n_threads = max(1, min(torch.get_num_threads(), n_rows // FEWEST_ROWS))
    bounds = [round(i * n_rows / n_threads) for i in range(n_threads + 1)]
    parts = [slice(first, last) for first, last in pairwise(bounds)]
    with one_thread():
        if n_threads == 1:
            return [function(parts[0])]
        # New threads don't inherit the setting.
        with ThreadPoolExecutor(
            n_threads, initializer=torch.set_num_threads, initargs=(1,)
        ) as pool:
            return list(pool.map(function, parts))

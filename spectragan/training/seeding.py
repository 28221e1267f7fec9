"""Seed torch for one block of work and leave every global generator as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from sklearn.utils import check_random_state

MAX_SEED = 2**31 - 1  # the largest upper bound that RandomState.randint takes on every platform


def draw_seeds(random_state: int | np.random.RandomState | None = None) -> tuple[int, int]:
    """Return the seeds of one block of work, for torch and for numpy.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        An int gives the same seeds each time; an instance is advanced by two draws; None takes
        fresh entropy from the operating system.

    Returns
    -------
    seeds : tuple of two ints
        What `seeded` takes, too.
    """
    parent = np.random.RandomState() if random_state is None else check_random_state(random_state)
    torch_seed, numpy_seed = (int(seed) for seed in parent.randint(MAX_SEED, size=2))
    return torch_seed, numpy_seed


@contextmanager
def seeded(
    random_state: int | np.random.RandomState | tuple[int, int] | None = None,
    device: torch.device | str | None = None,
) -> Iterator[np.random.RandomState]:
    """Run a block with torch seeded from a scikit-learn style ``random_state``.

    Inside the block torch's default generators (CPU, and that of `device` when it is a GPU)
    start from one seed drawn from `random_state`; afterwards they are where they were before.
    numpy's global generator is never touched, not even with ``random_state=None``.

    Parameters
    ----------
    random_state : int, RandomState instance, seeds or None, default=None
        As `draw_seeds` takes it, or what that returns.
    device : torch.device, str or None, default=None
        The device the block computes on, so that its generator is forked too.

    Yields
    ------
    rng : RandomState
        A private generator for the numpy draws of the block.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.seeding import seeded
    >>> with seeded(0):
    ...     first = torch.rand(2)
    >>> with seeded(0):
    ...     again = torch.rand(2)
    >>> torch.equal(first, again)
    True
    """
    if not isinstance(random_state, tuple):
        random_state = draw_seeds(random_state)
    torch_seed, numpy_seed = random_state
    with torch.random.fork_rng(**_fork_arguments(device)):
        torch.manual_seed(torch_seed)
        yield np.random.RandomState(numpy_seed)


def _fork_arguments(device: torch.device | str | None) -> dict:
    """Return what ``fork_rng`` needs to fork the generator of `device` besides the CPU's."""
    kind = "cpu" if device is None else torch.device(device).type
    if kind == "cpu":
        # torch.manual_seed reaches every GPU generator that was initialised: fork those too.
        initialised = torch.cuda.is_available() and torch.cuda.is_initialized()
        return {"devices": range(torch.cuda.device_count()) if initialised else []}
    count = torch.get_device_module(kind).device_count()
    return {"devices": range(count), "device_type": kind}


@contextmanager
def one_thread() -> Iterator[None]:
    """Run a block with torch on one thread.

    For networks of a few thousand weights: splitting their products costs more than it saves, a
    lot more on a busy machine, and would let results depend on the number of cores.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.seeding import one_thread
    >>> with one_thread():
    ...     torch.get_num_threads()
    1
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

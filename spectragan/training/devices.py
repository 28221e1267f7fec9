"""Where and with which random numbers networks are trained, and on how many threads."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
from sklearn.utils import check_random_state


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """Return the torch device named by `device`.

    Parameters
    ----------
    device : str or torch.device, default="auto"
        "auto" picks the first there is of cuda, mps and cpu; anything else is a torch device
        name such as "cpu", "cuda" or "cuda:1".

    Returns
    -------
    device : torch.device

    Raises
    ------
    ValueError
        If `device` is no device name or this machine has no such device.

    Examples
    --------
    >>> from spectragan.training.devices import resolve_device
    >>> resolve_device("cpu")
    device(type='cpu')
    """
    if isinstance(device, str) and device == "auto":
        return torch.device(_best_available())
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(
            f'`device` must be "auto" or a torch device name; got {device!r}; use "auto" to pick '
            "the fastest device there is."
        ) from error
    if not _is_available(resolved):
        raise ValueError(
            f"`device` must be one that torch finds on this machine; got {str(resolved)!r}; use "
            f'"auto", which here picks "{_best_available()}".'
        )
    return resolved


def _best_available() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _is_available(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()
    if device.type == "mps":
        return torch.backends.mps.is_available()
    return device.type == "cpu"


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
def plain_torch() -> Iterator[None]:
    """Run a block, or a function, with torch as it is when it has just been imported.

    Scripts change its defaults: double precision for Gaussian processes, another device, no
    gradients. Networks here are built and trained with single precision, on the CPU until they are
    moved, and with gradients. Afterwards all is as it was before.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.devices import plain_torch
    >>> with torch.inference_mode(), plain_torch():
    ...     torch.ones(1, requires_grad=True).sum().requires_grad
    True
    """
    before = torch.get_default_dtype()
    # Entering a device costs time at every call in the block: only where another one is set.
    elsewhere = torch.get_default_device().type != "cpu"
    if before != torch.float32:
        torch.set_default_dtype(torch.float32)
    try:
        device = torch.device("cpu") if elsewhere else nullcontext()
        with device, torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        if before != torch.float32:
            torch.set_default_dtype(before)


@contextmanager
def seeded(
    random_state: int | np.random.RandomState | tuple[int, int] | None = None,
    device: torch.device | str | None = None,
) -> Iterator[np.random.RandomState]:
    """Run a block with torch seeded from a scikit-learn style ``random_state``.

    Inside the block torch's default generators (CPU, and that of `device` when it is a GPU)
    start from one seed drawn from `random_state`; afterwards they are where they were before, and
    so are torch's defaults, see `plain_torch`.
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
    >>> from spectragan.training.devices import seeded
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
    with plain_torch(), torch.random.fork_rng(**_fork_arguments(device)):
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
    >>> from spectragan.training.devices import one_thread
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
    >>> from spectragan.training.devices import map_rows
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


def to_device(values: Any, device: torch.device | str) -> Any:
    """Return tensors on a device.

    Parameters
    ----------
    values : tensor, or mapping of these
    device : torch.device or str

    Returns
    -------
    values : tensor or dict
    """
    if isinstance(values, Mapping):
        return {name: to_device(part, device) for name, part in values.items()}
    return values.to(device)

"""Read the next batch while the present one trains, and send it to a GPU from pinned memory."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch


class Prefetched:
    """Iterate over batches, each read while the one before trains.

    Parameters
    ----------
    batches : iterable of batches
        It may draw random numbers for the first batch, and none after that: then batches are
        bit-identical to those read one by one.
    device : torch.device
        A CUDA device. Batches are left in pinned memory, from where `to_device` sends them
        without waiting.
    """

    def __init__(self, batches: Iterable[Any], device: torch.device) -> None:
        self.batches = batches
        self.device = device

    def __iter__(self) -> Iterator[Any]:
        device = self.device.index
        # Memory is pinned for the device of the thread that asks.
        choose = (torch.cuda.current_device() if device is None else device,)
        reading = iter(self.batches)
        with ThreadPoolExecutor(1, initializer=torch.cuda.set_device, initargs=choose) as thread:
            coming = thread.submit(_read, reading)
            while (batch := coming.result()) is not None:
                coming = thread.submit(_read, reading)
                yield batch


def prefetched(batches: Iterable[Any], device: torch.device | str) -> Iterable[Any]:
    """Return batches that are read ahead where the device is a CUDA one, else as they are.

    Parameters
    ----------
    batches : iterable of batches
        See `Prefetched`.
    device : torch.device or str

    Returns
    -------
    batches : iterable of batches

    Examples
    --------
    >>> from spectragan.training.prefetch import prefetched
    >>> list(prefetched([1, 2], "cpu"))
    [1, 2]
    """
    device = torch.device(device)
    return Prefetched(batches, device) if device.type == "cuda" else batches


def to_device(values: Any, device: torch.device | str) -> Any:
    """Return tensors on a device; pinned ones are sent without waiting.

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
    return values.to(device, non_blocking=torch.device(device).type == "cuda")


def _read(reading: Iterator[Any]) -> Any:
    batch = next(reading, None)
    return None if batch is None else _pinned(batch)


def _pinned(values: Any) -> Any:
    if isinstance(values, Mapping):
        return {name: _pinned(part) for name, part in values.items()}
    if isinstance(values, tuple):
        return tuple(_pinned(part) for part in values)
    return values.pin_memory() if values.numel() else values

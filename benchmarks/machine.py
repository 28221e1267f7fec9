"""The line that says where a table was measured, and the processes in which parts of it are."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from datetime import date
from importlib.metadata import version
from platform import machine, python_version
from typing import Any, NamedTuple

import spectragan


class Cost(NamedTuple):
    """What a call took.

    Attributes
    ----------
    seconds : float
        Of the processor.
    memory : float
        Growth of the largest resident set during the call, in MB.
    """

    seconds: float
    memory: float


def describe_machine(*packages: str) -> str:
    """Return date, machine, and the versions of Python, of packages, and of our own."""
    versions = [f"{name} {version(name)}" for name in packages]
    versions.append(f"spectragan {spectragan.__version__}")  # of a clone that nobody installed, too
    return ", ".join([f"{date.today()}", machine(), f"Python {python_version()}", *versions])


def cost_of(function: Callable[[], Any]) -> Cost:
    """Call a function, and return what that took."""
    before, start = peak_memory(), time.process_time()
    function()
    return Cost(time.process_time() - start, peak_memory() - before)


def peak_memory() -> float:
    """Return the most memory this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def in_new_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return the result of a call in a process of its own, whose memory starts small."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)

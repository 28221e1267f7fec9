"""The line that says where a table was measured, and the processes in which parts of it are."""

import argparse
import multiprocessing
import resource
import time
from collections.abc import Callable, Mapping
from datetime import date
from importlib.metadata import version
from pathlib import Path
from platform import machine, python_version
from typing import Any, NamedTuple

import torch

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


def write_parts(
    doc: str, title: str, parts: Mapping[str, Callable[[], list[str]]], titles: Mapping[str, str]
) -> None:
    """Print the tables asked for on the command line, and write them to a file on request."""
    parser = argparse.ArgumentParser(description=doc.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    parser.add_argument("--parts", nargs="+", choices=parts, default=list(parts))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tables = [f"# {title}\n\n{describe_machine('torch')}, 1 thread."]
    for part in arguments.parts:
        tables.append("\n".join([f"## {titles[part]}\n", *parts[part]()]))
        if arguments.output is not None:
            arguments.output.write_text("\n\n".join(tables) + "\n")


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

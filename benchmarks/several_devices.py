"""Is training on two devices faster? Steps of one process, and of two that share each batch.

``python -m benchmarks.several_devices [--output FILE] [--epochs N]`` trains `CycleGANTranslator` on
2 x 1000 spectra of 300 pixels in one process and, with ``device="accelerate"``, in two on one
machine, one thread each. The time of a step is that of the quickest epoch: of the clock, and of
the processor, which leaves out waiting and is disturbed less by other work on the machine.
"""

import argparse
import os
import socket
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
import torch.multiprocessing as mp

from benchmarks.machine import describe_machine
from spectragan import CycleGANTranslator
from spectragan.datasets import make_mock_domains
from spectragan.translator.game.net import EpochMeans

N_STEPS = {"subspace": 20, "conv": 5}  # in an epoch
N_PROCESSES = 2


def time_step(network: str, device: str, n_epochs: int) -> np.ndarray:
    """Return milliseconds of a step, of the clock and of the processor."""
    ends, average = [], EpochMeans.on_epoch_end

    def note_time(self, net, **kwargs) -> None:
        average(self, net, **kwargs)
        ends.append((time.perf_counter(), time.process_time()))

    EpochMeans.on_epoch_end = note_time
    mock = make_mock_domains(1000, 1000, n_pixels=300, random_state=0)
    CycleGANTranslator(
        network,
        max_epochs=n_epochs,
        warmup_epochs=0,
        steps_per_epoch=N_STEPS[network],
        random_state=0,
        verbose=0,
        device=device,
    ).fit(mock.synthetic, mock.observed)
    EpochMeans.on_epoch_end = average
    return 1e3 * np.diff(ends, axis=0).min(axis=0) / N_STEPS[network]


def share(rank: int, port: int, n_epochs: int, folder: str) -> None:
    """Train as one of the processes, and write the times of both networks."""
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": N_PROCESSES}
    for name, value in {**place, "RANK": rank, "LOCAL_RANK": rank}.items():
        os.environ[name] = str(value)
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    times = [time_step(network, "accelerate", n_epochs) for network in N_STEPS]
    np.savetxt(f"{folder}/{rank}", times)


def main() -> None:
    """Print the times, and write them to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    parser.add_argument("--epochs", type=int, default=10)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    alone = np.array([time_step(network, "cpu", arguments.epochs) for network in N_STEPS])
    with socket.socket() as free, tempfile.TemporaryDirectory() as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        os.environ["OMP_NUM_THREADS"] = "1"
        mp.spawn(share, (port, arguments.epochs, folder), nprocs=N_PROCESSES)
        shared = np.mean([np.loadtxt(f"{folder}/{rank}") for rank in range(N_PROCESSES)], axis=0)
    lines = [
        "| network | time of | one process, ms per step | two processes, ms per step | ratio |",
        "|---|---|---|---|---|",
    ]
    for name, one, two in zip(N_STEPS, alone, shared, strict=True):
        for kind, a, b in zip(("clock", "processor, each"), one, two, strict=True):
            lines.append(f"| {name} | {kind} | {a:.1f} | {b:.1f} | {a / b:.2f} |")
    print("\n".join(lines))
    if arguments.output is not None:
        where = f"{describe_machine('torch', 'accelerate')}, 1 thread a process."
        head = f"# One training on two devices\n\n{where}\n\n"
        arguments.output.write_text(head + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

"""Would training on two devices be faster? One step of the translator, whole and shared by two.

``python benchmarks/several_devices.py [--output FILE]`` times one training step of
`CycleGANTranslator()` on a batch of 256 spectra per domain, the same on half of it, and the sum of
all gradients over two processes (gloo): what data-parallel training does instead of the first.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from spectragan import CycleGANTranslator
from spectragan.datasets import make_mock_domains
from spectragan.training.domains import DomainBatches, DomainRows

BATCH, N_STEPS, N_ROUNDS = 256, 40, 5


def seconds_of(function, n_calls: int = N_STEPS) -> float:
    """Return processor seconds per call, the least of some rounds: the machine may be busy."""
    rounds = []
    for _ in range(N_ROUNDS):
        start = time.process_time()
        for _ in range(n_calls):
            function()
        rounds.append((time.process_time() - start) / n_calls)
    return min(rounds)


def make_net():
    mock = make_mock_domains(1000, 1000, n_pixels=300, random_state=0)
    translator = CycleGANTranslator(max_epochs=1, warmup_epochs=0, random_state=0, verbose=0)
    return translator.fit(mock.synthetic, mock.observed).net_


def make_rows(net, n_rows: int) -> DomainRows:
    """Return random rows of the shapes that the net is trained on."""
    n = net.module_.decode(*net.module_.encode(torch.zeros(1, _size(net)), 1), 1).shape[1]
    rows = {"x": torch.randn(n_rows, n), "metric": torch.eye(n).repeat(n_rows, 1, 1)}
    rows["noise"] = 0.1 * rows["metric"]
    return DomainRows({**rows, "start": rows["x"]}, rows)


def _size(net) -> int:
    return net.settings.pixel_map[0].shape[1]


def time_step(net, n_rows: int) -> float:
    """Return the processor seconds of one update of both players."""
    batch = next(iter(DomainBatches(make_rows(net, n_rows), n_rows, n_batches=1)))
    net.history.new_epoch()
    net.history.new_batch()
    return seconds_of(lambda: net.train_step(batch))


def time_exchange(rank: int, n_weights: int, folder: str) -> None:
    """Write the seconds, of the clock and of the processor, of one sum of gradients."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    gradients = torch.ones(n_weights)
    dist.barrier()
    clock, cpu = [], []
    for _ in range(N_ROUNDS * N_STEPS):
        start, used = time.perf_counter(), time.process_time()
        dist.all_reduce(gradients)
        clock.append(time.perf_counter() - start)
        cpu.append(time.process_time() - used)
    if rank == 0:
        np.savetxt(f"{folder}/seconds", [np.median(clock), np.quantile(clock, 0.1), np.mean(cpu)])
    dist.destroy_process_group()


def main() -> None:
    """Print the times, and write them to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    output = parser.parse_args().output
    torch.set_num_threads(1)
    net = make_net()
    whole, half = (1e3 * time_step(net, n) for n in (BATCH, BATCH // 2))
    counts = [sum(w.numel() for w in m.parameters()) for m in (net.module_, net.critic_)]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["OMP_NUM_THREADS"] = "1"
        mp.spawn(time_exchange, (sum(counts), folder), nprocs=2)
        median, quick, _ = 1e3 * np.loadtxt(Path(folder) / "seconds")
    text = (
        f"One step on {BATCH} spectra of each domain: {whole:.1f} ms of one core; on half of them "
        f"{half:.1f} ms. Summing the gradients of {sum(counts)} weights over two processes of one "
        f"machine: {quick:.1f} ms (a tenth of the sums are faster), {median:.1f} ms (median), "
        f"twice per step, once for each player. Two processes are at best "
        f"{whole / (half + 2 * quick):.2f} times as fast as one."
    )
    print(text)
    if output is not None:
        output.write_text(f"# One training on two devices\n\n{text}\n")


if __name__ == "__main__":
    main()

"""Kill fits with ``kill -9`` at random times, resume them, and compare with fits left alone.

``python -m benchmarks.kill_and_resume [--kinds KIND ...] [--kills N] [--output FILE]`` fits in
forked processes, kills each at a random time of a random epoch, reads all checkpoints there are,
resumes in another process, kills that, and lets every fifth finish. Linux only. The exit code is 1
if a checkpoint couldn't be read, or a resumed fit ended elsewhere than the one left alone.
"""

import argparse
import hashlib
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import describe_machine
from spectragan import CycleGANTranslator, SpectrumEmulator, StarNetRegressor
from spectragan.datasets import make_mock_domains
from spectragan.training.checkpoints import find_checkpoints, read_about, read_state

COMMON = {"random_state": 0, "device": "cpu", "verbose": 0}
GAME = COMMON | {"steps_per_epoch": 2, "batch_size": 32}
CONV = {"steps_per_epoch": 1, "width": 0.125, "max_epochs": 12, "warmup_epochs": 3}
ESTIMATORS = {
    "subspace": CycleGANTranslator(**GAME, max_epochs=70, warmup_epochs=20),
    "conv": CycleGANTranslator("conv", **GAME | CONV),
    "conv-published": CycleGANTranslator("conv-published", **GAME | CONV),
    "StarNetRegressor": StarNetRegressor(
        **COMMON, hidden=(32,), n_members=3, max_epochs=20, batch_size=16
    ),
    "SpectrumEmulator": SpectrumEmulator(
        2, **COMMON, hidden=(128, 128), n_centers=50, max_epochs=60, batch_size=16
    ),
}
KILLS = {"subspace": 50}  # and 10 of the others
MOST_EPOCHS = 0.3  # of a fit, from one kill to the next
EARLY = 0.1  # of the kills come before training began


def work(kind: str, directory: str, result: Path) -> None:
    """Fit one estimator, from its checkpoint where there is one, and write what came out."""
    mock = make_mock_domains(300, 200, n_pixels=150, random_state=0)
    estimator = ESTIMATORS[kind].set_params(checkpoint=directory or None)
    if isinstance(estimator, CycleGANTranslator):
        data = mock.synthetic, mock.observed
    else:
        data = mock.synthetic, mock.labels_synthetic
        data = data[::-1] if isinstance(estimator, SpectrumEmulator) else data
    start = time.perf_counter()
    estimator.fit(*data, resume=bool(directory))
    seconds = time.perf_counter() - start
    translate = isinstance(estimator, CycleGANTranslator)
    found = estimator.transform(mock.synthetic).flux if translate else estimator.predict(data[0])
    nets = getattr(estimator, "nets_", None) or [estimator.net_]
    weights = hashlib.sha256(np.ascontiguousarray(found).tobytes())
    for net in nets:
        for name in net._modules:
            for tensor in getattr(net, f"{name}_").state_dict().values():
                weights.update(tensor.contiguous().numpy().tobytes())
    # The emulator has no history_ of its own; numpy's numbers come back from a file as Python's.
    losses = [
        [float(epoch.get(name, "nan")) for name in ("train_loss", "valid_loss")]
        for net in nets
        for epoch in net.history
    ]
    history = getattr(estimator, "history_", losses)
    content = {"seconds": seconds, "weights": weights.hexdigest(), "history": repr(history)}
    result.write_text(json.dumps(content))


def start_worker(kind: str, directory: str, result: Path) -> BaseProcess:
    """Return a process that has begun to fit."""
    # Forked: torch is imported once, not some hundred times.
    context = multiprocessing.get_context("fork")
    process = context.Process(target=work, args=(kind, directory, result))
    process.start()
    return process


def finish(kind: str, directory: str, result: Path) -> dict[str, Any]:
    """Fit without a kill and return what came out."""
    process = start_worker(kind, directory, result)
    process.join()
    assert process.exitcode == 0, f"a fit of {kind} failed"
    return json.loads(result.read_text())


def wait(process: BaseProcess, directory: Path, n_epochs: int, rng: random.Random) -> None:
    """Wait for some more checkpoints, and then some part of an epoch."""
    before, first = newest(directory), None
    while process.is_alive() and newest(directory) < before + n_epochs:
        time.sleep(0.002)
        if first is None and newest(directory) > before:
            first = time.perf_counter()
    duration = 0.0 if first is None else time.perf_counter() - first
    time.sleep(rng.uniform(0, max(0.05, duration / n_epochs)))


def newest(directory: Path) -> int:
    """Return how many epochs of all nets the newest checkpoints hold."""
    epochs: dict[int, int] = {}
    for number, epoch, _ in find_checkpoints(directory) if directory.is_dir() else []:
        epochs[number] = max(epoch, epochs.get(number, 0))
    return sum(epochs.values())


def look(directory: Path, counts: Counter) -> int:
    """Read all checkpoints that a kill left; return how many there are."""
    found = find_checkpoints(directory) if directory.is_dir() else []
    counts["checkpoints"] += len(found)
    counts["cut off"] += len(list(directory.glob(".*.tmp")))
    for _, _, path in found:
        try:
            read_about(path)
            read_state(path)
        except (OSError, ValueError):
            counts["unreadable"] += 1
    return len(found)


def torment(kind: str, n_kills: int, rng: random.Random) -> Counter:
    """Kill and resume fits of one kind until there were `n_kills`; return what was counted."""
    counts: Counter = Counter()
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        alone = finish(kind, "", result)
        counts["tenths"] = round(10 * alone["seconds"])
        n_epochs = ESTIMATORS[kind].max_epochs
        while counts["kills"] < n_kills:
            directory = Path(folder) / f"run{counts['fits']}"
            counts["fits"] += 1
            for _ in range(min(4, n_kills - counts["kills"])):
                process = start_worker(kind, str(directory), result)
                if rng.random() < EARLY:
                    time.sleep(rng.uniform(0, 1))
                else:
                    wait(process, directory, rng.randint(1, round(MOST_EPOCHS * n_epochs)), rng)
                if not process.is_alive():
                    break  # it was done before
                process.kill()
                process.join()
                counts["kills"] += 1
                counts["resumed"] += look(directory, counts) > 0
            resumed = finish(kind, str(directory), result)
            same = {name: resumed[name] == alone[name] for name in ("weights", "history")}
            counts["identical"] += all(same.values())
    return counts


def main() -> None:
    """Print a table, and write it to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kinds", nargs="+", choices=ESTIMATORS, default=list(ESTIMATORS))
    parser.add_argument("--kills", type=int, default=None, help="of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        "| estimator | a fit (s) | kills | with a checkpoint | checkpoints read | unreadable | "
        "writes cut off | fits | identical |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    good = True
    for kind in options.kinds:
        n_kills = KILLS.get(kind, 10) if options.kills is None else options.kills
        found = torment(kind, n_kills, random.Random(options.seed))
        good &= found["unreadable"] == 0 and found["identical"] == found["fits"]
        lines.append(
            f"| {kind} | {found['tenths'] / 10} | {found['kills']} | {found['resumed']} | "
            f"{found['checkpoints']} | {found['unreadable']} | {found['cut off']} | "
            f"{found['fits']} | {found['identical']} |"
        )
        print(lines[-1], flush=True)
    where = f"{describe_machine('torch', 'skorch')}, 1 thread."
    text = "\n".join(["# Kill and resume", "", where, "", *lines, ""])
    print(text)
    if options.output is not None:
        options.output.write_text(text)
    sys.exit(not good)


if __name__ == "__main__":
    main()

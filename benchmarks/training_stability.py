"""Does training ever end badly? Twenty seeds on three pairs of domains with known truth.

A seed fixes what is wrong with the models, the stars, their noise and the training. Runs are
shortened: 1000 spectra a side, 25 epochs, mock domains of 1500 pixels. Printed is the rms distance
of translated spectra to the truth, as a part of the raw gap, of `CycleGANTranslator` and of the
baselines.

Run ``OMP_NUM_THREADS=1 python -m benchmarks.training_stability --output
benchmarks/results/training_stability.md --runs runs.jsonl``. Runs in that file aren't done again:
give it anew when the package has changed.
"""

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import torch

from benchmarks.apogee_like import make_apogee_like_pair
from benchmarks.machine import describe_machine
from spectragan import (
    CycleGANTranslator,
    LabelMismatchWarning,
    LinearTranslator,
    MeanShiftTranslator,
)
from spectragan.datasets import make_mock_domains

N_SPECTRA, N_PIXELS = 1000, 1500
EPOCHS = {"max_epochs": 25, "warmup_epochs": 8}


def make_pair(name: str, seed: int):
    """Make one of the three pairs."""
    if name == "APOGEE-like":
        return make_apogee_like_pair(N_SPECTRA, N_SPECTRA, random_state=seed, gap_seed=seed)
    shift = 0.5 if name == "mock, shifted labels" else 0.0
    return make_mock_domains(
        N_SPECTRA,
        N_SPECTRA,
        n_pixels=N_PIXELS,
        label_shift=shift,
        random_state=seed,
        gap_seed=seed,
    )


PAIRS = ("mock, equal labels", "mock, shifted labels", "APOGEE-like")


def left(translator, pair) -> float:
    """Return what a fitted translator leaves of the raw gap."""
    flux = translator.transform(pair.synthetic_of_observed).flux
    return float(np.sqrt(np.mean((flux - pair.observed_truth.flux) ** 2, dtype=float))) / (
        pair.raw_gap
    )


def one_run(name: str, seed: int) -> dict:
    """Measure one seed."""
    pair = make_pair(name, seed)
    result: dict = {"pair": name, "seed": seed}
    for method, translator in (
        ("mean shift", MeanShiftTranslator()),
        ("linear", LinearTranslator()),
        ("CycleGAN", CycleGANTranslator(random_state=seed, verbose=0, **EPOCHS)),
    ):
        result[method] = left(translator.fit(pair.synthetic, pair.observed), pair)
    result["alarm"] = bool(translator.mismatch_.is_significant)
    result["restarts"] = translator.health_.n_restarts
    return result


def kept_run(name: str, seed: int, path: Path | None) -> dict:
    """Return one run, from the file of runs if it has it."""
    if path is not None and path.exists():
        for line in path.read_text().splitlines():
            run = json.loads(line)
            if (run["pair"], run["seed"]) == (name, seed):
                return run
    run = one_run(name, seed)
    print(run, flush=True)
    if path is not None:
        with path.open("a") as file:
            file.write(json.dumps(run) + "\n")
    return run


def summary(name: str, runs: list[dict]) -> str:
    """Return one row of the table."""
    gan, linear = (np.array([run[k] for run in runs]) for k in ("CycleGAN", "linear"))
    worst = int(np.argmax(gan / linear))
    return (
        f"| {name} | {len(runs)} | {np.median(linear):.3f} | {np.median(gan):.3f} | "
        f"{gan.max():.3f} | {(gan / linear)[worst]:.2f} (seed {runs[worst]['seed']}) | "
        f"{sum(g > 1.05 * b for g, b in zip(gan, linear, strict=True))} | {sum(gan > 1)} | "
        f"{sum(run['alarm'] for run in runs)} | {sum(run['restarts'] for run in runs)} |"
    )


def main() -> None:
    """Print every run, and the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    parser.add_argument("--runs", type=Path, default=None, help="file of runs, a line each")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--n-seeds", type=int, default=20)
    parser.add_argument("--pairs", nargs="+", choices=PAIRS, default=list(PAIRS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", LabelMismatchWarning)
    rows, seeds = [], range(arguments.first_seed, arguments.first_seed + arguments.n_seeds)
    for name in arguments.pairs:
        runs = [kept_run(name, seed, arguments.runs) for seed in seeds]
        rows.append(summary(name, runs))
        print(rows[-1], flush=True)
    header = (
        "| pair | seeds | linear, median | CycleGAN, median | worst | worst ratio to linear "
        "| more than 5 % worse than linear | worse than no translation | mismatch alarms "
        "| restarts |\n|---|---|---|---|---|---|---|---|---|---|"
    )
    text = (
        f"# Training stability\n\n{describe_machine('torch')}, 1 thread. "
        f"{N_SPECTRA} spectra a side, {EPOCHS['max_epochs']} epochs.\n\n"
    )
    if arguments.output is not None:
        arguments.output.write_text(text + "\n".join([header, *rows]) + "\n")


if __name__ == "__main__":
    main()

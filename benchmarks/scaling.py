"""How time and memory grow: with the number of spectra, of pixels and of labels.

``OMP_NUM_THREADS=1 python -m benchmarks.scaling [--output FILE] [--steps NAME ...]`` runs each step
at each size in a process of its own, on one thread, and prints seconds of the processor, the growth
of the largest resident set, and the exponent of the last decade: 1 where twice the data take
twice the time. Spectra are of a closed form with any number of labels, float32. What isn't named
is 1,000 spectra (200 where pixels vary), 1,000 pixels, 3 labels. Needs 16 GB of memory and about
half an hour.
"""

import argparse
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import astropy.units as u
import numpy as np
import torch

from benchmarks.machine import Cost, cost_of, describe_machine, in_new_process
from spectragan import (
    CycleGANTranslator,
    LinearTranslator,
    ParameterFitter,
    Spectra,
    SpectraganWarning,
    SpectrumEmulator,
    gap_scores,
    tsne_gap,
)

CHUNK = 4096  # rows simulated at a time
SIGMA = 0.02
SPECTRA = {"spectra": (1000, 10_000, 100_000)}
MANY_SPECTRA = {"spectra": (1000, 10_000, 100_000, 1_000_000)}
PIXELS = {"pixels": (100, 1000, 10_000, 100_000)}
LABELS = {"labels": (3, 6, 12, 25)}


class Size(NamedTuple):
    """Numbers of spectra (of each domain), pixels and labels."""

    spectra: int = 1000
    pixels: int = 1000
    labels: int = 3


class Data(NamedTuple):
    """Labels (n_spectra, n_labels), their synthetic spectra, and observed ones of other stars."""

    labels: np.ndarray
    synthetic: Spectra
    observed: Spectra


HEAD = """# How time and memory grow

{}, 1 thread. Seconds of the processor, and growth of the largest resident set beyond that of
making data and models; 1,000 spectra a side (200 where pixels vary), 1,000 pixels and 3 labels
where nothing else is said. The exponent is that of the last two sizes.

| step | number of | size: cost | exponent |
|---|---|---|---|
"""


def make_data(size: Size) -> Data:
    """Make spectra in which every label has lines of its own, and all share some."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(size.labels, size.pixels)) * (
        rng.random((size.labels, size.pixels)) < 0.3
    )
    strength = rng.normal(-1.5, 1, size.pixels)
    labels = [rng.uniform(-1, 1, (size.spectra, size.labels)) for _ in range(2)]
    synthetic, observed = (np.empty((size.spectra, size.pixels), np.float32) for _ in range(2))
    for start in range(0, size.spectra, CHUNK):
        rows = slice(start, start + CHUNK)
        synthetic[rows] = absorbed(labels[0][rows] @ weights + strength)
        exact = 0.99 * absorbed(labels[1][rows] @ weights + strength + 0.1)
        observed[rows] = exact + SIGMA * rng.standard_normal(exact.shape)
    wavelength = np.geomspace(4000, 7000, size.pixels) * u.AA
    ivar = np.broadcast_to(np.float32(SIGMA**-2), observed.shape)
    return Data(
        labels[0],
        Spectra(synthetic, wavelength, noise="exact"),
        Spectra(observed, wavelength, ivar),
    )


def absorbed(depth: np.ndarray) -> np.ndarray:
    """Return flux behind lines that saturate."""
    return 1 - 0.6 / (1 + np.exp(-depth))


def short_translator(data: Data) -> CycleGANTranslator:
    """Train for two epochs on a few spectra: what it translates costs as much as after sixty."""
    few = slice(0, 1000)
    return CycleGANTranslator(max_epochs=2, warmup_epochs=1, random_state=0, verbose=0).fit(
        data.synthetic[few], data.observed[few]
    )


def emulator_of(data: Data) -> SpectrumEmulator:
    """Return an emulator without a network, fitted on at most 1,000 spectra."""
    few = slice(0, 1000)
    return SpectrumEmulator(random_state=0, verbose=0).fit(data.labels[few], data.synthetic[few])


def translate(data: Data) -> Callable[[], Any]:
    return partial(short_translator(data).transform, data.synthetic)


def train(data: Data) -> Callable[[], Any]:
    translator = CycleGANTranslator(random_state=0, verbose=0)
    return partial(translator.fit, data.synthetic, data.observed)


def train_linear(data: Data) -> Callable[[], Any]:
    return partial(LinearTranslator().fit, data.synthetic, data.observed)


def train_emulator(data: Data) -> Callable[[], Any]:
    emulator = SpectrumEmulator(random_state=0, verbose=0)
    return partial(emulator.fit, data.labels, data.synthetic)


def emulate(data: Data) -> Callable[[], Any]:
    return partial(emulator_of(data).predict, data.labels)


def fit_labels(data: Data) -> Callable[[], Any]:
    return partial(ParameterFitter(emulator_of(data)).fit().predict, data.observed)


def score_gap(data: Data) -> Callable[[], Any]:
    return partial(gap_scores, data.synthetic, data.observed, random_state=0)


def map_gap(data: Data) -> Callable[[], Any]:
    sets = {"synthetic": data.synthetic, "observed": data.observed}
    return partial(tsne_gap, sets, random_state=0)


STEPS: dict[str, tuple[Callable[[Data], Callable[[], Any]], dict[str, tuple[int, ...]]]] = {
    "translate": (translate, MANY_SPECTRA | PIXELS),
    "train, linear": (train_linear, SPECTRA | PIXELS),
    "train, CycleGAN": (train, SPECTRA | {"pixels": (100, 1000, 10_000)} | LABELS),
    "train emulator": (train_emulator, {"spectra": (1000, 3000, 10_000)} | PIXELS | LABELS),
    "emulate": (emulate, SPECTRA | PIXELS | LABELS),
    "fit labels": (fit_labels, SPECTRA | {"pixels": (100, 1000, 10_000)} | LABELS),
    "gap_scores": (score_gap, SPECTRA | PIXELS),
    "tsne_gap": (map_gap, SPECTRA | PIXELS),
}


def measure(step: str, size: Size) -> Cost:
    """Return what a step costs; without the making of its data and models."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", SpectraganWarning)
    prepare, _ = STEPS[step]
    return cost_of(prepare(make_data(size)))


def exponent(sizes: tuple[int, ...], seconds: list[float]) -> float:
    """Return the slope between the last two sizes, on logarithmic axes."""
    return float(np.log(seconds[-1] / seconds[-2]) / np.log(sizes[-1] / sizes[-2]))


def rows_of(step: str) -> list[str]:
    """Measure a step at all sizes, and return its rows of the table."""
    rows = []
    for axis, sizes in STEPS[step][1].items():
        usual = Size(spectra=200) if axis == "pixels" else Size()
        costs = [in_new_process(measure, step, usual._replace(**{axis: n})) for n in sizes]
        power = exponent(sizes, [cost.seconds for cost in costs])
        cells = (
            f"{size:,}: {c.seconds:.2g} s, {c.memory:.0f} MB"
            for size, c in zip(sizes, costs, strict=True)
        )
        rows.append(f"| {step} | {axis} | {'; '.join(cells)} | {power:.2f} |")
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Print all rows, and write the table to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    arguments = parser.parse_args()
    rows = [row for step in arguments.steps for row in rows_of(step)]
    if arguments.output is not None:
        arguments.output.write_text(
            HEAD.format(describe_machine("numpy", "torch")) + "\n".join(rows) + "\n"
        )


if __name__ == "__main__":
    main()

"""Invented features: lines planted into translated spectra, and what is found of them.

Mock domains (1000 spectra of 1200 pixels a side), a CycleGANTranslator trained for 25 epochs, three
seeds; twelve lines at random places, five depths. A listed feature is a planted line, a true
misfit (translated spectra and truth differ there by more than their robust scatter between
pixels, judged by pairs that nothing else sees), or false.

Run ``OMP_NUM_THREADS=1 python -m benchmarks.inventions --output benchmarks/results/inventions.md``.
"""

import argparse
import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.machine import describe_machine
from spectragan import CycleGANTranslator, LabelMismatchWarning, find_inventions
from spectragan.datasets import make_mock_domains
from spectragan.lines.slopes import MAD_TO_SIGMA, line_averages

SEEDS = (0, 1, 2)
DEPTHS = (0.005, 0.01, 0.02, 0.05, 0.1)
SOME_DEPTHS = DEPTHS[1:4]  # for all cases but the first
DRAWS = 2  # of the places of the lines, for every seed and depth of the first
N_LINES, N_PIXELS = 12, 1200
LINE_SIGMA = 1.25  # pixels: the resolution of the observed domain
NEAR = 3  # pixels between a listed and a planted line that are the same
CASES = {
    "all stars": {},
    "half of the stars": {"share": 0.5},
    "all stars, flux added": {"sign": -1.0},
    "all stars, labels of the observed stars shifted by 0.5": {"label_shift": 0.5},
}
HEAD = (
    "| planted in | depth | lines | recall | worst seed | listed | true misfits | false "
    "| share false |\n|---|---|---|---|---|---|---|---|---|"
)


class Count(NamedTuple):
    """What one list holds: planted lines, those found, features, true misfits, false ones."""

    planted: int
    found: int
    listed: int
    misfits: int
    false: int


def plant(flux: np.ndarray, centers: np.ndarray, depth: float) -> np.ndarray:
    """Return flux with lines."""
    steps = (np.arange(flux.shape[1]) - centers[:, None]) / LINE_SIGMA
    return flux * (1 - depth * np.exp(-(steps**2) / 2).sum(axis=0))


def draw_centers(rng: np.random.Generator) -> np.ndarray:
    """Return places of lines that don't overlap."""
    cells = rng.choice(np.arange(20, N_PIXELS - 20, 40), N_LINES, replace=False)
    return np.sort(cells + rng.integers(0, 20, N_LINES))


def judge(found, error: np.ndarray, centers: np.ndarray, grid: np.ndarray) -> Count:
    """Count what was found, given the true mean error of the translated spectra."""
    averaged = line_averages(error, 1.5)
    scatter = MAD_TO_SIGMA * np.median(np.abs(averaged - np.median(averaged)))
    pixels = np.searchsorted(grid, found.table["wavelength"].value)
    planted = (np.abs(pixels[:, None] - centers) <= NEAR).any(axis=1)
    right = np.abs(averaged[pixels]) > scatter
    hit = np.array([found.pixels[c - 2 : c + 3].any() for c in centers], dtype=bool)
    return Count(
        len(centers),
        int(hit.sum()),
        len(found),
        int((right & ~planted).sum()),
        int((~right & ~planted).sum()),
    )


def measure(translator, pair, depth: float, n_lines: int, seed: int, share: float = 1.0) -> Count:
    """Plant lines, find them, and judge the list."""
    rng = np.random.default_rng(seed)
    centers = draw_centers(rng)[:n_lines]
    flux, judged = (
        translator.transform(spectra).flux.astype(float)
        for spectra in (pair.synthetic, pair.synthetic_of_observed)
    )
    for part in (flux, judged):
        rows = rng.random(len(part)) < share
        part[rows] = plant(part[rows], centers, depth)
    found = find_inventions(
        translator,
        pair.synthetic,
        pair.observed,
        translated=pair.synthetic.with_flux(flux),
        random_state=seed,
    )
    error = (judged - pair.observed_truth.flux).mean(axis=0)
    return judge(found, error, centers, pair.synthetic.wavelength.value)


def row(name: str, depth: float, counts: dict[int, list[Count]]) -> str:
    """Return a row of the table."""
    sums = {seed: np.sum(lists, axis=0) for seed, lists in counts.items()}
    planted, found, listed, misfits, false = np.sum(list(sums.values()), axis=0)
    recall = worst = ""
    if planted:
        recall = f"{found / planted:.3f}"
        worst = f"{min(s[1] / s[0] for s in sums.values()):.3f}"
    return (
        f"| {name} | {100 * depth:g} % | {planted} | {recall} | {worst} | {listed} | {misfits} | "
        f"{false} | {false / max(listed, 1):.3f} |"
    )


def run_seed(seed: int, shift: float, results: dict) -> None:
    """Train a translator, and add what is found in its spectra to the results."""
    pair = make_mock_domains(1000, 1000, n_pixels=N_PIXELS, label_shift=shift, random_state=seed)
    translator = CycleGANTranslator(max_epochs=25, warmup_epochs=8, random_state=seed, verbose=0)
    translator.fit(pair.synthetic, pair.observed)
    name = "nothing planted" + (f", labels shifted by {shift:g}" if shift else "")
    results.setdefault((name, 0.0), {})[seed] = [measure(translator, pair, 0.0, 0, seed)]
    for case, options in CASES.items():
        if options.get("label_shift", 0.0) != shift:
            continue
        sign, share = options.get("sign", 1.0), options.get("share", 1.0)
        for depth in SOME_DEPTHS if options else DEPTHS:
            counts = [
                measure(translator, pair, sign * depth, N_LINES, 1000 * seed + draw, share)
                for draw in range(1 if options else DRAWS)
            ]
            results.setdefault((case, depth), {})[seed] = counts
            print(seed, case, depth, counts, flush=True)


def main() -> None:
    """Print the table, and write it to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", LabelMismatchWarning)
    results: dict[tuple[str, float], dict[int, list[Count]]] = {}
    for shift in (0.0, 0.5):
        for seed in SEEDS:
            run_seed(seed, shift, results)
        rows = [row(*key, counts) for key, counts in results.items()]
        table = (
            f"# Invented features\n\n{describe_machine('torch')}, 1 thread. "
            f"False-discovery rate asked for: 0.05.\n\n" + "\n".join([HEAD, *rows]) + "\n"
        )
        print(table)
        if arguments.output is not None:
            arguments.output.write_text(table)


if __name__ == "__main__":
    main()

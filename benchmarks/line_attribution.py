"""Missing lines: recall, precision and the false-discovery rate of `LineAttribution`.

``python -m benchmarks.line_attribution [--parts ...] [--seeds ...] [--size N P] [--output FILE]``

* ``lines``: 30 % of the lines of 12 elements masked, S/N 50-250; recall of missing lines deeper
  than 2 %, precision, the share of wrong lines among all that are found at a false-discovery rate
  of 5 %, and recall per element;
* ``null``: the same without missing lines: nothing should be found;
* ``cyclegan``, ``cyclegan-null``: both, with labels inferred through a trained translator;
* ``translators``: one pair, several translators, and what the translator's own Jacobian says, read
  off at a threshold as one does by eye.

Curves of recall are in ``line_recall.py``.

A line that is found is right if the domains differ by a line of the same element within one
resolution element (13 km/s). A missing line is found if the table has such a line. Found lines
without an owner count as neither. True labels of the observed stars are used nowhere.
"""

import argparse
import time
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from astropy.table import Table
from scipy.ndimage import gaussian_filter1d

from benchmarks.machine import describe_machine
from spectragan import (
    CycleGANTranslator,
    LinearTranslator,
    LineAttribution,
    MeanShiftTranslator,
    ObservedEmulator,
    SpectrumEmulator,
)
from spectragan.datasets import make_line_domains

SEEDS = range(10)
SIZE = 4000, 4000  # spectra a side, pixels
N_EMULATOR = 800
RESOLUTION_ELEMENT = 13.3  # km/s
DEEP = 0.02
EYE = (5, 10, 20)  # robust standard deviations of the whole Jacobian


def make(seed: int, fraction: float = 0.3, lowest: float = 50.0, size=SIZE, network: bool = False):
    """Make a pair of domains, and fit an emulator and a translator: the plainest, or a network."""
    pair = make_line_domains(
        size[0],
        size[0],
        n_pixels=size[1],
        masked_fraction=fraction,
        snr=(lowest, 250.0),
        random_state=seed,
    )
    labels = Table(dict(zip(pair.label_names, pair.labels_synthetic.T, strict=True)))
    emulator = SpectrumEmulator(random_state=0, verbose=0)
    emulator.fit(labels[:N_EMULATOR], pair.synthetic[:N_EMULATOR])
    translator = MeanShiftTranslator()
    if network:
        translator = CycleGANTranslator(n_shared=15, n_components=40, random_state=0, verbose=0)
    return pair, labels, emulator, translator.fit(pair.synthetic, pair.observed)


def find(pair, labels, emulator, translator):
    """Find missing lines; return the result and CPU seconds."""
    start = time.process_time()
    found = LineAttribution(emulator, translator).find(pair.observed, labels)
    return found, time.process_time() - start


class Verdict:
    """Which found lines are right, and which missing lines were found."""

    def __init__(self, table, pair) -> None:
        table, lines = table[table["label"] != ""], pair.lines
        velocity = 299792.458 * np.abs(
            np.log(np.asarray(table["wavelength"])[:, None] / np.asarray(lines["wavelength"]))
        )
        same = np.asarray(table["label"])[:, None] == np.asarray(lines["element"])
        match = (velocity <= RESOLUTION_ELEMENT) & same & np.asarray(lines["missing"])
        self.right, self.deep_found = match.any(axis=1), np.asarray(table["depth"]) > DEEP
        there = np.asarray(lines["missing"])
        self.hit, self.depth = match.any(axis=0)[there], np.asarray(lines["depth"])[there]
        self.element = np.asarray(lines["element"])[there]

    def cells(self) -> str:
        """Return the numbers of one pair as cells of a table."""
        deep = self.depth > DEEP
        wrong = np.count_nonzero(~self.right)
        return (
            f"{deep.sum()} | {_share(self.hit[deep])} | "
            f"{_share(self.right[self.deep_found])} | {len(self.right)} | {wrong} "
            f"| {wrong / max(1, len(self.right)):.3f}"
        )


def _share(true: np.ndarray) -> str:
    return f"{true.mean():.3f}" if len(true) else "-"


def seed_rows(seeds, size, network: bool = False) -> tuple[list[str], list[str]]:
    """Measure pairs with missing lines; return their table, and that of elements."""
    rows = [
        "| seed | missing lines > 2 % | recall | precision > 2 % | found | wrong | share | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    verdicts = []
    for seed in seeds:
        pair, labels, emulator, translator = make(seed, size=size, network=network)
        found, seconds = find(pair, labels, emulator, translator)
        verdicts.append(Verdict(found.table, pair))
        rows.append(f"| {seed} | {verdicts[-1].cells()} | {seconds:.0f} |")
        print(rows[-1], flush=True)
    both = Verdict.__new__(Verdict)
    for name in ("right", "deep_found", "hit", "depth", "element"):
        setattr(both, name, np.concatenate([getattr(v, name) for v in verdicts]))
    rows.append(f"| all | {both.cells()} | |")
    return rows, element_rows(both)


def element_rows(verdict: Verdict) -> list[str]:
    """Return recall per element."""
    deep = verdict.depth > DEEP
    rows = ["| element | missing lines > 2 % | recall |", "|---|---|---|"]
    for name, number in Counter(verdict.element[deep]).most_common():
        recall = verdict.hit[deep & (verdict.element == name)].mean()
        rows.append(f"| {name} | {number} | {recall:.3f} |")
    return rows


def null_rows(seeds, size, network: bool = False) -> list[str]:
    """Measure pairs without missing lines."""
    rows, counts = ["| seed | lines found |", "|---|---|"], []
    for seed in seeds:
        found, _ = find(*make(seed, 0.0, size=size, network=network))
        counts.append(len(found))
        rows.append(f"| {seed} | {counts[-1]} |")
        print(rows[-1], flush=True)
    some = np.count_nonzero(counts)
    return [*rows, f"| all | {sum(counts)}, in {some} of {len(counts)} pairs |"]


def eye_table(emulator, translator, labels, threshold: float) -> Table:
    """Return the peaks of the translator's own change of the Jacobian above a threshold."""
    values = np.column_stack([labels[name] for name in labels.colnames])[:200]
    change = sum(
        ObservedEmulator(emulator, translator).jacobian(part).sum(axis=0)
        - emulator.jacobian(part).sum(axis=0)
        for part in np.array_split(values, 8)
    )
    change = -gaussian_filter1d(change[:, 3:], 1.3, axis=0)
    height = change / (1.4826 * np.median(np.abs(change), axis=0))
    inner = height[1:-1]
    top = (inner > height[:-2]) & (inner >= height[2:]) & (inner > threshold)
    pixels, owners = np.nonzero(top)
    best = height[pixels + 1].argmax(axis=1) == owners
    names = np.array(emulator.label_names_[3:])
    grid = emulator.wavelength_.value
    return Table(
        {
            "wavelength": grid[pixels[best] + 1],
            "label": names[owners[best]],
            "depth": np.ones(best.sum()),
        }
    )


def translator_rows(seed: int, size) -> list[str]:
    """Measure one pair with labels inferred through several translators, and their own words."""
    pair, labels, emulator, shift = make(seed, size=size)
    translators = {
        "mean shift": shift,
        "linear, 40 components": LinearTranslator(40).fit(pair.synthetic, pair.observed),
    }
    for n_shared, n_components in ((None, None), (15, 20), (15, 40)):
        name = f"CycleGAN, n_shared={n_shared}, n_components={n_components}"
        translators[name] = CycleGANTranslator(
            n_shared=n_shared, n_components=n_components, random_state=0, verbose=0
        ).fit(pair.synthetic, pair.observed)
    rows = [
        "| translator | what is read | lines > 2 % | recall | precision > 2 % | found | wrong "
        "| share |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, translator in translators.items():
        if name != "mean shift":
            for threshold in EYE:
                verdict = Verdict(eye_table(emulator, translator, labels, threshold), pair)
                rows.append(f"| {name} | its Jacobian, > {threshold} | {verdict.cells()} |")
                print(rows[-1], flush=True)
        found, _ = find(pair, labels, emulator, translator)
        rows.append(f"| {name} | LineAttribution | {Verdict(found.table, pair).cells()} |")
        print(rows[-1], flush=True)
    return rows


def part_rows(part: str, seeds, size) -> list[str]:
    """Measure one part; return its heading and tables."""
    network = part.startswith("cyclegan")
    words = ", labels inferred through a CycleGAN" if network else ""
    if part.endswith("null"):
        return [f"## No missing lines{words}", "", *null_rows(seeds, size, network)]
    if part == "translators":
        return ["## Translators", "", *translator_rows(seeds[0], size)]
    rows, elements = seed_rows(seeds, size, network)
    return [f"## 30 % of the lines masked, S/N 50-250{words}", "", *rows, "", *elements]


def main() -> None:
    """Print the tables asked for, and write them to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parts = ("lines", "null", "cyclegan", "cyclegan-null", "translators")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--size", nargs=2, type=int, default=SIZE, metavar=("SPECTRA", "PIXELS"))
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    options = parser.parse_args()
    torch.set_num_threads(1)
    lines = [
        "# Line attribution",
        "",
        f"{describe_machine('torch')}, 1 thread. {options.size[0]} "
        f"spectra of {options.size[1]} pixels a side, 12 elements, {options.size[1] // 10} lines.",
    ]
    for part in options.parts:
        lines += ["", *part_rows(part, options.seeds, options.size)]
        if options.output is not None:
            options.output.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()

"""Missing lines: recall, precision and the false-discovery rate of `LineAttribution`.

``python benchmarks/line_attribution.py [--parts seeds null curves translators] [--output FILE]``

* ``seeds``: 30 % of the lines of 12 elements masked, S/N 50-250, ten seeds; recall of missing lines
  deeper than 2 %, precision, the share of wrong lines among all that are found at a false-discovery
  rate of 5 %, and recall per element;
* ``null``: the same without missing lines: nothing should be found;
* ``curves``: recall against masked fraction, lowest S/N and line depth;
* ``translators``: labels inferred through other translators, and what the translator's own Jacobian
  says, read off at a threshold as one does by eye.

A line that is found is right if the domains differ by a line of the same element within one
resolution element (13 km/s). A missing line is found if the table has such a line. Found lines
without an owner count as neither. True labels of the observed stars are used nowhere.
"""

import argparse
import time
from collections import Counter, defaultdict
from datetime import date
from itertools import pairwise
from pathlib import Path
from platform import machine, python_version

import numpy as np
import torch
from astropy.table import Table
from scipy.ndimage import gaussian_filter1d

import spectragan
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
N_SPECTRA, N_PIXELS, N_EMULATOR = 1500, 2000, 800
RESOLUTION_ELEMENT = 13.3  # km/s
DEEP = 0.02
FRACTIONS = (0.05, 0.1, 0.2, 0.3, 0.5)
LOWEST_SNRS = (35, 70, 140)
CURVE_SEEDS = (20, 21)
DEPTHS = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 1.0)
EYE = (5, 10, 20)  # robust standard deviations of the whole Jacobian


def make(seed: int, fraction: float = 0.3, lowest: float = 50.0):
    """Make a pair of domains, and fit an emulator and the plainest translator."""
    pair = make_line_domains(
        N_SPECTRA,
        N_SPECTRA,
        n_pixels=N_PIXELS,
        masked_fraction=fraction,
        snr=(lowest, 250.0),
        random_state=seed,
    )
    labels = Table(dict(zip(pair.label_names, pair.labels_synthetic.T, strict=True)))
    emulator = SpectrumEmulator(random_state=0, verbose=0)
    emulator.fit(labels[:N_EMULATOR], pair.synthetic[:N_EMULATOR])
    return pair, labels, emulator, MeanShiftTranslator().fit(pair.synthetic, pair.observed)


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
            f"{deep.sum()} | {self.hit[deep].mean():.3f} | "
            f"{self.right[self.deep_found].mean():.3f} | {len(self.right)} | {wrong} "
            f"| {wrong / max(1, len(self.right)):.3f}"
        )


def seed_rows(seeds) -> tuple[list[str], list[str]]:
    """Measure ten pairs; return their table, and that of elements."""
    rows = [
        "| seed | missing lines > 2 % | recall | precision > 2 % | found | wrong | share | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    verdicts = []
    for seed in seeds:
        pair, labels, emulator, translator = make(seed)
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


def null_rows(seeds) -> list[str]:
    """Measure pairs without missing lines."""
    rows = ["| seed | lines found |", "|---|---|"]
    for seed in seeds:
        found, _ = find(*make(seed, fraction=0.0))
        rows.append(f"| {seed} | {len(found)} |")
        print(rows[-1], flush=True)
    return rows


def curve_rows() -> list[str]:
    """Measure recall against masked fraction and S/N, by depth."""
    heads = [f"{low:g}-{high:g}" for low, high in pairwise(DEPTHS)]
    rows = [
        f"| masked | lowest S/N | wrong | {' | '.join(heads)} |",
        "|---|---|---|" + "---|" * len(heads),
    ]
    cases = [(fraction, 50) for fraction in FRACTIONS] + [(0.3, snr) for snr in LOWEST_SNRS]
    for fraction, snr in cases:
        hits, wrong = defaultdict(list), []
        for seed in CURVE_SEEDS:
            pair, *parts = make(seed, fraction, snr)
            verdict = Verdict(find(pair, *parts)[0].table, pair)
            wrong.extend(~verdict.right)
            for hit, place in zip(
                verdict.hit, np.searchsorted(DEPTHS, verdict.depth) - 1, strict=True
            ):
                hits[place].append(hit)
        cells = [f"{np.mean(hits[i]):.2f} ({len(hits[i])})" if hits[i] else "-" for i in range(7)]
        rows.append(f"| {fraction} | {snr} | {np.mean(wrong):.3f} | {' | '.join(cells)} |")
        print(rows[-1], flush=True)
    return rows


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


def translator_rows(seed: int = 0) -> list[str]:
    """Measure one pair with labels inferred through several translators, and their own words."""
    pair, labels, emulator, shift = make(seed)
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


def main() -> None:
    """Print the tables asked for, and write them to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parts = ("seeds", "null", "curves", "translators")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    options = parser.parse_args()
    torch.set_num_threads(1)
    blocks = [
        f"{date.today()}, {machine()}, one thread, Python {python_version()}, "
        f"torch {torch.__version__}, spectragan {spectragan.__version__}. {N_SPECTRA} spectra of "
        f"{N_PIXELS} pixels in each domain, 12 elements, {N_PIXELS // 10} lines."
    ]
    if "seeds" in options.parts:
        seeds, elements = seed_rows(SEEDS)
        blocks += ["## 30 % of the lines masked, S/N 50-250", *seeds, "", *elements]
    if "null" in options.parts:
        blocks += ["## No missing lines", *null_rows(SEEDS)]
    if "curves" in options.parts:
        blocks += ["## Recall by depth of the line (number of lines)", *curve_rows()]
    if "translators" in options.parts:
        blocks += ["## Translators", *translator_rows()]
    text = "\n".join(["# Line attribution", "", *blocks]).replace("\n##", "\n\n##")
    print(text)
    if options.output is not None:
        options.output.write_text(text + "\n")


if __name__ == "__main__":
    main()

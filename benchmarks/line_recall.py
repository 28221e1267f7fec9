"""Recall of missing lines by depth, for masked fractions and noise, as a table and a figure.

``python -m benchmarks.line_recall [--figure-only] [--seeds ...] [--size N P]`` measures pairs of
domains as ``line_attribution.py`` does, smaller ones, writes ``benchmarks/results/line_recall.csv``
and draws ``docs/_static/line_recall.svg`` from it; with ``--figure-only`` it draws what the file
holds.

A row is a bin of depth of the missing lines of all seeds of a case: how many there are, and how
many were found; ``all_found`` and ``all_wrong`` count the lines in the lists of that case, and the
wrong ones of them.
"""

import argparse
from itertools import pairwise
from pathlib import Path

import matplotlib
import numpy as np
import torch
from astropy.table import Table, vstack

from benchmarks.line_attribution import Verdict, find, make
from benchmarks.machine import describe_machine
from spectragan.diagnostics import style

HERE = Path(__file__).parent
TABLE = HERE / "results" / "line_recall.csv"
FIGURE = HERE.parent / "docs" / "_static" / "line_recall.svg"
SIZE = 1000, 1500  # spectra a side, pixels
SEEDS = range(20, 24)
FRACTIONS = (0.05, 0.1, 0.2, 0.3, 0.5)
LOWEST_SNRS = (35, 70, 140)
CASES = [(fraction, 50) for fraction in FRACTIONS] + [(0.3, snr) for snr in LOWEST_SNRS]
DEPTHS = (0.0, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 1.0)
FEWEST = 4  # lines of a bin that a point in the figure rests on


def measure(fraction: float, lowest: float, seeds, size) -> Table:
    """Return how many lines of every depth were missing, and found, in all seeds of a case."""
    verdicts = []
    for seed in seeds:
        pair, *parts = make(seed, fraction, lowest, size=size)
        verdicts.append(Verdict(find(pair, *parts)[0].table, pair))
    hit, depth, right = (
        np.concatenate([getattr(v, name) for v in verdicts]) for name in ("hit", "depth", "right")
    )
    rows = []
    for low, high in pairwise(DEPTHS):
        inside = (depth > low) & (depth <= high)
        counts = int(inside.sum()), int(hit[inside].sum())
        rows.append((fraction, lowest, low, high, *counts, len(right), int((~right).sum())))
    names = ["masked", "lowest_snr", "from", "to", "missing", "found", "all_found", "all_wrong"]
    return Table(rows=rows, names=names)


def draw(table: Table) -> None:
    """Draw recall against depth: a curve for every masked fraction, and one for every S/N."""
    matplotlib.use("svg")
    # Letters as text: a small file, whose lines say in a comparison of versions what changed.
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "spectragan"}):
        figure, axes = style.make_axes(None, 1, 2, figsize=(8.0, 3.0))
        curves(axes[0, 0], table[table["lowest_snr"] == 50], "masked", "{:.0%} of lines masked")
        curves(axes[0, 1], table[table["masked"] == 0.3], "lowest_snr", "S/N {:.0f}-250")
        axes[0, 0].set_ylabel("recall", fontsize=style.LABEL_SIZE)
        figure.savefig(FIGURE, metadata={"Date": None}, bbox_inches="tight")


def curves(ax, table: Table, column: str, words: str) -> None:
    """Draw recall against depth for every value of a column."""
    values = np.unique(table[column])
    for value, color, dash in zip(values, style.CYCLE, style.DASHES * 2, strict=False):
        rows = table[(table[column] == value) & (table["missing"] >= FEWEST)]
        # The first and last bin have no middle on a logarithmic axis.
        middle = np.sqrt(np.maximum(rows["from"], 0.001) * np.minimum(rows["to"], 0.4))
        recall = rows["found"] / rows["missing"]
        ax.plot(
            100 * middle, recall, dash, color=color, marker="o", ms=3, label=words.format(value)
        )
    style.tidy(ax, xlabel="mean depth of the line [%]")
    ax.set_xscale("log")
    ax.set_xticks([0.1, 1, 10], ["0.1", "1", "10"])
    ax.set_ylim(-0.03, 1.03)
    style.add_legend(ax, loc="lower right")


def main() -> None:
    """Measure every case, and draw."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--figure-only", action="store_true", help="draw what the file holds")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--size", nargs=2, type=int, default=SIZE, metavar=("SPECTRA", "PIXELS"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.figure_only:
        parts = []
        for case in CASES:
            parts.append(measure(*case, options.seeds, options.size))
            print(parts[-1], flush=True)
            table = vstack(parts)
            table.meta["comments"] = [f"{describe_machine('numpy', 'torch')}, 1 thread"]
            table.write(TABLE, format="ascii.csv", comment="# ", overwrite=True)
    draw(Table.read(TABLE, format="ascii.csv", comment="#"))


if __name__ == "__main__":
    main()

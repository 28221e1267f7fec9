"""Choosing parameters: what raising and lowering each one does to what is left of the gap.

``python -m benchmarks.parameters --records FILE`` trains on mock domains (1000 spectra of 1500
pixels a side, 25 epochs) with one parameter of `CycleGANTranslator` at a time
away from its default, and measures the rms of translated spectra from the exact, noise-free
counterparts, as a part of the raw gap. Two pairs have equal label distributions, in the third the
synthetic labels are shifted by half a standard deviation. Defaults are trained with three seeds, so
that it can be told what is chance.

Every result is a line in FILE as soon as it is there, and what is in FILE is not measured again.
``--figure FILE`` and ``--output FILE`` draw and tabulate what is there.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.label_mismatch import left
from benchmarks.machine import describe_machine
from spectragan import (
    CycleGANTranslator,
    LabelMismatchWarning,
    LinearTranslator,
    SubspaceTruncationWarning,
    TrainingHealthWarning,
)
from spectragan.datasets import make_mock_domains
from spectragan.translator.parameters import with_defaults

SHORT = {"max_epochs": 25}
PAIRS = {
    "equal labels, 0": {"random_state": 0, "gap_seed": 0},
    "equal labels, 1": {"random_state": 1, "gap_seed": 1},
    "shifted labels, 2": {"random_state": 2, "gap_seed": 2, "label_shift": 0.5},
}
CHANCE_SEEDS = (0, 1, 2)
# The default is among the values, where it belongs by size; it is trained once for all.
STUDY: dict[str, tuple] = {
    "n_shared": (1, 2, None, 5, 8),
    "identity_weight": (0.0, 0.03, 0.1, 0.3, 1.0),
    "adversarial_weight": (0.0, 0.3, 1.0, 3.0, 10.0),
    "cycle_weight": (0.0, 0.1, 1.0, 10.0),
    "reconstruction_weight": (0.1, 1.0, 10.0),
    "latent_weight": (0.0, 1.0, 10.0),
    "start_weight": (0.0, 1.0, 10.0),
    "penalty": (0.0, 0.005, 0.05, 0.5, 5.0),
    "n_split": (0, 1, None, 6),
    "n_components": (6, None, 40),
    "match_labels": (False, "auto", True),
    "warmup_epochs": (0, 6, 12, 25),
    "max_epochs": (12, 25, 50),
    "batch_size": (64, 256, 1000),
    "learning_rate": (5e-4, 2e-3, 8e-3),
    "adversarial": ("rpgan", "lsgan", "hinge", "bce"),
    "n_codes": (1, 4, 32),
    "ema_decay": (0.0, 0.99, 0.998),
    "hidden": ((16,), (64, 64), (256, 256)),
}


def defaults() -> dict[str, Any]:
    """Return every parameter of the study at its default."""
    return with_defaults({**CycleGANTranslator().get_params(), **SHORT})


def settings() -> list[tuple[str, Any, int]]:
    """Return parameter, value and seed of every training but those of the defaults."""
    usual = defaults()
    changed = [
        (name, value, 0)
        for name, values in STUDY.items()
        for value in values
        if value != usual[name]
    ]
    return [*(("default", None, seed) for seed in CHANCE_SEEDS), *changed]


def measure(pair: Any, name: str, value: Any, seed: int) -> dict[str, Any]:
    """Train once, and return what is left of the raw gap and how long it took."""
    changed = {} if name in ("default", "linear") else {name: value}
    parameters = {**SHORT, "random_state": seed, "verbose": 0, **changed}
    translator: Any = LinearTranslator()
    if name != "linear":
        translator = CycleGANTranslator(**parameters)
    start = time.process_time()
    translator.fit(pair.synthetic, pair.observed)
    seconds = time.process_time() - start
    sizes = {} if name == "linear" else sizes_of(translator)
    return {"left": left(translator, pair), "seconds": seconds, **sizes}


def sizes_of(translator: Any) -> dict[str, int]:
    """Return the numbers that None stood for."""
    return {
        "n_shared": translator.n_shared_,
        "n_split": translator.n_split_,
        "n_components": len(translator.subspace_.components),
        "n_restarts": translator.health_.n_restarts,
    }


def read_records(path: Path) -> dict[tuple[str, str, str, int], dict]:
    """Return what was measured before, by pair, parameter, value and seed."""
    lines = path.read_text().splitlines() if path.exists() else []
    return {key(record): record for record in map(json.loads, lines)}


def key(record: dict) -> tuple[str, str, str, int]:
    """Return what tells one training from all others."""
    return record["pair"], record["parameter"], word(record["value"]), record["seed"]


def word(value: Any) -> str:
    """Return a value as it stands under its curve."""
    if value is None:
        return "auto"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, tuple | list):
        return "×".join(map(str, value))
    return f"{value:g}"


def run(path: Path) -> None:
    """Measure what is not yet in the file, pair by pair."""
    done = read_records(path)
    for name, options in PAIRS.items():
        pair = make_mock_domains(1000, 1000, n_pixels=1500, **options)
        for parameter, value, seed in [("linear", None, 0), *settings()]:
            record = {"pair": name, "parameter": parameter, "value": value, "seed": seed}
            if key(record) in done:
                continue
            record |= {"measured": measure(pair, parameter, value, seed)}
            with path.open("a") as file:
                file.write(json.dumps(record) + "\n")
            print(*key(record), f"{record['measured']['left']:.3f}", flush=True)


def curve(done: dict, pair: str, parameter: str) -> list[float]:
    """Return what each value of a parameter left, NaN where it was not measured."""
    usual = defaults()[parameter]
    keys = [
        (pair, "default", "auto", 0) if value == usual else (pair, parameter, word(value), 0)
        for value in STUDY[parameter]
    ]
    return [done[k]["measured"]["left"] if k in done else np.nan for k in keys]


def chance(done: dict, pair: str) -> list[float]:
    """Return what the defaults left, by seed."""
    return [
        record["measured"]["left"]
        for record in done.values()
        if record["pair"] == pair and record["parameter"] == "default"
    ]


def draw(done: dict, path: Path) -> None:
    """Draw one panel per parameter that was changed, the last one for the legend."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    mpl.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "parameters", "font.family": "sans-serif"}
    )
    colors = dict(zip(PAIRS, ("#0b6e99", "#5aa9c9", "#c8553d"), strict=True))
    curves = {name: {pair: curve(done, pair, name) for pair in PAIRS} for name in STUDY}
    shown = {name: found for name, found in curves.items() if any(map(was_changed, found.values()))}
    n_rows = -(-(len(shown) + 1) // N_COLUMNS)
    figure, axes = plt.subplots(
        n_rows, N_COLUMNS, figsize=(11, 2.5 * n_rows), sharey=True, layout="constrained"
    )
    for ax, (name, found) in zip(axes.flat, shown.items(), strict=False):
        draw_panel(ax, name, found, colors, {pair: chance(done, pair) for pair in PAIRS})
    for ax in axes.flat[len(shown) :]:
        ax.axis("off")
    axes.flat[0].set_ylim(0, Y_LIMIT)
    show_legend(axes.flat[-1], colors)
    for ax in axes[:, 0]:
        ax.set_ylabel("left of the raw gap", fontsize=9)
    figure.savefig(path, metadata={"Date": None})


def was_changed(left_over: list[float]) -> bool:
    """Tell whether more was measured than the default."""
    return int(np.isfinite(left_over).sum()) > 1


def draw_panel(ax: Any, name: str, found: dict, colors: dict, scatter: dict) -> None:
    """Draw the curves of one parameter, and what chance does to the default."""
    values = STUDY[name]
    for pair, left_over in found.items():
        known = np.flatnonzero(np.isfinite(left_over))
        if not was_changed(left_over):
            continue
        ax.axhspan(min(scatter[pair]), max(scatter[pair]), color=colors[pair], alpha=0.2, lw=0)
        heights = np.minimum(np.array(left_over)[known], Y_LIMIT)
        ax.plot(known, heights, "o-", color=colors[pair], ms=4, lw=1.4, clip_on=False)
    ax.axvline(values.index(defaults()[name]), color="0.6", lw=0.8, ls=":", zorder=0)
    ax.set_xticks(range(len(values)), [word(v) for v in values])
    ax.set_xlim(-0.3, len(values) - 0.7)
    ax.set_title(name, fontsize=10, family="monospace")
    ax.tick_params(labelsize=8)
    ax.spines[["top", "right"]].set_visible(False)


N_COLUMNS = 4
Y_LIMIT = 0.8  # of the raw gap: worse is drawn at the edge


def show_legend(ax: Any, colors: dict[str, str]) -> None:
    """Say in the last panel what the colours are."""
    for pair, color in colors.items():
        ax.plot([], [], "o-", color=color, ms=4, label=pair)
    ax.axvline(np.nan, color="0.6", lw=0.8, ls=":", label="default")
    ax.fill_between([], [], [], color="0.5", alpha=0.3, label="default, 3 seeds")
    ax.legend(loc="center", fontsize=9, frameon=False)
    ax.axis("off")


def table(done: dict) -> str:
    """Return every number as Markdown."""
    rows = [f"| parameter | value | {' | '.join(PAIRS)} | CPU s |", "|---|---|---|---|---|---|"]
    linear = [done[pair, "linear", "auto", 0]["measured"] for pair in PAIRS]
    rows.append(line("linear translator", "", linear))
    for seed in CHANCE_SEEDS:
        found = [done.get((pair, "default", "auto", seed), {}).get("measured") for pair in PAIRS]
        rows.append(line("**defaults**", f"seed {seed}", found))
    for parameter, value, _ in settings()[len(CHANCE_SEEDS) :]:
        found = [done.get((pair, parameter, word(value), 0), {}).get("measured") for pair in PAIRS]
        if any(found):
            rows.append(line(f"`{parameter}`", word(value), found))
    return "\n".join(rows)


def line(parameter: str, value: str, found: list[dict | None]) -> str:
    """Return one row of the table; what was never measured is left empty."""
    numbers = [number(f) if f else "" for f in found]
    seconds = [f["seconds"] for f in found if f]
    time_taken = f"{np.mean(seconds):.0f}" if seconds else ""
    return f"| {parameter} | {value} | {' | '.join(numbers)} | {time_taken} |"


def number(measured: dict) -> str:
    """Return what was left, marked where training went back to an earlier state."""
    return f"{measured['left']:.3f}" + " \\*" * bool(measured.get("n_restarts"))


def write_table(done: dict, path: Path) -> None:
    """Write the table with its conditions."""
    sizes = {
        name: sorted({done[p, "default", "auto", 0]["measured"][name] for p in PAIRS})
        for name in ("n_shared", "n_split", "n_components")
    }
    automatic = ", ".join(f"`{k}` {' or '.join(map(str, v))}" for k, v in sizes.items())
    path.write_text(
        "# Choosing parameters: what is left of the raw gap\n\n"
        f"{describe_machine('torch')}, 1 thread. Made by "
        "`benchmarks/parameters.py`: mock domains, 1000 spectra of 1500 pixels a side, 25 epochs, "
        f"6 of them warm-up; one parameter away from its default at a time. Here the defaults are "
        f"{automatic}. \\* training went back to a good state at least once.\n\n{table(done)}\n"
    )


def main() -> None:
    """Measure, draw, tabulate."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--records", type=Path, required=True, help="JSON lines, one a training")
    parser.add_argument("--figure", type=Path, default=None, help="SVG file to draw")
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    parser.add_argument("--no-training", action="store_true", help="use what is there")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for warning in (LabelMismatchWarning, SubspaceTruncationWarning, TrainingHealthWarning):
        warnings.simplefilter("ignore", warning)
    if not arguments.no_training:
        run(arguments.records)
    done = read_records(arguments.records)
    if arguments.figure is not None:
        draw(done, arguments.figure)
    if arguments.output is not None:
        write_table(done, arguments.output)


if __name__ == "__main__":
    main()

"""What is left of the gap after how much time: subspace, convolutional and published networks.

``OMP_NUM_THREADS=1 python -m benchmarks.time_to_quality [--output FILE] [--figure FILE]`` trains
every network for more and more epochs on ``make_mock_domains`` with 1,024 pixels (anew each time,
a quarter of the epochs being warm-up) and tells the rms of translated spectra against the exact,
noise-free counterparts, as a part of the raw gap, beside the baselines. CPU seconds are of ``fit``
on one thread. Published layers, losses and rate get the time that is given here, not the half day
on a GPU that they are meant for. Needs half an hour.
"""

import argparse
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.machine import describe_machine
from spectragan import CycleGANTranslator, LinearTranslator, MeanShiftTranslator, SpectraganWarning
from spectragan.datasets import make_mock_domains

SEED, N_SPECTRA, N_PIXELS = 0, 2000, 1024
SHORTEST = 0.05  # s, where a logarithmic axis begins
N_MEASURED = 400  # spectra translated: the published networks decode ten or so a second
PUBLISHED: dict[str, Any] = dict.fromkeys(("identity_weight", "latent_weight", "penalty"), 0)
PUBLISHED |= {"adversarial": "bce", "learning_rate": 1e-4}
NETWORKS: dict[str, tuple[str, dict[str, Any], tuple[int, ...]]] = {
    "subspace (default)": ("subspace", {}, (4, 8, 16, 40, 80)),
    "conv": ("conv", {}, (1, 4, 8, 16)),
    "conv-published, our losses": ("conv-published", {}, (1, 4)),
    "conv-published, published losses": ("conv-published", PUBLISHED, (1, 4)),
}
HEAD = """# Time to quality

{}, 1 thread. `make_mock_domains({}, {}, n_pixels={}, random_state={})`; rms against the noise-free
truth, as a part of the raw gap.

| method | epochs | of the raw gap | CPU s |
|---|---|---|---|
"""


class Point(NamedTuple):
    """One training."""

    method: str
    epochs: int
    left: float
    seconds: float


def measure(method: str, epochs: int, translator: Any, mock: Any) -> Point:
    """Fit, and return what is left of the gap."""
    start = time.process_time()
    translator.fit(mock.synthetic, mock.observed)
    seconds = time.process_time() - start
    some = slice(N_MEASURED)
    translated = translator.transform(mock.synthetic_of_observed[some])
    off = translated.flux - mock.observed_truth.flux[some]
    point = Point(method, epochs, float(np.sqrt(np.mean(off**2.0))) / mock.raw_gap, seconds)
    print(point, flush=True)
    return point


def measure_all() -> list[Point]:
    """Train everything."""
    mock = make_mock_domains(N_SPECTRA, N_SPECTRA, n_pixels=N_PIXELS, random_state=SEED)
    points = [
        measure("mean shift", 0, MeanShiftTranslator(), mock),
        measure("linear", 0, LinearTranslator(), mock),
    ]
    for method, (network, parameters, all_epochs) in NETWORKS.items():
        for epochs in all_epochs:
            translator = CycleGANTranslator(
                network,
                max_epochs=epochs,
                warmup_epochs=epochs // 4,
                random_state=SEED,
                verbose=0,
                **parameters,
            )
            points.append(measure(method, epochs, translator, mock))
    return points


def draw(points: list[Point], path: Path) -> None:
    """Draw what is left against time."""
    import matplotlib.pyplot as plt

    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "time_to_quality"}):
        figure, axes = plt.subplots(figsize=(6.4, 4.0), layout="constrained")
        for method in dict.fromkeys(point.method for point in points):
            mine = [point for point in points if point.method == method]
            seconds, left = [max(p.seconds, SHORTEST) for p in mine], [p.left for p in mine]
            axes.loglog(seconds, left, marker="o", label=method)
        axes.axhline(1.0, color="0.6", linestyle=":", label="no translation")
        axes.set(xlabel="time on one core (s)", ylabel="rms to the truth, of the raw gap")
        axes.set_yticks([0.2, 0.5, 1, 2, 4], ["0.2", "0.5", "1", "2", "4"])
        axes.set_yticks([], minor=True)
        axes.legend(fontsize="small")
        figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Print the points, and write table and figure on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    parser.add_argument("--figure", type=Path, default=None, help="SVG file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", SpectraganWarning)
    points = measure_all()
    rows = [f"| {p.method} | {p.epochs or ''} | {p.left:.3f} | {p.seconds:.0f} |" for p in points]
    if arguments.output is not None:
        where = describe_machine("numpy", "torch")
        head = HEAD.format(where, N_SPECTRA, N_SPECTRA, N_PIXELS, SEED)
        arguments.output.write_text(head + "\n".join(rows) + "\n")
    if arguments.figure is not None:
        draw(points, arguments.figure)


if __name__ == "__main__":
    main()

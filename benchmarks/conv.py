"""Translation with convolutional networks, against the baselines and without the game.

``python -m benchmarks.conv [--output FILE]`` fits ``CycleGANTranslator(network="conv")`` with its
defaults on ``make_mock_domains`` with 1,024 pixels, three seeds, and tells the rms of translated
spectra against the exact, noise-free counterparts, as a part of the raw gap. For the first seed
it also fits the start alone (no training), the same without the adversarial term, and, with
``--published``, the published layers and losses for as many steps.

CPU seconds are of ``fit`` on one thread.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import describe_machine
from spectragan import CycleGANTranslator, LinearTranslator, MeanShiftTranslator
from spectragan.datasets import make_mock_domains

SEEDS = (0, 1, 2)
N_SPECTRA, N_PIXELS = 2000, 1024
STEPS = {"max_epochs": 16, "batch_size": 32}  # as "conv"; published are 600 times as many
PUBLISHED = dict.fromkeys(("identity_weight", "latent_weight", "penalty", "warmup_epochs"), 0)
PUBLISHED |= {"network": "conv-published", "adversarial": "bce", **STEPS}


def translators(seed: int) -> dict:
    """Make what every seed is measured with."""
    return {
        "mean shift": MeanShiftTranslator(),
        "linear": LinearTranslator(),
        '**`network="conv"`**': CycleGANTranslator("conv", random_state=seed, verbose=0),
    }


def variants(seed: int, *, published: bool) -> dict:
    """Make what tells where the result comes from."""
    common = {"random_state": seed, "verbose": 0}
    found = {
        "conv, `max_epochs=0`: the start": CycleGANTranslator("conv", max_epochs=0, **common),
        "conv, `adversarial_weight=0`": CycleGANTranslator(
            "conv", adversarial_weight=0.0, **common
        ),
    }
    if published:
        found["published layers and losses"] = CycleGANTranslator(**PUBLISHED, **common)
    return found


def rms(difference: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(difference, dtype=float))))


def measure(methods: dict, seed: int) -> list[str]:
    """Fit on one mock, and return one row per method."""
    mock = make_mock_domains(N_SPECTRA, N_SPECTRA, n_pixels=N_PIXELS, random_state=seed)
    truth, raw = mock.observed_truth.flux, mock.synthetic_of_observed
    gap = rms(raw.flux - truth)
    shift = MeanShiftTranslator().fit(mock.synthetic, mock.observed).transform(raw)
    rows = []
    for name, translator in methods.items():
        start = time.process_time()
        translator.fit(mock.synthetic, mock.observed)
        seconds = time.process_time() - start
        left = rms(translator.transform(raw).flux - truth)
        shares = f"{left / gap:.3f} | {left / rms(shift.flux - truth):.3f}"
        rows.append(f"| {seed} | {name} | {shares} | {seconds:.0f} |")
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Print the table, and write it to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    parser.add_argument("--published", action="store_true", help="train the published network too")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row for seed in SEEDS for row in measure(translators(seed), seed)]
    rows += measure(variants(SEEDS[0], published=arguments.published), SEEDS[0])
    lines = [
        "# Convolutional translation: what is left of the gap",
        "",
        f"{describe_machine('torch', 'numpy')}, 1 thread. "
        f"`make_mock_domains({N_SPECTRA}, {N_SPECTRA}, n_pixels={N_PIXELS}, random_state=seed)`; "
        "rms against the noise-free truth.",
        "",
        "| seed | method | of the raw gap | of mean shift | CPU s |",
        "|---|---|---|---|---|",
        *rows,
    ]
    if arguments.output is not None:
        arguments.output.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()

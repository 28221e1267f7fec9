"""Translation against its baselines: how much of the synthetic gap is left, and in what time.

``python -m benchmarks.translation [--output FILE]`` trains every translator with its defaults on

* ``make_mock_domains`` with equal label distributions, three seeds: rms of the translated spectra
  against the exact, noise-free counterparts, as a part of the raw gap;
* an APOGEE-like pair of 7,214 pixels (``benchmarks/apogee_like.py``): the same;
* real MILES stars, three splits by star: residual of each test star to the best-fitting of 12,000
  translated models, as a part of that to the best raw one, and the median label offsets of the
  best models. The labels of the training stars are used as a distribution to draw from only.

CPU seconds are of ``fit`` on one thread.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.apogee_like import make_apogee_like_pair
from benchmarks.machine import describe_machine
from spectragan import (
    ContinuumNormalizer,
    CycleGANTranslator,
    LinearTranslator,
    MeanShiftTranslator,
    PseudoPairTranslator,
)
from spectragan.datasets import load_miles, make_mock_domains, make_synthetic_spectra

SEEDS = (0, 1, 2)
N_MODELS = 12_000
N_TEST = 110
BROADENING = [150.0, 0.3, 0.2]  # K, dex, dex
LABEL_RANGE = [3500.0, 0.0, -2.5], [8000.0, 5.0, 0.5]


def translators(seed: int) -> dict:
    """Make every translator with its defaults."""
    return {
        "mean shift": MeanShiftTranslator(),
        "linear": LinearTranslator(),
        "pseudo-pairs": PseudoPairTranslator(),
        "CycleGAN": CycleGANTranslator(random_state=seed, verbose=0),
        "no critics": CycleGANTranslator(adversarial=None, random_state=seed, verbose=0),
    }


def rms(difference: np.ndarray) -> float:
    """Return the root mean square."""
    return float(np.sqrt(np.mean(np.square(difference, dtype=float))))


def timed_fit(translator, synthetic, observed) -> float:
    """Fit, and return the CPU seconds it took."""
    start = time.process_time()
    translator.fit(synthetic, observed)
    return time.process_time() - start


def pair_rows(name: str, pair, seed: int) -> list[str]:
    """Measure one pair of domains with known truth."""
    truth, raw = pair.observed_truth.flux, pair.synthetic_of_observed
    gap = rms(raw.flux - truth)
    rows = []
    for method, translator in translators(seed).items():
        seconds = timed_fit(translator, pair.synthetic, pair.observed)
        left = rms(translator.transform(raw).flux - truth) / gap
        rows.append(f"| {name} | {seed} | {method} | {left:.3f} | {seconds:.0f} |")
        print(rows[-1], flush=True)
    return rows


def best_models(models: np.ndarray, stars: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for every star the best-fitting model and the rms residual to it."""
    models, stars = models.astype(float), stars.astype(float)
    squares = (models**2).mean(1) - 2 * stars @ models.T / models.shape[1]
    best = squares.argmin(axis=1)
    return best, np.sqrt(((stars - models[best]) ** 2).mean(axis=1))


def miles_rows(seed: int) -> list[str]:
    """Measure one split of the MILES stars."""
    stars, rng = load_miles(), np.random.default_rng(seed)
    order = rng.permutation(len(stars.spectra))
    test, train = order[:N_TEST], order[N_TEST:]
    labels = stars.labels[train][rng.integers(len(train), size=N_MODELS)]
    labels = np.clip(labels + rng.normal(size=labels.shape) * BROADENING, *LABEL_RANGE)
    normalizer = ContinuumNormalizer(degree=8)
    observed = normalizer.fit_transform(stars.spectra)
    synthetic = normalizer.fit_transform(make_synthetic_spectra(labels=labels).spectra)
    targets, raw, rows = observed.flux[test], None, []
    for method, translator in {"raw": None, **translators(seed)}.items():
        seconds, models = 0.0, synthetic
        if translator is not None:
            seconds = timed_fit(translator, synthetic, observed[train])
            models = translator.transform(synthetic)
        best, residual = best_models(models.flux, targets)
        raw = np.median(residual) if raw is None else raw
        offset = np.median(labels[best] - stars.labels[test], axis=0)
        rows.append(
            f"| {seed} | {method} | {np.median(residual):.4f} | {np.median(residual) / raw:.3f} "
            f"| {offset[0]:+.0f} | {offset[1]:+.2f} | {offset[2]:+.2f} | {seconds:.0f} |"
        )
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Print both tables, and write them to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    output = parser.parse_args().output
    torch.set_num_threads(1)
    pairs = ["| pair | seed | method | of the raw gap | CPU s |", "|---|---|---|---|---|"]
    for seed in SEEDS:
        pairs += pair_rows("mock", make_mock_domains(random_state=seed), seed)
    pairs += pair_rows("APOGEE-like", make_apogee_like_pair(random_state=0), 0)
    stars = [
        "| split | method | residual | of raw | Teff (K) | logg | [Fe/H] | CPU s |",
        "|---|---|---|---|---|---|---|---|",
        *(row for seed in SEEDS for row in miles_rows(seed)),
    ]
    where = describe_machine("torch", "scikit-learn")
    parts = [
        f"# Translation: what is left of the gap\n\n{where}, 1 thread.",
        "\n".join(["## Pairs with known truth\n", *pairs]),
        "\n".join(["## Real MILES stars\n", *stars]),
    ]
    if output is not None:
        output.write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()

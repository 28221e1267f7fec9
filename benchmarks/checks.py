"""Do the checks of a translation tell the truth? Spectra that should be flagged, and fresh ones.

``OMP_NUM_THREADS=1 python -m benchmarks.checks [--output benchmarks/results/checks.md]``

For three seeds, a `CycleGANTranslator` is trained on 1,000 spectra a side (20 epochs); printed is
the share of spectra that `out_of_distribution` flags at a false-alarm rate of 1 %, in either
domain: fresh spectra of the same population, and four kinds of spoiled ones; and stars that are
at least 200 K colder than all spectra of a training without the coldest 30 %. The reference is what
the translator was fitted to, or other stars.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import describe_machine
from spectragan import CycleGANTranslator, SpectraganWarning, out_of_distribution
from spectragan.datasets import make_mock_domains

SEEDS = (0, 1, 2)
N_SPECTRA, N_PIXELS = 1000, 1500
SHORT = {"max_epochs": 20, "warmup_epochs": 6, "verbose": 0}
DOMAINS = ("synthetic", "observed")
COLDEST, COLDER = 0.3, 200.0  # share left out of a training; K below the rest
MODEL_NOISE = 0.01  # of "pure noise" where spectra have none


def make(seed: int):
    """Make a pair of domains, and twice fresh spectra of the same domains."""
    size = {"n_pixels": N_PIXELS, "gap_seed": seed}
    return tuple(
        make_mock_domains(N_SPECTRA, N_SPECTRA, random_state=seed + more, **size)
        for more in (0, 100, 200)
    )


def spoiled(X, rng) -> dict:
    """Return fresh spectra, and what may have gone wrong with them."""
    error = np.where(X.ivar > 0, X.ivar, np.inf) ** -0.5
    error = error if X.noise[0] == "known" else MODEL_NOISE
    slope = np.linspace(1, 2, X.shape[1])
    flux = {
        "fresh": X.flux,
        "one pixel off": np.roll(X.flux, 1, axis=1),
        "flux times 2": 2 * X.flux,
        "continuum rises by a factor of 2": X.flux * slope,
        "pure noise": 1 + error * rng.normal(size=X.shape),
    }
    return {name: X.with_flux(part.astype(X.dtype)) for name, part in flux.items()}


def one_seed(seed: int) -> dict[tuple[str, str], float]:
    """Return the share of flagged spectra by kind and domain."""
    pair, fresh, other = make(seed)
    rng = np.random.default_rng(seed)
    translator = CycleGANTranslator(random_state=seed, **SHORT).fit(pair.synthetic, pair.observed)
    shares = {}
    for domain in DOMAINS:
        for name, X in spoiled(fresh[domain], rng).items():
            found = out_of_distribution(translator, X, pair[domain], domain=domain)
            shares[name, domain] = found.share
        found = out_of_distribution(translator, fresh[domain], other[domain], domain=domain)
        shares["fresh, reference of other stars", domain] = found.share
    teff = {d: pair[f"labels_{d}"][:, 0] for d in DOMAINS}
    limit = np.quantile(teff["synthetic"], COLDEST)
    kept = {d: pair[d][teff[d] > limit] for d in DOMAINS}
    translator = CycleGANTranslator(random_state=seed, **SHORT)
    translator.fit(kept["synthetic"], kept["observed"])
    for domain in DOMAINS:
        cold = fresh[f"labels_{domain}"][:, 0] < limit - COLDER
        found = out_of_distribution(translator, fresh[domain][cold], kept[domain], domain=domain)
        shares["held-out colder stars", domain] = found.share
        others = other[domain][other[f"labels_{domain}"][:, 0] > limit]
        found = out_of_distribution(translator, fresh[domain][cold], others, domain=domain)
        shares["the same, reference of other stars", domain] = found.share
    return shares


def main() -> None:
    """Print every seed, and the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", SpectraganWarning)
    runs = []
    for seed in SEEDS:
        runs.append(one_seed(seed))
        print(seed, runs[-1], flush=True)
    rows = ["| spectra | domain | " + " | ".join(f"seed {s}" for s in SEEDS) + " |"]
    rows.append("|---" * (2 + len(SEEDS)) + "|")
    for name, domain in runs[0]:
        values = " | ".join(f"{run[name, domain]:.3f}" for run in runs)
        rows.append(f"| {name} | {domain} | {values} |")
    text = (
        f"# Checks of a translation\n\n{describe_machine('numpy', 'torch')}, 1 thread. "
        "Share of spectra flagged by `out_of_distribution` at a false-alarm rate of 1 %; "
        f"mock domains, {N_SPECTRA} spectra of {N_PIXELS} pixels a side.\n\n"
    )
    print("\n".join(rows))
    if arguments.output is not None:
        arguments.output.write_text(text + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()

"""Which spectra to train on, and which epoch to keep: chosen by the critic, and by pairs.

``OMP_NUM_THREADS=1 python -m benchmarks.selection --output benchmarks/results/selection.md``

What is left of the raw gap (`benchmarks.gap_zoo`) with and without ``oversample=4``, on spectra
that are matched (``match_labels="auto"``) or not. Parts:

* ``mock``: mock domains (1000 spectra of 1500 pixels a side, 25 epochs), three seeds, equal,
  shifted and narrower labels. The default starts from pseudo-pairs on all of these, and keeps their
  translation; here the start is made linear by force, as it is where a gap is dense.
* ``zoo``: gaps of `benchmarks.gap_pairs` as a user would train on them, defaults, zoo seed 11.
* ``miles``: real stars, synthetic labels tilted towards cool and metal-rich ones
  (`benchmarks.label_mismatch`): median label offsets of the best models from the catalogue.
* ``epoch``: what the epoch that ``select_by="x_so"`` keeps leaves, beside the best epoch by the
  truth and the last one. Pairs are 200 noisy stars, the truth is of 400 others; neither is
  trained on.

The number of candidates and the annealing were chosen on seed 3.
"""

import warnings
from contextlib import nullcontext
from itertools import chain
from typing import Any
from unittest.mock import patch

import numpy as np
from skorch.callbacks import Callback

from benchmarks.gap_pairs import GAPS, make_pair
from benchmarks.gap_zoo import left as left_in_zoo
from benchmarks.label_mismatch import DOMAINS, SHORT, TILT, left
from benchmarks.machine import write_parts
from benchmarks.translation import BROADENING, LABEL_RANGE, N_TEST, best_models
from spectragan import (
    ContinuumNormalizer,
    CycleGANTranslator,
    LinearTranslator,
    SpectraganWarning,
)
from spectragan.datasets import load_miles, make_mock_domains, make_synthetic_spectra
from spectragan.translator.matching import pseudo_pairs

SEEDS = (0, 1, 2)
ZOO_SEED = 11
ZOO = (
    ("APOGEE-like", "continuum", 0.5),  # with seed 3 its start is linear
    ("APOGEE-like", "continuum", 0.0),
    ("APOGEE-like", "sparse, broader, continuum", 0.5),
    ("MILES-like", "deeper", 0.5),
)
CANDIDATES = 4
N_VALIDATION, N_TRUTH = 200, 400
VARIANTS: dict[str, dict[str, Any]] = {
    "matched": {},
    f"matched, {CANDIDATES} candidates": {"oversample": CANDIDATES},
    "matched in any case": {"match_labels": True},
    "all": {"match_labels": False},
    f"all, {CANDIDATES} candidates": {"match_labels": False, "oversample": CANDIDATES},
}


def linear_start():
    """Return a context in which no game starts from pseudo-pairs, as where a gap is dense."""
    return patch.object(pseudo_pairs, "SPARSE", -1.0)


def fits(domains, seed: int, names=tuple(VARIANTS), **settings):
    """Yield every variant's name and translator; None where it would be an earlier one again."""
    done = set()
    for name, variant in ((name, VARIANTS[name]) for name in names):
        candidates = variant.get("oversample")
        if (variant.get("match_labels"), candidates) in done:
            yield name, None
            continue
        fitted = CycleGANTranslator(random_state=seed, verbose=0, **settings, **variant)
        fitted.fit(*domains)
        done.add((bool(fitted.mismatch_ and fitted.mismatch_.matched), candidates))
        yield name, fitted


def spelled(name: str, fitted, value: str) -> str:
    """Return one entry: with the share of spectra in use, where critics chose."""
    if fitted is None:
        return "same"
    share = f" ({fitted.selected_share_:.2f})" if "candidates" in name else ""
    return value + share


def header(*columns: str) -> list[str]:
    """Return the first two lines of a table."""
    return [f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]


def mock(seeds=SEEDS) -> list[str]:
    """Measure mock domains from a linear start."""
    names = ("matched", "all", f"all, {CANDIDATES} candidates")
    rows = header("labels", "seed", "linear", *names)
    for seed in seeds:
        for labels, options in DOMAINS.items():
            pair = make_mock_domains(
                1000, 1000, n_pixels=1500, random_state=seed, gap_seed=seed, **options
            )
            domains = pair.synthetic, pair.observed
            values = [f"{left(LinearTranslator().fit(*domains), pair):.3f}"]
            with linear_start():
                for name, fitted in fits(domains, seed, names, **SHORT):
                    values.append(spelled(name, fitted, fitted and f"{left(fitted, pair):.3f}"))
            rows.append(f"| {labels} | {seed} | {' | '.join(values)} |")
            print(rows[-1], flush=True)
    return rows


def zoo() -> list[str]:
    """Measure gaps of the zoo as they are."""
    rows = header("base", "gap", "labels", "start", "linear", *VARIANTS)
    for base, gap, shift in ZOO:
        kind = next(kind for kind in GAPS if kind.name == gap)
        pair = make_pair(kind, base, label_shift=shift, seed=ZOO_SEED)
        domains, test = (pair.synthetic, pair.observed), pair.test.synthetic_of_observed
        flux = LinearTranslator().fit(*domains).transform(test).flux
        values, start = [f"{left_in_zoo(flux, pair):.3f}"], ""
        for name, fitted in fits(domains, ZOO_SEED):
            if fitted is None:
                values.append("same")
                continue
            start = "pairs" if fitted.starts_from_pairs_ else "linear"
            value = left_in_zoo(fitted.transform(test).flux, pair)
            values.append(spelled(name, fitted, f"{value:.3f}"))
        words = f"shifted by {shift}" if shift else "equal"
        rows.append(f"| {base} | {gap} | {words} | {start} | {' | '.join(values)} |")
        print(rows[-1], flush=True)
    return rows


def miles(seeds=(0,)) -> list[str]:
    """Measure real stars, the synthetic labels tilted."""
    rows = header("split", "method", "residual, of raw", "Teff (K)", "logg", "[Fe/H]", "share")
    for seed in seeds:
        rows += miles_split(seed)
    return rows


def miles_split(seed: int) -> list[str]:
    """Measure one split by star."""
    stars, rng = load_miles(), np.random.default_rng(seed)
    order = rng.permutation(len(stars.spectra))
    test, train = order[:N_TEST], order[N_TEST:]
    known = stars.labels[train]
    tilt = np.exp((known - known.mean(0)) / known.std(0) @ TILT)
    normalizer = ContinuumNormalizer(degree=8)

    def draw(n, weights):
        labels = known[rng.choice(len(known), size=n, p=weights / weights.sum())]
        return np.clip(labels + rng.normal(size=labels.shape) * BROADENING, *LABEL_RANGE)

    def model(labels):
        return normalizer.fit_transform(make_synthetic_spectra(labels=labels).spectra)

    observed = normalizer.fit_transform(stars.spectra)
    domains = model(draw(6000, tilt)), observed[train]
    judged = draw(8000, np.ones(len(known)))
    models, targets = model(judged), observed.flux[test]
    rows, raw = [], float(np.median(best_models(models.flux, targets)[1]))
    linear = [("linear", LinearTranslator().fit(*domains))]
    for name, fitted in chain(linear, fits(domains, seed)):
        if fitted is None:
            continue
        best, residual = best_models(fitted.transform(models).flux, targets)
        offset = np.median(judged[best] - stars.labels[test], axis=0)
        share = f"{fitted.selected_share_:.2f}" if "candidates" in name else ""
        rows.append(
            f"| {seed} | {name} | {np.median(residual) / raw:.3f} | {offset[0]:+.0f} | "
            f"{offset[1]:+.2f} | {offset[2]:+.3f} | {share} |"
        )
        print(rows[-1], flush=True)
    return rows


class Truth(Callback):
    """Note what the translator of every epoch leaves: callbacks come after the scores."""

    def __init__(self, translator, pairs) -> None:
        self.translator, self.pairs = translator, pairs
        self.left: list[float] = []

    def on_epoch_end(self, net, **kwargs) -> None:
        """Judge the averaged translator of this epoch."""
        flux = self.translator.transform(self.pairs[0]).flux
        self.left.append(float(np.sqrt(np.mean((flux - self.pairs[1].flux) ** 2, dtype=float))))


def epoch(seeds=SEEDS) -> list[str]:
    """Measure which epoch is kept."""
    rows = header(
        "start",
        "seed",
        "kept epoch",
        "it leaves",
        "best by truth",
        "it leaves",
        "last leaves",
        "kept over best",
    )
    for start, context in (("pairs", nullcontext), ("linear", linear_start)):
        for seed in seeds:
            pair = make_mock_domains(1000, 1000, n_pixels=1500, random_state=seed, gap_seed=seed)
            held = make_mock_domains(
                50, N_VALIDATION + N_TRUTH, n_pixels=1500, random_state=seed + 500, gap_seed=seed
            )
            pairs = held.synthetic_of_observed, held.observed
            truth = held.synthetic_of_observed, held.observed_truth
            fitted = CycleGANTranslator(random_state=seed, verbose=0, select_by="x_so")
            noted = Truth(fitted, [part[N_VALIDATION:] for part in truth])
            fitted.set_params(callbacks=[noted])
            with context():
                fitted.fit(
                    pair.synthetic,
                    pair.observed,
                    validation=tuple(part[:N_VALIDATION] for part in pairs),
                )
            curve, kept = np.array(noted.left) / held.raw_gap, fitted.kept_epoch_ - 1
            best = int(curve.argmin())
            rows.append(
                f"| {start} | {seed} | {kept + 1} of {len(curve)} | {curve[kept]:.4f} | "
                f"{best + 1} | {curve[best]:.4f} | {curve[-1]:.4f} | "
                f"{curve[kept] / curve[best]:.3f} |"
            )
            print(rows[-1], flush=True)
    return rows


PARTS = {"mock": mock, "zoo": zoo, "miles": miles, "epoch": epoch}
TITLES = {
    "mock": "Mock domains from a linear start: left of the raw gap (share of spectra in use)",
    "zoo": "The zoo, defaults: left of the raw gap (share of spectra in use)",
    "miles": "MILES stars, synthetic labels tilted to cool and metal-rich stars",
    "epoch": "The epoch that is kept by x_so, mock domains: left of the raw gap",
}


def main() -> None:
    """Print the tables, and write them to a file on request."""
    warnings.simplefilter("ignore", SpectraganWarning)
    write_parts(__doc__, "Which spectra, and which epoch", PARTS, TITLES)


if __name__ == "__main__":
    main()

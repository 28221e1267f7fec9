"""Different label distributions: matching, anchors, and choosing models without pairs.

Parts, each with its table:

* ``ablation``: mock domains (1000 spectra of 1500 pixels a side, 25 epochs), three seeds, equal,
  shifted and narrower labels; what is left of the raw gap when rows are drawn in several ways;
* ``defaults``: full-size pairs with shifted labels, defaults, without and with 20 anchors;
* ``miles``: real stars, synthetic labels tilted towards cool and metal-rich ones, 0 to 100 anchors:
  median label offsets of the best models from the catalogue;
* ``choice``: twelve settings; what would be chosen by pairs, and by scores without pairs.

Run ``OMP_NUM_THREADS=1 python -m benchmarks.label_mismatch --output
benchmarks/results/label_mismatch.md``.
"""

import warnings
from functools import partial

import numpy as np

from benchmarks.apogee_like import make_apogee_like_pair
from benchmarks.machine import write_parts
from benchmarks.translation import BROADENING, LABEL_RANGE, N_TEST, best_models
from spectragan import (
    ContinuumNormalizer,
    CycleGANTranslator,
    LabelMismatchWarning,
    LinearTranslator,
    gap_scores,
    pseudo_pair_score,
)
from spectragan.datasets import load_miles, make_mock_domains, make_synthetic_spectra
from spectragan.translator.base import memory_data
from spectragan.translator.matching.mismatch import match_domains, overlap_weights

SEEDS = (0, 1, 2)
SHORT = {"max_epochs": 25, "warmup_epochs": 8}
DOMAINS = {
    "equal": {},
    "shifted by 0.5": {"label_shift": 0.5},
    "0.6 times as wide": {"label_scale": 0.6},
}
TILT = np.array([-0.5, 0.0, 0.5])  # of log density, per standard deviation of teff, logg, feh
ANCHORS = (0, 5, 20, 100)
SETTINGS = (
    *({"n_shared": k, "n_split": s} for k in (2, 3, 4, 6) for s in (1, 3)),
    {"penalty": 0.5},
    {"penalty": 0.005},
    {"identity_weight": 0.0},
    {"identity_weight": 1.0},
)


def left(translator, pair) -> float:
    """Return what a fitted translator leaves of the raw gap."""
    flux = translator.transform(pair.synthetic_of_observed).flux
    rms = np.sqrt(np.mean((flux - pair.observed_truth.flux) ** 2, dtype=float))
    return float(rms) / pair.raw_gap


def resample(weights: np.ndarray) -> np.ndarray:
    """Return rows in proportion to weights."""
    total = np.cumsum(weights) / weights.sum()
    return np.searchsorted(total, (np.arange(len(weights)) + 0.5) / len(weights))


def drawn_rows(pair) -> dict:
    """Return which rows each method trains with."""
    everything = np.arange(len(pair.synthetic)), np.arange(len(pair.observed))
    found = match_domains((memory_data(pair.synthetic), memory_data(pair.observed)), match="auto")
    share = np.clip(overlap_weights(*found.placed.latents)[0], 0, 0.98)
    flux = [np.where(p.ivar > 0, p.filled(), 1.0) for p in (pair.synthetic, pair.observed)]
    stacked = np.vstack(flux) - flux[0].mean(axis=0)
    components = np.linalg.svd(stacked, full_matrices=False)[2][:5]
    raw = overlap_weights(*(((f - flux[0].mean(axis=0)) @ components.T) for f in flux))
    return {
        "CycleGAN, all spectra": everything,
        "CycleGAN, matched (default)": found.rows,
        "CycleGAN, synthetic re-weighted": (resample(share / (1 - share)), everything[1]),
        "CycleGAN, matched by raw components": tuple(map(resample, raw)),
    }


def ablation() -> list[str]:
    """Measure ways to draw rows."""
    rows = ["| labels | method | seed 0 | seed 1 | seed 2 |", "|---|---|---|---|---|"]
    for name, options in DOMAINS.items():
        results: dict[str, list[float]] = {}
        for seed in SEEDS:
            pair = make_mock_domains(
                1000, 1000, n_pixels=1500, random_state=seed, gap_seed=seed, **options
            )
            linear = LinearTranslator().fit(pair.synthetic, pair.observed)
            results.setdefault("linear", []).append(left(linear, pair))
            for method, (first, second) in drawn_rows(pair).items():
                translator = CycleGANTranslator(
                    random_state=seed, verbose=0, match_labels=False, **SHORT
                ).fit(pair.synthetic[first], pair.observed[second])
                results.setdefault(method, []).append(left(translator, pair))
                print(name, seed, method, results[method][-1], flush=True)
        for method, values in results.items():
            rows.append(f"| {name} | {method} | " + " | ".join(f"{v:.3f}" for v in values) + " |")
    return rows


def defaults() -> list[str]:
    """Measure full-size pairs."""
    rows = [
        "| pair, labels shifted by 0.5 | seed | linear | no anchors | 20 anchors | mismatch |",
        "|---|---|---|---|---|---|",
    ]
    pairs = [("mock", seed, partial(make_mock_domains, gap_seed=seed)) for seed in SEEDS]
    for name, seed, make in (*pairs, ("APOGEE-like", 0, make_apogee_like_pair)):
        pair = make(2000, 2000, label_shift=0.5, random_state=seed)
        values = [left(LinearTranslator().fit(pair.synthetic, pair.observed), pair)]
        some = slice(0, 20)
        for anchors in (None, (pair.observed[some], pair.synthetic_of_observed[some])):
            translator = CycleGANTranslator(random_state=seed, verbose=0)
            translator.fit(pair.synthetic, pair.observed, anchors=anchors)
            values.append(left(translator, pair))
        found = translator.mismatch_
        rows.append(
            f"| {name} | {seed} | "
            + " | ".join(f"{v:.3f}" for v in values)
            + f" | {found.distance:.2f} ± {found.distance_error:.2f} |"
        )
        print(rows[-1], flush=True)
    return rows


def miles() -> list[str]:
    """Measure real stars, the synthetic labels tilted."""
    rows = [
        "| split | model | residual, of raw | Teff (K) | logg | [Fe/H] | mismatch |",
        "|---|---|---|---|---|---|---|",
    ]
    for seed in (0, 1):
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
    synthetic = model(draw(6000, tilt))
    judged = draw(8000, np.ones(len(known)))
    models, targets, partners = model(judged), observed.flux[test], model(known)
    chosen = rng.permutation(len(train))
    rows, raw = [], None
    for name, n in (("raw", None), ("linear", None), *((f"{n} anchors", n) for n in ANCHORS)):
        flux, mismatch = models.flux, ""
        if name == "linear":
            flux = LinearTranslator().fit(synthetic, observed[train]).transform(models).flux
        elif n is not None:
            some = chosen[:n]
            anchors = (observed[train[some]], partners[some]) if n else None
            translator = CycleGANTranslator(random_state=seed, verbose=0)
            translator.fit(synthetic, observed[train], anchors=anchors)
            flux, found = translator.transform(models).flux, translator.mismatch_
            mismatch = f"{found.distance:.2f} ± {found.distance_error:.2f}"
        best, residual = best_models(flux, targets)
        raw = np.median(residual) if raw is None else raw
        offset = np.median(judged[best] - stars.labels[test], axis=0)
        rows.append(
            f"| {seed} | {name} | {np.median(residual) / raw:.3f} | {offset[0]:+.0f} | "
            f"{offset[1]:+.2f} | {offset[2]:+.3f} | {mismatch} |"
        )
        print(rows[-1], flush=True)
    return rows


def choice() -> list[str]:
    """Compare scores without pairs with the truth, on held-out spectra."""
    rows = [
        "| labels | setting | left of the raw gap | pseudo-pair score | score | AUC of the gap |",
        "|---|---|---|---|---|---|",
    ]
    for shift in (0.0, 0.5):
        pair = make_mock_domains(1200, 1200, n_pixels=1500, label_shift=shift, random_state=0)
        held = make_mock_domains(500, 500, n_pixels=1500, label_shift=shift, random_state=500)
        results = []
        for setting in ("linear", *SETTINGS):
            translator = LinearTranslator()
            if setting != "linear":
                translator = CycleGANTranslator(random_state=0, verbose=0, **SHORT, **setting)
            translator.fit(pair.synthetic, pair.observed)
            drawn = translator.sample(held.synthetic, 1, random_state=0)[0]
            exact = held.synthetic.with_flux(drawn, noise="exact")
            results.append(
                (
                    left(translator, held),
                    pseudo_pair_score(translator, held.synthetic, held.observed),
                    translator.score(held.synthetic, held.observed),
                    -gap_scores(exact, held.observed, random_state=0).auc,
                )
            )
            words = (
                setting
                if setting == "linear"
                else ", ".join(f"{k}={v}" for k, v in setting.items())
            )
            a, b, c, d = results[-1]
            rows.append(
                f"| shifted by {shift} | {words} | {a:.3f} | {b:.4f} | {c:.4f} | {-d:.3f} |"
            )
            print(rows[-1], flush=True)
        truth, *scores = np.array(results).T
        picked = [truth[score.argmax()] for score in scores]
        rows.append(
            f"| shifted by {shift} | **chosen** | {truth.min():.3f} | {picked[0]:.3f} | "
            f"{picked[1]:.3f} | {picked[2]:.3f} |"
        )
    return rows


PARTS = {"ablation": ablation, "defaults": defaults, "miles": miles, "choice": choice}
TITLES = {
    "ablation": "Which spectra to train with: left of the raw gap, mock domains",
    "defaults": "Full-size pairs, defaults: left of the raw gap",
    "miles": "MILES stars, synthetic labels tilted to cool and metal-rich stars",
    "choice": "Choosing a model without pairs",
}


def main() -> None:
    """Print the tables, and write them to a file on request."""
    warnings.simplefilter("ignore", LabelMismatchWarning)
    write_parts(__doc__, "Label mismatch", PARTS, TITLES)


if __name__ == "__main__":
    main()

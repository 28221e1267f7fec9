"""What is left of many kinds of gaps, and whether the package knows: a zoo that nobody tunes to.

``OMP_NUM_THREADS=1 python -m benchmarks.gap_zoo [--game] [--unmatched] [--output FILE]``

For every gap of `benchmarks.gap_pairs`, on two bases, with equal and with shifted labels (0.5
standard deviations): the rms difference of translated synthetic spectra of 400 other observed
stars to their noise-free spectra, as a part of the raw gap (where there is none, of a tenth of the
scatter between stars). The ceiling is a ridge regression on 800 true pairs with the same noise.
Printed beside: the offset found and its pull, the worst error of a mean latent over the stated one;
what all lines are said to have in common; and the verdict of `translation_report`. Rough labels
have errors of 0.3 standard deviations and a zero point of 0.1. With ``--game`` the
`CycleGANTranslator` is trained as well and judged; with ``--unmatched`` without `match_labels`.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np

from benchmarks.gap_pairs import BASES, GAPS, Gap, make_pair
from benchmarks.machine import describe_machine
from spectragan import (
    CycleGANTranslator,
    LinearTranslator,
    MeanShiftTranslator,
    PseudoPairTranslator,
    RoughLabels,
    SpectraganWarning,
    translation_report,
)
from spectragan.translator.matching.pseudo_map import PseudoMap
from spectragan.translator.representation import fit_head

SHIFTS = (0.0, 0.5)
N_ANCHORS = 20
N_ROUGH, ROUGH, ZERO_POINT = 400, 0.3, 0.1  # standard deviations of the labels
N_COMPONENTS = 20  # of the ceiling's regression
COLUMNS = (
    "base",
    "gap",
    "labels",
    "ceiling",
    "mean shift",
    "linear",
    "pseudo-pairs",
    "20 anchors",
    "400 rough labels",
    "game",
    "game, unmatched",
    "offset",
    "pull",
    "all lines",
    "verdict",
)


def left(flux: np.ndarray, pair) -> float:
    """Return what translated spectra of the test stars leave."""
    return float(np.sqrt(np.mean((flux - pair.test.observed_truth.flux) ** 2, dtype=float))) / (
        pair.unit
    )


def ceiling(pair) -> float:
    """Return what a regression on true pairs leaves."""
    synthetic, observed = pair.synthetic_of_observed.flux, pair.observed
    mean = synthetic.mean(axis=0)
    parts = np.linalg.svd(synthetic - mean, full_matrices=False)[2][:N_COMPONENTS]

    def features(flux):
        return np.column_stack([np.ones(len(flux)), (flux - mean) @ parts.T])

    good = observed.ivar > 0
    residual = np.where(good, observed.filled() - synthetic, 0.0)
    head = fit_head(features(synthetic), residual, good.astype(float))
    test = pair.test.synthetic_of_observed.flux
    return left(test + features(test) @ head, pair)


def pull(fitted: PseudoMap, mismatch, pair) -> float:
    """Return the worst error of a mean latent, over what is stated."""
    found = fitted.encode(pair.synthetic.flux)
    truth = fitted.encode(pair.synthetic_of_observed.flux).mean(axis=0) - found.mean(axis=0)
    sampling = np.sqrt((1 + mismatch.scale**2) / len(found))
    stated = np.sqrt(np.maximum(mismatch.offset_error**2 - sampling**2, 1e-12))
    return float(np.abs((mismatch.offset - truth / found.std(axis=0)) / stated).max())


def rough_labels(pair, seed: int) -> RoughLabels:
    """Return labels of some observed stars, with errors and a zero point."""
    rng = np.random.default_rng([seed, 8])
    known, width = np.array(pair.labels_observed), pair.labels_synthetic.std(axis=0)
    rough = known + rng.normal(0.0, ROUGH, known.shape) * width
    rough += rng.normal(0.0, ZERO_POINT, width.shape) * width
    rough[N_ROUGH:] = np.nan
    errors = {"error": ROUGH * width, "zero_point": ZERO_POINT * width}
    return RoughLabels(rough, **errors, synthetic=pair.labels_synthetic)


def measure(
    gap: Gap, base: str, shift: float, *, seed: int, game: bool, unmatched: bool
) -> dict[str, str]:
    """Return one row of the table."""
    pair = make_pair(gap, base, label_shift=shift, seed=seed)
    domains, test = (pair.synthetic, pair.observed), pair.test.synthetic_of_observed
    some = slice(0, N_ANCHORS)
    anchors = pair.observed[some], pair.synthetic_of_observed[some]
    pairs, rough = PseudoPairTranslator().fit(*domains), rough_labels(pair, seed)
    fits = {
        "mean shift": MeanShiftTranslator().fit(*domains),
        "linear": LinearTranslator().fit(*domains),
        "pseudo-pairs": pairs,
        "20 anchors": PseudoPairTranslator().fit(*domains, anchors=anchors),
        "400 rough labels": PseudoPairTranslator().fit(*domains, labels=rough),
    }
    if game:
        fits["game"] = CycleGANTranslator(random_state=seed, verbose=0).fit(*domains)
    if unmatched:
        other = CycleGANTranslator(random_state=seed, verbose=0, match_labels=False)
        fits["game, unmatched"] = other.fit(*domains)
    judged = fits.get("game", pairs)
    found = pairs.mismatch_
    row = {
        "base": base,
        "gap": gap.name,
        "labels": f"shifted by {shift}" if shift else "equal",
        "ceiling": f"{ceiling(pair):.2f}",
        "offset": f"{found.distance:.2f} ± {found.distance_error:.2f}",
        "pull": f"{pull(pairs.map_, found, pair):.1f}",
        "all lines": found.gap,
        "verdict": translation_report(judged, *domains, random_state=0).verdict,
    }
    return row | {name: f"{left(fit.transform(test).flux, pair):.2f}" for name, fit in fits.items()}


def main() -> None:
    """Print the table row by row, and write it."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    parser.add_argument("--bases", nargs="+", choices=BASES, default=list(BASES))
    parser.add_argument("--gaps", nargs="+", default=[gap.name for gap in GAPS])
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--game", action="store_true", help="train CycleGANTranslator, too")
    parser.add_argument("--unmatched", action="store_true", help="and without match_labels")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", SpectraganWarning)
    rows = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    head = f"# The zoo of gaps\n\n{describe_machine('numpy', 'torch')}, 1 thread. "
    head += f"Seed {arguments.seed}. What is left of the raw gap:\n\n"
    for gap in (gap for gap in GAPS if gap.name in arguments.gaps):
        for base in arguments.bases:
            for shift in SHIFTS:
                row = measure(
                    gap,
                    base,
                    shift,
                    seed=arguments.seed,
                    game=arguments.game,
                    unmatched=arguments.unmatched,
                )
                rows.append(f"| {' | '.join(row.get(name, '') for name in COLUMNS)} |")
                print(rows[-1], flush=True)
                if arguments.output is not None:
                    arguments.output.write_text(head + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()

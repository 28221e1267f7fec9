"""What gap scores see, beside a classifier and a t-SNE map made by hand.

``OMP_NUM_THREADS=1 python -m benchmarks.gap [--output FILE]``. Noise-free models against noisy
stars of other labels of the same distribution, 500 each, of which a part of the synthetic gap is
left: 0 (only noise and masks differ), a tenth, a quarter, all. Twenty seeds each. What is done by
hand takes the arrays as they are, as notebooks do: scikit-learn's logistic regression on 20
principal components with five folds, and the mixing of ten neighbours in its t-SNE map.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import TSNE
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from benchmarks.machine import describe_machine
from spectragan import Spectra, gap_scores, tsne_gap
from spectragan.datasets import make_mock_domains
from spectragan.diagnostics.tsne import neighbour_mixing

N_SPECTRA, N_PIXELS, N_MAPPED = 500, 1000, 300
PARTS, SEEDS = (0.0, 0.1, 0.25, 1.0), range(20)

HEAD = """# Gap scores

{}, 1 thread. Median and range over 20 seeds; AUC: 0.5 where sets can't be told apart; mixing: 1
where they mix as one set would. Of `gap_scores` also the seeds with p < 0.05.

| gap left | gap_scores, AUC | p < 0.05 | classifier by hand, AUC | tsne_gap, mixing in the map | t-SNE by hand |
|---|---|---|---|---|---|
"""  # noqa: E501


def make_sets(part: float, seed: int) -> tuple[Spectra, Spectra]:
    """Return models, and stars that differ from models by a part of the gap, and by noise."""
    mock = make_mock_domains(N_SPECTRA, N_SPECTRA, n_pixels=N_PIXELS, random_state=seed)
    stars, closed = mock.observed, mock.synthetic_of_observed.flux - mock.observed_truth.flux
    return mock.synthetic, stars.with_flux(stars.flux + (1 - part) * closed)


def classified_by_hand(models: Spectra, stars: Spectra) -> float:
    """Return the AUC of a usual classifier on arrays as they are."""
    flux = np.vstack([models.flux, stars.flux])
    domain = np.repeat([0, 1], [len(models), len(stars)])
    pipeline = make_pipeline(PCA(20, random_state=0), StandardScaler(), LogisticRegression())
    return float(cross_val_score(pipeline, flux, domain, cv=5, scoring="roc_auc").mean())


def mapped_by_hand(models: Spectra, stars: Spectra) -> float:
    """Return how well two sets mix in a map of arrays as they are."""
    flux = np.vstack([models.flux[:N_MAPPED], stars.flux[:N_MAPPED]])
    points = TSNE(random_state=0).fit_transform(PCA(50, random_state=0).fit_transform(flux))
    return neighbour_mixing(points[:N_MAPPED], points[N_MAPPED:])


def mapped(models: Spectra, stars: Spectra) -> float:
    """Return the mixing in our map."""
    sets = {"models": models, "stars": stars}
    return tsne_gap(sets, max_samples=N_MAPPED, random_state=0).panels[0].map_mixing


def scored(models: Spectra, stars: Spectra) -> tuple[float, float]:
    """Return our AUC and the p-value beside it."""
    scores = gap_scores(models, stars, random_state=0)
    return scores.auc, scores.mmd2_p_value


METHODS: dict[str, Callable[[Spectra, Spectra], Any]] = {
    "gap_scores": scored,
    "classifier by hand": classified_by_hand,
    "tsne_gap": mapped,
    "t-SNE by hand": mapped_by_hand,
}


def measure(part: float) -> tuple[str, np.ndarray]:
    """Return the row of one size of the gap, and the seconds of one call of each method."""
    found: dict[str, list[Any]] = {name: [] for name in METHODS}
    seconds = np.zeros(len(METHODS))
    for seed in SEEDS:
        sets = make_sets(part, seed)
        for k, (name, method) in enumerate(METHODS.items()):
            start = time.process_time()
            found[name].append(method(*sets))
            seconds[k] += (time.process_time() - start) / len(SEEDS)
    auc, p_values = zip(*found.pop("gap_scores"), strict=True)
    cells = [spread(auc), f"{sum(p < 0.05 for p in p_values)} of {len(p_values)}"]
    cells += [spread(values) for values in found.values()]
    return f"| {part:g} | {' | '.join(cells)} |", seconds


def spread(values: Sequence[float]) -> str:
    """Return median and range."""
    return f"{np.median(values):.2f} ({min(values):.2f}-{max(values):.2f})"


def main() -> None:
    """Print the table, and write it to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    output, rows, seconds = parser.parse_args().output, [], []
    for part in PARTS:
        with threadpool_limits(1):
            row, spent = measure(part)
        print(row, flush=True)
        rows.append(row)
        seconds.append(spent)
    cost = zip(METHODS, np.mean(seconds, axis=0), strict=True)
    last = f"CPU seconds of one call: {', '.join(f'{name} {s:.2f}' for name, s in cost)}."
    print(last)
    if output is not None:
        where = describe_machine("scikit-learn", "openTSNE")
        output.write_text(HEAD.format(where) + "\n".join(rows) + f"\n\n{last}\n")


if __name__ == "__main__":
    main()

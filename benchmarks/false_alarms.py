"""How often gap scores find a gap where there is none, for sets of unequal noise.

``OMP_NUM_THREADS=1 python -m benchmarks.false_alarms [--output FILE] [--pairs N]``. Both sets are
stars of one distribution with exact errors; only their S/N differ, in one of the ways of the table.
A test at 5 % is to be wrong in 5 of 100 pairs. Beside it what it says of the same pairs if nobody
tells it their errors.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.machine import describe_machine
from spectragan import Spectra, gap_scores
from spectragan.datasets import make_mock_domains

N_STARS, N_SPECTRA, N_PIXELS = 4000, 150, 200
LEVEL = 0.05
Noise = Callable[[np.random.Generator], np.ndarray]  # S/N of every spectrum


def constant(snr: float) -> Noise:
    """Return what gives all spectra one S/N."""
    return lambda rng: np.full(N_SPECTRA, snr)


def spread(snr: float, width: float) -> Noise:
    """Return what gives spectra S/N with a lognormal spread around `snr`."""
    return lambda rng: snr * np.exp(width * rng.normal(size=N_SPECTRA))


KINDS: dict[str, tuple[Noise, Noise, bool]] = {
    "100 and 90": (constant(100), constant(90), False),
    "100 and 90, the same stars": (constant(100), constant(90), True),
    "100 and 60": (constant(100), constant(60), False),
    "50, and 50 within a factor of 2.0": (constant(50), spread(50, 0.7), False),
}

HEAD = """# False alarms

{}, 1 thread. {} pairs of sets of {} spectra with no gap between them, but of unequal S/N: the
share with a p-value of MMD² below 0.05, and with a 95 % interval of the AUC above 0.5. `gap_scores`
matches the noise row by row; in brackets what it says of the same spectra if their errors are said
to be unknown, so that nothing is matched. Last the share of pairs that it calls matched.

| S/N of the two sets | p < 0.05 | AUC interval above 0.5 | called matched |
|---|---|---|---|
"""


def observe(flux: np.ndarray, snr: np.ndarray, rng: np.random.Generator) -> Spectra:
    """Return spectra with noise of their S/N."""
    std = np.broadcast_to(1 / snr[:, None], flux.shape)
    return Spectra(flux + std * rng.normal(size=flux.shape), None, std**-2)


def measure(kind: str, stars: np.ndarray, n_pairs: int) -> str:
    """Return the row of one kind."""
    first, second, same = KINDS[kind]
    found = []
    for seed in range(n_pairs):
        rng = np.random.default_rng(seed)
        rows = rng.permutation(N_STARS)[: 2 * N_SPECTRA].reshape(2, -1)
        flux = stars[rows[0]], stars[rows[0 if same else 1]]
        a, b = observe(flux[0], first(rng), rng), observe(flux[1], second(rng), rng)
        told = [
            gap_scores(*pair, n_permutations=199, random_state=seed)
            for pair in ((a, b), (unknown(a), unknown(b)))
        ]
        low = [score.auc_interval[0] > 0.5 for score in told]
        p_values = [score.mmd2_p_value < LEVEL for score in told]
        found.append([*p_values, *low, told[0].noise_matched])
    share = [f"{100 * value:.1f} %" for value in np.mean(found, axis=0)]
    return f"| {kind} | {share[0]} ({share[1]}) | {share[2]} ({share[3]}) | {share[4]} |"


def unknown(spectra: Spectra) -> Spectra:
    """Return spectra of which nobody has said how large their errors are."""
    return Spectra(spectra.flux, None)


def main() -> None:
    """Print the table, and write it to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    parser.add_argument("--pairs", type=int, default=200, help="pairs of each kind")
    arguments, rows = parser.parse_args(), []
    mock = make_mock_domains(10, N_STARS, n_pixels=N_PIXELS, random_state=0)
    for kind in KINDS:
        with threadpool_limits(1):
            rows.append(measure(kind, mock.observed_truth.flux.astype(float), arguments.pairs))
        print(rows[-1], flush=True)
    if arguments.output is not None:
        head = HEAD.format(describe_machine("scikit-learn"), arguments.pairs, N_SPECTRA)
        arguments.output.write_text(head + "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()

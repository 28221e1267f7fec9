"""Labels of real and mock stars: what translation does to their bias, scatter and intervals.

``python -m benchmarks.stellar_labels [--output FILE] [--parts miles mock starnet]`` measures

* MILES stars, three splits by star: `ParameterFitter` with the raw emulator, through a linear
  translation and through the CycleGAN; median offset from the catalogue and robust scatter of
  110 test stars. The labels of the training stars are used as a distribution to draw from only;
* mock domains, three seeds: the share of true labels within 68 % intervals, formal, inflated by
  the residuals of 1,000 stars, and inflated by 250 and by 1,000 labelled stars, on other stars;
* `StarNetRegressor` trained on raw and on translated synthetic spectra, on MILES test stars.

CPU seconds aren't the point here: see ``benchmarks/label_fits.py``.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import describe_machine
from spectragan import (
    ContinuumNormalizer,
    CycleGANTranslator,
    LinearTranslator,
    ParameterFitter,
    SpectrumEmulator,
    StarNetRegressor,
    compare_labels,
)
from spectragan.datasets import load_miles, make_mock_domains, make_synthetic_spectra

SEEDS = (0, 1, 2)
N_TEST = 110
N_EMULATOR, N_SYNTHETIC, N_STARNET = 1500, 12_000, 2000
BROADENING = [150.0, 0.3, 0.2]  # K, dex, dex
LABEL_RANGE = [3500.0, 0.0, -2.5], [8000.0, 5.0, 0.5]
STARNET_SNR = (50.0, 150.0)  # assumed: MILES gives no errors
N_CALIBRATION, N_FEW, N_TRANSLATE = 1000, 250, 1500


def miles_split(seed: int):
    """Return what is observed, what is synthetic, and which stars are for the test."""
    stars, rng = load_miles(), np.random.default_rng(seed)
    order = rng.permutation(len(stars.spectra))
    test, train = order[:N_TEST], order[N_TEST:]

    def draw(n: int) -> np.ndarray:
        labels = stars.labels[train][rng.integers(len(train), size=n)]
        return np.clip(labels + rng.normal(size=labels.shape) * BROADENING, *LABEL_RANGE)

    normalizer = ContinuumNormalizer(degree=8)
    observed = normalizer.fit_transform(stars.spectra)
    labels = draw(N_SYNTHETIC)
    synthetic = normalizer.fit_transform(make_synthetic_spectra(labels=labels).spectra)
    return stars, observed, labels, synthetic, train, test


def offsets(fitted: np.ndarray, catalogue: np.ndarray) -> str:
    """Return biases and scatters as cells of a table."""
    result = compare_labels(fitted, catalogue, random_state=0)
    bias = f"{result.bias[0]:+.0f} | {result.bias[1]:+.2f} | {result.bias[2]:+.3f}"
    scatter = f"{result.scatter[0]:.0f} | {result.scatter[1]:.2f} | {result.scatter[2]:.3f}"
    return f"{bias} | {scatter}"


def miles_rows(seed: int) -> list[str]:
    """Fit the test stars of one split, raw and translated."""
    stars, observed, labels, synthetic, train, test = miles_split(seed)
    few = slice(0, N_EMULATOR)
    emulator = SpectrumEmulator(random_state=seed, verbose=0).fit(labels[few], synthetic[few])
    translators = {
        "raw": None,
        "linear": LinearTranslator().fit(synthetic, observed[train]),
        "CycleGAN": CycleGANTranslator(random_state=seed, verbose=0).fit(
            synthetic, observed[train]
        ),
    }
    rows = []
    for name, translator in translators.items():
        for split in ("fit", "encode") if name == "CycleGAN" else ("fit",):
            fitter = ParameterFitter(emulator, translator, split=split)
            table = fitter.fit_table(observed[test])
            fitted = fitter.predict(observed[test])
            method = f"{name}, split encoded" if split == "encode" else name
            failed = np.mean(table["status"] != "converged")
            rows.append(
                f"| {seed} | {method} | {offsets(fitted, stars.labels[test])} "
                f"| {np.mean(table['at_bound']):.2f} | {failed:.2f} |"
            )
            print(rows[-1], flush=True)
    return rows


def mock_rows(seed: int) -> list[str]:
    """Count the true labels within their intervals on one mock."""
    mock = make_mock_domains(2000, N_TRANSLATE + N_CALIBRATION + 750, random_state=seed)
    emulator = SpectrumEmulator(random_state=seed, verbose=0)
    emulator.fit(mock.labels_synthetic, mock.synthetic)
    train = slice(0, N_TRANSLATE)
    held = slice(N_TRANSLATE, N_TRANSLATE + N_CALIBRATION)
    few = slice(N_TRANSLATE, N_TRANSLATE + N_FEW)
    test = slice(N_TRANSLATE + N_CALIBRATION, None)
    translator = CycleGANTranslator(random_state=seed, verbose=0)
    translator.fit(mock.synthetic, mock.observed[train])
    truth, rows = mock.labels_observed, []
    calibrations = {
        "formal": (),
        "from residuals": (mock.observed[held],),
        f"from {N_FEW} labels": (mock.observed[few], truth[few]),
        f"from {N_CALIBRATION} labels": (mock.observed[held], truth[held]),
    }
    for way, calibration in calibrations.items():
        fitter = ParameterFitter(emulator, translator).fit(*calibration)
        labels, std = fitter.predict(mock.observed[test], return_std=True)
        inside = np.abs(labels - truth[test]) <= std
        cells = " | ".join(f"{share:.3f}" for share in [*inside.mean(axis=0), inside.mean()])
        rows.append(f"| {seed} | {way} | {cells} |")
        print(rows[-1], flush=True)
    return rows


def starnet_rows(seed: int) -> list[str]:
    """Train on synthetic spectra, raw and translated, and predict real stars."""
    stars, observed, labels, synthetic, train, test = miles_split(seed)
    translator = CycleGANTranslator(random_state=seed, verbose=0).fit(synthetic, observed[train])
    few, rows = slice(0, N_STARNET), []
    for name, spectra in (
        ("raw", synthetic[few]),
        ("translated", translator.transform(synthetic[few])),
    ):
        network = StarNetRegressor(1, snr=STARNET_SNR, random_state=seed, verbose=0)
        fitted = network.fit(spectra, labels[few]).predict(observed[test])
        rows.append(f"| {seed} | {name} | {offsets(fitted, stars.labels[test])} |")
        print(rows[-1], flush=True)
    return rows


LABELS = "Teff (K) | logg | [Fe/H] | scatter Teff | logg | [Fe/H]"
PARTS = {
    "miles": (
        miles_rows,
        f"## MILES stars\n\n| split | model | {LABELS} | at bound | failed |",
        10,
    ),
    "mock": (
        mock_rows,
        "## 68 % intervals through emulator and translator, mock\n\n"
        "| seed | errors | teff | logg | feh | all |",
        6,
    ),
    "starnet": (
        starnet_rows,
        f"## StarNet trained on synthetic spectra, MILES stars\n\n| split | spectra | {LABELS} |",
        8,
    ),
}


def main() -> None:
    """Print the tables asked for, and write them to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    tables = [f"# Stellar labels\n\n{describe_machine('torch')}, 1 thread."]
    for name in arguments.parts:
        function, header, n_columns = PARTS[name]
        rows = [row for seed in SEEDS for row in function(seed)]
        tables.append("\n".join([header, "|" + "---|" * n_columns, *rows]))
    if arguments.output is not None:
        arguments.output.write_text("\n\n".join(tables) + "\n")


if __name__ == "__main__":
    main()

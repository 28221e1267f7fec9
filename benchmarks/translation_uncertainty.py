"""What errors of translated spectra are worth: coverage of pixels and of labels on mock domains.

``python -m benchmarks.translation_uncertainty [--output FILE] [--models DIR]`` measures, for six
seeds (each with wrong lines of its own) with equal and with shifted labels,

* the share of pixels of held-out stars whose noise-free flux lies within the 68 % and 95 %
  intervals of a `TranslatorEnsemble`: not calibrated, calibrated without pairs, and with pairs;
* the share of true labels of 2,000 stars within 68 % and 95 % of `ParameterFitter`: formal errors,
  with the translation's error from 200 reference stars (no data needed) and from held-out stars
  without labels, and with the labels of 250 or 2,000 stars on top.

The truth is used for counting only. Trainings are short: 1000 spectra a side of 1500 pixels, 25
epochs, five members. ``--models`` keeps fitted ensembles from one run to the next.
"""

import argparse
import warnings
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import describe_machine
from spectragan import (
    CycleGANTranslator,
    ParameterFitter,
    SpectraganWarning,
    SpectrumEmulator,
    TranslatorEnsemble,
    load,
)
from spectragan.datasets import make_mock_domains

SEEDS, SHIFTS = range(6), (0.0, 0.5)
N_TRAIN, N_TEST, N_STARS = 1000, 3000, 5000  # where observed stars of each kind begin, and end
CALIBRATION, PIXEL_TEST = slice(N_TRAIN, N_TRAIN + 300), slice(N_TEST, N_TEST + 200)
FEW, MANY, LABEL_TEST = slice(N_TRAIN, N_TRAIN + 250), slice(N_TRAIN, N_TEST), slice(N_TEST, None)
SHARES = (0.6827, 0.95)
CALIBRATIONS = {
    "none": None,
    "without pairs": {},
    "pairs": {"pairs": True},
    "pairs, conformal": {"pairs": True, "method": "conformal"},
}


def fitted(mock, seed: int, shift: float, folder: Path | None) -> TranslatorEnsemble:
    """Train an ensemble, or load it."""
    path = None if folder is None else folder / f"mock_{seed}_{shift}.safetensors"
    if path is not None and path.exists():
        return load(path)
    translator = CycleGANTranslator(max_epochs=25, warmup_epochs=10, verbose=0)
    ensemble = TranslatorEnsemble(translator, random_state=seed)
    ensemble.fit(mock.synthetic, mock.observed[:N_TRAIN])
    if path is not None:
        ensemble.save(path)
    return ensemble


def pixel_rows(mock, ensemble: TranslatorEnsemble, name: str) -> list[str]:
    """Count true pixels within their intervals."""
    truth, models = mock.observed_truth.flux[PIXEL_TEST], mock.synthetic_of_observed[PIXEL_TEST]
    left = np.sqrt(np.mean((ensemble.transform(models).flux - truth) ** 2)) / mock.raw_gap
    rows = []
    for method, options in CALIBRATIONS.items():
        if options is not None:
            part = mock.synthetic_of_observed[CALIBRATION] if options else mock.synthetic
            ensemble.calibrate(part, mock.observed[CALIBRATION], **options)
        ends = [ensemble.predict_interval(models, share) for share in SHARES]
        inside = [np.mean((truth >= low) & (truth <= high)) for low, high in ends]
        width = np.sqrt(np.mean((ends[0][1] - ends[0][0]) ** 2)) / 2 / mock.raw_gap
        rows.append(
            f"| {name} | {method} | {inside[0]:.3f} | {inside[1]:.3f} | {width:.2f} | {left:.2f} |"
        )
        print(rows[-1], flush=True)
    return rows


def label_rows(mock, ensemble: TranslatorEnsemble, name: str, seed: int) -> list[str]:
    """Count true labels within their intervals."""
    emulator = SpectrumEmulator(random_state=seed, verbose=0)
    emulator.fit(mock.labels_synthetic, mock.synthetic)
    truth, observed, rows = mock.labels_observed, mock.observed, []
    ways = {
        "formal": (ensemble.members_[0], ()),
        "members, reference stars": (ensemble, ()),
        "members, held-out stars": (ensemble, (observed[CALIBRATION],)),
        "members, 250 labels": (ensemble, (observed[FEW], truth[FEW])),
        "members, 2,000 labels": (ensemble, (observed[MANY], truth[MANY])),
    }
    for way, (translator, given) in ways.items():
        fitter = ParameterFitter(emulator, translator, verbose=0).fit(*given)
        labels, std = fitter.predict(observed[LABEL_TEST], return_std=True)
        away = np.abs(labels - truth[LABEL_TEST]) / std
        inside = away <= 1
        cells = " | ".join(f"{share:.3f}" for share in [*inside.mean(axis=0), inside.mean()])
        rows.append(f"| {name} | {way} | {cells} | {np.mean(away <= 1.96):.3f} |")
        print(rows[-1], flush=True)
    return rows


def main() -> None:
    """Print the tables, and write them to a file on request."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--output", type=Path, default=None, help="Markdown file to write")
    parser.add_argument("--models", type=Path, default=None, help="folder of fitted ensembles")
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--shifts", type=float, nargs="+", default=SHIFTS, help="of the labels")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pixels, labels = [], []
    for shift in arguments.shifts:
        for seed in arguments.seeds:
            mock = make_mock_domains(
                1000, N_STARS, n_pixels=1500, label_shift=shift, gap_seed=seed, random_state=seed
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SpectraganWarning)
                ensemble = fitted(mock, seed, shift, arguments.models)
                mismatch = ensemble.members_[0].mismatch_
                warned = ", warned" if mismatch.is_significant else ""
                name = f"{shift:g}{warned} | {seed}"
                labels += label_rows(mock, ensemble, name, seed)
                pixels += pixel_rows(mock, ensemble, name)
            if arguments.output is not None:
                arguments.output.write_text(_page(pixels, labels))


def _page(pixels: list[str], labels: list[str]) -> str:
    head = (
        f"# Uncertainty of translated spectra\n\n{describe_machine('torch')}, 1 thread. "
        "Short trainings:\n1000 spectra a side of 1500 pixels, 25 epochs, five members."
    )
    first = (
        "## Pixels: share of the noise-free truth within intervals\n\nHalf-width of the 68 % "
        "interval and rms error are in units of the raw gap.\n\n"
        "| labels shifted by | seed | calibration | 68 % | 95 % | half-width | left |\n"
        "|---|---|---|---|---|---|---|"
    )
    second = (
        "## Labels: share of the truth within intervals\n\n"
        "| labels shifted by | seed | errors | teff | logg | feh | all | 95 % |\n"
        "|---|---|---|---|---|---|---|---|"
    )
    parts = [head, "\n".join([first, *pixels]), "\n".join([second, *labels])]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()

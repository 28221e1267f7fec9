"""Molecular bands that the synthetic model lacks, in stars of the MILES library.

``python -m benchmarks.miles_bands`` infers labels of all stars, keeps those below 5000 K by that
measure, and compares derivatives of observed and synthetic spectra in known bands with those in
all windows of the same width: their mean in units of the windows' robust scatter. A molecule that
the model lacks takes more light from cooler, more metal-rich stars: positive for teff, negative
for feh; CN is stronger in giants (positive for logg), MgH in dwarfs (negative).
Catalogue labels are used as a distribution to draw models from, in the first step only.
"""

import numpy as np
import torch
from astropy.table import Table

from spectragan import ContinuumNormalizer, LineAttribution, MeanShiftTranslator, SpectrumEmulator
from spectragan.datasets import SyntheticModel, load_miles, make_synthetic_spectra

NAMES = ("teff", "logg", "feh")
BROADENING = [150.0, 0.3, 0.2]  # K, dex, dex
COOL = 5000.0  # K
BANDS = {
    "CN 4215": (4150, 4216),
    "CH G": (4290, 4315),
    "C2 4737": (4690, 4740),
    "MgH 4780": (4750, 4790),
    "TiO 4954": (4954, 5000),
    "MgH 5140": (4980, 5160),
    "C2 5165": (5120, 5165),
    "TiO 5167": (5167, 5220),
    "TiO 5448": (5448, 5500),
    "TiO 5847": (5847, 5900),
    "TiO 6159": (6159, 6230),
    "TiO 6651": (6651, 6750),
}


def attribute(observed, centers: np.ndarray, n_models: int, n_emulator: int):
    """Find missing lines of stars whose labels lie around some centers."""
    rng = np.random.default_rng(0)
    labels = centers[rng.integers(len(centers), size=n_models)]
    labels = labels + rng.normal(size=labels.shape) * BROADENING
    labels = np.clip(labels, *SyntheticModel().label_range)
    synthetic = ContinuumNormalizer(degree=8).fit_transform(
        make_synthetic_spectra(labels=labels).spectra
    )
    table = Table(labels, names=NAMES)
    emulator = SpectrumEmulator(random_state=0, verbose=0)
    emulator.fit(table[:n_emulator], synthetic[:n_emulator])
    translator = MeanShiftTranslator().fit(synthetic, observed)
    return LineAttribution(emulator, translator, owners=NAMES).find(observed, table)


def band_rows(found) -> list[str]:
    """Return mean changes of the derivatives in known bands, against all windows."""
    grid, change = found.wavelength.value, found.observed - found.synthetic
    rows = ["| band | missing flux | teff | logg | feh |", "|---|---|---|---|---|"]
    for name, (low, high) in BANDS.items():
        inside = (grid > low) & (grid < high)
        size = int(inside.sum())
        starts = range(0, len(grid) - size, max(1, size // 2))
        windows = np.array([np.nanmean(change[i : i + size], axis=0) for i in starts])
        middle = np.nanmedian(windows, axis=0)
        scatter = 1.4826 * np.nanmedian(np.abs(windows - middle), axis=0)
        cells = (np.nanmean(change[inside], axis=0) - middle) / scatter
        rows.append(
            f"| {name} | {-found.offset[inside].mean():+.3f} | "
            + " | ".join(f"{cell:+.1f}" for cell in cells)
            + " |"
        )
    return rows


def main() -> None:
    """Print the table, and the lines found in all and in cool stars."""
    torch.set_num_threads(1)
    stars = load_miles()
    observed = ContinuumNormalizer(degree=8).fit_transform(stars.spectra)
    everything = attribute(observed, stars.labels, 4000, 800)
    cool = everything.labels[:, 0] < COOL
    few = attribute(observed[cool], everything.labels[cool], 3000, 400)
    for word, found in (("all", everything), ("cool", few)):
        print(f"{word} {len(found.labels)} stars, lines at a false-discovery rate of {found.fdr}:")
        columns = ["wavelength", "width", "label", "derivative", "significance", "q"]
        found.table[columns].pprint(max_lines=-1, max_width=-1)
    print("\n".join(band_rows(few)))


if __name__ == "__main__":
    main()

"""
Close the gap between a model and real stars
============================================

How far is a synthetic model from real stars of the MILES library, and how much of that gap can be
closed without a single pair? This script splits the stars into a training and a test set, trains
an emulator on synthetic spectra and a translator on unpaired ones, translates, and compares with
two baselines on the test stars. It takes at most three minutes on two cores.
"""

# %%
# Two sets of spectra
# -------------------
# The stars' catalogue labels serve as a distribution only: the synthetic spectra get labels drawn
# from those of the training stars, broadened. No synthetic spectrum knows which star it is of.
# An emulator, trained on 1,500 syntheses, makes as many spectra as the translator may want.

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from spectragan import (
    ContinuumNormalizer,
    CycleGANTranslator,
    LinearTranslator,
    MeanShiftTranslator,
    Spectra,
    SpectrumEmulator,
    gap_scores,
    tsne_gap,
)
from spectragan.datasets import SyntheticModel, load_miles, make_synthetic_spectra
from spectragan.diagnostics import TrainingHistoryDisplay, TranslationDisplay, TSNEGapDisplay

SEED = 0
BROADENING = [150.0, 0.3, 0.2]  # K, dex, dex

rng = np.random.default_rng(SEED)
stars = load_miles()
order = rng.permutation(len(stars.spectra))
test, train = order[:110], order[110:]


def draw_labels(n_spectra: int) -> np.ndarray:
    """Draw labels from those of the training stars, broadened."""
    drawn = stars.labels[train][rng.integers(len(train), size=n_spectra)]
    low, high = SyntheticModel().label_range
    return np.clip(drawn + rng.normal(size=drawn.shape) * BROADENING, low, high)


syntheses = make_synthetic_spectra(labels=draw_labels(1500))
emulator = SpectrumEmulator(random_state=SEED).fit(syntheses.labels, syntheses.spectra)

low, high = emulator.label_range_
labels = np.clip(draw_labels(12_000), low, high)


def synthetic_spectra(labels: np.ndarray) -> Spectra:
    """Emulate spectra: a model has no noise."""
    wavelength = syntheses.spectra.wavelength
    return Spectra(emulator.predict(labels), wavelength, noise="exact", medium="air")


# %%
# One continuum for both
# ----------------------
# The same polynomial is divided out of both domains. MILES gives no errors, so all pixels count
# the same.

normalizer = ContinuumNormalizer(degree=8)
observed = normalizer.fit_transform(stars.spectra)
synthetic = normalizer.transform(synthetic_spectra(labels))

# %%
# Train
# -----
# The baselines shift the mean spectrum, or match means and covariances. The CycleGAN is told no
# more than they are: two sets of spectra.

translators = {
    "mean shift": MeanShiftTranslator(),
    "linear": LinearTranslator(),
    "CycleGAN": CycleGANTranslator(random_state=SEED),
}
translated = {"raw": synthetic}
for name, translator in translators.items():
    translated[name] = translator.fit(synthetic, observed[train]).transform(synthetic)

# %%
# One table
# ---------
# Every test star is compared with all 12,000 spectra. The residual is that to the best-fitting
# one, and its labels are compared with the catalogue's. The last columns need no fit: a classifier
# that tells spectra with the training stars' labels from test stars (0.5 is a closed gap), and a
# distance in units of that between two halves of the stars.

typical = normalizer.transform(synthetic_spectra(np.clip(stars.labels[train], low, high)))


def best_fits(models: Spectra) -> tuple[np.ndarray, np.ndarray]:
    """Return for every test star the row of the best-fitting model, and the residual rms."""
    models, targets = models.flux.astype(float), observed.flux[test].astype(float)
    products = targets @ models.T / models.shape[1]
    squares = (targets**2).mean(1)[:, None] + (models**2).mean(1) - 2 * products
    best = squares.argmin(axis=1)
    return best, np.sqrt(((targets - models[best]) ** 2).mean(axis=1))


print(
    f"{'':<12}{'residual':>9}{'of raw':>8}{'Teff':>8}{'logg':>7}{'[Fe/H]':>8}"
    f"{'AUC (95 % interval)':>24}{'distance':>10}"
)
fits = {name: best_fits(models) for name, models in translated.items()}
for name, (best, residual) in fits.items():
    offset = np.median(labels[best] - stars.labels[test], axis=0)
    made = typical if name == "raw" else translators[name].transform(typical)
    gap = gap_scores(made, observed[test], random_state=SEED)
    interval = "{:.3f} ({:.3f}-{:.3f})".format(gap.auc, *gap.auc_interval)
    ratio = np.median(residual) / np.median(fits["raw"][1])
    distance = gap.sliced_wasserstein / gap.sliced_wasserstein_null
    print(
        f"{name:<12}{np.median(residual):>9.4f}{ratio:>8.2f}{offset[0]:>+8.0f}{offset[1]:>+7.2f}"
        f"{offset[2]:>+8.2f}{interval:>24}{distance:>10.1f}"
    )

# %%
# What is left of the residuals
# -----------------------------
# Every test star, its best-fitting spectrum before translation against that after.

figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
star = test[np.argsort(fits["CycleGAN"][1])[len(test) // 2]]  # the median test star
row = int(np.flatnonzero(test == star)[0])
wavelength = observed.wavelength.value
window = (wavelength > 5000) & (wavelength < 5400)
best_raw, best_new = (fits[name][0][row] for name in ("raw", "CycleGAN"))
lines = {
    f"{stars.names[star]} (MILES)": (observed.flux[star], "0.2"),
    "best-fitting model": (synthetic.flux[best_raw], "#D55E00"),
    "best-fitting translated model": (translated["CycleGAN"].flux[best_new], "#0072B2"),
}
for label, (flux, color) in lines.items():
    axes[0].plot(wavelength[window], flux[window], color=color, lw=1.2, label=label)
axes[0].set(xlabel="wavelength in air (Å)", ylabel="normalised flux")
axes[0].legend(frameon=False, fontsize="small", loc="lower right")
bins = np.geomspace(0.004, 0.15, 30)
for name, color in (("raw", "#D55E00"), ("linear", "0.6"), ("CycleGAN", "#0072B2")):
    axes[1].hist(fits[name][1], bins, histtype="step", lw=1.8, color=color, label=name)
axes[1].set(xscale="log", xlabel="rms residual to the best-fitting model", ylabel="test stars")
axes[1].legend(frameon=False)
figure.savefig("quickstart.png", dpi=150)

# %%
# The same star, line by line
# ---------------------------

rows = [best_new]
display = TranslationDisplay.from_spectra(
    synthetic[rows],
    translated["CycleGAN"][rows],
    observed[[star]],
    titles=[str(stars.names[star])],
    limits=(4700, 5300),
)
display.figure_.savefig("quickstart_translation.png", dpi=150)

# %%
# One map for all
# ---------------
# All spectra share one t-SNE map, and all shared latents another.

gap_map = tsne_gap(
    translators["CycleGAN"],
    typical,
    observed[test],
    max_samples=110,
    n_iter=250,
    random_state=SEED,
)
print(gap_map.summary())
TSNEGapDisplay(gap_map).plot().figure_.savefig("quickstart_tsne.png", dpi=150)

# %%
# How training went
# -----------------

history = TrainingHistoryDisplay.from_estimator(translators["CycleGAN"])
history.figure_.savefig("quickstart_training.png", dpi=150)
print("figures:", *sorted(path.name for path in Path.cwd().glob("quickstart*.png")))

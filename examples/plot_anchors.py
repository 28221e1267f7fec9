"""
A few stars with known labels
=============================

On real spectra the gap is everywhere, and can hide a difference of labels. Here the synthetic
spectra of MILES stars get too many cool and metal-rich labels. The translator sees that labels
differ, but not exactly how; a hundred stars with labels from elsewhere, the anchors, tell it. It
takes about a minute on one core.
"""

# %%
# Real stars, and a wrong guess of their labels
# ---------------------------------------------
# 110 test stars are set aside for judging. The synthetic labels are those of the other stars,
# broadened, and drawn more often the cooler and the richer in metals they are.

import warnings

import matplotlib.pyplot as plt
import numpy as np

from spectragan import ContinuumNormalizer, CycleGANTranslator, LabelMismatchWarning
from spectragan.datasets import SyntheticModel, load_miles, make_synthetic_spectra

warnings.simplefilter("ignore", LabelMismatchWarning)
SHORT = {"max_epochs": 25, "warmup_epochs": 8, "random_state": 0, "verbose": 0}
BROADENING = [150.0, 0.3, 0.2]  # K, dex, dex

rng = np.random.default_rng(0)
stars = load_miles()
order = rng.permutation(len(stars.spectra))
test, train = order[:110], order[110:]
known = stars.labels[train]
normalizer = ContinuumNormalizer(degree=8)
observed = normalizer.fit_transform(stars.spectra)
low, high = SyntheticModel().label_range


def model(labels):
    """Make synthetic spectra."""
    return normalizer.fit_transform(make_synthetic_spectra(labels=labels).spectra)


def draw(n, tilt):
    """Draw labels of the training stars, broadened; `tilt` prefers some of them."""
    weights = np.exp((known - known.mean(0)) / known.std(0) @ tilt)
    labels = known[rng.choice(len(known), size=n, p=weights / weights.sum())]
    return np.clip(labels + rng.normal(size=labels.shape) * BROADENING, low, high)


synthetic = model(draw(2500, [-0.5, 0.0, 0.5]))

# %%
# Without anchors, and with a hundred
# -----------------------------------

chosen = rng.permutation(len(train))[:100]
anchors = observed[train[chosen]], model(np.clip(known[chosen], low, high))
fits = {
    "no anchors": CycleGANTranslator(**SHORT).fit(synthetic, observed[train]),
    "100 anchors": CycleGANTranslator(**SHORT).fit(synthetic, observed[train], anchors=anchors),
}
for name, fit in fits.items():
    found = fit.mismatch_
    print(f"{name}: labels differ by {found.distance:.2f} +- {found.distance_error:.2f}")

# %%
# Labels of the test stars
# ------------------------
# Those of the best of 4000 models, raw or translated, against the catalogue: a crude fit, but the
# same for all.

judged = draw(4000, [0.0, 0.0, 0.0])
models = model(judged)
targets = observed.flux[test].astype(float)


def offsets(flux):
    """Return the labels of the best model of each test star, less the catalogue's."""
    flux = flux.astype(float)
    squares = (flux**2).sum(axis=1) - 2 * targets @ flux.T
    return judged[squares.argmin(axis=1)] - stars.labels[test]


results = {"raw model": offsets(models.flux)}
results |= {name: offsets(fit.transform(models).flux) for name, fit in fits.items()}
for name, off in results.items():
    print("{:<12} {:+5.0f} K {:+.2f} {:+.3f}".format(name, *np.median(off, axis=0)))

# %%
# Medians as points, the middle half of the stars as bars:

figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="constrained", sharey=True)
for axis, k, label in zip(axes, range(3), ("Teff (K)", "log g", "[Fe/H]"), strict=True):
    for place, (name, off) in enumerate(results.items()):
        lower, middle, upper = np.quantile(off[:, k], [0.25, 0.5, 0.75])
        axis.errorbar(
            middle, place, xerr=[[middle - lower], [upper - middle]], fmt="o", capsize=3, label=name
        )
    axis.axvline(0, color="0.6", linewidth=1)
    axis.set(xlabel=f"offset of {label}", ylim=(2.6, -0.6))
axes[0].set_yticks(range(3), list(results))
figure.savefig("anchors.png", dpi=150)

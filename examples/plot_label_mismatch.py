"""
When the observed stars are other stars
=======================================

Unpaired translation compares distributions. Here the observed stars of a mock pair are hotter,
denser and richer in metals than the synthetic ones, by about half a standard deviation. The
translator notices, says by how much, and trains on stars that both sides have. It takes less than
a minute on one core.
"""

# %%
# A pair whose labels differ
# --------------------------
# The mock knows the truth. It serves for judging only: labels, counterparts and truth are shown to
# no translator.

import warnings

import matplotlib.pyplot as plt
import numpy as np

from spectragan import CycleGANTranslator, LabelMismatchWarning, LinearTranslator
from spectragan.datasets import make_mock_domains

warnings.simplefilter("ignore", LabelMismatchWarning)  # printed below instead
SHORT = {"max_epochs": 25, "warmup_epochs": 8, "random_state": 0, "verbose": 0}

pair = make_mock_domains(1000, 1000, n_pixels=1500, label_shift=0.5, random_state=0)


def left(translator):
    """Return what is left of the raw gap, measured against the exact truth."""
    flux = translator.transform(pair.synthetic_of_observed).flux
    return np.sqrt(np.mean((flux - pair.observed_truth.flux) ** 2)) / pair.raw_gap


# %%
# Three translators
# -----------------

linear = LinearTranslator().fit(pair.synthetic, pair.observed)
blind = CycleGANTranslator(match_labels=False, **SHORT).fit(pair.synthetic, pair.observed)
matched = CycleGANTranslator(**SHORT).fit(pair.synthetic, pair.observed)

mismatch = matched.mismatch_
print(mismatch)

results = {
    "no translation": 1.0,
    "linear": left(linear),
    "CycleGAN, all spectra": left(blind),
    "CycleGAN, matched": left(matched),
}
for name, value in results.items():
    print(f"{name:<24}{value:.2f} of the raw gap left")

# %%
# What it noticed
# ---------------
# Offsets along the latents of the spectra, in standard deviations of the synthetic ones. The bars
# include what a gap like this one could hide, which is assumed rather than measured.

figure, (left_axes, right_axes) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
latents = np.arange(len(mismatch.offset)) + 1
left_axes.errorbar(latents, mismatch.offset, mismatch.offset_error, fmt="o", capsize=3)
left_axes.axhline(0, color="0.6", linewidth=1)
left_axes.set(
    xlabel="latent",
    ylabel="observed - synthetic (standard deviations)",
    title="Estimated mismatch",
    xticks=latents,
)
right_axes.barh(list(results), list(results.values()), color=["0.7", "C0", "C1", "C2"])
right_axes.axvline(1, color="0.4", linewidth=1)
right_axes.invert_yaxis()
right_axes.set(xlabel="left of the raw gap", title="Translation, against the truth")
figure.savefig("label_mismatch.png", dpi=150)

# %%
# Equal labels raise no alarm, and then nothing is matched:

equal = make_mock_domains(1000, 1000, n_pixels=1500, random_state=1)
quick = CycleGANTranslator(max_epochs=1, warmup_epochs=1, random_state=0, verbose=0)
mismatch = quick.fit(equal.synthetic, equal.observed).mismatch_
distance = f"{mismatch.distance:.2f} +- {mismatch.distance_error:.2f}"
print(f"equal labels: {distance}, p = {mismatch.p_value:.2f}")

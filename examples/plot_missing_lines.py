"""
Which element owns a missing line?
==================================

Synthetic spectra lack three lines in ten. Nobody says which, and no observed star has known labels.
The derivatives of spectra with respect to abundances tell both where they are missing and whose
they are.
The script takes less than a minute of one core.
"""

# %%
# Two domains
# -----------
# Red giants with abundances of six elements; the observed ones are noisy (S/N 50-250), and other
# stars than the synthetic ones.

import numpy as np
from astropy.table import Table

from spectragan import LineAttribution, MeanShiftTranslator, SpectrumEmulator
from spectragan.datasets import make_line_domains
from spectragan.diagnostics import LineAttributionDisplay

pair = make_line_domains(
    1000, 1000, n_pixels=1200, n_elements=6, n_lines=80, snr=(50, 250), random_state=0
)
labels = Table(dict(zip(pair.label_names, pair.labels_synthetic.T, strict=True)))

# %%
# An emulator and a translator
# ----------------------------
# Labels of the observed stars are inferred with the translated emulator where it holds. The
# plainest translator loses no labels.

emulator = SpectrumEmulator(random_state=0, verbose=0).fit(labels[:300], pair.synthetic[:300])
translator = MeanShiftTranslator().fit(pair.synthetic, pair.observed)

# %%
# The lines
# ---------
# `labels` stands for the population, star by star it says nothing.

found = LineAttribution(emulator, translator).find(pair.observed, labels)
print(found.summary())
columns = ["wavelength", "width", "depth", "label", "significance", "q"]
found.table[columns].pprint(max_lines=12)

# %%
# Right or wrong
# --------------
# The mock knows. A line is right if one of that element is missing within a resolution element.

apart = 3e5 * np.abs(
    np.log(np.asarray(found.table["wavelength"])[:, None] / np.asarray(pair.lines["wavelength"]))
)
same = np.asarray(found.table["label"])[:, None] == np.asarray(pair.lines["element"])
match = (apart < 13.3) & same & np.asarray(pair.lines["missing"])
deep = np.asarray(pair.lines["missing"] & (pair.lines["depth"] > 0.02))
print(f"{match.any(axis=1).sum()} of {len(found)} lines found are right")
print(f"{match.any(axis=0)[deep].sum()} of {deep.sum()} missing lines deeper than 2 % are found")

# %%
# Before and after
# ----------------
# Where the observed derivative (black, with its error) leaves the synthetic one (dashed), the
# element has a line that the models lack.

display = LineAttributionDisplay(found, pair.lines).plot(limits=(15168, 15300))
display.figure_.savefig("missing_lines.png", dpi=150)

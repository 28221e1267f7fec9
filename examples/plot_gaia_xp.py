"""
Stellar labels from Gaia XP spectra
===================================

Low-resolution spectra from Gaia, with the errors that Gaia gives, against labels that APOGEE
measured for the same stars. Where real spectra have labels no synthetic ones are needed: the
fitter trains an emulator of real spectra, and measures on a part of them how far its errors are
from the truth. Two regressions stand beside it. It takes about a minute on one core.
"""

# %%
# Spectra with labels
# -------------------
# A quarter of the stars is for the test.

import numpy as np
from astropy.table import Table
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from spectragan import ParameterFitter, StarNetRegressor, compare_labels
from spectragan.datasets import load_gaia_xp
from spectragan.diagnostics import FitDisplay, LabelComparisonDisplay

SEED = 0

stars = load_gaia_xp()
print(stars.spectra)
order = np.random.default_rng(SEED).permutation(len(stars.spectra))
test, train = order[:375], order[375:]
X, y = stars.spectra, stars.labels

# %%
# Fit, and compare with APOGEE
# ----------------------------
# The regressions learn what in the spectra goes with the labels, and what to ignore. The fit takes
# all that differs from its model for noise or labels; real stars differ in more than four labels,
# in extinction above all, and Gaia's errors are a fraction of that. So its errors have to grow by
# much, and a regression does better here: the other way round from spectra that a model describes.

fitter = ParameterFitter(random_state=SEED)
fitter.fit(X[train], Table(y[train], names=stars.label_names))
for name, factor in zip(stars.label_names, fitter.err_inflation_, strict=True):
    print(f"{name}: errors grow by a factor of {factor:.0f}")
starnet = StarNetRegressor(n_members=1, batch_size=32, random_state=SEED, verbose=0)
starnet.fit(X[train], y[train])
ridge = make_pipeline(StandardScaler(), RidgeCV(np.geomspace(1e-3, 1e4, 15)))
ridge.fit(X.filled()[train], y[train])

predictions = {
    "ParameterFitter": fitter.predict(X[test], return_std=True),
    "StarNet": starnet.predict(X[test], return_std=True),
    "ridge regression": (ridge.predict(X.filled()[test]), None),
}
comparisons = {}
for name, (labels, std) in predictions.items():
    comparisons[name] = compare_labels(
        labels, y[test], std=std, label_names=stars.label_names, random_state=SEED
    )
    print(name, comparisons[name].summary(), sep="\n", end="\n\n")

display = LabelComparisonDisplay(comparisons["ParameterFitter"]).plot()
display.figure_.savefig("gaia_xp_labels.png", dpi=150)

# %%
# The whole table, and one star
# -----------------------------
# Flags say which rows to leave out: a label at the edge of what the emulator knows, labels outside
# the hull of the training stars, a spectrum that no model describes.

table = fitter.fit_table(X[test])
table[:5].pprint(max_width=-1)
for flag in ("at_bound", "outside_hull", "bad_chi2"):
    print(f"{flag}: {table[flag].mean():.2f} of the stars")

display = FitDisplay.from_estimator(fitter, X[test], row=0)
display.figure_.savefig("gaia_xp_fit.png", dpi=150)

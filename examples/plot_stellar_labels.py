"""
Labels of real stars, from models and from translated models
============================================================

Fit temperature, gravity and metallicity to stars of the MILES library with an emulator of
synthetic spectra, as it is and behind a translator that never saw a pair, and compare with the
catalogue. Then look at one star closely: its fit, its covariance, and an MCMC run beside it.
It takes about a minute on one core.
"""

# %%
# Stars, models, an emulator, a translator
# ----------------------------------------
# The training stars' catalogue labels serve as a distribution to draw models from. The test stars
# are seen by nobody before they are fitted.

import emcee
import numpy as np
from astropy.table import Table

from spectragan import (
    ContinuumNormalizer,
    CycleGANTranslator,
    LinearTranslator,
    ParameterFitter,
    SpectrumEmulator,
    compare_labels,
)
from spectragan.datasets import SyntheticModel, load_miles, make_synthetic_spectra
from spectragan.diagnostics import FitDisplay, LabelComparisonDisplay, LabelCovarianceDisplay

SEED = 0
names = ("teff", "logg", "feh")
BROADENING = [150.0, 0.3, 0.2]  # K, dex, dex

rng = np.random.default_rng(SEED)
stars = load_miles()
order = rng.permutation(len(stars.spectra))
test, train = order[:110], order[110:]

drawn = stars.labels[train][rng.integers(len(train), size=4000)]
labels = np.clip(drawn + rng.normal(size=drawn.shape) * BROADENING, *SyntheticModel().label_range)

normalizer = ContinuumNormalizer(degree=8)
observed = normalizer.fit_transform(stars.spectra)
synthetic = normalizer.transform(make_synthetic_spectra(labels=labels).spectra)

few = slice(0, 1500)
emulator = SpectrumEmulator(random_state=SEED, verbose=0)
emulator.fit(Table(labels[few], names=names), synthetic[few])
translators = {
    "raw model": None,
    "linear": LinearTranslator().fit(synthetic, observed[train]),
    "CycleGAN": CycleGANTranslator(max_epochs=24, random_state=SEED, verbose=0).fit(
        synthetic, observed[train]
    ),
}

# %%
# Fit, and compare with the catalogue
# -----------------------------------
# Every star is started blind. Its split latents, what only observed spectra have, are fitted with
# the labels. MILES gives no errors: they are assumed to be as large as the residuals.

fitters = {name: ParameterFitter(emulator, translator) for name, translator in translators.items()}
comparisons = {}
for name, fitter in fitters.items():
    fitted, errors = fitter.predict(observed[test], return_std=True)
    comparisons[name] = compare_labels(
        fitted, stars.labels[test], std=errors, label_names=names, random_state=SEED
    )
    print(name, comparisons[name].summary(), sep="\n", end="\n\n")

shown = {name: comparisons[name] for name in ("raw model", "CycleGAN")}
LabelComparisonDisplay(shown).plot().figure_.savefig("stellar_labels.png", dpi=150)

# %%
# Errors that hold
# ----------------
# The errors above are those of the noise alone, and cover far fewer than 68 % of the stars: the
# catalogue has errors, and so has the model. Half of the test stars say by how much errors have to
# grow, the other half whether that was right.

half = len(test) // 2
known, others = test[:half], test[half:]
fitter = ParameterFitter(emulator, translators["CycleGAN"])
fitter.fit(observed[known], stars.labels[known])
fitted, errors = fitter.predict(observed[others], return_std=True)
covered = (np.abs(fitted - stars.labels[others]) <= errors).mean(axis=0)
for name, factor, share in zip(names, fitter.err_inflation_, covered, strict=True):
    print(f"{name}: errors grow by {factor:.1f} and then cover {share:.2f} of the other stars")

# %%
# One star
# --------
# The star whose residual is the median of all.

table = fitter.fit_table(observed[others])
middle = int(np.argsort(table["chi2"])[len(others) // 2])
star = others[middle]
print(stars.names[star])
table[[middle]].pprint(max_width=-1)
display = FitDisplay.from_estimator(fitter, observed[[star]], limits=(5000, 5400))
display.figure_.savefig("stellar_labels_fit.png", dpi=150)

# %%
# Its covariance, and a posterior
# -------------------------------
# The ellipses are the fit's covariance. The points are drawn by emcee from ``log_prob``, for which
# the errors are those of the noise, so the fitter here has no inflation.

plain = ParameterFitter(emulator, translators["CycleGAN"], err_inflation=1.0).fit()
best, covariance = plain.predict(observed[[star]], return_cov=True)
n_parameters = len(plain.parameter_names_)
low, high = plain.prior_transform(np.array([[0.02] * n_parameters, [0.98] * n_parameters]))
start, width = 0.5 * (low + high), 0.05 * (high - low)
start[:3], width[:3] = best[0], np.sqrt(np.diagonal(covariance[0]))
sampler = emcee.EnsembleSampler(
    32, n_parameters, plain.log_prob, args=(observed[[star]],), vectorize=True
)
sampler.random_state = np.random.RandomState(SEED).get_state()
walkers = start + 0.3 * width * rng.standard_normal((32, n_parameters))
sampler.run_mcmc(walkers, 900, progress=False)
samples = sampler.get_chain(discard=400, thin=5, flat=True)[:, :3]
for i, name in enumerate(names):
    print(
        f"{name}: fit {best[0, i]:.4g} +- {covariance[0, i, i] ** 0.5:.2g}, "
        f"emcee {samples[:, i].mean():.4g} +- {samples[:, i].std():.2g}"
    )
display = LabelCovarianceDisplay(best[0], covariance[0], label_names=names, samples=samples).plot()
display.figure_.savefig("stellar_labels_covariance.png", dpi=150)

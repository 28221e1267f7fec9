"""What every public estimator keeps: scikit-learn's rules and the promises of this package."""

import functools
import importlib
import inspect
import pickle
import pkgutil
import warnings

import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch import NeuralNet

import spectragan
from spectragan import LinearTranslator, Spectra

# Parameters that make an estimator quick enough to be fitted some hundred times by the checks.
# The behaviour must not depend on them; the slow test below runs the same checks on the defaults
# of those that have any. The others are their defaults.
QUICK = {
    "AirVacuumConverter": {},
    "Broadener": {},
    "ContinuumNormalizer": {},
    "CycleGANTranslator": {"max_epochs": 2, "verbose": 0},
    "LinearTranslator": {},
    "MeanShiftTranslator": {},
    "NoiseInjector": {},
    "OutlierInterpolator": {},
    "ParameterFitter": {},
    "PseudoPairTranslator": {},
    "Resampler": {},
    "RestFrameShifter": {},
    "SkyLineMasker": {},
    "SpectrumEmulator": {},  # trains no network on sets as small as those of the checks
    "StarNetRegressor": {
        "hidden": (32, 16),
        "learning_rate": 1e-2,
        "max_epochs": 20,
        "n_members": 1,
        "verbose": 0,
    },
    "TelluricMasker": {},
    "TranslatorEnsemble": {"translator": LinearTranslator(4), "n_members": 2},
}


def public_estimators() -> dict[str, type[BaseEstimator]]:
    """Find every public estimator, so that a new one can't be forgotten."""
    values = {name: getattr(spectragan, name) for name in spectragan.__all__}
    return {n: v for n, v in values.items() if inspect.isclass(v) and issubclass(v, BaseEstimator)}


def quick(name: str) -> BaseEstimator:
    return public_estimators()[name](**QUICK[name])


def module_estimators() -> set[str]:
    """Find every estimator class written anywhere in the package, bases and private ones apart."""
    found = set()
    for module in pkgutil.walk_packages(spectragan.__path__, "spectragan."):
        for name, value in inspect.getmembers(
            importlib.import_module(module.name), inspect.isclass
        ):
            own = value.__module__ == module.name and issubclass(value, BaseEstimator)
            # skorch nets are estimators by descent; ours are held by one and never meet a user.
            if own and not name.startswith(("_", "Base")) and not issubclass(value, NeuralNet):
                found.add(name)
    return found


def test_every_estimator_is_public():
    assert module_estimators() == set(public_estimators())


def test_every_estimator_is_checked():
    assert set(QUICK) == set(public_estimators()), "give a new estimator its line in QUICK"


# The checks' random numbers are no spectra: what we warn of there is deserved.
@pytest.mark.filterwarnings("ignore::spectragan.SpectraganWarning")
@parametrize_with_checks([quick(name) for name in sorted(public_estimators())])
def test_estimator_follows_scikit_learn(estimator, check):
    check(estimator)


# An ensemble's defaults are five CycleGANTranslators, of which each is checked by itself.
SLOW = [name for name in sorted(QUICK) if QUICK[name] and name != "TranslatorEnsemble"]
# These fit four to six times, and look at the form of input and output alone.
OF_FORM = (
    "check_estimators_dtypes",
    "check_pipeline_consistency",
    "check_transformer_data_not_an_array",
)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::spectragan.SpectraganWarning")
@parametrize_with_checks([public_estimators()[name]() for name in SLOW])
def test_estimator_with_defaults_follows_scikit_learn(estimator, check):
    if check.func.__name__ in OF_FORM:
        pytest.skip("how long it is trained can't change the form")
    check(estimator)


@pytest.mark.parametrize("name", sorted(public_estimators()))
def test_parameters_after_the_second_are_keyword_only(name):
    parameters = list(inspect.signature(public_estimators()[name]).parameters.values())
    # `ObservedEmulator(emulator, translator, split=None)` is promised like this.
    positional = [p.name for p in parameters[3:] if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert positional == []


def small_domains(scramble: float = 0.0) -> tuple[np.ndarray, Spectra, Spectra]:
    """Make labels and two small domains, with another value under ``ivar == 0`` on request."""
    rng = np.random.default_rng(0)
    labels = rng.uniform(-1, 1, size=(60, 2))
    lines = np.array([np.eye(24)[5] + np.eye(24)[6] / 2, np.eye(24)[15] + np.eye(24)[9] / 2])
    ivar = np.where(rng.random((60, 24)) < 0.05, 0.0, 1e4)
    models = 1 - 0.3 * np.exp(labels) @ lines
    stars = 0.98 - 0.4 * np.exp(labels[::-1]) @ lines + 0.01 * rng.standard_normal((60, 24))
    models, stars = (np.where(ivar == 0, flux + scramble, flux) for flux in (models, stars))
    weights = (ivar > 0).astype(float)
    wavelength = np.linspace(5000, 5100, 24)
    angstrom = importlib.import_module("astropy.units").AA
    synthetic = Spectra(models, wavelength * angstrom, ivar=weights, noise="exact")
    return labels, synthetic, Spectra(stars, wavelength * angstrom, ivar=ivar)


@functools.cache
def first_result_of(name: str) -> np.ndarray:
    """Return the result of one fit, which others are compared with."""
    return result_of(name)


def result_of(name: str, scramble: float = 0.0) -> np.ndarray:
    """Fit a new estimator and return what it makes of spectra or labels."""
    labels, synthetic, observed = small_domains(scramble)
    estimator = quick(name)
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=0)
    with warnings.catch_warnings():
        # Two epochs on sixty spectra: warnings about the quality of the fit are deserved.
        warnings.simplefilter("ignore", spectragan.SpectraganWarning)
        if type(estimator).__module__.startswith("spectragan.spectra"):
            return estimator.fit_transform(observed).filled()
        if name == "SpectrumEmulator":
            return estimator.fit(labels, synthetic).predict(labels)
        if name in ("ParameterFitter", "StarNetRegressor"):
            return estimator.fit(synthetic, labels).predict(synthetic)
        return estimator.fit(synthetic, observed).transform(synthetic).filled()


@pytest.mark.parametrize("name", sorted(QUICK))
def test_values_under_zero_ivar_change_nothing(name):
    np.testing.assert_array_equal(result_of(name, scramble=1e6), first_result_of(name))


@pytest.mark.parametrize("name", sorted(QUICK))
def test_same_seed_is_bit_identical(name):
    np.testing.assert_array_equal(result_of(name), first_result_of(name))


@pytest.mark.parametrize("name", sorted(QUICK))
def test_global_state_is_untouched(name):
    np.random.seed(1)  # noqa: NPY002 - the global generator is what is tested
    torch.manual_seed(1)
    before = pickle.dumps((np.random.get_state(), warnings.filters))  # noqa: NPY002
    torch_before = torch.get_rng_state()
    threads, default = torch.get_num_threads(), torch.get_default_dtype()
    result_of(name)
    assert pickle.dumps((np.random.get_state(), warnings.filters)) == before  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert (torch.get_num_threads(), torch.get_default_dtype()) == (threads, default)


@pytest.mark.parametrize("name", sorted(QUICK))
def test_clone_of_a_fitted_estimator_is_unfitted(name):
    estimator = quick(name)
    fitted = {key for key in vars(clone(estimator)) if key.endswith("_")}
    assert fitted == set()
    assert repr(estimator).startswith(name)

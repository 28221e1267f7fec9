"""The names that scripts rely on are there, sorted, loadable and in the reference."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

import spectragan

MODULES = (
    "spectragan",
    "spectragan.datasets",
    "spectragan.diagnostics",
    "spectragan.interop",
    "spectragan.networks",
)
REFERENCE = Path(__file__).parents[1] / "docs" / "reference" / "index.rst"

# Names that may be added to, never renamed: scripts in the wild use them.
PROMISED = {
    "spectragan.interop": {"CallableEmulator", "PayneNetwork", "read_payne"},
    "spectragan": {
        "AirVacuumConverter",
        "Broadener",
        "ContinuumNormalizer",
        "CycleGANTranslator",
        "HarmonizationReport",
        "LazySpectra",
        "LineAttribution",
        "LinearTranslator",
        "MeanShiftTranslator",
        "NoiseInjector",
        "ObservedEmulator",
        "OutlierInterpolator",
        "ParameterFitter",
        "PseudoPairTranslator",
        "Resampler",
        "RestFrameShifter",
        "SkyLineMasker",
        "Spectra",
        "SpectrumEmulator",
        "StarNetRegressor",
        "TelluricMasker",
        "TranslatorEnsemble",
        "as_spectra",
        "compare_labels",
        "cycle_scorer",
        "cycle_scores",
        "find_inventions",
        "gap_scores",
        "harmonize",
        "load",
        "model_card",
        "pseudo_pair_score",
        "read_spectra",
        "stack_domains",
        "tsne_gap",
    },
    "spectragan.datasets": {
        "SyntheticModel",
        "load_gaia_xp",
        "load_miles",
        "load_turbospectrum",
        "make_line_domains",
        "make_mock_domains",
        "make_synthetic_spectra",
    },
    "spectragan.networks": {"ConvCritic", "ConvTranslator", "CriticNetwork", "TranslatorNetwork"},
    "spectragan.diagnostics": {
        "TSNEGapDisplay",
        "FitDisplay",
        "LabelComparisonDisplay",
        "LabelCovarianceDisplay",
        "LineAttributionDisplay",
        "TrainingHistoryDisplay",
        "TranslationDisplay",
        "compare_labels",
        "cycle_scorer",
        "cycle_scores",
        "find_inventions",
        "gap_scores",
        "pseudo_pair_score",
        "tsne_gap",
    },
}

PROMISED_SIGNATURES = {
    "Spectra": "flux wavelength ivar noise medium meta",
    "LazySpectra": "flux wavelength ivar noise medium meta unit",
    "stack_domains": "synthetic observed",
    "ContinuumNormalizer": "degree",
    "CycleGANTranslator": "network adversarial random_state device max_epochs batch_size verbose",
    "SpectrumEmulator": "random_state device max_epochs batch_size verbose",
    "ObservedEmulator": "emulator translator split",
    "ParameterFitter": "emulator translator nuisances bounds priors",
    "StarNetRegressor": "n_members random_state device max_epochs batch_size verbose",
    "compare_labels": "fitted catalogue std label_names random_state",
    "find_inventions": "translator synthetic observed fdr translated random_state",
    "gap_scores": "a b random_state",
    "pseudo_pair_score": "translator X y",
    "load": "path modules",
    "read_spectra": "paths format errors",
    "cycle_scores": "translator X_synthetic X_observed",
}

PROMISED_METHODS = {
    "AirVacuumConverter": "fit transform fit_transform inverse_transform",
    "Broadener": "fit transform fit_transform",
    "ContinuumNormalizer": "fit transform fit_transform inverse_transform",
    "CycleGANTranslator": "fit transform inverse_transform encode decode sample score",
    "LazySpectra": "load blocks to_specutils",
    "LinearTranslator": "fit transform inverse_transform encode decode sample score",
    "MeanShiftTranslator": "fit transform inverse_transform encode decode sample score",
    "NoiseInjector": "fit transform fit_transform",
    "ObservedEmulator": "predict jacobian",
    "OutlierInterpolator": "fit transform fit_transform",
    "ParameterFitter": "fit predict fit_table best_model log_prob prior_transform score",
    "PseudoPairTranslator": "fit transform inverse_transform encode decode sample score",
    "Resampler": "fit transform fit_transform inverse_transform",
    "RestFrameShifter": "fit transform fit_transform inverse_transform",
    "SkyLineMasker": "fit transform fit_transform",
    "Spectra": "to_specutils",
    "SpectrumEmulator": "fit predict jacobian score",
    "StarNetRegressor": "fit predict score",
    "TelluricMasker": "fit transform fit_transform",
    "TranslatorEnsemble": "fit calibrate transform predict_interval sample encode decode",
}


def public_names() -> list[str]:
    return [f"{m}.{name}" for m in MODULES for name in importlib.import_module(m).__all__]


@pytest.mark.parametrize("module", MODULES)
def test_all_is_sorted_without_repeats(module):
    names = importlib.import_module(module).__all__
    assert list(names) == sorted(set(names))


@pytest.mark.parametrize("module", MODULES)
def test_all_resolves_and_is_listed_by_dir(module):
    loaded = importlib.import_module(module)
    missing = [name for name in loaded.__all__ if getattr(loaded, name, None) is None]
    assert not missing
    assert set(loaded.__all__) <= set(dir(loaded))


@pytest.mark.parametrize("module", MODULES)
def test_promised_names_are_public(module):
    assert PROMISED[module] <= set(importlib.import_module(module).__all__)


def test_every_exception_and_warning_is_at_the_top():
    exceptions = importlib.import_module("spectragan.exceptions")
    classes = inspect.getmembers(exceptions, inspect.isclass)
    own = {name for name, value in classes if value.__module__ == exceptions.__name__}
    assert own <= set(spectragan.__all__)


@pytest.mark.parametrize("name", PROMISED_SIGNATURES)
def test_promised_parameters_are_there(name):
    parameters = inspect.signature(getattr(spectragan, name)).parameters
    assert set(PROMISED_SIGNATURES[name].split()) <= set(parameters)


@pytest.mark.parametrize("name", PROMISED_METHODS)
def test_promised_methods_are_there(name):
    assert set(PROMISED_METHODS[name].split()) <= set(dir(getattr(spectragan, name)))


@pytest.mark.parametrize("name", public_names())
def test_public_names_are_documented(name):
    module, _, attribute = name.rpartition(".")
    assert inspect.getdoc(getattr(importlib.import_module(module), attribute))
    # Diagnostics are public from the top too, and listed there once.
    listed = re.findall(r"^ {3}(\w+)$", REFERENCE.read_text(), flags=re.MULTILINE)
    assert attribute in listed, f"add {attribute} to docs/reference/index.rst"


def test_the_reference_lists_nothing_that_is_gone():
    listed = set(re.findall(r"^ {3}(\w+)$", REFERENCE.read_text(), flags=re.MULTILINE))
    assert listed <= {name.rpartition(".")[2] for name in public_names()}


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="NoSuchThing"):
        _ = spectragan.NoSuchThing


def test_versions_agree():
    root = Path(__file__).parents[1]
    assert "version = attr: spectragan.__version__" in (root / "setup.cfg").read_text()
    assert f"version: {spectragan.__version__}" in (root / "CITATION.cff").read_text()


def test_citation_names_the_version_of_the_package():
    citation = Path(__file__).parents[1] / "CITATION.cff"
    assert f"\nversion: {spectragan.__version__}\n" in citation.read_text()

"""The card says what a model is, for whoever gets its file."""

import importlib.metadata

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

import spectragan
from spectragan import model_card

NAMES = (
    "CycleGANTranslator",
    "ObservedEmulator",
    "ParameterFitter",
    "SpectrumEmulator",
    "Resampler",
)


@pytest.mark.parametrize("name", NAMES)
def test_card_of_a_file_is_the_card_of_its_model(name, models, tmp_path):
    models[name].save(tmp_path / "model")
    assert model_card(tmp_path / "model") == models[name].model_card()
    assert model_card(str(tmp_path / "model")) == model_card(models[name])


def test_card_says_what_matters(models):
    card = model_card(models["CycleGANTranslator"])
    lines = card.splitlines()
    assert lines[0] == "# CycleGANTranslator"
    assert "- n_pixels: 24" in lines
    assert "- wavelength: 5000 to 5100 Angstrom" in lines
    assert "- medium: air" in lines
    assert "- `max_epochs`: `2`" in lines
    assert "- epochs: 2" in lines
    assert f"- torch: {importlib.metadata.version('torch')}" in lines
    assert "## Caveats" in lines
    assert "arXiv:2007.03109" in card


def test_card_gives_the_range_of_labels(models):
    low, high = models["SpectrumEmulator"].label_range_[:, 1]
    card = model_card(models["SpectrumEmulator"])
    assert f"- label `label_1`: {low:.6g} to {high:.6g}" in card.splitlines()


@pytest.mark.parametrize("name", sorted(spectragan.__all__))
def test_every_model_has_its_words(name, models):
    if name in models and hasattr(models[name], "model_card"):
        card = models[name].model_card()
        assert card.startswith(f"# {name}\n\n")
        assert card.endswith("\n")
        assert "None" not in card.split("## Parameters")[0]


def test_an_unfitted_model_has_no_card():
    with pytest.raises(NotFittedError):
        model_card(spectragan.MeanShiftTranslator())


@pytest.mark.parametrize(
    "model", [3, None, np.ones(3), PCA(2), make_pipeline(PCA(2)), spectragan.SpectrumEmulator]
)
def test_what_is_no_model_has_no_card(model):
    message = "^`model` must be a fitted model of spectragan, or a model file; got .*; "
    with pytest.raises(TypeError, match=message):
        model_card(model)

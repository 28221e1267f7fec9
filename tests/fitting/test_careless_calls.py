"""Calls that the types prove wrong: one sentence each, with a remedy."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_score

from spectragan import LinearTranslator, MeanShiftTranslator, ObservedEmulator, ParameterFitter


@pytest.fixture(scope="module")
def linear(mock):
    """Return a linear translator fitted to `mock`."""
    return LinearTranslator(3).fit(mock.synthetic, mock.observed)


@pytest.mark.parametrize("fitted_first", [True, False])
def test_translator_and_emulator_swapped(fitted_first, linear, emulator, stars):
    translator = linear if fitted_first else LinearTranslator(3)
    for call in (
        ParameterFitter(translator, emulator).fit,
        lambda: ObservedEmulator(translator, emulator),
    ):
        with pytest.raises(
            TypeError, match=r"`emulator` must make spectra .* got LinearTranslator"
        ):
            call()


def test_rows_of_different_lengths_are_counted(emulator, mock):
    rows = [mock.observed.flux[0], mock.observed.flux[1][:-1]]
    with pytest.raises(ValueError, match=r"equally many pixels .* got 79 to 80; resample"):
        ParameterFitter(emulator).predict(rows)


def test_an_emulator_is_no_spectrum(emulator, mock):
    with pytest.raises(TypeError, match=r"got SpectrumEmulator; of an emulator, give"):
        LinearTranslator().fit(emulator, mock.observed)


def test_cross_validation_forgets_a_translator_that_is_not_frozen(emulator, linear, mock):
    fitter = ParameterFitter(emulator, linear, verbose=0)
    data = mock.observed, mock.labels_observed
    with pytest.raises(NotFittedError, match=r"wrap emulator and translator in .*FrozenEstimator"):
        cross_val_score(fitter, *data, cv=2, error_score="raise")
    fitter.set_params(emulator=FrozenEstimator(emulator), translator=FrozenEstimator(linear))
    fitter.set_params(err_inflation=2.0)  # of a translation as rough as this one
    assert np.isfinite(cross_val_score(fitter, *data, cv=2, error_score="raise")).all()
    with pytest.raises(NotFittedError, match=r"got an unfitted MeanShiftTranslator"):
        ParameterFitter(emulator, MeanShiftTranslator()).predict(mock.observed)

"""A fitter that goes to another process for every likelihood isn't built anew there."""

import pickle
from unittest.mock import Mock

import numpy as np
import pytest

from spectragan import ParameterFitter
from spectragan.fitting import fitter as module


@pytest.fixture
def built(monkeypatch):
    """Return a spy that tells how often the models of blind starts were made."""
    spy = Mock(side_effect=module.BlindStart)
    monkeypatch.setattr(module, "BlindStart", spy)
    return spy


@pytest.mark.parametrize("fit", [True, False])
@pytest.mark.parametrize("nuisances", [(), ("velocity", "continuum")])
def test_likelihoods_of_a_pickled_fitter_need_no_blind_starts(
    fit, nuisances, emulator, stars, built
):
    fitter = ParameterFitter(emulator, nuisances=nuisances)
    fitter = fitter.fit() if fit else fitter
    theta = np.hstack([emulator.label_range_.mean(0), np.zeros(len(fitter.parameter_names_) - 3)])
    expected = fitter.log_prob(theta, stars[:1])
    again = pickle.loads(pickle.dumps(fitter.log_prob))
    assert again(theta, stars[:1]) == expected
    assert built.call_count == 0


def test_a_pickled_fitter_keeps_what_it_learned_without_a_fit(emulator, stars, monkeypatch):
    fitter = ParameterFitter(emulator)
    expected = fitter.predict(stars[:2])
    again = pickle.loads(pickle.dumps(fitter))
    monkeypatch.setattr(ParameterFitter, "fit", Mock(side_effect=AssertionError))
    np.testing.assert_array_equal(again.predict(stars[:2]), expected)

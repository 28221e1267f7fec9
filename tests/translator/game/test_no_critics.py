"""`adversarial=None`: a training without critics."""

import numpy as np
import pytest
import torch


def fit(translator, mock):
    return translator.fit(mock.synthetic, mock.observed)


def flux(translator, mock):
    return translator.transform(mock.synthetic).flux


def test_no_critics_is_a_training_that_is_all_warm_up(mock, quick):
    without = fit(quick(adversarial=None, warmup_epochs=None), mock)
    warm = fit(quick(warmup_epochs=2), mock)
    np.testing.assert_array_equal(flux(without, mock), flux(warm, mock))
    assert np.isnan(without.history_["critic"]).all()
    assert np.isfinite(without.history_["start"]).all()


def test_training_on_has_no_critics_either(mock, quick):
    translator = fit(quick(adversarial=None, warmup_epochs=None, warm_start=True), mock)
    before = [p.clone() for p in translator.net_.critic_.parameters()]
    fit(translator.set_params(max_epochs=1), mock)
    assert np.isnan(translator.history_["critic"]).all()
    assert all(map(torch.equal, translator.net_.critic_.parameters(), before))


def test_it_is_a_word_of_the_parameter_and_fits_no_warm_up(mock, quick):
    message = r"`warmup_epochs` must be None where `adversarial` is None; got 1; all epochs are"
    with pytest.raises(ValueError, match=message):
        fit(quick(adversarial=None, warmup_epochs=1), mock)
    with pytest.raises(ValueError, match=r"`adversarial` must be one of .*; got 'none'"):
        fit(quick(adversarial="none"), mock)

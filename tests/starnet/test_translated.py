"""A translator translates what a network is fitted to, and never what is measured."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline

import spectragan
from spectragan import LinearTranslator, MeanShiftTranslator, StarNetRegressor
from spectragan.datasets import make_mock_domains


def starnet(**parameters):
    return StarNetRegressor(1, **({"max_epochs": 20, "random_state": 0, "verbose": 0} | parameters))


@pytest.fixture(scope="module")
def mock():
    return make_mock_domains(300, 300, n_pixels=80, random_state=0)


@pytest.fixture(scope="module")
def translator(mock):
    return LinearTranslator().fit(mock.synthetic, mock.observed)


@pytest.mark.parametrize("freeze", [lambda x: x, FrozenEstimator])
def test_labels_are_those_of_translating_by_hand(mock, translator, freeze):
    translated = translator.transform(mock.synthetic)
    by_hand = starnet().fit(translated, mock.labels_synthetic).predict(mock.observed)
    fitted = starnet(translator=freeze(translator)).fit(mock.synthetic, mock.labels_synthetic)
    np.testing.assert_array_equal(fitted.predict(mock.observed), by_hand)
    alone = starnet().fit(mock.synthetic, mock.labels_synthetic).predict(mock.observed)
    off = [np.abs(found - mock.labels_observed)[:, 0].mean() for found in (by_hand, alone)]
    assert off[0] < off[1], "what is translated finds better temperatures"


def test_a_pipeline_and_a_cross_validation_translate_in_fit_only(mock, translator):
    frozen = starnet(max_epochs=2, translator=FrozenEstimator(translator))
    piped = make_pipeline(clone(frozen)).fit(mock.synthetic, mock.labels_synthetic)
    alone = clone(frozen).fit(mock.synthetic, mock.labels_synthetic)
    np.testing.assert_array_equal(piped.predict(mock.observed), alone.predict(mock.observed))
    found = cross_val_predict(frozen, mock.synthetic, mock.labels_synthetic, cv=2)
    assert np.isfinite(found).all()


def test_arrays_are_translated_as_well(mock, translator):
    arrays = mock.synthetic.filled(1.0), mock.observed.filled(1.0)
    bare = MeanShiftTranslator().fit(*arrays)
    fitted = starnet(max_epochs=2, translator=bare).fit(arrays[0], mock.labels_synthetic)
    by_hand = starnet(max_epochs=2).fit(bare.transform(arrays[0]), mock.labels_synthetic)
    np.testing.assert_array_equal(fitted.predict(arrays[1]), by_hand.predict(arrays[1]))


def test_it_is_saved_with_its_translator(mock, translator, tmp_path):
    fitted = starnet(max_epochs=2, translator=translator)
    fitted.fit(mock.synthetic, mock.labels_synthetic).save(tmp_path / "network")
    loaded = spectragan.load(tmp_path / "network")
    np.testing.assert_array_equal(loaded.predict(mock.observed), fitted.predict(mock.observed))
    assert isinstance(loaded.translator, LinearTranslator)


@pytest.mark.parametrize("wrong", [LinearTranslator(), 5, LinearTranslator, starnet()])
def test_what_translates_must_be_fitted(mock, wrong):
    with pytest.raises(ValueError, match=r"`translator` must be .* got .*; call its fit"):
        starnet(translator=wrong).fit(mock.synthetic, mock.labels_synthetic)

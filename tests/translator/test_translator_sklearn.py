"""Translators among scikit-learn's tools."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline

from spectragan import (
    ContinuumNormalizer,
    LinearTranslator,
    MeanShiftTranslator,
    Spectra,
    stack_domains,
)


def test_translator_works_behind_a_continuum_normalizer(mock, quick):
    slope = np.linspace(0.8, 1.2, 80)
    sloped = [
        s.with_flux(s.flux * slope, s.ivar / slope**2 if d else None)
        for d, s in enumerate((mock.synthetic, mock.observed))
    ]
    stacked, domain = stack_domains(*sloped)
    pipeline = make_pipeline(ContinuumNormalizer(degree=2), quick())
    translated = pipeline.fit(stacked, domain).transform(sloped[0])
    assert isinstance(translated, Spectra)
    by_hand = [ContinuumNormalizer(degree=2).fit_transform(s) for s in sloped]
    expected = quick().fit(*by_hand).transform(by_hand[0])
    np.testing.assert_allclose(translated.flux, expected.flux, rtol=1e-4)


def test_grid_search_takes_plain_arrays_and_words(mock):
    flux = np.concatenate([mock.synthetic.flux, mock.observed.filled(1.0)])
    words = np.repeat(["synthetic", "observed"], [150, 120])
    search = GridSearchCV(
        LinearTranslator(), {"n_components": [1, 10]}, cv=StratifiedKFold(3), error_score="raise"
    )
    assert np.isfinite(search.fit(flux, words).cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize("make", [MeanShiftTranslator, LinearTranslator])
def test_score_rises_when_the_gap_closes(mock, make):
    translator = make().fit(mock.synthetic, mock.observed)
    score = translator.score(mock.synthetic, mock.observed)
    assert score == translator.score(*stack_domains(mock.synthetic, mock.observed))
    far = mock.observed.with_flux(mock.observed.flux + 0.05, mock.observed.ivar)
    assert translator.score(mock.synthetic, far) < 2 * score < 0

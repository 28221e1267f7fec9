"""Spectra of one domain where those of the other belong: nobody gets labels ten times as wrong."""

import warnings

import numpy as np
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline

from spectragan import LinearTranslator, SwappedDomainsWarning, load, stack_domains


@pytest.fixture(scope="module")
def linear(mock):
    return LinearTranslator(5).fit(mock.synthetic, mock.observed)


def test_domains_that_changed_places_are_told(mock):
    with pytest.warns(SwappedDomainsWarning, match="changed places"):
        LinearTranslator(5).fit(mock.observed, mock.synthetic)
    X, domain = stack_domains(mock.synthetic, mock.observed)
    with pytest.warns(SwappedDomainsWarning, match="changed places"):
        LinearTranslator(5).fit(X, domain == 0)  # True for synthetic
    with pytest.raises(ValueError, match="negative numbers mean the target"):
        LinearTranslator(5).fit(X, np.where(domain == 0, 1, -2))


def test_observed_spectra_are_not_translated_again_in_silence(linear, mock, tmp_path):
    linear.save(tmp_path / "t.safetensors")
    for translator in (linear, load(tmp_path / "t.safetensors")):
        translator.transform(mock.synthetic)
        translator.transform(translator.inverse_transform(mock.observed))
        with pytest.warns(SwappedDomainsWarning, match="don't translate observed spectra again"):
            translator.transform(mock.observed)
    with pytest.warns(SwappedDomainsWarning, match="leave the translator out of what predicts"):
        make_pipeline(FrozenEstimator(linear)).transform(mock.observed[:3])


def test_synthetic_spectra_with_noise_of_their_own_may_be_translated(linear, mock):
    ivar = np.full(mock.synthetic.shape, 1e4)
    noisy = mock.synthetic.with_flux(mock.synthetic.flux, ivar, "known")
    LinearTranslator(5).fit(noisy, mock.observed).transform(noisy)


def test_a_search_whose_folds_hold_one_domain_says_which_folds_to_take(mock):
    X, domain = stack_domains(mock.synthetic[:60], mock.observed[:60])
    grid = {"n_components": [2, 3]}
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        GridSearchCV(LinearTranslator(), grid, refit=False).fit(X, domain)
    assert any("cv=StratifiedKFold(shuffle=True)" in str(w.message) for w in told)
    with pytest.raises(ValueError, match=r"StratifiedKFold\(shuffle=True\)"):
        GridSearchCV(LinearTranslator(), grid, cv=2).fit(X, domain)
    folds = StratifiedKFold(shuffle=True, random_state=0)
    assert np.isfinite(GridSearchCV(LinearTranslator(), grid, cv=folds).fit(X, domain).best_score_)

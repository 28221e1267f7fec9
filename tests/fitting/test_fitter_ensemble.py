"""Through an ensemble, errors of labels and of emulated spectra contain the translation's."""

import warnings
from copy import copy
from types import SimpleNamespace

import numpy as np
import pytest

from spectragan import (
    LinearTranslator,
    ObservedEmulator,
    ParameterFitter,
    SpectraganWarning,
    TranslatorEnsemble,
)
from spectragan.fitting.errors import translation_covariance


@pytest.fixture(scope="module")
def ensemble(mock):
    made = TranslatorEnsemble(LinearTranslator(5), n_members=4, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpectraganWarning)
        return made.fit(mock.synthetic, mock.observed)


@pytest.fixture(scope="module")
def fitter(emulator, ensemble):
    return ParameterFitter(emulator, ensemble).fit()


def test_errors_are_formal_ones_and_the_translations(emulator, ensemble, fitter, mock):
    stars = mock.observed[:20]
    formal = ParameterFitter(emulator, ensemble.members_[0]).predict(stars, return_cov=True)
    labels, covariance = fitter.predict(stars, return_cov=True)
    np.testing.assert_array_equal(labels, formal[0])
    np.testing.assert_allclose(covariance, formal[1] + fitter.translation_covariance_, rtol=1e-9)
    assert (np.linalg.eigvalsh(fitter.translation_covariance_) > 0).all()


def test_more_true_labels_are_within_the_errors(emulator, ensemble, fitter, mock):
    def share(which):
        labels, std = which.predict(mock.observed, return_std=True)
        return (np.abs(labels - mock.labels_observed) <= std).mean()

    formal = share(ParameterFitter(emulator, ensemble.members_[0]))
    assert share(fitter) > formal + 0.1


def test_equal_members_add_nothing(emulator, mock):
    equal = TranslatorEnsemble(LinearTranslator(5), n_members=2)
    equal.fit(mock.synthetic, mock.observed)
    equal.members_[1] = equal.members_[0]
    added = ParameterFitter(emulator, equal).fit().translation_covariance_
    np.testing.assert_allclose(added, 0, atol=1e-12)


def test_an_error_along_the_labels_that_members_share_is_added(emulator, fitted):
    equal = SimpleNamespace(members_=[fitted, copy(fitted)])
    added = []
    for member in equal.members_:
        member.offset_covariance_ = np.zeros_like(fitted.offset_covariance_)
    for size in (0.0, 0.01, 0.02):
        equal.members_[0].offset_covariance_ = size**2 * np.eye(fitted.n_shared_)
        added.append(
            translation_covariance(emulator, ParameterFitter(emulator, equal).get_params(False))
        )
    np.testing.assert_allclose(added[0], 0, atol=1e-9)
    assert (np.linalg.eigvalsh(added[1]) > 0).all()
    # Four times as large where the labels respond linearly, as few epochs don't quite make them.
    assert (np.diag(added[2]) > 2 * np.diag(added[1])).all()


def test_one_translator_or_member_says_nothing(emulator, ensemble, mock):
    assert ParameterFitter(emulator).fit().translation_covariance_ is None
    alone = ParameterFitter(emulator, ensemble.members_[0]).fit()
    assert alone.translation_covariance_ is None


def test_held_out_stars_take_the_place_of_made_ones(emulator, ensemble, fitter, mock):
    held_out = ParameterFitter(emulator, ensemble).fit(mock.observed[:60])
    assert (held_out.err_inflation_ == 1).all()
    ratio = np.diag(held_out.translation_covariance_) / np.diag(fitter.translation_covariance_)
    assert ((ratio > 0.1) & (ratio < 10)).all()
    labelled = ParameterFitter(emulator, ensemble).fit(mock.observed, mock.labels_observed)
    assert (labelled.err_inflation_ != 1).all()


def test_too_few_stars_for_all_members(emulator, ensemble, mock):
    with pytest.raises(ValueError, match="10 spectra that can be fitted through every member"):
        ParameterFitter(emulator, ensemble).fit(mock.observed[:5])


def test_emulated_spectra_come_with_errors(emulator, ensemble, mock):
    observed, labels = ObservedEmulator(emulator, ensemble), mock.labels_synthetic[:6]
    flux, std = observed.predict(labels, return_std=True)
    np.testing.assert_array_equal(flux, observed.predict(labels))
    synthetic = mock.synthetic[:6].with_flux(emulator.predict(labels).astype(np.float32))
    np.testing.assert_allclose(std, ensemble.transform(synthetic, return_std=True)[1], rtol=1e-3)
    draws = observed.sample(labels, 7, random_state=0)
    assert draws.shape == (7, 6, 80)
    np.testing.assert_array_equal(draws, observed.sample(labels, 7, random_state=0))


def test_a_single_translator_knows_no_errors(emulator, ensemble, mock):
    labels = mock.labels_synthetic[:2]
    with pytest.raises(ValueError, match=r"must be a TranslatorEnsemble.*got LinearTranslator"):
        ObservedEmulator(emulator, ensemble.members_[0]).predict(labels, return_std=True)
    with pytest.raises(ValueError, match="must be a TranslatorEnsemble"):
        ObservedEmulator(emulator, ensemble.members_[0]).sample(labels)

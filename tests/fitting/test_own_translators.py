"""A translator of a user's own takes part in fits, as fast as ours, or says what it lacks."""

import astropy.units as u
import numpy as np
import pytest
import torch
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from spectragan import LinearTranslator, ObservedEmulator, ParameterFitter
from spectragan.exceptions import GridMismatchError
from spectragan.translator.base import BaseTranslator

N_STARS = 40
NOTHING = np.zeros((2, 3))  # to be fitted to


class Deeper(BaseEstimator):
    """All lines are deeper, by one factor: an affine map of spectra."""

    def fit(self, synthetic, observed):
        depths = [1 - np.asarray(spectra).mean() for spectra in (synthetic, observed)]
        self.factor_ = depths[1] / depths[0]
        return self

    def transform(self, X):
        return 1 + self.factor_ * (np.asarray(X) - 1)

    def compose(self, emulator):
        return emulator.as_model().mapped(self.transform)


class Saturated(BaseEstimator):
    """Deep lines saturate, by a split latent of each star's own: torch can differentiate it."""

    def __init__(self, encodes=True):
        self.encodes = encodes

    def fit(self, synthetic=None, observed=None):
        self.codes_ = np.linspace(0.2, 0.8, 30)[:, None]
        return self

    @staticmethod
    def saturate(flux, split):
        return torch.exp(split * (flux - 1)) * flux

    def encode(self, spectra):
        return np.full((len(spectra), 1), 0.5)

    def compose(self, emulator):
        encode = self.encode if self.encodes else None
        return emulator.as_model().through(self.saturate, codes=self.codes_, encode=encode)


@pytest.fixture(scope="module")
def labels(truth):
    return truth[:N_STARS]


@pytest.fixture(scope="module")
def flux(emulator, labels, named):
    return emulator.predict(named(labels))


@pytest.fixture(scope="module")
def deeper(flux):
    return Deeper().fit(flux, 1 + 1.3 * (flux - 1))


def test_an_affine_translator_finds_the_labels(emulator, labels, flux, deeper, observe):
    stars = observe(deeper.transform(flux), emulator.wavelength_, sigma=0.003)
    fitter = ParameterFitter(emulator, deeper)
    found, std = fitter.predict(stars, return_std=True)
    assert ((np.abs(found - labels) < 3 * std).mean(axis=0) > 0.9).all()
    raw = ParameterFitter(emulator).predict(stars)
    nearer = np.median(np.abs(found - labels), axis=0) < np.median(np.abs(raw - labels), axis=0)
    assert nearer.all()
    assert np.median(fitter.fit_table(stars)["chi2"] / fitter.fit_table(stars)["dof"]) < 1.2


def test_an_affine_translator_is_as_fast_as_the_emulator(emulator, deeper):
    # What costs time is the number of coefficients: pixels by pixels would have 80.
    alone, behind = emulator.as_model(), deeper.compose(emulator)
    assert len(behind.basis) == len(alone.basis) == 18
    again = behind.mapped(lambda flux: flux / 2)
    torch.testing.assert_close(again.basis[:-1], behind.basis[:-1] / 2)
    torch.testing.assert_close(again.basis[-1], behind.basis[-1] / 2)


@pytest.mark.parametrize("split", ["fit", "encode"])
def test_a_torch_translator_has_split_latents(split, emulator, labels, flux, observe):
    own = (
        np.full((N_STARS, 1), 0.5) if split == "encode" else np.linspace(0.3, 0.7, N_STARS)[:, None]
    )
    translated = Saturated.saturate(torch.as_tensor(flux), torch.as_tensor(own)).numpy()
    stars = observe(translated, emulator.wavelength_, sigma=0.002)
    fitter = ParameterFitter(emulator, Saturated().fit(), split=split)
    found, std = fitter.predict(stars, return_std=True)
    assert fitter.parameter_names_[3:] == ("split_0",)
    assert ((np.abs(found - labels) < 3 * std).mean(axis=0) > 0.9).all()
    theta = np.hstack([labels[:1], own[:1]])
    assert np.isfinite(fitter.log_prob(theta, stars[:1]))


def test_an_array_translator_without_a_model_of_its_own_is_slower_and_the_same(
    emulator, mock, stars
):
    class Arrays(LinearTranslator):
        compose = BaseTranslator.compose

    ours, arrays = (
        kind(5).fit(mock.synthetic, mock.observed) for kind in (LinearTranslator, Arrays)
    )
    expected, std = ParameterFitter(emulator, ours).predict(stars[:10], return_std=True)
    found = ParameterFitter(emulator, arrays).predict(stars[:10])
    assert (np.abs(found - expected) < 0.01 * std).all()


def test_a_translator_that_is_fitted_again_is_seen(emulator, flux, deeper, observe):
    stars = observe(deeper.transform(flux), emulator.wavelength_)
    own = Deeper().fit(flux, flux)
    fitter = ParameterFitter(emulator, own)
    before = fitter.predict(stars)
    own.fit(flux, deeper.transform(flux))
    # Its factor is that of the other but for the last digit.
    np.testing.assert_allclose(
        fitter.predict(stars), ParameterFitter(emulator, deeper).predict(stars), rtol=1e-8
    )
    assert np.abs(fitter.predict(stars) - before).max() > 10


def test_a_second_translator_comes_behind_the_first(emulator, mock, deeper, labels):
    # An emulator behind a translator is an emulator: the other translator isn't dropped.
    linear = LinearTranslator(5).fit(mock.synthetic, mock.observed)
    observed = ObservedEmulator(emulator, linear)
    expected = deeper.transform(observed.predict(labels[:3]))
    values, _ = deeper.compose(observed).with_jacobian(torch.as_tensor(labels[:3]))
    found = values @ deeper.compose(observed).basis
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-9)
    wanted = ParameterFitter(observed, deeper).best_model(mock.observed[:3])
    alone = ParameterFitter(observed).best_model(mock.observed[:3])
    assert np.abs(wanted.flux - alone.flux).max() > 1e-3


def compose_with(function):
    """Return a fitted translator with this method `compose`."""

    class Own(Deeper):
        compose = staticmethod(function)

    return Own().fit(NOTHING, NOTHING)


def bare(emulator):
    class Bare(BaseEstimator):
        def fit(self, X, y=None):
            self.factor_ = 1.0
            return self

    return Bare().fit(NOTHING)


WRONG = {
    "no method": (bare, TypeError, "must have a method `compose"),
    "no model": (lambda e: compose_with(lambda e: 3), TypeError, "return a model .* got int"),
    "not affine": (
        lambda e: compose_with(lambda e: e.as_model().mapped(lambda flux: flux**2)),
        ValueError,
        "must be affine",
    ),
    "other pixels": (
        lambda e: compose_with(lambda e: e.as_model().mapped(lambda flux: flux[:, :9])),
        ValueError,
        "must return a model of 80 pixels",
    ),
    "one number": (
        lambda e: compose_with(lambda e: e.as_model().through(lambda x, split: x[:, :1])),
        ValueError,
        "must return a model of 80 pixels",
    ),
    "not fitted": (
        lambda e: Deeper(),
        NotFittedError,
        "`translator` must be fitted; got an unfitted Deeper",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_a_translator_is_one_sentence(name, emulator, stars):
    make, error, words = WRONG[name]
    with pytest.raises(error, match=words):
        ParameterFitter(emulator, make(emulator)).predict(stars[:2])


def test_a_translator_that_cannot_encode_is_not_asked_to(emulator, stars):
    fitter = ParameterFitter(emulator, Saturated(encodes=False).fit(), split="encode")
    with pytest.raises(ValueError, match='`split` must be "fit"'):
        fitter.predict(stars[:2])


def test_a_translator_may_tell_its_grid(emulator, stars, deeper):
    other = Deeper().fit(NOTHING, NOTHING)
    other.wavelength_ = emulator.wavelength_ + 1 * u.AA
    with pytest.raises(GridMismatchError, match="on one grid"):
        ParameterFitter(emulator, other).predict(stars[:2])

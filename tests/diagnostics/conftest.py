"""A small world for the diagnostics: two domains of known gap, and a translator made by hand."""

from typing import NamedTuple

import numpy as np
import pytest

from spectragan.spectra import Spectra, as_spectra

N_PIXELS = 60


class Latents(NamedTuple):
    shared: np.ndarray
    split: np.ndarray


class FakeTranslator:
    """Linear latents of a known basis; the domains differ by `shift` and one split vector."""

    def __init__(self, shift=0.1, n_split=1, bias=0.0):
        rng = np.random.default_rng(7)
        basis = np.linalg.qr(rng.normal(size=(N_PIXELS, 4)))[0].T
        self.basis, self.split_vectors = basis[:3], basis[3 : 3 + n_split]
        gap = np.zeros(N_PIXELS)
        gap[20:30] = shift
        gap -= (gap @ basis.T) @ basis
        self.means = (np.ones(N_PIXELS), 1.0 + gap)
        self.bias = bias
        self.history_ = {"cycle": [2.0, 1.0]}

    def encode(self, X, domain):
        difference = as_spectra(X).filled() - self.means[domain]
        split = difference @ self.split_vectors.T
        return Latents(difference @ self.basis.T, split if domain else split[:, :0])

    def decode(self, shared, split=None, domain=1):
        flux = self.means[domain] + shared @ self.basis + self.bias
        return flux if split is None or not domain else flux + split @ self.split_vectors

    def _exact(self, X, flux):
        return as_spectra(X).with_flux(flux, ivar=np.ones_like(flux), noise="exact")

    def transform(self, X):
        return self._exact(X, self.decode(self.encode(X, 0).shared))

    def inverse_transform(self, X):
        return self._exact(X, self.decode(self.encode(X, 1).shared, domain=0))


def make_world(n=60, seed=0, noise=0.01, masked=0.1):
    """Return pairs: exact synthetic spectra, noisy masked observed ones of the same labels."""
    rng = np.random.default_rng(seed)
    fake = FakeTranslator()
    shared, split = rng.normal(0, 0.3, size=(n, 3)), rng.normal(0, 0.15, size=(n, 1))
    synthetic = fake.decode(shared, domain=0)
    truth = fake.decode(shared, split)
    ivar = np.full(truth.shape, noise**-2)
    ivar[rng.random(truth.shape) < masked] = 0.0
    observed = truth + rng.normal(0, noise, size=truth.shape)
    observed[ivar == 0] = 9.0
    return (
        Spectra(synthetic, None, noise="exact"),
        Spectra(observed, None, ivar=ivar),
        Spectra(truth, None, noise="exact"),
    )


@pytest.fixture
def world():
    return make_world()


@pytest.fixture(scope="session")
def make():
    return make_world


@pytest.fixture
def translator():
    return FakeTranslator()


@pytest.fixture(scope="session")
def make_translator():
    return FakeTranslator

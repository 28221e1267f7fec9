"""Settings for every test: one thread, no screen, reproducible property tests.

And small domains, translators that are quick to fit, and one made by hand.
"""

import os
import sys

# Before torch is loaded, and for the processes that tests start: two threads of theirs on a core
# that tests share wait for each other, and an example took twice the processor time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from typing import NamedTuple

import matplotlib
import numpy as np
import pytest
import sklearn.utils  # noqa: F401 - loads all there is to be limited
import torch
from astropy.table import Table
from hypothesis import settings
from threadpoolctl import threadpool_limits

from spectragan import CycleGANTranslator, SpectrumEmulator
from spectragan.datasets import make_mock_domains
from spectragan.spectra import Spectra, as_spectra

# The tests run in parallel processes on few cores, and most networks here are small.
torch.set_num_threads(1)
threadpool_limits(1)
matplotlib.use("Agg")

# A shared machine may stall for a moment: no deadline. Derandomised: a failure can be repeated.
settings.register_profile("spectragan", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("spectragan")


@pytest.fixture(autouse=True)
def _close_figures():
    """Close the figures a test has left open; pyplot would keep them all and then warn."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


QUICK = {
    "max_epochs": 2,
    "warmup_epochs": 1,
    "steps_per_epoch": 4,
    "batch_size": 64,
    "hidden": (16,),
    "random_state": 0,
    "verbose": 0,
    "device": "cpu",
}


@pytest.fixture(scope="session")
def mock():
    """Return synthetic and observed spectra, 150 and 120 of 80 pixels."""
    return make_mock_domains(150, 120, n_pixels=80, random_state=0)


@pytest.fixture(scope="session")
def quick():
    """Return what makes translators that train for two short epochs."""
    return lambda **parameters: CycleGANTranslator(**(QUICK | parameters))


@pytest.fixture(scope="session")
def fitted(mock, quick):
    """Return a translator fitted to `mock`, which no test may change."""
    return quick().fit(mock.synthetic, mock.observed)


LABELS = ("teff", "logg", "feh")


@pytest.fixture(scope="session")
def named():
    """Return what gives names to the columns of labels."""
    return lambda labels: Table(labels, names=LABELS)


@pytest.fixture(scope="session")
def observe():
    """Return what adds noise to spectra, and masks a twentieth of the pixels."""

    def add_noise(flux, wavelength, seed=0, sigma=0.01, ivar=True):
        rng = np.random.default_rng(seed)
        good = rng.random(flux.shape) > 0.05
        noisy = flux + sigma * rng.standard_normal(flux.shape)
        weights = good / sigma**2 if ivar else good.astype(float)
        return Spectra(noisy, wavelength, ivar=weights, noise="known" if ivar else "unknown")

    return add_noise


@pytest.fixture(scope="session")
def emulator(mock, named):
    """Return an emulator of `mock`'s synthetic spectra, which no test may change."""
    labels = named(mock.labels_synthetic)
    return SpectrumEmulator(16, random_state=0, verbose=0).fit(labels, mock.synthetic)


@pytest.fixture(scope="session")
def truth(emulator):
    """Return labels of 300 stars."""
    low, high = emulator.label_range_
    return low + (high - low) * np.random.default_rng(5).uniform(0.2, 0.8, (300, 3))


@pytest.fixture(scope="session")
def stars(emulator, truth, named, observe):
    """Return noisy spectra of `truth`, exactly as the emulator makes them."""
    return observe(emulator.predict(named(truth)), emulator.wavelength_)


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

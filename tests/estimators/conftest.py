"""Two small domains, and translators that are quick to fit."""

import numpy as np
import pytest
from astropy.table import Table

from spectragan import CycleGANTranslator, Spectra, SpectrumEmulator
from spectragan.datasets import make_mock_domains

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

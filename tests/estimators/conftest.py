"""Two small domains, and translators that are quick to fit."""

import pytest

from spectragan import CycleGANTranslator
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

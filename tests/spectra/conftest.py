"""Small sets of spectra that the tests of this layer share."""

import astropy.units as u
import numpy as np
import pytest

from spectragan import Spectra


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def axis():
    return np.linspace(4000, 4090, 10) * u.AA


@pytest.fixture
def known(rng, axis):
    """Six spectra with real errors, a masked pixel each and two kinds of metadata."""
    ivar = rng.uniform(1, 100, (6, 10))
    ivar[np.arange(6), np.arange(6)] = 0
    meta = {"name": list("abcdef"), "teff": np.arange(6) * 100.0}
    return Spectra(rng.uniform(0.5, 1.5, (6, 10)), axis, ivar, medium="air", meta=meta)

"""Every detector may have a continuum of its own."""

from itertools import pairwise

import astropy.units as u
import numpy as np
import pytest

from spectragan import ParameterFitter, Spectra

EDGES = (0, 25, 55, 80)
DETECTORS = [slice(*ends) for ends in pairwise(EDGES)]


@pytest.fixture(scope="module")
def exposed(stars):
    """Return stars seen by three detectors, each with a level and a tilt of its own."""
    rng = np.random.default_rng(3)
    shape = np.ones(stars.shape)
    for pixels in DETECTORS:
        x = np.linspace(-1, 1, pixels.stop - pixels.start)
        level, tilt = rng.normal(0, 0.05, (2, len(stars), 1))
        shape[:, pixels] += level + tilt * x
    return Spectra(stars.flux * shape, stars.wavelength, ivar=stars.ivar / shape**2, noise="known")


def fitter_of(emulator, chunks, degree=1):
    return ParameterFitter(
        emulator, nuisances=("continuum",), continuum_degree=degree, chunks=chunks
    )


def test_errors_are_right_with_a_continuum_for_each_detector(emulator, truth, exposed):
    found, std = fitter_of(emulator, DETECTORS).predict(exposed, return_std=True)
    pull = (found - truth) / std
    covered = (np.abs(pull) < 1).mean(axis=0)
    assert (np.abs(covered - 0.683) < 0.08).all()
    with pytest.warns(UserWarning, match="chi square"):  # one polynomial for all can't do that
        one = fitter_of(emulator, None, degree=3).predict(exposed, return_std=True)
    assert np.median(np.abs(one[0] - truth) / one[1]) > 2


def test_chunks_are_those_of_the_normalizer(emulator, exposed):
    expected = fitter_of(emulator, DETECTORS).predict(exposed[:5])
    axis = emulator.wavelength_.to_value("AA")
    ends = [(axis[chunk.start], axis[chunk.stop - 1]) for chunk in DETECTORS]
    for chunks in (ends, [pair * u.AA for pair in np.array(ends)], DETECTORS[::-1]):
        np.testing.assert_allclose(fitter_of(emulator, chunks).predict(exposed[:5]), expected)


def test_pixels_outside_all_chunks_are_left_out(emulator, exposed):
    fitter, some = fitter_of(emulator, DETECTORS[:2]), exposed[:5]
    flux = np.array(some.flux)
    flux[:, 55:] = 7.0
    changed = Spectra(flux, some.wavelength, ivar=some.ivar, noise="known")
    np.testing.assert_array_equal(fitter.predict(changed), fitter.predict(some))
    models = fitter.best_model(some)
    assert (models.ivar[:, 55:] == 0).all()
    assert (models.ivar[:, :55] > 0).all()
    table = fitter.fit_table(some)
    assert (table["dof"] == (some.ivar[:, :55] > 0).sum(axis=1) - 3 - 4).all()


def test_a_dead_detector_says_nothing(emulator, exposed):
    ivar = np.array(exposed.ivar[:5])
    ivar[0, 55:] = 0
    some = exposed[:5].with_flux(exposed.flux[:5], ivar, "known")
    whole, two = fitter_of(emulator, DETECTORS), fitter_of(emulator, DETECTORS[:2])
    tables = [fitter.fit_table(some[:1]) for fitter in (whole, two)]
    for name in ("teff", "teff_err", "chi2", "dof"):
        np.testing.assert_allclose(tables[0][name].value, tables[1][name].value, rtol=1e-5)
    models = whole.best_model(some)
    assert (models.ivar[0, 55:] == 0).all()
    assert (models.ivar[1:] > 0).all()


@pytest.mark.parametrize(
    ("nuisances", "chunks", "words"),
    [
        ((), DETECTORS, 'must go with "continuum"'),
        (("continuum",), [(0, 30), (20, 80)], "a range of `chunks`"),
        (("continuum",), [slice(0, 30), slice(20, 80)], "must not overlap"),
        (("continuum",), [], "at least one range"),
    ],
)
def test_mistakes_are_told(nuisances, chunks, words, emulator, stars):
    with pytest.raises(ValueError, match=words):
        ParameterFitter(emulator, nuisances=nuisances, chunks=chunks).predict(stars[:3])

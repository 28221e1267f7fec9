"""What every transformer promises: masks don't leak, units and batches don't matter."""

import pickle
import warnings

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from spectragan import (
    AirVacuumConverter,
    Broadener,
    ContinuumNormalizer,
    NoiseInjector,
    OutlierInterpolator,
    Resampler,
    RestFrameShifter,
    SkyLineMasker,
    Spectra,
    SpectraganWarning,
    TelluricMasker,
    harmonize,
)

N, P = 4, 60
AXIS = np.linspace(6250, 6368, P) * u.AA  # holds a band and two lines of the sky
NEW = np.geomspace(6255, 6360, 37) * u.AA
LINES = 1 - 0.5 * np.exp(-0.5 * ((np.arange(P) - 30) / 4) ** 2)
TEMPLATE = Spectra(LINES[None], AXIS, medium="air")
LIKE = Spectra(np.ones((3, P)), AXIS, np.where(np.arange(P) == 9, 0, [[1e4], [2e4], [3e4]]))
TRANSFORMERS = {
    "air to vacuum": AirVacuumConverter("vacuum"),
    "broadener": Broadener(2000),
    "interpolator": OutlierInterpolator(2, 2),
    "linear resampler": Resampler(NEW, method="linear"),
    "lsf": Broadener(lsf=np.tile([1.0, 3.0, 1.0], (P, 1))),
    "noise like": NoiseInjector(like=LIKE, random_state=0),
    "noise": NoiseInjector(30, random_state=0),
    "normalizer": ContinuumNormalizer(2),
    "outlier masker": OutlierInterpolator(2, 2, action="mask", reference="spectrum"),
    "resampler": Resampler(NEW),
    "rotation": Broadener(v_sin_i=200.0),
    "shifter": RestFrameShifter(77.0),
    "sky lines": SkyLineMasker(),
    "tellurics": TelluricMasker(),
    "to template": RestFrameShifter(template=TEMPLATE, max_velocity=400),
}
FLUX = arrays(float, (N, P), elements=st.floats(0, 0.3)).map(lambda extra: LINES + extra)
MASK = arrays(bool, (N, P)).map(lambda m: m & (np.arange(P) % 3 > 0))
WORDS = st.sampled_from(["known", "exact", "unknown"])
GARBAGE = st.floats(-1e6, 1e6) | st.sampled_from([1e6, np.nan, np.inf])
relaxed = settings(max_examples=15, deadline=None)
every = pytest.mark.parametrize("name", sorted(TRANSFORMERS))


def make(flux, mask, word="known", axis=AXIS):
    good = 1e3 + flux if word == "known" else np.ones_like(flux)
    return Spectra(flux, axis, np.where(mask, 0, good), word, medium="air")


def quiet(function, *args):
    """Call without our own warnings: random spectra deserve many."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpectraganWarning)
        return function(*args)


def assert_same(a, b, rtol=0.0):
    assert_array_equal(a.mask, b.mask)
    assert_allclose(a.filled(), b.filled(), rtol=rtol)
    assert_allclose(a.ivar, b.ivar, rtol=rtol)
    for key, values in (a.meta or {}).items():
        assert_allclose(b.meta[key], values, rtol=rtol)


@every
@relaxed
@given(FLUX, MASK, WORDS, GARBAGE)
def test_a_masked_spike_changes_nothing_else(name, flux, mask, word, garbage):
    a, b = make(flux, mask, word), make(np.where(mask, garbage, flux), mask, word)
    x, y = (quiet(TRANSFORMERS[name].fit_transform, s) for s in (a, b))
    assert_same(x, y)


@relaxed
@given(FLUX, MASK, GARBAGE)
def test_a_masked_spike_changes_nothing_else_in_harmonize(flux, mask, garbage):
    models = make(np.ones((2, P)), False, "exact")
    x, y = (
        quiet(harmonize, models, make(np.where(mask, value, flux), mask)).observed
        for value in (0.0, garbage)
    )
    assert_same(x, y)


@every
@relaxed
@given(FLUX, MASK, st.sampled_from([u.nm, u.um, u.cm**-1, u.THz]))
def test_the_unit_of_the_axis_changes_nothing(name, flux, mask, unit):
    if name.startswith("noise"):
        return  # the seed of a spectrum is its flux to the last bit, and so it is here
    a = make(flux, mask)
    b = make(flux, mask, axis=AXIS.to(unit, u.spectral()))
    x, y = (quiet(TRANSFORMERS[name].fit_transform, s) for s in (a, b))
    assert_same(x, y, rtol=1e-5)


@every
@relaxed
@given(FLUX, MASK, st.permutations(range(N)), st.integers(1, N))
def test_the_batch_of_a_spectrum_changes_nothing(name, flux, mask, rows, n):
    spectra = make(flux + 1e-9 * np.arange(N)[:, None], mask)
    transformer = quiet(TRANSFORMERS[name].fit, spectra)
    whole = quiet(transformer.transform, spectra)
    # A matrix product of another shape may round its last digit otherwise.
    rtol = 1e-9 if name == "normalizer" else 0.0
    assert_same(quiet(transformer.transform, spectra[rows[:n]]), whole[rows[:n]], rtol)


@every
@relaxed
@given(FLUX, MASK, WORDS)
def test_ivar_is_finite_and_words_keep_their_weights(name, flux, mask, word):
    out = quiet(TRANSFORMERS[name].fit_transform, make(flux, mask, word))
    assert np.isfinite(out.flux).all()
    assert np.isfinite(out.ivar).all()
    assert (out.ivar >= 0).all()
    for row, kind in zip(out.ivar, out.noise, strict=True):
        assert kind == "known" or set(row) <= {0, 1}


@every
def test_transformers_are_cloned_pickled_and_shown(name):
    spectra = make(LINES + np.zeros((N, P)), False)
    transformer = clone(TRANSFORMERS[name])
    assert type(transformer).__name__ in repr(transformer)
    fitted = pickle.loads(pickle.dumps(transformer.fit(spectra)))
    assert_same(quiet(fitted.transform, spectra), quiet(transformer.transform, spectra))


def test_transformers_make_a_pipeline_for_spectra():
    steps = (
        TelluricMasker([(6250, 6262)]),
        OutlierInterpolator(),
        RestFrameShifter(template=TEMPLATE, max_velocity=400),
        Broadener(2000),
        AirVacuumConverter("vacuum"),
        Resampler(NEW),
        ContinuumNormalizer(1),
        NoiseInjector(50, random_state=0),
    )
    rng = np.random.default_rng(0)
    flux = 3 * LINES + 0.01 * rng.standard_normal((8, P))
    spectra = Spectra(flux, AXIS, np.full(flux.shape, 1e4), medium="air")
    out = quiet(make_pipeline(*steps).fit_transform, spectra)
    assert out.shape == (8, len(NEW))
    assert (out.medium, set(out.noise)) == ("vacuum", {"known"})
    assert np.abs(out.meta["rest_frame_velocity"]).max() < 20
    assert 0 < out.mask.mean() < 0.3


def test_transformers_that_lose_nothing_have_an_inverse_as_a_pipeline():
    fine = np.linspace(6250, 6368, (P - 1) * 3 + 1) * u.AA
    steps = (ContinuumNormalizer(1), Resampler(fine, method="linear"), AirVacuumConverter("vacuum"))
    # The coefficients in meta are those of the coarse grid, to which the inverse returns first.
    pipeline = make_pipeline(*steps)
    spectra = make(3 * LINES + np.zeros((N, P)), False)
    back = pipeline.inverse_transform(pipeline.fit_transform(spectra))
    assert back.medium == "air"
    assert_allclose(back.flux, spectra.flux, rtol=1e-5)

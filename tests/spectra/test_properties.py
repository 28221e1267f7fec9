"""Properties that hold for any spectra: what is masked, in which unit, in which order."""

import astropy.units as u
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal

from spectragan import ContinuumNormalizer, Spectra, stack_domains
from spectragan.spectra import split_domains

N, P = 5, 24
AXIS = np.linspace(5000, 5230, P) * u.AA
FLUX = arrays(float, (N, P), elements=st.floats(0.5, 2))
# At least eight good pixels per row, so that every continuum of degree 2 can be fitted.
MASK = arrays(bool, (N, P)).map(lambda m: m & (np.arange(P) % 3 > 0))
GARBAGE = st.floats(-1e6, 1e6) | st.sampled_from([np.nan, np.inf])
NORMALIZER = ContinuumNormalizer(degree=2, n_iter=2)
relaxed = settings(max_examples=30, deadline=None)


def make(flux, mask, axis=AXIS):
    return Spectra(flux, axis, np.where(mask, 0, 100 + flux))


@relaxed
@given(FLUX, MASK, GARBAGE)
def test_values_under_the_mask_change_nothing(flux, mask, garbage):
    a, b = make(flux, mask), make(np.where(mask, garbage, flux), mask)
    assert_array_equal(a.filled(), b.filled())
    assert_array_equal(np.asarray(a), np.asarray(b))
    x, y = NORMALIZER.fit_transform(a), NORMALIZER.fit_transform(b)
    assert_array_equal(x.filled(), y.filled())
    assert_array_equal(x.ivar, y.ivar)


@relaxed
@given(FLUX, MASK, st.sampled_from([u.nm, u.um, u.cm**-1, u.THz]))
def test_the_unit_of_the_axis_changes_nothing(flux, mask, unit):
    other = AXIS.to(unit, u.spectral())
    results = [NORMALIZER.fit_transform(make(flux, mask, axis)) for axis in (AXIS, other)]
    order = slice(None, None, -1 if other[0] > other[-1] and unit.is_equivalent(u.m) else 1)
    assert_allclose(results[0].filled(), results[1].filled()[:, order], rtol=1e-7)


@relaxed
@given(FLUX, MASK, st.permutations(range(N)))
def test_the_order_of_rows_changes_nothing(flux, mask, rows):
    s = make(flux, mask)
    there = NORMALIZER.fit_transform(s)[rows]
    first = NORMALIZER.fit_transform(s[rows])
    assert_allclose(there.filled(), first.filled(), rtol=1e-9)
    assert_allclose(there.ivar, first.ivar, rtol=1e-9)


@relaxed
@given(FLUX, MASK)
def test_normalising_and_back_restores_flux_and_ivar(flux, mask):
    s = make(flux, mask)
    there = NORMALIZER.fit_transform(s)
    back = NORMALIZER.inverse_transform(there)
    good = there.ivar > 0
    assert_allclose(back.flux[good], s.flux[good], rtol=1e-9)
    assert_allclose(back.ivar[good], s.ivar[good], rtol=1e-9)
    significance = [part.flux[good] * np.sqrt(part.ivar[good]) for part in (s, there)]
    assert_allclose(*significance, rtol=1e-9)


@relaxed
@given(FLUX, MASK, st.integers(1, N - 1))
def test_stacking_and_splitting_is_lossless(flux, mask, cut):
    s = make(flux, mask)
    a, b = s[:cut], s[cut:]
    for part, whole in zip(split_domains(*stack_domains(a, b)), (a, b), strict=True):
        assert_array_equal(part.flux, whole.flux)
        assert_array_equal(part.ivar, whole.ivar)

"""Arrays, tables and lists of `Spectra` come in, and results go back as what came in."""

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from spectragan import Spectra, as_spectra
from spectragan.exceptions import GridMismatchError
from spectragan.spectra import like_input


def test_spectra_are_passed_through(known):
    assert as_spectra(known) is known
    assert like_input(known, known) is known


def test_arrays_take_wavelength_ivar_and_noise(axis):
    s = as_spectra(np.ones((2, 10)), axis, np.ones((2, 10)), "exact")
    assert s.noise.tolist() == ["exact", "exact"]
    assert_array_equal(s.wavelength, axis)


@pytest.mark.parametrize("make", [np.asarray, np.ndarray.tolist, pd.DataFrame])
def test_array_likes_come_back_as_arrays_with_nan_where_masked(make):
    x = make(np.ones((2, 3)))
    s = as_spectra(x)
    masked = s.with_flux(s.flux, [[1, 0, 1], [1, 1, 1]])
    back = like_input(masked, x)
    assert type(back) is np.ndarray
    assert_array_equal(np.isnan(back), masked.mask)


def test_columns_named_like_attributes_do_no_harm():
    assert as_spectra(pd.DataFrame({"unit": [1.0], "mask": [2.0]})).flux.tolist() == [[1, 2]]


def test_quantities_come_back_with_the_unit_of_the_result():
    x = np.ones((2, 3)) * u.Jy
    assert like_input(as_spectra(x), x).unit == u.Jy


def test_lists_of_spectra_are_joined(known, axis):
    assert len(as_spectra([known, known[:2]])) == 8
    with pytest.raises(GridMismatchError, match="`parts"):
        as_spectra([known, Spectra(np.ones((1, 10)), axis + 1 * u.AA)])

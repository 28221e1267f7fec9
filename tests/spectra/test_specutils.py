"""specutils objects of every kind come in whole, and go back as what they were."""

import subprocess
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import (
    InverseVariance,
    StdDevUncertainty,
    UnknownUncertainty,
    VarianceUncertainty,
)
from numpy.testing import assert_allclose, assert_array_equal
from specutils import Spectrum, SpectrumCollection, SpectrumList

from spectragan import NaNFluxWarning, Spectra, as_spectra
from spectragan.exceptions import GridMismatchError
from spectragan.spectra import like_input

STD = np.linspace(0.1, 0.5, 10)
UNCERTAINTIES = {
    "std": StdDevUncertainty(STD * u.Jy),
    "std_other_unit": StdDevUncertainty(STD * 1e3 * u.mJy),
    "std_no_unit": StdDevUncertainty(STD),
    "var": VarianceUncertainty(STD**2 * u.Jy**2),
    "ivar": InverseVariance(STD**-2 / u.Jy**2),
}


def spectrum(axis, value=1.0, **kwargs):
    flux = value + np.arange(10.0)
    return Spectrum(flux=flux * u.Jy, spectral_axis=axis, **kwargs)


@pytest.mark.parametrize("kind", UNCERTAINTIES)
def test_every_uncertainty_class_becomes_ivar_in_flux_units(axis, kind):
    s = as_spectra(spectrum(axis, uncertainty=UNCERTAINTIES[kind]))
    assert s.noise.tolist() == ["known"]
    assert s.unit == u.Jy
    assert_allclose(s.ivar[0], STD**-2)


@pytest.mark.parametrize("kind", ["std", "var", "ivar"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_round_trip_of_a_list_keeps_all(axis, kind, dtype):
    cls = type(UNCERTAINTIES[kind])
    mask = np.arange(10) == 3
    given = SpectrumList(
        Spectrum(
            flux=np.arange(10, dtype=dtype) * u.Jy,
            spectral_axis=axis,
            uncertainty=cls(UNCERTAINTIES[kind].array.astype(dtype)),
            mask=mask,
            meta={"name": name},
        )
        for name in "ab"
    )
    back = like_input(as_spectra(given), given)
    assert type(back) is SpectrumList
    for new, old in zip(back, given, strict=True):
        assert new.flux.dtype == dtype
        assert_array_equal(new.flux, old.flux)
        assert new.flux.unit == old.flux.unit
        assert_array_equal(new.spectral_axis, old.spectral_axis)
        assert type(new.uncertainty) is cls
        assert new.uncertainty.unit == old.uncertainty.unit
        assert_allclose(new.uncertainty.array[~mask], old.uncertainty.array[~mask], rtol=1e-6)
        assert_array_equal(new.mask, mask)
        assert new.meta == old.meta


def test_a_mask_without_errors_is_kept_both_ways(axis):
    mask = np.arange(10) < 2
    given = spectrum(axis, mask=mask)
    s = as_spectra(given)
    assert s.noise.tolist() == ["unknown"]
    assert_array_equal(s.ivar[0], ~mask)
    back = like_input(s, given)
    assert_array_equal(back.mask, mask)
    assert back.uncertainty is None


def test_integer_masks_mean_bad_where_not_zero(axis):
    assert as_spectra(spectrum(axis, mask=np.arange(10) % 3)).mask.sum() == 6


def test_nan_flux_is_silent_under_the_mask_and_warned_about_outside(axis):
    flux = np.ones(10) * u.Jy
    flux[4] = np.nan
    automatic = Spectrum(flux=flux, spectral_axis=axis)  # specutils masks NaN itself
    assert as_spectra(automatic).mask.sum() == 1
    with pytest.warns(NaNFluxWarning):
        as_spectra(Spectrum(flux=flux, spectral_axis=axis, mask=np.zeros(10, bool)))


def test_bad_errors_under_the_mask_or_nan_flux_are_ignored(axis):
    std = np.full(10, 0.1)
    std[[1, 2]] = 0, np.nan
    mask = np.isin(np.arange(10), [1, 2])
    s = as_spectra(spectrum(axis, uncertainty=StdDevUncertainty(std), mask=mask))
    assert_array_equal(s.ivar[0] == 0, mask)


def test_infinite_errors_are_ignored_pixels(axis):
    std = np.where(np.arange(10) == 5, np.inf, 0.1)
    s = as_spectra(spectrum(axis, uncertainty=StdDevUncertainty(std)))
    assert s.mask[0].nonzero()[0].tolist() == [5]


@pytest.mark.parametrize("bad", [0.0, -0.5, np.nan])
@pytest.mark.parametrize("cls", [StdDevUncertainty, VarianceUncertainty])
def test_bad_errors_of_good_pixels_are_one_sentence(axis, bad, cls):
    errors = np.where(np.arange(10) == 5, bad, 0.1)
    x = [spectrum(axis), spectrum(axis, uncertainty=cls(errors))]
    with pytest.raises(ValueError, match=rf"got {bad} \({cls.__name__}\) at row 1, pixel 5; mask"):
        as_spectra(x)


def test_unknown_uncertainty_class_is_one_sentence(axis):
    with pytest.raises(ValueError, match="got UnknownUncertainty; say which"):
        as_spectra(spectrum(axis, uncertainty=UnknownUncertainty(STD)))


@pytest.mark.parametrize("unit", [u.AA, u.nm, u.um, u.cm**-1, u.THz, u.eV])
@pytest.mark.parametrize("descending", [False, True])
def test_axis_comes_back_in_its_unit_and_order(axis, unit, descending):
    given = axis.to(unit, u.spectral())
    given = given[::-1] if descending else given
    x = spectrum(given, uncertainty=StdDevUncertainty(STD), mask=np.arange(10) == 2)
    s = as_spectra(x)
    assert (np.diff(s.wavelength.value) > 0).all()
    for back in (like_input(s, x), s.to_specutils()[0]):
        assert back.spectral_axis.unit == unit
        assert_array_equal(back.spectral_axis.value, given.value)
        assert_array_equal(back.flux, x.flux)
        assert_array_equal(back.mask, x.mask)


@pytest.mark.parametrize("index", [0, 1])
def test_stacked_spectrum_round_trip(rng, axis, index):
    flux = rng.uniform(size=(3, 10))
    mask = flux > 0.9
    arrays = [flux, flux + 1, mask] if index else [flux.T, flux.T + 1, mask.T]
    x = Spectrum(
        flux=arrays[0] * u.Jy,
        spectral_axis=axis,
        spectral_axis_index=index,
        uncertainty=StdDevUncertainty(arrays[1]),
        mask=arrays[2],
        meta={"survey": "X", "name": ["a", "b", "c"]},
    )
    s = as_spectra(x)
    assert_array_equal(s.flux, flux)
    assert_array_equal(s.mask, mask)
    assert s.meta == {"survey": ["X"] * 3, "name": ["a", "b", "c"]}
    back = like_input(s, x)
    assert back.spectral_axis_index == index
    assert_array_equal(back.flux.value, arrays[0])
    assert back.meta == x.meta
    assert_allclose(back.uncertainty.array[~arrays[2]], arrays[1][~arrays[2]])


def test_square_stack_knows_its_spectral_axis(axis):
    flux = np.arange(100.0).reshape(10, 10)
    x = Spectrum(flux=flux * u.Jy, spectral_axis=axis, spectral_axis_index=1)
    assert_array_equal(like_input(as_spectra(x), x).flux.value, flux)


def test_collection_round_trip(rng, axis):
    flux, mask = rng.uniform(size=(3, 10)), np.eye(3, 10, dtype=bool)
    x = SpectrumCollection(
        flux=flux * u.Jy,
        spectral_axis=np.broadcast_to(axis, (3, 10), subok=True),
        uncertainty=VarianceUncertainty(flux + 1),
        mask=mask,
        meta=[{"name": name} for name in "abc"],
    )
    s = as_spectra(x)
    assert s.meta == {"name": ["a", "b", "c"]}
    back = like_input(s, x)
    assert isinstance(back, SpectrumCollection)
    assert_array_equal(back.flux.value, flux)
    assert_array_equal(back.mask, mask)
    assert_allclose(back.uncertainty.array[~mask], (flux + 1)[~mask])
    assert back.meta == x.meta


def test_collection_on_several_grids_is_one_sentence(axis):
    axes = u.Quantity([axis, axis + 1 * u.AA])
    with pytest.raises(GridMismatchError, match="another one at position 1"):
        as_spectra(SpectrumCollection(flux=np.ones((2, 10)) * u.Jy, spectral_axis=axes))


def test_list_on_several_grids_is_one_sentence(axis):
    with pytest.raises(GridMismatchError, match="another one at position 1"):
        as_spectra([spectrum(axis), spectrum(axis + 1 * u.AA)])


def test_list_in_several_units_goes_to_the_first(axis):
    other = Spectrum(flux=np.ones(10) * u.mJy, spectral_axis=axis.to(u.nm))
    s = as_spectra([spectrum(axis), other])
    assert_allclose(s.flux[1], 1e-3)
    wrong = Spectrum(flux=np.ones(10) * u.K, spectral_axis=axis)
    with pytest.raises(ValueError, match="must have a unit that converts to 'Jy'; got 'K'"):
        as_spectra([spectrum(axis), wrong])


def test_cubes_and_mixed_lists_are_one_sentence(axis):
    cube = Spectrum(flux=np.ones((2, 3, 10)) * u.Jy, spectral_axis=axis)
    with pytest.raises(ValueError, match="1-D or 2-D flux"):
        as_spectra(cube)
    with pytest.raises(ValueError, match="got 3-D flux at position 1"):
        as_spectra([spectrum(axis), cube])
    with pytest.raises(ValueError, match="got int at position 1"):
        as_spectra([spectrum(axis), 3])


def test_a_list_may_mix_spectra_with_and_without_errors(axis):
    given = [spectrum(axis, uncertainty=StdDevUncertainty(STD)), spectrum(axis)]
    s = as_spectra(given)
    assert s.noise.tolist() == ["known", "unknown"]
    back = like_input(s, given)
    assert type(back) is list
    assert back[1].uncertainty is None
    with pytest.raises(ValueError, match="use kind='list'"):
        s.to_specutils("stacked")


def test_meta_that_only_some_spectra_have_stays_theirs(axis):
    given = [spectrum(axis, meta={"a": 1}), spectrum(axis, meta={"b": 2})]
    s = as_spectra(given)
    assert s.meta == {"a": [1, None], "b": [None, 2]}
    assert [x.meta for x in like_input(s, given)] == [{"a": 1}, {"b": 2}]


def test_noise_words_and_medium_survive_specutils(axis):
    models = Spectra(np.ones((2, 10)), axis, noise="exact", medium="vacuum")
    for kind in ("list", "stacked", "collection"):
        again = as_spectra(models.to_specutils(kind))
        assert again.noise.tolist() == ["exact", "exact"]
        assert again.medium == "vacuum"
        assert again.meta is None


def test_spectra_without_wavelengths_are_pixels_in_specutils():
    s = Spectra(np.arange(6.0).reshape(2, 3), None)
    made = s.to_specutils()
    assert made[0].spectral_axis.unit == u.pix
    assert as_spectra(made).wavelength is None
    assert_array_equal(as_spectra(s.to_specutils("stacked")).flux, s.flux)
    with pytest.raises(ValueError, match="use kind='list'"):
        s.to_specutils("collection")


def test_objects_made_share_one_axis_and_own_their_flux(known):
    made = known.to_specutils()
    assert made[0].spectral_axis is made[1].spectral_axis
    made[0].flux[:] = -1 * made[0].flux.unit
    assert (known.flux > 0).all()


def test_like_input_uses_the_axis_object_that_came_in(axis):
    x = spectrum(axis)
    assert like_input(as_spectra(x), x).spectral_axis is x.spectral_axis


def test_like_input_of_more_rows_than_came_in_is_a_list(axis):
    x = spectrum(axis)
    assert len(like_input(as_spectra([x, x]), x)) == 2


@pytest.mark.parametrize("name", ["kind", "uncertainty"])
def test_unknown_words_of_to_specutils_are_one_sentence(known, name):
    with pytest.raises(ValueError, match=f"`{name}` must be one of"):
        known.to_specutils(**{name: "cube"})


def test_caller_objects_are_untouched_and_read_only_arrays_accepted(axis):
    flux = np.ones(10)
    flux.flags.writeable = False
    x = Spectrum(flux=u.Quantity(flux, u.Jy, copy=False), spectral_axis=axis[::-1])
    as_spectra([x, x])
    as_spectra(x)
    assert_array_equal(x.flux.value, 1)
    assert x.spectral_axis[0] > x.spectral_axis[-1]


def test_importing_the_layer_loads_neither_specutils_nor_torch():
    code = "import sys, spectragan.spectra; print({'specutils', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

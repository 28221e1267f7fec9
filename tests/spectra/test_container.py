"""`Spectra` keeps what it was given, follows row indexing and can't be changed by accident."""

import pickle

import astropy.units as u
import numpy as np
import pytest
from astropy.utils.masked import Masked
from numpy.testing import assert_allclose, assert_array_equal

from spectragan import NaNFluxWarning, Spectra, as_spectra


@pytest.mark.parametrize(
    ("given", "kept"),
    [("f4", "f4"), ("f8", "f8"), (">f4", "f4"), (">f8", "f8"), ("f2", "f4"), ("i4", "f8")],
)
def test_dtype_is_native_float_and_shared_by_ivar(given, kept):
    s = Spectra(np.ones((2, 3), dtype=given), None, ivar=np.ones((2, 3)))
    assert s.dtype == s.ivar.dtype == np.dtype(kept)
    assert s.dtype.isnative


def test_noise_defaults_to_known_with_ivar_and_unknown_without():
    assert Spectra(np.ones((2, 3)), None).noise.tolist() == ["unknown"] * 2
    assert Spectra(np.ones((2, 3)), None, np.full((2, 3), 4.0)).noise.tolist() == ["known"] * 2


def test_noise_words_per_row_are_kept():
    s = Spectra(np.ones((2, 3)), None, np.ones((2, 3)), ["exact", "known"])
    assert s.noise.tolist() == ["exact", "known"]


def test_without_ivar_every_pixel_is_good():
    s = Spectra(np.ones((2, 3)), None)
    assert_array_equal(s.ivar, 1)
    assert not s.mask.any()


def test_arrays_of_the_caller_stay_writable_and_unchanged(axis):
    flux, ivar = np.ones((2, 10)), np.ones((2, 10))
    flux[0, 0] = np.nan
    before = flux.copy(), ivar.copy(), axis.copy()
    with pytest.warns(NaNFluxWarning):
        s = Spectra(flux, axis[::-1], ivar)
    s.filled()[:] = 7
    assert flux.flags.writeable
    assert ivar.flags.writeable
    assert axis.flags.writeable
    for now, then in zip((flux, ivar, axis), before, strict=True):
        assert_array_equal(now, then)


def test_attributes_are_read_only(known):
    for array in (known.flux, known.ivar, known.noise, known.wavelength, known.spectral_axis):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]
    with pytest.raises(AttributeError):
        known.flux = None
    with pytest.raises(AttributeError):
        known.new_name = None


def test_read_only_and_memory_mapped_arrays_are_accepted(tmp_path, axis):
    np.save(tmp_path / "flux.npy", np.ones((3, 10), dtype="f4"))
    mapped = np.load(tmp_path / "flux.npy", mmap_mode="r")
    frozen = np.ones((3, 10), dtype="f4")
    frozen.flags.writeable = False
    s = Spectra(mapped, axis, frozen)
    assert_array_equal(s.flux, 1)
    assert np.shares_memory(s.flux, mapped)


def test_nan_flux_becomes_an_ignored_pixel_with_a_warning():
    flux = np.ones((2, 3))
    flux[1, 2] = np.inf
    with pytest.warns(NaNFluxWarning, match="1 pixels"):
        s = Spectra(flux, None)
    assert s.flux[1, 2] == 0
    assert s.ivar.tolist() == [[1, 1, 1], [1, 1, 0]]


def test_nan_flux_under_a_mask_is_silent():
    s = Spectra([[1.0, np.nan]], None, ivar=[[4.0, 0.0]])
    assert s.flux.tolist() == [[1, 0]]


def test_nan_ivar_under_nan_flux_is_an_ignored_pixel():
    with pytest.warns(NaNFluxWarning):
        s = Spectra([[1.0, np.nan]], None, ivar=[[4.0, np.nan]])
    assert s.ivar.tolist() == [[4, 0]]


def test_finite_values_under_a_mask_are_kept_as_given():
    assert Spectra([[1.0, 9.0]], None, ivar=[[4.0, 0.0]]).flux.tolist() == [[1, 9]]


@pytest.mark.parametrize("masked", [np.ma.array, Masked])
def test_masked_arrays_keep_their_mask_without_errors(masked):
    s = Spectra(masked(np.array([[1.0, 2.0]]), mask=[[False, True]]), None)
    assert s.ivar.tolist() == [[1, 0]]
    assert s.noise.tolist() == ["unknown"]


def test_descending_axis_flips_everything_and_remembers_the_order(axis):
    flux, ivar = np.arange(20.0).reshape(2, 10), np.arange(20.0).reshape(2, 10)
    s = Spectra(flux, axis[::-1], ivar)
    assert_array_equal(s.wavelength, axis)
    assert_array_equal(s.flux, flux[:, ::-1])
    assert_array_equal(s.ivar, ivar[:, ::-1])
    assert_array_equal(s.spectral_axis, axis[::-1])
    assert s.flux.strides[1] > 0


@pytest.mark.parametrize("unit", [u.nm, u.um, u.cm**-1, u.Hz, u.eV])
def test_any_spectral_unit_is_angstrom_inside(axis, unit):
    s = Spectra(np.ones((1, 10)), axis.to(unit, u.spectral()))
    assert_allclose(s.wavelength.to_value(u.AA), axis.value, rtol=1e-12)
    assert s.spectral_axis.unit == unit


def test_flux_unit_is_remembered_and_ivar_converted():
    flux, ivar = np.ones((1, 2)) * u.mJy, np.ones((1, 2)) / u.Jy**2
    s = Spectra(flux, None, ivar)
    assert s.unit == u.mJy
    assert_allclose(s.ivar, 1e-6)


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        (2, [2]),
        (-1, [5]),
        (np.int64(1), [1]),
        (slice(1, 4), [1, 2, 3]),
        (slice(None, None, -1), [5, 4, 3, 2, 1, 0]),
        ([4, 0, 0], [4, 0, 0]),
        (np.array([True, False, True, False, False, False]), [0, 2]),
        ((slice(0, 2), ...), [0, 1]),
        (([3, 1], ...), [3, 1]),
        (([3, 1], slice(None)), [3, 1]),
        (..., [0, 1, 2, 3, 4, 5]),
        ([], []),
    ],
)
def test_indexing_selects_rows_of_everything(known, key, rows):
    part = known[key]
    assert isinstance(part, Spectra)
    assert_array_equal(part.flux, known.flux[rows])
    assert_array_equal(part.ivar, known.ivar[rows])
    assert_array_equal(part.noise, known.noise[rows])
    assert part.meta["name"] == [known.meta["name"][i] for i in rows]
    assert_array_equal(part.meta["teff"], known.meta["teff"][rows])
    assert part.wavelength is known.wavelength
    assert part.medium == "air"


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ((slice(None), slice(0, 3)), "selects spectra only"),
        ((0, 0, 0), "selects spectra only"),
        ("name", "by int, slice, mask"),
        (1.5, "by int, slice, mask"),
        (6, "a row of 6 spectra must be one of -6 to 5; got 6; "),
        ([-7], "got -7; rows count from 0"),
        ([True, False], "mask of spectra must have the shape"),
    ],
)
def test_indexing_anything_but_rows_is_one_sentence(known, key, message):
    with pytest.raises(IndexError, match=message):
        known[key]


def test_iteration_yields_one_row_at_a_time(known):
    assert [s.meta["name"] for s in known] == [[c] for c in "abcdef"]


def test_array_is_flux_with_nan_where_masked(known):
    array = np.asarray(known)
    assert_array_equal(np.isnan(array), known.ivar == 0)
    array[:] = 3
    assert not (known.flux == 3).any()
    assert np.asarray(known, dtype="f4").dtype == np.float32
    with pytest.raises(ValueError, match="must be a copy"):
        np.array(known, copy=False)


def test_filled_replaces_masked_pixels_and_keeps_dtype(known):
    filled = known.with_flux(known.flux.astype("f4")).filled(-1.0)
    assert filled.dtype == np.float32
    assert_array_equal(filled == -1, known.mask)


def test_std_is_infinite_where_masked(known):
    assert_array_equal(np.isinf(known.std), known.mask)
    good = ~known.mask
    assert_allclose(known.std[good] ** -2, known.ivar[good])


def test_with_flux_keeps_ivar_or_takes_new_words(known):
    twice = known.with_flux(known.flux * 2)
    assert_array_equal(twice.ivar, known.ivar)
    assert twice.meta["name"] == known.meta["name"]
    assert twice.medium == "air"
    model = known.with_flux(known.flux, noise="exact")
    assert_array_equal(model.ivar, 1)
    assert set(model.noise) == {"exact"}
    scaled = known.with_flux(known.flux, known.ivar / 4)
    assert set(scaled.noise) == {"known"}
    assert_allclose(scaled.ivar, known.ivar / 4)


def test_with_flux_keeps_the_axis_as_it_was_given(axis):
    s = Spectra(np.arange(10.0)[None], axis.to(u.nm)[::-1])
    again = s.with_flux(s.flux, meta={"id": [3]}, unit=u.Jy)
    assert_array_equal(again.spectral_axis, s.spectral_axis)
    assert again.spectral_axis.unit == u.nm
    assert_array_equal(again.flux, s.flux)
    assert (again.meta, again.unit) == ({"id": [3]}, u.Jy)


def test_with_flux_of_another_shape_is_one_sentence(known):
    with pytest.raises(ValueError, match=r"must have the shape \(6, 10\)"):
        known.with_flux(known.flux[:3])


@pytest.mark.parametrize("unit", [u.AA, u.cm**-1])
def test_select_pixels_cuts_all_and_the_axis_as_given(axis, unit):
    flux = np.arange(10.0)[None]
    given = axis.to(unit, u.spectral())
    s = Spectra(flux, given).select_pixels(axis > 4055 * u.AA)
    assert s.flux.tolist() == [[6, 7, 8, 9]]
    assert_allclose(s.wavelength.value, axis.value[6:])
    assert_array_equal(s.spectral_axis, given[6:])
    with pytest.raises(ValueError, match="at least one pixel"):
        s.select_pixels(slice(0, 0))


def test_pickle_restores_everything_read_only(known):
    again = pickle.loads(pickle.dumps(known))
    assert_array_equal(again.flux, known.flux)
    assert_array_equal(again.ivar, known.ivar)
    assert again.meta["name"] == known.meta["name"]
    assert again.medium == "air"
    assert not again.flux.flags.writeable
    assert not again.wavelength.flags.writeable
    assert not again.spectral_axis.flags.writeable


def test_meta_of_the_caller_is_not_shared(known):
    known.meta["name"] = None
    assert known.meta["name"] == list("abcdef")


def test_repr_says_what_matters(known):
    expected = "Spectra(6 spectra, 10 pixels, 4000-4090 Angstrom in air, noise known, float64)"
    assert repr(known) == expected
    assert "no wavelengths" in repr(Spectra([[1.0]], None))


@pytest.mark.parametrize(
    "rearrange",
    [
        lambda s: np.concatenate([s, s]),
        lambda s: np.vstack((s, s)),
        lambda s: np.hstack([s.flux, s]),
        lambda s: np.append(s, s, axis=0),
        lambda s: np.take(s, [0], axis=0),
        lambda s: np.repeat(s, 2, axis=0),
        lambda s: np.delete(s, 0, axis=0),
    ],
)
def test_numpy_does_not_drop_errors_in_silence(rearrange):
    spectra = Spectra(np.ones((2, 3)), None, ivar=np.full((2, 3), 4.0))
    with pytest.raises(TypeError, match=r"whose errors, masks and wavelengths .*as_spectra\(\[a"):
        rearrange(spectra)
    joined = as_spectra([spectra, spectra])
    assert (joined.shape, set(joined.noise)) == ((4, 3), {"known"})


def test_numpy_reads_spectra_as_before():
    spectra = Spectra([[1.0, 2.0, 3.0]], None, ivar=[[1.0, 0.0, 1.0]])
    assert np.shape(spectra) == (1, 3)
    assert np.nanmean(spectra) == 2.0
    assert np.isnan(np.mean(spectra))
    np.testing.assert_array_equal(np.asarray(spectra), [[1.0, np.nan, 3.0]])


@pytest.mark.parametrize("sigma", [1e-20, 1e21])
def test_single_precision_that_cannot_hold_ivar_becomes_double(sigma):
    flux = np.full((2, 3), 10 * sigma, dtype=np.float32)
    spectra = Spectra(flux, None, np.full((2, 3), float(sigma) ** -2))
    assert spectra.dtype == spectra.ivar.dtype == np.float64
    np.testing.assert_allclose(spectra.ivar * sigma**2, 1)
    usual = Spectra(flux / np.float32(sigma), None, np.ones((2, 3)))
    assert usual.dtype == np.float32


def test_an_infinite_ivar_says_where_it_comes_from():
    with pytest.raises(ValueError, match=r"got inf at row 0, pixel 1; set .* work .* in float64"):
        Spectra(np.ones((1, 2)), None, np.array([[1.0, np.inf]]))

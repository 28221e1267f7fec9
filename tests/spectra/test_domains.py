"""Stacking two domains loses nothing, and domains are read by meaning, not by sort order."""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spectragan import DomainScaleWarning, Spectra, SwappedDomainsWarning, stack_domains
from spectragan.exceptions import GridMismatchError
from spectragan.spectra import (
    check_domain,
    check_domain_scales,
    check_same_grid,
    concatenate,
    same_grid,
    split_domains,
)
from spectragan.spectra.domains import check_domain_order


@pytest.fixture
def models(rng, axis):
    ivar = np.ones((4, 10))
    ivar[0, 3] = 0
    flux = rng.uniform(0.5, 1.5, (4, 10))
    return Spectra(flux, axis, ivar, "exact", meta={"name": list("wxyz"), "seed": [1, 2, 3, 4]})


def test_stack_then_split_loses_nothing(models, known):
    X, y = stack_domains(models, known)
    assert y.tolist() == [0] * 4 + [1] * 6
    assert X.medium == "air"
    for part, whole in zip(split_domains(X, y), (models, known), strict=True):
        assert_array_equal(part.flux, whole.flux)
        assert_array_equal(part.ivar, whole.ivar)
        assert_array_equal(part.noise, whole.noise)
        assert set(part.meta) == set(whole.meta)
        assert all(list(part.meta[key]) == list(whole.meta[key]) for key in whole.meta)


def test_stack_keeps_a_mask_without_errors(axis):
    stars = Spectra(np.ma.array(np.ones((1, 10)), mask=np.arange(10) == 2), axis)
    X, _ = stack_domains(Spectra(np.ones((1, 10)), axis, noise="exact"), stars)
    assert X.noise.tolist() == ["exact", "unknown"]
    assert X.mask.sum(axis=1).tolist() == [0, 1]


def test_stack_converts_units_of_flux_and_known_ivar_only(axis):
    a = Spectra(np.ones((1, 10)) * u.Jy, axis, noise="exact")
    b = Spectra(np.ones((2, 10)) * u.mJy, axis, np.ones((2, 10)), noise=["known", "unknown"])
    X, _ = stack_domains(a, b)
    assert X.unit == u.Jy
    assert_allclose(X.flux[:, 0], [1, 1e-3, 1e-3])
    assert_allclose(X.ivar[:, 0], [1, 1e6, 1])


@pytest.mark.parametrize("factor", [1e-20, 1e20])
def test_concatenate_of_units_far_apart_keeps_the_errors_of_float32(axis, factor):
    """1e40 and 1e-40 times an ivar are infinite, or a mask, in float32."""
    unit = u.erg / (u.s * u.cm**2 * u.AA)
    ivar = np.full((1, 10), 100.0, "f4")
    ivar[0, 3] = 0
    flux = np.ones((1, 10), "f4")
    first = Spectra(flux * unit, axis, ivar)
    joined = concatenate([first, Spectra(flux * u.Unit(factor * unit), axis, ivar)])
    assert joined.unit == unit
    assert np.isfinite(joined.ivar).all()
    assert_allclose(joined.flux[1], factor, rtol=1e-6)
    assert_allclose(joined.ivar[1], ivar[0].astype(float) * factor**-2, rtol=1e-6)
    assert_array_equal(joined.flux[0], flux[0])


def test_concatenate_keeps_float32_whatever_is_under_the_mask(axis):
    flux, ivar = np.ones((1, 10), "f4"), np.ones((1, 10), "f4")
    flux[0, 3], ivar[0, 3] = 3e38, 0
    stars = Spectra(flux * u.Jy, axis, ivar)
    joined = concatenate([Spectra(np.ones((1, 10), "f4") * u.mJy, axis, ivar), stars])
    assert joined.dtype == np.float32
    assert np.isfinite(joined.flux).all()
    assert_allclose(joined.ivar[1, 0], 1e-6)


def test_stack_of_float32_and_float64_is_float64(axis):
    a, b = (Spectra(np.ones((1, 10), dtype), axis) for dtype in ("f4", "f8"))
    assert stack_domains(a, b)[0].dtype == np.float64
    assert stack_domains(a, a)[0].dtype == np.float32


def test_stack_accepts_the_same_grid_in_other_units_and_order(axis):
    flux = np.arange(10.0)[None]
    a, b = Spectra(flux, axis), Spectra(flux[:, ::-1], axis.to(u.nm)[::-1])
    X, _ = stack_domains(a, b)
    assert_array_equal(X.flux[0], X.flux[1])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (lambda a: Spectra(np.ones((1, 9)), a[:9]), "got 10 and 9 pixels"),
        (lambda a: Spectra(np.ones((1, 10)), a + 1 * u.AA), "4000 and 4001 Angstrom at pixel"),
        (lambda a: Spectra(np.ones((1, 10)), None), "without wavelengths"),
        (lambda a: Spectra(np.ones((1, 10)), a, medium="vacuum"), "in air and in vacuum"),
    ],
)
def test_stack_of_different_grids_is_one_sentence(known, axis, other, message):
    with pytest.raises(GridMismatchError, match=message):
        stack_domains(known, other(axis))
    assert not same_grid(known, other(axis))


def test_stack_of_units_that_do_not_convert_is_one_sentence(known, axis):
    with pytest.raises(ValueError, match="flux units of all spectra must convert; got '' and 'Jy'"):
        stack_domains(known, Spectra(np.ones((1, 10)) * u.Jy, axis))


def test_same_grid_forgives_rounding_but_not_a_shift(known, axis):
    rounded = Spectra(np.ones((1, 10)), axis.astype("f4"))
    assert same_grid(known, rounded)
    check_same_grid(known, rounded)
    assert not same_grid(known, Spectra(np.ones((1, 10)), axis + 0.1 * u.AA))


def test_concatenate_nothing_is_one_sentence():
    with pytest.raises(ValueError, match="at least one set"):
        concatenate([])


@pytest.mark.parametrize(
    "domain",
    [
        [0, 1, 1],
        np.array([0.0, 1.0, 1.0]),
        [False, True, True],
        ["synthetic", "observed", "observed"],
        np.array(["synthetic", "observed", "observed"], dtype=object),
    ],
)
def test_domain_words_and_numbers_mean_the_same(domain):
    assert check_domain(domain, n_rows=3, need_both=True).tolist() == [0, 1, 1]


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        ([0, 1, 2], "got 2"),
        ([0.5, 1, 0], "got 0.5"),
        ([np.nan, 1, 0], "got nan"),
        (["synthetic", "real", "observed"], "got 'real'"),
        (["Synthetic", "observed", "observed"], "got 'Synthetic'"),
        (["0", "1", "1"], "got '0'"),
        ([0, 1], "each of 3 spectra; got 2"),
        ([1, 1, 1], "only 'observed'"),
        ([[0], [1], [1]], r"got shape \(3, 1\)"),
        (None, "requires y to be passed, but the target y is None"),
    ],
)
def test_bad_domains_are_one_sentence(domain, message):
    with pytest.raises(ValueError, match=message):
        check_domain(domain, n_rows=3, need_both=True)


@pytest.mark.parametrize(
    "domain", [[1, 1, -2], [1, 2, -3], [-1, -1, 1], [1.0, -1.0, 1.0], [-2, -1, -1]]
)
def test_signed_domains_are_refused_and_the_recoding_is_said(domain):
    with pytest.raises(ValueError, match=r"negative numbers mean the target .*np\.where"):
        check_domain(domain, n_rows=3, need_both=True)


def test_folds_with_one_domain_name_the_splitter_that_mixes_them():
    with pytest.raises(ValueError, match=r"only 'observed'.*StratifiedKFold\(shuffle=True\)"):
        check_domain([1, 1, 1], n_rows=3, need_both=True)


@pytest.mark.parametrize("word", ["known", "unknown"])
def test_domains_whose_noise_says_that_they_changed_places_warn(known, word):
    models = known.with_flux(known.flux, np.ones(known.shape), "exact")
    ivar = known.ivar if word == "known" else np.ones(known.shape)
    stars = known.with_flux(known.flux, ivar, word)
    check_domain_order(models, stars)
    check_domain_order(models, models)
    check_domain_order(stars, stars)
    with pytest.warns(SwappedDomainsWarning, match=f"synthetic spectra is '{word}'"):
        check_domain_order(stars, models)


def test_one_domain_is_enough_unless_both_are_needed():
    assert check_domain([1, 1]).tolist() == [1, 1]


def test_gross_scale_difference_warns(known):
    check_domain_scales(known, known.with_flux(known.flux * 2))
    with pytest.warns(DomainScaleWarning, match="normalise both"):
        check_domain_scales(known, known.with_flux(known.flux * 10))

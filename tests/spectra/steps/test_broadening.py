"""Lines get the width that was asked for, keep their area, and masked pixels stay out of it."""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from spectragan import Broadener, Spectra

AXIS = np.arange(5000, 5100, 0.1) * u.AA
LOG = np.geomspace(5000, 5100, 1000) * u.AA
C = 299792.458


def line(sigma, axis=AXIS, center=5050.0):
    return Spectra(1 - 0.5 * np.exp(-0.5 * ((axis.value[None] - center) / sigma) ** 2), axis)


def moments(spectra):
    """Return equivalent width, center and standard deviation of the line."""
    x, depth = spectra.wavelength.value, 1 - spectra.flux[0]
    depth = depth * np.gradient(x)
    center = (x * depth).sum() / depth.sum()
    return depth.sum(), center, np.sqrt(((x - center) ** 2 * depth).sum() / depth.sum())


@pytest.mark.parametrize("axis", [AXIS, LOG])
@pytest.mark.parametrize("initial", [None, 0.2, 0.5])
def test_broadener_reaches_the_width_asked_for(axis, initial):
    sigma0 = initial or 0.15
    kwargs = {"initial_fwhm": initial and initial * 2.354820045 * u.AA}
    target = 0.8
    out = Broadener(fwhm=target * 2.354820045 * u.AA, **kwargs).fit_transform(line(sigma0, axis))
    expected = target if initial else np.hypot(target, sigma0)
    area, center, width = moments(out)
    assert width == pytest.approx(expected, rel=1e-4)
    assert center == pytest.approx(5050, abs=1e-5)
    assert area == pytest.approx(moments(line(sigma0, axis))[0], rel=1e-6)


def test_broadener_to_a_resolution_is_the_gaussian_of_that_width():
    out = Broadener(5050 / 1.5).fit_transform(line(0.3))
    sigma = 1.5 / 2.354820045
    width = np.hypot(0.3, sigma)
    expected = 1 - 0.5 * 0.3 / width * np.exp(-0.5 * ((AXIS.value - 5050) / width) ** 2)
    assert_allclose(out.flux[0], expected, atol=1e-4)
    out = Broadener(5050 / 1.5, initial_resolution=5050 / 1.4).fit_transform(line(0.3))
    assert moments(out)[2] ** 2 == pytest.approx(
        0.09 + (1.5**2 - 1.4**2) / 2.354820045**2, rel=1e-3
    )


def test_broadener_takes_a_width_per_pixel():
    fwhm = np.where(AXIS.value < 5050, 0.5, 2.0)
    two = line(0.2, center=5030).flux + line(0.2, center=5070).flux - 1
    out = Broadener(fwhm=fwhm * u.AA).fit_transform(Spectra(two, AXIS))
    for half, expected in ((slice(0, 500), 0.5), (slice(500, 1000), 2.0)):
        width = moments(out.select_pixels(half))[2]
        assert width == pytest.approx(np.hypot(0.2, expected / 2.354820045), rel=1e-3)
    same = Broadener(AXIS.value / fwhm).fit_transform(Spectra(two, AXIS))
    assert_allclose(same.flux, out.flux)


@pytest.mark.parametrize("epsilon", [0.0, 0.6, 1.0])
def test_broadener_rotation_has_the_profile_of_gray(epsilon):
    flux = np.ones((1, 1000))
    flux[0, 500] = 0
    center = AXIS.value[500]
    out = Broadener(v_sin_i=100 * u.km / u.s, limb_darkening=epsilon).fit_transform(
        Spectra(flux, AXIS)
    )
    x = (AXIS.value - center) / (center * 100 / C)
    inside = np.clip(1 - x**2, 0, None)
    profile = 2 * (1 - epsilon) * np.sqrt(inside) + np.pi * epsilon / 2 * inside
    profile /= np.pi * (1 - epsilon / 3)
    expected = 0.1 / (center * 100 / C) * profile
    assert_allclose(1 - out.flux[0], expected, atol=0.004)
    core = np.abs(x) < 0.9
    assert_allclose((1 - out.flux[0])[core], expected[core], rtol=0.01)
    assert (1 - out.flux[0]).sum() == pytest.approx(1, rel=2e-3)  # rows, not columns, sum to 1


def test_broadener_applies_a_line_spread_function_per_pixel():
    lsf = np.zeros((1000, 3))
    lsf[:, 1] = 2.0
    lsf[600] = [1, 0, 3]  # asymmetric, and not normalised
    flux = np.arange(1000.0)[None] ** 2
    out = Broadener(lsf=lsf).fit_transform(flux)
    expected = flux.copy()
    expected[0, 600] = 0.25 * 599**2 + 0.75 * 601**2
    assert_allclose(out, expected)


def test_broadener_keeps_a_constant_and_the_ends(rng):
    ivar = np.where(rng.random((4, 1000)) < 0.2, 0, 1.0)
    ivar[:, :60] = ivar[:, -60:] = 1
    out = Broadener(2000).fit_transform(Spectra(np.ones((4, 1000)), AXIS, ivar))
    assert not out.mask.any()
    assert_allclose(out.flux, 1, rtol=1e-12)


def test_broadener_masks_what_is_mostly_masked():
    ivar = np.ones((1, 1000))
    ivar[0, 400:500] = 0
    spectra = Spectra(np.where(ivar, 1, 1e6), AXIS, ivar)
    out = Broadener(5000).fit_transform(spectra)
    assert_array_equal(np.flatnonzero(out.mask[0])[[0, -1]], [400, 499])
    assert_allclose(out.flux[~out.mask], 1)
    whole = Broadener(5000, min_coverage=1).fit_transform(spectra)
    assert whole.mask.sum() == pytest.approx(100 + 4 * 6 * 4.25, abs=8)


def test_broadener_ivar_agrees_with_monte_carlo(rng):
    ivar = rng.uniform(50, 200, (1, 300))
    ivar[0, 50:250][rng.random(200) < 0.1] = 0
    noise = rng.standard_normal((10_000, 300)) / np.sqrt(np.where(ivar > 0, ivar, 1))
    draws = Spectra(1 + noise, AXIS[:300], np.broadcast_to(ivar, noise.shape))
    out = Broadener(10_000, v_sin_i=20).fit_transform(draws)
    good = ~out.mask[0]
    assert good.sum() > 290
    assert_allclose(out.flux[:, good].std(axis=0), out.std[0, good], rtol=0.05)


@pytest.mark.parametrize("unit", [u.nm, u.cm**-1, u.THz])
def test_broadener_result_does_not_depend_on_the_unit(rng, unit):
    flux = rng.uniform(1, 2, (2, 1000))
    a = Broadener(9000, v_sin_i=10).fit_transform(Spectra(flux, AXIS))
    b = Broadener(9000, v_sin_i=1e4 * u.m / u.s).fit_transform(
        Spectra(flux, AXIS.to(unit, u.spectral()))
    )
    assert_allclose(b.flux, a.flux, rtol=1e-7)


def test_broadener_keeps_words_and_meta(rng):
    given = Spectra(rng.uniform(1, 2, (2, 1000)), AXIS, noise="exact", meta={"name": ["a", "b"]})
    out = Broadener(5000).fit_transform(given)
    assert (set(out.noise), out.meta) == ({"exact"}, given.meta)
    assert_array_equal(out.ivar, 1)
    assert Broadener().fit(given).transform(given) is given


def test_broadener_narrower_than_a_pixel_changes_nothing(rng):
    given = Spectra(rng.uniform(1, 2, (2, 1000)), AXIS)
    assert_allclose(Broadener(5e6).fit_transform(given).flux, given.flux, rtol=1e-12)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"resolution": 0}, "`resolution` must be above 0"),
        ({"resolution": "high"}, "`resolution` must be a number such as"),
        ({"resolution": [1, 2]}, r"one value or one per pixel \(1000\)"),
        ({"fwhm": 2.0}, "`fwhm` must be a length such as"),
        ({"fwhm": 2 * u.Hz}, "`fwhm` must be a length such as"),
        ({"fwhm": 2 * u.AA, "resolution": 9}, "only one of `resolution`, `fwhm`, `lsf`"),
        ({"resolution": 900, "initial_resolution": 100}, "spectra can't be sharpened"),
        ({"v_sin_i": -1}, "`v_sin_i` must be one velocity >= 0"),
        ({"v_sin_i": 1 * u.AA}, "`v_sin_i` must be a velocity"),
        ({"v_sin_i": 1, "limb_darkening": 2}, "`limb_darkening` must be 0 to 1"),
        ({"v_sin_i": 1, "limb_darkening": None}, "`limb_darkening` must be 0 to 1"),
        ({"lsf": np.ones((1000, 4))}, "n_offsets odd"),
        ({"lsf": -np.ones((1000, 3))}, "finite weights >= 0"),
        ({"min_coverage": 2}, "`min_coverage` must be a share"),
        ({"resolution": 2 * u.AA}, "`resolution` must be a number such as"),
        ({"initial_resolution": 20000}, "`initial_resolution` must come with"),
        ({"v_sin_i": 5, "initial_fwhm": 2 * u.AA}, "`initial_fwhm` must come with"),
        (
            {"lsf": np.ones((1000, 3)), "initial_resolution": 20000},
            "`initial_resolution` must come with",
        ),
    ],
)
def test_broadener_with_bad_parameters_is_one_sentence(kwargs, message):
    with pytest.raises(ValueError, match=message) as caught:
        Broadener(**kwargs).fit(line(1))
    assert str(caught.value).endswith(".")


def test_broadener_with_words_as_weights_is_one_sentence():
    with pytest.raises(TypeError, match="`lsf` must hold real numbers"):
        Broadener(lsf="gaussian").fit(line(1))


@pytest.mark.parametrize("kwargs", [{"resolution": 9}, {"fwhm": 2 * u.AA}, {"v_sin_i": 5}])
def test_broadener_needs_wavelengths_and_says_so(kwargs):
    with pytest.raises(ValueError, match="needs spectra with wavelengths"):
        Broadener(**kwargs).fit(np.ones((2, 9)))


def test_broadener_takes_a_resolution_without_dimension(rng):
    spectra = Spectra(rng.uniform(1, 2, (2, 1000)), AXIS)
    expected = Broadener(2000).fit_transform(spectra)
    assert_array_equal(Broadener(2000 * u.one).fit_transform(spectra).flux, expected.flux)


@pytest.mark.parametrize("kind", ["resolution", "rotation", "lsf"])
def test_broadener_treats_a_gap_as_the_end_of_a_grid(rng, kind):
    grid = np.r_[np.arange(5000.0, 5050), np.arange(5150.0, 5200)]
    spectra = Spectra(rng.uniform(1, 2, (2, 100)), grid * u.AA)
    kwargs = {
        "resolution": {"resolution": 1500},
        "rotation": {"v_sin_i": 150.0},
        "lsf": {"lsf": [[1.0, 2, 3, 2, 1]]},
    }[kind]
    for half in (slice(0, 50), slice(50, 100)):
        if kind == "lsf":
            kwargs["lsf"] = np.repeat([[1.0, 2, 3, 2, 1]], 50, axis=0)
        alone = Broadener(**kwargs).fit_transform(spectra.select_pixels(half))
        if kind == "lsf":
            kwargs["lsf"] = np.repeat([[1.0, 2, 3, 2, 1]], 100, axis=0)
        whole = Broadener(**kwargs).fit_transform(spectra)
        assert_allclose(whole.flux[:, half], alone.flux)

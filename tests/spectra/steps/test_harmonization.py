"""Two domains meet on one grid, resolution, medium and continuum, and the report says how."""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from specutils import SpectrumList

from spectragan import ContinuumNormalizer, Spectra, harmonize, stack_domains
from spectragan.spectra import same_grid

VACUUM = np.arange(4990, 5210, 0.05) * u.AA
AIR = np.linspace(500.5, 523, 300) * u.nm
LINES = np.array([5050.0, 5100, 5160])  # in vacuum
N_AIR = 1.000278  # refractive index of air at 5100 Angstrom


def star(wavelength, sigma, continuum=1.0):
    return continuum * (
        1 - 0.6 * np.exp(-0.5 * ((wavelength[:, None] - LINES) / sigma) ** 2).sum(1)
    )


@pytest.fixture
def synthetic():
    flux = np.repeat(star(VACUUM.value, 0.1)[None], 3, axis=0)
    return Spectra(flux, VACUUM, noise="exact", medium="vacuum")


@pytest.fixture
def observed(rng):
    """Return the same star at R = 2000, in air, with noise and a slope."""
    sigma = np.hypot(0.1, 5100 / 2000 / 2.3548)
    wavelength = AIR.to_value(u.AA)
    depth = 0.1 / sigma
    model = 1 - depth * (1 - star(wavelength * N_AIR, sigma))
    flux = (model + 0.002 * rng.standard_normal((4, 300))) * (3 + (wavelength - 5100) / 100)
    ivar = np.full(flux.shape, 1e5)
    ivar[1, 100:110], flux[1, 100:110] = 0, 1e6
    return Spectra(flux, AIR, ivar, medium="air", meta={"name": list("abcd")})


def test_harmonize_closes_all_differences(synthetic, observed):
    normalizer = ContinuumNormalizer(1, n_iter=10, lower=1.5, upper=3)
    result = harmonize(synthetic, observed, resolution=2000, continuum=normalizer)
    assert same_grid(result.synthetic, result.observed)
    assert result.observed.medium == result.synthetic.medium == "air"
    assert result.observed.wavelength[-1] < 5210 * u.AA
    difference = result.observed.flux - result.synthetic.flux[0]
    good = ~(result.observed.mask | result.synthetic.mask[:1])
    assert good.mean() > 0.95
    assert np.abs(difference[good]).max() < 0.03
    assert difference[good].std() < 0.006
    assert result.observed.meta["name"] == list("abcd")
    assert stack_domains(result.synthetic, result.observed)[0].shape == (
        7,
        result.observed.shape[1],
    )


def test_harmonize_without_a_step_leaves_its_difference(synthetic, observed):
    normalizer = ContinuumNormalizer(1, n_iter=10, lower=1.5, upper=3)
    for kwargs in ({}, {"resolution": 2000, "observed_medium": None, "synthetic_resolution": 2100}):
        result = harmonize(synthetic, observed, continuum=normalizer, **kwargs)
        good = ~(result.observed.mask | result.synthetic.mask[:1])
        assert np.abs((result.observed.flux - result.synthetic.flux[0])[good]).max() > 0.05


def test_harmonize_reports_one_line_per_step(synthetic, observed):
    result = harmonize(
        synthetic, observed, resolution=1000, synthetic_resolution=50_000, observed_resolution=2000
    )
    medium, resolution, grid, continuum = str(result.report).split("\n")
    assert medium == "medium: synthetic vacuum -> air, observed in air already"
    assert resolution == (
        "resolution: synthetic R = 50000 -> R = 1000, observed R = 2000 -> R = 1000"
    )
    assert grid.startswith("grid: 271 of 300 pixels, 5005-52")
    assert grid.endswith("synthetic resampled (flux), observed cut")
    assert continuum == "continuum: both divided by a polynomial of degree 4"
    quiet = harmonize(observed, observed, continuum=None, observed_resolution=2000.0)
    assert quiet.report.steps == (
        "medium: synthetic in air already, observed in air already",
        "resolution: synthetic infinite -> R = 2000, observed at R = 2000 already",
        "grid: 300 of 300 pixels, 5005-5230 Angstrom; synthetic cut, observed cut",
        "continuum: both left as they are",
    )


def test_harmonize_with_nothing_to_do_changes_nothing(observed):
    result = harmonize(observed, observed, continuum=None)
    for spectra in (result.synthetic, result.observed):
        assert_array_equal(spectra.flux, observed.flux)
        assert_array_equal(spectra.ivar, observed.ivar)
    assert "resolution: both left as they are" in result.report.steps


def test_harmonize_brings_both_to_a_grid_of_choice(synthetic, observed):
    new = np.geomspace(5020, 5300, 150) * u.AA
    result = harmonize(synthetic, observed, wavelength=new, medium="vacuum", method="linear")
    assert same_grid(result.synthetic, result.observed)
    assert result.synthetic.medium == "vacuum"
    assert_allclose(result.observed.wavelength.value, new.value[new.value < 5209.96])
    assert result.report.steps[0] == ("medium: synthetic in vacuum already, observed air -> vacuum")
    assert result.report.steps[2].endswith(
        "synthetic resampled (linear), observed resampled (linear)"
    )


@pytest.mark.parametrize("unit", [u.AA, u.um, u.cm**-1, u.THz])
def test_harmonize_takes_any_unit(synthetic, observed, unit):
    expected = harmonize(synthetic, observed, resolution=2000)
    axes = [s.wavelength.to(unit, u.spectral()) for s in (synthetic, observed)]
    others = [
        Spectra(s.flux, axis, s.ivar, s.noise, s.medium)
        for s, axis in zip((synthetic, observed), axes, strict=True)
    ]
    result = harmonize(*others, resolution=2000)
    assert result.observed.spectral_axis.unit == unit
    for name in ("synthetic", "observed"):
        assert_allclose(result[name].flux, expected[name].flux, rtol=1e-5)
        assert_array_equal(result[name].mask, expected[name].mask)


def test_harmonize_gives_back_specutils(synthetic, observed):
    result = harmonize(synthetic.to_specutils(), observed)
    assert isinstance(result.synthetic, SpectrumList)
    assert isinstance(result.observed, Spectra)


def test_harmonize_never_guesses_a_medium(synthetic, observed):
    unsaid = Spectra(synthetic.flux, VACUUM, noise="exact")
    with pytest.raises(ValueError, match="the medium of `synthetic` must be known; got None"):
        harmonize(unsaid, observed)
    expected = harmonize(synthetic, observed)
    result = harmonize(unsaid, observed, synthetic_medium="vacuum")
    assert_array_equal(result.synthetic.flux, expected.synthetic.flux)
    with pytest.raises(ValueError, match="the medium of `observed` must be known"):
        harmonize(synthetic, Spectra(observed.flux, AIR))


def test_harmonize_without_overlap_or_wavelengths_is_one_sentence(synthetic, observed):
    far = Spectra(observed.flux, AIR * 2, observed.ivar, medium="air")
    with pytest.raises(ValueError, match=r"must overlap in wavelength.*got 4988.* and 10010-10460"):
        harmonize(synthetic, far)
    with pytest.raises(ValueError, match="`observed` of harmonize needs spectra with"):
        harmonize(synthetic, observed.flux)
    with pytest.raises(ValueError, match="`continuum` must be a degree"):
        harmonize(synthetic, observed, continuum="spline")
    with pytest.raises(ValueError, match=r"`continuum` must be a degree.*got bool"):
        harmonize(synthetic, observed, continuum=True)
    with pytest.raises(ValueError, match="can't be sharpened"):
        harmonize(synthetic, observed, resolution=3000, observed_resolution=2000)


def test_harmonize_onto_observed_detectors_takes_nothing_from_between_them():
    fine = np.arange(4990, 5210, 0.05) * u.AA
    dark = np.where(np.abs(fine.value - 5100) < 48, 0.0, 1.0)
    grid = np.r_[np.arange(5000.0, 5050), np.arange(5150.0, 5200)] * u.AA
    models = Spectra(dark[None], fine, noise="exact", medium="air")
    stars = Spectra(np.ones((1, 100)), grid, medium="air")
    assert_allclose(harmonize(models, stars, continuum=None).synthetic.flux, 1)

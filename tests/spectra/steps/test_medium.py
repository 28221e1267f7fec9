"""Wavelengths change medium by the published amounts, never silently, and come back."""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from specutils import SpectrumList

from spectragan import AirVacuumConverter, Spectra
from spectragan.exceptions import GridMismatchError

AXIS = np.linspace(4000, 9000, 50) * u.AA


@pytest.fixture
def stars(rng):
    ivar = rng.uniform(0, 2, (3, 50)).round()
    return Spectra(
        rng.uniform(1, 2, (3, 50)) * u.Jy, AXIS, ivar, medium="air", meta={"n": [1, 2, 3]}
    )


def test_converter_gives_the_published_wavelengths():
    # Air and vacuum wavelengths of H alpha, H beta and Ca II 8542 (NIST ASD).
    air, vacuum = [4861.333, 6562.819, 8542.091], [4862.691, 6564.632, 8544.438]
    there = AirVacuumConverter("vacuum").fit_transform(
        Spectra(np.ones((1, 3)), air * u.AA, medium="air")
    )
    assert_allclose(there.wavelength.value, vacuum, atol=0.003)
    back = AirVacuumConverter("air").fit_transform(
        Spectra(np.ones((1, 3)), vacuum * u.AA, medium="vacuum")
    )
    assert_allclose(back.wavelength.value, air, atol=0.003)


@pytest.mark.parametrize(
    "method", ["Ciddor1996", "Morton2000", "Edlen1953", "Edlen1966", "PeckReeder1972"]
)
def test_converter_methods_agree_to_ten_metres_per_second(stars, method):
    a, b = (
        AirVacuumConverter("vacuum", method=m).fit_transform(stars).wavelength
        for m in (method, "Ciddor1996")
    )
    assert_allclose(a.value, b.value, rtol=10 / 3e8)


def test_converter_changes_nothing_but_the_axis(stars):
    out = AirVacuumConverter("vacuum").fit_transform(stars)
    assert_array_equal(out.flux, stars.flux)
    assert_array_equal(out.ivar, stars.ivar)
    assert (out.medium, out.meta, out.unit) == ("vacuum", stars.meta, u.Jy)


@pytest.mark.parametrize("unit", [u.AA, u.nm, u.um, u.cm**-1, u.THz])
@pytest.mark.parametrize("order", [1, -1])
def test_converter_round_trip_in_any_unit(stars, unit, order):
    axis = AXIS.to(unit, u.spectral())[::order]
    given = Spectra(stars.flux[:, ::order], axis, stars.ivar[:, ::order], medium="air")
    converter = AirVacuumConverter("vacuum").fit(given)
    there = converter.transform(given)
    assert there.spectral_axis.unit == unit
    expected = AirVacuumConverter("vacuum").fit_transform(stars)
    assert_allclose(there.wavelength.value, expected.wavelength.value, rtol=1e-12)
    back = converter.inverse_transform(there)
    assert_array_equal(back.spectral_axis, axis)
    assert_array_equal(back.flux, given.flux)
    assert back.medium == "air"
    apart = AirVacuumConverter("air").fit_transform(there)
    assert_allclose(apart.wavelength.value, AXIS.value, rtol=1e-11)


def test_converter_never_guesses_the_medium(stars):
    unsaid = Spectra(stars.flux, AXIS)
    with pytest.raises(ValueError, match="the medium of the spectra must be known; got None"):
        AirVacuumConverter("vacuum").fit(unsaid)
    said = AirVacuumConverter("vacuum", initial_medium="air").fit_transform(unsaid)
    expected = AirVacuumConverter("vacuum").fit_transform(stars)
    assert_array_equal(said.wavelength, expected.wavelength)
    with pytest.raises(ValueError, match="must be what the spectra say; got 'vacuum'"):
        AirVacuumConverter("vacuum", initial_medium="vacuum").fit(stars)


def test_converter_to_the_medium_they_are_in_changes_nothing(stars):
    out = AirVacuumConverter("air").fit_transform(stars)
    assert_array_equal(out.wavelength, stars.wavelength)
    named = AirVacuumConverter("air", initial_medium="air").fit_transform(Spectra(stars.flux, AXIS))
    assert named.medium == "air"
    assert AirVacuumConverter().fit(stars).transform(stars) is stars
    assert AirVacuumConverter().fit(stars).inverse_transform(stars) is stars


def test_converter_gives_back_the_kind_that_came_in(stars):
    converter = AirVacuumConverter("vacuum").fit(stars)
    out = converter.transform(stars.to_specutils())
    assert isinstance(out, SpectrumList)
    assert out[0].spectral_axis[0].value == pytest.approx(4001.13, abs=0.01)
    assert_array_equal(converter.transform(np.array(stars.flux)), stars.flux)


def test_converter_refuses_what_has_no_wavelengths_or_another_grid(stars):
    with pytest.raises(ValueError, match="`medium` needs spectra with wavelengths"):
        AirVacuumConverter("air").fit(np.ones((2, 9)))
    converter = AirVacuumConverter("vacuum").fit(stars)
    with pytest.raises(GridMismatchError):
        converter.inverse_transform(stars)
    with pytest.raises(GridMismatchError, match="wavelengths in air; got vacuum"):
        converter.transform(Spectra(stars.flux, AXIS, medium="vacuum"))


def test_converter_refuses_the_far_ultraviolet():
    uv = Spectra(np.ones((1, 2)), [1900, 2100] * u.AA, medium="vacuum")
    with pytest.raises(ValueError, match="at least 2000 Angstrom"):
        AirVacuumConverter("air").fit(uv)


@pytest.mark.parametrize("name", ["medium", "initial_medium", "method"])
def test_converter_with_bad_parameters_is_one_sentence(stars, name):
    with pytest.raises(ValueError, match=f"`{name}` must be"):
        AirVacuumConverter(**{"medium": "air", name: "water"}).fit(stars)

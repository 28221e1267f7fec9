"""Bands of the atmosphere are masked where they are: in the frame of the observer."""

import astropy.units as u
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from spectragan import SkyLineMasker, Spectra, TelluricMasker
from spectragan.exceptions import MissingWavelengthWarning
from spectragan.spectra.steps.range_masks import SKY_LINES_AIR, SKY_LINES_VACUUM, TELLURIC_BANDS

AXIS = np.arange(5500, 10000.0) * u.AA
A_BAND = [(7590, 7720)]
C = 299792.458


def stars(n=3, axis=AXIS, **kwargs):
    flux = np.random.default_rng(0).uniform(1, 2, (n, len(axis)))
    return Spectra(flux, axis, flux.round() - 1, **kwargs)


def test_telluric_masker_takes_the_bands_and_leaves_the_rest():
    s = stars(medium="air")
    out = TelluricMasker().fit_transform(s)
    inside = np.zeros(len(AXIS), bool)
    for low, high in TELLURIC_BANDS:
        inside |= (AXIS.value >= low) & (AXIS.value <= high)
    assert 0.2 < inside.mean() < 0.5
    assert_array_equal(out.mask, s.mask | inside)
    assert_array_equal(out.flux, s.flux)


def test_sky_line_masker_takes_bright_lines_of_the_given_width():
    s = Spectra(np.ones((1, len(AXIS))), AXIS, medium="air")
    for half, kwargs in ((3, {}), (10, {"half_width": 1 * u.nm})):
        out = SkyLineMasker(**kwargs).fit_transform(s)
        distance = np.abs(AXIS.value[:, None] - SKY_LINES_AIR).min(axis=1)
        assert_array_equal(out.mask[0], distance <= half)
    assert not out.mask[0, AXIS.value < 5560].any()


def test_line_lists_are_sorted_and_apart():
    for lines in (SKY_LINES_AIR, SKY_LINES_VACUUM, np.ravel(TELLURIC_BANDS)):
        assert (np.diff(lines) > 0).all()


def test_sky_lines_are_where_the_medium_puts_them():
    axis = np.arange(5560, 5600, 0.1) * u.AA
    edges = {}
    for medium in ("air", "vacuum", None):
        s = Spectra(np.ones((1, len(axis))), axis, medium=medium)
        edges[medium] = axis.value[SkyLineMasker().fit_transform(s).mask[0]][[0, -1]]
    assert edges["air"].mean() == pytest.approx(5577.338, abs=0.1)
    assert edges["vacuum"].mean() == pytest.approx(5578.887, abs=0.1)
    assert_array_equal(edges[None], [edges["air"][0], edges["vacuum"][1]])
    axis = np.arange(15180, 15195, 0.1) * u.AA
    s = Spectra(np.ones((1, len(axis))), axis, medium="vacuum")
    hit = axis.value[SkyLineMasker().fit_transform(s).mask[0]]
    assert hit.mean() == pytest.approx(15187.14, abs=0.1)


@pytest.mark.parametrize("how", ["key", "array", "quantity", "written"])
def test_masker_follows_spectra_shifted_to_rest(how):
    velocity = np.array([0.0, 300.0, -300.0])
    key = "rest_frame_velocity" if how == "written" else "rv"
    given = {
        "key": "rv",
        "array": velocity,
        "quantity": velocity * 1000 * u.m / u.s,
        "written": None,
    }[how]
    s = Spectra(np.ones((3, len(AXIS))), AXIS, meta={key: list(velocity)})
    out = TelluricMasker(A_BAND, velocity=given).fit_transform(s)
    factor = np.sqrt((1 + velocity / C) / (1 - velocity / C))
    observed = AXIS.value * factor[:, None]
    assert_array_equal(out.mask, (observed >= 7590) & (observed <= 7720))
    assert out.mask[1].argmax() < out.mask[0].argmax() < out.mask[2].argmax()


@pytest.mark.parametrize("unit", [u.nm, u.um, u.cm**-1, u.THz])
def test_masker_takes_any_unit_of_axis_and_ranges(unit):
    s = stars(medium="air")
    other = Spectra(s.flux, AXIS.to(unit, u.spectral()), s.ivar, medium="air")
    pair = [tuple(([7590, 7720] * u.AA).to(unit, u.spectral()))]
    expected = TelluricMasker(A_BAND).fit_transform(s).mask
    assert_array_equal(TelluricMasker(pair).fit_transform(other).mask, expected)


def test_masker_gives_arrays_nan_in_the_bands():
    s = stars(medium="air")
    out = TelluricMasker().fit(s).transform(np.array(s.flux))
    assert_array_equal(
        np.isnan(out), TelluricMasker().fit_transform(Spectra(s.flux, AXIS, medium="air")).mask
    )


@pytest.mark.parametrize("masker", [TelluricMasker(), SkyLineMasker(), TelluricMasker(A_BAND)])
def test_masker_without_wavelengths_warns_and_changes_nothing(masker):
    flux = np.ones((2, 5))
    with pytest.warns(MissingWavelengthWarning, match="masks nothing without them"):
        masker.fit(flux)
    assert_array_equal(masker.transform(flux), flux)
    # Spectra that do have wavelengths are masked all the same.
    later = Spectra(flux, [7500, 7600, 8344.6, 9000, 9419.7] * u.AA, medium="air")
    assert masker.transform(later).mask.any()


def test_masker_ranges_outside_the_grid_are_no_error():
    s = stars(axis=np.arange(4000, 4100.0) * u.AA)
    assert_array_equal(TelluricMasker().fit_transform(s).mask, s.mask)
    assert_array_equal(TelluricMasker([]).fit_transform(s).mask, s.mask)


@pytest.mark.parametrize(
    ("masker", "message"),
    [
        (TelluricMasker([7590, 7720]), "`ranges` must hold pairs of wavelengths that are finite"),
        (TelluricMasker([(np.nan, 6900)]), "`ranges` must hold pairs of wavelengths that are"),
        (TelluricMasker([(6900, np.inf)]), "`ranges` must hold pairs of wavelengths that are"),
        (
            TelluricMasker([(1 * u.kg, 2 * u.kg)]),
            "`ranges` must hold pairs of wavelengths that are finite",
        ),
        (SkyLineMasker(half_width=3.0), "`half_width` must be a length such as"),
        (SkyLineMasker(half_width=-3 * u.AA), "`half_width` must be above 0"),
        (TelluricMasker(velocity="rv"), "`velocity` must name a key of meta"),
        (TelluricMasker(velocity=[1, 2]), "`velocity` must be one velocity or one for each of 3"),
        (TelluricMasker(velocity=4e5), "`velocity` must be finite and slower than light"),
        (TelluricMasker(velocity=1 * u.AA), "`velocity` must be a velocity"),
    ],
)
def test_masker_with_bad_parameters_is_one_sentence(masker, message):
    with pytest.raises(ValueError, match=message):
        masker.fit_transform(stars())


def test_masker_warns_if_no_range_of_the_user_is_on_the_grid():
    masker = TelluricMasker([(759, 772)]).fit(stars())  # nm, taken for Angstrom
    with pytest.warns(MissingWavelengthWarning, match="no range of TelluricMasker lies on"):
        out = masker.transform(stars())
    assert_array_equal(out.mask, stars().mask)

"""Spectra come to rest by the right amount, with their errors, and go back."""

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Column, MaskedColumn
from astropy.utils.masked import Masked
from numpy.testing import assert_allclose, assert_array_equal
from specutils import SpectrumList

from spectragan import RestFrameShifter, Spectra
from spectragan.exceptions import GridMismatchError, VelocityWarning
from spectragan.spectra.steps.velocity import shift_rows

P = 1200
AXIS = np.geomspace(5000, 5200, P) * u.AA  # pixels of 9.8 km/s
C = 299792.458
CENTERS = np.array([5020.0, 5041, 5069, 5100, 5111, 5133, 5170, 5181])
SIGMA = 0.7  # Angstrom, 4 pixels
VELOCITY = np.array([0.0, 33.3, -120.0, 250.0, -87.0])


def star(velocity, sigma=SIGMA, axis=AXIS):
    """Return absorption lines of a star that recedes with `velocity`, exactly."""
    factor = np.sqrt((1 + np.asarray(velocity) / C) / (1 - np.asarray(velocity) / C))
    emitted = axis.value / np.atleast_1d(factor)[:, None]
    depth = 0.1 + 0.05 * np.arange(len(CENTERS))
    return 1 - np.exp(-0.5 * ((emitted[..., None] - CENTERS) / sigma) ** 2) @ depth


@pytest.fixture
def template():
    return Spectra(star(0.0), AXIS, noise="exact")


@pytest.fixture
def observed(rng):
    ivar = np.where(rng.random((5, P)) < 0.03, 0, 1e4)
    flux = star(VELOCITY) + 0.01 * rng.standard_normal((5, P))
    meta = {"rv": list(VELOCITY), "name": list("abcde")}
    return Spectra(np.where(ivar > 0, flux, 1e6), AXIS, ivar, meta=meta)


@pytest.mark.parametrize("order", [1, 3, 5, 7])
@pytest.mark.parametrize("axis", [AXIS, np.linspace(5000, 5200, P) * u.AA])
def test_shifter_brings_lines_to_rest(order, axis):
    exact = Spectra(star(VELOCITY, 1.2, axis), axis, noise="exact")
    out = RestFrameShifter(VELOCITY, order=order).fit_transform(exact)
    error = np.abs(out.flux - star(0.0, 1.2, axis))[~out.mask]
    assert error.max() < {1: 5e-3, 3: 1e-4, 5: 1e-5, 7: 1e-5}[order]
    assert out.mask[0].sum() == 0
    assert out.mask[2, :10].all()  # a star that comes closer shows nothing beyond the blue end
    assert out.mask[3, -20:].all()


@pytest.mark.parametrize("how", ["key", "array", "quantity"])
def test_shifter_takes_velocities_from_meta_or_as_they_are(observed, how):
    given = {"key": "rv", "array": VELOCITY, "quantity": VELOCITY * 1e3 * u.m / u.s}[how]
    out = RestFrameShifter(given).fit_transform(observed)
    assert_allclose(out.meta["rest_frame_velocity"], VELOCITY)
    assert out.meta["name"] == list("abcde")
    chi = ((out.flux - star(0.0)) * np.sqrt(out.ivar))[~out.mask]
    assert chi.std() == pytest.approx(1, abs=0.05)


def test_shifter_measures_velocities_and_their_errors(rng, template):
    n = 300
    velocity = rng.uniform(-300, 300, n)
    std = rng.uniform(0.005, 0.05, (n, 1)) * np.ones(P)
    ivar = np.where(rng.random((n, P)) < 0.05, 0, std**-2)
    flux = 2.5 * star(velocity) + 0.3 + std * rng.standard_normal((n, P))
    spectra = Spectra(np.where(ivar > 0, flux, -1e6), AXIS, ivar)
    shifter = RestFrameShifter(template=template).fit(spectra)
    measured, error = shifter.measure(spectra)
    pull = (measured.value - velocity) / error.value
    assert pull.std() == pytest.approx(1, abs=0.12)
    assert abs(pull.mean()) < 0.2
    out = shifter.transform(spectra[:20])
    assert_array_equal(out.meta["rest_frame_velocity"], measured.value[:20])
    assert_array_equal(out.meta["rest_frame_velocity_error"], error.value[:20])


def test_shifter_errors_of_unknown_noise_come_from_the_residuals(rng, template):
    flux = star(np.full(200, 40.0)) + 0.02 * rng.standard_normal((200, P))
    measured, error = RestFrameShifter(template=template).fit(template).measure(Spectra(flux, AXIS))
    assert np.median(error.value) == pytest.approx(measured.value.std(), rel=0.15)
    assert measured.value.mean() == pytest.approx(40, abs=0.3)


def test_shifter_takes_the_template_that_fits_best(rng, template):
    other = 1 - 0.5 * np.exp(-0.5 * ((AXIS.value - 5055) / 3) ** 2)
    both = Spectra(np.r_[other[None], template.flux], AXIS)
    flux = star(VELOCITY) + 0.005 * rng.standard_normal((5, P))
    measured, _ = RestFrameShifter(template=both).fit(both).measure(Spectra(flux, AXIS))
    assert_allclose(measured.value, VELOCITY, atol=1)


def test_shifter_flags_what_has_no_best_velocity(rng, template):
    flux = np.r_[star(60.0), 2 - star(0.0), star(900.0)] + 0.001 * rng.standard_normal((3, P))
    spectra = Spectra(flux, AXIS, np.full(flux.shape, 1e6))
    shifter = RestFrameShifter(template=template, max_velocity=100).fit(spectra)
    flat = spectra.with_flux(np.r_[flux[:1], np.ones((2, P))])
    with pytest.warns(VelocityWarning, match="2 spectra have no best velocity up to 100 km/s"):
        out = shifter.transform(flat)
    assert_array_equal(out.mask.all(axis=1), [False, True, True])
    assert_array_equal(np.isinf(out.meta["rest_frame_velocity_error"]), [False, True, True])
    masked = spectra.with_flux(flux, np.zeros(flux.shape))
    assert shifter.transform(masked).mask.all()  # nothing to lose: nothing to warn of


def test_shifter_round_trip(template):
    exact = Spectra(star(VELOCITY, 1.2), AXIS, noise="exact", meta={"rv": list(VELOCITY)})
    shifter = RestFrameShifter("rv", order=7).fit(exact)
    back = shifter.inverse_transform(shifter.transform(exact))
    assert back.meta == exact.meta
    assert back.mask.mean() < 0.03
    assert_allclose(back.flux[~back.mask], exact.flux[~back.mask], atol=1e-5)
    listed = shifter.inverse_transform(shifter.transform(exact.to_specutils()))
    assert isinstance(listed, SpectrumList)


def test_shifter_by_whole_pixels_of_a_log_grid_is_exact(observed):
    pixel = (np.log(AXIS.value[1]) - np.log(AXIS.value[0])) * 3
    velocity = C * np.tanh(pixel)
    out = RestFrameShifter(velocity).fit_transform(observed)
    good = ~out.mask[:, :-3]
    assert_array_equal(good, ~observed.mask[:, 3:])
    assert_allclose(out.flux[:, :-3][good], observed.flux[:, 3:][good], rtol=1e-6)
    assert_allclose(out.ivar[:, :-3][good], observed.ivar[:, 3:][good], rtol=1e-6)


def test_shifter_at_rest_changes_nothing(observed):
    out = RestFrameShifter(0.0).fit_transform(observed)
    assert_array_equal(out.filled(), observed.filled())
    assert_allclose(out.ivar, observed.ivar)


@pytest.mark.parametrize("order", [1, 3])
def test_shifter_ivar_agrees_with_monte_carlo(rng, order):
    n_pixels = 300
    ivar = rng.uniform(50, 200, (1, n_pixels))
    ivar[0, rng.random(n_pixels) < 0.1] = 0
    noise = rng.standard_normal((10_000, n_pixels)) / np.sqrt(np.where(ivar > 0, ivar, 1))
    draws = Spectra(1 + noise, AXIS[:n_pixels], np.broadcast_to(ivar, noise.shape))
    out = RestFrameShifter(57.0, order=order).fit_transform(draws)
    good = ~out.mask[0]
    assert good.sum() > 0.85 * n_pixels
    assert_allclose(out.flux[:, good].std(axis=0), out.std[0, good], rtol=0.05)


@pytest.mark.parametrize("unit", [u.nm, u.cm**-1, u.THz])
def test_shifter_result_does_not_depend_on_the_unit(observed, template, unit):
    axis = AXIS.to(unit, u.spectral())
    other = Spectra(observed.flux, axis, observed.ivar)
    a = RestFrameShifter(template=template).fit_transform(observed)
    b = RestFrameShifter(template=Spectra(template.flux, axis)).fit_transform(other)
    assert_allclose(b.flux, a.flux, rtol=1e-6)
    assert_allclose(b.meta["rest_frame_velocity"], a.meta["rest_frame_velocity"], rtol=1e-6)


def test_shifter_rows_do_not_depend_on_their_batch(rng, template):
    flux = star(rng.uniform(-100, 100, 70)) + 0.01 * rng.standard_normal((70, P))
    spectra = Spectra(flux, AXIS, np.full(flux.shape, 1e4))
    shifter = RestFrameShifter(template=template).fit(spectra)
    whole = shifter.transform(spectra)
    for rows in ([69], [3, 50]):
        part = shifter.transform(spectra[rows])
        assert_array_equal(part.flux, whole.flux[rows])


def test_shifter_of_arrays_takes_the_grid_of_fit(template):
    shifter = RestFrameShifter(template=template).fit(template)
    flux = star([50.0])
    out = shifter.transform(flux)
    assert type(out) is np.ndarray
    assert np.nanmax(np.abs(out - template.flux)) < 1e-3
    with pytest.raises(ValueError, match="must name a key of meta"):
        shifter.inverse_transform(flux)


def test_shift_uses_lines_near_masked_pixels():
    grid = np.arange(1.0, 11)
    ivar = np.ones((1, 10))
    ivar[0, 7] = 0
    spectra = Spectra(grid[None] ** 3, grid * u.AA, ivar)
    flux, weights = shift_rows(spectra, grid, np.array([1.05]), 3, 0.5)
    places = grid * 1.05
    assert_allclose(flux[0, 1:5], places[1:5] ** 3, rtol=1e-9)  # cubics are exact
    assert flux[0, 5] == pytest.approx(np.interp(places[5], grid, grid**3))  # line: 8 is masked
    assert flux[0, 6] == 7**3  # its other neighbour is masked
    assert weights[0, 9] == 0


def test_shifter_without_velocity_and_template_passes_spectra_through(observed):
    assert RestFrameShifter().fit(observed).transform(observed) is observed
    assert RestFrameShifter().fit(observed).inverse_transform(observed) is observed
    with pytest.raises(ValueError, match="`template` must be given to measure"):
        RestFrameShifter().fit(observed).measure(observed)


def test_shifter_refuses_what_is_at_rest_already(observed):
    out = RestFrameShifter("rv").fit_transform(observed)
    with pytest.raises(ValueError, match="`X` must be as observed"):
        RestFrameShifter("rv").fit_transform(out)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"velocity": "v_rad"}, "`velocity` must name a key of meta"),
        ({"velocity": [1.0, 2.0]}, "one for each of 5 spectra"),
        ({"velocity": np.nan}, "finite and slower than light"),
        ({"velocity": 1.0, "order": 2}, "`order` must be one of 1, 3, 5, 7; got 2"),
        ({"velocity": 1.0, "order": 3.0}, "`order` must be one of 1, 3, 5, 7; got 3.0"),
        ({"velocity": 1.0, "order": True}, "`order` must be one of 1, 3, 5, 7; got True"),
        ({"velocity": 1.0, "template": 1}, "only one of `velocity` and `template`"),
        ({"velocity": 1.0, "max_velocity": -1}, "`max_velocity` must be above 0"),
        ({"velocity": 1.0, "min_coverage": 0}, "`min_coverage` must be a share"),
    ],
)
def test_shifter_with_bad_parameters_is_one_sentence(observed, kwargs, message):
    with pytest.raises(ValueError, match=message):
        RestFrameShifter(**kwargs).fit_transform(observed)


def test_shifter_with_a_bad_template_is_one_sentence(observed, template):
    with pytest.raises(GridMismatchError, match="`X` and `template` must be on one"):
        RestFrameShifter(template=template.select_pixels(slice(0, 9))).fit(observed)
    with pytest.raises(ValueError, match="lower `max_velocity`"):
        RestFrameShifter(template=template, max_velocity=1e4).fit(observed)
    with pytest.raises(ValueError, match="at least two wavelengths; got none"):
        RestFrameShifter(3.0).fit(np.ones((2, 5)))


def test_shifter_interpolates_nothing_across_a_gap():
    grid = np.r_[np.arange(5000.0, 5050), np.arange(5150.0, 5200)]
    spectra = Spectra(np.repeat([[1.0, 2.0]], 50, axis=1), grid * u.AA, np.full((1, 100), 1e4))
    for velocity, lost in ((270.0, np.r_[45:50, 95:100]), (-270.0, np.r_[:5, 50:55])):
        out = RestFrameShifter(velocity).fit_transform(spectra)
        good = ~out.mask[0]
        assert_array_equal(np.flatnonzero(~good), lost)  # 4.5 pixels
        assert_allclose(out.flux[0, good], spectra.flux[0, good])
    assert_array_equal(RestFrameShifter(0.0).fit_transform(spectra).flux, spectra.flux)


@pytest.mark.parametrize("kind", ["quantity", "column", "list", "masked quantity"])
@pytest.mark.parametrize("direct", [True, False])
def test_shifter_heeds_the_unit_of_velocities(observed, kind, direct):
    quantity = VELOCITY * 1e3 * u.m / u.s
    given = {
        "quantity": quantity,
        "column": Column(quantity.value, unit="m/s"),
        "list": list(quantity),
        "masked quantity": Masked(quantity),
    }[kind]
    spectra = observed.with_flux(observed.flux, meta={"rv": given})
    out = RestFrameShifter(given if direct else "rv").fit_transform(spectra)
    assert_allclose(out.meta["rest_frame_velocity"], VELOCITY)


@pytest.mark.parametrize("make", [np.ma.MaskedArray, MaskedColumn, Masked])
@pytest.mark.parametrize("direct", [True, False])
def test_shifter_refuses_masked_velocities(observed, make, direct):
    given = make(np.full(5, -9999.0), mask=np.arange(5) == 2)
    spectra = observed.with_flux(observed.flux, meta={"rv": given})
    with pytest.raises(ValueError, match="`velocity` must"):
        RestFrameShifter(given if direct else "rv").fit_transform(spectra)


def test_shifter_compares_templates_at_the_pixels_they_share(rng, template):
    # A template with lines a little too broad has less to explain where half of it is masked.
    wrong = star(0.0, 1.05 * SIGMA)[0]
    ivar = np.ones((2, P))
    ivar[0, :600] = 0
    both = Spectra(np.r_[wrong[None], template.flux], AXIS, ivar, noise="exact")
    flux = star(VELOCITY) + 0.005 * rng.standard_normal((5, P))
    spectra = Spectra(flux, AXIS, np.full(flux.shape, 4e4))
    measured, error = RestFrameShifter(template=both).fit(both).measure(spectra)
    assert_allclose(measured.value, VELOCITY, atol=1)
    alone = RestFrameShifter(template=template).fit(template).measure(spectra)
    assert_array_equal(measured, alone[0])  # from all pixels that the best template covers
    assert_array_equal(error, alone[1])


def test_shifter_refuses_templates_without_shared_pixels(template):
    ivar = np.ones((2, P))
    ivar[0, :600] = ivar[1, 600:] = 0
    both = Spectra(template.flux[[0, 0]], AXIS, ivar, noise="exact")
    with pytest.raises(ValueError, match="in every row and at all velocities"):
        RestFrameShifter(template=both).fit(both)

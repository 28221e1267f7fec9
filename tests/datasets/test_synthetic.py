"""The synthetic model is the one of its file, on any grid, and says when it extrapolates."""

import astropy.units as u
import numpy as np
import pytest

from spectragan.datasets import SyntheticModel, load_miles, make_synthetic_spectra
from spectragan.datasets.storage import load_arrays
from spectragan.exceptions import LabelExtrapolationWarning

SUN = [[5772.0, 4.44, 0.0]]
STARS = np.array([[5772.0, 4.44, 0.0], [4700.0, 2.4, -0.3], [6500.0, 4.1, -1.5]])


def evaluate_by_definition(labels):
    """Evaluate the formula of the data README, star by star, on the grid of the file."""
    file = load_arrays("cannon_coolstars_miles_resolution")
    scaled = (labels - file["fiducials"]) / file["scales"]
    terms = [np.prod(scaled**e, axis=1) for e in file["terms_exponents"]]
    design = np.column_stack([np.ones(len(labels)), *terms])
    return (
        file["wave_air"].astype(float),
        design @ file["theta"].T,
        file["cont_wave"].astype(float),
        10 ** (design @ file["cont_theta_log10"].T),
    )


def test_model_equals_the_definition_on_the_grid_of_miles():
    wave, normalized, cont_wave, continuum = evaluate_by_definition(STARS)
    model = SyntheticModel()
    grid = load_miles().spectra.wavelength
    assert u.allclose(model.wavelength, grid, rtol=1e-12)
    for row in range(len(STARS)):
        expected = np.interp(grid.value, wave, normalized[row])
        np.testing.assert_allclose(model.normalized(STARS)[row], expected, atol=1e-9)
        expected = expected * np.interp(grid.value, cont_wave, continuum[row])
        expected /= np.median(expected)
        np.testing.assert_allclose(model.predict(STARS)[row], expected, rtol=1e-7)


def test_model_rows_do_not_depend_on_their_batch():
    model = SyntheticModel()
    alone = np.concatenate([model.predict(STARS[[k]]) for k in range(3)])
    np.testing.assert_allclose(model.predict(STARS), alone, rtol=1e-12)


def test_model_looks_like_real_stars():
    miles = load_miles()
    near = np.abs(miles.labels - SUN[0]) < [150, 0.3, 0.15]
    stars = miles.spectra.flux[near.all(axis=1)]
    assert len(stars) > 3
    residual = np.median(stars, axis=0) - SyntheticModel().predict(SUN)[0]
    assert np.sqrt(np.mean(residual**2)) < 0.08


def test_model_accepts_units_and_any_grid():
    in_angstrom = SyntheticModel([5000.0, 5000.5, 5400.0]).normalized(SUN)
    in_nm = SyntheticModel([500.0, 500.05, 540.0] * u.nm).normalized(SUN)
    np.testing.assert_allclose(in_angstrom, in_nm, rtol=1e-12)
    assert SyntheticModel([3540.5, 7409.6]).predict(SUN).shape == (1, 2)


def test_model_continuum_is_positive():
    assert (SyntheticModel().continuum(STARS) > 0).all()


@pytest.mark.parametrize(
    ("wavelength", "message"),
    [
        ([5000.0, 4900.0], "`wavelength` must be ascending"),
        ([[5000.0]], "`wavelength` must be ascending"),
        ([3000.0, 5000.0], "`wavelength` must lie within the synthetic model, 3540.5 to 7409.6"),
        ([5000.0, np.nan], "`wavelength` must be ascending"),
    ],
)
def test_model_refuses_grids_it_cannot_serve(wavelength, message):
    with pytest.raises(ValueError, match=message):
        SyntheticModel(wavelength)


def test_model_outside_its_validity_warns_raises_or_obeys():
    labels = [[5772.0, 4.44, 0.0], [9000.0, 4.0, 0.0]]
    with pytest.warns(LabelExtrapolationWarning, match="got 9000 in row 1 \\(1 of 2 rows"):
        SyntheticModel().predict(labels)
    with pytest.raises(ValueError, match="teff 3500 to 8000; got 9000"):
        SyntheticModel(outside="raise").predict(labels)
    assert SyntheticModel(outside="ignore").predict(labels).shape == (2, 3111)
    with pytest.raises(ValueError, match="`outside` must be one of"):
        SyntheticModel(outside="maybe")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([5772.0, 4.44, 0.0], r"`labels` must have shape \(n_samples, 3\)"),
        ([[5772.0, 4.44]], r"`labels` must have shape \(n_samples, 3\)"),
        ([[5772.0, np.nan, 0.0]], "`labels` must be finite; got nan for logg in row 0"),
    ],
)
def test_labels_are_checked_with_one_sentence(labels, message):
    with pytest.raises(ValueError, match=message):
        make_synthetic_spectra(labels=labels)


def test_make_synthetic_spectra_is_exact_and_on_the_grid_of_miles():
    data = make_synthetic_spectra(20, random_state=0)
    miles = load_miles()
    assert set(data.spectra.noise) == {"exact"}
    assert data.spectra.medium == "air"
    assert u.allclose(data.spectra.wavelength, miles.spectra.wavelength, rtol=1e-12)
    np.testing.assert_allclose(np.median(data.spectra.flux, axis=1), 1.0)
    np.testing.assert_array_equal(data.spectra.flux, SyntheticModel().predict(data.labels))
    assert data.label_names == ("teff", "logg", "feh")


def test_make_synthetic_spectra_keeps_given_labels():
    labels = STARS.copy()
    data = make_synthetic_spectra(labels=labels)
    np.testing.assert_array_equal(data.labels, STARS)
    assert data.labels is not labels, "the caller's array must not travel on"


@pytest.mark.parametrize("n_samples", [0, -3, 2.5, True, "10"])
def test_make_synthetic_spectra_checks_the_number(n_samples):
    with pytest.raises(ValueError, match="`n_samples` must be an integer >= 1"):
        make_synthetic_spectra(n_samples)


def test_make_synthetic_spectra_is_reproducible_and_leaves_the_global_generator():
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - the state that must not move
    first = make_synthetic_spectra(5, random_state=3)
    second = make_synthetic_spectra(5, random_state=3)
    other = make_synthetic_spectra(5, random_state=4)
    make_synthetic_spectra(5)
    np.testing.assert_array_equal(first.spectra.flux, second.spectra.flux)
    assert not np.array_equal(first.labels, other.labels)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002 - as above

import copy
import pickle

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
import torch
from astropy.table import QTable, Table
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from spectragan.datasets import load_turbospectrum, make_synthetic_spectra
from spectragan.emulator.estimator import SpectrumEmulator
from spectragan.exceptions import GridMismatchError, LabelExtrapolationWarning
from spectragan.spectra import Spectra

NAMES = ("teff", "logg", "feh")


def emulator(**parameters):
    defaults = {"n_components": 16, "random_state": 0, "verbose": 0, "device": "cpu"}
    return SpectrumEmulator(**(defaults | parameters))


def from_the_middle(labels):
    """Return rows in an order in which no label of an early one is outside of the late ones."""
    rank = np.argsort(np.argsort(labels, axis=0), axis=0)
    return np.argsort(np.abs(rank - len(labels) / 2).max(1))


@pytest.fixture(scope="module")
def stars():
    """Return labels and spectra, (150, 3) and (150, 200): 120 to train on and 30 to test."""
    bunch = make_synthetic_spectra(150, random_state=0)
    flux = bunch.spectra.flux[:, 1200:1400]
    inside = from_the_middle(bunch.labels)
    order = np.concatenate([inside[30:], inside[:30]])  # no test star leaves the range
    return bunch.labels[order], flux[order] / flux[order].mean(1, keepdims=True)


@pytest.fixture(scope="module")
def fitted(stars):
    return emulator().fit(stars[0][:120], stars[1][:120])


# One check gives stars no weight, and predicts their spectra: these may lie outside.
@pytest.mark.filterwarnings("ignore::spectragan.LabelExtrapolationWarning")
@parametrize_with_checks([SpectrumEmulator(verbose=0)])
def test_emulator_is_a_scikit_learn_estimator(estimator, check):
    check(estimator)


def test_emulator_beats_gaussian_processes_on_true_syntheses():
    bunch = load_turbospectrum()
    held_out = np.arange(len(bunch.labels)) % 5 == 0
    training = ~held_out
    inside = (bunch.labels >= bunch.labels[training].min(0)).all(1)
    inside &= (bunch.labels <= bunch.labels[training].max(0)).all(1)
    test = held_out & inside
    found = emulator(n_components=128).fit(bunch.labels[training], bunch.spectra[training])
    error = found.predict(bunch.labels[test]) - bunch.spectra[test].flux
    assert np.median(np.abs(error)) < 2e-4, "Gaussian processes reach 7.3e-4"
    assert np.sqrt(np.mean(error**2)) < 2.5e-3


def test_emulator_keeps_spectra_at_a_median_of_1():
    bunch = make_synthetic_spectra(300, random_state=1)
    flux = bunch.spectra.flux[:, ::10]
    flux = flux / np.median(flux, axis=1, keepdims=True)
    inside = from_the_middle(bunch.labels)
    train, test = inside[50:], inside[:50]
    predicted = emulator().fit(bunch.labels[train], flux[train]).predict(bunch.labels[test])
    np.testing.assert_allclose(np.median(predicted, axis=1), 1, rtol=1e-12)
    assert np.median(np.abs(predicted - flux[test])) < 1e-4, "a smooth scale alone leaves 5e-4"


def test_network_learns_from_the_stars_beyond_the_centers():
    bunch = make_synthetic_spectra(450, random_state=2)
    flux = bunch.spectra.flux[:, 1200:1250]
    flux = flux / flux.mean(1, keepdims=True)
    inside = from_the_middle(bunch.labels)
    train, test = inside[50:], inside[:50]
    errors = []
    for max_epochs in (0, 300):
        found = emulator(n_centers=10, hidden=(64, 64), max_epochs=max_epochs, batch_size=64)
        found.fit(bunch.labels[train], flux[train])
        errors.append(np.sqrt(np.mean((found.predict(bunch.labels[test]) - flux[test]) ** 2)))
    assert errors[1] < 0.5 * errors[0]
    assert len(found.net_.history) > 0


def test_jacobian_equals_central_differences(fitted, stars):
    labels = stars[0][120:125]
    jacobian = fitted.jacobian(labels)
    assert jacobian.shape == (5, 200, 3)
    for label, step in enumerate((0.1, 1e-4, 1e-4)):
        shift = step * np.eye(3)[label]
        difference = (fitted.predict(labels + shift) - fitted.predict(labels - shift)) / (2 * step)
        tolerance = 1e-6 * np.abs(difference).max()
        np.testing.assert_allclose(jacobian[:, :, label], difference, rtol=0, atol=tolerance)


def test_predict_gives_each_row_the_same_spectrum_in_any_batch(fitted, stars):
    labels = np.tile(stars[0][120:], (4, 1))
    together = fitted.predict(labels)
    for rows in (slice(0, 1), slice(3, 70), [100, 2, 5]):
        np.testing.assert_array_equal(fitted.predict(labels[rows]), together[rows])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predict_keeps_the_precision_of_the_labels(fitted, stars, dtype):
    labels = stars[0][120:].astype(dtype)
    assert fitted.predict(labels).dtype == dtype
    np.testing.assert_allclose(fitted.predict(labels), fitted.predict(stars[0][120:]), atol=1e-5)


def test_spectra_are_combinations_of_components(fitted, stars):
    flux = fitted.predict(stars[0][120:])
    coefficients = np.linalg.lstsq(fitted.components_.T, flux.T, rcond=None)[0]
    np.testing.assert_allclose(coefficients.T @ fitted.components_, flux, atol=1e-10)


def test_same_seed_gives_the_same_bits_and_touches_no_generator(stars):
    before = torch.get_rng_state(), np.random.mtrand._rand.get_state()[1].copy()
    runs = [emulator(n_centers=20, max_epochs=2).fit(stars[0], stars[1]) for _ in range(2)]
    predictions = [run.predict(stars[0]) for run in runs]
    np.testing.assert_array_equal(*predictions)
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_array_equal(np.random.mtrand._rand.get_state()[1], before[1])


def test_fit_leaves_the_callers_arrays_alone(stars):
    labels, flux = stars[0].copy(), stars[1].copy()
    for array in (labels, flux):
        array.flags.writeable = False
    emulator().fit(labels, flux).predict(labels)
    np.testing.assert_array_equal(flux, stars[1])


def test_values_under_ivar_0_change_nothing(stars):
    labels, flux = stars
    ivar = (np.random.RandomState(0).rand(*flux.shape) > 0.2).astype(float)
    first, second = (
        emulator().fit(labels, Spectra(np.where(ivar > 0, flux, bad), None, ivar, "exact"))
        for bad in (0.0, 1e9)
    )
    np.testing.assert_array_equal(first.predict(labels), second.predict(labels))


def test_masked_pixels_cost_little(stars, fitted):
    labels, flux = stars
    ivar = (np.random.RandomState(0).rand(*flux.shape) > 0.2).astype(float)
    found = emulator().fit(labels[:120], Spectra(flux[:120], None, ivar[:120], "exact"))
    error = np.median(np.abs(found.predict(labels[120:]) - flux[120:]))
    assert error < 1e-3
    assert error < 0.1 * np.median(np.abs(flux[:120].mean(0) - flux[120:]))


def test_known_noise_is_weighted(stars):
    labels, flux = stars
    rng = np.random.RandomState(0)
    sigma = np.where(rng.rand(120, 1) < 0.5, 0.2, 0.002) * np.ones(200)
    noisy = flux[:120] + sigma * rng.normal(size=sigma.shape)
    errors = [
        np.sqrt(np.mean((emulator().fit(labels[:120], y).predict(labels[120:]) - flux[120:]) ** 2))
        for y in (Spectra(noisy, None, sigma**-2), noisy)
    ]
    assert errors[0] < 0.5 * errors[1]


def test_a_pixel_masked_everywhere_is_nan(stars):
    ivar = np.ones(stars[1].shape)
    ivar[:, 5] = 0
    found = emulator().fit(stars[0], Spectra(stars[1], None, ivar, "exact"))
    np.testing.assert_array_equal(np.isnan(found.predict(stars[0])).all(0), ivar[0] == 0)


@pytest.mark.parametrize("kind", [pd.DataFrame, Table, QTable])
def test_named_labels_may_come_in_any_order(stars, fitted, kind):
    columns = dict(zip(NAMES, stars[0].T, strict=True))
    if kind is QTable:
        columns["teff"] = columns["teff"] * u.K
    named = emulator().fit(kind(columns)[:120], stars[1][:120])
    assert named.label_names_ == NAMES
    test = {name: columns[name][120:] for name in ("feh", "teff", "logg")}
    np.testing.assert_array_equal(named.predict(kind(test)), fitted.predict(stars[0][120:]))
    np.testing.assert_array_equal(named.predict(stars[0][120:]), fitted.predict(stars[0][120:]))
    del test["logg"]
    with pytest.raises(ValueError, match="without logg"):
        named.predict(kind(test))


def test_fit_remembers_what_it_was_fitted_on(stars):
    wavelength = np.linspace(500, 520, 200) * u.nm
    found = emulator().fit(stars[0], Spectra(stars[1], wavelength, medium="air", noise="exact"))
    np.testing.assert_allclose(found.wavelength_.to_value(u.nm), wavelength.value)
    assert found.medium_ == "air"
    np.testing.assert_array_equal(found.label_range_, [stars[0].min(0), stars[0].max(0)])
    assert found.label_names_ == ("teff", "logg", "feh")


def test_score_is_1_for_perfect_spectra_and_ignores_masked_pixels(stars, fitted):
    labels, flux = stars[0][120:], stars[1][120:]
    assert 0.999 < fitted.score(labels, flux) <= 1
    ivar = np.ones(flux.shape)
    ivar[:, :3] = 0
    broken = np.where(ivar > 0, flux, 1e6)
    assert fitted.score(labels, Spectra(broken, None, ivar, "exact")) > 0.999


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_emulator_survives_a_round_trip(fitted, stars, duplicate):
    np.testing.assert_array_equal(
        duplicate(fitted).predict(stars[0][120:]), fitted.predict(stars[0][120:])
    )


def test_a_label_that_does_not_vary_is_harmless(stars):
    labels = np.column_stack([stars[0], np.full(len(stars[0]), 2.0)])
    found = emulator().fit(labels[:120], stars[1][:120])
    assert np.median(np.abs(found.predict(labels[120:]) - stars[1][120:])) < 1e-3
    np.testing.assert_array_equal(found.jacobian(labels[120:])[:, :, 3], 0)


def test_labels_outside_the_range_warn(fitted, stars):
    labels = stars[0][120:].copy()
    labels[3, 0] = fitted.label_range_[1, 0] + 500
    for method in (fitted.predict, fitted.jacobian):
        with pytest.warns(LabelExtrapolationWarning, match="`teff`.* at row 3, 500 outside"):
            method(labels)


def test_errors_are_one_sentence(stars, fitted):
    labels, flux = stars
    with pytest.raises(ValueError, match=r"X has 2 features, but .* one column per label"):
        fitted.predict(np.asarray(labels)[:, :2])
    with pytest.raises(ValueError, match="the columns of the fit, teff, logg, feh; got teff, logg"):
        fitted.predict(labels[:, :2])
    with pytest.raises(ValueError, match="NaN"):
        fitted.predict(np.where(labels > 5000, np.nan, labels))
    with pytest.raises(ValueError, match="NaN"):
        emulator().fit(np.where(labels > 5000, np.nan, labels), flux)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        emulator().fit(labels[:-1], flux)
    with pytest.raises(ValueError, match=r"at least 2 spectra .* got 1 sample"):
        emulator().fit(labels[:1], flux[:1])
    with pytest.raises(ValueError, match="`y` must have at least one pixel with ivar > 0"):
        emulator().fit(labels, Spectra(flux, None, np.zeros(flux.shape), "exact"))
    with pytest.raises(GridMismatchError, match="`y` must be on the grid of the fit, 200 pixels"):
        fitted.score(labels, flux[:, :100])


def test_score_refuses_other_wavelengths(stars):
    grid = np.linspace(5000, 5200, 200) * u.AA
    found = emulator().fit(stars[0], Spectra(stars[1], grid, noise="exact"))
    with pytest.raises(GridMismatchError, match=r"5000.* to 5200.*; got 5001"):
        found.score(stars[0], Spectra(stars[1], grid + 1 * u.AA, noise="exact"))


@pytest.mark.parametrize("method", ["predict", "jacobian"])
def test_unfitted_use_is_refused(method):
    with pytest.raises(NotFittedError):
        getattr(SpectrumEmulator(), method)([[5000.0, 3.0, 0.0]])


@pytest.mark.parametrize(
    "parameters",
    [
        {"n_components": 0},
        {"n_centers": 1.5},
        {"max_epochs": -1},
        {"batch_size": 0},
        {"validation_fraction": 1.0},
        {"learning_rate": 0},
        {"device": "abacus"},
    ],
)
def test_bad_parameters_are_named(stars, parameters):
    (name,) = parameters
    with pytest.raises(ValueError, match=f"`{name}` must"):
        emulator(**parameters).fit(*stars)


def test_names_and_units_of_labels_are_remembered(stars):
    labels, flux = stars
    bare = np.asarray(labels)
    assert emulator(n_components=2).fit(bare, flux).label_names_ == (
        "label_0",
        "label_1",
        "label_2",
    )
    found = emulator(n_components=2).fit(bare, flux, label_names=NAMES)
    assert found.label_names_ == NAMES
    np.testing.assert_array_equal(found.predict(labels[:3, ::-1]), found.predict(bare[:3]))
    known = emulator(n_components=2).fit(labels, flux)
    assert known._label_units == {"teff": u.K}
    with pytest.raises(ValueError, match="`names` must name every column"):
        emulator().fit(bare, flux, label_names=("teff", "logg"))


@pytest.mark.parametrize("as_spectra", [lambda flux: flux, lambda flux: Spectra(flux, None)])
def test_labels_and_spectra_that_changed_places_are_told(stars, as_spectra):
    with pytest.raises(ValueError, match=r"in the order fit\(labels, spectra\); got .*; swap"):
        emulator().fit(as_spectra(stars[1]), np.asarray(stars[0]))

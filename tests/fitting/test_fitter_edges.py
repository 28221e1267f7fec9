"""Fits stay right where spectra have holes, threads run side by side, and parts are changed."""

import pickle
import warnings

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
import torch
from astropy.table import QTable, Table

from spectragan import (
    LinearTranslator,
    ObservedEmulator,
    ParameterFitter,
    Spectra,
    SpectrumEmulator,
)
from spectragan.fitting.parts import build_model


def test_threads_change_no_label(emulator, fitted, mock):
    fitter = ParameterFitter(emulator, fitted)
    expected, std = fitter.predict(mock.observed, return_std=True)
    filters = list(warnings.filters)
    torch.set_num_threads(3)
    try:
        found = fitter.predict(mock.observed)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(1)
    assert warnings.filters == filters
    assert (np.abs(found - expected) < 1e-2 * std).all()


@pytest.fixture(scope="module")
def holed(mock):
    """Return an emulator whose syntheses all lack five pixels."""
    ivar = np.array(mock.synthetic.ivar)
    ivar[:, 38:43] = 0
    synthetic = mock.synthetic.with_flux(mock.synthetic.flux, ivar, "exact")
    return SpectrumEmulator(16, random_state=0, verbose=0).fit(mock.labels_synthetic, synthetic)


@pytest.mark.parametrize("name", ["linear", "gan", "conv"])
def test_translators_fill_what_the_emulator_lacks(name, holed, mock, quick, fitted):
    made = {
        "linear": lambda: LinearTranslator(5).fit(mock.synthetic, mock.observed),
        "gan": lambda: fitted,
        "conv": lambda: quick(network="conv", max_epochs=1, width=0.1).fit(
            mock.synthetic, mock.observed
        ),
    }
    translator, labels = made[name](), mock.labels_synthetic[:1]
    model = build_model(holed, translator)
    split = translator.split_codes_[:1] if model.n_split else np.zeros((1, 0))
    values, _ = model.with_jacobian(torch.as_tensor(np.hstack([labels, split])))
    found = values if model.basis is None else values @ model.basis
    known = ObservedEmulator(holed, translator, split if model.n_split else None)
    np.testing.assert_allclose(found.numpy(), known.predict(labels), atol=1e-9)


def lines(wavelength, depths, velocity):
    """Make lines of two depths, moved by a velocity."""
    factor = np.sqrt((1 + velocity / 299792.458) / (1 - velocity / 299792.458))[:, None, None]
    centers = np.array([5005, 5022, 5048, 5068, 5077, 5096])[:, None] * factor
    offset = 299792.458 * np.log(wavelength / centers) / 25.0
    return 1 - (depths[:, [0, 1] * 3, None] * np.exp(-0.5 * offset**2)).sum(axis=1)


GRIDS = {
    "holes": (np.linspace(5000, 5100, 400), slice(180, 200)),
    "gap": (np.r_[np.linspace(5000, 5050, 200), np.linspace(5066, 5100, 140)], slice(0, 0)),
}


@pytest.mark.parametrize("name", GRIDS)
def test_velocities_keep_away_from_holes(name, observe):
    wavelength, hole = GRIDS[name]
    rng = np.random.default_rng(0)
    depths, at_rest = rng.uniform(0.1, 0.6, (150, 2)), np.zeros(150)
    good = np.ones((150, len(wavelength)))
    good[:, hole] = 0
    models = Spectra(lines(wavelength, depths, at_rest), wavelength * u.AA, good, "exact")
    emulator = SpectrumEmulator(8, verbose=0).fit(Table(depths, names=["a", "b"]), models)
    truth, velocity = rng.uniform(0.2, 0.5, (60, 2)), rng.uniform(-60, 60, 60)
    stars = observe(lines(wavelength, truth, velocity), wavelength * u.AA)
    table = ParameterFitter(emulator, nuisances=["velocity"]).fit_table(stars)
    assert np.median(table["chi2"] / table["dof"]) < 1.2
    pull = np.abs(table["velocity"].value - velocity) / table["velocity_err"].value
    assert 0.4 < np.median(pull) < 1.0


def test_a_prediction_heeds_what_was_changed(emulator, mock, stars, named):
    middle = float(np.median(mock.labels_synthetic[:, 0]))
    bounds = {"teff": (4300.0, 6600.0)}
    fitter = ParameterFitter(emulator, bounds=bounds)
    fitter.predict(stars[:3])
    bounds["teff"] = (middle, middle + 1)
    assert (np.abs(fitter.predict(stars[:3])[:, 0] - middle) <= 1).all()
    own = SpectrumEmulator(8, verbose=0).fit(named(mock.labels_synthetic), mock.synthetic)
    fitter = ParameterFitter(own)
    before = fitter.predict(stars[:3])
    own.fit(named(2 * mock.labels_synthetic), mock.synthetic)
    np.testing.assert_allclose(fitter.predict(stars[:3]), 2 * before, rtol=0.05)


def test_pickling_changes_nothing(emulator, mock, stars):
    middle = float(np.median(mock.labels_synthetic[:, 0]))
    fitter = ParameterFitter(emulator).fit()
    expected = fitter.predict(stars[:3])
    fitter.set_params(bounds={"teff": (middle, middle + 1)})  # heeded by the next fit
    again = pickle.loads(pickle.dumps(fitter))
    np.testing.assert_array_equal(fitter.predict(stars[:3]), expected)
    np.testing.assert_array_equal(again.predict(stars[:3]), expected)


def test_a_failed_calibration_leaves_the_last_one(emulator, stars, truth, named):
    fitter = ParameterFitter(emulator).fit(stars, named(truth))
    factors = fitter.err_inflation_
    with pytest.raises(ValueError, match="at least 10"):
        fitter.fit(stars[:4], named(truth[:4]))
    assert fitter.err_inflation_ is factors


def test_names_and_units_of_labels_are_heeded(mock, stars, truth):
    frame = pd.DataFrame(truth, columns=["teff", "logg", "feh"])
    fitter = ParameterFitter(bounds={"teff": (4000, 7000)}, random_state=0).fit(stars, frame)
    swapped = frame[["feh", "teff", "logg"]]
    assert fitter.score(stars, frame) > 0.9
    assert fitter.score(stars, swapped) == fitter.score(stars, frame)
    labels = QTable({"teff": mock.labels_synthetic[:, 0] * u.K})
    labels["logg"], labels["feh"] = mock.labels_synthetic[:, 1:].T
    emulator = SpectrumEmulator(8, verbose=0).fit(labels, mock.synthetic)
    kilo = QTable({"teff": truth[:, 0] / 1000 * u.kK, "logg": truth[:, 1], "feh": truth[:, 2]})
    factors = ParameterFitter(emulator).fit(stars, kilo).err_inflation_
    np.testing.assert_allclose(factors, ParameterFitter(emulator).fit(stars, truth).err_inflation_)


def test_flux_units_must_be_the_emulators(emulator, stars):
    jansky = Spectra(stars.flux * u.Jy, stars.wavelength, stars.ivar / u.Jy**2)
    with pytest.raises(ValueError, match="must have the flux unit of the emulator, ''; got 'Jy'"):
        ParameterFitter(emulator).predict(jansky)


def test_labels_must_not_collide_with_columns(mock):
    labels = Table(mock.labels_synthetic, names=["teff", "velocity", "chi2"])
    emulator = SpectrumEmulator(4, verbose=0).fit(labels, mock.synthetic)
    with pytest.raises(ValueError, match="must not be called 'chi2'"):
        ParameterFitter(emulator).predict(mock.observed)


def test_a_constant_label_does_not_spoil_the_calibration(mock, stars, truth):
    labels = mock.labels_synthetic.copy()
    labels[:, 2] = -0.3
    emulator = SpectrumEmulator(8, verbose=0).fit(labels, mock.synthetic)
    factors = ParameterFitter(emulator).fit(stars, truth * [1, 1, 0] - [0, 0, 0.3]).err_inflation_
    assert np.isfinite(factors).all()
    assert factors[2] == 1.0


def test_training_through_a_translator_does_not_judge_errors(mock):
    translator = LinearTranslator(5).fit(mock.synthetic, mock.observed)
    fitter = ParameterFitter(translator=translator, random_state=0)
    assert (fitter.fit(mock.synthetic, mock.labels_synthetic).err_inflation_ == 1).all()

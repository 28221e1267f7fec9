"""Any function of labels is an emulator, with derivatives that are right to its very ends."""

import importlib.util
import pickle

import astropy.units as u
import numpy as np
import pytest
import torch

from spectragan import ParameterFitter
from spectragan.interop import CallableEmulator

NAMES = ("teff", "logg")
RANGE = np.array([[4000.0, 1.0], [7000.0, 5.0]])
WAVELENGTH = np.linspace(5000, 5100, 40) * u.AA
LABELS = np.array([[5772.0, 4.44], [4000.0, 1.0], [7000.0, 5.0], [4001.0, 3.0]])


def model(labels, xp=np):
    """Return spectra of two lines; NaN outside of the range, as grids have it."""
    x = (labels - RANGE[0]) / (RANGE[1] - RANGE[0]) if xp is np else None
    grid = np.linspace(0, 1, 40) if xp is np else torch.linspace(0, 1, 40, dtype=torch.float64)
    lines = [xp.exp(-(((grid - place) / 0.05) ** 2)) for place in (0.3, 0.7)]
    if xp is torch:
        x = (labels - torch.as_tensor(RANGE[0])) / torch.as_tensor(RANGE[1] - RANGE[0])
    deep = 0.3 * xp.exp(-x[:, :1]) * lines[0] + 0.2 * xp.sin(x[:, 1:] + x[:, :1]) * lines[1]
    if xp is np:
        deep = np.where(((x >= 0) & (x <= 1)).all(axis=1, keepdims=True), deep, np.nan)
    return 1 - deep


def exact_slopes(labels):
    x = (labels - RANGE[0]) / (RANGE[1] - RANGE[0])
    grid = np.linspace(0, 1, 40)
    first, second = (np.exp(-(((grid - place) / 0.05) ** 2)) for place in (0.3, 0.7))
    wave = 0.2 * np.cos(x[:, 1:] + x[:, :1]) * second
    slopes = np.stack([0.3 * np.exp(-x[:, :1]) * first - wave, -wave], axis=2)
    return slopes / (RANGE[1] - RANGE[0])


def make(function=model, **parameters):
    return CallableEmulator(function, NAMES, RANGE, WAVELENGTH, **parameters)


@pytest.mark.parametrize(
    ("function", "jacobian"),
    [
        (model, None),
        (model, exact_slopes),
        (lambda labels: model(labels, torch), "torch"),
        (lambda labels: np.float32(model(labels)), None),
    ],
)
def test_flux_and_derivatives_are_those_of_the_function(function, jacobian):
    emulator = make(function, jacobian=jacobian)
    np.testing.assert_allclose(emulator.predict(LABELS), model(LABELS), rtol=1e-6)
    is_single = jacobian is None and function is not model
    tolerance = 1e-4 if is_single else 1e-10
    scaled = (emulator.jacobian(LABELS) - exact_slopes(LABELS)) * (RANGE[1] - RANGE[0])
    assert np.abs(scaled).max() < tolerance


def test_jax_differentiates_or_is_missed_in_one_sentence():
    if importlib.util.find_spec("jax") is None:
        with pytest.raises(ImportError, match="jacobian='jax' needs the package jax"):
            make(jacobian="jax")
        return
    emulator = CallableEmulator(lambda x: x**2, ["a"], [[0.0], [1.0]], jacobian="jax")
    np.testing.assert_allclose(emulator.jacobian([[0.5]]), [[[1.0]]], rtol=1e-6)


def test_rows_do_not_depend_on_their_batch():
    emulator = make()
    many = np.random.default_rng(0).uniform(*RANGE, size=(150, 2))
    np.testing.assert_array_equal(emulator.predict(many)[137], emulator.predict(many[137:138])[0])


def test_a_descending_grid_is_turned_around_with_the_flux():
    turned = CallableEmulator(model, NAMES, RANGE, WAVELENGTH[::-1])
    np.testing.assert_array_equal(turned.wavelength_, WAVELENGTH)
    np.testing.assert_array_equal(turned.predict(LABELS), make().predict(LABELS)[:, ::-1])
    np.testing.assert_array_equal(turned.jacobian(LABELS), make().jacobian(LABELS)[:, ::-1])


def test_table_of_a_fit_has_the_units_given():
    emulator = make(jacobian=exact_slopes, label_units={"teff": "K", "logg": "dex"})
    stars = emulator.spectra(LABELS[:1])
    table = ParameterFitter(emulator, verbose=0).fit_table(
        stars.with_flux(stars.flux, np.full(stars.shape, 1e6), "known")
    )
    assert table["teff"].unit == u.K
    np.testing.assert_allclose(table["teff"].value, LABELS[:1, 0], rtol=1e-4)


def test_emulator_can_be_pickled():
    again = pickle.loads(pickle.dumps(make()))
    np.testing.assert_array_equal(again.predict(LABELS), make().predict(LABELS))
    assert repr(again) == "CallableEmulator(teff, logg; 40 pixels)"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((3, NAMES, RANGE), TypeError, "`function` must be callable; got int"),
        ((model, "tl", RANGE), ValueError, "must be a sequence of different names; got 'tl'"),
        ((model, NAMES, RANGE[::-1]), ValueError, "`label_range` must hold the lowest"),
        ((model, NAMES, RANGE, WAVELENGTH[:5]), ValueError, "5"),
        ((model, NAMES, RANGE, None, "numba"), ValueError, "'torch' or 'jax' or None; got 'numba'"),
        ((lambda x: x[0], NAMES, RANGE), ValueError, "must return flux of shape"),
    ],
)
def test_arguments_that_do_not_fit_are_told(arguments, error, message):
    with pytest.raises(error, match=message):
        CallableEmulator(*arguments)


def test_functions_that_mix_rows_are_told():
    odd = make(lambda labels: np.repeat(model(labels), len(labels), axis=0))
    with pytest.raises(ValueError, match=r"must return arrays of shape \(64, 40\)"):
        odd.predict(LABELS)
    with pytest.raises(ValueError, match="one column for each of teff, logg; got 3 columns"):
        make().predict(np.ones((2, 3)))


def test_a_function_that_leaves_torch_is_told():
    left = make(lambda labels: torch.as_tensor(model(labels.detach().numpy())), jacobian="torch")
    with pytest.raises(ValueError, match="`function` must be differentiable by torch"):
        left.jacobian(LABELS)

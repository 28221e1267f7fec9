import warnings

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from spectragan import (
    GridMismatchError,
    LabelExtrapolationWarning,
    LinearTranslator,
    MeanShiftTranslator,
    ObservedEmulator,
    Spectra,
    SpectrumEmulator,
)

TRANSLATORS = ["cyclegan", "linear", "mean shift"]


@pytest.fixture(scope="module")
def emulator(mock):
    flux = mock.synthetic.flux.astype(float)
    models = Spectra(flux, mock.synthetic.wavelength, noise="exact", medium="air")
    emulator = SpectrumEmulator(n_components=12, random_state=0, device="cpu", verbose=0)
    return emulator.fit(mock.labels_synthetic, models)


@pytest.fixture(scope="module")
def translators(mock, fitted):
    baselines = (
        make().fit(mock.synthetic, mock.observed)
        for make in (LinearTranslator, MeanShiftTranslator)
    )
    return dict(zip(TRANSLATORS, (fitted, *baselines), strict=True))


@pytest.fixture(scope="module")
def labels(mock):
    """Return labels of five stars well inside the range of training."""
    middle = np.abs(mock.labels_synthetic - np.median(mock.labels_synthetic, axis=0))
    rank = (middle / mock.labels_synthetic.std(axis=0)).max(axis=1)
    return mock.labels_synthetic[np.argsort(rank)[:5]]


def differences(predict, labels, step=1e-3):
    """Return derivatives by central differences of fourth order."""
    columns = []
    for j, width in enumerate(step * np.array([1000.0, 1.0, 1.0])):
        move = width * np.eye(3)[j]
        near, far = (predict(labels + k * move) - predict(labels - k * move) for k in (1, 2))
        columns.append((8 * near - far) / (12 * width))
    return np.stack(columns, axis=2)


@pytest.mark.parametrize("name", TRANSLATORS)
def test_jacobian_is_that_of_predict(emulator, translators, labels, name):
    observed = ObservedEmulator(emulator, translators[name])
    jacobian = observed.jacobian(labels)
    expected = differences(observed.predict, labels)
    assert jacobian.shape == (5, 80, 3)
    for j in range(3):
        wrong = np.abs(jacobian[..., j] - expected[..., j]).max()
        assert wrong <= 1e-6 * np.abs(expected[..., j]).max()


def test_jacobian_is_not_that_of_the_synthetic_spectra(emulator, translators, labels):
    """Lines the models lack follow the labels, too."""
    synthetic = emulator.jacobian(labels)
    moved = ObservedEmulator(emulator, translators["cyclegan"]).jacobian(labels)
    plain = ObservedEmulator(emulator, translators["mean shift"]).jacobian(labels)
    np.testing.assert_allclose(plain, synthetic, rtol=1e-9, atol=1e-12)
    assert np.abs(moved - synthetic).max() > 0.01 * np.abs(synthetic).max()


@pytest.mark.parametrize("name", TRANSLATORS)
def test_predict_is_the_emulator_and_then_the_translator(emulator, translators, labels, name):
    observed = ObservedEmulator(emulator, translators[name])
    expected = translators[name].transform(emulator.predict(labels))
    np.testing.assert_allclose(observed.predict(labels), expected, rtol=1e-12)


def test_given_split_codes_are_used_and_averaged_over(emulator, fitted, labels, mock):
    codes = fitted.encode(mock.observed[:4], 1).split
    each = [ObservedEmulator(emulator, fitted, split=code).predict(labels) for code in codes]
    assert not np.allclose(each[0], each[1], rtol=1e-6)
    together = ObservedEmulator(emulator, fitted, split=codes).predict(labels)
    np.testing.assert_allclose(together, np.mean(each, axis=0), rtol=1e-10)
    own = ObservedEmulator(emulator, fitted, split=fitted.split_codes_).predict(labels)
    np.testing.assert_array_equal(own, ObservedEmulator(emulator, fitted).predict(labels))


@pytest.mark.parametrize(
    "split", [np.zeros(9), np.zeros((0, 3)), [np.nan] * 3, np.zeros((2, 2, 3))], ids=str
)
def test_split_codes_that_do_not_fit_are_refused(emulator, fitted, split):
    with pytest.raises(ValueError, match=r"`split` must hold 3 finite split latents") as error:
        ObservedEmulator(emulator, fitted, split=split)
    assert ". " not in str(error.value).replace("translator.encode", "")


def test_baselines_take_no_split_codes(emulator, translators):
    with pytest.raises(ValueError, match="`split` must hold 0 finite"):
        ObservedEmulator(emulator, translators["linear"], split=[0.0])


def test_grids_must_agree(emulator, mock):
    moved = [
        Spectra(s.flux, s.wavelength * 1.001, ivar=s.ivar, noise=s.noise)
        for s in (mock.synthetic, mock.observed)
    ]
    with pytest.raises(GridMismatchError, match=r"80 and 80 pixels of other wavelengths; fit both"):
        ObservedEmulator(emulator, MeanShiftTranslator().fit(*moved))
    fewer = [Spectra(s.flux[:, :50], None, ivar=s.ivar[:, :50], noise=s.noise) for s in moved]
    with pytest.raises(GridMismatchError, match="80 and 50 pixels; fit both"):
        ObservedEmulator(emulator, MeanShiftTranslator().fit(*fewer))


def test_both_parts_must_be_fitted(emulator, fitted, quick):
    with pytest.raises(NotFittedError):
        ObservedEmulator(SpectrumEmulator(), fitted)
    with pytest.raises(NotFittedError):
        ObservedEmulator(emulator, quick())


def test_it_speaks_the_emulators_labels(emulator, fitted, labels):
    observed = ObservedEmulator(emulator, fitted)
    assert observed.label_names_ == emulator.label_names_
    np.testing.assert_array_equal(observed.label_range_, emulator.label_range_)
    np.testing.assert_array_equal(observed.wavelength_.value, fitted.wavelength_.value)
    with pytest.warns(LabelExtrapolationWarning):
        observed.predict(labels + np.array([5000.0, 0, 0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        observed.predict(labels)
    assert repr(observed).startswith("ObservedEmulator(SpectrumEmulator(")

"""What `ParameterFitter` refuses, in one sentence each."""

import numpy as np
import pytest

from spectragan import ParameterFitter, SpectrumEmulator
from spectragan.exceptions import GridMismatchError

WRONG = [
    ({"nuisances": "velocity"}, TypeError, "`nuisances` must be a sequence"),
    ({"nuisances": ("rotation",)}, ValueError, "drop 'rotation'"),
    ({"nuisances": ("velocity", "velocity")}, ValueError, "at most once"),
    ({"continuum_degree": -1}, ValueError, "`continuum_degree` must be an integer >= 0; got -1"),
    ({"bounds": {"velocity": (-1, 1)}}, ValueError, "add it to `nuisances`"),
    ({"bounds": {"teff": (5000, 4000)}}, ValueError, "the lower first"),
    ({"bounds": {"teff": (5000, np.inf)}}, ValueError, "two finite numbers"),
    ({"bounds": [(4000, 5000)]}, TypeError, "`bounds` must be a dict"),
    (
        {"nuisances": ("broadening",), "bounds": {"broadening": (-1, 5)}},
        ValueError,
        "broadening must be >= 0 km/s; got -1",
    ),
    ({"priors": {"logg": (3.0, 0.0)}}, ValueError, "a standard deviation > 0"),
    ({"priors": {"vsini": (3.0, 1.0)}}, ValueError, "got 'vsini'"),
    ({"split": "average"}, ValueError, '`split` must be "fit" or "encode"'),
    ({"err_inflation": 0}, ValueError, "`err_inflation` must be"),
    ({"err_inflation": "none"}, ValueError, "`err_inflation` must be"),
    ({"n_starts": 0}, ValueError, "`n_starts`"),
    ({"max_steps": 2.5}, ValueError, "`max_steps`"),
    ({"chunk_size": 0}, ValueError, "`chunk_size`"),
]


@pytest.mark.parametrize(("parameters", "error", "message"), WRONG)
def test_parameter_fitter_refuses(parameters, error, message, emulator, mock):
    with pytest.raises(error) as caught:
        ParameterFitter(emulator, **parameters).predict(mock.observed)
    text = str(caught.value)
    assert message in text
    assert "\n" not in text
    assert text.endswith(".")


def test_parameter_fitter_needs_labels_to_train(mock):
    with pytest.raises(ValueError, match="the target y is None; call fit"):
        ParameterFitter().fit(mock.observed)


@pytest.mark.parametrize("shape", [(120, 2), (100, 3)])
def test_calibration_refuses_other_labels(shape, emulator, mock):
    with pytest.raises(ValueError, match=r"y|inconsistent"):
        ParameterFitter(emulator).fit(mock.observed, np.ones(shape))


def test_calibration_refuses_few_stars(emulator, mock):
    with pytest.raises(ValueError, match=r"at least 10 spectra .* got 4"):
        ParameterFitter(emulator).fit(mock.observed[:4], mock.labels_observed[:4])


def test_predict_refuses_both_errors(emulator, mock):
    with pytest.raises(ValueError, match="must not both be True"):
        ParameterFitter(emulator).predict(mock.observed, return_std=True, return_cov=True)


def test_predict_refuses_another_grid(emulator, mock):
    fitter = ParameterFitter(emulator)
    with pytest.raises(GridMismatchError, match="80 pixels; got 40"):
        fitter.predict(mock.observed.select_pixels(slice(0, 40)))
    moved = type(mock.observed)(mock.observed.flux, mock.observed.wavelength * 1.001)
    with pytest.raises(GridMismatchError, match="other wavelengths"):
        fitter.predict(moved)


def test_fit_refuses_a_translator_of_another_grid(emulator, mock, quick):
    half = slice(0, 40)
    translator = quick().fit(mock.synthetic.select_pixels(half), mock.observed.select_pixels(half))
    with pytest.raises(GridMismatchError, match="must be on one grid; got 80 and 40 pixels"):
        ParameterFitter(emulator, translator).fit()


def test_velocity_needs_wavelengths(mock):
    emulator = SpectrumEmulator(4, verbose=0).fit(mock.labels_synthetic, mock.synthetic.flux)
    with pytest.raises(ValueError, match="must have an emulator with wavelengths"):
        ParameterFitter(emulator, nuisances=("velocity",)).predict(mock.observed.flux)


@pytest.mark.parametrize(
    ("theta", "n_spectra", "message"),
    [
        (np.zeros(2), 1, "must have 3 columns, teff, logg, feh; got shape"),
        (np.zeros((4, 3)), 3, "one spectrum, or one for each row of `theta`; got 3"),
    ],
)
def test_log_prob_refuses(theta, n_spectra, message, emulator, mock):
    with pytest.raises(ValueError, match=message):
        ParameterFitter(emulator).log_prob(theta, mock.observed[:n_spectra])


def test_prior_transform_refuses_what_is_no_quantile(emulator):
    with pytest.raises(ValueError, match="between 0 and 1; got -1"):
        ParameterFitter(emulator).prior_transform([-1.0, 0.0, 0.0])

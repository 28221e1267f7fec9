"""How estimators show themselves, and what `set_output` makes of arrays and of spectra."""

import astropy.units as u
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

import spectragan as sg
from spectragan.datasets import make_mock_domains


@pytest.fixture(scope="module")
def domains():
    mock = make_mock_domains(40, 40, n_pixels=60, random_state=0)
    X, domain = sg.stack_domains(mock.synthetic, mock.observed)
    return sg.Spectra(X.filled(0.9), X.wavelength), domain  # nothing masked: no warnings


@pytest.fixture(scope="module")
def pipeline(domains):
    X, _ = domains
    grid = np.linspace(*X.wavelength.value[[3, -4]], 20) * u.AA
    steps = (
        sg.ContinuumNormalizer(1, weighting="uniform"),
        sg.Resampler(grid),
        sg.LinearTranslator(4),
    )
    return make_pipeline(*steps).set_output(transform="pandas").fit(*domains)


def test_spectra_stay_spectra(pipeline, domains):
    X, _ = domains
    assert isinstance(pipeline.transform(X), sg.Spectra)
    assert isinstance(clone(pipeline[0]).fit_transform(X), sg.Spectra)
    assert isinstance(pipeline[0].transform(X.flux * X.unit), u.Quantity)


def test_arrays_become_frames_named_by_wavelength(pipeline, domains):
    X, _ = domains
    flux = np.asarray(X)[:5]
    frame = pipeline.transform(flux)
    assert isinstance(frame, pd.DataFrame)
    np.testing.assert_allclose(frame.columns.astype(float), pipeline[1].wavelength.value)
    np.testing.assert_array_equal(frame, pipeline.transform(X[:5].with_flux(flux, X.ivar[:5])).flux)


def test_arrays_without_wavelengths_become_frames_of_numbered_pixels(domains):
    X, domain = domains
    step = sg.LinearTranslator(4).set_output(transform="pandas").fit(np.asarray(X), domain)
    assert list(step.transform(np.asarray(X)).columns) == [f"x{i}" for i in range(60)]


def test_column_names_are_kept(domains):
    X, domain = domains
    columns = [f"p{i}" for i in range(60)]
    frame = pd.DataFrame(np.asarray(X), columns=columns, index=range(7, 87))
    step = sg.MeanShiftTranslator().set_output(transform="pandas").fit(frame, domain)
    pd.testing.assert_index_equal(step.transform(frame).columns, frame.columns)
    pd.testing.assert_index_equal(step.transform(frame).index, frame.index)


def test_out_is_written_to_whatever_set_output_says(domains):
    X, domain = domains
    step = sg.MeanShiftTranslator().set_output(transform="pandas").fit(np.asarray(X), domain)
    out = np.empty(X.shape)
    assert step.transform(np.asarray(X), out=out) is out


def test_a_model_is_saved_whatever_set_output_says(pipeline, domains, tmp_path):
    pipeline[-1].save(tmp_path / "a.model")
    assert isinstance(sg.load(tmp_path / "a.model"), sg.LinearTranslator)


@pytest.mark.parametrize(
    "estimator",
    [
        sg.Resampler([4000, 5000] * u.AA),
        sg.RestFrameShifter(10 * u.km / u.s),
        sg.Broadener(v_sin_i=10 * u.km / u.s),
        sg.ParameterFitter(sg.SpectrumEmulator(), sg.LinearTranslator(), nuisances=("velocity",)),
        sg.StarNetRegressor(),
        sg.CycleGANTranslator(),
    ],
)
def test_estimators_show_as_html(estimator):
    assert type(estimator).__name__ in estimator._repr_html_()
    assert type(estimator).__name__ in make_pipeline(estimator)._repr_html_()


def test_fitted_pipelines_show_as_html(pipeline):
    assert "20" in pipeline._repr_html_()

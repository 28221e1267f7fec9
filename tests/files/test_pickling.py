"""Pickle, clone, deepcopy and joblib go on working, for models and for pipelines of them."""

import pickle
import warnings
from copy import deepcopy

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline

import spectragan
from spectragan import load


def through_joblib(value, folder):
    joblib.dump(value, folder / "model.joblib")
    return joblib.load(folder / "model.joblib")


COPIES = {
    "pickle": lambda value, folder: pickle.loads(pickle.dumps(value)),
    "deepcopy": lambda value, folder: deepcopy(value),
    "joblib": through_joblib,
}
every_copy = pytest.mark.parametrize("copy", COPIES)


@pytest.fixture(scope="module")
def pipeline(models, domains):
    """Return a pipeline from observed spectra to labels, with a trained translator in it."""
    back = spectragan.StarNetRegressor(
        1, hidden=(8,), max_epochs=1, random_state=0, verbose=0, device="cpu"
    )
    steps = (
        spectragan.OutlierInterpolator(),
        FrozenEstimator(models["CycleGANTranslator"]),
        back,
    )
    return make_pipeline(*steps).fit(domains[1], domains[0])


@every_copy
@pytest.mark.parametrize("name", ["ContinuumNormalizer", "Resampler", "RestFrameShifter"])
def test_copies_of_steps_answer_bit_for_bit(copy, name, models, answers, tmp_path):
    check_copy(models[name], COPIES[copy](models[name], tmp_path), answers)


@every_copy
@pytest.mark.parametrize("name", ["CycleGANTranslator", "SpectrumEmulator", "ParameterFitter"])
def test_copies_of_models_answer_bit_for_bit(copy, name, models, answers, tmp_path):
    check_copy(models[name], COPIES[copy](models[name], tmp_path), answers)


@every_copy
@pytest.mark.parametrize("name", ["SpectrumEmulator", "StarNetRegressor", "ObservedEmulator"])
def test_copies_of_loaded_models_answer_bit_for_bit(copy, name, models, answers, tmp_path):
    models[name].save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    check_copy(models[name], COPIES[copy](loaded, tmp_path), answers)


@every_copy
def test_copies_of_pipelines_answer_bit_for_bit(copy, pipeline, domains, tmp_path):
    found = COPIES[copy](pipeline, tmp_path).predict(domains[2])
    np.testing.assert_array_equal(found, pipeline.predict(domains[2]))


def test_a_pipeline_of_loaded_parts_answers_bit_for_bit(pipeline, domains, tmp_path):
    parts = [step.estimator if hasattr(step, "estimator") else step for step in pipeline[:]]
    loaded = []
    for number, part in enumerate(parts):
        part.save(tmp_path / str(number))
        loaded.append(FrozenEstimator(load(tmp_path / str(number))))
    found = make_pipeline(*loaded).predict(domains[2])
    np.testing.assert_array_equal(found, pipeline.predict(domains[2]))


def test_clones_of_loaded_models_are_unfitted_with_equal_parameters(models, tmp_path):
    for name, model in models.items():
        if isinstance(model, BaseEstimator):
            model.save(tmp_path / "model")
            copied = clone(load(tmp_path / "model"))
            assert not [key for key in vars(copied) if key.endswith("_")], name
            assert repr(copied) == repr(clone(model))


def test_a_clone_of_a_loaded_model_fits_as_the_model_did(models, domains, tmp_path):
    models["CycleGANTranslator"].save(tmp_path / "model")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", spectragan.SpectraganWarning)  # as in the fixture
        again = clone(load(tmp_path / "model")).fit(domains[1], domains[2])
    np.testing.assert_array_equal(
        again.transform(domains[1]).flux,
        models["CycleGANTranslator"].transform(domains[1]).flux,
    )


def check_copy(model, copied, answers):
    before, after = answers(model), answers(copied)
    assert before.keys() == after.keys()
    for method, arrays in before.items():
        for mine, other in zip(arrays, after[method], strict=True):
            np.testing.assert_array_equal(mine, other, err_msg=method)

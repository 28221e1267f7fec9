"""`Spectra` go through scikit-learn's own indexing, pipelines and searches with their errors."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    StratifiedKFold,
    cross_val_predict,
    cross_validate,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.utils import _safe_indexing, check_consistent_length, indexable, resample, shuffle

from spectragan import ContinuumNormalizer, Spectra, stack_domains


class MeanFlux(ClassifierMixin, BaseEstimator):
    """A trivial estimator that insists on `Spectra`: nothing may turn them to arrays."""

    def __init__(self, threshold=0.5):
        self.threshold = threshold

    def fit(self, X, y):
        assert isinstance(X, Spectra)
        assert len(X) == len(X.meta["row"]) == len(y)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        assert isinstance(X, Spectra)
        return (X.filled().mean(axis=1) > self.threshold).astype(int)


@pytest.fixture
def data(rng, axis):
    X, y = stack_domains(
        Spectra(rng.uniform(1, 2, (20, 10)), axis, noise="exact"),
        Spectra(rng.uniform(3, 4, (20, 10)), axis, np.ones((20, 10))),
    )
    return X.with_flux(X.flux, meta={"row": list(range(40))}), y


@pytest.mark.parametrize("rows", [[3, 1], np.array([0, 2]), slice(1, 4), np.arange(40) % 2 == 0])
def test_safe_indexing_gives_spectra(data, rows):
    part = _safe_indexing(data[0], rows)
    assert isinstance(part, Spectra)
    assert_array_equal(part.flux, data[0].flux[rows])


def test_indexable_and_lengths(data):
    X, y = indexable(*data)
    assert X is data[0]
    check_consistent_length(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        check_consistent_length(X, y[:-1])


def test_split_shuffle_and_resample_keep_rows_together(data):
    train, test, _, _ = train_test_split(*data, random_state=0, stratify=data[1])
    assert sorted(train.meta["row"] + test.meta["row"]) == list(range(40))
    for part in (shuffle(data[0], random_state=0), resample(data[0], random_state=0)):
        assert_array_equal(part.flux, data[0].flux[part.meta["row"]])


@pytest.mark.parametrize("cv", [KFold(4), StratifiedKFold(4)])
def test_cross_validation(data, cv):
    scores = cross_validate(MeanFlux(2.5), *data, cv=cv, error_score="raise")
    assert_array_equal(scores["test_score"], 1)
    assert_array_equal(cross_val_predict(MeanFlux(2.5), *data, cv=cv), data[1])


def test_parallel_workers_get_spectra(data):
    scores = cross_validate(MeanFlux(2.5), *data, cv=2, n_jobs=2, error_score="raise")
    assert_array_equal(scores["test_score"], 1)


def test_grid_search_over_a_pipeline(data):
    pipeline = make_pipeline(ContinuumNormalizer(degree=0), MeanFlux())
    grid = {"continuumnormalizer__degree": [0, 1], "meanflux__threshold": [0.5, 2.5]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(*data)
    assert search.predict(data[0][:3]).tolist() == [1, 1, 1]  # all lie around 1 once normalised

"""Workers in other processes: the same results, also where one of them is killed."""

import os
import signal
import time

import dask.array as da
import joblib
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, StratifiedKFold

from spectragan import LazySpectra, LinearTranslator, ParameterFitter, stack_domains

distributed = pytest.importorskip("distributed")
pytestmark = pytest.mark.slow

ROWS, N_CHUNKS = 128, 16


@pytest.fixture(scope="module")
def client():
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
    )
    with cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def many(mock):
    rng = np.random.default_rng(4)
    part = mock.observed[rng.integers(0, len(mock.observed), ROWS * N_CHUNKS)]
    flux = (part.flux + 0.01 * rng.standard_normal(part.shape)).astype(np.float32)
    return part.with_flux(flux, part.ivar.astype(np.float32))


def over_dask(many):
    flux, ivar = (da.from_array(np.array(a), chunks=(ROWS, -1)) for a in (many.flux, many.ivar))
    return LazySpectra(flux, many.wavelength, ivar, medium=many.medium)


def test_a_killed_worker_loses_nothing(client, emulator, many):
    fitter = ParameterFitter(emulator, chunk_size=ROWS)
    expected = fitter.predict(many, return_std=True)
    pids = list(client.run(os.getpid).values())
    futures = client.compute(fitter.predict(over_dask(many), return_std=True))
    while not (done := client.run_on_scheduler(count_done)):
        time.sleep(0.01)
    assert done < N_CHUNKS, "some work is done, but not all"
    os.kill(pids[0], signal.SIGKILL)
    found = client.gather(futures)
    np.testing.assert_array_equal(found, expected)
    assert pids[0] not in client.run(os.getpid).values(), "the worker was killed"


def count_done(dask_scheduler):
    """Count finished fits; runs on the scheduler."""
    tasks = dask_scheduler.tasks.values()
    return sum(task.state == "memory" and "_run" in str(task.key) for task in tasks)


def test_translation_by_workers_is_that_of_one_process(client, fitted, many):
    found = fitted.inverse_transform(over_dask(many))
    np.testing.assert_array_equal(found.load().flux, fitted.inverse_transform(many).flux)


def test_a_grid_search_runs_on_workers(client, mock):
    X, y = stack_domains(mock.synthetic, mock.observed)
    grid = {"n_components": [2, 5]}
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    searches = [GridSearchCV(LinearTranslator(), grid, cv=folds) for _ in range(2)]
    searches[0].fit(X, y)
    with joblib.parallel_config(backend="dask"):
        searches[1].fit(X, y)
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    np.testing.assert_array_equal(*scores)

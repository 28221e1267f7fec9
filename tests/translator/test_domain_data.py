"""Training from files: the same start, rows from everywhere, bounded memory."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from spectragan import CycleGANTranslator, LazySpectra, LinearTranslator, MeanShiftTranslator
from spectragan.datasets import make_mock_domains
from spectragan.training.rows import DomainBatches, DomainRows
from spectragan.training.stored_rows import RUN_ROWS, draw_runs
from spectragan.translator import domain_data as module
from spectragan.translator.domain_data import StoredDomain, domain_data, memory_data, stored_means
from spectragan.translator.representation import fit_head, fit_head_to_blocks
from spectragan.translator.subspace import fit_subspace

QUICK = {"max_epochs": 3, "warmup_epochs": 2, "steps_per_epoch": 10, "batch_size": 64}


@pytest.fixture(scope="module")
def mock():
    return make_mock_domains(1000, 900, n_pixels=60, random_state=0)


def in_files(spectra):
    """Return spectra as if they were in a file."""
    ivar = None if (spectra.noise != "known").all() else np.array(spectra.ivar)
    flux, noise = np.array(spectra.flux), spectra.noise
    if ivar is None:
        flux = np.where(spectra.ivar > 0, flux, np.nan)
    return LazySpectra(flux, spectra.wavelength, ivar, noise, spectra.medium)


@pytest.fixture
def small_memory(monkeypatch):
    """Let sets of a few hundred spectra be too large for the memory."""
    monkeypatch.setattr(module, "SAMPLE_ROWS", 300)
    monkeypatch.setattr(module, "SAMPLE_VALUES", 1)


def make(cls):
    return cls(**QUICK, random_state=0, verbose=0) if cls is CycleGANTranslator else cls(5)


@pytest.mark.parametrize("cls", [CycleGANTranslator, LinearTranslator])
def test_few_spectra_in_files_train_the_translator_of_memory(cls, mock):
    memory = make(cls).fit(mock.synthetic, mock.observed)
    stored = make(cls).fit(in_files(mock.synthetic), in_files(mock.observed))
    np.testing.assert_array_equal(
        stored.transform(mock.synthetic).flux, memory.transform(mock.synthetic).flux
    )


@pytest.mark.parametrize("cls", [CycleGANTranslator, LinearTranslator, MeanShiftTranslator])
def test_many_spectra_in_files_train_as_good_a_translator(cls, mock, small_memory):
    memory = make(cls).fit(mock.synthetic, mock.observed)
    stored = make(cls).fit(in_files(mock.synthetic), in_files(mock.observed))
    again = make(cls).fit(in_files(mock.synthetic), in_files(mock.observed))
    results = [t.transform(mock.synthetic).flux for t in (memory, stored, again)]
    np.testing.assert_array_equal(results[1], results[2], "one seed, one result")
    np.testing.assert_allclose(stored.subspace_.means, memory.subspace_.means, rtol=1e-12)
    scores = [-t.score(mock.synthetic, mock.observed) for t in (memory, stored)]
    assert scores[1] < 1.4 * scores[0], "their gaps"


def test_candidates_come_from_files_too(mock, small_memory):
    chosen = make(CycleGANTranslator).set_params(oversample=3, max_epochs=5)
    chosen.fit(in_files(mock.synthetic), in_files(mock.observed))
    assert 0 < chosen.selected_share_ < 1
    assert np.isfinite(chosen.transform(mock.synthetic).flux).all()


def test_domains_may_be_rows_of_one_file(mock, small_memory):
    from spectragan import stack_domains

    X, y = stack_domains(mock.synthetic, mock.observed)
    lazy = LazySpectra(np.array(X.flux), X.wavelength, np.array(X.ivar), X.noise, X.medium)
    parts = LinearTranslator(5).fit(in_files(mock.synthetic), in_files(mock.observed))
    np.testing.assert_allclose(
        LinearTranslator(5).fit(lazy, y).transform(mock.synthetic).flux,
        parts.transform(mock.synthetic).flux,
        rtol=1e-6,
    )


def test_pixels_are_trained_on_from_files_too(mock, small_memory):
    network = CycleGANTranslator(
        "conv", max_epochs=1, warmup_epochs=1, steps_per_epoch=2, random_state=0, verbose=0
    )
    network.fit(in_files(mock.synthetic), in_files(mock.observed))
    assert np.isfinite(network.transform(mock.synthetic[:9]).flux).all()


def test_values_under_the_mask_train_nothing(mock, small_memory):
    hidden = mock.observed.ivar == 0
    assert hidden.any()
    results = []
    for value in (0.0, 1e6):
        flux = np.where(hidden, value, mock.observed.flux)
        observed = LazySpectra(flux, mock.observed.wavelength, np.array(mock.observed.ivar))
        fitted = make(CycleGANTranslator).fit(in_files(mock.synthetic), observed)
        results.append(fitted.transform(mock.synthetic).flux)
    np.testing.assert_array_equal(*results)


def test_a_stored_domain_reads_what_memory_holds(mock, small_memory):
    memory, stored = memory_data(mock.observed), domain_data(in_files(mock.observed))
    assert isinstance(stored, StoredDomain)
    assert len(stored) == len(memory) == 900
    blocks = list(stored.blocks())
    np.testing.assert_array_equal(np.concatenate([b.flux for _, b in blocks]), memory.flux)
    rows = np.array([4, 700, 2])
    np.testing.assert_array_equal(stored.take(rows).weights, memory.take(rows).weights)
    assert len(stored.sample(np.random.RandomState(0))) == 300
    assert memory.sample(None) is memory
    assert stored_means((memory, memory)) is None
    expected = fit_subspace(
        (memory.flux,) * 2,
        (memory.weights,) * 2,
        known=(memory.known,) * 2,
        n_components=2,
        rng=np.random.RandomState(0),
    )
    np.testing.assert_allclose(stored_means((stored, memory)), expected.means, rtol=1e-13)


@pytest.mark.parametrize(("n_rows", "n_drawn"), [(1000, 130), (64, 64), (65, 65), (200, 500)])
def test_draw_runs_draws_different_rows_in_runs(n_rows, n_drawn):
    rows = draw_runs(n_rows, n_drawn, np.random.RandomState(0).permutation)
    assert len(rows) == len(set(rows)) == min(n_rows, n_drawn)
    assert rows.min() >= 0
    assert rows.max() < n_rows
    assert np.count_nonzero(np.diff(rows) != 1) <= n_drawn // RUN_ROWS + 1


def test_every_epoch_sees_rows_from_all_over_the_file(mock, small_memory):
    drawn = []

    def draw(n_rows):
        drawn.append(draw_runs(10_000, n_rows, torch.randperm))
        return {"x": torch.as_tensor(drawn[-1])[:, None]}

    rows = DomainRows({"x": torch.zeros(3, 1)}, {"x": torch.zeros(5, 1)}, {"observed": draw})
    batches = DomainBatches(rows, 100, n_batches=5)
    torch.manual_seed(0)
    seen = [[b["observed"]["x"].ravel() for b, _ in batches] for _ in range(2)]
    for epoch, own in zip(seen, drawn, strict=True):
        assert sorted(torch.cat(epoch).tolist()) == sorted(own.tolist()), "each row once"
        assert all(np.ptp(batch.numpy()) > 3000 for batch in epoch), "shuffled across runs"
        assert (np.abs(np.diff(epoch[0])) > 1).mean() > 0.9, "shuffled within runs"
    assert set(drawn[0]) != set(drawn[1])


def test_a_head_fitted_to_blocks_is_that_of_all_rows():
    rng = np.random.default_rng(0)
    features = np.column_stack([np.ones(500), rng.normal(size=(500, 4))])
    weights = rng.uniform(0, 9, (500, 30)) * (rng.random((500, 30)) > 0.2)
    residual = features @ rng.normal(size=(5, 30)) + rng.normal(size=(500, 30))
    blocks = [slice(0, 123), slice(123, 130), slice(130, 500)]
    found = fit_head_to_blocks((features[b], residual[b], weights[b]) for b in blocks)
    np.testing.assert_allclose(found, fit_head(features, residual, weights), atol=1e-9)


SCRIPT = """
import resource, numpy as np
from spectragan import CycleGANTranslator, LazySpectra
from spectragan.translator import domain_data
domain_data.SAMPLE_VALUES = 2**19

class Simulated:
    '''A file that would be too large: rows are made when they are read, always the same ones.'''
    shape, dtype = (60_000, 500), np.dtype(np.float32)
    def __init__(self, deeper):
        rng = np.random.default_rng(1)
        self.lines, self.labels = rng.random((3, 500)), rng.random((60_000, 3))
        self.deeper = deeper
    def __getitem__(self, rows):
        return (1 - self.deeper * np.tanh(self.labels[rows] @ self.lines)).astype(np.float32)

def fit(n_rows):
    parts = (LazySpectra(Simulated(d), None, noise="exact")[:n_rows] for d in (0.1, 0.12))
    CycleGANTranslator(max_epochs=1, warmup_epochs=1, verbose=0, random_state=0).fit(*parts)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

before = fit(12_000)  # some blocks: they are of one size, however many
print(fit(60_000) - before, 2 * 60_000 * 500 * 4 / 2**20)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_training_set():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    grown, size = map(float, done.stdout.split())
    assert grown < size / 4, f"{grown:.0f} MB more for a set of {size:.0f} MB"

"""StarNet's rows from files: every row once per pass, shuffled, and as good a network."""

import numpy as np
import pytest
import torch

from spectragan import LazySpectra, StarNetRegressor
from spectragan.datasets import make_mock_domains
from spectragan.training import stored_rows
from spectragan.training.checkpoints import agree, first_rows
from spectragan.training.rows import RowBatches
from spectragan.training.stored_rows import StoredRows


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch):
    monkeypatch.setattr(stored_rows, "PAGE_VALUES", 3 * 64 * 2)  # three runs of spectra of 2 pixels


def make(n_rows):
    """Return rows whose flux tells which ones they are, and a list of what was read."""
    read = []

    def reader(rows):
        read.append(rows)
        return {"flux": torch.as_tensor(rows)[:, None].repeat(1, 2).float()}

    return StoredRows(reader, torch.arange(float(n_rows))[:, None]), read


@pytest.mark.parametrize(("n_rows", "batch_size"), [(1000, 90), (1000, 1000), (7, 3), (64, 64)])
def test_every_row_comes_once_with_its_target(n_rows, batch_size):
    rows, _ = make(n_rows)
    for shuffle in (True, False):
        batches = list(RowBatches(rows, batch_size, shuffle=shuffle))
        for inputs, targets in batches:
            torch.testing.assert_close(inputs["flux"][:, 1:], targets)
        found = torch.cat([targets for _, targets in batches]).ravel()
        assert sorted(found.tolist()) == list(range(n_rows))
        assert shuffle or found.tolist() == list(range(n_rows))


def test_each_page_is_read_once_and_shuffled():
    rows, read = make(1000)
    read.clear()
    torch.manual_seed(0)
    orders = [
        torch.cat([y for _, y in RowBatches(rows, 50, shuffle=True)]).ravel() for _ in range(2)
    ]
    assert len(read) == 2 * 6, "sixteen runs make six pages"
    assert max(map(len, read)) <= 3 * 64
    assert not torch.equal(*orders)
    first = orders[0][:150].numpy()
    assert np.ptp(first) > 3 * 64, "runs from all over the file"
    assert (np.abs(np.diff(first)) > 1).mean() > 0.8, "shuffled within runs"


def test_single_rows_can_be_had():
    rows, _ = make(300)
    inputs, target = rows[299]
    assert inputs["flux"].tolist() == [299.0, 299.0]
    assert target.tolist() == [299.0]
    assert len(rows) == 300


@pytest.fixture(scope="module")
def mock():
    return make_mock_domains(50, 900, n_pixels=40, random_state=0)


def fit(X, y):
    net = StarNetRegressor(1, max_epochs=12, hidden=(32,), learning_rate=5e-3, random_state=0)
    return net.set_params(verbose=0).fit(X, y)


def lazy(spectra):
    return LazySpectra(np.array(spectra.flux), spectra.wavelength, np.array(spectra.ivar))


def test_few_stars_in_a_file_train_the_network_of_memory(mock):
    memory, stored = (fit(X, mock.labels_observed) for X in (mock.observed, lazy(mock.observed)))
    np.testing.assert_array_equal(stored.predict(mock.observed), memory.predict(mock.observed))


def test_many_stars_in_a_file_train_as_good_a_network(mock, monkeypatch):
    from spectragan.starnet import inputs as starnet_rows

    monkeypatch.setattr(starnet_rows, "SAMPLE_ROWS", 200)
    monkeypatch.setattr(starnet_rows, "SAMPLE_VALUES", 1)
    monkeypatch.setattr(stored_rows, "PAGE_VALUES", 3 * 64 * 40)
    assert stored_rows.RUN_ROWS == 64
    memory = fit(mock.observed, mock.labels_observed)
    stored, again = (fit(lazy(mock.observed), mock.labels_observed) for _ in range(2))
    np.testing.assert_array_equal(stored.predict(mock.observed), again.predict(mock.observed))
    scores = [net.score(mock.observed, mock.labels_observed) for net in (memory, stored)]
    assert scores[1] > scores[0] - 0.15, scores


@pytest.fixture
def tiny_sample(monkeypatch):
    """Let few spectra count as more than the memory holds."""
    from spectragan.starnet import inputs as starnet_rows

    monkeypatch.setattr(starnet_rows, "SAMPLE_ROWS", 200)
    monkeypatch.setattr(starnet_rows, "SAMPLE_VALUES", 1)
    monkeypatch.setattr(stored_rows, "PAGE_VALUES", 3 * 64 * 40)


@pytest.mark.parametrize("lost", ["net2-epoch00002", "net2", "net1-epoch00002"])
def test_several_networks_of_many_stars_are_resumed(lost, mock, tiny_sample, tmp_path):
    """Training pages through the rows: the second network starts where the first one left them."""

    def members(**options):
        settings = {"max_epochs": 2, "hidden": (8,), "random_state": 0, "checkpoint": tmp_path}
        net = StarNetRegressor(2, filters=(2, 4), verbose=0, **settings)
        return net.fit(lazy(mock.observed), mock.labels_observed, **options)

    whole = members().predict(mock.observed)
    for path in list(tmp_path.iterdir()):
        if path.name.startswith(lost):
            path.unlink()
    np.testing.assert_array_equal(members(resume=True).predict(mock.observed), whole)


def test_probe_of_rows_is_the_same_before_and_after_a_pass():
    rows, _ = make(300)
    before = first_rows(rows)
    list(RowBatches(rows, 50, shuffle=True))
    assert agree(before, first_rows(rows))
    assert [len(tensor) for tensor in before] == [8, 8]

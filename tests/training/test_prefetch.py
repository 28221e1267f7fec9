import threading

import pytest
import torch

from spectragan.training.devices import Prefetched, prefetched, to_device
from spectragan.training.rows import DomainBatches, DomainRows

GPU = torch.device("cuda", 0)


@pytest.fixture
def chosen(monkeypatch):
    """Stand in for a GPU, where pinned memory is a copy; return the devices threads chose."""
    chosen = []
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    monkeypatch.setattr(torch.Tensor, "pin_memory", torch.Tensor.clone)
    return chosen


def make_batches():
    x = torch.arange(40.0).reshape(20, 2)
    return DomainBatches(DomainRows({"x": x}, {"x": -x}), 6, n_batches=5)


def train(batches):
    """Return what is drawn, and what is seen, by a training that draws random numbers itself."""
    torch.manual_seed(0)
    seen = []
    for _ in range(2):
        for batch, nothing in batches:
            assert nothing.shape == (6, 0)
            seen += [batch["synthetic"]["x"], batch["observed"]["x"], torch.rand(2)]
    return seen


def test_batches_and_random_numbers_are_those_read_one_by_one(chosen):
    for found, expected in zip(
        train(prefetched(make_batches(), GPU)), train(make_batches()), strict=True
    ):
        assert torch.equal(found, expected)


def test_the_next_batch_is_read_while_one_trains(chosen):
    second = threading.Event()

    def read():
        yield torch.zeros(1)
        second.set()
        yield torch.ones(1)

    batches = iter(Prefetched(read(), GPU))
    next(batches)
    assert second.wait(timeout=60), "nobody asked for the second batch yet"
    assert len(list(batches)) == 1


@pytest.mark.parametrize(("device", "index"), [("cuda:1", 1), ("cuda", 3)])
def test_memory_is_pinned_for_the_device_that_trains(chosen, device, index):
    list(Prefetched([torch.zeros(1)], torch.device(device)))
    assert chosen == [index]


def test_errors_of_reading_reach_the_training(chosen):
    def read():
        yield torch.zeros(1)
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="the file is gone"):
        list(Prefetched(read(), GPU))


def test_a_training_that_stops_leaves_no_thread(chosen):
    before = threading.active_count()
    batches = iter(prefetched(make_batches(), GPU))
    next(batches)
    batches.close()
    assert threading.active_count() == before


def test_nothing_is_read_ahead_without_a_gpu():
    batches = make_batches()
    assert prefetched(batches, "cpu") is batches


def test_to_device_takes_whole_batches():
    moved = to_device({"synthetic": {"x": torch.ones(2, 3)}}, "meta")
    assert moved["synthetic"]["x"].is_meta

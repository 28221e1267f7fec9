from dataclasses import replace

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from skorch.helper import predefined_split

from spectragan import CycleGANTranslator
from spectragan.datasets import make_mock_domains
from spectragan.starnet.training import Augmentation, StarNetSettings, make_starnet_net
from spectragan.training.devices import one_thread, seeded
from spectragan.training.rows import TensorRows
from spectragan.training.snapshot import capture, restore
from spectragan.translator.domain_data import domain_data
from spectragan.translator.game.epochs import epoch_history
from spectragan.translator.game.setup import build_game

CPU = torch.device("cpu")
QUICK = {"max_epochs": 6, "warmup_epochs": 2, "steps_per_epoch": 3, "batch_size": 32, "verbose": 0}
STARNET = StarNetSettings((4,), (16,), Augmentation(1.0, (20, 200), 0.2), 12, 32, 5e-3, CPU)


class At(Callback):
    """Calls a function at the end of one epoch, after all other callbacks."""

    def __init__(self, epoch, call):
        self.epoch, self.call = epoch, call

    def on_epoch_end(self, net, dataset_train=None, dataset_valid=None, **kwargs):
        if len(net.history) == self.epoch:
            self.call(net)


class Start(Callback):
    """Restores a snapshot when training begins."""

    def __init__(self, snapshot):
        self.snapshot = snapshot

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        restore(net, self.snapshot)


@pytest.fixture(scope="module")
def game():
    mock = make_mock_domains(80, 60, n_pixels=40, random_state=0)
    domains = domain_data(mock.synthetic), domain_data(mock.observed)
    parameters = CycleGANTranslator(**QUICK).get_params(deep=False)
    with seeded(0) as rng:
        return build_game(domains, parameters, CPU, rng)


def stopped_and_continued(make, rows, epoch, *, epochs):
    """Train through, and again from a snapshot taken on the way; return both nets."""
    taken = []
    with seeded(1), one_thread():
        through = make([At(epoch, lambda net: taken.append(capture(net)))])
        through.partial_fit(rows)
    with seeded(2), one_thread():  # another state of the generators: the snapshot's counts
        continued = make([Start(taken[0])])
        continued.partial_fit(rows, epochs=epochs - epoch)
    return through, continued


def assert_same_state(net, other):
    first, second = capture(net), capture(other)
    for kind in ("modules", "optimizers", "generators", "counters", "callbacks"):
        compare(getattr(first, kind), getattr(second, kind), kind)
    history = epoch_history(net)
    assert history.keys() == epoch_history(other).keys()
    for name, values in epoch_history(other).items():
        if name != "dur":
            np.testing.assert_array_equal(history[name], values, err_msg=name)


def compare(a, b, path):
    if isinstance(a, dict):
        assert a.keys() == b.keys(), path
        for key in a:
            compare(a[key], b[key], f"{path}.{key}")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), path
    elif not path.endswith("epoch_start_time_"):
        assert a == b, path


@pytest.mark.parametrize("epoch", [1, 2, 5])
def test_restored_translator_net_trains_on_bit_identically(game, epoch):
    def make(callbacks):
        return game.make_net([(f"own{i}", c) for i, c in enumerate(callbacks)])

    through, continued = stopped_and_continued(make, game.rows, epoch, epochs=6)
    assert len(through.history) == len(continued.history) == 6
    # The callback that differs, "own0", learns nothing.
    assert_same_state(through, continued)


def starnet_rows(n_rows=120, n_pixels=16):
    generator = torch.Generator().manual_seed(0)
    flux = torch.randn(n_rows, n_pixels, generator=generator)
    inputs = {
        "flux": flux,
        "good": torch.ones(n_rows, n_pixels, dtype=torch.bool),
        "sigma": torch.full((n_rows, n_pixels), 0.1),
        "exact": torch.zeros(n_rows, 1, dtype=torch.bool),
    }
    return TensorRows(inputs, flux[:, :2])


def test_restored_starnet_keeps_its_schedule_its_best_epoch_and_its_random_numbers():
    valid = starnet_rows(40)

    def make(callbacks):
        net = make_starnet_net(16, 2, STARNET)
        net.train_split = predefined_split(valid)
        net.callbacks_ += [(f"own{i}", c) for i, c in enumerate(callbacks)]
        return net

    through, continued = stopped_and_continued(make, starnet_rows(), 7, epochs=12)
    assert_same_state(through, continued)


def test_snapshot_may_be_restored_again_and_with_other_settings(game):
    """What a restart from the last good state does."""
    with seeded(1), one_thread():
        net = game.make_net([])
        net.partial_fit(game.rows, epochs=3)
        good = capture(net)
        weights = [p.detach().clone() for p in net.module_.parameters()]
        results = []
        for weight in (1.0, 1.0, 50.0):
            restore(net, good)
            assert all(map(torch.equal, net.module_.parameters(), weights))
            weighted = {**game.settings.weights, "identity": weight}
            net.settings = replace(game.settings, weights=weighted)
            net.partial_fit(game.rows, epochs=3)
            results.append(net.history[-1, "cycle"])
    assert results[0] == results[1] != results[2]
    assert net.settings.weights["identity"] == 50.0


def test_snapshot_is_a_copy(game):
    with seeded(1), one_thread():
        net = game.make_net([])
        net.partial_fit(game.rows, epochs=2)
        snapshot = capture(net)
        kept = {n: v.clone() for n, v in snapshot.modules["module"].items()}
        moments = snapshot.optimizers["optimizer"]["state"][0]["exp_avg"].clone()
        net.partial_fit(game.rows, epochs=2)
    assert len(snapshot.history) == 2
    assert all(torch.equal(v, snapshot.modules["module"][n]) for n, v in kept.items())
    assert torch.equal(moments, snapshot.optimizers["optimizer"]["state"][0]["exp_avg"])


def test_snapshot_of_another_network_is_refused(game):
    with seeded(1):
        net = game.make_net([])
        other = make_starnet_net(16, 2, STARNET)
    with pytest.raises((KeyError, RuntimeError)):
        restore(net, capture(other))

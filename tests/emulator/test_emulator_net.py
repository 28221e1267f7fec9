import pytest
import torch

from spectragan.emulator.network import EmulatorNetwork
from spectragan.emulator.training import TrunkSettings, make_emulator_net, train_trunk
from spectragan.training.devices import seeded


def trained(residual, seed=0, max_epochs=60):
    """Return the net after training on residuals of 400 rows of two labels."""
    with seeded(seed):
        network = EmulatorNetwork(2, 10, residual.shape[1], n_centers=3, hidden=(32, 32))
        cpu = torch.device("cpu")
        settings = TrunkSettings(max_epochs, 32, 3e-3, validation_fraction=0.1, device=cpu)
        net = make_emulator_net(network, settings)
        variance = torch.ones_like(residual)
        counts = torch.ones(len(residual))
        train_trunk(net, labels(), residual, variance, counts, validation_fraction=0.1)
    return net


def labels():
    return torch.randn(400, 2, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def residual():
    first, second = labels().unbind(1)
    return 0.01 * torch.stack([torch.sin(2 * first), 0.1 * first * second], 1)


def test_trunk_learns_what_the_kernel_leaves(residual):
    predicted = trained(residual).module_.trunk(labels())
    assert ((predicted - residual).std(0) < 0.2 * residual.std(0)).all()


def test_trunk_is_dropped_where_it_does_not_help():
    noise = torch.randn(400, 2, generator=torch.Generator().manual_seed(1))
    net = trained(noise, max_epochs=30)
    assert len(net.history) < 30, "training should have stopped early"
    best = min(net.history[:, "valid_loss"])
    predicted = net.module_.trunk(labels())
    assert best < 1.2
    assert predicted.std() < 0.5, "noise must not be learned"


def test_trunk_training_repeats_bit_by_bit(residual):
    nets = [trained(residual, seed, max_epochs=3) for seed in (0, 0, 1)]
    first, again, other = (net.module_.trunk(labels()) for net in nets)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_net_forgets_the_rows_held_out(residual):
    assert trained(residual, max_epochs=2).train_split is None

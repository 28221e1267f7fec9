"""Adam of our own: torch's numbers, torch's state, without torch's compiler."""

import copy
import pickle
import subprocess
import sys

import pytest
import torch
from skorch import NeuralNet
from skorch.callbacks import LRScheduler

from spectragan.training.adam import Adam
from spectragan.training.rows import RowBatches, TensorRows
from spectragan.training.snapshot import capture, restore


def network(seed=0):
    torch.manual_seed(seed)
    layers = [torch.nn.Conv2d(1, 3, (1, 5)), torch.nn.Flatten(), torch.nn.Linear(48, 2)]
    return torch.nn.Sequential(*layers).to(memory_format=torch.channels_last)


def train(optimizer, module, n_steps=30, seed=1):
    rng = torch.Generator().manual_seed(seed)
    for _ in range(n_steps):
        optimizer.zero_grad()
        module(torch.randn(8, 1, 1, 20, generator=rng)).square().mean().backward()
        optimizer.step()
    return [weight.detach().clone() for weight in module.parameters()]


@pytest.mark.parametrize(("betas", "eps"), [((0.9, 0.999), 1e-8), ((0.5, 0.9), 1e-4)])
def test_weights_are_those_of_torch(betas, eps):
    own, torchs = network(), network()
    moved = train(Adam(own.parameters(), lr=0.01, betas=betas, eps=eps), own)
    options = {"lr": 0.01, "betas": betas, "eps": eps}
    fused = train(torch.optim.Adam(torchs.parameters(), fused=True, **options), torchs)
    assert all(map(torch.equal, moved, fused))
    plain = network()
    slow = train(torch.optim.Adam(plain.parameters(), foreach=False, **options), plain)
    for ours, theirs in zip(moved, slow, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)


def test_double_precision_follows_torch():
    own, torchs = network().double(), network().double()
    rows = torch.randn(8, 1, 1, 20, dtype=torch.float64)
    for module, optimizer in (
        (own, Adam(own.parameters(), lr=0.01)),
        (torchs, torch.optim.Adam(torchs.parameters(), lr=0.01)),
    ):
        for _ in range(20):
            optimizer.zero_grad()
            module(rows).square().mean().backward()
            optimizer.step()
    for ours, theirs in zip(own.parameters(), torchs.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14)


def test_groups_have_rates_of_their_own_and_weights_without_gradient_stay():
    moved, slow, idle = (torch.ones(2, requires_grad=True) for _ in range(3))
    optimizer = Adam([{"params": [moved]}, {"params": [slow, idle], "lr": 1e-4}], lr=0.1)
    (moved.sum() + slow.sum()).backward()
    assert optimizer.step(lambda: 5.0) == 5.0
    assert moved[0].item() == pytest.approx(0.9, abs=1e-5)
    assert slow[0].item() == pytest.approx(0.9999, abs=1e-6)
    assert torch.equal(idle, torch.ones(2))
    assert idle not in optimizer.state


def test_gradients_are_dropped_or_zero():
    weight = torch.ones(2, requires_grad=True)
    optimizer = Adam([weight])
    weight.sum().backward()
    optimizer.zero_grad(set_to_none=False)
    assert torch.equal(weight.grad, torch.zeros(2))
    optimizer.zero_grad()
    assert weight.grad is None


def test_a_state_goes_on_bit_identically_and_knows_torchs_format():
    module = network()
    optimizer = Adam(module.parameters(), lr=0.01)
    train(optimizer, module, 10)
    other = copy.deepcopy(module)
    state = copy.deepcopy(optimizer.state_dict())
    # A file keeps values only, not how they lie in memory.
    for moments in state["state"].values():
        for name, value in moments.items():
            moments[name] = value.contiguous()
    again = Adam(other.parameters(), lr=1.0)
    again.load_state_dict(state)
    assert all(map(torch.equal, train(optimizer, module, 10, 2), train(again, other, 10, 2)))
    torchs = torch.optim.Adam(other.parameters())
    torchs.load_state_dict(torchs.state_dict() | {"state": again.state_dict()["state"]})


def test_a_state_of_other_weights_is_refused():
    module, few = network(), torch.nn.Linear(3, 3)
    optimizer = Adam(module.parameters())
    train(optimizer, module, 1)
    for weights in (few.parameters(), torch.nn.Linear(5, 5).parameters()):
        with pytest.raises(ValueError, match="must be of the same weights"):
            Adam(weights).load_state_dict(optimizer.state_dict())


def test_copies_and_pickles_of_a_net_train_on():
    rows = TensorRows(torch.randn(40, 3), torch.randn(40, 1))
    net = NeuralNet(
        torch.nn.Linear(3, 1),
        torch.nn.MSELoss,
        optimizer=Adam,
        iterator_train=RowBatches,
        train_split=None,
        callbacks=[("rates", LRScheduler(torch.optim.lr_scheduler.CosineAnnealingLR, T_max=3))],
        callbacks__print_log=None,
        max_epochs=3,
    ).initialize()
    net.partial_fit(rows, epochs=1)
    before = capture(net)
    copies = [copy.deepcopy(net), pickle.loads(pickle.dumps(net))]
    net.partial_fit(rows, epochs=2)
    for each in copies:
        each.partial_fit(rows, epochs=2)
        assert torch.equal(each.module_.weight, net.module_.weight)
    after = net.module_.weight.detach().clone()
    restore(net, before)
    net.partial_fit(rows, epochs=2)
    assert torch.equal(net.module_.weight, after)


def test_a_training_imports_no_compiler():
    script = (
        "import sys, torch; from spectragan.training.adam import Adam;"
        "w = torch.ones(1, requires_grad=True); o = Adam([w]); w.sum().backward(); o.step();"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr

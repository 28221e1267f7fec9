import dataclasses

import numpy as np
import pytest
import torch

from spectragan.starnet.training import (
    Augmentation,
    LabelLikelihood,
    StarNetSettings,
    augment,
    make_starnet_net,
    train_starnet,
)
from spectragan.training.devices import seeded
from spectragan.training.rows import TensorRows

PLAIN = Augmentation(noise_scale=0.0, snr=None, masked_fraction=0.0)
SETTINGS = StarNetSettings(
    filters=(4,),
    hidden=(32, 16),
    augmentation=PLAIN,
    max_epochs=60,
    batch_size=32,
    learning_rate=5e-3,
    device=torch.device("cpu"),
)


def rows(n_rows, n_pixels=400, *, exact=False, sigma=0.1):
    return {
        "flux": torch.zeros(n_rows, n_pixels),
        "good": torch.ones(n_rows, n_pixels, dtype=torch.bool),
        "sigma": torch.full((n_rows, n_pixels), sigma),
        "exact": torch.full((n_rows, 1), exact),
    }


def problem(n_rows=400, n_pixels=16, noise=0.05, seed=0):
    """Return spectra whose two labels are the depths of two lines."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randn(n_rows, 2, generator=generator)
    lines = torch.eye(n_pixels)[[3, 11]]
    flux = labels @ lines + noise * torch.randn(n_rows, n_pixels, generator=generator)
    return TensorRows(rows(n_rows, n_pixels, sigma=0.0) | {"flux": flux}, labels)


def predict(net, data):
    """Return mean and log-variance of the rows of `problem`."""
    return net.module_(data.inputs["flux"].double())


def trained(train, valid, seed=0, **changes):
    with seeded(seed):
        net = make_starnet_net(16, 2, dataclasses.replace(SETTINGS, **changes))
        train_starnet(net, train, valid)
    return net


def test_augment_changes_nothing_when_told_so():
    assert torch.equal(augment(rows(3), PLAIN), torch.zeros(3, 400))


def test_augment_adds_at_most_the_errors_of_known_noise():
    with seeded(0):
        flux = augment(rows(300), Augmentation(2.0, None, 0.0))
    scatter = (flux / 0.1).std(1)
    assert scatter.max() < 2.3
    assert 0.9 < scatter.mean() < 1.1, "from 0 to twice the errors"


def test_augment_draws_the_snr_of_exact_spectra_from_its_range():
    exact = rows(300, exact=True, sigma=1.0)
    with seeded(0):
        flux = augment(exact, Augmentation(5.0, (20.0, 200.0), 0.0))
    snr = 1 / flux.std(1)
    assert 17 < snr.min() < 25
    assert 160 < snr.max() < 240
    assert np.median(snr) == pytest.approx(np.sqrt(20 * 200), rel=0.2)
    silent = augment(exact, Augmentation(5.0, None, 0.0))
    assert torch.equal(silent, torch.zeros(300, 400))


def test_augment_masks_up_to_its_share_and_bridges_the_gaps():
    heavy = Augmentation(0.0, None, 0.9)
    jagged = torch.randn(50, 400, generator=torch.Generator().manual_seed(0))
    slope = torch.linspace(0, 1, 400).expand(50, 400)
    quiet = rows(50, sigma=0.0)
    with seeded(0):
        changed = (augment(quiet | {"flux": jagged}, heavy) != jagged).float().mean(1)
        bridged = augment(quiet | {"flux": slope}, heavy)
    assert 0.7 < changed.max() < 0.95
    assert 0.35 < changed.mean() < 0.55
    torch.testing.assert_close(bridged[:, 50:350], slope[:, 50:350], atol=1e-5, rtol=0)


def test_likelihood_in_training_weighs_labels_by_their_variance():
    predicted = torch.zeros(1, 2), torch.log(torch.tensor([[4.0, 0.25]])).requires_grad_()
    labels = torch.tensor([[2.0, 0.5]])
    loss = LabelLikelihood()
    terms = 0.5 * (torch.tensor([4.0, 0.25]).log() + 1)
    assert loss.eval()(predicted, labels).item() == pytest.approx(terms.mean().item())
    weighted = terms * torch.tensor([2.0, 0.5])
    assert loss.train()(predicted, labels).item() == pytest.approx(weighted.mean().item())


def test_net_learns_labels_and_the_variance_of_its_errors():
    net = trained(problem(600), problem(200, seed=1))
    test = problem(400, seed=2)
    mean, log_variance = predict(net, test)
    error = mean - test.targets
    assert error.std() < 0.2
    deviation = (error / torch.exp(0.5 * log_variance)).square().mean().sqrt()
    assert 0.7 < deviation < 1.4


def test_net_keeps_its_best_epoch_and_stops_early():
    train, valid = problem(40), problem(100, seed=1)
    net = trained(train, valid, learning_rate=3e-2)
    losses = net.history[:, "valid_loss"]
    assert len(losses) < SETTINGS.max_epochs
    with torch.no_grad():
        predicted = predict(net, valid)
    kept = LabelLikelihood().eval()(predicted, valid.targets)
    assert kept.item() == pytest.approx(min(losses), rel=1e-4)


def test_training_repeats_bit_by_bit():
    train, valid = problem(), problem(50, seed=1)
    changes = {"max_epochs": 2, "augmentation": Augmentation(1.0, (20.0, 200.0), 0.2)}
    nets = [trained(train, valid, seed, **changes) for seed in (0, 0, 1)]
    first, again, other = (predict(net, valid)[0] for net in nets)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_net_forgets_the_rows_held_out():
    net = trained(problem(), problem(50, seed=1), max_epochs=1)
    assert net.train_split is None
    assert not net.optimizer_.state


def test_an_interrupted_training_is_no_training(monkeypatch):
    calls = []

    def interrupt(self, *args, **kwargs):
        calls.append(1)
        if len(calls) > 3:
            raise KeyboardInterrupt
        return original(self, *args, **kwargs)

    net = make_starnet_net(16, 2, SETTINGS)
    original = type(net).infer
    monkeypatch.setattr(type(net), "infer", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train_starnet(net, problem(), problem(50, seed=1))

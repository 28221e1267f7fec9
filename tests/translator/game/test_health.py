"""A game that goes wrong goes back to its last good state, and says so."""

import math

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from spectragan.exceptions import TrainingHealthWarning
from spectragan.training.rows import DomainRows
from spectragan.translator.game.epochs import LOSS_TERMS
from spectragan.translator.game.health import MAX_STIFFENED, STIFFER, chance_loss, judge_health
from spectragan.translator.game.losses import adversarial_loss
from spectragan.translator.game.net import TranslatorSettings, make_translator_net
from spectragan.translator.networks.subspace import SubspaceCritic, SubspaceTranslator

N_ROWS, N_VALUES = 40, 5


class Spoil(Callback):
    """Do something to a net before some epochs."""

    def __init__(self, epochs, what):
        self.epochs, self.what = epochs, what

    def on_epoch_begin(self, net, **kwargs):
        if len(net.history) in self.epochs:
            self.what(net)


def break_weights(net):
    with torch.no_grad():
        next(net.module_.parameters()).fill_(math.nan)


def blow_up(net):
    with torch.no_grad():
        for parameter in net.module_.parameters():
            parameter.add_(torch.randn(parameter.shape))
            parameter.mul_(20)


def train(spoil=None, max_epochs=6, penalty=0.05):
    torch.manual_seed(0)
    x = torch.randn(N_ROWS, N_VALUES)
    metric = torch.eye(N_VALUES).expand(N_ROWS, N_VALUES, N_VALUES)
    synthetic = {"x": x, "metric": metric, "noise": 0 * metric, "start": x + 1}
    rows = DomainRows(synthetic, {"x": x.flip(0) + 1, "metric": metric, "noise": 0.01 * metric})
    module, critic = SubspaceTranslator(N_VALUES, 3, 2, (8,)), SubspaceCritic(N_VALUES, 3, 2, (8,))
    settings = TranslatorSettings(
        weights=dict.fromkeys(LOSS_TERMS, 1.0),
        game=adversarial_loss("rpgan"),
        penalty=penalty,
        identity_scale=0.5,
        warmup_epochs=1,
        max_epochs=max_epochs,
        batch_size=20,
        n_batches=4,
        learning_rate=1e-3,
        ema_decay=0.9,
        device=torch.device("cpu"),
    )
    net = make_translator_net(module, critic, settings, callbacks=[("spoil", spoil)] * bool(spoil))
    net.partial_fit(rows)
    return net


def finite(net):
    return all(bool(torch.isfinite(p).all()) for p in net.average_.parameters())


def test_a_good_training_has_nothing_to_report():
    net = train()
    health = judge_health(net)
    assert health.healthy
    assert health.n_restarts == 0
    assert health.penalty == net.settings.penalty


def test_health_shows_itself():
    net = train(Spoil([3], break_weights))
    with pytest.warns(TrainingHealthWarning):
        health = judge_health(net)
    assert repr(health) == "TrainingHealth(healthy=True, n_restarts=1, penalty=0.2)"
    assert str(health).splitlines()[1].split() == ["restarts", "1"]
    assert str(health).endswith("  a loss or a weight was not finite in epoch 3")
    assert "not finite in epoch 3</pre>" in health._repr_html_()


@pytest.mark.parametrize("what", [break_weights, blow_up])
def test_a_broken_epoch_is_taken_back(what):
    net = train(Spoil([3], what))
    with pytest.warns(TrainingHealthWarning, match="went wrong 1 time.*in epoch 3"):
        health = judge_health(net)
    assert health.n_restarts == 1
    assert health.healthy
    assert health.penalty == pytest.approx(STIFFER * net.settings.penalty)
    assert finite(net)
    # The history is what happened: no epoch is missing.
    assert len(net.history) == 6


def test_a_training_that_breaks_in_every_epoch_says_that_its_end_is_bad():
    net, one = train(Spoil(range(2, 9), break_weights), max_epochs=8), train(max_epochs=1)
    with pytest.warns(TrainingHealthWarning, match="the end was bad"):
        health = judge_health(net)
    assert health.n_restarts == 7
    assert not health.healthy
    assert health.penalty == pytest.approx(STIFFER**MAX_STIFFENED * net.settings.penalty)
    # Every bad epoch was undone, those after the last stiffening too.
    for kept, good in zip(net.average_.parameters(), one.average_.parameters(), strict=True):
        assert torch.equal(kept, good)


def test_the_guard_leaves_a_good_training_bit_identical():
    first, second = train(), train()
    state = [net.average_.state_dict() for net in (first, second)]
    assert all(torch.equal(state[0][name], state[1][name]) for name in state[0])


@pytest.mark.parametrize("name", ["rpgan", "bce", "lsgan", "hinge"])
def test_chance_is_what_critics_without_an_opinion_lose(name):
    assert chance_loss(adversarial_loss(name)) > 0
    if name == "rpgan":
        assert chance_loss(adversarial_loss(name)) == pytest.approx(2 * np.log(2))


def test_a_broken_first_epoch_does_not_blind_the_guard():
    net = train(Spoil([1, 4], break_weights))
    with pytest.warns(TrainingHealthWarning, match="went wrong 2 time"):
        assert judge_health(net).n_restarts == 2
    assert finite(net)


def test_a_training_that_was_never_good_ends_where_it_started():
    net = train(Spoil(range(1, 9), break_weights))
    with pytest.warns(TrainingHealthWarning, match="the last good state was kept"):
        assert not judge_health(net).healthy
    assert finite(net)


def test_no_penalty_is_stiffened_too():
    net = train(Spoil([3], break_weights), penalty=0.0)
    with pytest.warns(TrainingHealthWarning):
        assert judge_health(net).penalty > 0

import math

import numpy as np
import pytest
import torch

from spectragan.training.rows import DomainRows
from spectragan.translator.game.epochs import (
    LOSS_TERMS,
    LOWEST_RATE,
    TERMS,
    EpochScores,
    epoch_history,
)
from spectragan.translator.game.losses import adversarial_loss
from spectragan.translator.game.maps import translate
from spectragan.translator.game.net import TranslatorSettings, make_translator_net
from spectragan.translator.networks.subspace import SubspaceCritic, SubspaceTranslator

N_ROWS, N_VALUES = 40, 5


def rows(shift=1.0):
    x = torch.randn(N_ROWS, N_VALUES, generator=torch.Generator().manual_seed(0))
    metric = torch.eye(N_VALUES).expand(N_ROWS, N_VALUES, N_VALUES)
    synthetic = {"x": x, "metric": metric, "noise": 0 * metric, "start": x + shift}
    observed = {"x": x.flip(0) + shift, "metric": metric, "noise": 0.01 * metric}
    return DomainRows(synthetic, observed)


def make(callbacks=None, **changes):
    """Return an initialised net, its networks away from their start at zero."""
    torch.manual_seed(0)
    module = SubspaceTranslator(N_VALUES, 3, 2, (8,))
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    settings = {
        "weights": dict.fromkeys(LOSS_TERMS, 1.0),
        "game": adversarial_loss("rpgan"),
        "penalty": 0.05,
        "identity_scale": 0.5,
        "warmup_epochs": 1,
        "max_epochs": 3,
        "batch_size": 20,
        "n_batches": 4,
        "learning_rate": 1e-2,
        "ema_decay": 0.9,
        "device": torch.device("cpu"),
    }
    settings = TranslatorSettings(**(settings | changes))
    critic = SubspaceCritic(N_VALUES, 3, 2, (8,))
    return make_translator_net(module, critic, settings, callbacks=callbacks)


def state(module):
    return [p.detach().clone() for p in module.state_dict().values()]


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.fixture
def batch():
    return {name: part.inputs for name, part in rows().parts.items()}


def test_critic_step_leaves_the_translator_bit_identical(batch):
    net = make()
    translator, critic = state(net.module_), state(net.critic_)
    net.critic_step(translate(net.module_, batch))
    assert same(state(net.module_), translator)
    assert not any(
        same([a], [b]) for a, b in zip(state(net.critic_)[::2], critic[::2], strict=True)
    )
    assert all(p.grad is None for p in net.module_.parameters())


def test_translator_step_leaves_the_critic_bit_identical(batch):
    net = make()
    translator, critic = state(net.module_), state(net.critic_)
    net.translator_step(translate(net.module_, batch), batch, playing=True)
    assert same(state(net.critic_), critic)
    assert not same(state(net.module_), translator)
    assert all(p.grad is None for p in net.critic_.parameters())
    assert all(p.requires_grad for p in net.critic_.parameters()), "the critic must learn on"


def test_critic_step_lowers_the_critics_loss(batch):
    net = make()
    maps = translate(net.module_, batch)
    losses = [net.critic_step(maps) for _ in range(50)]
    assert losses[-1] < 0.9 * losses[0]


def test_warm_up_follows_the_start_and_the_critic_waits():
    net = make(warmup_epochs=3)
    critic = state(net.critic_)
    net.partial_fit(rows())
    assert same(state(net.critic_), critic)
    history = epoch_history(net)
    assert history["start"][-1] < history["start"][0]
    assert all(math.isnan(value) for value in history["adversarial"] + history["critic"])


def test_history_has_every_term_once_per_epoch():
    net = make()
    net.partial_fit(rows())
    history = epoch_history(net)
    assert set(history) == set(TERMS)
    assert {len(values) for values in history.values()} == {3}
    assert np.isfinite(history["cycle"]).all()
    assert np.isnan(history["critic"]).tolist() == [True, False, False]
    assert np.isnan(history["start"]).tolist() == [False, True, True]
    assert not any(net.history[i]["batches"] for i in (0, 1)), "long trainings would fill memory"


def test_training_lowers_the_cycle_loss():
    net = make(max_epochs=10)
    net.partial_fit(rows())
    cycle = epoch_history(net)["cycle"]
    assert cycle[-1] < 0.5 * cycle[0]


def test_average_follows_the_weights_with_its_decay(batch):
    net = make(ema_decay=0.0)
    net.partial_fit(rows())
    assert same(state(net.average_), state(net.module_)), "no decay is the last weights"
    slow = make(ema_decay=0.9)
    start = state(slow.module_)
    slow.partial_fit(rows())
    moved = [
        (torch.dist(a, s) / torch.dist(m, s)).item()
        for a, m, s in zip(state(slow.average_), state(slow.module_), start, strict=True)
    ]
    assert 0.1 < np.median(moved) < 1.0


def test_average_is_not_trained():
    net = make()
    net.partial_fit(rows())
    trained = {id(p) for group in net.optimizer_.param_groups for p in group["params"]}
    assert not trained & {id(p) for p in net.average_.parameters()}


def test_rates_of_both_players_fall_along_a_cosine():
    rates = []

    def record(net):
        optimizers = (net.optimizer_, net.critic_optimizer_)
        rates.append([o.param_groups[0]["lr"] for o in optimizers])
        return {}

    make([("record", EpochScores(record))], max_epochs=5).partial_fit(rows())
    translator, critic = np.array(rates).T
    np.testing.assert_array_equal(translator, critic)
    assert translator[0] == pytest.approx(1e-2)
    assert (np.diff(translator) < 0).all()
    assert translator[-1] > LOWEST_RATE * 1e-2


def test_scores_join_the_history_and_are_let_go():
    scores = EpochScores(lambda net: {"rms": float(net.n_steps_)})
    net = make([("scores", scores)])
    net.partial_fit(rows())
    assert epoch_history(net)["rms"] == [4.0, 8.0, 12.0]
    assert scores.score is None, "it may hold all spectra"

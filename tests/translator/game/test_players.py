import pickle
from copy import deepcopy

import pytest
import torch

from spectragan.training.rows import DomainRows
from spectragan.translator.game import players as players_module
from spectragan.translator.game.losses import adversarial_loss
from spectragan.translator.game.net import (
    LOSS_TERMS,
    TranslatorSettings,
    epoch_history,
    make_translator_net,
)
from spectragan.translator.game.players import Players, check_precision
from spectragan.translator.networks.subspace import SubspaceCritic, SubspaceTranslator

CPU = torch.device("cpu")
N_ROWS, N_VALUES = 40, 5
# torch looks for gradients of all inputs when it compiles, and warns itself of it.
quiet = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")


def make_networks():
    torch.manual_seed(0)
    networks = SubspaceTranslator(N_VALUES, 3, 2, (8,)), SubspaceCritic(N_VALUES, 3, 2, (8,))
    for weights in networks[0].parameters():
        torch.nn.init.normal_(weights, std=0.3)
    return networks


def train(**settings):
    """Return a net after three epochs, of which critics play in two."""
    x = torch.randn(N_ROWS, N_VALUES, generator=torch.Generator().manual_seed(0))
    metric = torch.eye(N_VALUES).expand(N_ROWS, N_VALUES, N_VALUES)
    synthetic = {"x": x, "metric": metric, "noise": 0 * metric, "start": x + 1}
    observed = {"x": x.flip(0) + 1, "metric": metric, "noise": 0.01 * metric}
    settings = TranslatorSettings(
        weights=dict.fromkeys(LOSS_TERMS, 1.0),
        game=adversarial_loss("rpgan"),
        penalty=0.05,
        identity_scale=0.5,
        warmup_epochs=1,
        max_epochs=3,
        batch_size=20,
        n_batches=4,
        learning_rate=1e-2,
        ema_decay=0.9,
        device=CPU,
        **settings,
    )
    net = make_translator_net(*make_networks(), settings)
    torch.manual_seed(1)
    return net.partial_fit(DomainRows(synthetic, observed))


def weights_of(net):
    modules = (net.module_, net.critic_, net.average_)
    weights = [w.ravel() for m in modules for w in m.state_dict().values()]
    # The critics' last biases cancel in differences of scores: their gradients are rounding.
    return torch.cat([w for w in weights if len(w) > 1])


@pytest.fixture(scope="module")
def plain():
    return train()


def test_networks_in_bfloat16_give_single_precision_within_its_rounding():
    networks, x = make_networks(), torch.randn(50, N_VALUES)
    exact, rounded = (Players(*networks, CPU, precision=p) for p in ("float32", "bfloat16"))
    for found, expected in zip(rounded.encode(x, 1), exact.encode(x, 1), strict=True):
        assert found.dtype == torch.float32
        error = (found - expected).abs().max() / expected.abs().max()
        assert 1e-4 < error < 2e-2, "bfloat16 has three digits"


def test_training_in_bfloat16_goes_as_in_single_precision(plain):
    net = train(precision="bfloat16")
    assert {w.dtype for w in net.module_.state_dict().values()} == {torch.float32}
    found, expected = (epoch_history(n)["cycle"] for n in (net, plain))
    assert found != expected
    assert found == pytest.approx(expected, rel=0.05)
    assert found[-1] < 0.8 * found[0]


@quiet
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled_training_goes_as_plain_training(plain, backend, monkeypatch):
    """Code of "aot_eager" can't be differentiated twice, as that of the default can't be."""
    monkeypatch.setattr(players_module, "BACKEND", backend)
    net = train(compiled=True)
    torch.testing.assert_close(weights_of(net), weights_of(plain), rtol=0, atol=1e-3)
    assert epoch_history(net)["cycle"] == pytest.approx(epoch_history(plain)["cycle"], rel=1e-4)


@quiet
def test_what_is_kept_is_not_compiled(plain, monkeypatch):
    monkeypatch.setattr(players_module, "BACKEND", "eager")
    net = train(compiled=True)
    for module in ("module_", "critic_", "average_"):
        assert (
            getattr(net, module).state_dict().keys() == getattr(plain, module).state_dict().keys()
        )
    for again in (deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(weights_of(again), weights_of(net))


def test_check_precision_names_devices_that_lack_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    for device in ("cuda", "mps"):
        with pytest.raises(ValueError, match=f"`precision` must be 'float32' on '{device}'; got"):
            check_precision("bfloat16", torch.device(device))
        check_precision("float32", torch.device(device))
    check_precision("bfloat16", CPU)

"""Of several synthetic spectra for a place, those whose translations look most observed."""

import numpy as np
import pytest
import torch

from spectragan import SpectrumEmulator
from spectragan.training.checkpoints import Checkpoints
from spectragan.training.rows import DomainBatches, DomainRows
from spectragan.translator.game import oversampling
from spectragan.translator.game.epochs import LOSS_TERMS, epoch_history
from spectragan.translator.game.losses import adversarial_loss
from spectragan.translator.game.net import TranslatorSettings, make_translator_net
from spectragan.translator.game.oversampling import effective_share, fool_best
from spectragan.translator.networks.subspace import SubspaceCritic, SubspaceTranslator

N_VALUES = 3
OFFSET = 2.0  # of the observed stars, standard deviations
QUICK = {"max_epochs": 5, "warmup_epochs": 1, "oversample": 4}


def flux(translator, mock):
    return translator.transform(mock.synthetic).flux


def two_kinds(n_rows=400):
    """Return synthetic stars of two kinds, and observed ones of the second kind alone."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n_rows, N_VALUES, generator=generator)
    second = torch.arange(n_rows) % 2 == 1
    x[:, 0] = 0.3 * x[:, 0] + torch.where(second, OFFSET, -OFFSET)
    y = torch.randn(n_rows, N_VALUES, generator=generator)
    y[:, 0] = 0.3 * y[:, 0] + OFFSET
    metric = torch.eye(N_VALUES).expand(n_rows, N_VALUES, N_VALUES)
    synthetic = {"x": x, "metric": metric, "noise": 0 * metric, "start": x}
    return DomainRows(synthetic, {"x": y, "metric": metric, "noise": 0.01 * metric}), second


def make(**changes):
    torch.manual_seed(0)
    module = SubspaceTranslator(N_VALUES, N_VALUES, 1, (8,))
    eye = torch.eye(N_VALUES)
    module.set_start([eye, eye], eye[:1], [eye, torch.cat([eye, 0 * eye[:, :1]], dim=1)])
    settings = {
        "weights": dict.fromkeys(LOSS_TERMS, 1.0),
        "game": adversarial_loss("rpgan"),
        "penalty": 0.05,
        "identity_scale": 0.5,
        "warmup_epochs": 1,
        "max_epochs": 9,
        "batch_size": 40,
        "n_batches": 20,
        "learning_rate": 3e-3,
        "ema_decay": 0.9,
        "device": torch.device("cpu"),
        "oversample": 4,
    }
    settings = TranslatorSettings(**(settings | changes))
    return make_translator_net(module, SubspaceCritic(N_VALUES, N_VALUES, 1, (16,)), settings)


def test_share_of_spectra_that_are_all_as_likely_is_one_though_chance_makes_counts_differ():
    torch.manual_seed(0)
    seen = [torch.randperm(500) for _ in range(12)]
    share = effective_share(seen, [rows[:125] for rows in seen])
    assert share == pytest.approx(1.0, abs=0.05)
    counts = torch.cat([rows[:125] for rows in seen]).bincount(minlength=500).double()
    assert counts.mean() ** 2 / (counts**2).mean() < 0.85, "the plain estimate is biased"


def test_share_counts_what_is_never_chosen():
    seen = [torch.arange(100)] * 6
    assert effective_share(seen, [torch.arange(25)] * 6) == pytest.approx(0.25)
    assert effective_share(seen, seen) == 1.0
    assert np.isnan(effective_share(seen[:1], [torch.arange(25)])), "one choice says nothing"


def test_candidates_come_as_often_as_there_are_several_and_their_rows_are_named():
    x = torch.arange(30.0)[:, None]
    torch.manual_seed(0)
    batches = [
        b for b, _ in DomainBatches(DomainRows({"x": x}, {"x": x}), 5, n_batches=4, oversample=3)
    ]
    for batch in batches:
        assert batch["synthetic"]["x"].shape == (5, 3, 1)
        assert batch["observed"]["x"].shape == (5, 1)
        assert torch.equal(batch["synthetic"]["x"][..., 0].long(), batch["synthetic"]["row"])
    counts = torch.cat([b["synthetic"]["row"].ravel() for b in batches]).bincount(minlength=30)
    assert sorted(counts.tolist()) == [0] * 10 + [3] * 20


def test_those_are_chosen_that_the_critic_likes_most():
    module = make().module_
    rows = {"synthetic": {"x": torch.randn(20, N_VALUES)}, "observed": {"x": torch.ones(8, 3)}}

    def critic(x, shared, split, domain):
        assert domain == 1
        return x[:, 1]

    chosen = fool_best(module, critic, rows, 5)
    best = rows["synthetic"]["x"][:, 1].topk(5).indices
    assert set(chosen.tolist()) == set(best.tolist())


def test_critics_choose_the_stars_that_both_domains_have(monkeypatch):
    data, second = two_kinds()
    of_second = []

    def note(seen, chosen):
        of_second.append(second[torch.cat(chosen)].double().mean().item())
        return effective_share(seen, chosen)

    monkeypatch.setattr(oversampling, "effective_share", note)
    net = make()
    net.partial_fit(data)
    share = epoch_history(net)["selected_share"]
    assert share[:2] == [1.0, 1.0], "nothing is chosen before critics have learned"
    assert of_second[0] == pytest.approx(0.5, abs=0.05)
    assert min(of_second[-4:]) > 0.9
    assert 0.25 < share[-1] < 0.55, "half of the stars are of the kind that is observed"


@pytest.mark.parametrize("oversample", [None, 1])
def test_one_candidate_is_no_choice(mock, quick, fitted, oversample):
    one = quick(oversample=oversample).fit(mock.synthetic, mock.observed)
    np.testing.assert_array_equal(flux(one, mock), flux(fitted, mock))
    assert one.selected_share_ == 1.0
    assert "selected_share" not in one.history_


def test_share_is_that_of_the_last_epoch(mock, quick):
    chosen = quick(**QUICK).fit(mock.synthetic, mock.observed)
    share = chosen.history_["selected_share"]
    assert len(share) == 5
    assert share[:2] == [1.0, 1.0]
    assert 0 < chosen.selected_share_ == share[-1] < 1


def test_an_emulator_may_be_the_synthetic_side(mock, quick):
    emulator = SpectrumEmulator(max_epochs=1, verbose=0).fit(mock.labels_synthetic, mock.synthetic)
    chosen = quick(**QUICK).fit(emulator, mock.observed)
    assert 0 < chosen.selected_share_ < 1


@pytest.mark.parametrize("network", ["subspace", "conv"])
def test_a_resumed_fit_chooses_as_the_one_left_alone(mock, quick, tmp_path, monkeypatch, network):
    settings = QUICK | {"network": network, "width": 0.05, "max_epochs": 4}
    settings |= {"steps_per_epoch": 2, "batch_size": 16}
    alone = quick(**settings).fit(mock.synthetic, mock.observed)
    save = Checkpoints.save

    def save_and_die(self, net, *rest):
        save(self, net, *rest)
        if len(net.history) == 3:
            raise SystemExit

    monkeypatch.setattr(Checkpoints, "save", save_and_die)
    dying = quick(**settings, checkpoint=tmp_path)
    with pytest.raises(SystemExit):
        dying.fit(mock.synthetic, mock.observed)
    monkeypatch.setattr(Checkpoints, "save", save)
    dying.fit(mock.synthetic, mock.observed, resume=True)
    np.testing.assert_array_equal(flux(dying, mock), flux(alone, mock))
    assert dying.history_["selected_share"] == alone.history_["selected_share"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"oversample": 0}, r"`oversample` must be an integer >= 1 or None; got 0; 4 is a good"),
        ({"oversample": 2.0}, r"`oversample` must be an integer .*; got 2.0"),
        (
            {"oversample": 4, "adversarial": None, "warmup_epochs": None},
            r"where no critics play to choose.*; got 4; set",
        ),
        ({"oversample": 4, "max_epochs": 2, "warmup_epochs": 2}, r"fewer `warmup_epochs`\.$"),
    ],
)
def test_wrong_numbers_of_candidates_are_refused(mock, quick, parameters, message):
    with pytest.raises(ValueError, match=message):
        quick(**parameters).fit(mock.synthetic, mock.observed)

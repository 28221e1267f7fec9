"""The epoch that pairs like best is kept, and training stops where none is better for long."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping

from spectragan import cycle_scores, load
from spectragan.training.checkpoints import Checkpoints
from spectragan.translator.game.epochs import EpochScores

SIX = {"max_epochs": 6, "warmup_epochs": 2}
CURVE = [5.0, 3.0, 4.0, 2.0, 6.0, 7.0]  # the fourth epoch is the best


@pytest.fixture
def pairs(mock):
    return mock.synthetic_of_observed[:20], mock.observed[:20]


@pytest.fixture
def scored(monkeypatch):
    """Let epochs score as they are told to."""

    def tell(curve):
        monkeypatch.setattr(
            EpochScores,
            "on_epoch_end",
            lambda self, net, **kwargs: net.history.record("x_so", curve[len(net.history) - 1]),
        )

    return tell


class Weights(Callback):
    """Note the averaged weights of every epoch."""

    def __init__(self):
        self.of = []

    def on_epoch_end(self, net, **kwargs):
        self.of.append([p.clone() for p in net.average_.parameters()])


def fit(translator, mock, pairs, **fit_parameters):
    return translator.fit(mock.synthetic, mock.observed, validation=pairs, **fit_parameters)


def same(weights, net):
    return all(map(torch.equal, weights, net.average_.parameters()))


def flux(translator, mock):
    return translator.transform(mock.synthetic).flux


def test_the_epoch_with_the_lowest_score_is_kept(mock, quick, pairs, scored):
    scored(CURVE)
    weights = Weights()
    kept = fit(quick(**SIX, select_by="x_so", callbacks=[weights]), mock, pairs)
    assert kept.kept_epoch_ == 4
    assert len(kept.history_["cycle"]) == 6
    assert same(weights.of[3], kept.net_)
    assert not same(weights.of[5], kept.net_)


def test_the_last_epoch_is_kept_unless_asked(mock, quick, pairs, scored):
    scored(CURVE)
    weights = Weights()
    last = fit(quick(**SIX, callbacks=[weights]), mock, pairs)
    assert last.kept_epoch_ == 6
    assert same(weights.of[-1], last.net_)


def test_following_scores_changes_nothing_but_what_is_kept(mock, quick, pairs, scored):
    scored(CURVE[::-1])  # the third epoch is the best
    kept = fit(quick(**SIX, select_by="x_so"), mock, pairs)
    plain = fit(quick(**SIX), mock, pairs)
    assert kept.kept_epoch_ == 3
    assert kept.history_["cycle"] == plain.history_["cycle"]


@pytest.mark.parametrize("network", ["subspace", "conv"])
def test_epochs_are_judged_by_what_comes_out_in_the_end(mock, quick, pairs, network):
    """Mean labels are settled after the game, which moves all translated spectra."""
    settings = {"network": network, "width": 0.05, "steps_per_epoch": 2, "max_epochs": 3}
    kept = fit(quick(**settings, select_by="x_os"), mock, pairs)
    best = min(kept.history_["x_os"])
    assert kept.history_["x_os"][kept.kept_epoch_ - 1] == best
    assert cycle_scores(kept, *pairs, random_state=0).x_os == pytest.approx(best, rel=1e-9)
    followed = fit(quick(**settings), mock, pairs).history_["x_os"]
    assert (followed == kept.history_["x_os"]) == (network == "conv")


def test_training_stops_where_no_epoch_is_better_for_long(mock, quick, pairs, scored):
    scored(CURVE)
    stopped = fit(quick(**SIX, select_by="x_so", patience=2), mock, pairs)
    assert len(stopped.history_["cycle"]) == 6
    stopped = fit(quick(**SIX, select_by="x_so", patience=1), mock, pairs)
    assert len(stopped.history_["cycle"]) == 3
    assert stopped.kept_epoch_ == 2
    assert stopped.health_.healthy


def test_patience_waits_for_the_game_if_there_is_one(mock, quick, pairs, scored):
    scored([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    parameters = {"max_epochs": 6, "select_by": "x_so", "patience": 1}
    with_game = fit(quick(**parameters, warmup_epochs=3), mock, pairs)
    without = fit(quick(**parameters, adversarial=None, warmup_epochs=None), mock, pairs)
    assert len(with_game.history_["cycle"]) == 4
    assert len(without.history_["cycle"]) == 2


def test_without_any_finite_score_the_last_epoch_is_kept(mock, quick, pairs, scored):
    scored([np.nan] * 6)
    assert fit(quick(**SIX, select_by="x_so"), mock, pairs).kept_epoch_ == 6


@pytest.mark.parametrize("patience", [None, 2])
def test_a_resumed_fit_keeps_the_same_epoch(
    mock, quick, pairs, scored, tmp_path, monkeypatch, patience
):
    scored([5.0, 1.0, 4.0, 3.0, 6.0, 7.0])
    settings = SIX | {"select_by": "x_so", "patience": patience}
    alone = fit(quick(**settings), mock, pairs)
    save = Checkpoints.save

    def save_and_die(self, net, *rest):
        save(self, net, *rest)
        if len(net.history) == 4:
            raise SystemExit

    monkeypatch.setattr(Checkpoints, "save", save_and_die)
    dying = quick(**settings, checkpoint=tmp_path)
    with pytest.raises(SystemExit):
        fit(dying, mock, pairs)
    monkeypatch.setattr(Checkpoints, "save", save)
    fit(dying, mock, pairs, resume=True)
    assert dying.kept_epoch_ == alone.kept_epoch_ == 2
    assert len(dying.net_.history) == len(alone.net_.history) == (4 if patience else 6)
    np.testing.assert_array_equal(flux(dying, mock), flux(alone, mock))


def test_a_training_that_was_stopped_trains_on(mock, quick, pairs, scored):
    scored([1.0, 2.0, 3.0, 4.0, 0.5, 0.4])
    translator = quick(max_epochs=3, warmup_epochs=0, warm_start=True, select_by="x_so", patience=1)
    assert len(fit(translator, mock, pairs).history_["cycle"]) == 2
    again = fit(translator.set_params(max_epochs=2, patience=None), mock, pairs)
    assert len(again.history_["cycle"]) == 4
    assert again.kept_epoch_ == 3, "of this training"


def test_what_was_kept_is_in_the_file(mock, quick, pairs, tmp_path):
    kept = fit(quick(select_by="x_so", callbacks=[EarlyStopping("x_so")]), mock, pairs)
    kept.save(tmp_path / "kept")
    loaded = load(tmp_path / "kept")
    np.testing.assert_array_equal(flux(loaded, mock), flux(kept, mock))
    assert loaded.kept_epoch_ == kept.kept_epoch_
    assert loaded.selected_share_ == 1.0
    assert loaded.callbacks is None, "callbacks are about one training"


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"select_by": "cycle"}, r"`select_by` must be 'x_so', .* or None; got 'cycle'; 'x_so'"),
        ({"select_by": "x_so"}, r"`validation` must be given where `select_by` is 'x_so'; got"),
        ({"patience": 3}, r"`patience` must be None where `select_by` is None; got 3; name the"),
        ({"select_by": "x_so", "patience": 0}, r"`patience` must be an integer >= 1 or None; got"),
    ],
)
def test_what_can_not_choose_is_refused(mock, quick, parameters, message):
    with pytest.raises(ValueError, match=message):
        quick(**parameters).fit(mock.synthetic, mock.observed)


def test_the_progress_bar_shows_scores(mock, quick, pairs, capsys):
    fit(quick(select_by="z_shared", verbose=1), mock, pairs)
    shown = capsys.readouterr().err
    assert "z_shared=" in shown
    assert "x_os=" in shown

"""Callbacks of skorch that a user gives: what they see, what they may do, what is refused."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from skorch.callbacks import Callback, EarlyStopping, GradientNormClipping, LRScheduler

from spectragan.translator.game.epochs import CosineRates
from spectragan.translator.networks.subspace import SubspaceCritic, SubspaceTranslator


class Watch(Callback):
    """Note what a callback sees."""

    def __init__(self):
        self.seen_ = []
        self.players_ = set()

    def on_epoch_end(self, net, **kwargs):
        self.seen_.append(dict(net.history[-1]))
        self.players_ |= {type(net.module_), type(net.critic_), type(net.average_)}

    def on_grad_computed(self, net, named_parameters, **kwargs):
        weights = [weight for _, weight in named_parameters]
        assert any(weight.grad is not None for weight in weights)
        mine = {id(weight) for weight in net.module_.parameters()}
        self.players_.add("translator" if id(weights[0]) in mine else "critic")


class Interrupt(Callback):
    """Stop in the first epoch, as skorch's own callbacks do."""

    def on_epoch_end(self, net, **kwargs):
        raise KeyboardInterrupt


class Odd(Callback):
    """Record what is no number."""

    def on_epoch_end(self, net, **kwargs):
        net.history.record("words", "none")


def fit(translator, mock, **kwargs):
    return translator.fit(mock.synthetic, mock.observed, **kwargs)


def flux(translator, mock):
    return translator.transform(mock.synthetic).flux


def test_callbacks_see_both_players_and_every_column(mock, quick, fitted):
    watch = Watch()
    pairs = mock.synthetic_of_observed[:5], mock.observed[:5]
    watched = fit(quick(callbacks=[("watch", watch)]), mock, validation=pairs)
    assert len(watch.seen_) == 2
    assert {"cycle", "adversarial", "critic", "x_so", "train_loss"} <= set(watch.seen_[-1])
    assert watch.players_ == {SubspaceTranslator, SubspaceCritic, "translator", "critic"}
    np.testing.assert_array_equal(flux(watched, mock), flux(fitted, mock))


def test_a_callback_stops_training_and_the_others_hear_of_that_epoch(mock, quick):
    watch = Watch()
    stopped = fit(quick(max_epochs=6, callbacks=[Interrupt(), watch]), mock)
    assert len(stopped.history_["cycle"]) == len(watch.seen_) == 1
    assert np.isfinite(flux(stopped, mock)).all()


def test_early_stopping_watches_scores(mock, quick):
    pairs = mock.synthetic_of_observed[:5], mock.observed[:5]
    early = EarlyStopping("x_so", patience=1, threshold=0.9)
    stopped = fit(quick(max_epochs=6, callbacks=[early]), mock, validation=pairs)
    assert len(stopped.history_["x_so"]) == 2


def test_an_interrupted_fit_is_no_early_stop(mock, quick, monkeypatch):
    def interrupt(self, net, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(CosineRates, "on_epoch_end", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(quick(callbacks=[Watch()]), mock)


def test_gradients_of_both_players_are_clipped(mock, quick, fitted):
    still = fit(quick(callbacks=[GradientNormClipping(0.0)]), mock)
    moved = [
        torch.dist(a, b).item()
        for a, b in zip(
            still.net_.critic_.parameters(), fitted.net_.critic_.parameters(), strict=True
        )
    ]
    assert max(moved) > 0
    assert not np.array_equal(flux(still, mock), flux(fitted, mock))


def test_what_is_no_number_is_not_in_the_history(mock, quick):
    assert np.isnan(fit(quick(callbacks=[Odd()]), mock).history_["words"]).all()


def test_callbacks_are_cloned_with_the_translator(quick):
    translator = quick(callbacks=[("early", EarlyStopping("x_so", patience=7)), Watch()])
    copy = clone(translator)
    assert copy.get_params()["callbacks"][0][1].patience == 7
    assert copy.callbacks[1] is not translator.callbacks[1]


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ([3], r"`callbacks` must be a list of skorch callbacks or None; got \[3\]; give instances"),
        (EarlyStopping("x_so"), r"must be a list of skorch callbacks or None; got <skorch"),
        ([EarlyStopping], r"must be a list of skorch callbacks or None"),
        ([("health", Watch())], r"must not be one of .*health.*; got 'health'; choose another\.$"),
        ([LRScheduler()], r"fall as `schedule` says; got LRScheduler; set `learning_rate`"),
        ([EarlyStopping("x_so", load_best=True)], r"got EarlyStopping\(load_best=True\); set `sel"),
        ([EarlyStopping()], r"must not watch 'valid_loss'.*; got EarlyStopping; name a column"),
    ],
)
def test_callbacks_that_would_do_nothing_are_refused(mock, quick, callbacks, message):
    with pytest.raises(ValueError, match=message):
        fit(quick(callbacks=callbacks), mock)


def test_scores_that_are_watched_need_pairs_and_names_differ(mock, quick):
    with pytest.raises(ValueError, match="`validation` must be given where `callbacks` watch"):
        fit(quick(callbacks=[EarlyStopping("x_so")]), mock)
    with pytest.raises(ValueError, match="names in `callbacks` must differ; got a, a"):
        fit(quick(callbacks=[("a", Watch()), ("a", Watch())]), mock)

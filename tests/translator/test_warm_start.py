"""`warm_start`: a later fit of the translator trains the same networks on."""

import pickle

import numpy as np
import pytest

from spectragan import GridMismatchError, SubspaceTruncationWarning, load
from spectragan.diagnostics import TrainingHistoryDisplay
from spectragan.translator.game.epochs import LOWEST_RATE, CosineRates
from spectragan.translator.game.net import TranslatorNet

pytestmark = pytest.mark.filterwarnings(f"ignore::spectragan.{SubspaceTruncationWarning.__name__}")


def flux(translator, mock):
    return translator.transform(mock.synthetic).flux


def fit(translator, mock, **parameters):
    return translator.set_params(**parameters).fit(mock.synthetic, mock.observed)


def test_first_fit_is_as_without(mock, quick, fitted):
    np.testing.assert_array_equal(flux(fit(quick(warm_start=True), mock), mock), flux(fitted, mock))


def test_second_fit_trains_the_networks_on(mock, quick, monkeypatch):
    translator = fit(quick(warm_start=True), mock)
    before, n_steps = translator.history_, translator.net_.n_steps_
    components = translator.subspace_.components
    rates, set_rates = [], CosineRates.on_epoch_begin

    def record(self, net, **kwargs):
        set_rates(self, net, **kwargs)
        rates.append(net.critic_optimizer_.param_groups[0]["lr"])

    monkeypatch.setattr(CosineRates, "on_epoch_begin", record)
    fit(translator, mock, max_epochs=3, learning_rate=1e-3)
    assert translator.subspace_.components is components
    assert translator.net_.n_steps_ == n_steps + 3 * 4
    for name, values in translator.history_.items():
        assert len(values) == 5
        np.testing.assert_array_equal(values[:2], before[name])
    assert np.isfinite(translator.history_["critic"][2:]).all(), "no second warm-up"
    assert rates[0] == pytest.approx(1e-3), "a new cosine"
    assert LOWEST_RATE * 1e-3 < rates[2] < rates[1] < rates[0]


def test_a_few_more_epochs_need_no_shorter_warm_up(mock, quick):
    translator = fit(quick(warm_start=True, warmup_epochs=2), mock)
    fit(translator, mock, max_epochs=1)
    assert np.isfinite(translator.history_["critic"][2:]).all()


def test_training_on_helps(mock, quick):
    translator = fit(quick(warm_start=True), mock)
    first = translator.history_["cycle"][-1]
    fit(translator, mock, max_epochs=10)
    assert translator.history_["cycle"][-1] < 0.95 * first


def test_without_it_a_second_fit_starts_anew(mock, quick, fitted):
    translator = fit(fit(quick(), mock), mock)
    np.testing.assert_array_equal(flux(translator, mock), flux(fitted, mock))


def test_pickled_translator_goes_on_bit_identically(mock, quick):
    translator = fit(quick(warm_start=True), mock)
    copy = pickle.loads(pickle.dumps(translator))
    np.testing.assert_array_equal(flux(fit(translator, mock), mock), flux(fit(copy, mock), mock))


def test_other_spectra_on_the_same_grid_may_follow(mock, quick):
    translator = fit(quick(warm_start=True), mock)
    translator.fit(mock.synthetic[:100], mock.observed[50:])
    assert len(translator.history_["cycle"]) == 4


def test_another_grid_is_refused_and_the_model_kept(mock, quick, fitted):
    translator = fit(quick(warm_start=True), mock)
    with pytest.raises(GridMismatchError):
        translator.fit(
            mock.synthetic.select_pixels(slice(0, 40)), mock.observed.select_pixels(slice(0, 40))
        )
    np.testing.assert_array_equal(flux(translator, mock), flux(fitted, mock))


def test_interrupt_keeps_the_model_there_was(mock, quick, fitted, monkeypatch):
    translator = fit(quick(warm_start=True), mock)

    def interrupt(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(TranslatorNet, "critic_step", interrupt)
    with pytest.raises(KeyboardInterrupt):
        translator.fit(mock.synthetic, mock.observed)
    monkeypatch.undo()
    np.testing.assert_array_equal(flux(translator, mock), flux(fitted, mock))
    assert len(fit(translator, mock).history_["cycle"]) == 4


def test_checkpoints_do_not_go_with_training_on(mock, quick, tmp_path):
    """A checkpoint holds one training from its start: the one before it would be missing."""
    translator = fit(quick(warm_start=True, checkpoint=tmp_path), mock)
    with pytest.raises(ValueError, match="`checkpoint` must be None where `warm_start`"):
        fit(translator, mock)


def test_loaded_translator_cannot_train_on(mock, quick):
    translator = fit(quick(warm_start=True), mock)
    translator.net_ = object()
    with pytest.raises(ValueError, match=r"`warm_start` must be False where .* was loaded"):
        fit(translator, mock)


def test_warm_start_is_yes_or_no(mock, quick):
    with pytest.raises(ValueError, match="`warm_start` must be True or False; got 'yes'"):
        fit(quick(warm_start="yes"), mock)


@pytest.mark.parametrize("scored", [(True, False), (False, True)], ids=["first", "second"])
def test_scores_of_one_of_two_fits_stay_at_their_epochs(scored, mock, quick, tmp_path):
    """A curve that begins later must not be drawn, or saved, as if it began at once."""
    pairs = mock.synthetic_of_observed[:20], mock.observed[:20]
    translator = quick(warm_start=True)
    for validation in scored:
        translator.fit(mock.synthetic, mock.observed, validation=pairs if validation else None)
    assert {len(values) for values in translator.history_.values()} == {4}
    there = np.repeat(scored, 2)
    np.testing.assert_array_equal(np.isfinite(translator.history_["x_so"]), there)
    display = TrainingHistoryDisplay.from_estimator(translator)
    (drawn,) = (
        line for ax in display.axes_.ravel() for line in ax.lines if line.get_label() == "x so"
    )
    np.testing.assert_array_equal(drawn.get_xdata(), np.arange(1, 5)[there])
    translator.save(tmp_path / "model")
    np.testing.assert_equal(load(tmp_path / "model").history_, translator.history_)

"""Figures are compared by what they draw; they change nothing outside themselves."""

import subprocess
import sys

import astropy.units as u
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline

from spectragan.diagnostics import (
    TrainingHistoryDisplay,
    TranslationDisplay,
    TSNEGapDisplay,
    tsne_gap,
)
from spectragan.exceptions import GridMismatchError
from spectragan.spectra import Spectra, stack_domains

QUICK = {"n_iter": 20, "random_state": 0}


@pytest.fixture(scope="module")
def gap(make, make_translator):
    return tsne_gap(make_translator(), *make(20)[:2], **QUICK)


@pytest.fixture
def star_sets(make):
    axis = np.linspace(5000, 5059, 60) * u.AA
    synthetic, observed, truth = make(12)
    sets = [Spectra(x.flux, axis, x.ivar, x.noise) for x in (synthetic, truth, observed)]
    return axis.value, *sets


class Scaler(TransformerMixin, BaseEstimator):
    """Halves flux: tells whether a pipeline's steps were applied."""

    def fit(self, X, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        return X.with_flux(X.flux / 2, ivar=np.where(X.noise == "known", 4, 1)[:, None] * X.ivar)


def titles(axes):
    return [ax.get_title(loc="left") for ax in axes.ravel()]


def test_tsne_display_draws_the_maps_it_was_given(gap):
    display = TSNEGapDisplay(gap).plot()
    assert display.axes_.shape == (2, 3)
    assert titles(display.axes_)[:3] == ["originals", "shared latents", "synthetic to observed"]
    for ax, scores in zip(display.axes_.ravel(), gap.panels, strict=True):
        points = gap.maps[scores.panel.space]
        second, first = ax.collections
        np.testing.assert_array_equal(first.get_offsets(), points[scores.panel.first])
        np.testing.assert_array_equal(second.get_offsets(), points[scores.panel.second])
        assert f"mixing {scores.mixing:.2f} (null {scores.mixing_null:.2f})" in ax.get_xlabel()
        words = {text.get_text() for text in ax.get_legend().get_texts()}
        assert words == {scores.panel.first, scores.panel.second}
        x, y = points[scores.panel.first].T
        assert ax.get_xlim()[0] < x.min() < x.max() < ax.get_xlim()[1]
        assert ax.get_ylim()[0] < y.min() < y.max() < ax.get_ylim()[1]


def test_tsne_display_keeps_the_colour_of_a_set(gap):
    colors = {}
    for ax in TSNEGapDisplay(gap).plot().axes_.ravel():
        for points in ax.collections:
            colors.setdefault(points.get_label(), set()).add(tuple(points.get_facecolor()[0]))
    assert all(len(seen) == 1 for seen in colors.values())
    assert colors["synthetic"] != colors["observed"]


def test_tsne_display_of_a_pipeline_applies_its_steps(make, make_translator):
    synthetic, observed, _ = make(20)
    X, y = stack_domains(synthetic, observed)
    twice = X.with_flux(X.flux * 2, ivar=np.where(X.noise == "known", 0.25, 1)[:, None] * X.ivar)
    plain = TSNEGapDisplay.from_estimator(make_translator(), X, y, **QUICK)
    piped = TSNEGapDisplay.from_estimator(
        make_pipeline(Scaler(), make_translator()), twice, y, n_columns=2, **QUICK
    )
    alone = TSNEGapDisplay.from_estimator(make_pipeline(make_translator()), X, y, **QUICK)
    assert plain.gap.panels == piped.gap.panels == alone.gap.panels
    assert piped.axes_.shape == (3, 2)
    words = np.where(y == 1, "observed", "synthetic")
    assert TSNEGapDisplay.from_estimator(make_translator(), X, words, **QUICK).gap.panels == (
        plain.gap.panels
    )
    with pytest.raises(ValueError, match="`domain` must name both domains"):
        TSNEGapDisplay.from_estimator(make_translator(), X, np.zeros(len(y)), **QUICK)


def test_tsne_display_switches_off_what_is_left_over(gap):
    display = TSNEGapDisplay(gap).plot(n_columns=4)
    assert [ax.axison for ax in display.axes_.ravel()] == [True] * 6 + [False] * 2


def test_displays_draw_into_given_axes(gap):
    figure, axes = plt.subplots(2, 3)
    display = TSNEGapDisplay(gap).plot(axes)
    assert display.figure_ is figure
    assert (display.axes_ == axes).all()
    figure, (left, right) = plt.subplots(1, 2)
    display = TSNEGapDisplay(gap).plot(right)
    assert display.figure_ is figure
    assert display.axes_.shape == (2, 3)
    assert not right.axison
    assert left.axison
    with pytest.raises(ValueError, match="`ax` must be one Axes or 6 of them; got 2;"):
        TSNEGapDisplay(gap).plot([left, right])
    by_hand = plt.figure().add_axes((0.1, 0.1, 0.8, 0.8))
    with pytest.raises(ValueError, match="`ax` must be part of a grid to be divided"):
        TSNEGapDisplay(gap).plot(by_hand)


def test_translation_display_draws_spectra_and_residuals(star_sets):
    axis, synthetic, translated, observed = star_sets
    display = TranslationDisplay.from_spectra(
        synthetic, translated, observed, rows=[3, -1], titles=["one", "two"]
    )
    assert display.axes_.shape == (4, 1)
    assert titles(display.axes_) == ["one", "", "two", ""]
    top, bottom = display.axes_[:2, 0]
    lines = {line.get_label(): line for line in top.lines}
    for name, spectra in (("synthetic", synthetic), ("translated", translated)):
        np.testing.assert_array_equal(lines[name].get_xdata(), axis)
        np.testing.assert_array_equal(lines[name].get_ydata(), spectra.flux[3])
    shown = lines["observed"].get_ydata()
    np.testing.assert_array_equal(np.isnan(shown), observed.mask[3])
    before, after = bottom.lines[1:]
    np.testing.assert_allclose(before.get_ydata(), shown - synthetic.flux[3])
    np.testing.assert_allclose(after.get_ydata(), shown - translated.flux[3])
    rms = np.sqrt(np.nanmean((shown - translated.flux[3]) ** 2))
    assert after.get_label() == f"after: rms {rms:.4f}"
    assert "wavelength" in display.axes_[-1, 0].get_xlabel()


def test_translation_display_of_an_estimator_translates(make, translator):
    synthetic, observed, _ = make(12)
    display = TranslationDisplay.from_estimator(translator, synthetic, observed, rows=[5])
    expected = translator.transform(synthetic).flux[5]
    np.testing.assert_array_equal(display.axes_[0, 0].lines[2].get_ydata(), expected)
    assert display.axes_[1, 0].get_xlabel() == "pixel"


def test_translation_display_shows_limits_only(star_sets):
    sets = star_sets[1:]
    display = TranslationDisplay.from_spectra(*sets, limits=(5010, 5020))
    shown = display.axes_[0, 0].lines[0].get_xdata()
    assert (shown.min(), shown.max()) == (5010, 5020)
    with pytest.raises(ValueError, match="`limits` must overlap the axis, 5000 to 5059; got"):
        TranslationDisplay.from_spectra(*sets, limits=(1, 2))


def test_translation_display_of_a_blank_star_is_drawn(star_sets):
    axis, synthetic, translated, _ = star_sets
    blank = np.full((1, len(axis)), np.nan)
    display = TranslationDisplay(axis, synthetic.flux[:1], translated.flux[:1], blank).plot()
    display.figure_.canvas.draw()
    assert display.axes_[1, 0].lines[1].get_label() == "before: rms nan"


def test_translation_display_rejects_other_stars(star_sets):
    _, synthetic, translated, observed = star_sets
    with pytest.raises(ValueError, match="same stars row by row; got 12, 12 and 11 rows"):
        TranslationDisplay.from_spectra(synthetic, translated, observed[1:])
    for rows in ([12], []):
        with pytest.raises(ValueError, match=r"`rows` must name stars between 0 and 11; got"):
            TranslationDisplay.from_spectra(synthetic, translated, observed, rows=rows)
    with pytest.raises(GridMismatchError, match="`synthetic` and `observed`"):
        TranslationDisplay.from_spectra(synthetic, translated, observed.flux)


def test_history_display_draws_every_curve_once():
    history = {
        "epoch": [1, 2, 3],
        "reconstruction_synthetic": [3.0, 2.0, 1.0],
        "cycle_observed": [300.0, 20.0, 1.0],
        "critic_synthetic": [0.7, 0.6, 0.7],
        "x_so": [5.0, None, 2.0],
        "z_split_so": [0.3, 0.2],
        "gap_auc": [float("nan"), float("nan"), 0.8],
    }
    display = TrainingHistoryDisplay(history).plot()
    assert titles(display.axes_)[:5] == [
        "losses",
        "critics",
        "spectrum scores",
        "latent scores",
        "unpaired gap",
    ]
    lines = {line.get_label(): line for ax in display.axes_.ravel() for line in ax.lines}
    assert set(lines) == {name.replace("_", " ") for name in history if name != "epoch"}
    np.testing.assert_array_equal(lines["x so"].get_xdata(), [1, 3])
    np.testing.assert_array_equal(lines["x so"].get_ydata(), [5.0, 2.0])
    np.testing.assert_array_equal(lines["gap auc"].get_xdata(), [3])
    assert display.axes_[0, 0].get_yscale() == "log"
    assert display.axes_[1, 0].get_yscale() == "linear"
    assert not display.axes_[2, 1].axison


def test_history_display_divides_what_is_too_much_for_one_panel():
    history = {f"term_{i}": [1.0, 0.5] for i in range(8)}
    display = TrainingHistoryDisplay(history).plot()
    assert titles(display.axes_) == ["losses", "losses (2)"]
    assert [len(ax.lines) for ax in display.axes_.ravel()] == [6, 2]


def test_history_display_of_estimator_pipeline_and_groups(translator):
    for estimator in (translator, make_pipeline(Scaler(), translator)):
        display = TrainingHistoryDisplay.from_estimator(estimator, groups={"mine": ["cycle"]})
        assert titles(display.axes_) == ["mine"]
    with pytest.raises(TypeError, match="`estimator` must be fitted and have `history_`; got"):
        TrainingHistoryDisplay.from_estimator(Scaler())
    with pytest.raises(ValueError, match="group 'mine' must name curves of the history; got 'x'"):
        TrainingHistoryDisplay({"a": [1.0]}, groups={"mine": ["x"]}).plot()
    with pytest.raises(ValueError, match="`history` must hold at least one curve"):
        TrainingHistoryDisplay({"epoch": [1]}).plot()


def test_displays_leave_matplotlib_as_it_was(gap, star_sets):
    before = dict(mpl.rcParams)
    TSNEGapDisplay(gap).plot().figure_.canvas.draw()
    TranslationDisplay.from_spectra(*star_sets[1:]).figure_.canvas.draw()
    TrainingHistoryDisplay({"x_so": [1.0, 2.0]}).plot().figure_.canvas.draw()
    assert dict(mpl.rcParams) == before


def test_diagnostics_import_neither_matplotlib_nor_opentsne():
    code = (
        "import sys, spectragan.diagnostics;"
        "print([m for m in ('matplotlib', 'openTSNE', 'specutils') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

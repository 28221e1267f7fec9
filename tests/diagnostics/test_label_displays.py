"""The figures of label fits show the numbers they were given, and leave the bad ones out."""

import astropy.units as u
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest

from spectragan import compare_labels
from spectragan.diagnostics import FitDisplay, LabelComparisonDisplay
from spectragan.exceptions import GridMismatchError
from spectragan.spectra import Spectra

NAMES = ("teff", "logg", "feh")
CORRELATION = np.array([[1, 0.75, 0.6], [0.75, 1, 0.2], [0.6, 0.2, 1]])
SIGMA = np.array([43.0, 0.085, 0.051])
COVARIANCE = CORRELATION * np.outer(SIGMA, SIGMA)
TRUTH = np.array([5012.0, 2.51, -0.523])
AXIS = np.linspace(5000, 5059, 60) * u.AA


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


class FakeFitter:
    """Knows the labels of every star: truth plus its row; the star in row 3 failed."""

    label_names_ = NAMES

    def predict(self, X, return_std=False, return_cov=False):
        row = X.flux[:, :1] * 0 + np.array(X.meta["row"])[:, None]
        labels = np.where(row == 3, np.nan, TRUTH + row * SIGMA / 10)
        covariance = np.where((row == 3)[:, :, None], np.nan, COVARIANCE)
        if return_std:
            return labels, np.sqrt(np.diagonal(covariance, axis1=1, axis2=2))
        return (labels, covariance) if return_cov else labels

    def best_model(self, X):
        return X.with_flux(np.tile(MODEL, (len(X), 1)), noise="exact")


MODEL = 1 - 0.5 * np.exp(-0.5 * ((AXIS.value - 5030) / 3) ** 2)


def make_stars(n=6, noise=0.02, known=True):
    """Return stars around one model, each with masked pixels that hold nonsense."""
    rng = np.random.default_rng(2)
    flux = MODEL + rng.normal(0, noise, (n, len(MODEL)))
    good = np.ones(flux.shape)
    good[:, [10, 11, 12, 14]] = 0  # 13 stands alone
    flux[good == 0] = 99.0
    word, ivar = ("known", good * noise**-2) if known else ("unknown", good)
    return Spectra(flux, AXIS, ivar, word, meta={"row": np.arange(n)})


def make_comparison(bias=0.0, scatter=1.0, with_std=True):
    rng = np.random.default_rng(5)
    catalogue = rng.normal(TRUTH, [400, 0.8, 0.4], size=(80, 3))
    fitted = catalogue + (bias + scatter * rng.normal(size=(80, 3))) * SIGMA
    fitted[4] = np.nan
    std = np.tile(SIGMA, (80, 1)) if with_std else None
    return compare_labels(fitted, catalogue, std=std, label_names=NAMES, random_state=0)


def points_of(ax, marker="o"):
    """Return the points of a panel, x and y."""
    return next(line.get_xydata().T for line in ax.lines if line.get_marker() == marker)


def title(ax):
    return ax.get_title(loc="left")


def test_comparison_display_draws_labels_and_differences():
    result = make_comparison(bias=-1.0)
    display = LabelComparisonDisplay(result).plot()
    assert display.axes_.shape == (2, 3)
    used = np.isfinite(result.fitted[:, 0])
    for i, (top, bottom) in enumerate(display.axes_.T):
        x, y = result.catalogue[used, i], result.fitted[used, i]
        assert title(top) == NAMES[i]
        np.testing.assert_array_equal(points_of(top), [x, y])
        np.testing.assert_array_equal(points_of(bottom), [x, y - x])
        one_to_one = top.lines[0].get_xydata()
        np.testing.assert_array_equal(one_to_one[:, 0], one_to_one[:, 1])
        assert top.get_xlim() == top.get_ylim() == bottom.get_xlim()
        dashed = next(line for line in bottom.lines if line.get_linestyle() == "--")
        assert set(dashed.get_ydata()) == {result.bias[i]}
        band = bottom.patches[0].get_extents().transformed(bottom.transData.inverted())
        expected = result.bias[i] + result.scatter[i] * np.array([-1, 1])
        np.testing.assert_allclose([band.y0, band.y1], expected, atol=1e-9)
        first, second = title(bottom).replace("−", "-").split("\n")
        assert first.startswith(f"bias {result.bias_text(i)}, scatter ")
        assert float(first.split()[-1]) == pytest.approx(result.scatter[i], rel=0.05)
        assert second == f"79 of 80 stars, {100 * result.coverage[i]:.0f} % within 1 σ"
        (bars,) = bottom.collections
        lengths = np.ptp([s[:, 1] for s in bars.get_segments()], axis=1)
        np.testing.assert_allclose(lengths, 2 * SIGMA[i])
    assert display.axes_[-1, 0].get_xlabel() == "catalogue teff"
    assert display.axes_[0, 0].get_ylabel() == "fitted"


def test_comparison_display_without_errors_has_no_bars():
    display = LabelComparisonDisplay(make_comparison(with_std=False)).plot(size=5, alpha=0.2)
    assert not [c for ax in display.axes_.ravel() for c in ax.collections]
    assert title(display.axes_[1, 0]).endswith("79 of 80 stars")
    assert {line.get_alpha() for line in display.axes_[0, 0].lines} == {None, 0.2}


def test_comparison_display_of_several_shares_their_scale():
    entries = {"raw models": make_comparison(4.0, 2.0), "translated": make_comparison()}
    display = LabelComparisonDisplay(entries).plot()
    assert display.axes_.shape == (3, 3)
    words = [text.get_text() for text in display.axes_[0, 0].get_legend().get_texts()]
    assert words == list(entries)
    for i, result in enumerate(entries.values()):
        row = display.axes_[1 + i]
        assert list(entries)[i] in row[0].get_ylabel()
        for j, ax in enumerate(row):
            assert ax.get_ylim() == display.axes_[1, j].get_ylim()
            assert result.bias_text(j) in title(ax).replace("−", "-")
    raw, translated = (points_of(display.axes_[0, 0], marker) for marker in "^o")
    np.testing.assert_array_equal(raw[0], translated[0])
    assert np.median(raw[1] - raw[0]) > 100 > np.median(translated[1] - translated[0])
    colors = {line.get_color() for line in display.axes_[0, 0].lines}
    assert len(colors) == 3


def test_comparison_display_marks_what_lies_beyond():
    rng = np.random.default_rng(0)
    catalogue = rng.uniform(4000, 6000, size=(50, 1))
    fitted = catalogue + rng.normal(0, 50, size=(50, 1))
    fitted[[3, 8]] = catalogue[[3, 8]] + [[3000], [-2000]]
    display = LabelComparisonDisplay.from_predictions(fitted, catalogue, label_names=["teff"])
    ax = display.axes_[1, 0]
    top = ax.get_ylim()[1]
    assert 250 < top < 600
    for row, marker, side in ((3, "^", 1), (8, "v", -1)):
        np.testing.assert_array_equal(
            points_of(ax, marker).ravel(), [*catalogue[row], side * 0.96 * top]
        )


def test_comparison_display_of_perfect_or_missing_labels_is_drawn():
    fitted = np.tile([[5000.0, 2.0, 0.0]], (7, 1))
    catalogue = np.where(fitted == 0, np.nan, fitted)
    display = LabelComparisonDisplay.from_predictions(fitted, catalogue)
    display.figure_.canvas.draw()
    assert title(display.axes_[1, 0]).startswith("bias 0.0 [0.0, 0.0], scatter 0.00")
    assert "0 of 7 stars" in title(display.axes_[1, 2])


def test_comparison_display_of_an_estimator_compares_its_labels():
    stars = make_stars()
    catalogue = np.tile(TRUTH, (6, 1))
    display = LabelComparisonDisplay.from_estimator(FakeFitter(), stars, catalogue, random_state=0)
    result = display.comparison
    assert result.label_names == NAMES
    np.testing.assert_array_equal(result.n_missing, 1)
    np.testing.assert_allclose(result.bias, SIGMA / 5)
    np.testing.assert_array_equal(result.coverage, 1)
    with pytest.raises(ValueError, match="`catalogue` must have the stars of `fitted`"):
        LabelComparisonDisplay.from_estimator(FakeFitter(), stars, catalogue[1:])


def test_comparison_display_needs_comparisons_of_the_same_labels():
    other = compare_labels(np.ones((3, 1)), np.ones((3, 1)))
    for entries in ({}, {"a": make_comparison(), "b": other}):
        with pytest.raises(ValueError, match="`comparison` must hold at least one comparison, all"):
            LabelComparisonDisplay(entries).plot()


def test_fit_display_shows_a_star_in_standard_deviations():
    stars = make_stars()
    display = FitDisplay.from_estimator(FakeFitter(), stars, row=2)
    top, bottom = display.axes_[:, 0]
    assert title(top) == "teff 5021 ± 43, logg 2.527 ± 0.085, feh −0.513 ± 0.051"
    lines = {line.get_label(): line for line in top.lines}
    shown = lines["observed"].get_ydata()
    np.testing.assert_array_equal(lines["observed"].get_xdata(), AXIS.value)
    np.testing.assert_array_equal(np.isnan(shown), stars.mask[2])
    np.testing.assert_array_equal(lines["best model"].get_ydata(), MODEL)
    residual = bottom.lines[-1].get_ydata()
    expected = (stars.flux[2] - MODEL) * np.sqrt(stars.ivar[2])
    np.testing.assert_allclose(residual[~stars.mask[2]], expected[~stars.mask[2]])
    np.testing.assert_array_equal(np.isnan(residual), stars.mask[2])
    assert bottom.get_ylabel() == "residual [σ]"
    (band,) = top.collections
    assert band.get_label() == "1 σ"
    edges = np.concatenate([path.vertices for path in band.get_paths()])
    assert edges[:, 1].max() == pytest.approx(np.nanmax(shown) + 0.02)
    assert top.get_ylim()[1] < 2  # what is masked does not set the scale


def test_fit_display_of_unknown_noise_says_that_errors_are_assumed():
    stars = make_stars(known=False)
    display = FitDisplay.from_estimator(FakeFitter(), stars, title="a star")
    top, bottom = display.axes_[:, 0]
    residual = (stars.flux[0] - MODEL)[~stars.mask[0]]
    mad = np.median(np.abs(residual - np.median(residual)))
    drawn = bottom.lines[-1].get_ydata()
    np.testing.assert_allclose(drawn[~stars.mask[0]], residual / (1.4826 * mad), rtol=1e-4)
    assert "assumed" in bottom.get_ylabel()
    assert not top.collections
    assert title(top) == "a star"
    part = FitDisplay.from_estimator(FakeFitter(), stars, limits=(5010, 5020)).axes_[1, 0]
    x, y = part.lines[-1].get_xydata().T
    assert (x.min(), x.max()) == (5010, 5020)
    np.testing.assert_array_equal(y, drawn[(AXIS.value >= 5010) & (AXIS.value <= 5020)])


@pytest.mark.parametrize("known", [True, False])
def test_fit_display_ignores_values_under_a_mask(known):
    stars = make_stars(known=known)
    other = Spectra(np.where(stars.mask, -5.0, stars.flux), AXIS, stars.ivar, stars.noise)
    model = stars.with_flux(np.tile(MODEL, (6, 1)), noise="exact")
    figures = [FitDisplay.from_spectra(x, model, row=1) for x in (stars, other)]
    first, second = ([ax.lines[-1].get_ydata() for ax in d.axes_.ravel()] for d in figures)
    np.testing.assert_array_equal(first, second)
    assert figures[0].axes_[0, 0].get_ylim() == figures[1].axes_[0, 0].get_ylim()


def test_fit_display_shows_missing_lines_but_not_a_cosmic_ray():
    model, std = np.ones(600), np.full(600, 0.01)
    for size, expected in ((1.0, 3.5), (-8.0, 8.8), (400.0, 10.0)):
        flux = model + 0.01 * (-1.0) ** np.arange(600)
        flux[20] = 1 + size * 0.01
        limits = FitDisplay(None, flux, model, std=std).plot().axes_[1, 0].get_ylim()
        np.testing.assert_allclose(limits, [-expected, expected])
    bad = FitDisplay(None, model + 0.5, model, std=std).plot().axes_[1, 0].get_ylim()
    assert bad[1] > 50  # a model that is wrong everywhere is seen in full


def test_fit_display_of_a_perfect_fit_or_a_masked_stretch_is_drawn():
    display = FitDisplay(None, MODEL, MODEL).plot()
    np.testing.assert_array_equal(display.axes_[1, 0].lines[-1].get_ydata(), 0.0)
    assert display.axes_[1, 0].get_xlabel() == "pixel"
    stars = make_stars()
    display = FitDisplay.from_estimator(FakeFitter(), stars, limits=(5010, 5012))
    display.figure_.canvas.draw()
    assert np.isnan(display.axes_[1, 0].lines[-1].get_ydata()).all()


def test_fit_display_breaks_many_labels_into_lines():
    class Many(FakeFitter):
        label_names_ = tuple(f"label_{i}" for i in range(12))

        def predict(self, X, **kwargs):
            return np.ones((len(X), 12)), np.full((len(X), 12, 12), np.nan)

    display = FitDisplay.from_estimator(Many(), make_stars())
    assert [line.count("label") for line in title(display.axes_[0, 0]).split("\n")] == [5, 5, 2]
    assert title(display.axes_[0, 0]).startswith("label_0 1, label_1 1")


def test_fit_display_says_what_is_wrong():
    stars = make_stars()
    for row in (6, -7):
        with pytest.raises(ValueError, match=f"`row` must name a star between 0 and 5; got {row};"):
            FitDisplay.from_estimator(FakeFitter(), stars, row=row)
    with pytest.raises(ValueError, match="whose fit succeeded; got row 3, whose labels are nan"):
        FitDisplay.from_estimator(FakeFitter(), stars, row=3)
    with pytest.raises(ValueError, match="`model` must hold the stars of `observed` row by row, 6"):
        FitDisplay.from_spectra(stars, MODEL[None])
    with pytest.raises(GridMismatchError, match="`observed` and `model` must be on one"):
        FitDisplay.from_spectra(stars, Spectra(stars.flux, AXIS + 1 * u.AA))
    with pytest.raises(ValueError, match="`limits` must overlap the axis, 5000 to 5059; got"):
        FitDisplay.from_estimator(FakeFitter(), stars, limits=(1, 2))
    blank = stars.with_flux(stars.flux, 0 * stars.ivar)
    with pytest.raises(ValueError, match="`observed` must have an unmasked pixel"):
        FitDisplay.from_estimator(FakeFitter(), blank)


def test_label_displays_draw_into_given_axes_and_leave_matplotlib_as_it_was():
    before = dict(mpl.rcParams)
    figure, axes = plt.subplots(2, 3)
    assert (LabelComparisonDisplay(make_comparison()).plot(axes).axes_ == axes).all()
    figure, (left, right) = plt.subplots(1, 2)
    for display, ax in (
        (FitDisplay(None, MODEL, MODEL), left),
        (LabelComparisonDisplay(make_comparison()), right),
    ):
        assert display.plot(ax).figure_ is figure
        assert not ax.axison
    figure.canvas.draw()
    assert dict(mpl.rcParams) == before

"""Error ellipses are those of the covariance, and a failed fit is not drawn."""

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.patches import Ellipse
from scipy.stats import chi2

from spectragan.diagnostics import LabelCovarianceDisplay

NAMES = ("teff", "logg", "feh")
CORRELATION = np.array([[1, 0.75, 0.6], [0.75, 1, 0.2], [0.6, 0.2, 1]])
SIGMA = np.array([43.0, 0.085, 0.051])
COVARIANCE = CORRELATION * np.outer(SIGMA, SIGMA)
TRUTH = np.array([5012.0, 2.51, -0.523])
STARS = np.ones((4, 20))
STARS[3] = 2.0


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


class FakeFitter:
    """Finds the same labels in every star; that of flux 2 failed."""

    label_names_ = NAMES

    def predict(self, X, return_cov=False):
        labels = np.where(X.flux[:, :1] == 2, np.nan, TRUTH)
        return labels, np.tile(COVARIANCE, (len(X), 1, 1))


def points_of(ax, marker="o"):
    """Return the points of a panel, x and y."""
    return next(line.get_xydata().T for line in ax.lines if line.get_marker() == marker)


def title(ax):
    return ax.get_title(loc="left")


def test_covariance_display_draws_the_ellipses_of_every_pair():
    display = LabelCovarianceDisplay.from_estimator(FakeFitter(), STARS)
    assert display.axes_.shape == (3, 3)
    for i, j in np.ndindex(3, 3):
        ax = display.axes_[i, j]
        assert ax.axison == (j <= i)
        ellipses = [patch for patch in ax.patches if isinstance(patch, Ellipse)]
        assert len(ellipses) == (2 if j < i else 0)
        for ellipse, level in zip(ellipses, (0.68, 0.95), strict=False):
            pair = COVARIANCE[np.ix_([j, i], [j, i])]
            axes = 2 * np.sqrt(np.linalg.eigvalsh(pair)[::-1] * chi2.ppf(level, 2))
            np.testing.assert_allclose([ellipse.width, ellipse.height], axes)
            np.testing.assert_array_equal(ellipse.center, TRUTH[[j, i]])
            # On the curve, the squared distance in standard deviations is the same everywhere.
            path = ellipse.get_patch_transform().transform(ellipse.get_path().vertices[:-1:3])
            d = path - TRUTH[[j, i]]
            distance = np.einsum("ni,ij,nj->n", d, np.linalg.inv(pair), d)
            np.testing.assert_allclose(distance, chi2.ppf(level, 2), rtol=1e-6)
            reached = np.abs(d).max(0)
            assert (reached < np.diff([ax.get_xlim(), ax.get_ylim()])[:, 0] / 2).all()


def test_covariance_display_draws_every_label_with_its_error():
    display = LabelCovarianceDisplay(TRUTH, COVARIANCE, label_names=NAMES).plot()
    words = [title(ax) for ax in np.diag(display.axes_)]
    assert words == ["teff 5012 ± 43", "logg 2.510 ± 0.085", "feh −0.523 ± 0.051"]
    for i, ax in enumerate(np.diag(display.axes_)):
        x, density = ax.lines[0].get_xydata().T
        assert x[np.argmax(density)] == pytest.approx(TRUTH[i], abs=0.03 * SIGMA[i])
        assert np.trapezoid(density, x) == pytest.approx(1, abs=1e-3)
        assert ax.get_xlim() == display.axes_[-1, i].get_xlim()
    assert [ax.get_xlabel() for ax in display.axes_[-1]] == list(NAMES)
    assert [ax.get_ylabel() for ax in display.axes_[1:, 0]] == list(NAMES[1:])


def test_covariance_display_shows_truth_and_samples():
    rng = np.random.default_rng(0)
    samples = rng.multivariate_normal(TRUTH, COVARIANCE, size=400)
    samples[0, 1] = np.nan
    truth = np.array([TRUTH[0] + 10 * SIGMA[0], np.nan, TRUTH[2]])
    display = LabelCovarianceDisplay.from_estimator(
        FakeFitter(), STARS, truth=truth, samples=samples
    )
    ax = display.axes_[2, 0]
    np.testing.assert_array_equal(points_of(ax), samples[:, [0, 2]].T)
    np.testing.assert_array_equal(points_of(ax, "x").ravel(), truth[[0, 2]])
    assert points_of(display.axes_[1, 0]).shape == (2, 399)
    assert ax.get_xlim()[1] > truth[0]
    assert set(display.axes_[0, 0].lines[-1].get_xdata()) == {truth[0]}
    words = {text.get_text() for text in display.axes_[0, -1].get_legend().get_texts()}
    assert words == {"68 %", "95 %", "truth", "samples"}
    histogram = display.axes_[1, 1].patches[0].get_path().vertices
    seen = samples[1:, 1]
    assert histogram[:, 0].min() == pytest.approx(seen.min())
    display.figure_.canvas.draw()


def test_covariance_display_of_one_label_is_a_curve():
    display = LabelCovarianceDisplay([5000.0], [[100.0]]).plot()
    assert display.axes_.shape == (1, 1)
    assert title(display.axes_[0, 0]) == "label 0 5000 ± 10"


@pytest.mark.parametrize(
    ("labels", "covariance", "options", "message"),
    [
        (TRUTH * np.nan, COVARIANCE, {}, "must be finite; got NaN or infinity, as of a fit that"),
        (TRUTH, COVARIANCE * np.nan, {}, "must be finite; got NaN"),
        (TRUTH[:2], COVARIANCE, {}, r"got \(2,\) and \(3, 3\); choose one star"),
        (TRUTH[None], COVARIANCE, {}, r"got \(1, 3\) and \(3, 3\); choose one star"),
        (TRUTH, COVARIANCE * [[1, 2, 1], [1] * 3, [1] * 3], {}, "`covariance` must be symmetric"),
        (TRUTH, 2 * COVARIANCE - np.diag(SIGMA**2 * 1.9), {}, "without negative eigenvalues"),
        (TRUTH, np.diag([1.0, 0, 1]), {}, r"positive variances; got variances \[1. 0. 1.\]"),
        (TRUTH, COVARIANCE, {"label_names": NAMES[:2]}, "must be a sequence of 3 names"),
        (TRUTH, COVARIANCE, {"label_names": "abc"}, "must be a sequence of 3 names"),
        (TRUTH, COVARIANCE, {"truth": [1, 2]}, r"`truth` must have the shape \(3,\)"),
        (TRUTH, COVARIANCE, {"samples": [[1, 2]]}, r"`samples` must have the shape \(n_samples, 3"),
    ],
)
def test_covariance_display_says_what_is_wrong(labels, covariance, options, message):
    with pytest.raises(ValueError, match=message):
        LabelCovarianceDisplay(labels, covariance, **options).plot()
    assert not plt.get_fignums()


def test_covariance_display_of_a_failed_row_says_so():
    with pytest.raises(ValueError, match="whose fit succeeded; got row 3, whose labels are nan"):
        LabelCovarianceDisplay.from_estimator(FakeFitter(), STARS, row=3)


def test_covariance_display_draws_into_given_axes_and_leaves_matplotlib_as_it_was():
    before = dict(mpl.rcParams)
    figure, axes = plt.subplots(3, 3)
    display = LabelCovarianceDisplay(TRUTH, COVARIANCE).plot(axes)
    assert (display.axes_ == axes).all()
    assert display.figure_ is figure
    figure.canvas.draw()
    assert dict(mpl.rcParams) == before

"""The picture of the labels of one star: error ellipses of every pair, as in a corner plot."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import chi2, norm

from spectragan.diagnostics import style
from spectragan.diagnostics.fit_display import fit_row
from spectragan.diagnostics.label_comparison import with_error

if TYPE_CHECKING:
    from matplotlib.axes import Axes


LEVELS = (0.68, 0.95)
REACH = 3.2  # standard deviations shown: room around the outer ellipse, which reaches 2.45
SAMPLE_RANGE = (0.5, 99.5)  # percentiles of samples shown
ROUNDING = 1e-8  # of a correlation matrix: eigenvalues this little below zero are rounding
PANEL = 1.85  # inches
CURVE_POINTS, TAIL = 200, 5.0  # from one end of a Gaussian to the other, standard deviations


class LabelCovarianceDisplay:
    r"""Ellipses that hold 68 % and 95 % of each pair of labels, and each label with its error.

    It is recommended to use `from_estimator`.

    Parameters
    ----------
    labels : array-like of shape (n_labels,)
        The labels of one star.
    covariance : array-like of shape (n_labels, n_labels)
        Their covariance.
    label_names : sequence of n_labels str, default=None
        What to write at the axes.
    truth : array-like of shape (n_labels,), default=None
        Values to mark, such as those of a catalogue; NaN is left out.
    samples : array-like of shape (n_samples, n_labels), default=None
        Draws of a posterior to compare with, such as those of a Markov chain.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_labels, n_labels)
        Row by column; those above the diagonal are switched off.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    spectragan.diagnostics.FitDisplay : The spectrum and best model of one fit.

    Notes
    -----
    The ellipse of level p of two Gaussian labels has the eigenvectors of their covariance as axes,
    with half lengths :math:`\sqrt{\lambda_i \chi^2_2(p)}`, where :math:`\chi^2_2(p)` is the
    quantile of chi-squared of two degrees of freedom: 1.51 and 2.45 standard deviations, not 1
    and 2 as for one label [1]_.

    References
    ----------
    .. [1] Press, W. H. et al. 2007, "Numerical Recipes", 3rd ed., section 15.6.5.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from spectragan.diagnostics import LabelCovarianceDisplay
    >>> covariance = [[2500.0, 3.0], [3.0, 0.01]]
    >>> display = LabelCovarianceDisplay([5012.0, 2.5], covariance, label_names=["teff", "logg"])
    >>> display.plot().axes_[0, 0].get_title(loc="left")
    'teff 5012 ± 50'
    """

    def __init__(
        self,
        labels: Any,
        covariance: Any,
        *,
        label_names: Sequence[str] | None = None,
        truth: Any = None,
        samples: Any = None,
    ) -> None:
        self.labels = labels
        self.covariance = covariance
        self.label_names = label_names
        self.truth = truth
        self.samples = samples

    @classmethod
    def from_estimator(
        cls,
        fitter: Any,
        X: Any,
        *,
        row: int = 0,
        truth: Any = None,
        samples: Any = None,
        ax: Any = None,
    ) -> "LabelCovarianceDisplay":
        """Fit one star and plot its labels with their covariance.

        Parameters
        ----------
        fitter : fitted estimator
            Has `predict` with ``return_cov`` and `label_names_`.
        X : spectra of shape (n_stars, n_pixels)
            Observed spectra.
        row : int, default=0
            Which star to show.
        truth : array-like of shape (n_labels,), default=None
            Values of that star to mark.
        samples : array-like of shape (n_samples, n_labels), default=None
            Draws of a posterior of that star to compare with.
        ax : Axes or array of Axes, default=None
            Where to plot, see `plot`.

        Returns
        -------
        display : LabelCovarianceDisplay
            The plotted display.

        Raises
        ------
        ValueError
            If the row is not there or its fit failed.
        """
        _, labels, covariance = fit_row(fitter, X, row)
        names = fitter.label_names_
        display = cls(labels, covariance, label_names=names, truth=truth, samples=samples)
        return display.plot(ax)

    def plot(self, ax: Any = None) -> "LabelCovarianceDisplay":
        """Draw all labels and pairs of labels.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            None makes a new figure; one Axes is divided; otherwise ``n_labels**2`` of them.

        Returns
        -------
        display : LabelCovarianceDisplay
            This display.

        Raises
        ------
        ValueError
            If labels or covariance are not finite, shapes differ, or the covariance is not one.
        """
        labels, covariance = _check_labels(self.labels, self.covariance)
        n = len(labels)
        names = _check_names(self.label_names, n)
        truth = _check_like(self.truth, "truth", (n,))
        samples = _check_like(self.samples, "samples", (None, n))
        limits = _limits(labels, np.sqrt(np.diag(covariance)), truth, samples)
        figsize = (PANEL * n + 0.7, PANEL * n + 0.5)
        self.figure_, self.axes_ = style.make_axes(ax, n, n, figsize=figsize)
        for i, j in np.ndindex(n, n):
            place: Any = self.axes_[i, j]
            two = [j, i]
            if j > i:
                place.set_axis_off()
                continue
            if j == i:
                value, error = float(labels[i]), float(covariance[i, i] ** 0.5)
                _draw_label(place, value, error, limits[i])
                words = f"{names[i]} {with_error(value, error)}"
                style.tidy(place, title=words.replace("-", "−"))
            else:
                _draw_ellipses(place, labels[two], covariance[np.ix_(two, two)])
                place.set_ylim(limits[i])
            _draw_others(place, two, truth, samples)
            place.set_xlim(limits[j])
        _dress(self.axes_, names)
        return self


def _check_labels(labels: Any, covariance: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and covariance as float64, or say what is wrong with them."""
    labels, covariance = np.asarray(labels, float), np.asarray(covariance, float)
    n = labels.size
    if labels.shape != (n,) or n == 0 or covariance.shape != (n, n):
        raise ValueError(
            "`labels` and `covariance` must have the shapes (n_labels,) and (n_labels, n_labels); "
            f"got {labels.shape} and {covariance.shape}; choose one star."
        )
    if not (np.isfinite(labels).all() and np.isfinite(covariance).all()):
        raise ValueError(
            "`labels` and `covariance` must be finite; got NaN or infinity, as of a fit that "
            "failed; choose another star."
        )
    variances = np.diag(covariance)
    scale = np.sqrt(np.outer(variances, variances)) if (variances > 0).all() else None
    if scale is None or not _is_correlation(covariance / scale):
        raise ValueError(
            "`covariance` must be symmetric, without negative eigenvalues and with positive "
            f"variances; got variances {variances}; leave out labels that were not fitted."
        )
    return labels, covariance


def _is_correlation(matrix: np.ndarray) -> bool:
    """Tell whether a matrix of unit diagonal is a correlation matrix, but for rounding."""
    symmetric = np.allclose(matrix, matrix.T, rtol=0, atol=ROUNDING)
    return symmetric and np.linalg.eigvalsh(matrix).min() > -ROUNDING


def _check_names(label_names: Sequence[str] | None, n: int) -> list[str]:
    """Return one name per label."""
    names = [f"label {i}" for i in range(n)] if label_names is None else list(label_names)
    if isinstance(label_names, str) or len(names) != n:
        raise ValueError(
            f"`label_names` must be a sequence of {n} names, one per label; got {label_names!r}; "
            "give them in the order of `labels`."
        )
    return names


def _check_like(values: Any, name: str, shape: tuple) -> np.ndarray | None:
    """Return float64 values of a shape, in which None is any length, or None where there are none.

    Values that are not finite become NaN.
    """
    if values is None:
        return None
    array = np.asarray(values, dtype=float)
    fits = array.ndim == len(shape) and array.size and array.shape[-1] == shape[-1]
    if not fits:
        wanted = str(shape).replace("None", f"n_{name}")
        raise ValueError(
            f"`{name}` must have the shape {wanted}, a column for each label; got {array.shape}; "
            "give the labels of the fit, in that order."
        )
    return np.where(np.isfinite(array), array, np.nan)


def _limits(labels: np.ndarray, sigma: np.ndarray, truth: Any, samples: Any) -> np.ndarray:
    """Return the range of every label that shows Gaussian, truth and samples, (n_labels, 2)."""
    low, high = labels - REACH * sigma, labels + REACH * sigma
    others = [] if truth is None else [truth]
    others += [] if samples is None else list(np.nanpercentile(samples, SAMPLE_RANGE, axis=0))
    for other in others:
        low, high = np.fmin(low, other - 0.5 * sigma), np.fmax(high, other + 0.5 * sigma)
    return np.column_stack([low, high])


def _draw_label(ax: "Axes", value: float, error: float, limits: np.ndarray) -> None:
    """Draw the Gaussian of one label."""
    x = np.union1d(value + error * np.linspace(-TAIL, TAIL, CURVE_POINTS), limits)
    density = norm.pdf(x, value, error)
    ax.plot(x, density, color=style.BLUE, lw=style.LINE_WIDTH)
    inside = np.abs(x - value) <= error
    ax.fill_between(x, density, where=inside, color=style.BLUE, alpha=0.25, lw=0)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)


def _draw_ellipses(ax: "Axes", centre: np.ndarray, covariance: np.ndarray) -> None:
    """Draw the ellipses of one pair of labels."""
    from matplotlib.patches import Ellipse

    values, vectors = np.linalg.eigh(covariance)
    angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1]))
    for level in LEVELS:
        minor, major = 2 * np.sqrt(np.maximum(values, 0.0) * chi2.ppf(level, 2))
        look = {"facecolor": "none", "edgecolor": style.BLUE, "lw": style.LINE_WIDTH}
        look["label"] = f"{100 * level:.0f} %"
        look["ls"] = "-" if level == LEVELS[0] else "--"
        ax.add_patch(Ellipse(tuple(centre), major, minor, angle=angle, zorder=2, **look))
    ax.plot(*centre, marker="+", ms=6, color=style.BLUE, ls="")
    style.tidy(ax)


def _draw_others(ax: "Axes", two: list[int], truth: Any, samples: Any) -> None:
    """Draw samples and truth of one label (twice the same number) or of a pair."""
    one = two[0] == two[1]
    if samples is not None:
        x, y = samples[np.isfinite(samples[:, two]).all(axis=1)][:, two].T
        if one:
            bins = max(10, min(60, round(len(x) ** 0.5)))
            ax.hist(x, bins, density=True, histtype="step", color=style.GREY, lw=style.THIN_LINE)
        else:
            points: dict[str, Any] = {"color": style.GREY, "ls": "", "marker": "o", "mew": 0}
            ax.plot(x, y, ms=1.5, alpha=0.25, zorder=0.5, rasterized=True, **points)
            ax.plot([], [], ms=4, label="samples", **points)  # for the legend: points are faint
    if truth is not None:
        look: dict[str, Any] = {"color": style.VERMILION, "ls": ":", "lw": style.LINE_WIDTH}
        ax.axvline(truth[two[0]], label="truth", **look)
        if not one:
            ax.axhline(truth[two[1]], **look)
            ax.plot(*truth[two], marker="x", ms=6, mew=1.5, color=style.VERMILION)


def _dress(axes: np.ndarray, names: list[str]) -> None:
    """Write names and numbers at the outer axes only, and the legend in the free corner."""
    n = len(names)
    for i, j in zip(*np.tril_indices(n), strict=True):
        ax = axes[i, j]
        # The full number at every tick: an offset at the end of an axis is easily overlooked.
        ax.ticklabel_format(axis="x", useOffset=False)
        ax.locator_params(axis="x", nbins=3)
        if j < i:
            ax.ticklabel_format(axis="y", useOffset=False)
            ax.locator_params(axis="y", nbins=4)
        ax.tick_params(labelbottom=i == n - 1, labelleft=j == 0 and i > 0)
    for k, name in enumerate(names):
        axes[-1, k].set_xlabel(name, fontsize=style.LABEL_SIZE)
        if k:
            axes[k, 0].set_ylabel(name, fontsize=style.LABEL_SIZE)
    if n > 1:
        handles, words = axes[1, 0].get_legend_handles_labels()
        where = {"loc": "upper right", "fontsize": style.LEGEND_SIZE, "frameon": False}
        axes[0, -1].legend(handles, words, **where)

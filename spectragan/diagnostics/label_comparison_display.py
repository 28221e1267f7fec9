"""The picture of a `LabelComparison`: fitted labels against a catalogue, and what is between."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spectragan.diagnostics import style
from spectragan.diagnostics.label_comparison import LabelComparison, compare_labels, decimals

if TYPE_CHECKING:
    from matplotlib.axes import Axes


MARGIN = 0.05  # of a range of labels, left free around it
REACH = 6.0  # scatters from the bias: points beyond are drawn as triangles at the edge
MARKERS = ("o", "^", "s", "D", "v", "P", "X")  # told apart in more than colour


class LabelComparisonDisplay:
    """Fitted against catalogue labels, and below their differences with bias and scatter.

    It is recommended to use `from_estimator`, or to pass the result of `compare_labels`.

    Parameters
    ----------
    comparison : LabelComparison or mapping of str to LabelComparison
        One comparison, or several by name, for instance before and after translation: they share
        the upper panels, and each has its own row of differences on one scale.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (1 + n_comparisons, n_labels)
        Labels in the first row, differences of every comparison below.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    spectragan.compare_labels : Computes what is shown.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from spectragan import compare_labels
    >>> from spectragan.diagnostics import LabelComparisonDisplay
    >>> catalogue = np.random.default_rng(0).uniform([4500, 1], [6000, 4], size=(50, 2))
    >>> before = compare_labels(catalogue + [80, 0.3], catalogue, label_names=["teff", "logg"])
    >>> after = compare_labels(catalogue + [10, 0.1], catalogue, label_names=["teff", "logg"])
    >>> LabelComparisonDisplay({"before": before, "after": after}).plot().axes_.shape
    (3, 2)
    """

    def __init__(self, comparison: LabelComparison | Mapping[str, LabelComparison]) -> None:
        self.comparison = comparison

    @classmethod
    def from_estimator(
        cls,
        fitter: Any,
        X: Any,
        labels: Any,
        *,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> "LabelComparisonDisplay":
        """Fit the labels of spectra and plot them against a catalogue.

        Parameters
        ----------
        fitter : fitted estimator
            Has `predict` with ``return_std`` and `label_names_`.
        X : spectra of shape (n_stars, n_pixels)
            Spectra of the stars.
        labels : array-like of shape (n_stars, n_labels), DataFrame, Table or QTable
            The catalogue, row by row.
        random_state : int, RandomState, Generator or None, default=None
            Seeds the bootstrap.
        ax : Axes or array of Axes, default=None
            Where to plot, see `plot`.
        **kwargs
            For `plot`.

        Returns
        -------
        display : LabelComparisonDisplay
            The plotted display; its `comparison` has the numbers.

        Raises
        ------
        ValueError
            If the catalogue does not fit the labels of `fitter`, see `compare_labels`.
        """
        fitted, std = fitter.predict(X, return_std=True)
        names = fitter.label_names_
        comparison = compare_labels(
            fitted, labels, std=std, label_names=names, random_state=random_state
        )
        return cls(comparison).plot(ax, **kwargs)

    @classmethod
    def from_predictions(
        cls,
        fitted: Any,
        catalogue: Any,
        *,
        std: Any = None,
        label_names: Sequence[str] | None = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> "LabelComparisonDisplay":
        """Plot labels that were fitted before.

        Parameters
        ----------
        fitted, catalogue : array-like of shape (n_stars, n_labels), DataFrame, Table or QTable
            Labels row by row of the same stars.
        std : array-like of shape (n_stars, n_labels), DataFrame, Table or QTable, default=None
            Standard deviations of `fitted`, drawn as error bars.
        label_names : sequence of str, default=None
            See `compare_labels`.
        random_state : int, RandomState, Generator or None, default=None
            Seeds the bootstrap.
        ax : Axes or array of Axes, default=None
            Where to plot, see `plot`.
        **kwargs
            For `plot`.

        Returns
        -------
        display : LabelComparisonDisplay
            The plotted display; its `comparison` has the numbers.

        Raises
        ------
        ValueError
            If the labels do not fit together, see `compare_labels`.
        """
        comparison = compare_labels(
            fitted, catalogue, std=std, label_names=label_names, random_state=random_state
        )
        return cls(comparison).plot(ax, **kwargs)

    def plot(
        self, ax: Any = None, *, size: float = 3.0, alpha: float = 0.6
    ) -> "LabelComparisonDisplay":
        """Draw all panels.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            None makes a new figure; one Axes is divided; otherwise as many as there are places.
        size : float, default=3.0
            Diameter of a point in points.
        alpha : float, default=0.6
            Opacity of the points.

        Returns
        -------
        display : LabelComparisonDisplay
            This display.

        Raises
        ------
        ValueError
            If there is no comparison, or several are of different labels.
        """
        given = self.comparison
        several = isinstance(given, Mapping)
        entries = dict(given) if isinstance(given, Mapping) else {"": given}
        names = _check_entries(entries)
        n = len(entries)
        self.figure_, self.axes_ = style.make_axes(
            ax,
            1 + n,
            len(names),
            figsize=(style.PANEL_WIDTH * len(names), 0.9 * style.PANEL_HEIGHT + 1.75 * n),
            height_ratios=[1.6] + [1.0] * n,
        )
        for i in range(len(names)):
            columns = {name: _Column(c, i) for name, c in entries.items()}
            self._draw_label(self.axes_[:, i], columns, {"ms": size, "alpha": alpha}, ax is None)
        for place, name in zip(self.axes_[1:, 0], entries, strict=True):
            words = "fitted − catalogue"
            place.set_ylabel(f"{name}\n{words}" if several else words, fontsize=style.LABEL_SIZE)
        self.axes_[0, 0].set_ylabel("fitted", fontsize=style.LABEL_SIZE)
        if several:
            style.add_legend(self.axes_[0, 0], loc="upper left", handletextpad=0.2)
        return self

    def _draw_label(
        self, places: np.ndarray, columns: dict[str, "_Column"], points: dict, share: bool
    ) -> None:
        """Draw all panels of one label: one of labels, and one of differences per comparison."""
        limits = _label_limits(list(columns.values()))
        reach = max(column.reach for column in columns.values())
        top = places[0]
        top.plot(limits, limits, color=style.GREY, lw=style.THIN_LINE, zorder=0.5)
        for i, (name, column) in enumerate(columns.items()):
            # The last is blue and the one before it vermilion: as after and before translation.
            k = len(columns) - 1 - i
            look = {"color": style.CYCLE[k % len(style.CYCLE)], "mew": 0, **points}
            look["marker"] = MARKERS[k % len(MARKERS)]
            _draw_points(top, column.x, column.y, column.std, {**look, "label": name})
            _draw_differences(places[1 + i], column, look, reach)
        heading = next(iter(columns.values())).heading
        style.tidy(top, title=heading)
        top.set(xlim=limits, ylim=limits)
        for place in places[1:]:
            place.set_xlim(limits)
        if share:
            for place in places[:-1]:
                place.sharex(places[-1])
                place.tick_params(labelbottom=False)
        places[-1].set_xlabel(f"catalogue {heading}", fontsize=style.LABEL_SIZE)


class _Column:
    """One label of a comparison, without the stars that miss it."""

    def __init__(self, comparison: LabelComparison, index: int) -> None:
        unit = comparison.units[index]
        self.heading = comparison.label_names[index] + (f" [{unit}]" if unit else "")
        used = np.isfinite(comparison.fitted[:, index] - comparison.catalogue[:, index])
        self.x, self.y = comparison.catalogue[used, index], comparison.fitted[used, index]
        self.std = None if comparison.std is None else comparison.std[used, index]
        self.bias, self.scatter = float(comparison.bias[index]), float(comparison.scatter[index])
        self.words = _words(comparison, index)

    @property
    def reach(self) -> float:
        """How far from zero differences are shown."""
        if not len(self.x):
            return 0.0
        furthest = float(np.abs(self.y - self.x).max())
        return min(1.1 * furthest, abs(self.bias) + REACH * self.scatter) or furthest


def _words(comparison: LabelComparison, index: int) -> str:
    """Return what is written above the differences of one label."""
    scatter = comparison.scatter[index]
    words = f"bias {comparison.bias_text(index)}, scatter {scatter:.{decimals(scatter)}f}"
    words += f"\n{comparison.n_used[index]} of {len(comparison.fitted)} stars"
    if comparison.coverage is not None:
        words += f", {100 * comparison.coverage[index]:.0f} % within 1 σ"
    return words.replace("-", "−")


def _check_entries(entries: Mapping[str, LabelComparison]) -> tuple[str, ...]:
    """Return the labels that all comparisons share."""
    names = [comparison.label_names for comparison in entries.values()]
    if not names or len(set(names)) > 1:
        raise ValueError(
            "`comparison` must hold at least one comparison, all of the same labels; got "
            f"{names}; compare the same `label_names` each time."
        )
    return names[0]


def _label_limits(columns: list[_Column]) -> tuple[float, float]:
    """Return the range of catalogue and fitted values, with a margin."""
    values = np.concatenate([v for column in columns for v in (column.x, column.y)])
    if not values.size:
        return 0.0, 1.0
    low, high = values.min(), values.max()
    margin = MARGIN * (high - low) or 1.0
    return low - margin, high + margin


def _draw_points(ax: "Axes", x: np.ndarray, y: np.ndarray, std: Any, look: dict) -> None:
    """Draw one point per star, with a faint error bar where there is an error."""
    if std is not None:
        bars = {"ecolor": look["color"], "elinewidth": 0.6, "alpha": 0.5 * look["alpha"]}
        ax.errorbar(x, y, yerr=std, fmt="none", zorder=1, **bars)
    ax.plot(x, y, ls="", **look)


def _draw_differences(ax: "Axes", column: _Column, look: dict, reach: float) -> None:
    """Draw what is between fitted and catalogue values, with line of bias and band of scatter."""
    color, difference = look["color"], column.y - column.x
    ax.axhline(0.0, color=style.GREY, lw=style.THIN_LINE, zorder=0.5)
    if len(difference):
        low, high = column.bias - column.scatter, column.bias + column.scatter
        ax.axhspan(low, high, color=color, alpha=0.12, lw=0, zorder=0)
        ax.axhline(column.bias, color=color, lw=style.LINE_WIDTH, ls="--")
    _draw_points(ax, column.x, difference, column.std, look)
    if reach > 0:
        ax.set_ylim(-reach, reach)
    beyond = np.abs(difference) > reach
    if beyond.any():
        for side, marker in ((1, "^"), (-1, "v")):
            at = beyond & (np.sign(difference) == side)
            edge = np.full(at.sum(), side * 0.96 * reach)
            ax.plot(column.x[at], edge, ls="", marker=marker, ms=5, mfc="none", color=color)
    style.tidy(ax)
    ax.set_title(column.words, fontsize=style.LEGEND_SIZE, loc="left", color=style.INK)

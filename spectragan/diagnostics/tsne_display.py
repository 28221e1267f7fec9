"""The picture of a `TSNEGap`: one panel per pair of sets."""

from typing import TYPE_CHECKING, Any

import numpy as np

from spectragan.diagnostics import style
from spectragan.diagnostics.tsne import PanelScores, TSNEGap, tsne_gap
from spectragan.spectra import as_spectra, split_domains

if TYPE_CHECKING:
    from matplotlib.axes import Axes


MARGIN = 0.05  # of the width of a map, left free around it
SIDES = np.array([-1.0, 1.0])
COLORS = {
    "synthetic": style.SYNTHETIC,
    "observed": style.OBSERVED,
    "translated synthetic": style.TRANSLATED,
    "translated observed": style.TRANSLATED,
    "cycled synthetic": style.GREEN,
    "cycled observed": style.GREEN,
}


class TSNEGapDisplay:
    """Scatter plots of joint t-SNE maps, each pair of sets with its mixing score.

    It is recommended to use `from_estimator` or to pass the result of `tsne_gap`.

    Parameters
    ----------
    gap : TSNEGap
        The maps and scores.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_rows, n_columns)
        One per panel; those left over are switched off.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    spectragan.diagnostics.tsne_gap : Computes what is shown.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from spectragan.diagnostics import TSNEGapDisplay, tsne_gap
    >>> models, stars = np.random.default_rng(0).normal(1.0, 0.01, size=(2, 40, 30))
    >>> gap = tsne_gap({"models": models, "stars": stars}, n_iter=50, random_state=0)
    >>> display = TSNEGapDisplay(gap).plot()
    >>> display.axes_.shape
    (1, 1)
    """

    def __init__(self, gap: TSNEGap) -> None:
        self.gap = gap

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: Any, *, ax: Any = None, n_columns: int = 3, **kwargs: Any
    ) -> "TSNEGapDisplay":
        """Compute and plot the six panels of a fitted translator, or of a pipeline ending in one.

        Parameters
        ----------
        estimator : fitted translator, or Pipeline whose last step is one
            The steps before the translator are applied to `X` first.
        X : spectra of shape (n_spectra, n_pixels)
            Spectra of both domains.
        y : array-like of shape (n_spectra,)
            The domain of every row: 0 or "synthetic", 1 or "observed".
        ax : Axes or array of Axes, default=None
            Where to plot, see `plot`.
        n_columns : int, default=3
            Panels side by side.
        **kwargs
            For `tsne_gap`.

        Returns
        -------
        display : TSNEGapDisplay
            The plotted display.

        Raises
        ------
        ValueError
            If `y` does not name both domains row by row, or a domain has fewer than 10 spectra.
        """
        steps = getattr(estimator, "steps", None)
        if steps is not None:
            X = estimator[:-1].transform(X) if len(steps) > 1 else X
            estimator = steps[-1][1]
        synthetic, observed = split_domains(as_spectra(X), y)
        return cls(tsne_gap(estimator, synthetic, observed, **kwargs)).plot(ax, n_columns=n_columns)

    def plot(
        self, ax: Any = None, *, n_columns: int = 3, size: float = 9.0, alpha: float = 0.7
    ) -> "TSNEGapDisplay":
        """Draw all panels.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            None makes a new figure; one Axes is divided; otherwise as many as there are places.
        n_columns : int, default=3
            Panels side by side.
        size : float, default=9.0
            Area of a point in points squared.
        alpha : float, default=0.7
            Opacity of the points.

        Returns
        -------
        display : TSNEGapDisplay
            This display.
        """
        n_panels = len(self.gap.panels)
        n_columns = min(n_columns, n_panels)
        n_rows = -(-n_panels // n_columns)
        figsize = (style.PANEL_WIDTH * n_columns, (style.PANEL_HEIGHT + 0.4) * n_rows)
        self.figure_, self.axes_ = style.make_axes(ax, n_rows, n_columns, figsize=figsize)
        places = self.axes_.ravel()
        for place, scores in zip(places, self.gap.panels, strict=False):
            self._draw_panel(place, scores, size, alpha)
        for place in places[n_panels:]:
            place.set_axis_off()
        return self

    def _draw_panel(self, ax: "Axes", scores: PanelScores, size: float, alpha: float) -> None:
        """Draw one pair of sets in the frame that its whole map needs."""
        panel = scores.panel
        points = self.gap.maps[panel.space]
        looks = ((panel.second, "o"), (panel.first, "^"))
        for name, marker in looks:
            color = _color(name, list(points))
            x, y = points[name].T
            ax.scatter(x, y, s=size, c=color, marker=marker, alpha=alpha, lw=0, label=name)
        style.tidy(ax)
        ax.set_title(panel.heading, fontsize=style.TITLE_SIZE, loc="left", pad=17.0)
        ax.set_xlabel(
            f"mixing {scores.mixing:.2f} (null {scores.mixing_null:.2f}), "
            f"in map {scores.map_mixing:.2f}",
            fontsize=style.LABEL_SIZE,
        )
        everything = np.vstack([*points.values()])
        low, high = everything.min(axis=0), everything.max(axis=0)
        centre, reach = (low + high) / 2, (0.5 + MARGIN) * (high - low).max()
        ax.set(xlim=centre[0] + reach * SIDES, ylim=centre[1] + reach * SIDES)
        ax.set(xticks=[], yticks=[])
        ax.spines[["top", "right"]].set_visible(True)
        ax.set_box_aspect(1.0)  # with equal reach: distances look the same in all directions
        style.legend_above(ax, loc="left", n_columns=2)


def _color(name: str, names: list[str]) -> str:
    """Return the colour of a set, the same in every panel."""
    return COLORS.get(name, style.CYCLE[names.index(name) % len(style.CYCLE)])

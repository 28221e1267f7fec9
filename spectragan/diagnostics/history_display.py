"""The picture of a training: every loss term and score per epoch."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spectragan.diagnostics import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


LOG_RANGE = 30.0  # a panel whose curves span more than this factor is drawn in logarithms
MAX_CURVES = 6  # more in one panel cannot be told apart
NOT_CURVES = frozenset({"epoch", "epochs", "time", "dur", "duration"})
# Panels in order, and the words in a curve's name that choose one; the rest are losses.
FAMILIES = {
    "losses": (),
    "critics": ("critic", "adversarial", "penalty"),
    "spectrum scores": ("x_so", "x_os"),
    "latent scores": ("z_",),
    "unpaired gap": ("gap", "auc", "mmd", "wasserstein"),
}


class TrainingHistoryDisplay:
    """Curves of every loss term and score against the epoch.

    It is recommended to use `from_estimator` or to pass a ``history_``.

    Parameters
    ----------
    history : mapping of str to sequence of float
        One value per epoch and name. NaN or None marks an epoch without a value; curves may
        differ in length.
    groups : mapping of str to sequence of str, default=None
        Panel titles and the names drawn in each; None sorts them by their names into losses,
        critics and scores.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_rows, n_columns)
        One per group; those left over are switched off.
    figure_ : matplotlib Figure
        The figure.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from spectragan.diagnostics import TrainingHistoryDisplay
    >>> history = {"reconstruction": [3.0, 2.0, 1.5], "x_so": [2.0, float("nan"), 1.0]}
    >>> display = TrainingHistoryDisplay(history).plot()
    >>> [ax.get_title(loc="left") for ax in display.axes_.ravel()]
    ['losses', 'spectrum scores']
    """

    def __init__(
        self,
        history: Mapping[str, Sequence[float]],
        *,
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.history = history
        self.groups = groups

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, groups: Any = None, ax: Any = None, **kwargs: Any
    ) -> "TrainingHistoryDisplay":
        """Plot the history of a fitted estimator, or of the last step of a pipeline.

        Parameters
        ----------
        estimator : fitted estimator or Pipeline
            Has `history_`.
        groups : mapping of str to sequence of str, default=None
            See the class.
        ax : Axes or array of Axes, default=None
            Where to plot, see `plot`.
        **kwargs
            For `plot`.

        Returns
        -------
        display : TrainingHistoryDisplay
            The plotted display.

        Raises
        ------
        TypeError
            If the estimator keeps no history.
        """
        steps = getattr(estimator, "steps", None)
        estimator = estimator if steps is None else steps[-1][1]
        history = getattr(estimator, "history_", None)
        if history is None:
            raise TypeError(
                f"`estimator` must be fitted and have `history_`; got {estimator!r}; "
                "fit it first, or choose one that trains over epochs."
            )
        return cls(history, groups=groups).plot(ax, **kwargs)

    def plot(self, ax: Any = None, *, n_columns: int = 2) -> "TrainingHistoryDisplay":
        """Draw all groups.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            None makes a new figure; one Axes is divided; otherwise as many as there are places.
        n_columns : int, default=2
            Panels side by side.

        Returns
        -------
        display : TrainingHistoryDisplay
            This display.

        Raises
        ------
        ValueError
            If there is no curve to draw, or a group names one that is not there.
        """
        groups = _group_by_name(self.history) if self.groups is None else dict(self.groups)
        _check_groups(groups, self.history)
        n_columns = min(n_columns, len(groups))
        n_rows = -(-len(groups) // n_columns)
        figsize = (style.PANEL_WIDTH * 1.5 * n_columns, style.PANEL_HEIGHT * n_rows)
        self.figure_, self.axes_ = style.make_axes(ax, n_rows, n_columns, figsize=figsize)
        places = self.axes_.ravel()
        for place, (title, names) in zip(places, groups.items(), strict=False):
            _draw_curves(place, title, {name: _as_curve(self.history[name]) for name in names})
        for place in places[len(groups) :]:
            place.set_axis_off()
        return self


def _group_by_name(history: Mapping[str, Any]) -> dict[str, list[str]]:
    """Sort curves into families by the words in their names, at most six in a panel."""
    families: dict[str, list[str]] = {title: [] for title in FAMILIES}
    for name in history:
        if name in NOT_CURVES:
            continue
        fits = (title for title, words in FAMILIES.items() if any(word in name for word in words))
        families[next(fits, "losses")].append(name)
    groups = {}
    for title, names in families.items():
        for start in range(0, len(names), MAX_CURVES):
            groups[title if start == 0 else f"{title} ({start // MAX_CURVES + 1})"] = names[
                start : start + MAX_CURVES
            ]
    return groups


def _check_groups(groups: Mapping[str, Sequence[str]], history: Mapping[str, Any]) -> None:
    """Raise unless there is something to draw and all of it is there."""
    if not any(len(names) for names in groups.values()):
        raise ValueError("`history` must hold at least one curve; got none; train with validation.")
    for title, names in groups.items():
        for name in names:
            if name not in history:
                raise ValueError(
                    f"group {title!r} must name curves of the history; got {name!r}; "
                    f"choose from {list(history)}."
                )


def _as_curve(values: Sequence[float]) -> np.ndarray:
    """Return one curve as floats; None becomes NaN."""
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _draw_curves(ax: "Axes", title: str, curves: Mapping[str, np.ndarray]) -> None:
    """Draw the curves of one group against the epoch."""
    for i, (name, values) in enumerate(curves.items()):
        epoch = np.arange(1, len(values) + 1)
        there = np.isfinite(values)
        # Sparse scores are joined over the epochs between, and their epochs are marked.
        marker = "" if there.all() and len(values) > 1 else "."
        ax.plot(
            epoch[there],
            values[there],
            color=style.CYCLE[i % len(style.CYCLE)],
            ls=style.DASHES[i % len(style.DASHES)],
            lw=style.LINE_WIDTH,
            marker=marker,
            label=name.replace("_", " "),
        )
    if _spans_decades(curves.values()):
        ax.set_yscale("log")
        # A factor of thirty holds a power of ten: labels between would only crowd it.
        ax.tick_params(which="minor", labelleft=False)
    style.tidy(ax, title=title, xlabel="epoch")
    ax.locator_params(axis="x", integer=True)
    style.add_legend(ax, loc="upper left", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.2)


def _spans_decades(curves: Any) -> bool:
    """Tell whether all values are positive and range over more than a factor of thirty."""
    values = np.concatenate([*curves])
    values = values[np.isfinite(values)]
    return values.size > 0 and values.min() > 0 and values.max() > LOG_RANGE * values.min()

"""How figures look: colours, sizes and axes, given to matplotlib call by call.

Nothing here touches ``rcParams``: a figure of ours leaves the user's other figures alone.
"""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


# Okabe & Ito (2008): told apart with every common colour blindness, and by lightness in print.
ORANGE, SKY, GREEN = "#E69F00", "#56B4E9", "#009E73"
BLUE, VERMILION, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
INK, GREY, FAINT = "#1A1A1A", "#767676", "#D9D9D9"

SYNTHETIC, TRANSLATED, OBSERVED = VERMILION, BLUE, INK
VERDICTS = {"good": GREEN, "can't be told": BLUE, "doubtful": ORANGE, "wrong": VERMILION}
CYCLE = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK)
DASHES = ("-", "--", "-.", ":")  # lines differ in more than colour

# Of pages in a browser, by role, for both of the reader's modes: the dark one has the lighter
# colours of the same palette.
MODES = {
    "light": {
        "paper": "#F6F7F9",
        "card": "#FFFFFF",
        "text": INK,
        "muted": "#5F6368",
        "rule": "#DDE1E6",
        "synthetic": SYNTHETIC,
        "translated": TRANSLATED,
        "observed": OBSERVED,
        "back": PURPLE,
        "strange": ORANGE,
        "invented": VERMILION,
    },
    "dark": {
        "paper": "#111418",
        "card": "#1A1F25",
        "text": "#E8EAED",
        "muted": "#A3A9B1",
        "rule": "#333A43",
        "synthetic": VERMILION,
        "translated": SKY,
        "observed": FAINT,
        "back": PURPLE,
        "strange": ORANGE,
        "invented": VERMILION,
    },
}

TITLE_SIZE, LABEL_SIZE, TICK_SIZE, LEGEND_SIZE = 10.0, 9.0, 8.0, 8.0
LINE_WIDTH, THIN_LINE = 1.1, 0.8
PANEL_WIDTH, PANEL_HEIGHT = 3.0, 2.7  # inches


def make_axes(
    ax: Any, n_rows: int, n_cols: int, *, figsize: tuple[float, float], **gridspec: Any
) -> tuple["Figure", np.ndarray]:
    """Return a figure and a grid of axes in what the caller gave.

    Parameters
    ----------
    ax : None, matplotlib Axes or array of Axes
        None makes a new figure; one Axes where several are needed gives up its place to them; an
        array of the right number is used as it is.
    n_rows, n_cols : int
        The grid.
    figsize : tuple of float, inches
        Size of a new figure.
    **gridspec
        For `GridSpec`: ``height_ratios``, ``hspace`` and the like.

    Returns
    -------
    figure : matplotlib Figure
        The figure.
    axes : ndarray of Axes of shape (n_rows, n_cols)
        The axes.

    Raises
    ------
    ValueError
        If the number of axes given is neither one nor ``n_rows * n_cols``, or one that would
        have to be divided is not part of a grid.
    """
    if ax is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=figsize, layout="constrained")
        return figure, _fill(figure.add_gridspec(n_rows, n_cols, **gridspec), figure)
    given = np.atleast_1d(np.asarray(ax, dtype=object)).ravel()
    if given.size == n_rows * n_cols:
        return given[0].figure, given.reshape(n_rows, n_cols)
    if given.size != 1:
        raise ValueError(
            f"`ax` must be one Axes or {n_rows * n_cols} of them; got {given.size}; "
            "leave it out for a new figure."
        )
    place = given[0].get_subplotspec()
    if place is None:
        raise ValueError(
            "`ax` must be part of a grid to be divided; got Axes placed by hand; "
            "make it with plt.subplots, or leave it out."
        )
    given[0].set_axis_off()
    return given[0].figure, _fill(place.subgridspec(n_rows, n_cols, **gridspec), given[0].figure)


def _fill(gridspec: Any, figure: "Figure") -> np.ndarray:
    """Add axes to all places of a grid."""
    axes = np.empty(gridspec.get_geometry(), dtype=object)
    for row, column in np.ndindex(axes.shape):
        axes[row, column] = figure.add_subplot(gridspec[row, column])
    return axes


def tidy(ax: "Axes", *, title: str = "", xlabel: str = "", ylabel: str = "") -> None:
    """Set the words of one Axes and take away what carries no information."""
    ax.set_title(title, fontsize=TITLE_SIZE, loc="left")
    ax.set_xlabel(xlabel, fontsize=LABEL_SIZE)
    ax.set_ylabel(ylabel, fontsize=LABEL_SIZE)
    ax.tick_params(which="both", labelsize=TICK_SIZE)
    ax.spines[["top", "right"]].set_visible(False)


def add_legend(ax: "Axes", **where: Any) -> None:
    """Add a small legend without a frame."""
    ax.legend(fontsize=LEGEND_SIZE, frameon=False, **where)


def legend_above(ax: "Axes", *, loc: str, n_columns: int) -> None:
    """Add a legend in one line above the frame, where it hides no data.

    Parameters
    ----------
    ax : Axes
        Where to add it.
    loc : {"left", "right"}
        The side it is flush with.
    n_columns : int
        The number of entries.
    """
    x = 0.0 if loc == "left" else 1.0
    add_legend(
        ax,
        loc=f"lower {loc}",
        bbox_to_anchor=(x, 1.0),
        ncols=n_columns,
        borderaxespad=0.1,
        borderpad=0.1,
        handletextpad=0.4,
        columnspacing=1.0,
    )

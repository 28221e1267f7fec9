"""The picture of `MissingLines`: derivatives before and after, found and true lines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.table import Table

from spectragan.diagnostics import style
from spectragan.lines.table import MissingLines

if TYPE_CHECKING:
    from matplotlib.axes import Axes


MOST_LABELS = 4  # drawn if none are named: those with the most lines
MARGIN = 0.08  # of the derivatives shown, left free below them for marks


class LineAttributionDisplay:
    """Derivatives of synthetic and of observed spectra, one panel per label, with the lines found.

    Parameters
    ----------
    lines : MissingLines
        What `LineAttribution.find` returned.
    truth : Table, default=None
        Lines that are truly missing, with the columns ``wavelength`` and ``label`` or
        ``element``, and optionally ``missing``; drawn below the derivatives.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (n_labels,)
        One panel for each label.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    spectragan.LineAttribution : Computes what is shown.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> from astropy.table import Table
    >>> from spectragan import LineAttribution, MeanShiftTranslator, SpectrumEmulator
    >>> from spectragan.datasets import make_line_domains
    >>> from spectragan.diagnostics import LineAttributionDisplay
    >>> pair = make_line_domains(200, 300, n_pixels=300, n_elements=3, random_state=1)
    >>> labels = Table(dict(zip(pair.label_names, pair.labels_synthetic.T)))
    >>> emulator = SpectrumEmulator(verbose=0).fit(labels, pair.synthetic)
    >>> translator = MeanShiftTranslator().fit(pair.synthetic, pair.observed)
    >>> found = LineAttribution(emulator, translator).find(pair.observed, labels)
    >>> LineAttributionDisplay(found, pair.lines).plot(labels=["Fe", "Si"]).axes_.shape
    (2,)
    """

    def __init__(self, lines: MissingLines, truth: Table | None = None) -> None:
        self.lines = lines
        self.truth = truth

    def plot(
        self,
        ax: Any = None,
        *,
        labels: Sequence[str] | None = None,
        limits: tuple[float, float] | None = None,
    ) -> "LineAttributionDisplay":
        """Draw all panels.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            None makes a new figure; one Axes is divided; otherwise as many as there are labels.
        labels : sequence of str, default=None
            Labels to show. None takes the four that own most lines.
        limits : tuple of float, default=None
            Wavelengths to show, in the unit of the grid. None shows all.

        Returns
        -------
        display : LineAttributionDisplay
            This display.

        Raises
        ------
        ValueError
            If a label is unknown or limits hold no pixel.
        """
        names = self._choose(labels)
        grid = self._grid()
        shown = np.ones(len(grid), dtype=bool)
        if limits is not None:
            shown = (grid >= limits[0]) & (grid <= limits[1])
        if not shown.any():
            raise ValueError(
                f"`limits` must hold a pixel of {grid[0]:g} to {grid[-1]:g}; got {limits!r}; "
                "widen them, or leave them out."
            )
        self.figure_, axes = style.make_axes(
            ax, len(names), 1, figsize=(9.0, 0.4 + 1.7 * len(names))
        )
        self.axes_ = axes[:, 0]
        for place, name in zip(self.axes_, names, strict=True):
            self._draw(place, name, grid, shown)
        unit = "" if self.lines.wavelength is None else f" [{self.lines.wavelength.unit}]"
        word = "pixel" if self.lines.wavelength is None else "wavelength"
        self.axes_[-1].set_xlabel(word + unit, fontsize=style.LABEL_SIZE)
        style.legend_above(self.axes_[0], loc="right", n_columns=5)
        return self

    def _choose(self, labels: Sequence[str] | None) -> list[str]:
        names = list(self.lines.label_names)
        if labels is None:
            owned = list(self.lines.table["label"])
            order = sorted(self.lines.owners, key=lambda name: -owned.count(name))
            return order[:MOST_LABELS] or names[:1]
        unknown = [name for name in labels if name not in names]
        if isinstance(labels, str) or unknown or not len(labels):
            raise ValueError(
                f"`labels` must name at least one of {', '.join(names)}; got {labels!r}; "
                "put names into a list."
            )
        return list(labels)

    def _grid(self) -> np.ndarray:
        wavelength = self.lines.wavelength
        return np.arange(len(self.lines.offset)) if wavelength is None else wavelength.value

    def _draw(self, ax: "Axes", name: str, grid: np.ndarray, shown: np.ndarray) -> None:
        """Draw the panel of one label."""
        label = self.lines.label_names.index(name)
        x = grid[shown]
        before = self.lines.synthetic[shown, label]
        after, error = self.lines.observed[shown, label], self.lines.error[shown, label]
        ax.fill_between(
            x, after - 2 * error, after + 2 * error, color=style.FAINT, lw=0, label="2 σ"
        )
        width = style.LINE_WIDTH
        ax.plot(x, after, color=style.OBSERVED, lw=width, label="observed")
        ax.plot(x, before, color=style.SYNTHETIC, lw=width, ls="--", label="synthetic")
        values = np.concatenate([before, after[np.isfinite(after)]])
        span = float(np.ptp(values)) or 1.0
        foot = float(values.min()) - MARGIN * span
        self._mark(ax, foot, self._found(name), "v", style.BLUE, "found")
        if self.truth is not None:
            true = _true_lines(self.truth, name)
            self._mark(ax, foot - MARGIN * span, true, "|", style.VERMILION, "missing")
        style.tidy(ax, title=name, ylabel=f"∂ flux / ∂ {name}")
        ax.set_xlim(x[0], x[-1])

    def _mark(
        self, ax: "Axes", height: float, places: np.ndarray, marker: str, color: str, word: str
    ) -> None:
        heights = np.full(len(places), height)
        ax.plot(places, heights, ls="", marker=marker, ms=6, color=color, label=word, mew=1.5)

    def _found(self, name: str) -> np.ndarray:
        table = self.lines.table
        return np.asarray(table["wavelength"][table["label"] == name], dtype=float)


def _true_lines(table: Table, name: str) -> np.ndarray:
    """Return where a label truly owns missing lines."""
    owner = table["label" if "label" in table.colnames else "element"]
    there = np.asarray(owner == name)
    if "missing" in table.colnames:
        there = there & np.asarray(table["missing"])
    return np.asarray(table["wavelength"][there], dtype=float)

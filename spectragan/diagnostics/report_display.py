"""A translation report on one page."""

from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from spectragan.diagnostics import style
from spectragan.diagnostics.report import TranslationReport

if TYPE_CHECKING:
    from matplotlib.axes import Axes


WORDS = 60  # letters in a line of the findings
N_WORDS = 14  # lines of them
BAR = 0.38


class TranslationReportDisplay:
    """Draw a translation report: mean spectra, gap, strange spectra, and what was found.

    Parameters
    ----------
    report : TranslationReport
        From `spectragan.translation_report`.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (2, 2)
        Mean changes of flux, gap scores, p-values, and words.
    figure_ : matplotlib Figure
        The page.

    Examples
    --------
    >>> from spectragan import LinearTranslator, translation_report
    >>> from spectragan.datasets import make_mock_domains
    >>> from spectragan.diagnostics import TranslationReportDisplay
    >>> mock = make_mock_domains(300, 300, n_pixels=100, random_state=0)
    >>> translator = LinearTranslator().fit(mock.synthetic, mock.observed)
    >>> report = translation_report(translator, mock.synthetic, mock.observed, random_state=0)
    >>> TranslationReportDisplay(report).plot().axes_.shape
    (2, 2)
    """

    def __init__(self, report: TranslationReport) -> None:
        self.report = report

    def plot(self, ax: Any = None) -> "TranslationReportDisplay":
        """Draw the page.

        Parameters
        ----------
        ax : Axes or array of four Axes, default=None
            None makes a new figure; one Axes is divided.

        Returns
        -------
        display : TranslationReportDisplay
            This display.
        """
        figsize = (style.PANEL_WIDTH * 3.4, style.PANEL_HEIGHT * 2.2)
        self.figure_, self.axes_ = style.make_axes(ax, 2, 2, figsize=figsize)
        _draw_means(self.axes_[0, 0], self.report)
        _draw_gap(self.axes_[0, 1], self.report)
        _draw_strange(self.axes_[1, 0], self.report)
        _write_findings(self.axes_[1, 1], self.report)
        return self


def _draw_means(ax: "Axes", report: TranslationReport) -> None:
    """Draw how the mean spectrum changes, and how it should."""
    means, wavelength = report.means, report.wavelength
    x = np.arange(len(means["observed"])) if wavelength is None else wavelength.value
    for name, colour in (("observed", style.OBSERVED), ("translated", style.TRANSLATED)):
        ax.plot(x, means[name] - means["synthetic"], color=colour, lw=style.THIN_LINE, label=name)
    if report.inventions is not None and report.inventions.pixels.any():
        marked = x[report.inventions.pixels]
        ax.plot(
            marked,
            np.zeros(len(marked)),
            "|",
            ms=12,
            mew=1.5,
            color=style.VERMILION,
            label="invented",
        )
    unit = "pixel" if wavelength is None else f"wavelength [{wavelength.unit}]"
    style.tidy(ax, title="change of mean flux", xlabel=unit)
    style.legend_above(ax, loc="right", n_columns=3)


def _draw_gap(ax: "Axes", report: TranslationReport) -> None:
    """Draw two scores before and after, beside their nulls."""
    before, after = report.gap_before, report.gap_after
    scores = {
        "classifier AUC": (before.auc, after.auc, after.auc_null),
        "sliced Wasserstein": (
            before.sliced_wasserstein,
            after.sliced_wasserstein,
            after.sliced_wasserstein_null,
        ),
    }
    for i, (first, last, null) in enumerate(scores.values()):
        ax.barh(i - BAR / 2, first, BAR, color=style.SYNTHETIC, label="before" if not i else None)
        ax.barh(i + BAR / 2, last, BAR, color=style.TRANSLATED, label="after" if not i else None)
        label = "no gap" if not i else None
        ax.plot([null, null], [i - BAR, i + BAR], "k:", lw=style.LINE_WIDTH, label=label)
    style.tidy(ax, title="gap between the domains")
    ax.set_yticks(range(len(scores)), scores)
    ax.invert_yaxis()
    style.legend_above(ax, loc="right", n_columns=3)


def _draw_strange(ax: "Axes", report: TranslationReport) -> None:
    """Draw p-values of translated spectra among the observed ones: flat where they belong."""
    title = "translated among observed"
    if report.strange is None:
        style.tidy(ax, title=title)
        why = fill(f"not judged: {report.left_out['strange']}", WORDS)
        ax.text(0.5, 0.5, why, ha="center", va="center", fontsize=style.TICK_SIZE, wrap=True)
        ax.set_axis_off()
        return
    edges = np.linspace(0, 1, 21).tolist()
    tests = {"place": report.strange.place, "residual": report.strange.residual}
    for (name, values), colour in zip(tests.items(), (style.BLUE, style.VERMILION), strict=True):
        ax.hist(
            values[np.isfinite(values)],
            edges,
            histtype="step",
            color=colour,
            lw=style.LINE_WIDTH,
            label=name,
        )
    even = np.isfinite(report.strange.p_value).sum() / (len(edges) - 1)
    ax.axhline(even, color=style.INK, ls=":", lw=style.LINE_WIDTH, label="alike")
    style.tidy(ax, title=title, xlabel="p-value", ylabel="spectra")
    style.legend_above(ax, loc="right", n_columns=3)


def _write_findings(ax: "Axes", report: TranslationReport) -> None:
    ax.set_axis_off()
    ax.set_title(
        f"{report.translator}: {report.verdict}",
        fontsize=style.TITLE_SIZE,
        loc="left",
        color=style.VERDICTS[report.verdict],
        fontweight="bold",
    )
    words = "\n".join(fill(str(f), WORDS, subsequent_indent="  ") for f in report.findings)
    words = words or fill("Nothing speaks against it. That doesn't prove it right.", WORDS)
    lines = words.split("\n")
    if len(lines) > N_WORDS:
        lines = [*lines[: N_WORDS - 1], "... more in print(report)"]
    ax.text(0, 1, "\n".join(lines), va="top", fontsize=style.TICK_SIZE, transform=ax.transAxes)

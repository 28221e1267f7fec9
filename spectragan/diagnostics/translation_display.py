"""The picture of a translation: spectra, and what is left of the gap before and after."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spectragan.diagnostics import style
from spectragan.spectra import Spectra
from spectragan.spectra.inputs import check_set

if TYPE_CHECKING:
    from matplotlib.axes import Axes


RESIDUAL_SPAN = 99.5  # percentile of |residual| shown: one bad pixel must not flatten the rest
DENSE = 1500  # more pixels than this in one panel run into each other


class TranslationDisplay:
    """Synthetic, translated and observed spectra with the residuals before and after.

    It is recommended to use `from_estimator` or `from_spectra`.

    Parameters
    ----------
    wavelength : array-like of shape (n_pixels,), Angstrom, or None
        The axis; None numbers the pixels.
    synthetic, translated, observed : array-like of shape (n_spectra, n_pixels)
        Flux, row by row of the same stars; NaN is left out.
    titles : sequence of str, default=None
        What to write above every star.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (2 * n_spectra, 1)
        Spectra and residuals of every star in turn.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    spectragan.diagnostics.gap_scores : The gap of whole sets as numbers.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from spectragan.diagnostics import TranslationDisplay
    >>> x = np.ones((1, 50))
    >>> TranslationDisplay(None, x, x + 0.1, x + 0.2).plot().axes_.shape
    (2, 1)
    """

    def __init__(
        self,
        wavelength: Any,
        synthetic: Any,
        translated: Any,
        observed: Any,
        *,
        titles: Sequence[str] | None = None,
    ) -> None:
        self.wavelength = wavelength
        self.synthetic = synthetic
        self.translated = translated
        self.observed = observed
        self.titles = titles

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X_synthetic: Any,
        X_observed: Any,
        *,
        rows: Sequence[int] = (0,),
        ax: Any = None,
        **kwargs: Any,
    ) -> "TranslationDisplay":
        """Translate the synthetic spectra of some stars and plot them beside the observed ones.

        Parameters
        ----------
        estimator : fitted translator
            Has `transform`.
        X_synthetic, X_observed : spectra of shape (n_spectra, n_pixels)
            Both domains, row by row of the same stars.
        rows : sequence of int, default=(0,)
            Which stars to show.
        ax : Axes or array of Axes, default=None
            Where to plot, see `plot`.
        **kwargs
            For `plot`, and ``titles``.

        Returns
        -------
        display : TranslationDisplay
            The plotted display.

        Raises
        ------
        ValueError
            If the numbers of rows differ or a row is not there.
        GridMismatchError
            If the domains are on different grids.
        """
        synthetic = check_set(X_synthetic, "X_synthetic", min_rows=1)
        translated = estimator.transform(synthetic)
        return cls.from_spectra(synthetic, translated, X_observed, rows=rows, ax=ax, **kwargs)

    @classmethod
    def from_spectra(
        cls,
        synthetic: Any,
        translated: Any,
        observed: Any,
        *,
        rows: Sequence[int] = (0,),
        titles: Sequence[str] | None = None,
        ax: Any = None,
        **kwargs: Any,
    ) -> "TranslationDisplay":
        """Plot spectra that were translated before.

        Parameters
        ----------
        synthetic, translated, observed : spectra of shape (n_spectra, n_pixels)
            Row by row of the same stars.
        rows : sequence of int, default=(0,)
            Which stars to show.
        titles : sequence of str, default=None
            What to write above every star shown.
        ax : Axes or array of Axes, default=None
            Where to plot, see `plot`.
        **kwargs
            For `plot`.

        Returns
        -------
        display : TranslationDisplay
            The plotted display.

        Raises
        ------
        ValueError
            If the numbers of rows differ or a row is not there.
        GridMismatchError
            If the sets are on different grids.
        """
        first = check_set(synthetic, "synthetic", min_rows=1)
        named = {"translated": translated, "observed": observed}
        sets = [first] + [
            check_set(x, name, like=first, like_name="synthetic", min_rows=1)
            for name, x in named.items()
        ]
        _check_rows(sets, rows)
        axis = None if first.wavelength is None else first.wavelength.value
        flux = [np.asarray(x[list(rows)]) for x in sets]
        return cls(axis, *flux, titles=titles).plot(ax, **kwargs)

    def plot(
        self, ax: Any = None, *, limits: tuple[float, float] | None = None
    ) -> "TranslationDisplay":
        """Draw spectra and residuals of every star.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            None makes a new figure; one Axes is divided; otherwise two for every star.
        limits : tuple of float, Angstrom, default=None
            The stretch of wavelengths to show; None shows all.

        Returns
        -------
        display : TranslationDisplay
            This display.
        """
        synthetic, translated, observed = (
            np.atleast_2d(x) for x in (self.synthetic, self.translated, self.observed)
        )
        n = len(observed)
        x = np.arange(observed.shape[1]) if self.wavelength is None else self.wavelength
        shown = np.ones(len(x), dtype=bool) if limits is None else _inside(x, limits)
        self.figure_, self.axes_ = style.make_axes(
            ax, 2 * n, 1, figsize=(7.4, 3.4 * n), height_ratios=[2.2, 1.0] * n
        )
        titles = self.titles or [""] * n
        for i in range(n):
            top, bottom = self.axes_[2 * i : 2 * i + 2, 0]
            if ax is None:
                bottom.sharex(top)
            triple = [flux[i][shown] for flux in (synthetic, translated, observed)]
            _draw_spectra(top, x[shown], triple, titles[i])
            _draw_residuals(bottom, x[shown], triple)
        axis = "pixel" if self.wavelength is None else r"wavelength [$\mathrm{\AA}$]"
        self.axes_[-1, 0].set_xlabel(axis, fontsize=style.LABEL_SIZE)
        return self


def _check_rows(sets: list[Spectra], rows: Sequence[int]) -> None:
    """Raise unless all sets have the same rows, and those asked for."""
    sizes = [len(x) for x in sets]
    if len(set(sizes)) > 1:
        raise ValueError(
            "synthetic, translated and observed spectra must be of the same stars row by row; "
            f"got {sizes[0]}, {sizes[1]} and {sizes[2]} rows; select matching rows first."
        )
    if len(rows) == 0 or not all(-sizes[0] <= row < sizes[0] for row in rows):
        raise ValueError(
            f"`rows` must name stars between 0 and {sizes[0] - 1}; got {list(rows)}; "
            "choose among them."
        )


def _inside(x: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
    """Return which pixels lie within `limits`."""
    inside = (x >= limits[0]) & (x <= limits[1])
    if not inside.any():
        raise ValueError(
            f"`limits` must overlap the axis, {x[0]:g} to {x[-1]:g}; got {limits}; widen them."
        )
    return inside


def _draw_spectra(ax: "Axes", x: np.ndarray, triple: list[np.ndarray], title: str) -> None:
    """Draw the three spectra of one star."""
    synthetic, translated, observed = triple
    scale = _line_scale(x)
    looks = (
        ("observed", observed, style.OBSERVED, 2.0 * style.THIN_LINE),
        ("synthetic", synthetic, style.SYNTHETIC, style.THIN_LINE),
        ("translated", translated, style.TRANSLATED, style.LINE_WIDTH),
    )
    for name, flux, color, width in looks:
        ax.plot(x, flux, color=color, lw=scale * width, label=name)
    style.tidy(ax, title=title, ylabel="flux")
    ax.tick_params(labelbottom=False)
    ax.margins(x=0.005)
    style.legend_above(ax, loc="right", n_columns=3)


def _line_scale(x: np.ndarray) -> float:
    """Return how much thinner lines must be where many pixels share the width of a figure."""
    return 1.0 if len(x) <= DENSE else 0.7


def _draw_residuals(ax: "Axes", x: np.ndarray, triple: list[np.ndarray]) -> None:
    """Draw what is left of one star before and after, with the rms of both."""
    synthetic, translated, observed = triple
    looks = (
        ("before", observed - synthetic, style.SYNTHETIC, style.THIN_LINE),
        ("after", observed - translated, style.TRANSLATED, style.LINE_WIDTH),
    )
    scale = _line_scale(x)
    ax.axhline(0.0, color=style.GREY, lw=style.THIN_LINE)
    for word, residual, color, width in looks:
        good = residual[np.isfinite(residual)]
        rms = np.sqrt(np.mean(good**2)) if good.size else np.nan
        ax.plot(x, residual, color=color, lw=scale * width, label=f"{word}: rms {rms:.4f}")
    size = np.abs(np.concatenate([look[1] for look in looks]))
    size = size[np.isfinite(size)]
    top = 1.2 * np.percentile(size, RESIDUAL_SPAN) if size.size else 0.0
    if top > 0:
        # Room for the legend above the curves.
        ax.set_ylim(-top, 1.6 * top)
    style.tidy(ax, ylabel="residual")
    style.add_legend(ax, loc="upper right", ncols=2)

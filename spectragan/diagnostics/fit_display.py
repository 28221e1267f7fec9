"""The picture of one fit: a spectrum, the best model, and what is left in standard deviations."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import median_abs_deviation

from spectragan.diagnostics import style
from spectragan.diagnostics.label_comparison import with_error
from spectragan.diagnostics.translation_display import DENSE, RESIDUAL_SPAN
from spectragan.spectra import Spectra, as_spectra
from spectragan.spectra.inputs import check_set

if TYPE_CHECKING:
    from matplotlib.axes import Axes


LEAST_SPAN = 3.5  # standard deviations always shown, so that a good fit looks good
MOST_SPAN = 10.0  # shown of a few pixels only: lines that a model misses, but no cosmic ray
LABELS_A_LINE = 5


class FitDisplay:
    """An observed spectrum, its best model, and the residuals in standard deviations.

    It is recommended to use `from_estimator` or `from_spectra`.

    Parameters
    ----------
    wavelength : array-like of shape (n_pixels,), Angstrom, or None
        The axis; None numbers the pixels.
    flux : array-like of shape (n_pixels,)
        The observed spectrum; NaN leaves a gap.
    model : array-like of shape (n_pixels,)
        The model; NaN leaves a gap.
    std : array-like of shape (n_pixels,), default=None
        Standard deviation of `flux`; pixels where it is not finite and positive are left out.
        None is not known: residuals are then divided by their own robust scatter, and the axis
        says that this error is assumed.
    title : str, default=""
        What to write above.

    Attributes
    ----------
    axes_ : ndarray of Axes of shape (2, 1)
        Spectrum and residuals.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    spectragan.diagnostics.LabelCovarianceDisplay : The labels of one fit with their errors.

    Examples
    --------
    >>> import matplotlib
    >>> matplotlib.use("Agg")
    >>> import numpy as np
    >>> from spectragan.diagnostics import FitDisplay
    >>> model = np.linspace(1.0, 0.5, 50)
    >>> display = FitDisplay(None, model + 0.02, model, std=np.full(50, 0.01)).plot()
    >>> display.axes_[1, 0].get_ylabel()
    'residual [σ]'
    """

    def __init__(
        self, wavelength: Any, flux: Any, model: Any, *, std: Any = None, title: str = ""
    ) -> None:
        self.wavelength = wavelength
        self.flux = flux
        self.model = model
        self.std = std
        self.title = title

    @classmethod
    def from_estimator(
        cls,
        fitter: Any,
        X: Any,
        *,
        row: int = 0,
        title: str | None = None,
        limits: tuple[float, float] | None = None,
        ax: Any = None,
    ) -> "FitDisplay":
        """Fit one star and plot it with its best model.

        Parameters
        ----------
        fitter : fitted estimator
            Has `predict` with ``return_cov``, `best_model` and `label_names_`.
        X : spectra of shape (n_stars, n_pixels)
            Observed spectra.
        row : int, default=0
            Which star to show.
        title : str, default=None
            What to write above; None takes the labels with their errors.
        limits : tuple of float, Angstrom, default=None
            The stretch of wavelengths to show; None shows all.
        ax : Axes or array of Axes, default=None
            Where to plot, see `plot`.

        Returns
        -------
        display : FitDisplay
            The plotted display.

        Raises
        ------
        ValueError
            If the row is not there or its fit failed.
        """
        star, labels, covariance = fit_row(fitter, X, row)
        if title is None:
            errors = np.sqrt(np.diag(covariance))
            title = _label_words(fitter.label_names_, labels, errors)
        return cls.from_spectra(star, fitter.best_model(star), title=title, limits=limits, ax=ax)

    @classmethod
    def from_spectra(
        cls,
        observed: Any,
        model: Any,
        *,
        row: int = 0,
        title: str = "",
        limits: tuple[float, float] | None = None,
        ax: Any = None,
    ) -> "FitDisplay":
        """Plot a star with a model made before.

        Parameters
        ----------
        observed, model : spectra of shape (n_stars, n_pixels)
            Row by row of the same stars.
        row : int, default=0
            Which star to show.
        title : str, default=""
            What to write above.
        limits : tuple of float, Angstrom, default=None
            The stretch of wavelengths to show; None shows all.
        ax : Axes or array of Axes, default=None
            Where to plot, see `plot`.

        Returns
        -------
        display : FitDisplay
            The plotted display.

        Raises
        ------
        ValueError
            If the numbers of rows differ, or the row is not there or has no unmasked pixel.
        GridMismatchError
            If both are on different grids.
        """
        stars, models = as_spectra(observed), as_spectra(model)
        if len(stars) != len(models):
            raise ValueError(
                f"`model` must hold the stars of `observed` row by row, {len(stars)}; "
                f"got {len(models)}; select matching rows first."
            )
        star = check_set(take_row(stars, row), "observed", min_rows=1)
        best = check_set(
            take_row(models, row), "model", like=star, like_name="observed", min_rows=1
        )
        axis = None if star.wavelength is None else star.wavelength.value
        std = star.std[0] if star.noise[0] == "known" else None
        flux, fit = np.asarray(star)[0], np.asarray(best)[0]
        return cls(axis, flux, fit, std=std, title=title).plot(ax, limits=limits)

    def plot(self, ax: Any = None, *, limits: tuple[float, float] | None = None) -> "FitDisplay":
        """Draw the spectrum and the residuals.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            None makes a new figure; one Axes is divided; otherwise two.
        limits : tuple of float, Angstrom, default=None
            The stretch of wavelengths to show; None shows all.

        Returns
        -------
        display : FitDisplay
            This display.

        Raises
        ------
        ValueError
            If `limits` hold no pixel.
        """
        flux, model, std = self._arrays()
        # Divided before it is cut: the scatter of a star does not depend on the stretch shown.
        residual = (flux - model) / (_robust_scatter(flux - model) if std is None else std)
        x = np.arange(len(flux)) if self.wavelength is None else np.asarray(self.wavelength)
        shown = _shown(x, limits)
        self.figure_, self.axes_ = style.make_axes(
            ax, 2, 1, figsize=(7.4, 3.8), height_ratios=[2.2, 1.0]
        )
        top, bottom = self.axes_[:, 0]
        if ax is None:
            bottom.sharex(top)
        width = 1.0 if shown.sum() <= DENSE else 0.7
        band = None if std is None else std[shown]
        _draw_fit(top, x[shown], flux[shown], model[shown], band, width)
        style.tidy(top, ylabel="flux")
        # Above the legend: labels with errors are too many words to stand beside it.
        top.set_title(self.title, fontsize=style.TITLE_SIZE, loc="left", pad=17.0)
        top.tick_params(labelbottom=False)
        _draw_residual(bottom, x[shown], residual[shown], width)
        axis = "pixel" if self.wavelength is None else r"wavelength [$\mathrm{\AA}$]"
        unit = "residual / scatter\n(σ assumed)" if std is None else "residual [σ]"
        style.tidy(bottom, xlabel=axis, ylabel=unit)
        return self

    def _arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return flux with gaps, model and standard deviations, or None, as float64."""
        flux, model = (np.asarray(a, dtype=float) for a in (self.flux, self.model))
        if self.std is None:
            return flux, model, None
        std = np.asarray(self.std, dtype=float)
        good = np.isfinite(std) & (std > 0)
        return np.where(good, flux, np.nan), model, np.where(good, std, np.nan)


def take_row(spectra: Spectra, row: int) -> Spectra:
    """Return one star as `Spectra`, or say that it is not there."""
    if not -len(spectra) <= row < len(spectra):
        raise ValueError(
            f"`row` must name a star between 0 and {len(spectra) - 1}; got {row}; "
            "choose among them."
        )
    return spectra[[row]]


def fit_row(fitter: Any, X: Any, row: int) -> tuple[Spectra, np.ndarray, np.ndarray]:
    """Return one star, its labels (n_labels,) and their covariance, or say that its fit failed."""
    star = take_row(as_spectra(X), row)
    labels, covariance = (a[0] for a in fitter.predict(star, return_cov=True))
    if not np.isfinite(labels).all():
        raise ValueError(
            f"`row` must be a star whose fit succeeded; got row {row}, whose labels are "
            f"{', '.join(f'{value:g}' for value in labels)}; look at its spectrum and mask."
        )
    return star, labels, covariance


def _label_words(names: Sequence[str], labels: np.ndarray, errors: np.ndarray) -> str:
    """Return labels with their errors in lines that fit the width of the figure."""
    words = [f"{name} {with_error(v, e)}" for name, v, e in zip(names, labels, errors, strict=True)]
    starts = range(0, len(words), LABELS_A_LINE)
    lines = [", ".join(words[start : start + LABELS_A_LINE]) for start in starts]
    return "\n".join(lines).replace("-", "−")


def _shown(x: np.ndarray, limits: tuple[float, float] | None) -> np.ndarray:
    """Return which pixels lie within `limits`."""
    inside = np.ones(len(x), bool) if limits is None else (x >= limits[0]) & (x <= limits[1])
    if not inside.any():
        raise ValueError(
            f"`limits` must overlap the axis, {x[0]:g} to {x[-1]:g}; got {limits}; widen them."
        )
    return inside


def _robust_scatter(residual: np.ndarray) -> float:
    """Return the scatter of residuals, or 1 where a perfect fit leaves none."""
    return float(median_abs_deviation(residual, scale="normal", nan_policy="omit")) or 1.0


def _draw_fit(
    ax: "Axes", x: np.ndarray, flux: np.ndarray, model: np.ndarray, std: Any, width: float
) -> None:
    """Draw spectrum and model, and a band of one standard deviation around the spectrum."""
    if std is not None:
        band: dict[str, Any] = {"step": "mid", "color": style.FAINT, "lw": 0}
        ax.fill_between(x, flux - std, flux + std, label="1 σ", **band)
    # In steps, a good pixel between two bad ones is seen.
    step: dict[str, Any] = {"drawstyle": "steps-mid", "lw": width * style.LINE_WIDTH}
    ax.plot(x, flux, color=style.OBSERVED, label="observed", **step)
    ax.plot(x, model, color=style.VERMILION, lw=width * style.LINE_WIDTH, label="best model")
    ax.margins(x=0.005)
    style.legend_above(ax, loc="right", n_columns=3)


def _draw_residual(ax: "Axes", x: np.ndarray, residual: np.ndarray, width: float) -> None:
    """Draw residuals over a band of one standard deviation."""
    ax.axhspan(-1, 1, color=style.FAINT, lw=0, zorder=0)
    ax.axhline(0.0, color=style.GREY, lw=style.THIN_LINE)
    lw = width * style.THIN_LINE
    ax.plot(x, residual, color=style.OBSERVED, lw=lw, drawstyle="steps-mid")
    size = np.abs(residual[np.isfinite(residual)])
    size = size if size.size else np.zeros(1)
    most = max(MOST_SPAN, 1.15 * np.percentile(size, RESIDUAL_SPAN))
    top = np.clip(1.1 * size.max(), LEAST_SPAN, most)
    ax.set_ylim(-top, top)

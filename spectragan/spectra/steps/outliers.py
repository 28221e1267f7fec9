"""`OutlierInterpolator`: bridge pixels that stick out of a spectrum."""

from typing import Any, ClassVar

import numpy as np
from scipy.ndimage import median_filter

from spectragan.rules import Rules, count, deviations, one_of
from spectragan.spectra.container import Spectra
from spectragan.spectra.transformer import BaseSpectraTransformer, unit_factor

# Standard deviation of a Gaussian in units of its median absolute deviation.
SIGMA_PER_MAD = 1.4826
# Rounding of float32 is no outlier, however small the scatter is.
FLOOR = 1e-6
# Columns of a set whose medians are taken at once.
BLOCK_PIXELS = 256


class OutlierInterpolator(BaseSpectraTransformer):
    r"""Replace or mask pixels that stick out: cosmic rays, hot pixels, sky residuals.

    Parameters
    ----------
    upper : float, default=5.0
        Pixels this many standard deviations above what is expected are outliers.
    lower : float, default=10.0
        Pixels this many standard deviations below it are. ``numpy.inf`` keeps them all.
    action : {"interpolate", "mask"}, default="interpolate"
        ``"interpolate"`` puts the line between the nearest good pixels there, with larger
        errors; ``"mask"`` sets ivar to 0 and leaves flux as it is.
    reference : {"both", "spectrum", "set"}, default="both"
        What an outlier sticks out of: the running median of its own spectrum, the median of the
        spectra of `fit` at the same pixel, or both. With ``"spectrum"``, strong sharp lines are
        outliers, too.
    window : int, default=51
        Width of the running median in pixels.

    Attributes
    ----------
    median_ : ndarray of shape (n_pixels,)
        Median flux of the spectra of `fit`, at every pixel; NaN where none of them is good, and
        nothing sticks out of the set.
    scatter_ : ndarray of shape (n_pixels,)
        Their standard deviation, estimated as 1.4826 times the median absolute deviation.
    unit_ : astropy.units.UnitBase
        Unit of flux in `fit`; what can't be converted to it is refused where the set matters.
    n_features_in_ : int
        Number of pixels.
    feature_names_in_ : ndarray of str of shape (n_pixels,)
        Names of the columns, if `fit` saw any.
    wavelength_ : Quantity of shape (n_pixels,) or None
        Grid seen in `fit`, in Angstrom.
    medium_ : {"air", "vacuum"} or None
        What the wavelengths were measured in.

    See Also
    --------
    NoiseInjector : The other half of the bridge from synthetic to observed spectra.

    Notes
    -----
    The standard deviation is the larger of the error of the pixel, where noise is known, and the
    robust scatter: of the spectrum about its running median, or of the set at that pixel.
    Normalise first, so that the spectra of a set can be compared. Nothing sticks out of a set of
    one or two: there, use ``reference="spectrum"``, with `lower` infinite to keep lines.

    Between good pixels l and r, at a fraction t of the way, an interpolated pixel has

    .. math:: f = (1-t) f_l + t f_r, \quad
        \frac{1}{w} = \frac{(1-t)^2}{w_l} + \frac{t^2}{w_r} + s^2

    where noise is known; s is the scatter of the spectrum about its running median, because
    nobody knows what was under the outlier. Other spectra keep weights 0 and 1. Pixels that
    were ignored (ivar 0) are neither used nor filled.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan import OutlierInterpolator
    >>> flux = np.random.default_rng(0).normal(1, 0.01, size=(20, 300))
    >>> flux[3, 7] = 50
    >>> out = OutlierInterpolator().fit_transform(flux)
    >>> bool(abs(out[3, 7] - 1) < 0.05), int((out != flux).sum())
    (True, 1)
    """

    _kept: ClassVar = {"unit_": "unit", "median_": "array p", "scatter_": "array p"}
    _rules: ClassVar[Rules] = {
        "upper": deviations("use numpy.inf to keep this side"),
        "lower": deviations("use numpy.inf to keep this side"),
        "action": one_of("interpolate", "mask", text="one of interpolate, mask"),
        "reference": one_of("both", "spectrum", "set", text="one of both, spectrum, set"),
        "window": count(3),
    }

    def __init__(
        self,
        upper: float = 5.0,
        lower: float = 10.0,
        *,
        action: str = "interpolate",
        reference: str = "both",
        window: int = 51,
    ) -> None:
        self.upper = upper
        self.lower = lower
        self.action = action
        self.reference = reference
        self.window = window

    def _learn(self, spectra: Spectra) -> None:
        self.unit_ = spectra.unit
        self.median_, self.scatter_ = _column_statistics(spectra)

    def _apply(self, spectra: Spectra) -> Spectra:
        flux, ivar = spectra.flux.copy(), spectra.ivar.copy()
        scale = 1.0 if self.reference == "spectrum" else unit_factor(spectra, self.unit_, self)
        axis = self.wavelength_
        x = np.arange(self.n_features_in_) if axis is None else axis.value
        for i, word in enumerate(spectra.noise):
            good = ivar[i] > 0
            if not good.any():
                continue
            std = 1 / np.sqrt(ivar[i][good].astype(float)) if word == "known" else 0.0
            outlier, scatter = self._find(flux[i], good, std, scale)
            if self.action == "mask" or outlier.all():
                ivar[i, np.flatnonzero(good)[outlier]] = 0
            elif outlier.any():
                _bridge(flux[i], ivar[i], x, good, outlier, scatter if word == "known" else None)
        return spectra._rebuild(flux, ivar, spectra.noise, spectra.meta)

    def _find(
        self, row: np.ndarray, good: np.ndarray, std: Any, scale: float
    ) -> tuple[np.ndarray, float]:
        """Return which good pixels are outliers, and the scatter about the running median."""
        pixels, values = np.flatnonzero(good), row[good].astype(float)
        filled = np.interp(np.arange(len(row)), pixels, values)
        # Mirrored at the ends: an outlier there is repeated nowhere.
        residual = values - median_filter(filled, size=self.window, mode="mirror")[good]
        floor = FLOOR * np.median(np.abs(values))
        scatter = SIGMA_PER_MAD * float(np.median(np.abs(residual)))
        outlier = np.ones(len(values), dtype=bool)
        if self.reference != "set":
            outlier &= self._exceeds(residual, np.maximum(scatter, std) + floor)
        if self.reference != "spectrum":
            sigma = np.maximum(self.scatter_[good] * scale, std) + floor
            outlier &= self._exceeds(values - self.median_[good] * scale, sigma)
        return outlier, scatter

    def _exceeds(self, residual: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        return (residual > self.upper * sigma) | (residual < -self.lower * sigma)


def _column_statistics(spectra: Spectra) -> tuple[np.ndarray, np.ndarray]:
    """Return median and robust scatter of every pixel; NaN where no spectrum is good."""
    n_pixels = spectra.shape[1]
    median, scatter = np.zeros(n_pixels), np.zeros(n_pixels)
    for start in range(0, n_pixels, BLOCK_PIXELS):
        columns = slice(start, start + BLOCK_PIXELS)
        good = spectra.ivar[:, columns] > 0
        values = np.where(good, spectra.flux[:, columns], np.nan).astype(float)
        unknown = ~good.any(axis=0)
        values[:, unknown] = 0  # the median of nothing but NaN is a warning
        median[columns] = np.nanmedian(values, axis=0)
        scatter[columns] = SIGMA_PER_MAD * np.nanmedian(np.abs(values - median[columns]), axis=0)
        median[columns][unknown] = scatter[columns][unknown] = np.nan
    return median, scatter


def _bridge(
    flux: np.ndarray,
    ivar: np.ndarray,
    x: np.ndarray,
    good: np.ndarray,
    outlier: np.ndarray,
    scatter: float | None,
) -> None:
    """Interpolate the outliers of one spectrum in place; `scatter` where noise is known."""
    pixels = np.flatnonzero(good)
    bad, kept = pixels[outlier], pixels[~outlier]
    after = np.searchsorted(kept, bad)
    # Before the first and after the last good pixel, that pixel is both neighbours.
    left, right = kept[np.maximum(after - 1, 0)], kept[np.minimum(after, len(kept) - 1)]
    share = np.where(
        left < right, (x[bad] - x[left]) / np.where(left < right, x[right] - x[left], 1), 0
    )
    if scatter is not None:
        first, second = ivar[left].astype(float), ivar[right].astype(float)
        ivar[bad] = 1 / ((1 - share) ** 2 / first + share**2 / second + scatter**2)
    flux[bad] = (1 - share) * flux[left] + share * flux[right]

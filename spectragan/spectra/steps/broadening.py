"""`Broadener`: spectra at a lower resolution, or of a rotating star."""

from collections.abc import Callable
from typing import Any, ClassVar

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from scipy.special import ndtr

from spectragan.rules import Rules, number
from spectragan.spectra.checks import nan_where_masked, native_float
from spectragan.spectra.container import Spectra
from spectragan.spectra.doppler import speed_ratio
from spectragan.spectra.steps.resampling import MIN_COVERAGE, apply_map, broken_steps, pixel_edges
from spectragan.spectra.transformer import BaseSpectraTransformer, angstrom_grid

# A Gaussian beyond 6 standard deviations holds 2e-9 of its area.
GAUSSIAN_REACH = 6.0
# A kernel this much narrower than a pixel leaves its pixel alone.
TINY = 1e-6


def gaussian_matrix(wavelength: np.ndarray, sigma: np.ndarray) -> sparse.csr_array:
    """Return a matrix that broadens with a Gaussian.

    Parameters
    ----------
    wavelength : ndarray of shape (n_pixels,), Angstrom
        The grid, ascending.
    sigma : ndarray of shape (n_pixels,), Angstrom
        Standard deviation at every output pixel.

    Returns
    -------
    csr_array of shape (n_pixels, n_pixels)
        Rows sum to the share of the kernel that lies on the grid, outside its gaps.
    """
    return _kernel_matrix(wavelength, sigma, ndtr, GAUSSIAN_REACH, 1.0)


def rotation_matrix(wavelength: np.ndarray, beta: float, limb_darkening: float) -> sparse.csr_array:
    """Return a matrix that broadens as the rotation of a star with a linear limb-darkening law.

    Parameters
    ----------
    wavelength : ndarray of shape (n_pixels,), Angstrom
        The grid, ascending.
    beta : float
        Projected rotation velocity at the equator over the speed of light.
    limb_darkening : float
        Coefficient of the law, 0 to 1.

    Returns
    -------
    csr_array of shape (n_pixels, n_pixels)
        Rows sum to the share of the profile that lies on the grid, outside its gaps.
    """
    e = limb_darkening
    norm = np.pi * (1 - e / 3)

    def cumulative(x: np.ndarray) -> np.ndarray:
        """Integrate the profile of Gray (2005), eq. 18.14, from -1 to x."""
        x = np.clip(x, -1, 1)
        disc = (1 - e) * (x * np.sqrt(1 - x**2) + np.arcsin(x))
        return 0.5 + (disc + np.pi * e / 2 * (x - x**3 / 3)) / norm

    variance = ((1 - e) / 4 + 2 * e / 15) / (1 - e / 3)
    return _kernel_matrix(wavelength, beta * wavelength, cumulative, 1.0, variance)


def _kernel_matrix(
    wavelength: np.ndarray,
    scale: np.ndarray,
    cumulative: Callable[[np.ndarray], np.ndarray],
    reach: float,
    variance: float,
) -> sparse.csr_array:
    """Integrate a kernel, of unit scale and the given variance, over the pixels around each."""
    n = len(wavelength)
    edges = pixel_edges(wavelength)
    width = edges[1] - edges[0]
    # Pixels are boxes, which broaden by themselves: without their variance, width**2 / 12, the
    # variance of the weights is that of the kernel.
    scale = np.sqrt(np.maximum(scale**2 - width**2 / (12 * variance), (TINY * width) ** 2))
    first = np.searchsorted(edges[1], wavelength - reach * scale, side="right")
    last = np.searchsorted(edges[0], wavelength + reach * scale, side="left")
    counts = last - first
    rows = np.repeat(np.arange(n), counts)
    columns = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts - first, counts)
    area = float(cumulative(np.array(reach)) - cumulative(np.array(-reach)))
    left, right = (cumulative((edges[k, columns] - wavelength[rows]) / scale[rows]) for k in (0, 1))
    return sparse.csr_array(((right - left) / area, (rows, columns)), shape=(n, n))


def lsf_matrix(lsf: np.ndarray, wavelength: np.ndarray | None) -> sparse.csr_array:
    """Return a matrix with a line spread function in each row.

    Parameters
    ----------
    lsf : ndarray of shape (n_pixels, n_offsets)
        Weights of the neighbours of every pixel, itself in the middle.
    wavelength : ndarray of shape (n_pixels,), Angstrom, or None
        The grid, ascending: pixels beyond a gap of it are no neighbours.

    Returns
    -------
    csr_array of shape (n_pixels, n_pixels)
        Rows sum to the share of the function that lies on the grid, on this side of its gaps.
    """
    n, n_offsets = lsf.shape
    rows = np.repeat(np.arange(n), n_offsets)
    columns = rows + np.tile(np.arange(n_offsets) - n_offsets // 2, n)
    weights = (lsf / lsf.sum(axis=1, keepdims=True)).ravel()
    used = (columns >= 0) & (columns < n) & (weights > 0)
    rows, columns, weights = rows[used], columns[used], weights[used]
    if wavelength is not None:
        stretch = np.r_[0, np.cumsum(broken_steps(wavelength)[0])]
        used = stretch[rows] == stretch[columns]
        rows, columns, weights = rows[used], columns[used], weights[used]
    return sparse.csr_array((weights, (rows, columns)), shape=(n, n))


FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
# Two equal resolutions may differ by rounding.
ROUNDING = 1e-9


class Broadener(BaseSpectraTransformer):
    r"""Broaden spectra: to a resolution, by rotation, or with any line spread function.

    Parameters
    ----------
    resolution : float or array-like of shape (n_pixels,), default=None
        Resolving power :math:`R = \lambda / \mathrm{FWHM}` to reach. Here and below, arrays are
        in the order of ascending wavelength, whatever the order of the axis.
    fwhm : Quantity or Quantity of shape (n_pixels,), default=None
        Full width at half maximum to reach instead, a length.
    initial_resolution : float or array-like of shape (n_pixels,), default=None
        Resolving power that the spectra have. None is infinitely sharp.
    initial_fwhm : Quantity or Quantity of shape (n_pixels,), default=None
        Full width at half maximum that they have instead.
    v_sin_i : Quantity or float, default=None
        Projected rotation velocity; a number is in km/s.
    limb_darkening : float, default=0.6
        Coefficient of the linear law of rotating stars, 0 to 1.
    lsf : array-like of shape (n_pixels, n_offsets), default=None
        A line spread function at every pixel instead of a Gaussian: weights >= 0 of n_offsets
        neighbours, an odd number, itself in the middle, from shorter to longer wavelengths.
        They are scaled to a sum of 1.
    min_coverage : float, default=0.5
        Pixels whose good neighbours have a smaller share of the kernel get ivar 0.

    Attributes
    ----------
    matrix_ : scipy.sparse.csr_array of shape (n_pixels, n_pixels) or None
        Weight of every pixel of the old spectrum in every new one; None broadens nothing.
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
    Resampler : Changes the grid; broaden on the finer grid, before.

    Notes
    -----
    The Gaussian has the width that is missing, at every pixel
    :math:`\mathrm{FWHM}^2 = \mathrm{FWHM}_\mathrm{target}^2 - \mathrm{FWHM}_\mathrm{initial}^2`.
    Rotation is the profile of Gray [1]_, with x the wavelength from the line center in units of
    :math:`\lambda\, v \sin i / c` and :math:`\epsilon` the limb darkening,

    .. math:: G(x) = \frac{2 (1-\epsilon) \sqrt{1-x^2} + \frac{\pi\epsilon}{2} (1-x^2)}
        {\pi (1 - \epsilon/3)}

    Weights are integrals of a kernel over pixels; the box of a pixel is taken off the variance of
    the kernel. What is narrower than that (a standard deviation of 0.29 pixels) changes nothing.
    Asking for both a resolution and rotation applies rotation first.

    Masked pixels have no weight, the others are scaled up to a sum of 1; so it is at the ends of
    the grid and beside its gaps, which an `lsf` doesn't reach across. Ivar is propagated where
    noise is known, :math:`1 / \sum (a_j^2 / w_j)`; the noise of neighbouring pixels becomes
    correlated, which ivar can't say. Other rows keep 0 and 1.
    There is no inverse: deconvolution would amplify noise.

    References
    ----------
    .. [1] Gray, D. F. 2005, "The Observation and Analysis of Stellar Photospheres", 3rd ed.,
       Cambridge University Press, chapter 18.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from spectragan import Broadener, Spectra
    >>> wavelength = np.linspace(5000, 5100, 1001) * u.AA
    >>> sharp = Spectra(1 - (np.arange(1001) == 500)[None] * 0.9, wavelength)
    >>> out = Broadener(resolution=5050).fit_transform(sharp)  # FWHM of 1 Angstrom, 10 pixels
    >>> bool(np.isclose(1 - out.flux[0, 505], (1 - out.flux[0, 500]) / 2, rtol=0.01))
    True
    """

    _kept: ClassVar = {"matrix_": "sparse? p p"}
    _rules: ClassVar[Rules] = {
        "limb_darkening": number(0, 1, closed="both", text="0 to 1", remedy="try 0.6"),
        "min_coverage": MIN_COVERAGE,
    }

    def __init__(
        self,
        resolution: ArrayLike | None = None,
        *,
        fwhm: u.Quantity | None = None,
        initial_resolution: ArrayLike | None = None,
        initial_fwhm: u.Quantity | None = None,
        v_sin_i: u.Quantity | float | None = None,
        limb_darkening: float = 0.6,
        lsf: ArrayLike | None = None,
        min_coverage: float = 0.5,
    ) -> None:
        self.resolution = resolution
        self.fwhm = fwhm
        self.initial_resolution = initial_resolution
        self.initial_fwhm = initial_fwhm
        self.v_sin_i = v_sin_i
        self.limb_darkening = limb_darkening
        self.lsf = lsf
        self.min_coverage = min_coverage

    def _learn(self, spectra: Spectra) -> None:
        self._check_alternatives()
        parts = [self._rotation(spectra), self._gaussian(spectra), self._lsf(spectra)]
        self.matrix_ = None
        for matrix in parts:
            if matrix is not None:
                self.matrix_ = matrix if self.matrix_ is None else matrix @ self.matrix_

    def _apply(self, spectra: Spectra) -> Spectra:
        if self.matrix_ is None:
            return spectra
        flux, ivar = apply_map(self.matrix_, spectra, self.min_coverage)
        return spectra._rebuild(flux, ivar, spectra.noise, spectra.meta)

    def _check_alternatives(self) -> None:
        for names in (("resolution", "fwhm", "lsf"), ("initial_resolution", "initial_fwhm")):
            given = [name for name in names if getattr(self, name) is not None]
            if len(given) > 1:
                raise ValueError(
                    f"only one of {', '.join(f'`{name}`' for name in names)} must be given; "
                    f"got {' and '.join(given)}; leave the others None."
                )
        initial = [
            n for n in ("initial_resolution", "initial_fwhm") if getattr(self, n) is not None
        ]
        if initial and self.resolution is None and self.fwhm is None:
            raise ValueError(
                f"`{initial[0]}` must come with `resolution` or `fwhm`, which it is taken off; "
                "got neither; give the one to reach, or leave it None."
            )

    def _rotation(self, spectra: Spectra) -> Any:
        if self.v_sin_i is None:
            return None
        beta = speed_ratio(self.v_sin_i, "v_sin_i")
        if beta.shape != () or not 0 <= beta < 1:
            raise ValueError(
                f"`v_sin_i` must be one velocity >= 0; got {self.v_sin_i!r}; give it in km/s."
            )
        grid = angstrom_grid(spectra, "`v_sin_i`")
        return rotation_matrix(grid, float(beta), self.limb_darkening)

    def _gaussian(self, spectra: Spectra) -> Any:
        if self.resolution is None and self.fwhm is None:
            return None
        grid = angstrom_grid(spectra, "`resolution`" if self.fwhm is None else "`fwhm`")
        target = _width(self.resolution, self.fwhm, grid, "")
        initial = _width(self.initial_resolution, self.initial_fwhm, grid, "initial_")
        missing = target**2 - initial**2
        if (missing < -ROUNDING * initial**2).any():
            i = int(np.argmin(missing))
            raise ValueError(
                f"the resolution to reach must be lower than the initial one; got FWHM of "
                f"{target[i]:.4g} after {initial[i]:.4g} Angstrom at {grid[i]:.6g} Angstrom; "
                "choose a lower resolution: spectra can't be sharpened."
            )
        return gaussian_matrix(grid, np.sqrt(np.maximum(missing, 0)) / FWHM_PER_SIGMA)

    def _lsf(self, spectra: Spectra) -> Any:
        if self.lsf is None:
            return None
        n_pixels = spectra.shape[1]
        lsf = native_float(self.lsf, "lsf").astype(float)
        good = lsf.ndim == 2 and len(lsf) == n_pixels and lsf.shape[1] % 2 == 1
        if not good or not (np.isfinite(lsf) & (lsf >= 0)).all() or not (lsf.sum(axis=1) > 0).all():
            raise ValueError(
                f"`lsf` must hold finite weights >= 0 of shape ({n_pixels}, n_offsets), n_offsets "
                f"odd and no row 0 everywhere; got shape {lsf.shape}; pad it with zeros."
            )
        grid = spectra.wavelength
        return lsf_matrix(lsf, None if grid is None else grid.value)


def _width(resolution: Any, fwhm: Any, grid: np.ndarray, prefix: str) -> np.ndarray:
    """Return a full width at half maximum at every pixel in Angstrom; 0 if none is given."""
    if resolution is None and fwhm is None:
        return np.zeros(len(grid))
    name, value = (
        (f"{prefix}fwhm", fwhm) if resolution is None else (f"{prefix}resolution", resolution)
    )
    try:
        unit = u.AA if resolution is None else u.one
        # A resolving power may be a plain number; a length has a unit.
        plain = resolution is not None and not isinstance(value, u.Quantity)
        numbers = nan_where_masked(value if plain else value.to_value(unit))
    except (AttributeError, TypeError, ValueError) as error:
        kind = "a length such as 2 * u.AA" if resolution is None else "a number such as 22500"
        raise ValueError(f"`{name}` must be {kind}; got {value!r}; check its unit.") from error
    if numbers.shape not in ((), grid.shape) or not (numbers > 0).all():
        raise ValueError(
            f"`{name}` must be above 0, one value or one per pixel ({len(grid)}); "
            f"got {value!r}; give one for all pixels."
        )
    return np.broadcast_to(numbers if resolution is None else grid / numbers, grid.shape)

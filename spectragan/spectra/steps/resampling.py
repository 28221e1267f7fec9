"""`Resampler`: spectra onto another wavelength grid, with errors and masks.

One sparse matrix serves all spectra of a grid pair: a row of it holds the weights, all >= 0, that
the input pixels have in one output pixel.
"""

from typing import Any, ClassVar

import astropy.units as u
import numpy as np
from scipy import sparse
from scipy.ndimage import percentile_filter
from sklearn.utils.validation import check_is_fitted

from spectragan.rules import Rules, number, one_of
from spectragan.spectra.axis import ascending_angstrom
from spectragan.spectra.checks import check_axis
from spectragan.spectra.container import Spectra
from spectragan.spectra.transformer import (
    BaseSpectraTransformer,
    blank_spectra,
    row_blocks,
    spectra_on_axis,
)

# Rounding may leave a coverage this much below the share it has to reach.
ROUNDING = 1e-9
# A step this many times as wide as the larger ones of its surroundings is a gap: two missing pixels
# are one, a single one isn't.
GAP = 2.5
NEARBY_STEPS = 11


def broken_steps(centers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which of the n - 1 steps of a grid are gaps, and how far one usually steps there.

    Parameters
    ----------
    centers : ndarray of shape (n_pixels,), Angstrom
        The grid, ascending.

    Returns
    -------
    broken : ndarray of bool of shape (n_pixels - 1,)
        Where no pixel holds what lies between two centers: between detectors, or where pixels
        were left out.
    usual : ndarray of shape (n_pixels - 1,), Angstrom
        What the larger steps nearby measure.
    """
    steps = np.diff(centers)
    if not len(steps):
        return np.zeros(0, dtype=bool), steps
    # The upper quartile of the surroundings: that of the coarser side where the sampling changes,
    # and of the wide steps where two interleaved grids alternate between narrow and wide ones.
    usual = percentile_filter(steps, 75, size=NEARBY_STEPS, mode="mirror")
    return steps > GAP * usual, usual


def pixel_edges(centers: np.ndarray) -> np.ndarray:
    """Return the left and right edges, (2, n), of n ascending pixels.

    They lie half way between two centers; beside a gap, as far out as on the pixel's other side.
    """
    if len(centers) == 1:
        return centers * np.array([[1 - 5e-4], [1 + 5e-4]])
    inner = (centers[1:] + centers[:-1]) / 2
    edges = np.r_[2 * centers[0] - inner[0], inner, 2 * centers[-1] - inner[-1]]
    broken, usual = broken_steps(centers)
    half = np.pad(np.where(broken, usual, np.diff(centers)) / 2, 1, mode="edge")
    beside = np.pad(broken, 1, mode="edge")
    left = np.where(beside[:-1], np.maximum(edges[:-1], centers - half[1:]), edges[:-1])
    right = np.where(beside[1:], np.minimum(edges[1:], centers + half[:-1]), edges[1:])
    return np.stack([left, right])


def find_neighbours(
    source: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return where places of any shape lie between the pixels of a grid.

    Parameters
    ----------
    source : ndarray of shape (n_pixels,)
        At least two ascending centers.
    places : ndarray
        Wavelengths.

    Returns
    -------
    left : ndarray of int
        The pixel at or before each place, never the last one.
    share : ndarray
        How far it is, 0 to 1, on the way to the next pixel.
    inside : ndarray of bool
        Whether a place is on the grid, neither beyond its ends nor in a gap.
    """
    # Rounding of a unit conversion must not push the first or last pixel out.
    slack = ROUNDING * source[[0, -1]]
    inside = (places >= source[0] - slack[0]) & (places <= source[-1] + slack[1])
    left = np.clip(np.searchsorted(source, places.ravel(), side="right") - 1, 0, len(source) - 2)
    left = left.reshape(places.shape)
    steps = np.diff(source)
    share = np.clip((places - source[left]) / steps[left], 0, 1)
    broken = broken_steps(source)[0][left]
    if broken.any():
        # Nor may it push a place from a pixel into the gap beside it.
        near = np.minimum(share, 1 - share) * steps[left] <= ROUNDING * source[left]
        share = np.where(broken & near, np.round(share), share)
        inside &= near | ~broken
    return left, share, inside


def overlap_matrix(source: np.ndarray, target: np.ndarray) -> sparse.csr_array:
    r"""Return the share of every output pixel that each input pixel covers.

    Parameters
    ----------
    source : ndarray of shape (n_in,), Angstrom
        Centers of the input pixels, ascending.
    target : ndarray of shape (n_out,), Angstrom
        Centers of the output pixels, ascending.

    Returns
    -------
    csr_array of shape (n_out, n_in)
        Rows sum to the covered share, 1 inside the input range. With it, flux per wavelength
        keeps its integral.
    """
    old, new = pixel_edges(source), pixel_edges(target)
    # Between two neighbouring edges of either grid lies one piece of one pixel of both.
    cuts = np.unique(np.r_[old.ravel(), new.ravel()])
    middle, width = (cuts[1:] + cuts[:-1]) / 2, np.diff(cuts)
    columns = np.searchsorted(old[0], middle) - 1
    rows = np.searchsorted(new[0], middle) - 1
    inside = (columns >= 0) & (middle < old[1, columns]) & (rows >= 0) & (middle < new[1, rows])
    rows, columns = rows[inside], columns[inside]
    weights = width[inside] / (new[1] - new[0])[rows]
    return sparse.csr_array((weights, (rows, columns)), shape=(len(target), len(source)))


def interpolation_matrix(source: np.ndarray, target: np.ndarray) -> sparse.csr_array:
    """Return weights of linear interpolation between pixel centers; parameters as above.

    Returns
    -------
    csr_array of shape (n_out, n_in)
        Rows sum to 1, and are empty outside the first and last center of the input and in gaps.
    """
    shape = (len(target), len(source))
    if len(source) == 1:
        rows = np.flatnonzero(np.abs(target - source) <= ROUNDING * source)
        return sparse.csr_array((np.ones(len(rows)), (rows, 0 * rows)), shape=shape)
    left, share, inside = find_neighbours(source, target)
    rows = np.flatnonzero(inside)
    left, share = left[rows], share[rows]
    weights, columns = np.r_[1 - share, share], np.r_[left, left + 1]
    used = weights > 0
    index = (np.r_[rows, rows][used], columns[used])
    return sparse.csr_array((weights[used], index), shape=shape)


def apply_map(
    matrix: sparse.csr_array, spectra: Spectra, min_coverage: float
) -> tuple[np.ndarray, np.ndarray]:
    r"""Multiply spectra by a matrix of weights; masked pixels have no weight.

    Parameters
    ----------
    matrix : csr_array of shape (n_out, n_in)
        Weights >= 0; the row of a pixel that is covered wholly sums to 1.
    spectra : Spectra
        Spectra of n_in pixels.
    min_coverage : float
        Output pixels whose good input has a smaller share of the weight get ivar 0.

    Returns
    -------
    flux, ivar : ndarray of shape (n_spectra, n_out)
        Of the dtype of `spectra`. With the weights :math:`a_j` of good pixels, flux is
        :math:`\sum a_j f_j / \sum a_j` and, where noise is known, ivar is
        :math:`(\sum a_j)^2 / \sum (a_j^2 / w_j)`; elsewhere ivar stays 0 or 1.
    """
    flux = np.zeros((len(spectra), matrix.shape[0]), spectra.dtype)
    ivar = np.zeros_like(flux)
    squared = matrix.power(2)
    # Summed as `coverage` is below: a mask in another row must not change the last digit here.
    full = (matrix @ np.ones(matrix.shape[1]))[:, None]
    lowest = max(min_coverage - ROUNDING, ROUNDING)
    largest = np.finfo(spectra.dtype).max
    for rows in row_blocks(len(spectra)):
        # Transposed, the spectra of a block lie side by side: one weight serves all of them.
        weights = spectra.ivar[rows].T.astype(float, order="C")
        values = spectra.flux[rows].T.astype(float, order="C")
        good, coverage = weights > 0, full
        if not good.all():
            values[~good] = 0
            coverage = matrix @ good.astype(float)
        usable = coverage >= lowest
        share = np.where(usable, coverage, 1.0)
        total = matrix @ values
        total /= share
        total *= usable  # 0 under ivar 0, whatever small weights would have made of it
        flux[rows] = total.T
        ivar[rows] = _propagated(squared, weights, good, share, usable, largest, spectra[rows])
    return flux, ivar


def _propagated(
    squared: sparse.csr_array,
    weights: np.ndarray,
    good: np.ndarray,
    share: np.ndarray,
    usable: np.ndarray,
    largest: float,
    part: Spectra,
) -> np.ndarray:
    """Return ivar of a block, (n_rows, n_out): propagated where noise is known, else 0 or 1."""
    known = part.noise == "known"
    ones = np.broadcast_to(usable, (len(usable), len(part))).T.astype(float)
    if not known.any():
        return ones
    with np.errstate(divide="ignore", over="ignore"):
        variance = np.where(good, 1 / weights, 0)
        ivar = np.where(usable, np.minimum(share**2 / (squared @ variance), largest), 0)
    return np.where(known[:, None], ivar.T, ones)


MIN_COVERAGE = number(0, 1, closed="right", text="a share above 0 and at most 1", remedy="try 0.5")
MATRICES = {"flux": overlap_matrix, "linear": interpolation_matrix}


class Resampler(BaseSpectraTransformer):
    r"""Bring spectra onto another wavelength grid, with their errors and masks.

    Parameters
    ----------
    wavelength : Quantity of shape (n_new_pixels,), default=None
        The new grid: any spectral unit, either order, any spacing, in the medium of the
        spectra. None leaves spectra on the grid they are on.
    method : {"flux", "linear"}, default="flux"
        ``"flux"`` averages flux per wavelength over every new pixel and keeps its integral;
        ``"linear"`` interpolates between the centers of two pixels.
    min_coverage : float, default=0.5
        A new pixel is kept if good pixels have at least this share of its weight, and is ignored
        (ivar 0) otherwise. 1 asks for complete input.

    Attributes
    ----------
    old_axis_, new_axis_ : Quantity of shape (n_pixels,) and (n_new_pixels,) or None
        The grid of `fit` and the new one, each in its own unit and order.
    matrix_ : scipy.sparse.csr_array of shape (n_new_pixels, n_pixels) or None
        Weight of every old pixel in every new one.
    n_features_in_ : int
        Number of pixels of the old grid.
    feature_names_in_ : ndarray of str of shape (n_pixels,)
        Names of the columns, if `fit` saw any.
    wavelength_ : Quantity of shape (n_pixels,) or None
        Old grid, seen in `fit`, in Angstrom.
    medium_ : {"air", "vacuum"} or None
        What the wavelengths were measured in.

    See Also
    --------
    AirVacuumConverter : Changes the medium first, where it must.
    harmonize : Brings two sets onto one grid, resolution, medium and continuum.

    Notes
    -----
    With the weights :math:`a_{ij}` of old pixel j in new pixel i (the share of i that j covers, or
    the weights of linear interpolation), the sums going over good pixels,

    .. math:: f_i = \frac{\sum_j a_{ij} f_j}{\sum_j a_{ij}}, \quad
        w_i = \frac{(\sum_j a_{ij})^2}{\sum_j a_{ij}^2 / w_j}, \quad
        i \text{ kept if } \sum_j a_{ij} \ge \text{min\_coverage}

    where noise is known; other rows keep weights 0 and 1. Neighbouring new pixels share old
    ones, so that their errors are correlated; ivar doesn't say how much. Flux per frequency and
    normalised flux are averaged over wavelength in the same way. Beside a masked pixel, or at
    the ends of the old grid, a new pixel is an average of the part of it that is known. Nothing
    is extrapolated: pixels outside the old grid have ivar 0.

    A step more than 2.5 times as wide as the larger ones around it is a gap, between detectors for
    example, in the old grid and in the new one. The pixels beside it reach as far into it as they
    do on their other side, and nothing is interpolated across it.

    Log-linear grids are made by ``numpy.geomspace(4000, 6800, 5000) * u.AA``, linear ones by
    ``numpy.linspace``. ``inverse_transform`` resamples back onto the grid of `fit`, by the same
    method: what a coarser grid has lost doesn't come back.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from spectragan import Resampler, Spectra
    >>> s = Spectra([[1.0, 3.0, 1e6, 2.0]], [500, 501, 502, 503] * u.nm, ivar=[[1, 1, 0, 1]])
    >>> out = Resampler([5005, 5025] * u.AA).fit_transform(s)
    >>> out.flux, out.ivar
    (array([[2., 2.]]), array([[2., 1.]]))
    """

    _kept: ClassVar = {"old_axis_": "axis? p", "new_axis_": "axis? q", "matrix_": "sparse? q p"}
    _rules: ClassVar[Rules] = {"method": one_of(*MATRICES), "min_coverage": MIN_COVERAGE}

    def __init__(
        self,
        wavelength: u.Quantity | None = None,
        *,
        method: str = "flux",
        min_coverage: float = 0.5,
    ) -> None:
        self.wavelength = wavelength
        self.method = method
        self.min_coverage = min_coverage

    def _learn(self, spectra: Spectra) -> None:
        axis = self.wavelength
        self.old_axis_ = spectra.spectral_axis
        self.new_axis_ = None if axis is None else check_axis(axis, np.size(axis))
        self.matrix_ = None
        if self.new_axis_ is not None:
            self.matrix_ = self._matrix(spectra.wavelength, ascending_angstrom(self.new_axis_))

    def _matrix(self, old: u.Quantity | None, new: u.Quantity | None) -> Any:
        if old is None or new is None:
            raise ValueError(
                "resampling needs spectra with wavelengths; got none; "
                "pass Spectra with their wavelength, or leave `wavelength` of Resampler None."
            )
        matrix = MATRICES[self.method](old.value, new.value)
        if matrix.nnz == 0:
            low, high = new.value[[0, -1]]
            raise ValueError(
                f"`wavelength` must overlap the grid of the spectra; got {low:.10g}-{high:.10g} "
                f"for {old.value[0]:.10g}-{old.value[-1]:.10g} Angstrom; check its unit."
            )
        return matrix

    def _apply(self, spectra: Spectra) -> Spectra:
        if self.matrix_ is None:
            return spectra
        flux, ivar = apply_map(self.matrix_, spectra, self.min_coverage)
        return spectra_on_axis(spectra, flux, ivar, self.new_axis_, spectra.medium)

    def inverse_transform(self, X: Any) -> Any:
        """Resample spectra back onto the grid of `fit`.

        Parameters
        ----------
        X : Spectra, specutils object or array-like of shape (n_spectra, n_new_pixels)
            On the new grid.

        Returns
        -------
        Spectra, specutils object or ndarray
            On the old grid; an ndarray has NaN at ignored pixels.

        Raises
        ------
        GridMismatchError
            If `X` isn't on the new grid.
        """
        check_is_fitted(self)
        if self.matrix_ is None:
            return self.transform(X)
        back = Resampler(self.old_axis_, method=self.method, min_coverage=self.min_coverage)
        return back.fit(blank_spectra(self.new_axis_, self.medium_)).transform(X)

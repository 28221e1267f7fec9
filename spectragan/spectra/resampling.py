"""`Resampler`: spectra onto another wavelength grid."""

from typing import Any

import astropy.units as u
import numpy as np
from sklearn.utils.validation import check_is_fitted

from spectragan.spectra.axis import ascending_angstrom
from spectragan.spectra.base import (
    BaseSpectraTransformer,
    blank_spectra,
    check_number,
    spectra_on_axis,
)
from spectragan.spectra.container import Spectra
from spectragan.spectra.linear_maps import apply_map, interpolation_matrix, overlap_matrix
from spectragan.spectra.validation import check_axis

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
        if not isinstance(self.method, str) or self.method not in MATRICES:
            raise ValueError(
                f"`method` must be 'flux' or 'linear'; got {self.method!r}; choose one of them."
            )
        check_coverage(self.min_coverage)
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


def check_coverage(value: Any) -> None:
    """Raise unless a share of good weight is above 0 and at most 1."""
    if check_number(value, "min_coverage", "a share above 0 and at most 1", "try 0.5") > 1:
        raise ValueError(
            f"`min_coverage` must be a share above 0 and at most 1; got {value!r}; try 0.5."
        )

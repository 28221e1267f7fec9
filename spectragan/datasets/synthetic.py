"""A synthetic spectral model: labels in, continuum-normalised or relative flux out."""

import warnings
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch

from spectragan.datasets.populations import COUNT, LABEL_NAMES, draw_stars, named_labels
from spectragan.datasets.storage import load_arrays
from spectragan.exceptions import LabelExtrapolationWarning
from spectragan.labels import label_array, named_columns
from spectragan.rules import check, one_of
from spectragan.spectra import Spectra
from spectragan.spectra.inputs import make_rng

__all__ = ["SyntheticModel", "make_synthetic_spectra"]

_DESCR = """Synthetic spectra of F, G and K stars, without noise.

LTE syntheses at FWHM 2.5 angstrom as a cubic polynomial in teff, logg and feh per pixel (a Cannon
model), without molecular bands; flux divided by its median; wavelengths in air, 4000.4-6799.4
angstrom in steps of 0.9. The model came with Doppler (Nidever et al. 2021,
doi:10.5281/zenodo.4906680, MIT licence).
"""
_OUTSIDE = one_of(
    "warn",
    "raise",
    "ignore",
    text="one of ('warn', 'raise', 'ignore')",
    remedy="'warn' is the default",
)


def miles_wavelength() -> np.ndarray:
    """Return the grid of `load_miles`: (3111,) air wavelengths in angstrom, 4000.4-6799.4."""
    return 4000.4 + 0.9 * np.arange(3111)


class SyntheticModel:
    """Synthetic spectra of F, G and K stars for any labels, at the resolution of MILES.

    Normalised flux is, in each pixel, a cubic polynomial in the labels (a model of the Cannon
    type trained on LTE syntheses, FWHM 2.5 Å, without molecular bands); the continuum is a power
    of ten of another one.

    Parameters
    ----------
    wavelength : Quantity or array-like of shape (n_pixels,), default=None
        Ascending wavelengths in air, angstrom without a unit, 3540.5-7409.6 Å. None is the grid
        of `load_miles`.
    outside : {"warn", "raise", "ignore"}, default="warn"
        What to do about labels outside `label_range`, where a cubic soon means nothing.

    Attributes
    ----------
    wavelength : Quantity of shape (n_pixels,)
        The grid, angstrom, air.
    label_names : tuple of str
        ``("teff", "logg", "feh")``: K, dex (cgs), dex.
    label_range : ndarray of shape (2, 3)
        Lowest and highest valid labels. Dwarfs below 4000 K need molecular bands, which the model
        does not have.

    Raises
    ------
    ValueError
        If `wavelength` is not ascending or leaves the range of the model, or `outside` is another
        word.

    See Also
    --------
    make_synthetic_spectra : the same as `Spectra`, with labels drawn at random.

    References
    ----------
    .. [1] Ness, M. et al. 2015, ApJ 808, 16 (The Cannon).
    .. [2] Nidever, D. L. et al. 2021, doi:10.5281/zenodo.4906680 (Doppler, the trained model).

    Examples
    --------
    >>> model = SyntheticModel(wavelength=[5160.0, 5167.3, 5172.7, 5183.6])
    >>> model.normalized([[5772.0, 4.44, 0.0]]).round(2)
    array([[0.9 , 0.59, 0.55, 0.52]])
    """

    def __init__(self, wavelength: Any = None, *, outside: str = "warn") -> None:
        check(outside, "outside", _OUTSIDE)
        arrays = load_arrays("cannon_coolstars_miles_resolution")
        grid = _check_wavelength(wavelength, arrays["wave_air"])
        self.outside = outside
        self.wavelength = grid * u.AA
        self.label_names = LABEL_NAMES
        self.label_range = arrays["label_range"].astype(float)
        self._fiducials = arrays["fiducials"].astype(float)
        self._scales = arrays["scales"].astype(float)
        self._exponents = arrays["terms_exponents"]
        self._theta = _interpolate(grid, arrays["wave_air"], arrays["theta"].T)
        self._grid, self._cont_wave, self._cont_theta = grid, *_trim_continuum(grid, arrays)

    def normalized(self, labels: ArrayLike) -> np.ndarray:
        """Return continuum-normalised flux.

        Parameters
        ----------
        labels : array-like of shape (n_samples, 3)
            ``teff`` (K), ``logg`` (dex, cgs), ``feh`` (dex).

        Returns
        -------
        flux : ndarray of shape (n_samples, n_pixels), dimensionless
            1 is the continuum.

        Raises
        ------
        ValueError
            If `labels` have another shape or are not finite, or leave `label_range` while
            ``outside="raise"``.
        """
        return self._terms(labels) @ self._theta

    def continuum(self, labels: ArrayLike) -> np.ndarray:
        """Return the continuum, in the flux unit (per wavelength) the model was trained in.

        Parameters
        ----------
        labels : array-like of shape (n_samples, 3)
            As in `normalized`.

        Returns
        -------
        continuum : ndarray of shape (n_samples, n_pixels)
            Positive.

        Raises
        ------
        ValueError
            As in `normalized`.
        """
        return self._continuum(self._terms(labels))

    def predict(self, labels: ArrayLike) -> np.ndarray:
        """Return flux with its continuum, each spectrum divided by its median.

        Parameters
        ----------
        labels : array-like of shape (n_samples, 3)
            As in `normalized`.

        Returns
        -------
        flux : ndarray of shape (n_samples, n_pixels), dimensionless
            On the scale of `load_miles`.

        Raises
        ------
        ValueError
            As in `normalized`.
        """
        terms = self._terms(labels)
        flux = (terms @ self._theta) * self._continuum(terms)
        return flux / np.median(flux, axis=1, keepdims=True)

    def _continuum(self, terms: np.ndarray) -> np.ndarray:
        """Return the continuum on the grid: interpolated after the power of ten is taken."""
        return _interpolate(self._grid, self._cont_wave, 10.0 ** (terms @ self._cont_theta))

    def _terms(self, labels: ArrayLike) -> np.ndarray:
        """Return the polynomial's terms, shape (n_samples, 20), of checked labels."""
        labels = check_labels(labels)
        self._check_range(labels)
        scaled = (labels - self._fiducials) / self._scales
        terms = np.ones((len(labels), len(self._exponents) + 1))
        for label in range(3):
            powers = scaled[:, label, None] ** np.arange(self._exponents.max() + 1)
            terms[:, 1:] *= powers[:, self._exponents[:, label]]
        return terms

    def _check_range(self, labels: np.ndarray) -> None:
        """Warn or raise, as `outside` says, when labels leave the range of validity."""
        if self.outside == "ignore":
            return
        low, high = self.label_range
        bad = np.argwhere((labels < low) | (labels > high))
        if not bad.size:
            return
        row, label = bad[0]
        message = (
            f"`labels` must lie within the synthetic model's validity, {LABEL_NAMES[label]} "
            f"{low[label]:g} to {high[label]:g}; got {labels[row, label]:g} in row {row} "
            f"({len(np.unique(bad[:, 0]))} of {len(labels)} rows are outside); drop these rows."
        )
        if self.outside == "raise":
            raise ValueError(message)
        warnings.warn(message, LabelExtrapolationWarning, stacklevel=4)


def check_labels(labels: ArrayLike) -> np.ndarray:
    """Return labels as a float array of shape (n_samples, 3), or raise one sentence."""
    if named_columns(labels) is not None:
        return label_array(labels, LABEL_NAMES, {"teff": u.K}, input_name="labels").astype(float)
    array = np.asarray(labels, dtype=float)
    if array.ndim != 2 or array.shape[1] != len(LABEL_NAMES):
        raise ValueError(
            f"`labels` must have shape (n_samples, 3), in the order {LABEL_NAMES}; "
            f"got {array.shape}; for one star use [[teff, logg, feh]]."
        )
    if not np.isfinite(array).all():
        row, label = np.argwhere(~np.isfinite(array))[0]
        raise ValueError(
            f"`labels` must be finite; got {array[row, label]} for {LABEL_NAMES[label]} in row "
            f"{row}; drop rows without labels."
        )
    return array


def _check_wavelength(wavelength: Any, model_grid: np.ndarray) -> np.ndarray:
    """Return the requested grid in angstrom; refuse what the model can't be evaluated on."""
    if wavelength is None:
        return miles_wavelength()
    if isinstance(wavelength, u.Quantity):
        wavelength = wavelength.to_value(u.AA, u.spectral())
    grid = np.asarray(wavelength, dtype=float)
    if grid.ndim != 1 or grid.size == 0 or not np.all(np.diff(grid) > 0):
        raise ValueError(
            f"`wavelength` must be ascending and of shape (n_pixels,); got shape {grid.shape}; "
            "sort it first."
        )
    low, high = float(model_grid[0]), float(model_grid[-1])
    # The stored grid is float32: a request for its last pixel must not fail on rounding.
    if not (grid[0] >= low - 1e-3 and grid[-1] <= high + 1e-3):
        raise ValueError(
            f"`wavelength` must lie within the synthetic model, {low:.1f} to {high:.1f} Angstrom "
            f"in air; got {grid[0]:g} to {grid[-1]:g}; cut it to that range."
        )
    return grid


def _interpolate(grid: np.ndarray, source: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Interpolate rows of values, shape (n, source.size), linearly to a grid."""
    position = np.interp(grid, source.astype(float), np.arange(source.size))
    left = np.minimum(position.astype(int), source.size - 2)
    weight = position - left
    return values[:, left] * (1.0 - weight) + values[:, left + 1] * weight


def _trim_continuum(
    grid: np.ndarray, arrays: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of the continuum's grid and coefficients that a grid needs."""
    wave = arrays["cont_wave"].astype(float)
    start = max(np.searchsorted(wave, grid[0]) - 1, 0)
    stop = np.searchsorted(wave, grid[-1]) + 2
    return wave[start:stop], arrays["cont_theta_log10"][start:stop].T.astype(float)


def make_synthetic_spectra(
    n_samples: int = 1000, *, labels: ArrayLike | None = None, random_state: Any = None
) -> Bunch:
    """Make synthetic spectra on the grid of `load_miles`, without noise.

    Parameters
    ----------
    n_samples : int, default=1000
        Number of stars to draw; ignored when `labels` are given.
    labels : array-like of shape (n_samples, 3), default=None
        ``teff`` (K), ``logg`` (dex, cgs), ``feh`` (dex). None draws F, G and K dwarfs and giants
        of the thin disc, the thick disc and the halo within 4000-7200 K, 0.5-4.85 and -2.2 to
        0.45.
    random_state : int, Generator, RandomState or None, default=None
        Fixes the labels that are drawn. The global generator is never touched.

    Returns
    -------
    data : Bunch
        ``spectra`` (`Spectra` of shape (n_samples, 3111), flux divided by its median, noise
        ``exact``, air), ``labels`` (n_samples, 3), ``label_names``, ``DESCR``.

    Raises
    ------
    ValueError
        If `n_samples` is not a positive integer, or `labels` have another shape or are not
        finite.

    Warns
    -----
    LabelExtrapolationWarning
        If `labels` leave the validity of the model.

    See Also
    --------
    SyntheticModel : the model, on any grid.

    Examples
    --------
    >>> data = make_synthetic_spectra(5, random_state=0)
    >>> data.spectra.shape, data.labels.shape
    ((5, 3111), (5, 3))
    """
    model = SyntheticModel()
    if labels is None:
        n_samples = check(n_samples, "n_samples", COUNT)
        labels = draw_stars(n_samples, make_rng(random_state))
    labels = check_labels(labels)
    flux = model.predict(labels)
    return Bunch(
        spectra=Spectra(flux, model.wavelength, noise="exact", medium="air"),
        labels=named_labels(labels, LABEL_NAMES),
        label_names=LABEL_NAMES,
        DESCR=_DESCR,
    )

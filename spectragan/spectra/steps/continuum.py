"""`ContinuumNormalizer`: divide spectra by a smooth fit to themselves.

Weighted polynomials, for many spectra at once; what was divided out travels along in meta.
"""

import warnings
from typing import Any, ClassVar, Self

import astropy.units as u
import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from spectragan.exceptions import ContinuumWarning
from spectragan.files.saving import SaveMixin
from spectragan.rules import Rules, check_all, count, deviations, one_of
from spectragan.spectra.container import Spectra
from spectragan.spectra.convert import like_input
from spectragan.spectra.inputs import GRID, validate_spectra
from spectragan.spectra.ranges import chunk_slices, pixel_mask
from spectragan.spectra.transformer import SpectraOutputMixin, row_blocks

COEFFICIENTS_KEY = "continuum_coefficients"
UNIT_KEY = "continuum_unit"


def refuse_normalised(meta: dict[str, Any]) -> None:
    """Raise if a row carries a continuum, which a second one would replace."""
    if any(row is not None for row in meta.get(COEFFICIENTS_KEY, ())):
        raise ValueError(
            f"`X` must not be normalised yet; got meta[{COEFFICIENTS_KEY!r}], which says that it "
            "was; use it as it is, or `inverse_transform` it first."
        )


def pop_coefficients(meta: dict[str, Any], n_coefficients: int) -> np.ndarray:
    """Take the coefficients, (n_spectra, n_coefficients), out of meta, or raise one sentence."""
    carried = meta.pop(COEFFICIENTS_KEY, None)
    if carried is None or any(row is None for row in carried):
        raise ValueError(
            f"`X` must carry its continuum in meta[{COEFFICIENTS_KEY!r}], as `transform` "
            "leaves it; got spectra without; pass Spectra or specutils objects that were "
            "transformed, or multiply an ndarray by `continuum(X)`."
        )
    coefficients = np.array(list(carried), dtype=float)
    expected = (len(coefficients), n_coefficients)
    if coefficients.shape != expected:
        raise ValueError(
            f"the continuum in meta must have {n_coefficients} coefficients per spectrum; got "
            f"shape {coefficients.shape}; use the ContinuumNormalizer that made it."
        )
    return coefficients


def pop_unit(meta: dict[str, Any]) -> u.UnitBase:
    """Take the unit that all rows had out of meta; rows that say None had none."""
    one = u.dimensionless_unscaled
    units = [one if unit is None else unit for unit in meta.pop(UNIT_KEY, None) or [one]]
    if any(unit != units[0] for unit in units):
        words = ", ".join(dict.fromkeys(repr(str(unit)) for unit in units))
        raise ValueError(
            f"the rows of `X` must have had one unit of flux before they were normalised; got "
            f"{words}; invert the rows of each unit apart."
        )
    return units[0]


# Directions of the coefficient space that the good pixels determine this much worse than the
# best one are left out: double precision holds no more of them.
SMALLEST_EIGENVALUE = 1e-12


def chebyshev_basis(x: np.ndarray, degree: int) -> np.ndarray:
    """Return Chebyshev polynomials on the range of `x`.

    Parameters
    ----------
    x : ndarray of shape (n_pixels,)
        Ascending positions of pixels in any unit; scaled to [-1, 1].
    degree : int
        Highest degree.

    Returns
    -------
    ndarray of shape (n_pixels, degree + 1), float64
        One polynomial per column.
    """
    x = np.asarray(x, dtype=float)
    span = x[-1] - x[0]
    scaled = 2 * (x - x[0]) / span - 1 if span > 0 else np.zeros_like(x)
    return np.polynomial.chebyshev.chebvander(scaled, degree)


def fit_weighted(flux: np.ndarray, weights: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Fit every spectrum by weighted least squares.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_pixels)
        Finite; values of weight 0 don't matter.
    weights : ndarray of shape (n_spectra, n_pixels)
        Finite and >= 0, on any scale.
    basis : ndarray of shape (n_pixels, n_coefficients)
        One function per column.

    Returns
    -------
    ndarray of shape (n_spectra, n_coefficients), float64
        NaN for spectra with fewer pixels of positive weight than coefficients.

    Notes
    -----
    Minimises ``sum_p w_p (f_p - sum_k c_k b_pk)**2`` by the normal equations, all of them made by
    two matrix products and solved in one batch.
    """
    weights, flux = np.asarray(weights, dtype=float), np.asarray(flux, dtype=float)
    good = weights > 0
    largest = weights.max(axis=1, keepdims=True)
    weights = weights / np.where(largest > 0, largest, 1)
    coefficients = _solve(_normal_matrices(weights, basis), (weights * flux) @ basis)
    coefficients[good.sum(axis=1) < basis.shape[1]] = np.nan
    return coefficients


def _normal_matrices(weights: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Return ``basis.T @ diag(w) @ basis`` of every spectrum from one matrix product."""
    n = basis.shape[1]
    i, j = np.triu_indices(n)
    products = weights @ (basis[:, i] * basis[:, j])
    matrices = np.empty((len(weights), n, n))
    matrices[:, i, j] = matrices[:, j, i] = products
    return matrices


def _solve(matrices: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Solve symmetric systems; badly determined directions get no weight."""
    values, vectors = np.linalg.eigh(matrices)
    floor = SMALLEST_EIGENVALUE * values[:, -1:]
    inverse = np.where(values > floor, 1 / np.where(values > floor, values, 1), 0)
    projected = np.einsum("nij,ni->nj", vectors, right)
    return np.einsum("nij,nj->ni", vectors, projected * inverse)


def fit_clipped(
    flux: np.ndarray,
    weights: np.ndarray,
    basis: np.ndarray,
    *,
    n_iter: int = 0,
    lower: float = np.inf,
    upper: float = np.inf,
) -> np.ndarray:
    """Fit every spectrum, then `n_iter` times again without pixels far from the fit.

    Parameters
    ----------
    flux, weights, basis : ndarray
        As for `fit_weighted`.
    n_iter : int, default=0
        How many times to clip.
    lower, upper : float, default=inf
        Pixels below or above the fit by more than this many standard deviations are left out;
        the deviation is the weighted rms of the pixels still used, per spectrum.

    Returns
    -------
    ndarray of shape (n_spectra, n_coefficients), float64
        As `fit_weighted`. A spectrum stops being clipped when too few pixels would be left.
    """
    coefficients = fit_weighted(flux, weights, basis)
    root, used = np.sqrt(weights), weights > 0
    enough = basis.shape[1] + 1
    for _ in range(n_iter):
        residual = root * (flux - np.nan_to_num(coefficients) @ basis.T)
        freedom = np.maximum(used.sum(axis=1, keepdims=True) - basis.shape[1], 1)
        sigma = np.sqrt((used * residual**2).sum(axis=1, keepdims=True) / freedom)
        kept = used & (residual >= -lower * sigma) & (residual <= upper * sigma)
        stop = kept.sum(axis=1) < enough
        kept[stop] = used[stop]
        if np.array_equal(kept, used):
            break
        used = kept
        coefficients = fit_weighted(flux, weights * used, basis)
    return coefficients


# Spectra per matrix product: 256 spectra of 10,000 pixels are 20 MB in float64.
BLOCK_ROWS = 256


class ContinuumNormalizer(SpectraOutputMixin, SaveMixin, TransformerMixin, BaseEstimator):
    r"""Divide every spectrum by a Chebyshev polynomial fitted to it.

    Each spectrum gets its own weighted least-squares fit per chunk; flux and ivar scale together.

    Parameters
    ----------
    degree : int, default=4
        Degree of the polynomial in each chunk.
    chunks : list of (float, float), (Quantity, Quantity) or slice, default=None
        Ranges fitted apart, for example detectors: ends in Angstrom, in any spectral unit, or
        slices of pixels. Pixels outside all chunks get ivar 0. None is one chunk of all pixels.
    continuum_pixels : bool ndarray of shape (n_pixels,) or list of ranges, default=None
        Pixels that the fit may use; None is all of them.
    n_iter : int, default=0
        How many times the fit is repeated without outliers. 0 is plain weighted least squares.
    lower : float, default=1.5
        Pixels this many standard deviations below the fit are outliers (absorption lines).
    upper : float, default=3.0
        Pixels this many standard deviations above the fit are outliers (cosmic rays).
    weighting : {"ivar", "uniform"}, default="ivar"
        "uniform" weights good pixels alike, so that models and stars get the same continuum.

    Attributes
    ----------
    chunks_ : list of slice
        Pixels of every chunk.
    continuum_pixels_ : ndarray of bool of shape (n_pixels,)
        Pixels that the fit may use.
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
    spectragan.Spectra : Carries flux and ivar through.

    Notes
    -----
    With the Chebyshev polynomials :math:`T_k` on a chunk scaled to [-1, 1], every spectrum has

    .. math:: c = \arg\min_c \sum_p w_p \Big(f_p - \sum_k c_k T_k(x_p)\Big)^2,
        \quad f \to f / C, \quad w \to w\,C^2, \quad C_p = \sum_k c_k T_k(x_p)

    with w = ivar, or 1 at good pixels. Without known noise, w stays the 0/1 weight that it was.

    The continuum travels with its spectrum: ``transform`` writes the coefficients to
    ``meta["continuum_coefficients"]`` and ``inverse_transform`` reads them there, so it works on
    any selection of rows, on translated spectra and on specutils objects, whose meta it is
    written to. An ndarray can't carry it: multiply by ``continuum(X)`` instead.

    Spectra with fewer good pixels in a chunk than coefficients, and pixels where the fitted
    continuum isn't positive, get flux 1 and ivar 0 (NaN in an ndarray) with a
    `ContinuumWarning`; ``inverse_transform`` can't bring these back, nor pixels outside chunks.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan import ContinuumNormalizer, Spectra
    >>> x = np.linspace(0, 1, 50)
    >>> line = 1 - 0.5 * np.exp(-0.5 * ((x - 0.5) / 0.02) ** 2)
    >>> stars = Spectra(np.array([[1000.0], [20.0]]) * (1 + x) * line, None)
    >>> normalizer = ContinuumNormalizer(degree=1, n_iter=10, lower=1, upper=3)
    >>> flux = normalizer.fit_transform(stars).flux
    >>> bool(np.allclose(flux, line, atol=1e-3))
    True
    """

    _kept: ClassVar = {**GRID, "chunks_": "slices p", "continuum_pixels_": "flags? p"}
    _rules: ClassVar[Rules] = {
        "degree": count(0, remedy="try 4"),
        "n_iter": count(0, remedy="try 0"),
        "lower": deviations("use numpy.inf to clip nothing on this side"),
        "upper": deviations("use numpy.inf to clip nothing on this side"),
        "weighting": one_of("ivar", "uniform", text='"ivar" or "uniform"', remedy="choose one"),
    }

    def __init__(
        self,
        degree: int = 4,
        *,
        chunks: list | None = None,
        continuum_pixels: ArrayLike | list | None = None,
        n_iter: int = 0,
        lower: float = 1.5,
        upper: float = 3.0,
        weighting: str = "ivar",
    ) -> None:
        self.degree = degree
        self.chunks = chunks
        self.continuum_pixels = continuum_pixels
        self.n_iter = n_iter
        self.lower = lower
        self.upper = upper
        self.weighting = weighting

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the grid: which pixels belong to which chunk.

        Parameters
        ----------
        X : Spectra, specutils object or array-like of shape (n_spectra, n_pixels)
            Spectra to normalise; NaN in arrays are ignored pixels.
        y : object, default=None
            Ignored.

        Returns
        -------
        ContinuumNormalizer
            This object.

        Raises
        ------
        ValueError
            If a parameter is out of range, or all pixels are masked.
        """
        check_all(vars(self), self._rules)
        spectra = validate_spectra(self, X, reset=True)
        grid = spectra.wavelength, spectra.shape[1]
        self.chunks_ = chunk_slices(self.chunks, *grid)
        self.continuum_pixels_ = pixel_mask(self.continuum_pixels, *grid, "continuum_pixels")
        return self

    def transform(self, X: Any) -> Any:
        """Divide spectra by their continuum.

        Parameters
        ----------
        X : Spectra, specutils object or array-like of shape (n_spectra, n_pixels)
            On the grid of `fit`.

        Returns
        -------
        Spectra, specutils object or ndarray
            Dimensionless, the kind that came in; an ndarray has NaN at ignored pixels.

        Raises
        ------
        GridMismatchError
            If `X` isn't on the grid of `fit`.
        ValueError
            If `X` carries a continuum that it was divided by already.

        Warns
        -----
        ContinuumWarning
            If some spectra or pixels have no usable continuum.
        """
        check_is_fitted(self)
        spectra = validate_spectra(self, X, reset=False)
        meta = spectra.meta or {}
        refuse_normalised(meta)
        coefficients = self._coefficients(spectra)
        flux, ivar, n_rows, n_pixels = self._divide(spectra, coefficients)
        _warn(n_rows, n_pixels)
        meta[COEFFICIENTS_KEY] = coefficients
        if spectra.unit != u.dimensionless_unscaled:
            meta[UNIT_KEY] = [spectra.unit] * len(spectra)
        one = u.dimensionless_unscaled
        return like_input(spectra.with_flux(flux, ivar, unit=one, meta=meta), X)

    def inverse_transform(self, X: Any) -> Any:
        """Multiply spectra by the continuum that `transform` divided them by.

        Parameters
        ----------
        X : Spectra or specutils object of shape (n_spectra, n_pixels)
            Made by `transform`, or of such spectra with their meta kept.

        Returns
        -------
        Spectra or specutils object
            With flux, ivar and unit as before `transform`.

        Raises
        ------
        GridMismatchError
            If `X` isn't on the grid of `fit`.
        ValueError
            If `X` doesn't carry its continuum, or its rows had flux in different units.
        """
        check_is_fitted(self)
        spectra = validate_spectra(self, X, reset=False)
        meta = spectra.meta or {}
        coefficients = pop_coefficients(meta, len(self.chunks_) * (self.degree + 1))
        unit = pop_unit(meta)
        flux, ivar = np.empty_like(spectra.flux), np.empty_like(spectra.ivar)
        for rows in row_blocks(len(spectra), BLOCK_ROWS):
            level = self._evaluate(coefficients[rows])
            level[np.isnan(level)] = 1
            usable = level > 0
            factor = 1 / np.where(usable, level, 1)
            _scale(spectra[rows], factor, usable, flux[rows], ivar[rows])
        return like_input(spectra.with_flux(flux, ivar, unit=unit, meta=meta), X)

    def continuum(self, X: Any) -> np.ndarray:
        """Return the fitted continuum itself.

        Parameters
        ----------
        X : Spectra, specutils object or array-like of shape (n_spectra, n_pixels)
            On the grid of `fit`.

        Returns
        -------
        ndarray of shape (n_spectra, n_pixels)
            In the unit and dtype of the flux; NaN outside chunks and where it can't be fitted.

        Raises
        ------
        GridMismatchError
            If `X` isn't on the grid of `fit`.
        """
        check_is_fitted(self)
        spectra = validate_spectra(self, X, reset=False)
        return self._evaluate(self._coefficients(spectra)).astype(spectra.dtype)

    def _bases(self) -> list[np.ndarray]:
        """Return the polynomials on every chunk, (n_chunk_pixels, degree + 1) each."""
        axis = self.wavelength_
        x = np.arange(self.n_features_in_) if axis is None else axis.value
        return [chebyshev_basis(x[chunk], self.degree) for chunk in self.chunks_]

    def _coefficients(self, spectra: Spectra) -> np.ndarray:
        """Fit all spectra; (n_spectra, n_chunks * (degree + 1)), NaN where it can't be done."""
        bases, width = self._bases(), self.degree + 1
        fitted = np.empty((len(spectra), len(bases) * width))
        for rows in row_blocks(len(spectra), BLOCK_ROWS):
            part = spectra[rows]
            flux, weights = part.filled().astype(float), part.ivar * self.continuum_pixels_
            weights = weights if self.weighting == "ivar" else (weights > 0).astype(float)
            for i, (chunk, basis) in enumerate(zip(self.chunks_, bases, strict=True)):
                columns = slice(i * width, (i + 1) * width)
                fitted[rows, columns] = fit_clipped(
                    flux[:, chunk],
                    weights[:, chunk].astype(float),
                    basis,
                    n_iter=self.n_iter,
                    lower=self.lower,
                    upper=self.upper,
                )
        return fitted

    def _evaluate(self, coefficients: np.ndarray) -> np.ndarray:
        """Return the continuum in float64, NaN outside chunks."""
        level = np.full((len(coefficients), self.n_features_in_), np.nan)
        width = self.degree + 1
        for i, (chunk, basis) in enumerate(zip(self.chunks_, self._bases(), strict=True)):
            level[:, chunk] = coefficients[:, i * width : (i + 1) * width] @ basis.T
        return level

    def _divide(
        self, spectra: Spectra, coefficients: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, int, int]:
        """Return scaled flux and ivar, and how many spectra and pixels lost good pixels."""
        flux, ivar = np.empty_like(spectra.flux), np.empty_like(spectra.ivar)
        n_rows = n_pixels = 0
        inside = np.zeros(self.n_features_in_, dtype=bool)
        for chunk in self.chunks_:
            inside[chunk] = True
        for rows in row_blocks(len(spectra), BLOCK_ROWS):
            level, part = self._evaluate(coefficients[rows]), spectra[rows]
            lost = inside & (part.ivar > 0)
            n_rows += int((lost & np.isnan(level)).any(axis=1).sum())
            n_pixels += int((lost & (level <= 0)).sum())
            _scale(part, level, level > 0, flux[rows], ivar[rows])
        return flux, ivar, n_rows, n_pixels

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _scale(
    spectra: Spectra, level: np.ndarray, usable: np.ndarray, flux: np.ndarray, ivar: np.ndarray
) -> None:
    """Write flux / level and ivar * level**2; 1 and 0 where the level is unusable."""
    safe = np.where(usable, level, 1.0)
    known = (spectra.noise == "known")[:, None]
    with np.errstate(over="ignore"):  # only values under ivar 0 can be that large
        flux[:] = np.where(usable, spectra.flux / safe, 1.0)
        ivar[:] = np.where(usable, spectra.ivar * np.where(known, safe, 1.0) ** 2, 0.0)


def _warn(n_rows: int, n_pixels: int) -> None:
    reasons = []
    if n_rows:
        reasons.append(f"{n_rows} spectra have too few good pixels for their continuum")
    if n_pixels:
        reasons.append(f"{n_pixels} pixels have a continuum that isn't positive")
    if reasons:
        warnings.warn(
            f"{' and '.join(reasons)}; they are ignored (ivar 0).", ContinuumWarning, stacklevel=3
        )

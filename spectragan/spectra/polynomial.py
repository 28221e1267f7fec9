"""Weighted polynomial fits to many spectra at once, in float64, without a loop over spectra."""

import numpy as np

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

"""Slopes that wrong labels make: the same at all lines, so that lines tell them."""

from collections.abc import Sequence

import numpy as np

from spectragan.diagnostics.empirical_null import MAD_TO_SIGMA, extra_scatter
from spectragan.diagnostics.line_slopes import Slopes, smooth_rows

HUBER = 1.345  # standard errors from which a pixel counts less: 95 % efficient without outliers
N_ROUNDS = 30
WIDEST = 1.0  # by which a label may run too fast or slow, in units of its own spread
STRONG = 3.0  # means over all pixels: derivatives beyond are those of a line's core


def without_label_errors(
    slopes: Sequence[Slopes],
    sigmas: Sequence[float],
    basis: np.ndarray,
    matrix: np.ndarray,
    n_owners: int,
) -> list[Slopes]:
    r"""Take off what slopes owe to labels that run too fast, too slow, or with each other.

    Parameters
    ----------
    slopes : sequence of Slopes
        Of residuals that were averaged over more and more pixels; the first were not.
    sigmas : sequence of float, pixels
        Over which they were.
    basis : ndarray of shape (n_pixels, n_parameters)
        Derivatives of the model by labels, continuum and broadening, in units of their spread.
    matrix : ndarray of shape (n_labels, n_features)
        What turns labels into the features of the slopes, but for the constant.
    n_owners : int
        The last features, which own lines.

    Returns
    -------
    slopes : list of Slopes
        With errors that know how well lines tell labels, and how well lines agree.

    Notes
    -----
    Labels are means of the right posterior only if the model they were inferred with is right. If
    not, :math:`E[\theta \mid \hat\theta] = \hat\theta + B \hat\theta`, and where nothing is
    missing the slope of pixel j is :math:`J_j B`, with one matrix B for all pixels. A robust
    regression [1]_ of slopes on derivatives tells it, as most lines aren't missing and missing
    lines have no derivative. Translation alone can't: whether it turned a star into another is
    what unpaired spectra leave open.

    Lines also differ from each other by what no B explains: emulated derivatives aren't exact,
    and changes aren't linear. So the slope of a feature has an error in proportion to its own
    derivative there, by a factor that explains the scatter of strong lines: one for all owners,
    as many of them have few lines.

    References
    ----------
    .. [1] Huber, P. J. 1964, Ann. Math. Statist., 35, 73.
    """
    plain, basis = slopes[0], np.nan_to_num(basis)
    n_features = matrix.shape[1]
    common = [common_change(plain.values[:, c], plain.errors[:, c], basis) for c in _columns(plain)]
    pools = [[c] for c in range(n_features - n_owners)]
    pools.append(list(range(n_features - n_owners, n_features)))
    cleaned = []
    for given, sigma in zip(slopes, sigmas, strict=True):
        rows = smooth_rows(basis.T, np.ones(basis.T.shape, dtype=bool), sigma)[0].T
        values = given.values[:, 1:] - np.column_stack([rows @ change for change, _ in common])
        told = np.column_stack([np.einsum("jk,kl,jl->j", rows, c, rows) for _, c in common])
        errors = np.sqrt(given.errors[:, 1:] ** 2 + told)
        own = np.abs(rows[:, : len(matrix)]) @ (matrix != 0)
        for pool in pools:
            errors[:, pool] = _with_misfit(values[:, pool], errors[:, pool], own[:, pool])
        cleaned.append(_beside_constant(given, values, errors))
    return cleaned


def common_change(
    values: np.ndarray, errors: np.ndarray, basis: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what most pixels agree on: values as a combination of a basis.

    Parameters
    ----------
    values, errors : ndarray of shape (n_pixels,)
        NaN where unknown.
    basis : ndarray of shape (n_pixels, n_parameters)

    Returns
    -------
    change : ndarray of shape (n_parameters,)
    covariance : ndarray of shape (n_parameters, n_parameters)

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.diagnostics.label_scale import common_change
    >>> basis = np.random.default_rng(0).normal(size=(1000, 2))
    >>> values = basis @ [0.1, -0.3]
    >>> values[:100] = 5.0
    >>> common_change(values, np.full(1000, 0.1), basis)[0].round(2)
    array([ 0.1, -0.3])
    """
    known = np.isfinite(values) & (errors > 0)
    rows, target = basis[known] / errors[known, None], values[known] / errors[known]
    prior = np.eye(basis.shape[1]) / WIDEST**2
    change, trust, scale = np.zeros(basis.shape[1]), np.ones(len(rows)), 1.0
    for _ in range(N_ROUNDS):
        information = (rows * trust[:, None]).T @ rows / scale**2 + prior
        change = np.linalg.solve(information, rows.T @ (trust * target) / scale**2)
        size = np.abs(target - rows @ change)
        scale = max(1.0, MAD_TO_SIGMA * float(np.median(size))) if len(size) else 1.0
        trust = 1.0 / np.maximum(1.0, size / (HUBER * scale))
    return change, np.linalg.inv(information)


def _columns(slopes: Slopes) -> range:
    """Return the features but for the constant."""
    return range(1, slopes.values.shape[1])


def _beside_constant(slopes: Slopes, values: np.ndarray, errors: np.ndarray) -> Slopes:
    """Return slopes with other values and errors of all features but the constant."""
    first = slopes.values[:, :1], slopes.errors[:, :1]
    return slopes._replace(
        values=np.hstack([first[0], values]), errors=np.hstack([first[1], errors])
    )


def _with_misfit(values: np.ndarray, errors: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return errors that explain how slopes scatter where features have lines already.

    Missing lines make slopes negative: the scatter of positive ones is that of the misfit.
    """
    told = (own > STRONG * own.mean(axis=0)) & (values > 0)
    return np.hypot(errors, own * extra_scatter(values[told] / own[told], errors[told] / own[told]))

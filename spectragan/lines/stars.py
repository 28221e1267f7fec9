"""The observed stars of a line attribution: their labels, and what wrong labels make of slopes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from spectragan.lines.inference import Linearization, StarModel, infer_labels
from spectragan.lines.slopes import (
    MAD_TO_SIGMA,
    PixelFolds,
    Slopes,
    crossfit_slopes,
    extra_scatter,
    smooth_rows,
)
from spectragan.lines.table import LEAST_RELIABILITY, Owners

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
    >>> from spectragan.lines.stars import common_change
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


# Pixels where the translated model fails by so many standard errors don't tell labels: the
# worst first, because they spoil all others.
SCREENS = (20.0, 8.0, 5.0, 5.0)
SCREENING_ROWS = 800  # spectra that find such pixels
MOST_LOST = 0.9  # of the pixels: a model that fails nearly everywhere must still tell labels

JACOBIAN_ROWS = 256  # labels that Jacobians are averaged over
JACOBIAN_CHUNK = 32

EXCESS_SIGMAS = 5.0  # of the scatter between pixels, that of noise and response

Rows = slice | np.ndarray


class AttributionStars:
    """Observed spectra with two models of them.

    Parameters
    ----------
    flux, weights : ndarray of shape (n_spectra, n_pixels)
    labels : ndarray of shape (n_samples, n_labels)
        A sample of the stars' labels as a population; kept.
    emulator, translated : SpectrumEmulator, ObservedEmulator
        What residuals are taken from, and what labels are inferred with.
    folds : PixelFolds
    sigma : float, pixels
        Of a line.
    degree : int
        Of the continuum polynomial.
    """

    def __init__(
        self,
        flux: np.ndarray,
        weights: np.ndarray,
        labels: np.ndarray,
        *,
        emulator: Any,
        translated: Any,
        folds: PixelFolds,
        sigma: float,
        degree: int,
    ) -> None:
        self.flux, self.weights, self.folds, self.sigma = flux, weights, folds, sigma
        self.synthetic = StarModel(emulator, flux.shape[1], degree)
        self.translated = StarModel(translated, flux.shape[1], degree)
        self.population = self.translated.population(labels)
        self.labels, self.n_labels = labels, labels.shape[1]

    def screen(self) -> np.ndarray:
        """Return which pixels the translated model describes, (n_pixels,) of bool."""
        n = len(self.flux)
        rows = spread_rows(n, SCREENING_ROWS)
        used, start = np.ones(self.flux.shape[1], dtype=bool), None
        labels_alone = Owners([[i] for i in range(self.n_labels)], np.ones(self.n_labels), [])
        for threshold in SCREENS:
            stars = self.infer(rows, used, start=start, n_steps=0 if start is not None else 3)
            start = stars.posterior(self.population)[0]
            (slopes,) = self.slopes(rows, stars, self.translated, labels_alone, (self.sigma,))
            worst = np.nanmax(np.abs(calibrated(slopes)[0]), axis=1, initial=0.0)
            limit = max(threshold, float(np.quantile(worst, 1 - MOST_LOST)))
            used = worst <= limit
        return used

    def infer(
        self, rows: Rows, used: np.ndarray, *, start: np.ndarray | None = None, n_steps: int
    ) -> Linearization:
        """Return the labels of some stars, from the pixels that are used."""
        return infer_labels(
            self.translated,
            self.flux[rows],
            self.weights[rows] * used,
            self.population,
            self.folds.groups(),
            start=start,
            n_steps=n_steps,
        )

    def slopes(
        self,
        rows: Rows,
        stars: Linearization,
        model: StarModel,
        owners: Owners,
        sigmas: Sequence[float],
    ) -> list[Slopes]:
        """Return how residuals from `model` depend on the labels.

        Features are a constant, every label that owns nothing, and the mean of each group of
        owners, all in units of their spread. Labels that the pixels outside a fold say nothing
        about have NaN there.
        """
        matrix = feature_matrix(self.n_labels, owners)
        spread = self.population.spread[: self.n_labels]

        def features_of(fold: int) -> tuple[np.ndarray, np.ndarray]:
            parameters, _ = stars.posterior(self.population, without=1 + fold)
            labels = parameters[:, : self.n_labels]
            standard = (labels - self.population.mean[: self.n_labels]) / spread
            told = stars.reliability(self.population, without=1 + fold)[: self.n_labels]
            silent = told < LEAST_RELIABILITY
            features = standard @ matrix
            features[:, (matrix[silent] != 0).any(axis=0)] = np.nan
            return parameters, np.column_stack([np.ones(len(labels)), features])

        flux, weights = self.flux[rows], self.weights[rows]
        return crossfit_slopes(model, flux, weights, features_of, self.folds, sigmas)

    def differences(self, stars: Linearization, owners: Owners) -> list[Slopes]:
        """Return how observed stars differ from the emulator, without what wrong labels make.

        Parameters
        ----------
        stars : Linearization
            Of all of them.
        owners : Owners

        Returns
        -------
        slopes : two Slopes
            Of the residuals, and of the residuals averaged over a line's width.
        """
        sigmas = 0.0, self.sigma
        slopes = self.slopes(slice(None), stars, self.synthetic, owners, sigmas)
        plain = np.zeros((len(self.labels), len(self.population.mean)))
        plain[:, : self.n_labels] = self.labels
        basis = mean_jacobian(self.synthetic, plain) * self.population.spread
        matrix = feature_matrix(self.n_labels, owners)
        return without_label_errors(slopes, sigmas, basis, matrix, len(owners.groups))


def mean_jacobian(model: Any, labels: np.ndarray) -> np.ndarray:
    """Return derivatives averaged over labels.

    Parameters
    ----------
    model : SpectrumEmulator, ObservedEmulator or StarModel
    labels : ndarray of shape (n_samples, n_labels)

    Returns
    -------
    jacobian : ndarray of shape (n_pixels, n_labels)
    """
    some = labels[spread_rows(len(labels), JACOBIAN_ROWS)]
    chunks = [some[i : i + JACOBIAN_CHUNK] for i in range(0, len(some), JACOBIAN_CHUNK)]
    return sum(model.jacobian(chunk).sum(axis=0) for chunk in chunks) / len(some)


def feature_matrix(n_labels: int, owners: Owners) -> np.ndarray:
    """Return what turns labels into features, (n_labels, n_features).

    Labels that own nothing come first, then the mean of every group of owners; those that can't
    own anything are left out.
    """
    taken = {i for group in owners.groups for i in group} | set(owners.unattributable)
    groups = [[i] for i in range(n_labels) if i not in taken] + owners.groups
    matrix = np.zeros((n_labels, len(groups)))
    for column, group in enumerate(groups):
        matrix[group, column] = 1 / len(group)
    return matrix


def calibrated(slopes: Slopes, *, one_sided: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes in units of their errors, and these errors, without the constant.

    Parameters
    ----------
    slopes : Slopes
    one_sided : bool, default=False
        Missing lines make slopes negative: the scatter of positive ones is that of noise.

    Returns
    -------
    ratio, errors : ndarray of shape (n_pixels, n_features)
        Errors are raised to the scatter of all pixels, most of which have no missing line: what
        the model gets wrong everywhere is noise, too.
    """
    ratio = slopes.values[:, 1:] / slopes.errors[:, 1:]
    scale = np.ones(ratio.shape[1])
    for column, values in enumerate(ratio.T):
        noise = np.abs(values[(values > 0) | (not one_sided)])
        if np.isfinite(noise).any():
            scale[column] = max(1.0, MAD_TO_SIGMA * float(np.nanmedian(noise)))
    return ratio / scale, slopes.errors[:, 1:] * scale


def explains(slopes: Slopes, features: np.ndarray) -> np.ndarray:
    """Tell where features explain more of how stars differ than is left unexplained.

    Parameters
    ----------
    slopes : Slopes
    features : ndarray of int of shape (n_features,)
        Columns of the slopes.

    Returns
    -------
    explains : ndarray of bool of shape (n_pixels, n_features)
        False where another variable, one that isn't among the features, makes the line: its
        correlation with them gives each a part of the slope.
    """
    noise = np.nanmedian(slopes.left)
    doubt = MAD_TO_SIGMA * np.nanmedian(np.abs(slopes.left - noise))
    excess = slopes.left - noise - EXCESS_SIGMAS * doubt
    return ~(excess[:, None] > slopes.values[:, features] ** 2)


def spread_rows(n_rows: int, largest: int) -> np.ndarray:
    """Return rows spread evenly over a set: the first ones may be sorted by a label.

    Parameters
    ----------
    n_rows : int
    largest : int
        How many at most.

    Returns
    -------
    rows : ndarray of int
    """
    return np.linspace(0, n_rows - 1, min(n_rows, largest)).astype(int)

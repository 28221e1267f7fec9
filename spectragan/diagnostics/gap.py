"""How far apart two unpaired sets of spectra are, beside what chance alone would give.

Three two-sample statistics: classifier AUC, MMD² and sliced Wasserstein distance.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.spatial.distance import pdist, squareform
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from sklearn.svm import SVC

from spectragan.diagnostics.projection import joint_scores, scale_within
from spectragan.rules import check, count
from spectragan.spectra import Spectra
from spectragan.spectra.inputs import check_set, draw_seed, make_rng
from spectragan.spectra.lazy import has_good_pixel
from spectragan.spectra.noise import match_noise, noise_words, relative_weights
from spectragan.spectra.summary import SummaryMixin
from spectragan.translator.base import sliced_wasserstein

N_FOLDS = 5
# The folds' classifiers share their training rows, so their AUCs vary together: simulated on
# equal sets (44-400 rows, 10-30 dimensions) the variance of the mean is 2.0 times the formula's.
FOLD_INFLATION = 2.0
EDGE = 1e-9  # closer to 0 or 1 than this, an AUC counts as there
ROUNDING = 1e-12  # of a mean of kernel values, which are at most 1


def classifier_auc(
    a: np.ndarray, b: np.ndarray, rng: np.random.Generator
) -> tuple[float, tuple[float, float]]:
    """Return how well a classifier tells unseen rows of `a` from unseen rows of `b`.

    Parameters
    ----------
    a, b : ndarray of shape (n, n_dims), n >= 5
        The two sets, with columns of comparable scale. Rows of one number may be pairs: they go
        to the same fold, or a classifier would learn from a row what its partner is not.
    rng : numpy.random.Generator
        Shuffles the folds.

    Returns
    -------
    auc : float
        Mean over five folds of the area under the ROC curve of a support vector classifier:
        0.5 when the sets cannot be told apart, 1 when they are separable.
    interval : tuple of float
        The 95 % interval of `auc`.

    References
    ----------
    .. [1] Lopez-Paz, D. & Oquab, M. 2017, "Revisiting classifier two-sample tests", ICLR,
       arXiv:1610.06545.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.diagnostics.gap import classifier_auc
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 5
    >>> classifier_auc(a, b, rng)[0]
    1.0
    """
    fold = np.tile(rng.permutation(len(a)) % N_FOLDS, 2)
    points = np.vstack([a, b])
    is_b = np.repeat([0, 1], len(a))
    aucs = []
    for test in (fold == number for number in range(N_FOLDS)):
        classifier = SVC().fit(points[~test], is_b[~test])
        aucs.append(roc_auc_score(is_b[test], classifier.decision_function(points[test])))
    auc = float(np.mean(aucs))
    return auc, auc_interval(auc, len(a), len(b))


def auc_interval(
    auc: float, n_a: int, n_b: int, *, level: float = 0.95, inflation: float = FOLD_INFLATION
) -> tuple[float, float]:
    """Return the score interval of a cross-validated AUC.

    Parameters
    ----------
    auc : float
        The area under the ROC curve.
    n_a, n_b : int
        The number of rows of either class.
    level : float, default=0.95
        The probability that the interval covers the expected AUC.
    inflation : float, default=2.0
        The factor on the variance that stands for training rows shared between folds.

    Returns
    -------
    low, high : float
        All values θ with ``|auc - θ| <= z sqrt(inflation V(θ))``, V of Hanley & McNeil [1]_ in
        the symmetric form of Newcombe [2]_: unlike DeLong's, it has a width at ``auc == 1``.

    References
    ----------
    .. [1] Hanley, J. A. & McNeil, B. J. 1982, Radiology, 143, 29.
    .. [2] Newcombe, R. G. 2006, Statistics in Medicine, 25, 559.

    Examples
    --------
    >>> from spectragan.diagnostics.gap import auc_interval
    >>> [round(x, 2) for x in auc_interval(1.0, 50, 50)]
    [0.92, 1.0]
    """
    z = norm.ppf(0.5 + level / 2)
    pairs = (n_a + n_b) / 2 - 1

    def excess(theta: float) -> float:
        variance = theta * (1 - theta) / (n_a * n_b)
        variance *= 1 + pairs * ((1 - theta) / (2 - theta) + theta / (1 + theta))
        return abs(auc - theta) - z * np.sqrt(inflation * variance)

    # θ = 0 and θ = 1 solve the equation trivially when the AUC is there: stay off them.
    low = brentq(excess, 0.0, min(auc, 1 - EDGE)) if auc > EDGE else 0.0
    high = brentq(excess, max(auc, EDGE), 1.0) if auc < 1 - EDGE else 1.0
    return float(low), float(high)


def mmd_permutation(
    a: np.ndarray, b: np.ndarray, n_permutations: int, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the unbiased squared maximum mean discrepancy and its permutation p-value.

    Parameters
    ----------
    a, b : ndarray of shape (n, n_dims)
        The two sets. Rows of one number may be pairs.
    n_permutations : int
        The number of random relabellings.
    rng : numpy.random.Generator
        Draws the relabellings.

    Returns
    -------
    mmd2 : float
        Zero on average for equal distributions, and then negative about half the time. The kernel
        is ``exp(-d² / m²)`` with m the median distance between all rows.
    p_value : float
        The share of relabellings with at least this `mmd2`, the given labels counted.

    Notes
    -----
    With ``h(i, j) = k(a_i, a_j) + k(b_i, b_j) - k(a_i, b_j) - k(a_j, b_i)`` this is the mean of h
    over i ≠ j [1]_. Relabelling swaps rows of one number. So neither the value nor its null
    contains the kernel between partners, and both hold for pairs as for unrelated rows.

    References
    ----------
    .. [1] Gretton, A. et al. 2012, "A kernel two-sample test", JMLR, 13, 723.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.diagnostics.gap import mmd_permutation
    >>> rng = np.random.default_rng(0)
    >>> a, b = rng.normal(size=(50, 2)), rng.normal(size=(50, 2)) + 5
    >>> mmd_permutation(a, b, 99, rng)[1]
    0.01
    """
    n = len(a)
    squared = pdist(np.vstack([a, b]), "sqeuclidean")
    kernel = squareform(np.exp(-squared / max(np.median(squared), np.finfo(float).tiny)))
    partners = np.arange(n)
    kernel[partners, partners + n] = kernel[partners + n, partners] = 0.0
    swap = rng.choice([-1.0, 1.0], size=(n, n_permutations))
    sign = np.vstack([np.column_stack([np.ones(n), swap]), np.column_stack([-np.ones(n), -swap])])
    values = np.einsum("ij,ij->j", sign, kernel @ sign) / (n * (n - 1))
    # Relabellings that equal the given one differ by rounding only: count them as ties.
    reached = values >= values[0] - ROUNDING
    return float(values[0]), float(reached.mean())


# Where noise cannot be matched, it is kept out as far as it can be: it fills the later components.
N_COMPONENTS_MATCHED = 20
N_COMPONENTS_UNMATCHED = 10


@dataclass(frozen=True, repr=False)
class GapScores(SummaryMixin):
    """The gap between two sets of spectra, as `gap_scores` measured it.

    Attributes
    ----------
    auc : float
        How well a classifier tells unseen spectra apart: 0.5 not at all, 1 always.
    auc_interval : tuple of float
        95 % interval of `auc`.
    mmd2 : float
        Unbiased squared maximum mean discrepancy; zero on average where there is no gap.
    mmd2_p_value : float
        Permutation p-value of `mmd2`.
    sliced_wasserstein : float
        Sliced Wasserstein distance in standard deviations of the sets' own scatter, between
        samples of `n_null` spectra.
    auc_null, auc_null_interval, mmd2_null, mmd2_null_p_value, sliced_wasserstein_null
        The same between two random halves of the second set: what no gap looks like.
    n_samples : int
        Spectra taken from either set.
    n_null : int
        Spectra in either half for the null.
    n_components : int
        Joint principal components that were compared.
    noise_matched : bool
        Whether the noise of both sets is alike, row by row; if not, part of the gap may be noise.
    noise_difference : str
        What stands against it: "errors unknown", or by which factor they differ.
    """

    auc: float
    auc_interval: tuple[float, float]
    mmd2: float
    mmd2_p_value: float
    sliced_wasserstein: float
    auc_null: float
    auc_null_interval: tuple[float, float]
    mmd2_null: float
    mmd2_null_p_value: float
    sliced_wasserstein_null: float
    n_samples: int
    n_null: int
    n_components: int
    noise_matched: bool
    noise_difference: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return all values by name, for a table or a training history.

        Returns
        -------
        scores : dict of str to float, int, bool or tuple
            Every attribute.
        """
        return asdict(self)

    def summary(self) -> str:
        """Return the scores as a small table, each beside its null.

        Returns
        -------
        table : str
            One line per score and one on how it was measured.
        """
        noise = noise_words(self.noise_difference)
        return "\n".join(
            [
                f"{'':<20}{'gap':<28}{'same-domain null':<28}",
                f"{'classifier AUC':<20}{_with_interval(self.auc, self.auc_interval):<28}"
                f"{_with_interval(self.auc_null, self.auc_null_interval)}",
                f"{'MMD^2':<20}{_with_p(self.mmd2, self.mmd2_p_value):<28}"
                f"{_with_p(self.mmd2_null, self.mmd2_null_p_value)}",
                f"{'sliced Wasserstein':<20}{self.sliced_wasserstein:<28.4f}"
                f"{self.sliced_wasserstein_null:.4f}",
                f"{self.n_samples} spectra a side (null: {self.n_null}), "
                f"{self.n_components} components, {noise}",
            ]
        )

    def __repr__(self) -> str:
        low, high = self.auc_interval
        return (
            f"GapScores(auc={self.auc:.3f} [{low:.3f}, {high:.3f}], "
            f"mmd2={self.mmd2:.4f} (p={self.mmd2_p_value:.3g}), "
            f"sliced_wasserstein={self.sliced_wasserstein:.3f} "
            f"(null {self.sliced_wasserstein_null:.3f}), noise_matched={self.noise_matched})"
        )


def gap_scores(
    a: Any,
    b: Any,
    *,
    n_components: int | None = None,
    n_permutations: int = 500,
    n_directions: int = 200,
    max_samples: int = 1000,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> GapScores:
    """Measure the gap between two unpaired sets of spectra, each score beside its null.

    Parameters
    ----------
    a : Spectra, specutils object or array-like of shape (n_a, n_pixels)
        One set, for instance translated spectra; at least 10.
    b : Spectra, specutils object or array-like of shape (n_b, n_pixels)
        The set that `a` should look like, for instance observed spectra; at least 10. The null
        compares two halves of it.
    n_components : int, default=None
        Joint principal components to compare; None takes 20 where the noise is matched and 10
        where it is not.
    n_permutations : int, default=500
        Random relabellings for the p-value, at least 1.
    n_directions : int, default=200
        Random directions of the sliced Wasserstein distance.
    max_samples : int, default=1000
        The most spectra of either set to use; the time grows with its square.
    random_state : int, RandomState, Generator or None, default=None
        Seeds the choice of rows, the lent noise, the folds and the permutations.

    Returns
    -------
    scores : GapScores
        AUC with its interval, MMD² with its p-value, sliced Wasserstein distance, and nulls.

    Raises
    ------
    GridMismatchError
        If the sets are on different grids.
    ValueError
        If a set has fewer than 10 spectra or a parameter is not a positive integer.

    See Also
    --------
    spectragan.diagnostics.tsne_gap : The same gap as a picture.

    Notes
    -----
    Rows without a good pixel are left out. Equal numbers n of both sets are drawn. All scores work
    on joint principal components in units of the scatter within the sets, found without knowing
    which spectrum is from which set and with masked pixels left out. Rows whose noise is "exact"
    are lent the noise and mask of random rows of the other set, so that a noise-free spectrum is
    not told apart by its lack of noise. Where both sets have errors of their own, rows of one rank
    in noise are brought to the larger errors of the two, at every pixel, with noise and masks:
    of equal sets with unequal S/N, 2 to 8 in 100 had a p-value below 0.05. Noise that is
    "unknown" can't be lent: then only masks are, ``noise_matched`` is False, and an AUC above 0.5
    may be due to noise alone. So it is where errors differ by more than a factor of two: nothing
    is added to those.

    Sets of one size may be pairs row by row, such as models of the very stars: partners share a
    fold, a permutation swaps partners, and no distance is taken between them.

    The null splits up to 2 n spectra of `b` in two. The expected null of the AUC (0.5) and of
    MMD² (0) does not depend on the number of spectra, so these two use all n; the sliced
    Wasserstein distance does, and is averaged over samples of the size of the null's.

    References
    ----------
    .. [1] Lopez-Paz, D. & Oquab, M. 2017, "Revisiting classifier two-sample tests", ICLR,
       arXiv:1610.06545.
    .. [2] Gretton, A. et al. 2012, "A kernel two-sample test", JMLR, 13, 723.
    .. [3] Bonneel, N. et al. 2015, "Sliced and Radon Wasserstein barycenters of measures",
       J. Math. Imaging Vis., 51, 22.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.diagnostics import gap_scores
    >>> rng = np.random.default_rng(0)
    >>> observed = rng.normal(1.0, 0.01, size=(100, 30))
    >>> synthetic = rng.normal(1.0, 0.01, size=(100, 30))
    >>> synthetic[:, 10:15] -= 0.03
    >>> scores = gap_scores(synthetic, observed, random_state=0)
    >>> scores.auc > 0.9 > scores.auc_null
    True
    """
    check(n_permutations, "n_permutations", count())
    check(n_directions, "n_directions", count())
    check(max_samples, "max_samples", count(10))
    b = check_set(b, "b")
    a, b = _seen(check_set(a, "a", like=b), b)
    rng = make_rng(random_state)
    a, b = _draw(a, b, max_samples, rng)
    (a, b), difference = match_noise([a, b], rng)
    if n_components is None:
        n_components = N_COMPONENTS_UNMATCHED if difference else N_COMPONENTS_MATCHED
    scores_a, scores_b = _scores(a, b, check(n_components, "n_components", count()), rng)
    values = _compare(scores_a, scores_b, n_permutations, n_directions, rng)
    return GapScores(
        **values,
        n_components=scores_a.shape[1],
        noise_matched=not difference,
        noise_difference=difference,
    )


def _seen(a: Spectra, b: Spectra) -> tuple[Spectra, Spectra]:
    """Leave out rows without a good pixel, and their partners in sets of one size."""
    rows = [has_good_pixel(a), has_good_pixel(b)]
    if len(a) == len(b):
        rows = [rows[0] & rows[1]] * 2
    if all(part.all() for part in rows):
        return a, b
    return (
        check_set(a[rows[0]], "a without masked rows"),
        check_set(b[rows[1]], "b without masked rows"),
    )


def _draw(
    a: Spectra, b: Spectra, max_samples: int, rng: np.random.Generator
) -> tuple[Spectra, Spectra]:
    """Return n random rows of `a` and up to 2 n of `b`: n to compare, the rest for the null."""
    n = min(len(a), len(b), max_samples)
    rows_b = rng.choice(len(b), min(len(b), 2 * n), replace=False)
    # Sets of one size may be pairs: rows of one number must then keep one place in both.
    rows_a = rows_b[:n] if len(a) == len(b) else rng.choice(len(a), n, replace=False)
    return a[rows_a], b[rows_b]


def _scores(
    a: Spectra, b: Spectra, n_components: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the joint scores of both sets in units of their own scatter."""
    flux = np.concatenate([a.filled(), b.filled()])
    weights = np.concatenate(relative_weights([a, b]))
    scores = joint_scores(flux, weights, n_components, seed=draw_seed(rng))
    return scale_within(scores[: len(a)], scores[len(a) :])


def _compare(
    a: np.ndarray, b: np.ndarray, n_permutations: int, n_directions: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Compute all statistics of `a` against the first rows of `b`, and of the halves of `b`."""
    n, half = len(a), len(b) // 2
    first, second = b[:half], b[half : 2 * half]
    auc, auc_interval = classifier_auc(a, b[:n], rng)
    auc_null, auc_null_interval = classifier_auc(first, second, rng)
    mmd2, mmd2_p_value = mmd_permutation(a, b[:n], n_permutations, rng)
    mmd2_null, mmd2_null_p_value = mmd_permutation(first, second, n_permutations, rng)
    start, end = slice(0, half), slice(n - half, n)
    # Across, so that no row meets its partner: pairs are closer than any two samples can be.
    distances = [
        sliced_wasserstein(a[rows], b[others], n_directions, rng)
        for rows, others in ((start, end), (end, start))
    ]
    return {
        "auc": auc,
        "auc_interval": auc_interval,
        "mmd2": mmd2,
        "mmd2_p_value": mmd2_p_value,
        "sliced_wasserstein": float(np.mean(distances)),
        "auc_null": auc_null,
        "auc_null_interval": auc_null_interval,
        "mmd2_null": mmd2_null,
        "mmd2_null_p_value": mmd2_null_p_value,
        "sliced_wasserstein_null": sliced_wasserstein(first, second, n_directions, rng),
        "n_samples": n,
        "n_null": half,
    }


def _with_interval(value: float, interval: tuple[float, float]) -> str:
    return f"{value:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"


def _with_p(value: float, p_value: float) -> str:
    return f"{value:.4f} (p = {p_value:.3g})"

"""Two-sample statistics of point clouds: classifier AUC, MMD² and sliced Wasserstein distance."""

import numpy as np
from scipy.optimize import brentq
from scipy.spatial.distance import pdist, squareform
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from sklearn.svm import SVC

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
    >>> from spectragan.diagnostics.two_sample import classifier_auc
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
    >>> from spectragan.diagnostics.two_sample import auc_interval
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
    >>> from spectragan.diagnostics.two_sample import mmd_permutation
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

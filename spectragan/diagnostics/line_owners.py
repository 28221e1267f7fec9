"""Which labels can own a line, and which of them no spectrum can tell apart."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.sparse.csgraph import connected_components

# They change every line, and so own none.
ATMOSPHERE = ("teff", "logg", "vturb", "vmic", "vmacro", "vsini")
LEAST_RELIABILITY = 0.05  # of what is known of a label in the end
ALIKE = 0.9  # correlation of inferred labels
LEAST_OWN = 0.05  # of a label's inferred variance that others must not explain


class Owners(NamedTuple):
    """What lines are attributed to.

    Attributes
    ----------
    groups : list of list of int
        Labels that can be told apart from those of other groups; most have one.
    reliability : ndarray of shape (n_labels,)
        What the spectra tell of every label.
    unattributable : list of int
        Candidates whose reliability is too low.
    """

    groups: list[list[int]]
    reliability: np.ndarray
    unattributable: list[int]


def choose_owners(names: Sequence[str], owners: Sequence[str] | None) -> list[int]:
    """Return the labels that may own lines.

    Parameters
    ----------
    names : sequence of str
        All labels.
    owners : sequence of str or None
        None takes all but those of the atmosphere as a whole.

    Returns
    -------
    indices : list of int

    Raises
    ------
    ValueError
        If a name is unknown, or none is left.
    """
    if owners is None:
        owners = [name for name in names if name.lower() not in ATMOSPHERE]
    unknown = [name for name in owners if name not in names]
    if isinstance(owners, str) or unknown or not len(owners):
        raise ValueError(
            f"`owners` must name labels of the emulator, {', '.join(names)}; got {owners!r}; "
            "list at least one of them."
        )
    return [list(names).index(name) for name in owners]


def own_variance(labels: np.ndarray) -> np.ndarray:
    """Return the variance of every label that no linear function of the others has."""
    covariance = np.atleast_2d(np.cov(labels.T))
    size = np.diag(covariance).max() * 1e-9
    return 1 / np.diag(np.linalg.inv(covariance + size * np.eye(len(covariance))))


def group_owners(inferred: np.ndarray, reliability: np.ndarray, candidates: list[int]) -> Owners:
    """Sort candidates into groups that can be told apart.

    Parameters
    ----------
    inferred : ndarray of shape (n_spectra, n_labels)
        Posterior means of the labels.
    reliability : ndarray of shape (n_labels,)
        What the spectra tell of each label, see `Linearization`.
    candidates : list of int

    Returns
    -------
    owners : Owners
    """
    kept = [i for i in candidates if reliability[i] >= LEAST_RELIABILITY]
    lost = [i for i in candidates if i not in kept]
    if not kept:
        return Owners([], reliability, lost)
    told = reliability >= LEAST_RELIABILITY
    standard = (inferred - inferred.mean(axis=0)) / np.maximum(inferred.std(axis=0), 1e-30)
    crowded = np.zeros(len(reliability), dtype=bool)
    crowded[told] = own_variance(standard[:, told]) < LEAST_OWN
    alike = np.abs(np.atleast_2d(np.corrcoef(standard[:, kept].T))) > ALIKE
    alike &= np.outer(crowded[kept], crowded[kept])
    _, member = connected_components(alike, directed=False)
    groups = [[i for i, m in zip(kept, member, strict=True) if m == g] for g in np.unique(member)]
    return Owners(sorted(groups), reliability, lost)

"""Errors of labels beyond the noise: of the model, and of the translation that all stars share."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.stats import norm

from spectragan.exceptions import FitQualityWarning
from spectragan.fitting.found import CONVERGED, LabelFit, join_fits
from spectragan.fitting.machine import FitterMachine
from spectragan.fitting.parts import build_model, grid_labels, members_of
from spectragan.fitting.results import standard_errors
from spectragan.spectra import Spectra
from spectragan.spectra.inputs import make_rng
from spectragan.translator.ensemble import offset_steps
from spectragan.translator.observed import ObservedEmulator

COVERED = 0.6826894921370859  # of a Gaussian within one standard deviation
FEWEST_STARS = 10  # fewer say nothing about an error
ABSURD, UNRELATED = 5.0, 0.7  # times formal errors, and of the spread of labels: chance is no more
LARGEST = 1e4  # times the formal error: nothing has been learned then
HELD_OUT = 0.2  # of the spectra an emulator is trained on, to measure errors first
FEWEST_HELD_OUT = 20  # errors from fewer stars would be worse than none


@dataclass(frozen=True)
class LabelErrors:
    """What the errors of labels hold beside the noise.

    Attributes
    ----------
    factors : ndarray of shape (n_labels,)
        What errors are multiplied by.
    translation : ndarray of shape (n_labels, n_labels) or None
        Added to the formal covariance of every star before.
    """

    factors: np.ndarray
    translation: np.ndarray | None = None

    @property
    def typical(self) -> float:
        """The factor on errors of what isn't a label."""
        return float(np.median(self.factors))

    @property
    def are_learned(self) -> bool:
        """Whether errors hold more than the noise."""
        return self.typical > 1 or self.translation is not None

    def widen(self, fit: LabelFit, machine: FitterMachine) -> None:
        """Widen the errors of one chunk, within what bounds allow.

        Parameters
        ----------
        fit : LabelFit
            Its covariance is changed.
        machine : FitterMachine
        """
        added = self.translation
        if added is not None:
            fit.covariance[:, : len(added), : len(added)] += added
        factors = np.full(len(machine.names), self.typical)
        factors[: len(self.factors)] = self.factors
        fit.covariance *= factors[:, None] * factors
        machine.limit_errors(fit)


def hold_out(n_spectra: int, random_state: Any) -> np.ndarray | None:
    """Return which spectra to measure errors on, or None if there are too few.

    Parameters
    ----------
    n_spectra : int
    random_state : int, RandomState instance or None
        An instance is the emulator's to advance: the same state must give the same emulator.

    Returns
    -------
    rows : ndarray of bool of shape (n_spectra,) or None
    """
    n_held = round(HELD_OUT * n_spectra)
    if n_held < FEWEST_HELD_OUT:
        return None
    seed = random_state if isinstance(random_state, int) else 0
    rows = np.zeros(n_spectra, dtype=bool)
    rows[make_rng(seed).permutation(n_spectra)[:n_held]] = True
    return rows


def calibrate(
    machine: FitterMachine,
    fits: Iterable[tuple[Spectra, LabelFit]],
    labels: np.ndarray | None,
) -> np.ndarray:
    """Return the factors on errors that fits of spectra not trained on ask for.

    Parameters
    ----------
    machine : FitterMachine
    fits : iterable of (Spectra, LabelFit)
    labels : ndarray of shape (n_spectra, n_labels) or None
        The true ones; None takes what the residuals say for all labels alike.

    Returns
    -------
    factors : ndarray of shape (n_labels,)

    Warns
    -----
    FitQualityWarning
        If labels have nothing to do with the fits.
    """
    n_labels = len(machine.labels)
    if labels is None:
        lack = [machine.lack_of_fit(*pair) for pair in fits]
        return np.full(n_labels, inflation_from_residuals(np.concatenate(lack)))
    fit = join_fits([part for _, part in fits])
    offset = fit.parameters[:, :n_labels] - labels
    factors = inflation_from_labels(offset, standard_errors(fit.covariance)[:, :n_labels])
    _warn_unrelated(machine.labels, factors, offset, labels)
    return factors


def _warn_unrelated(
    names: Sequence[str], factors: np.ndarray, offset: np.ndarray, labels: np.ndarray
) -> None:
    """Warn of labels from which fits differ as much as the labels do among themselves."""
    spread = np.nanmedian(np.abs(labels - np.nanmedian(labels, axis=0)), axis=0)
    distance = np.nanmedian(np.abs(offset), axis=0)
    absurd = (factors > ABSURD) & (distance >= UNRELATED * spread)
    if absurd.any():
        told = ", ".join(
            f"`{names[i]}` {factors[i]:.3g} times (fits differ from it by {distance[i]:.3g}, its "
            f"values among themselves by {spread[i]:.3g})"
            for i in np.flatnonzero(absurd).tolist()
        )
        warnings.warn(
            "errors must be inflated by what the model lacks; got labels that have nothing to do "
            f"with the fits, which inflates errors of {told}; are columns or rows mixed up, or "
            "units others?",
            FitQualityWarning,
            stacklevel=4,
        )


def inflation_from_labels(offset: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return for each label the factor that makes 68 % of stars lie within their error.

    Parameters
    ----------
    offset : ndarray of shape (n_spectra, n_labels)
        Fitted less true labels of stars that no part of the model was trained on.
    std : ndarray of shape (n_spectra, n_labels)
        Formal errors.

    Returns
    -------
    factors : ndarray of shape (n_labels,)

    Raises
    ------
    ValueError
        If fewer than 10 stars have both.

    Notes
    -----
    The quantile is that of split-conformal prediction: for another star from the same population
    the chance to be covered is at least 68 %, whatever the distribution of errors.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.fitting.errors import inflation_from_labels
    >>> offset = np.random.default_rng(0).normal(size=(4000, 1))
    >>> inflation_from_labels(2 * offset, np.ones((4000, 1))).round(1)
    array([2.])
    """
    fitted = np.isfinite(offset).all(axis=1)
    _check_enough(int(fitted.sum()))
    factors = np.ones(offset.shape[1])
    for label, (off, error) in enumerate(zip(offset[fitted].T, std[fitted].T, strict=True)):
        free = (error > 0) & np.isfinite(error)  # a label may be constant, or held by its bounds
        if free.sum() >= FEWEST_STARS:
            rank = min(1.0, COVERED * (free.sum() + 1) / free.sum())
            factors[label] = np.quantile(np.abs(off[free]) / error[free], rank)
    return factors


def inflation_from_residuals(lack_of_fit: np.ndarray) -> float:
    r"""Return the factor that fits, if labels err as much as the residuals say.

    The factor :math:`f` for which :math:`\langle 2\Phi(f / s_i) - 1\rangle = 0.683`, with
    :math:`s_i^2` the lack of fit of star i per degree of freedom.

    Parameters
    ----------
    lack_of_fit : ndarray of shape (n_spectra,)
        As `LabelFitter.lack_of_fit` returns it; NaN is left out.

    Returns
    -------
    factor : float

    Raises
    ------
    ValueError
        If fewer than 10 stars have one.
    """
    scale = np.sqrt(np.maximum(lack_of_fit[np.isfinite(lack_of_fit)], 1e-12))
    _check_enough(len(scale))
    return float(
        brentq(
            lambda f: (2 * norm.cdf(f / scale) - 1).mean() - COVERED, 1e-7, LARGEST * scale.max()
        )
    )


def _check_enough(n_stars: int) -> None:
    if n_stars < FEWEST_STARS:
        raise ValueError(
            f"`X` must hold at least {FEWEST_STARS} spectra that can be fitted, to tell how far "
            f"errors are from the truth; got {n_stars}; give more, or a number as `err_inflation`."
        )


REFERENCE_STARS = 200  # enough for a covariance to some percent
FEWEST_COMMON_STARS = 10  # that all members could fit


def translation_covariance(
    emulator: Any, parameters: Mapping[str, Any], spectra: Spectra | None = None
) -> np.ndarray:
    """Return the covariance of labels that comes from the translation.

    Parameters
    ----------
    emulator : object
        Fitted.
    parameters : mapping of str to object
        Those of `ParameterFitter`, checked; the translator is an ensemble.
    spectra : Spectra of shape (n_spectra, n_pixels), default=None
        Observed; None makes some with the emulator and the first member.

    Returns
    -------
    covariance : ndarray of shape (n_labels, n_labels)
        Mean square distance of the other members' labels from those of the first, which has seen
        all spectra; plus that of the first with an error along the labels, see
        ``offset_covariance_``.

    Raises
    ------
    ValueError
        If fewer than 10 spectra could be fitted through all members.
    """
    members = members_of(parameters["translator"])
    if spectra is None:
        spectra = _reference_stars(emulator, members[0])
    else:
        spectra = spectra[:: max(1, len(spectra) // REFERENCE_STARS)]
    moved = [_moved(members[0], step) for step in offset_steps(members[0])]
    translators = [*members, *moved]
    labels = np.array(
        [_fitted_labels(emulator, {**parameters, "translator": t}, spectra) for t in translators]
    )
    away = (labels[1:] - labels[0])[:, np.isfinite(labels).all(axis=(0, 2))]
    if away.shape[1] < FEWEST_COMMON_STARS:
        raise ValueError(
            f"`X` must hold at least {FEWEST_COMMON_STARS} spectra that can be fitted through "
            f"every member of the translator; got {away.shape[1]}; give more, or one of "
            "its `members_`."
        )
    square = np.einsum("mni,mnj->mij", away, away) / away.shape[1]
    return square[: len(members) - 1].mean(axis=0) + square[len(members) - 1 :].sum(axis=0)


def _moved(member: Any, step: np.ndarray) -> Any:
    """Return a translator that takes every synthetic spectrum for another star's."""
    moved = copy(member)
    moved.network_ = deepcopy(member.network_)
    moved.network_.network.move_synthetic(torch.as_tensor(step))
    return moved


def _reference_stars(emulator: Any, member: Any) -> Spectra:
    """Return noise-free observed spectra of labels like those the emulator was trained on."""
    training = build_model(emulator, member).training_labels
    low, high = np.asarray(emulator.label_range_, dtype=float)
    labels = grid_labels(training, low, high)[:REFERENCE_STARS]
    return Spectra(ObservedEmulator(emulator, member).predict(labels), None, noise="exact")


def _fitted_labels(emulator: Any, parameters: Mapping[str, Any], spectra: Spectra) -> np.ndarray:
    """Return labels fitted through one member, NaN where the fit ended early or at a bound."""
    fit = FitterMachine(emulator, parameters).fit(spectra)
    n_labels = len(emulator.label_names_)
    labels, bound = fit.parameters[:, :n_labels], fit.at_bound[:, :n_labels]
    good = (fit.status == CONVERGED) & ~bound.any(axis=1)
    return np.where(good[:, None], labels, np.nan)

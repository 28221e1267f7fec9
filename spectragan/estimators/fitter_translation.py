"""How far labels are off because the translation is: what members disagree in, and can't show."""

from copy import copy, deepcopy
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

from spectragan.estimators.fitter_machine import FitterMachine
from spectragan.estimators.fitter_model import build_model, grid_labels, thaw
from spectragan.estimators.observed import ObservedEmulator
from spectragan.estimators.translation_errors import offset_steps
from spectragan.spectra import Spectra
from spectragan.training.label_fit import CONVERGED

REFERENCE_STARS = 200  # enough for a covariance to some percent
FEWEST_STARS = 10  # that all members could fit


def translation_covariance(
    fitter: Any, emulator: Any, spectra: Spectra | None = None
) -> np.ndarray | None:
    """Return the covariance of labels that comes from the translation.

    Parameters
    ----------
    fitter : ParameterFitter
        Its parameters, checked.
    emulator : object
        Fitted.
    spectra : Spectra of shape (n_spectra, n_pixels), default=None
        Observed; None makes some with the emulator and the first member.

    Returns
    -------
    covariance : ndarray of shape (n_labels, n_labels) or None
        Mean square distance of the other members' labels from those of the first, which has seen
        all spectra; plus that of the first with an error along the labels, see
        ``offset_covariance_``. None without an ensemble.

    Raises
    ------
    ValueError
        If fewer than 10 spectra could be fitted through all members.
    """
    members = getattr(thaw(fitter.translator), "members_", [])
    if len(members) < 2:
        return None
    if spectra is None:
        spectra = _reference_stars(emulator, members[0])
    else:
        spectra = spectra[:: max(1, len(spectra) // REFERENCE_STARS)]
    moved = [_moved(members[0], step) for step in offset_steps(members[0])]
    translators = [*members, *moved]
    labels = np.array([_fitted_labels(fitter, emulator, t, spectra) for t in translators])
    away = (labels[1:] - labels[0])[:, np.isfinite(labels).all(axis=(0, 2))]
    if away.shape[1] < FEWEST_STARS:
        raise ValueError(
            f"`X` must hold at least {FEWEST_STARS} spectra that can be fitted through every "
            f"member of the translator; got {away.shape[1]}; give more, or one of its `members_`."
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


def _fitted_labels(fitter: Any, emulator: Any, member: Any, spectra: Spectra) -> np.ndarray:
    """Return labels fitted through one member, NaN where the fit ended early or at a bound."""
    parameters = fitter.get_params(deep=False) | {"translator": member}
    fit = FitterMachine(SimpleNamespace(**parameters), emulator).fit(spectra)
    n_labels = len(emulator.label_names_)
    labels, bound = fit.parameters[:, :n_labels], fit.at_bound[:, :n_labels]
    good = (fit.status == CONVERGED) & ~bound.any(axis=1)
    return np.where(good[:, None], labels, np.nan)

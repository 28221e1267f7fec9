"""From slopes of residuals to `MissingLines`."""

from typing import Any

import numpy as np

from spectragan.diagnostics.attribution_stars import (
    AttributionStars,
    calibrated,
    explains,
    feature_matrix,
)
from spectragan.diagnostics.label_inference import Linearization
from spectragan.diagnostics.line_owners import ATMOSPHERE, Owners
from spectragan.diagnostics.line_peaks import find_peaks
from spectragan.diagnostics.line_slopes import Slopes
from spectragan.diagnostics.line_table import make_line_table
from spectragan.diagnostics.missing_lines import MissingLines


def gather(
    stars: AttributionStars,
    inferred: Linearization,
    owners: Owners,
    jacobians: tuple[np.ndarray, np.ndarray],
    slopes: list[Slopes],
    *,
    used: np.ndarray,
    emulator: Any,
    fdr: float,
) -> MissingLines:
    """Find the peaks of the slopes, and put all that was learned together.

    Parameters
    ----------
    stars : AttributionStars
    inferred : Linearization
        Of their labels.
    owners : Owners
    jacobians : two ndarrays of shape (n_pixels, n_labels)
        Of the emulator and the translated one.
    slopes : two Slopes
        Of the residuals, and of the smoothed residuals.
    used : ndarray of bool of shape (n_pixels,)
    emulator : SpectrumEmulator
    fdr : float

    Returns
    -------
    lines : MissingLines
    """
    names, plain = tuple(emulator.label_names_), slopes[0]
    n_labels, n_groups = stars.n_labels, len(owners.groups)
    change, error = _per_label(plain, feature_matrix(n_labels, owners), stars.population.spread)
    height, signs = _heights(slopes[1], owners, names)
    significance = np.full(change.shape, np.nan)
    for column, group in enumerate(owners.groups):
        significance[:, group] = height[:, [column]]
    first = [group[0] for group in owners.groups]
    columns = np.arange(plain.values.shape[1])[plain.values.shape[1] - n_groups :]
    table = make_line_table(
        find_peaks(height, stars.sigma, fdr, signs) if n_groups else [],
        [[names[i] for i in group] for group in owners.groups],
        height,
        slopes[1].values[:, columns],
        change[:, first],
        error[:, first],
        explains(slopes[1], columns),
        plain.values[:, 0],
        emulator.wavelength_,
        stars.sigma,
    )
    labels, covariance = inferred.posterior(stars.population)
    return MissingLines(
        table=table,
        label_names=names,
        owners=tuple(names[i] for group in owners.groups for i in group),
        unattributable=tuple(names[i] for i in owners.unattributable),
        wavelength=emulator.wavelength_,
        synthetic=jacobians[0],
        translated=jacobians[1],
        observed=jacobians[0] + change,
        error=error,
        significance=significance,
        offset=plain.values[:, 0],
        used=used,
        labels=labels[:, :n_labels],
        label_errors=np.sqrt(np.einsum("nll->nl", covariance)[:, :n_labels]),
        reliability=owners.reliability,
        fdr=fdr,
    )


def _heights(
    smooth: Slopes, owners: Owners, names: tuple[str, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return significances (n_pixels, n_groups) and how many signs each may have.

    Flux falls where an element has a line, but with temperature it may do either.
    """
    columns = slice(smooth.values.shape[1] - 1 - len(owners.groups), None)
    free = np.array([names[group[0]].lower() in ATMOSPHERE for group in owners.groups], dtype=bool)
    one_sided, either = (calibrated(smooth, one_sided=one)[0][:, columns] for one in (True, False))
    return np.where(free, np.abs(either), -one_sided), 1 + free


def _per_label(
    plain: Slopes, matrix: np.ndarray, spread: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return slopes and errors per unit of every label, (n_pixels, n_labels).

    The change of a feature is shared by the labels it is the mean of.
    """
    share = matrix / spread[: len(matrix), None]
    errors = calibrated(plain)[1]
    absent = ~(matrix != 0).any(axis=1)
    unknown = (np.isnan(errors).astype(float) @ share.T > 0) | absent
    change, error = (
        np.where(unknown, np.nan, np.nan_to_num(values) @ share.T)
        for values in (plain.values[:, 1:], errors)
    )
    return change, error

"""What is made of fits: a table with errors, units and flags, and a posterior for samplers."""

import warnings
from collections.abc import Sequence
from typing import Any

import astropy.units as u
import numpy as np
import torch
from astropy.table import QTable
from scipy.special import ndtri
from scipy.stats import truncnorm

from spectragan.exceptions import LabelUnitWarning
from spectragan.fitting.found import LabelFit
from spectragan.fitting.machine import FitterMachine
from spectragan.fitting.parameters import SHIFT_UNITS, UNITS
from spectragan.fitting.priors import Prior
from spectragan.fitting.quality import bad_chi2
from spectragan.spectra import Spectra
from spectragan.training.devices import plain_torch

STATUS = ("converged", "not converged", "too few pixels", "not finite")


def make_table(
    fit: LabelFit, machine: FitterMachine, units: dict[str, Any], meta: list[Any] | None = None
) -> QTable:
    """Return one row per spectrum.

    Parameters
    ----------
    fit : LabelFit
        Errors inflated already.
    machine : FitterMachine
    units : dict of str to astropy unit
        Of the labels, where the emulator knows them.
    meta : list of dict
        Of the spectra, chunk by chunk.

    Returns
    -------
    table : QTable
    """
    std = standard_errors(fit.covariance)
    known = {**SHIFT_UNITS, **assumed_units(machine.labels, machine.label_range, units)}
    table = QTable()
    for i in machine.shown:
        name = machine.names[i]
        unit = known.get(name, u.dimensionless_unscaled)
        table[name], table[f"{name}_err"] = fit.parameters[:, i] * unit, std[:, i] * unit
    table["chi2"], table["dof"] = fit.chi2, fit.dof
    table["n_iterations"] = fit.n_iterations
    table["status"] = np.array(STATUS)[fit.status]
    table["at_bound"] = fit.at_bound[:, machine.shown].any(axis=1)
    n_labels = machine.fitter.forward.model.n_labels
    table["degenerate"] = (fit.unbounded & machine.wide)[:, :n_labels].any(axis=1)
    table["outside_hull"] = _outside_hull(fit.parameters[:, :n_labels], machine)
    table["bad_chi2"] = bad_chi2(fit)
    table["ambiguous"], table["binary"] = fit.ambiguous, fit.binary
    chunks = meta or []
    for name in reversed(list(chunks[0] or {}) if chunks else []):
        if name not in table.colnames and all(part and name in part for part in chunks):
            values = [value for part in chunks for value in part[name]]
            table.add_column(_column_of(values), name=name, index=0)
    return table


def _column_of(values: list[Any]) -> Any:
    """Return values of stars as a column; what no column holds becomes words."""
    if any(np.ndim(value) for value in values):
        return [str(value) for value in values]
    if all(isinstance(value, u.Quantity) for value in values):
        return u.Quantity(values)
    column = np.asarray(values)
    return [str(value) for value in values] if column.dtype.kind == "O" else column


def assumed_units(
    names: Sequence[str], label_range: np.ndarray, units: dict[str, Any]
) -> dict[str, Any]:
    """Return units of labels: those given, and what a name stands for if its values can be that.

    Parameters
    ----------
    names : sequence of n_labels str
    label_range : ndarray of shape (2, n_labels)
    units : dict of str to astropy unit
        Where they are known.

    Returns
    -------
    units : dict of str to astropy unit

    Warns
    -----
    LabelUnitWarning
        If a label can't be in the unit that its name stands for.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.fitting.results import assumed_units
    >>> assumed_units(["teff", "feh"], np.array([[4000, -2], [7000, 0.5]]), {})
    {'teff': Unit("K")}
    """
    found = dict(units)
    for name, highest in zip(names, label_range[1], strict=True):
        if name in found or name not in UNITS:
            continue
        unit, least, most = UNITS[name]
        if least <= highest <= most:
            found[name] = unit
            continue
        warnings.warn(
            f"`{name}` must be in {unit} where the training labels have no unit; got at most "
            f"{highest:g}, which can't be; its column gets no unit; train with a QTable that says "
            "it, or convert the labels.",
            LabelUnitWarning,
            stacklevel=4,
        )
    return found


def standard_errors(covariance: np.ndarray) -> np.ndarray:
    """Return the square roots of the diagonals, NaN where a variance is negative.

    Parameters
    ----------
    covariance : ndarray of shape (n_spectra, n_parameters, n_parameters)

    Returns
    -------
    std : ndarray of shape (n_spectra, n_parameters)
    """
    variance = np.diagonal(covariance, axis1=1, axis2=2)
    return np.sqrt(np.where(variance >= 0, variance, np.nan))


def _outside_hull(labels: np.ndarray, machine: FitterMachine) -> np.ndarray:
    if machine.hull is None:
        return np.zeros(len(labels), dtype=bool)
    return machine.hull.outside(labels)


ROWS = 512  # parameters evaluated at a time


@plain_torch()
def log_probability(
    machine: FitterMachine,
    theta: Any,
    spectra: Spectra,
    inflation: float,
    include_prior: bool,
    stars: np.ndarray | None = None,
) -> np.ndarray:
    """Return log posterior probabilities, see `ParameterFitter.log_prob`.

    Parameters
    ----------
    machine : FitterMachine
    theta : array-like of shape (n, n_parameters) or (n_parameters,)
    spectra : Spectra
        One, or n.
    inflation : float
        Of the errors of the spectra, where they are known.
    include_prior : bool
    stars : ndarray of shape (n_spectra, 2, n_shown), default=None
        Priors of each star, see `priors_of_stars`.

    Returns
    -------
    log_prob : ndarray of shape (n,) or float
    """
    points = np.atleast_2d(np.asarray(theta, dtype=float))
    _check_points(points, "theta", machine)
    if len(spectra) not in (1, len(points)):
        raise ValueError(
            f"`X` must hold one spectrum, or one for each row of `theta`; got {len(spectra)} "
            f"spectra and {len(points)} rows; select them first."
        )
    rows = np.arange(len(points)) if len(spectra) > 1 else np.zeros(len(points), dtype=int)
    inside = ((points >= machine.low) & (points <= machine.high)).all(axis=1)
    result = np.full(len(points), -np.inf)
    if inside.any():
        few, which = points[inside], rows[inside]
        result[inside] = _log_likelihood(machine, few, spectra, which, inflation)
        if include_prior:
            prior = machine.prior_of(stars).of(torch.as_tensor(which))
            result[inside] -= 0.5 * prior.penalty(torch.as_tensor(few)).numpy()
    return result if np.ndim(theta) == 2 else result[0]


@plain_torch()
def _log_likelihood(
    machine: FitterMachine, points: np.ndarray, spectra: Spectra, rows: np.ndarray, inflation: float
) -> np.ndarray:
    objective = machine.fitter.objective(spectra.filled(), spectra.ivar)
    tensors = torch.as_tensor(points), torch.as_tensor(rows)
    pairs = zip(*(tensor.split(ROWS) for tensor in tensors), strict=True)
    chi2 = torch.cat([objective.evaluate(*pair)[0] for pair in pairs]).numpy()
    chi2 = np.maximum(chi2, np.finfo(float).tiny)
    usable = machine.fitter.usable.numpy()
    n_good = ((spectra.ivar > 0) & usable).sum(axis=1)[rows]
    known = (spectra.noise == "known")[rows]
    likelihood = np.where(known, -0.5 * chi2 / inflation**2, -0.5 * n_good * np.log(chi2))
    return likelihood / machine.fitter.lumped


def unit_cube_to_prior(machine: FitterMachine, prior: Prior, u: Any) -> np.ndarray:
    """Return parameters at quantiles of the prior, see `ParameterFitter.prior_transform`.

    Parameters
    ----------
    machine : FitterMachine
    prior : Prior
        The same for all.
    u : array-like of shape (n, n_parameters) or (n_parameters,)

    Returns
    -------
    theta : ndarray like u
    """
    quantiles = np.atleast_2d(np.asarray(u, dtype=float))
    _check_points(quantiles, "u", machine)
    if not ((quantiles >= 0) & (quantiles <= 1)).all():
        raise ValueError(
            "`u` must lie between 0 and 1; got "
            f"{quantiles.min():g} to {quantiles.max():g}; give quantiles of the prior."
        )
    low, high = machine.low, machine.high
    mean, precision = prior.mean.numpy(), prior.precision.numpy()
    theta = low + quantiles * (high - low)
    shown = [i for i in machine.shown if precision[i, i] > 0 and low[i] < high[i]]
    for i in shown:
        std = precision[i, i] ** -0.5
        cut = (low[i] - mean[i]) / std, (high[i] - mean[i]) / std
        theta[:, i] = truncnorm.ppf(quantiles[:, i], *cut, loc=mean[i], scale=std)
    split = machine.split
    if len(split):
        covariance = np.linalg.inv(precision[np.ix_(split, split)])
        factor = np.linalg.cholesky(covariance)
        theta[:, split] = mean[split] + ndtri(quantiles[:, split]) @ factor.T
        theta[:, split] = np.clip(theta[:, split], low[split], high[split])
    return theta if np.ndim(u) == 2 else theta[0]


def _check_points(points: np.ndarray, name: str, machine: FitterMachine) -> None:
    if points.ndim != 2 or points.shape[1] != len(machine.names):
        raise ValueError(
            f"`{name}` must have {len(machine.names)} columns, {', '.join(machine.names)}; got "
            f"shape {points.shape}; see `parameter_names_`."
        )


def side_by_side(fit: LabelFit, n: int, std: bool, covariance: bool) -> np.ndarray:
    """Return labels and what is wanted of their errors in one row per spectrum.

    Parameters
    ----------
    fit : LabelFit
    n : int
        How many of the parameters are labels.
    std, covariance : bool
        Which errors are wanted.

    Returns
    -------
    rows : ndarray of shape (n_spectra, n_columns)
    """
    kept = [fit.parameters[:, :n]]
    if std:
        kept.append(standard_errors(fit.covariance[:, :n, :n]))
    if covariance:
        kept.append(fit.covariance[:, :n, :n].reshape(-1, n * n))
    return np.hstack(kept)


def taken_apart(rows: Any, n: int, single: bool, *, std: bool, covariance: bool) -> tuple[Any, ...]:
    """Return labels and errors from what `side_by_side` made, in an array or one of dask's.

    Parameters
    ----------
    rows : array of shape (n_spectra, n_columns)
    n : int
        How many labels there are.
    single : bool
        Whether the one label is wanted without an axis of its own.
    std, covariance : bool
        Which errors there are.

    Returns
    -------
    pieces : tuple of arrays
    """
    parts = [rows[:, :n]] + [rows[:, n:]] * std
    pieces = [part[:, 0] if single else part for part in parts]
    if covariance:
        pieces.append(_as_matrices(rows[:, n:], n))
    return tuple(pieces)


def _as_matrices(rows: Any, n: int) -> Any:
    """Return rows (n_rows, n * n) as matrices (n_rows, n, n)."""
    if isinstance(rows, np.ndarray):
        return rows.reshape(-1, n, n)
    # Chunks of dask's may have unknown sizes: they are reshaped one by one.
    chunks = rows.chunks[0], (n,), (n,)
    return rows.map_blocks(_as_matrices, n=n, dtype=float, chunks=chunks, new_axis=2)

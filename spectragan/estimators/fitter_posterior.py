"""The posterior probability of labels, for samplers."""

from typing import Any

import numpy as np
import torch
from scipy.special import ndtri
from scipy.stats import truncnorm

from spectragan.estimators.fitter_machine import FitterMachine
from spectragan.spectra import Spectra

ROWS = 512  # parameters evaluated at a time


def log_probability(
    machine: FitterMachine, theta: Any, spectra: Spectra, inflation: float, include_prior: bool
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
        likelihood, prior = _log_inside(machine, points[inside], spectra, rows[inside], inflation)
        result[inside] = likelihood + prior if include_prior else likelihood
    return result if np.ndim(theta) == 2 else result[0]


def _log_inside(
    machine: FitterMachine, points: np.ndarray, spectra: Spectra, rows: np.ndarray, inflation: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return log likelihoods and log priors (n,)."""
    objective = machine.fitter.objective(spectra.filled(), spectra.ivar)
    tensors = torch.as_tensor(points), torch.as_tensor(rows)
    pairs = zip(*(tensor.split(ROWS) for tensor in tensors), strict=True)
    cost = torch.cat([objective.evaluate(*pair)[0] for pair in pairs]).numpy()
    prior = machine.prior
    offset = tensors[0] - prior.mean
    penalty = (offset * (offset @ prior.precision)).sum(1).numpy()
    chi2 = np.maximum(cost - penalty, np.finfo(float).tiny)
    usable = machine.fitter.usable.numpy()
    n_good = ((spectra.ivar > 0) & usable).sum(axis=1)[rows]
    with_errors = -0.5 * chi2 / inflation**2
    without = -0.5 * n_good * np.log(chi2)
    known = (spectra.noise == "known")[rows]
    return np.where(known, with_errors, without), -0.5 * penalty


def unit_cube_to_prior(machine: FitterMachine, u: Any) -> np.ndarray:
    """Return parameters at quantiles of the prior, see `ParameterFitter.prior_transform`.

    Parameters
    ----------
    machine : FitterMachine
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
    mean, precision = machine.prior.mean.numpy(), machine.prior.precision.numpy()
    theta = low + quantiles * (high - low)
    shown = [i for i in machine.shown if precision[i, i] > 0]
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

"""Fits as a table: labels with errors and units, chi square, and flags."""

from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import QTable

from spectragan.estimators.fitter_machine import FitterMachine
from spectragan.training.label_fit import LabelFit

STATUS = ("converged", "not converged", "too few pixels", "not finite")
BAD_CHI2 = 3.0  # per degree of freedom, where errors are known
BAD_RESIDUAL = 9.0  # chi square in units of the table's median, where errors aren't known
# Where the emulator's labels had no units: what these words mean throughout the field.
UNITS = {"teff": u.K, "vmicro": u.km / u.s, "velocity": u.km / u.s, "broadening": u.km / u.s}


def make_table(fit: LabelFit, machine: FitterMachine, units: dict[str, Any]) -> QTable:
    """Return one row per spectrum.

    Parameters
    ----------
    fit : LabelFit
        Errors inflated already.
    machine : FitterMachine
    units : dict of str to astropy unit
        Of the labels, where the emulator knows them.

    Returns
    -------
    table : QTable
    """
    std = standard_errors(fit.covariance)
    known = {**UNITS, **units}
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
    table["outside_hull"] = _outside_hull(fit.parameters[:, :n_labels], machine)
    table["bad_chi2"] = _bad_chi2(fit)
    return table


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


def _bad_chi2(fit: LabelFit) -> np.ndarray:
    """Flag spectra that the model doesn't describe."""
    with np.errstate(invalid="ignore", divide="ignore"):
        reduced = fit.chi2 / fit.dof
        bad = reduced > BAD_CHI2
        if not fit.known.all() and np.isfinite(reduced[~fit.known]).any():
            typical = np.nanmedian(reduced[~fit.known])
            bad = np.where(fit.known, bad, reduced > BAD_RESIDUAL * typical)
    return bad

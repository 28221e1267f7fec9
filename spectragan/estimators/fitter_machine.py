"""What `ParameterFitter` makes of its parameters: one object that fits spectra in chunks."""

from typing import Any

import numpy as np
import torch

from spectragan.estimators.base import OBSERVED
from spectragan.estimators.fitter_model import build_model, grid_labels, thaw
from spectragan.estimators.fitter_parameters import (
    SHIFTS,
    check_label_names,
    check_nuisances,
    parameter_bounds,
    parameter_priors,
)
from spectragan.estimators.label_hull import LabelHull
from spectragan.spectra import Spectra
from spectragan.training.chi_square import Prior
from spectragan.training.forward_model import ForwardModel
from spectragan.training.label_fit import FitSettings, LabelFit, LabelFitter, join_fits
from spectragan.training.threads import map_rows

SPLIT_RANGE = 6.0  # standard deviations of the observed stars' split latents
SPLIT_RIDGE = 1e-6  # of their mean variance: codes may be collinear


class FitterMachine:
    """Everything a fit needs, built once from fitted estimators.

    Parameters
    ----------
    fitter : ParameterFitter
        Its parameters, checked.
    emulator : object
        Fitted.

    Attributes
    ----------
    names : tuple of str
        Labels, split latents and nuisances, in the order of the parameters.
    shown, split : ndarray of int
        Which of them a table shows, labels and nuisances, and which are split latents.
    fitter : LabelFitter
    hull : LabelHull or None
    """

    def __init__(self, fitter: Any, emulator: Any) -> None:
        nuisances = check_nuisances(fitter.nuisances)
        shifts = tuple(name for name in SHIFTS if name in nuisances)
        translator = thaw(fitter.translator)
        # The first of an ensemble's members has seen all spectra; the others are for the errors.
        self.translator = getattr(translator, "members_", [translator])[0]
        parts = build_model(emulator, self.translator)
        labels = tuple(emulator.label_names_)
        check_label_names(labels, shifts)
        self.label_range = np.asarray(emulator.label_range_, dtype=float)
        n_split, n_labels = parts.model.n_split, len(labels)
        self.encodes = fitter.split == "encode" and n_split > 0
        self.names = (*labels, *(f"split_{i}" for i in range(n_split)), *shifts)
        self.split = np.arange(n_labels, n_labels + n_split)
        self.shown = np.setdiff1d(np.arange(len(self.names)), self.split)
        low, high = parameter_bounds(fitter.bounds, labels, self.label_range, shifts)
        mean, precision = parameter_priors(fitter.priors, (*labels, *shifts))
        center, covariance = split_distribution(self.translator, n_split)
        reach = SPLIT_RANGE * np.sqrt(np.diagonal(covariance))
        self.low = _insert(low, n_labels, center - reach)
        self.high = _insert(high, n_labels, center + reach)
        matrix = np.diag(_insert(precision, n_labels, np.zeros(n_split)))
        matrix[np.ix_(self.split, self.split)] = np.linalg.inv(covariance)
        prior = Prior(_tensor(_insert(mean, n_labels, center)), _tensor(matrix))
        self.prior = prior
        self.fitter = LabelFitter(
            ForwardModel(parts.model, shifts, axis_of(emulator, shifts)),
            _tensor(grid_labels(parts.training_labels, low[:n_labels], high[:n_labels])),
            FitSettings(
                _tensor(self.low), _tensor(self.high), prior, fitter.max_steps, fitter.n_starts
            ),
            parts.usable,
            continuum_terms(nuisances, fitter.continuum_degree, emulator, len(parts.usable)),
        )
        training = parts.training_labels
        self.hull = None if training is None else LabelHull(training)

    def fit(self, spectra: Spectra) -> LabelFit:
        """Fit one chunk of spectra.

        Parameters
        ----------
        spectra : Spectra

        Returns
        -------
        fit : LabelFit
        """
        split = self._encoded(spectra)
        known, flux = spectra.noise == "known", spectra.filled()

        def fit(rows: slice) -> LabelFit:
            part = None if split is None else split[rows]
            return self.fitter.fit(flux[rows], spectra.ivar[rows], known[rows], part)

        return join_fits(map_rows(fit, len(spectra)))

    def models(self, spectra: Spectra, fit: LabelFit) -> tuple[np.ndarray, np.ndarray]:
        """Return the fitted models of one chunk, and where there are any.

        Parameters
        ----------
        spectra : Spectra
        fit : LabelFit

        Returns
        -------
        flux : ndarray of shape (n_spectra, n_pixels)
        good : ndarray of bool of shape (n_spectra, n_pixels)
        """
        found = np.flatnonzero(np.isfinite(fit.parameters).all(axis=1))
        flux = np.zeros(spectra.shape)
        if len(found):
            objective = self.fitter.objective(spectra.filled(), spectra.ivar)
            parameters = torch.as_tensor(fit.parameters[found])
            flux[found] = objective.model(parameters, torch.as_tensor(found)).numpy()
        good = np.zeros(spectra.shape, dtype=bool)
        good[found] = self.fitter.usable.numpy()
        return flux, good

    def lack_of_fit(self, spectra: Spectra, fit: LabelFit) -> np.ndarray:
        """Return the lack of fit of one chunk in units of its errors, NaN where nothing was found.

        Parameters
        ----------
        spectra : Spectra
        fit : LabelFit

        Returns
        -------
        lack : ndarray of shape (n_spectra,)
            1 if the model is right.
        """
        lack = np.full(len(spectra), np.nan)
        found = np.flatnonzero(np.isfinite(fit.parameters).all(axis=1))
        if len(found):
            part = spectra[found]
            lack[found] = self.fitter.lack_of_fit(part.filled(), part.ivar, fit.parameters[found])
        return np.where(fit.known, lack, lack * fit.dof / fit.chi2)

    def _encoded(self, spectra: Spectra) -> np.ndarray | None:
        """Return the split latents (n_spectra, n_split) to hold, if they are to be."""
        if not self.encodes:
            return None
        latents = self.translator.encode(spectra, OBSERVED).split
        return np.clip(latents, self.low[self.split], self.high[self.split])


def axis_of(emulator: Any, shifts: tuple[str, ...]) -> np.ndarray | None:
    """Return the wavelengths in Angstrom that shifts need.

    Parameters
    ----------
    emulator : object
    shifts : tuple of str

    Returns
    -------
    wavelength : ndarray of shape (n_pixels,) or None

    Raises
    ------
    ValueError
        If there are shifts but no wavelengths.
    """
    if not shifts:
        return None
    axis = getattr(emulator, "wavelength_", None)
    if axis is None:
        raise ValueError(
            f"`nuisances` {', '.join(shifts)} must have an emulator with wavelengths; got one "
            "without; fit it on Spectra with a wavelength."
        )
    return np.asarray(axis.to_value("Angstrom"), dtype=float)


def split_distribution(translator: Any, n_split: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (n_split,) and covariance of the split latents of observed spectra.

    Parameters
    ----------
    translator : translator or None
    n_split : int
    """
    if n_split == 0:
        return np.zeros(0), np.zeros((0, 0))
    codes = np.asarray(translator.split_codes_, dtype=float)
    covariance = np.atleast_2d(np.cov(codes.T)) if len(codes) > 1 else np.eye(n_split)
    size = np.trace(covariance) / n_split or 1.0
    return codes.mean(axis=0), covariance + SPLIT_RIDGE * size * np.eye(n_split)


def continuum_terms(
    nuisances: tuple[str, ...], degree: int, emulator: Any, n_pixels: int
) -> torch.Tensor | None:
    """Return Chebyshev polynomials in wavelength, (degree + 1, n_pixels), if fitted.

    Parameters
    ----------
    nuisances : tuple of str
    degree : int
    emulator : object
        Its wavelengths are used, or pixel numbers if it has none.
    n_pixels : int
    """
    if "continuum" not in nuisances:
        return None
    axis = getattr(emulator, "wavelength_", None)
    x = np.arange(n_pixels) if axis is None else axis.value
    x = 2 * (x - x[0]) / max(x[-1] - x[0], np.finfo(float).tiny) - 1
    return _tensor(np.polynomial.chebyshev.chebvander(x, degree).T.copy())


def _insert(values: np.ndarray, position: int, added: np.ndarray) -> np.ndarray:
    return np.concatenate([values[:position], added, values[position:]])


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(np.ascontiguousarray(values, dtype=float))

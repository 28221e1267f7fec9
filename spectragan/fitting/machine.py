"""From an emulator and parameters to one object that fits spectra in chunks."""

import sys
from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property
from typing import Any

import numpy as np
import torch

from spectragan.fitting.companions import CompanionSearch
from spectragan.fitting.covariance import EVEN_STD
from spectragan.fitting.fitter import FitSettings, LabelFitter
from spectragan.fitting.found import LabelFit, join_fits
from spectragan.fitting.model import ForwardModel
from spectragan.fitting.noise import check_correlation, measure_correlation
from spectragan.fitting.parameters import (
    SHIFTS,
    check_keys,
    check_label_names,
    check_nuisances,
    parameter_bounds,
)
from spectragan.fitting.parts import (
    as_tensor,
    axis_of,
    build_model,
    fitted_continuum,
    grid_labels,
    split_distribution,
    thaw,
)
from spectragan.fitting.priors import Prior, are_per_star, common_priors, priors_of_stars
from spectragan.fitting.quality import FitSummary, neighbour_correlation
from spectragan.labels import LabelHull
from spectragan.spectra import Spectra
from spectragan.training.devices import map_rows, plain_torch
from spectragan.training.streaming import count_rows

HELD = 1e-3  # of the emulator's range: narrower bounds hold a label on purpose
MOST_MEASURED = 400  # stars whose noise is measured: correlations to a thousandth
MOST_CHECKED = 32  # stars whose residuals are looked at: enough to tell what is true of most
SPLIT_RANGE = 6.0  # standard deviations of the observed stars' split latents

# Fitters in files of earlier versions lack these.
ADDED = {"chunks": None, "noise_correlation": "auto"}


class FitterMachine:
    """Everything a fit needs, built once from fitted estimators.

    Parameters
    ----------
    emulator : object
        Fitted.
    parameters : mapping of str to object
        Those of `ParameterFitter`, checked.

    Attributes
    ----------
    model : SpectrumModel
    names : tuple of str
        Labels, split latents and nuisances, in the order of the parameters.
    shown, split : ndarray of int
        Which of them a table shows, labels and nuisances, and which are split latents.
    fitter : LabelFitter
    """

    @plain_torch()
    def __init__(self, emulator: Any, parameters: Mapping[str, Any]) -> None:
        self.emulator, self.parameters = emulator, (parameters := {**ADDED, **parameters})
        nuisances = check_nuisances(parameters["nuisances"])
        shifts = tuple(name for name in SHIFTS if name in nuisances)
        self.model = model = build_model(emulator, thaw(parameters["translator"]))
        self.labels = tuple(emulator.label_names_)
        check_label_names(self.labels, shifts)
        self.label_range = np.asarray(emulator.label_range_, dtype=float)
        n_split, n_labels = model.n_split, len(self.labels)
        self.encodes = parameters["split"] == "encode" and n_split > 0
        if self.encodes and model.encode_split is None:
            raise ValueError(
                '`split` must be "fit" where the translator gives no `encode` with its model; got '
                '"encode"; "fit" propagates its error, too.'
            )
        self.names = (*self.labels, *(f"split_{i}" for i in range(n_split)), *shifts)
        self.split = np.arange(n_labels, n_labels + n_split)
        self.shown = np.setdiff1d(np.arange(len(self.names)), self.split)
        self.units = units = getattr(emulator, "_label_units", {})
        given = parameters["bounds"], self.labels, self.label_range, shifts
        low, high = parameter_bounds(*given, units)
        mean, precision = common_priors(parameters["priors"], (*self.labels, *shifts), units)
        center, covariance = split_distribution(model)
        reach = SPLIT_RANGE * np.sqrt(np.diagonal(covariance))
        self.low = _insert(low, n_labels, center - reach)
        self.high = _insert(high, n_labels, center + reach)
        matrix = np.diag(_insert(precision, n_labels, np.zeros(n_split)))
        matrix[np.ix_(self.split, self.split)] = np.linalg.inv(covariance)
        self.prior = Prior(as_tensor(_insert(mean, n_labels, center)), as_tensor(matrix))
        training, continuum = model.training_labels, fitted_continuum(parameters, emulator, model)
        self.fitter = LabelFitter(
            ForwardModel(model, shifts, axis_of(emulator, shifts)),
            as_tensor(grid_labels(training, low[:n_labels], high[:n_labels])),
            FitSettings(
                *(as_tensor(self.low), as_tensor(self.high), self.prior),
                *(parameters["max_steps"], parameters["n_starts"]),
            ),
            model.usable if continuum is None else model.usable & continuum.numpy().any(axis=0),
            continuum,
            check_correlation(parameters["noise_correlation"]),
        )

    @property
    def wide(self) -> np.ndarray:
        """Which parameters aren't held by narrow bounds, of shape (n_parameters,)."""
        wide = self.high > self.low
        span = self.label_range[1] - self.label_range[0]
        wide[: len(self.labels)] &= (self.high - self.low)[: len(self.labels)] > HELD * span
        return wide

    def limit_errors(self, fit: LabelFit) -> None:
        """Leave no error larger than that of any value within the bounds.

        Parameters
        ----------
        fit : LabelFit
            Its covariance is changed.
        """
        std = np.sqrt(np.diagonal(fit.covariance, axis1=1, axis2=2))
        most = (self.high - self.low) * EVEN_STD
        with np.errstate(invalid="ignore", divide="ignore"):
            factor = np.where(std > most, most / std, 1.0)
        fit.covariance *= factor[:, :, None] * factor[:, None, :]

    @cached_property
    def companions(self) -> CompanionSearch | None:
        """What finds second stars, where there are wavelengths."""
        axis = getattr(self.emulator, "wavelength_", None)
        return None if axis is None else CompanionSearch(axis.to_value("Angstrom"))

    @cached_property
    def hull(self) -> LabelHull | None:
        """What holds the labels that the emulator rests on, where it tells."""
        training = self.model.training_labels
        return None if training is None else LabelHull(training)

    def priors_of_stars(
        self, own: Mapping[str, Any] | None, given: Mapping[str, Any] | None, spectra: Any
    ) -> np.ndarray | None:
        """Return the priors of each star, (n_spectra, 2, n_shown), or None if none has its own.

        Parameters
        ----------
        own, given : dict of str to (mean, standard deviation), or None
            Those of the fitter, and those that replace them.
        spectra : spectra of shape (n_spectra, n_pixels), or None
            None is a single one that isn't at hand.
        """
        priors = {**(own or {}), **check_keys(given, "priors", self._shown_names)}
        if not (given or any(map(are_per_star, priors.values()))):
            return None
        n_stars = 1 if spectra is None else count_rows(spectra)
        if np.isnan(n_stars):
            raise ValueError(
                "`X` must tell how many spectra it holds where `priors` has one for each; got a "
                "dask array of unknown length; call X.compute_chunk_sizes() first."
            )
        return priors_of_stars(priors, self._shown_names, n_stars, self.units, spectra)

    @property
    def _shown_names(self) -> list[str]:
        return [self.names[i] for i in self.shown]

    def prior_of(self, stars: np.ndarray | None) -> Prior:
        """Return the prior on all parameters, for each of some stars if they have their own.

        Parameters
        ----------
        stars : ndarray of shape (n_spectra, 2, n_shown) or None
            See `priors_of_stars`.
        """
        if stars is None:
            return self.prior
        mean, precision = (
            values.repeat(len(stars), *[1] * values.ndim)
            for values in (self.prior.mean, self.prior.precision)
        )
        shown = torch.as_tensor(self.shown)
        mean[:, shown] = as_tensor(stars[:, 0])
        precision[:, shown, shown] = as_tensor(stars[:, 1])
        return Prior(mean, precision)

    @plain_torch()
    def fit(
        self, spectra: Spectra, stars: np.ndarray | None = None, *, examine: bool = False
    ) -> LabelFit:
        """Fit one chunk of spectra.

        Parameters
        ----------
        spectra : Spectra
        stars : ndarray of shape (n_spectra, 2, n_shown), default=None
            See `priors_of_stars`.
        examine : bool, default=False
            Whether to look for other labels, and second stars, that fit as well or better.

        Returns
        -------
        fit : LabelFit
        """
        split = self._encoded(spectra)
        known, flux, prior = spectra.noise == "known", spectra.filled(), self.prior_of(stars)

        def fit(rows: slice) -> LabelFit:
            part = None if split is None else split[rows]
            some = flux[rows], spectra.ivar[rows]
            fit = self.fitter.fit(*some, known[rows], part, prior.of(rows), examine=examine)
            if examine and self.companions is not None and self.companions.possible:
                self.fitter.find_companions(*some, fit, self.companions)
            return fit

        return join_fits(map_rows(fit, len(spectra)))

    def summarize(self, spectra: Spectra, fit: LabelFit, *, look: bool) -> FitSummary:
        """Return what says whether the fits of one chunk can be right.

        Parameters
        ----------
        spectra : Spectra
        fit : LabelFit
        look : bool
            Whether to look at the residuals of some stars, which takes a while.

        Returns
        -------
        summary : FitSummary
        """
        seen = self._residuals(spectra, fit) if look else (np.zeros(0), np.zeros(0))
        bound = fit.at_bound[:, : len(self.labels)]
        return FitSummary(bound, fit.chi2, fit.dof, fit.known, fit.spread, *seen)

    def with_noise_of(self, spectra: Spectra) -> "FitterMachine":
        """Return this machine, or one that knows how the noise of pixels is correlated.

        Parameters
        ----------
        spectra : Spectra
            Their fits tell, if that is left to them.

        Returns
        -------
        machine : FitterMachine
        """
        given = self.parameters["noise_correlation"]
        found = self._correlation(spectra) if isinstance(given, str) else np.zeros(0)
        if not len(found):
            return self
        return FitterMachine(self.emulator, {**self.parameters, "noise_correlation": found})

    @plain_torch()
    def _correlation(self, spectra: Spectra) -> np.ndarray:
        """Return correlations of the noise of pixels 1, 2, ... apart, from residuals."""
        some = spectra[:: max(1, -(-len(spectra) // MOST_MEASURED))]
        fit = self.fit(some)
        found = np.flatnonzero(np.isfinite(fit.parameters).all(axis=1))
        if not len(found):
            return np.zeros(0)
        residual, good, _ = self._left_over(some, fit, found)
        n_fitted = good.sum(axis=1) - fit.dof[found]
        return measure_correlation(residual, good, float(n_fitted.mean()))

    def _left_over(
        self, spectra: Spectra, fit: LabelFit, some: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return residuals of some stars in units of errors, where they are good, and models."""
        part = spectra[some]
        few = LabelFit(**{f.name: getattr(fit, f.name)[some] for f in fields(LabelFit)})
        flux, good = self.models(part, few)
        return (part.filled() - flux) * np.sqrt(part.ivar), good & (part.ivar > 0), flux

    def _residuals(self, spectra: Spectra, fit: LabelFit) -> tuple[np.ndarray, np.ndarray]:
        """Return correlations of residuals, and flux over that of the model, of a few stars."""
        found = np.flatnonzero(np.isfinite(fit.parameters).all(axis=1))
        some = found[:: max(1, -(-len(found) // MOST_CHECKED))]
        if not len(some):
            return np.zeros(0), np.zeros(0)
        residual, good, flux = self._left_over(spectra, fit, some)
        level = [
            np.median(y[use]) / (np.median(m[use]) or 1.0) if use.any() else 1.0
            for y, m, use in zip(spectra[some].filled(), flux, good, strict=True)
        ]
        # A continuum that is fitted takes up any scale.
        scale = np.ones(len(some)) if self.fitter.n_terms else np.array(level)
        if len(self.fitter.correlation):  # errors know of it
            return np.zeros(len(some)), scale
        return neighbour_correlation(residual, good), scale

    @plain_torch()
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
        good[found] = self.fitter.described(spectra.ivar[found])
        return flux, good

    @plain_torch()
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
        assert self.model.encode_split is not None
        latents = self.model.encode_split(spectra)
        return np.clip(latents, self.low[self.split], self.high[self.split])


def _insert(values: np.ndarray, position: int, added: np.ndarray) -> np.ndarray:
    return np.concatenate([values[:position], added, values[position:]])


def state_of_parts(parameters: dict[str, Any]) -> tuple[str, list[Any]]:
    """Return what changes when a parameter of a fitter does, or a part of it is fitted again.

    Parameters
    ----------
    parameters : dict of str to object
        Of the fitter.

    Returns
    -------
    words : str
        The parameters that are plain values.
    parts : list of object
        Emulator, translator, and what they learned.
    """
    plain = dict(parameters)
    parts = [thaw(plain.pop(name)) for name in ("emulator", "translator")]
    learned = [getattr(part, "__dict__", {}) for part in parts]
    fitted = [values[name] for values in learned for name in values if name.endswith("_")]
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):  # all values of arrays
        return repr(sorted(plain.items())), [*parts, *fitted]

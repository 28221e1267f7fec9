"""From an emulator and parameters to one object that fits spectra in chunks."""

import sys
from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property
from typing import Any

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator

from spectragan.emulator.model import SpectrumModel, spectrum_model
from spectragan.fitting.companions import CompanionSearch
from spectragan.fitting.covariance import EVEN_STD
from spectragan.fitting.fitter import FitSettings, LabelFitter
from spectragan.fitting.found import LabelFit, join_fits
from spectragan.fitting.model import ForwardModel
from spectragan.fitting.parameters import (
    SHIFTS,
    check_keys,
    check_label_names,
    check_nuisances,
    parameter_bounds,
)
from spectragan.fitting.priors import Prior, are_per_star, common_priors, priors_of_stars
from spectragan.fitting.quality import FitSummary, neighbour_correlation
from spectragan.labels import LabelHull
from spectragan.spectra import Spectra
from spectragan.spectra.ranges import chunk_slices
from spectragan.spectra.steps.continuum import chebyshev_basis
from spectragan.training.devices import map_rows, plain_torch
from spectragan.training.streaming import count_rows

MOST_GRID_LABELS = 3000  # models that blind starts are chosen from
FEWEST_GRID_LABELS = 300  # within the bounds; else the grid is drawn evenly


def thaw(estimator: Any) -> Any:
    """Return what a `sklearn.frozen.FrozenEstimator` holds, or the estimator itself.

    Parameters
    ----------
    estimator : object

    Returns
    -------
    estimator : object
    """
    return estimator.estimator if isinstance(estimator, FrozenEstimator) else estimator


def members_of(translator: Any) -> list[Any]:
    """Return the members of an ensemble of translators; none of anything else.

    Parameters
    ----------
    translator : translator or None

    Returns
    -------
    members : list of translators
    """
    return getattr(thaw(translator), "members_", [])


def build_model(emulator: Any, translator: Any) -> SpectrumModel:
    """Return the model of observed spectra.

    Parameters
    ----------
    emulator : SpectrumEmulator or object with `predict` and `jacobian`
        Fitted.
    translator : translator or None
        Fitted, on the same grid; has a method ``compose(emulator)``.

    Returns
    -------
    model : SpectrumModel

    Raises
    ------
    TypeError
        If the translator has no such method, or it returns no model.
    ValueError
        If the shapes of the model don't agree.
    """
    if translator is None:
        return spectrum_model(emulator)
    if not hasattr(translator, "compose"):
        raise TypeError(
            "`translator` must have a method `compose(emulator)`, as all of spectragan have; got "
            f"{type(translator).__name__}; it may return emulator.as_model().mapped(function)."
        )
    model = translator.compose(emulator)
    _check_model(model, emulator, type(translator).__name__)
    return model


def _check_model(model: Any, emulator: Any, name: str) -> None:
    """Raise unless a model that a translator has made can be fitted."""
    if not hasattr(model, "with_jacobian"):
        raise TypeError(
            f"`compose` of {name} must return a model with a method `with_jacobian`; got "
            f"{type(model).__name__}; start with emulator.as_model()."
        )
    labels = np.asarray(emulator.label_range_, dtype=float).mean(axis=0)
    split = np.zeros(0) if model.split_codes is None else np.mean(model.split_codes, axis=0)
    values, slopes = model.with_jacobian(torch.as_tensor(np.hstack([labels, split])[None]))
    n_pixels, basis = len(model.usable), model.basis
    shapes = tuple(values.shape), tuple(slopes.shape), None if basis is None else tuple(basis.shape)
    n_values = n_pixels if basis is None else len(basis)
    wanted = (1, n_values), (1, len(labels) + len(split), n_values)
    if shapes != (*wanted, None if basis is None else (n_values, n_pixels)):
        raise ValueError(
            f"`compose` of {name} must return a model of {n_pixels} pixels; got coefficients, "
            f"derivatives and basis of the shapes {shapes}; its function must return a row of all "
            "pixels, or of coefficients of `basis`, for every row."
        )


def grid_labels(training: np.ndarray | None, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return labels all over the range that was trained on, within bounds.

    Parameters
    ----------
    training : ndarray of shape (n_spectra, n_labels) or None
        Labels of the training; points between two of them are in their hull, too.
    low, high : ndarrays of shape (n_labels,)

    Returns
    -------
    labels : ndarray of shape (n_grid, n_labels)

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.fitting.machine import grid_labels
    >>> grid_labels(None, np.array([0.0]), np.array([1.0])).shape
    (3000, 1)
    """
    rng = np.random.default_rng(0)
    even = low + (high - low) * rng.random((MOST_GRID_LABELS, len(low)))
    if training is None:
        return even
    few = training[rng.permutation(len(training))[: MOST_GRID_LABELS // 2]]
    pairs = rng.integers(len(training), size=(2, MOST_GRID_LABELS - len(few)))
    share = rng.random((pairs.shape[1], 1))
    between = share * training[pairs[0]] + (1 - share) * training[pairs[1]]
    labels = np.vstack([few, between])
    labels = labels[((labels >= low) & (labels <= high)).all(1)]
    return labels if len(labels) >= FEWEST_GRID_LABELS else even


HELD = 1e-3  # of the emulator's range: narrower bounds hold a label on purpose
MOST_CHECKED = 32  # stars whose residuals are looked at: enough to tell what is true of most
SPLIT_RANGE = 6.0  # standard deviations of the observed stars' split latents
SPLIT_RIDGE = 1e-6  # of their mean variance: codes may be collinear


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
        nuisances = check_nuisances(parameters["nuisances"])
        shifts = tuple(name for name in SHIFTS if name in nuisances)
        self.model = model = build_model(emulator, thaw(parameters["translator"]))
        self.axis = getattr(emulator, "wavelength_", None)
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
        self.prior = Prior(_tensor(_insert(mean, n_labels, center)), _tensor(matrix))
        training, continuum = model.training_labels, fitted_continuum(parameters, emulator, model)
        self.fitter = LabelFitter(
            ForwardModel(model, shifts, axis_of(emulator, shifts)),
            _tensor(grid_labels(training, low[:n_labels], high[:n_labels])),
            FitSettings(
                *(_tensor(self.low), _tensor(self.high), self.prior),
                *(parameters["max_steps"], parameters["n_starts"]),
            ),
            model.usable if continuum is None else model.usable & continuum.numpy().any(axis=0),
            continuum,
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
        return None if self.axis is None else CompanionSearch(self.axis.to_value("Angstrom"))

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
        mean[:, shown] = _tensor(stars[:, 0])
        precision[:, shown, shown] = _tensor(stars[:, 1])
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
        return FitSummary(bound, fit.chi2, fit.dof, fit.known, *seen)

    def _residuals(self, spectra: Spectra, fit: LabelFit) -> tuple[np.ndarray, np.ndarray]:
        """Return correlations of residuals, and flux over that of the model, of a few stars."""
        found = np.flatnonzero(np.isfinite(fit.parameters).all(axis=1))
        some = found[:: max(1, -(-len(found) // MOST_CHECKED))]
        if not len(some):
            return np.zeros(0), np.zeros(0)
        part = spectra[some]
        few = LabelFit(**{f.name: getattr(fit, f.name)[some] for f in fields(LabelFit)})
        flux, good = self.models(part, few)
        good = good & (part.ivar > 0)
        residual = (part.filled() - flux) * np.sqrt(part.ivar)
        level = [
            np.median(y[use]) / (np.median(m[use]) or 1.0) if use.any() else 1.0
            for y, m, use in zip(part.filled(), flux, good, strict=True)
        ]
        # A continuum that is fitted takes up any scale.
        scale = np.ones(len(some)) if self.fitter.n_terms else np.array(level)
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


def split_distribution(model: SpectrumModel) -> tuple[np.ndarray, np.ndarray]:
    """Return mean (n_split,) and covariance of the split latents of observed spectra.

    Parameters
    ----------
    model : SpectrumModel
    """
    n_split = model.n_split
    if n_split == 0:
        return np.zeros(0), np.zeros((0, 0))
    codes = np.asarray(model.split_codes, dtype=float)
    covariance = np.atleast_2d(np.cov(codes.T)) if len(codes) > 1 else np.eye(n_split)
    size = np.trace(covariance) / n_split or 1.0
    return codes.mean(axis=0), covariance + SPLIT_RIDGE * size * np.eye(n_split)


def fitted_continuum(
    parameters: Mapping[str, Any], emulator: Any, model: SpectrumModel
) -> torch.Tensor | None:
    """Return Chebyshev polynomials in wavelength, a set for each chunk, if a continuum is fitted.

    Parameters
    ----------
    parameters : mapping of str to object
        Those of `ParameterFitter`, checked.
    emulator : object
        Its wavelengths are used, or pixel numbers if it has none.
    model : SpectrumModel

    Returns
    -------
    terms : tensor of shape (n_chunks * (degree + 1), n_pixels), or None
        0 outside of the term's chunk.

    Raises
    ------
    ValueError
        If there are chunks, but no continuum, or chunks overlap or can't be read.
    """
    chunks, degree, n_pixels = (
        parameters["chunks"],
        parameters["continuum_degree"],
        len(model.usable),
    )
    if "continuum" not in parameters["nuisances"]:
        if chunks is None:
            return None
        raise ValueError(
            '`chunks` must go with "continuum" in `nuisances`; got chunks without a continuum; add '
            "it, or leave them out."
        )
    axis = getattr(emulator, "wavelength_", None)
    pixels = np.arange(n_pixels) if axis is None else axis.value
    slices = chunk_slices(chunks, axis, n_pixels)
    terms = np.zeros((len(slices), degree + 1, n_pixels))
    for rows, chunk in zip(terms, slices, strict=True):
        rows[:, chunk] = chebyshev_basis(pixels[chunk], degree).T
    return _tensor(terms.reshape(-1, n_pixels))


def _insert(values: np.ndarray, position: int, added: np.ndarray) -> np.ndarray:
    return np.concatenate([values[:position], added, values[position:]])


def _tensor(values: np.ndarray) -> torch.Tensor:
    return torch.as_tensor(np.ascontiguousarray(values, dtype=float))


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

"""From an emulator and parameters to one object that fits spectra in chunks."""

from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator

from spectragan.emulator.estimator import SpectrumEmulator
from spectragan.fitting.fitter import FitSettings, LabelFit, LabelFitter, join_fits
from spectragan.fitting.model import (
    EmulatorModel,
    ForwardModel,
    FunctionModel,
    SpectrumModel,
    TranslatedModel,
)
from spectragan.fitting.objective import Prior
from spectragan.fitting.parameters import (
    SHIFTS,
    check_label_names,
    check_nuisances,
    parameter_bounds,
    parameter_priors,
)
from spectragan.labels import LabelHull
from spectragan.spectra import Spectra
from spectragan.training.devices import map_rows
from spectragan.translator.base import OBSERVED, SYNTHETIC
from spectragan.translator.baselines import _AffineTranslator
from spectragan.translator.estimator import CycleGANTranslator
from spectragan.translator.networks.pixels import SubspacePixels
from spectragan.translator.observed import ObservedEmulator
from spectragan.translator.subspace import Subspace

MOST_GRID_LABELS = 3000  # models that blind starts are chosen from
FEWEST_GRID_LABELS = 300  # within the bounds; else the grid is drawn evenly


class ModelParts(NamedTuple):
    """A model of spectra, and what is known of its parameters.

    Attributes
    ----------
    model : SpectrumModel
    usable : ndarray of bool of shape (n_pixels,)
        Pixels that the model describes.
    training_labels : ndarray of shape (n_spectra, n_labels) or None
    """

    model: SpectrumModel
    usable: np.ndarray
    training_labels: np.ndarray | None


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


def build_model(emulator: Any, translator: Any) -> ModelParts:
    """Return the model of observed spectra.

    Parameters
    ----------
    emulator : SpectrumEmulator or object with `predict` and `jacobian`
        Fitted.
    translator : translator or None
        Fitted, on the same grid.

    Returns
    -------
    parts : ModelParts
    """
    if isinstance(emulator, ObservedEmulator) and not emulator.translator.n_split_:
        emulator, translator = emulator.emulator, emulator.translator
    if not isinstance(emulator, SpectrumEmulator):
        return _function_parts(emulator, translator)
    module = emulator.net_.module_
    labels = module.label_mean + module.label_scale * module.kernel.centers
    components = module.components.numpy()
    usable = np.isfinite(components[0])
    rows = np.vstack([bridge(components, usable), np.zeros((1, components.shape[1]))])
    if translator is None:
        model: SpectrumModel = EmulatorModel(module, torch.as_tensor(rows))
        return ModelParts(model, usable, labels.numpy())
    everywhere = np.ones_like(usable)
    if isinstance(translator, _AffineTranslator):
        basis = _mapped(
            rows, lambda x: translator._translate(_filled(translator, x, usable), SYNTHETIC)
        )
        return ModelParts(EmulatorModel(module, basis), everywhere, labels.numpy())
    if not isinstance(translator, CycleGANTranslator):
        return _function_parts(emulator, translator)
    return ModelParts(_translated(module, rows, usable, translator), everywhere, labels.numpy())


def _function_parts(emulator: Any, translator: Any) -> ModelParts:
    """Return the model of any emulator, and any translator, with a method `jacobian`."""
    if translator is not None:
        emulator = ObservedEmulator(emulator, translator)
    middle = np.asarray(emulator.label_range_, dtype=float).mean(axis=0)[None]
    usable = np.isfinite(np.asarray(emulator.predict(middle), dtype=float)).ravel()
    return ModelParts(FunctionModel(emulator, middle.shape[1]), usable, None)


def _mapped(rows: np.ndarray, function: Any) -> torch.Tensor:
    """Return the rows under an affine map: differences to the image of 0, which comes last."""
    zero = function(np.zeros((1, rows.shape[1])))
    mapped = function(rows) - zero
    mapped[-1] = zero[0]
    return torch.as_tensor(mapped)


def _translated(
    module: Any, rows: np.ndarray, usable: np.ndarray, translator: CycleGANTranslator
) -> TranslatedModel:
    network = translator.network_
    if isinstance(network, SubspacePixels):
        entrance = _mapped(rows, lambda x: _coefficients(translator.subspace_, x, usable))

        def translate(x: torch.Tensor, split: torch.Tensor) -> torch.Tensor:
            shared, _ = network.network.encode(x, SYNTHETIC)
            return network.coefficients(shared, split, OBSERVED)

        return TranslatedModel(
            module,
            entrance / network.scale,
            translate,
            basis=network.basis(OBSERVED),
            n_split=translator.n_split_,
        )
    fill = translator.subspace_.means[SYNTHETIC] * ~usable
    rows = np.vstack([rows[:-1], fill])

    def translate_pixels(x: torch.Tensor, split: torch.Tensor) -> torch.Tensor:
        shared, _ = network.encode(x, SYNTHETIC)
        return network.decode(shared, translator._shape(split, 1), OBSERVED)

    return TranslatedModel(
        module, torch.as_tensor(rows), translate_pixels, basis=None, n_split=translator.n_split_
    )


def bridge(rows: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return rows (n, n_pixels) with straight lines across pixels that aren't usable."""
    if usable.all() or not usable.any():
        return np.where(usable, rows, 0.0)
    pixels = np.arange(len(usable))
    return np.array([np.interp(pixels, pixels[usable], row[usable]) for row in rows])


def _filled(translator: Any, rows: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return synthetic spectra as translators complete them."""
    if usable.all():
        return rows
    coefficients = _coefficients(translator.subspace_, rows, usable)
    return translator.subspace_.reconstruct(coefficients, SYNTHETIC)


def _coefficients(subspace: Subspace, rows: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return coefficients of synthetic spectra that have flux in some pixels only."""
    if usable.all():
        return (rows - subspace.means[SYNTHETIC]) @ subspace.components.T
    weights = np.broadcast_to(usable.astype(float), rows.shape)
    return subspace.project(rows, weights, SYNTHETIC)[0]


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

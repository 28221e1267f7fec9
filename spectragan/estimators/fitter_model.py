"""From fitted estimators to a model that can be fitted to spectra."""

from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator

from spectragan.estimators.base import OBSERVED, SYNTHETIC
from spectragan.estimators.baselines import _AffineTranslator
from spectragan.estimators.emulator import SpectrumEmulator
from spectragan.estimators.observed import ObservedEmulator
from spectragan.estimators.translator import CycleGANTranslator
from spectragan.networks.pixels import SubspacePixels
from spectragan.training.spectrum_model import (
    EmulatorModel,
    FunctionModel,
    SpectrumModel,
    TranslatedModel,
)
from spectragan.training.subspace import Subspace

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
    >>> from spectragan.estimators.fitter_model import grid_labels
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

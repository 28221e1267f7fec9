"""What a fit is put together from: the model of spectra, and what goes with it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from sklearn.frozen import FrozenEstimator

from spectragan.emulator.model import SpectrumModel, spectrum_model
from spectragan.spectra.ranges import chunk_slices
from spectragan.spectra.steps.continuum import chebyshev_basis

MOST_GRID_LABELS = 3000  # models that blind starts are chosen from
FEWEST_GRID_LABELS = 300  # within the bounds; else the grid is drawn evenly
SPLIT_RIDGE = 1e-6  # of their mean variance: codes may be collinear


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
    >>> from spectragan.fitting.parts import grid_labels
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
    return as_tensor(terms.reshape(-1, n_pixels))


def as_tensor(values: np.ndarray) -> torch.Tensor:
    """Return an array as a tensor in double precision, its own."""
    return torch.as_tensor(np.ascontiguousarray(values, dtype=float))

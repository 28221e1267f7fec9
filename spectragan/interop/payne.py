"""Networks of The Payne, from the files that were published."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import astropy.units as u
import numpy as np
from scipy.special import expit

from spectragan.exceptions import ModelFileError
from spectragan.interop.emulators import CallableEmulator

LEAK = 0.01  # slope of the newer networks' activation below 0
LAYERS = ("w_array_0", "w_array_1", "w_array_2", "b_array_0", "b_array_1", "b_array_2")
ARRAYS = (*LAYERS, "x_min", "x_max")
ACTIVATIONS = ("leaky_relu", "sigmoid")
WAVELENGTHS = ("wavelength", "wavelength_payne")  # in files that hold their grid, in Angstrom


class PayneNetwork:
    r"""The Payne's network: labels to normalised flux, through two hidden layers.

    Parameters
    ----------
    arrays : dict of str to ndarray
        ``w_array_0``, ``w_array_1``, ``w_array_2``, ``b_array_0``, ``b_array_1``, ``b_array_2``,
        ``x_min`` and ``x_max``.
    activation : {"leaky_relu", "sigmoid"}, default=None
        None takes what the layout of the arrays says.

    Raises
    ------
    ValueError
        If an array is missing, isn't finite, or doesn't fit the others.

    See Also
    --------
    read_payne : The network of a file, as an emulator.

    Notes
    -----
    Labels are scaled, :math:`x = (\ell - \ell_{\min}) / (\ell_{\max} - \ell_{\min}) - 1/2`. In the
    newer layout all pixels share two layers with leaky rectifiers of slope 0.01. In the older one
    each pixel has a network of its own with sigmoids [1]_: ``w_array_0`` is then of shape
    (n_pixels, n_neurons, n_labels).

    References
    ----------
    .. [1] Ting, Y.-S. et al. 2019, ApJ, 879, 69 (The Payne).

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.interop import PayneNetwork
    >>> rng = np.random.default_rng(0)
    >>> shapes = {"w_array_0": (8, 2), "w_array_1": (8, 8), "w_array_2": (50, 8)}
    >>> arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    >>> arrays |= {"b_array_0": np.zeros(8), "b_array_1": np.zeros(8), "b_array_2": np.ones(50)}
    >>> arrays |= {"x_min": np.array([4000.0, 1.0]), "x_max": np.array([7000.0, 5.0])}
    >>> PayneNetwork(arrays).flux(np.array([[5772.0, 4.44]])).shape
    (1, 50)
    """

    def __init__(self, arrays: dict[str, Any], activation: str | None = None) -> None:
        self.arrays = _check_arrays(arrays)
        self.per_pixel = self.arrays["w_array_0"].ndim == 3
        self.activation = activation or ("sigmoid" if self.per_pixel else "leaky_relu")
        if self.activation not in ACTIVATIONS:
            raise ValueError(
                f"`activation` must be one of {ACTIVATIONS} or None; got {activation!r}; None "
                "takes that of the layout."
            )
        self.label_range = np.array([self.arrays["x_min"], self.arrays["x_max"]])

    def flux(self, labels: np.ndarray) -> np.ndarray:
        """Return the spectra of labels.

        Parameters
        ----------
        labels : ndarray of shape (n_stars, n_labels)
            In their own units, not scaled.

        Returns
        -------
        flux : ndarray of shape (n_stars, n_pixels)
            Continuum-normalised.
        """
        return self._run(labels, slopes=False)

    def jacobian(self, labels: np.ndarray) -> np.ndarray:
        """Return the exact derivatives of the spectra.

        Parameters
        ----------
        labels : ndarray of shape (n_stars, n_labels)
            In their own units, not scaled.

        Returns
        -------
        jacobian : ndarray of shape (n_stars, n_pixels, n_labels)
            Flux per unit of each label.
        """
        return self._run(labels, slopes=True)

    def _run(self, labels: np.ndarray, *, slopes: bool) -> np.ndarray:
        low, high = self.label_range
        scaled = (np.asarray(labels, dtype=float) - low) / (high - low) - 0.5
        run = self._pixel_networks if self.per_pixel else self._shared_network
        # A star at a time: each pixel's own network takes much memory.
        result = np.stack([run(row, slopes) for row in scaled])
        return result / (high - low) if slopes else result

    def _shared_network(self, scaled: np.ndarray, slopes: bool) -> np.ndarray:
        w0, w1, w2, b0, b1, b2 = (self.arrays[name] for name in LAYERS)
        first, first_slope = self._activate(w0 @ scaled + b0)
        second, second_slope = self._activate(w1 @ first + b1)
        if not slopes:
            return w2 @ second + b2
        return w2 @ (second_slope[:, None] * (w1 @ (first_slope[:, None] * w0)))

    def _pixel_networks(self, scaled: np.ndarray, slopes: bool) -> np.ndarray:
        w0, w1, w2, b0, b1, b2 = (self.arrays[name] for name in LAYERS)
        first, first_slope = self._activate(w0 @ scaled + b0)
        second, second_slope = self._activate((w1 * first).sum(axis=1) + b1)
        if not slopes:
            return w2 * second + b2
        return (w2 * second_slope)[:, None] * np.einsum("ph,phl->pl", w1 * first_slope, w0)

    def _activate(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what neurons give, and its derivative."""
        if self.activation == "sigmoid":
            active = expit(values)
            return active, active * (1 - active)
        slope = np.where(values > 0, 1.0, LEAK)
        return values * slope, slope


def _check_arrays(arrays: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the arrays of a network in double precision, or raise one sentence."""
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise ValueError(
            f"a network of The Payne must have the arrays {', '.join(ARRAYS)}; got "
            f"{', '.join(sorted(arrays)) or 'none'}, without {', '.join(missing)}; give the file "
            "of a trained network."
        )
    values = {name: np.array(arrays[name], dtype=float) for name in ARRAYS}
    for name in ("b_array_2", "x_min", "x_max"):
        values[name] = values[name].reshape(-1)
    if values["w_array_0"].ndim == 3:
        values["w_array_2"] = values["w_array_2"].reshape(-1)
    found = {name: value.shape for name, value in values.items()}
    if found != _expected_shapes(values):
        raise ValueError(
            "arrays of The Payne's network must fit each other; got "
            f"{', '.join(f'{name} {shape}' for name, shape in found.items())}; give the arrays of "
            "one network, of the layout with two hidden layers."
        )
    bad = [name for name, value in values.items() if not np.isfinite(value).all()]
    if bad or not (values["x_min"] < values["x_max"]).all():
        raise ValueError(
            "arrays of The Payne's network must be finite, and x_min below x_max; got "
            f"{'values that are not in ' + ', '.join(bad) if bad else 'labels without a range'}; "
            "read the file again."
        )
    return values


def _expected_shapes(values: dict[str, np.ndarray]) -> dict[str, tuple[int, ...]] | None:
    """Return the shapes that go with those of the first and the last layer."""
    first, n_pixels = values["w_array_0"].shape, values["b_array_2"].size
    if len(first) == 3:
        shapes = [first, (n_pixels, first[1]), (n_pixels,), (n_pixels, first[1]), (n_pixels,)]
        shapes[0] = (n_pixels, *first[1:])
    elif len(first) == 2:
        second = values["b_array_1"].size
        shapes = [first, (second, first[0]), (n_pixels, second), (first[0],), (second,)]
    else:
        return None
    return dict(zip(ARRAYS, [*shapes, (n_pixels,), first[-1:], first[-1:]], strict=True))


def read_payne(
    path: str | os.PathLike,
    label_names: Sequence[str],
    wavelength: u.Quantity | None = None,
    *,
    activation: str | None = None,
    label_units: dict[str, Any] | None = None,
    medium: str | None = "vacuum",
    label_sample: Any = None,
) -> CallableEmulator:
    """Read a network of The Payne, as an emulator with exact derivatives.

    Parameters
    ----------
    path : path-like
        A ``.npz`` file, such as ``NN_normalized_spectra.npz``. Nothing in it is ever executed.
    label_names : sequence of n_labels str
        What the network's labels are, in their order: the file doesn't say. Those of the published
        network for APOGEE begin with ``teff`` **in units of 1000 K** (see `label_units`), ``logg``.
    wavelength : Quantity of shape (n_pixels,), default=None
        None takes that of the file, or none if it holds none.
    activation : {"leaky_relu", "sigmoid"}, default=None
        None takes leaky rectifiers for the newer layout, and sigmoids for the older one with a
        network per pixel. Some files of the newer layout were trained with sigmoids: say so.
    label_units : dict of str to astropy unit, default=None
        Of those labels that have one, such as ``{"teff": "1000 K"}``.
    medium : {"air", "vacuum"} or None, default="vacuum"
        What the wavelengths were measured in.
    label_sample : array-like of shape (n_sample, n_labels), default=None
        As `CallableEmulator` takes it.

    Returns
    -------
    emulator : CallableEmulator
        Its range of labels is that of the network's training.

    Raises
    ------
    OSError
        If the file can't be read.
    ModelFileError
        If it isn't such a network.
    ValueError
        If names or wavelengths don't fit it.

    See Also
    --------
    CallableEmulator : Other functions of labels.

    References
    ----------
    .. [1] Ting, Y.-S. et al. 2019, ApJ, 879, 69 (The Payne).

    Examples
    --------
    A network of one neuron a layer, written as the published ones are:

    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from spectragan.interop import read_payne
    >>> one = {"w_array_0": [[1.0]], "w_array_1": [[1.0]], "w_array_2": [[-0.1], [0.0]]}
    >>> one |= {"b_array_0": [1.0], "b_array_1": [0.0], "b_array_2": [1.0, 1.0]}
    >>> with TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/network.npz", **one, x_min=[-2.0], x_max=[0.0])
    ...     emulator = read_payne(f"{folder}/network.npz", ["feh"])
    >>> emulator.predict([[-1.0]])
    array([[0.9, 1. ]])
    """
    arrays = _load(Path(path))
    try:
        network = PayneNetwork(arrays, activation)
    except ValueError as error:
        if activation is not None and activation not in ACTIVATIONS:
            raise
        raise ModelFileError(f"{os.fspath(path)}: {error}") from error
    if wavelength is None:
        grids = [arrays[name] for name in WAVELENGTHS if name in arrays]
        wavelength = grids[0] * u.AA if grids else None
    return CallableEmulator(
        network.flux,
        label_names,
        network.label_range,
        wavelength,
        network.jacobian,
        label_units=label_units,
        medium=None if wavelength is None else medium,
        label_sample=label_sample,
    )


def _load(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a file, without ever unpickling an object."""
    try:
        archive = np.load(path, allow_pickle=False)
        if not hasattr(archive, "files"):
            raise ValueError("a single array")
        with archive:
            return {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, BadZipFile) as error:
        raise ModelFileError(
            f"{path} must be a .npz file of plain arrays, a network of The Payne; got {error}; "
            "give the published file."
        ) from error

"""Spectra as functions of labels with exact derivatives, as a fit needs them: in few numbers."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from spectragan.emulator.network import EmulatorNetwork
from spectragan.training.inference import push_forward

AFFINE = 1e-5  # of the largest value: what rounding may add to an affine map

ArrayMap = Callable[[np.ndarray], np.ndarray]
Network = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class SpectrumModel(ABC):
    """A spectrum as a function of labels and, maybe, split latents: what `ParameterFitter` fits.

    Attributes
    ----------
    n_labels, n_split : int
        Parameters of a spectrum: its labels, then its split latents.
    basis : tensor of shape (n_coefficients, n_pixels) or None
        A spectrum is ``coefficients @ basis``; None where coefficients are flux already.
    usable : ndarray of bool of shape (n_pixels,)
        Pixels that the model describes.
    training_labels : ndarray of shape (n_spectra, n_labels) or None
        Labels that the emulator rests on, where it tells.
    split_codes : ndarray of shape (n_codes, n_split) or None
        Split latents of observed spectra, which tell what values they have. None without any.
    encode_split : callable or None
        Returns the split latents (n_spectra, n_split) of observed `Spectra`.
    """

    n_labels: int
    usable: np.ndarray
    n_split = 0
    basis: torch.Tensor | None = None
    training_labels: np.ndarray | None = None
    split_codes: np.ndarray | None = None
    encode_split: Callable[[Any], np.ndarray] | None = None

    @abstractmethod
    def with_jacobian(self, parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return coefficients and their exact derivatives.

        Parameters
        ----------
        parameters : tensor of shape (n_rows, n_labels + n_split)

        Returns
        -------
        coefficients : tensor of shape (n_rows, n_coefficients)
        derivatives : tensor of shape (n_rows, n_labels + n_split, n_coefficients)
        """


class EmulatorModel(SpectrumModel):
    """An emulator, or an emulator behind an affine map of spectra.

    Parameters
    ----------
    module : EmulatorNetwork
        In double precision.
    basis : tensor of shape (1 + n_coefficients, n_pixels)
        The components, mapped, and the spectrum that 0 is mapped to.
    usable : ndarray of bool of shape (n_pixels,)
        Pixels that the model describes.

    Attributes
    ----------
    n_labels, n_split : int
        Parameters of a spectrum; there are no split latents.
    training_labels : ndarray of shape (n_spectra, n_labels)
        Labels that the emulator rests on.

    Examples
    --------
    A translator that makes all lines a third deeper:

    >>> from spectragan import SpectrumEmulator
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(60, 60, n_pixels=50, random_state=0)
    >>> emulator = SpectrumEmulator(verbose=0).fit(mock.labels_synthetic, mock.synthetic)
    >>> model = emulator.as_model().mapped(lambda flux: 1 + (flux - 1) * 4 / 3)
    >>> model.basis.shape[1]
    50
    """

    def __init__(self, module: EmulatorNetwork, basis: torch.Tensor, usable: np.ndarray) -> None:
        self.module, self.usable = module, usable
        self.basis = self.rows = basis
        self.n_labels = len(module.label_mean)
        labels = module.label_mean + module.label_scale * module.kernel.centers
        self.training_labels = labels.numpy()

    @classmethod
    def of(cls, module: EmulatorNetwork) -> "EmulatorModel":
        """Return the model of a trained network; pixels without flux are bridged by lines.

        Parameters
        ----------
        module : EmulatorNetwork
            In double precision.

        Returns
        -------
        model : EmulatorModel
        """
        components = module.components.numpy()
        usable = np.isfinite(components[0])
        rows = np.vstack([bridge(components, usable), np.zeros((1, components.shape[1]))])
        return cls(module, torch.as_tensor(rows), usable)

    def with_jacobian(self, parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return coefficients and derivatives, see `SpectrumModel`."""
        values, slopes = self.module.coefficients_and_jacobian(parameters)
        values = torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
        return values, torch.cat([slopes, torch.zeros_like(slopes[:, :, :1])], dim=2)

    def mapped(self, function: ArrayMap, usable: np.ndarray | None = None) -> "EmulatorModel":
        """Return the model behind an affine map of spectra, such as a linear translation.

        Parameters
        ----------
        function : callable
            Maps spectra (n_rows, n_pixels), in double precision, to as many rows.
        usable : ndarray of bool of shape (n_pixels,), default=None
            Pixels that have flux afterwards; None leaves them as they are.

        Returns
        -------
        model : EmulatorModel
            As fast as the emulator alone.

        Raises
        ------
        ValueError
            If the map isn't affine: no constant plus a linear map.
        """
        rows = self.rows.numpy()
        # On the scale of flux: beside a constant of 1e17, components of size 1 would be rounding.
        size = float(np.abs(rows[0]).max()) or 1.0
        peaks = np.abs(rows).max(axis=1, keepdims=True)
        ratios = np.where(peaks > 0, size / np.where(peaks > 0, peaks, 1.0), 1.0)
        scales = 2.0 ** np.round(np.log2(ratios))  # powers of two cost no digit
        zero = np.asarray(function(np.zeros((1, rows.shape[1]))), dtype=float)
        mapped = (np.asarray(function(scales * rows), dtype=float) - zero) / scales
        mapped[-1] = np.asarray(function(rows[-1:]), dtype=float)[0]
        probe = (scales * rows)[:-1].sum(axis=0, keepdims=True)
        for sign in (1.0, -1.0):
            straight = sign * (scales * mapped)[:-1].sum(axis=0) + zero[0]
            found = np.asarray(function(sign * probe))[0]
            error = float(np.abs(found - straight).max())
            if not error <= AFFINE * max(float(np.abs(straight).max()), size):
                raise ValueError(
                    "`function` must be affine, a constant plus a linear map; got one whose value "
                    f"for a sum of spectra is {error:.2g} away from that; give it to `through`."
                )
        return EmulatorModel(
            self.module, torch.as_tensor(mapped), self.usable if usable is None else usable
        )

    def through(
        self,
        network: Network,
        *,
        basis: torch.Tensor | None = None,
        codes: np.ndarray | None = None,
        encode: Callable[[Any], np.ndarray] | None = None,
        usable: np.ndarray | None = None,
    ) -> "NetworkModel":
        """Return the model behind a map that torch can differentiate.

        Parameters
        ----------
        network : callable
            Maps spectra (n_rows, n_pixels) and split latents (n_rows, n_split), tensors in double
            precision, to spectra, each row on its own; or to coefficients of `basis`.
        basis : tensor of shape (n_coefficients, n_pixels), default=None
            Where a spectrum is a combination of few: that is much faster.
        codes : ndarray of shape (n_codes, n_split), default=None
            Split latents of observed spectra; None where there are none.
        encode : callable, default=None
            Returns the split latents (n_spectra, n_split) of observed `Spectra`; needed for
            ``split="encode"``.
        usable : ndarray of bool of shape (n_pixels,), default=None
            Pixels that have flux afterwards; None leaves them as they are.

        Returns
        -------
        model : NetworkModel
        """
        model = NetworkModel(self, network, basis)
        model.usable = self.usable if usable is None else usable
        if codes is not None:
            model.n_split, model.split_codes, model.encode_split = codes.shape[1], codes, encode
        return model


class NetworkModel(SpectrumModel):
    """An emulator, then a network, perhaps with split latents of the spectrum's own.

    Parameters
    ----------
    emulator : EmulatorModel
        Gives what `network` takes.
    network : callable
        See `EmulatorModel.through`.
    basis : tensor of shape (n_coefficients, n_pixels) or None
        Of the spectra.

    Attributes
    ----------
    n_labels, n_split, usable, training_labels, split_codes, encode_split
        See `SpectrumModel`.
    """

    def __init__(
        self, emulator: EmulatorModel, network: Network, basis: torch.Tensor | None
    ) -> None:
        self.emulator, self.network, self.basis = emulator, network, basis
        self.n_labels, self.usable = emulator.n_labels, emulator.usable
        self.training_labels = emulator.training_labels

    def with_jacobian(self, parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return coefficients and derivatives, see `SpectrumModel`."""
        entrance = self.emulator.rows
        labels, split = parameters[:, : self.n_labels], parameters[:, self.n_labels :]
        values, slopes = self.emulator.with_jacobian(labels)
        inputs = torch.cat([values @ entrance, split], dim=1)
        directions = torch.zeros(
            len(labels), inputs.shape[1], parameters.shape[1], dtype=inputs.dtype
        )
        n_inputs = entrance.shape[1]
        directions[:, :n_inputs, : self.n_labels] = (slopes @ entrance).transpose(1, 2)
        directions[:, n_inputs:, self.n_labels :] = torch.eye(self.n_split, dtype=inputs.dtype)

        def network(both: torch.Tensor) -> torch.Tensor:
            return self.network(both[:, :n_inputs], both[:, n_inputs:])

        with torch.no_grad():
            derivatives = push_forward(network, inputs, directions)
            return network(inputs), derivatives.transpose(1, 2)


class FunctionModel(SpectrumModel):
    """Any emulator that predicts spectra and their derivatives as arrays.

    Parameters
    ----------
    emulator : object
        With ``predict(labels)`` (n, n_pixels), ``jacobian(labels)`` (n, n_pixels, n_labels) and
        ``label_range_`` (2, n_labels).

    Attributes
    ----------
    n_labels, n_split, usable, training_labels, split_codes, encode_split
        See `SpectrumModel`; there are no split latents, and no labels are known.
    """

    def __init__(self, emulator: Any) -> None:
        middle = np.asarray(emulator.label_range_, dtype=float).mean(axis=0)[None]
        self.emulator, self.n_labels = emulator, middle.shape[1]
        self.usable = np.isfinite(np.asarray(emulator.predict(middle), dtype=float)).ravel()

    def with_jacobian(self, parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return flux and derivatives, see `SpectrumModel`."""
        labels = parameters.numpy()
        flux = np.asarray(self.emulator.predict(labels), dtype=float)
        slopes = np.asarray(self.emulator.jacobian(labels), dtype=float)
        flux, slopes = np.nan_to_num(flux), np.nan_to_num(slopes)
        return torch.as_tensor(flux), torch.as_tensor(np.swapaxes(slopes, 1, 2))


def spectrum_model(emulator: Any) -> SpectrumModel:
    """Return an emulator as a model: what its method `as_model` gives, or any other by its arrays.

    Parameters
    ----------
    emulator : SpectrumEmulator, ObservedEmulator or object with `predict` and `jacobian`
        Fitted.

    Returns
    -------
    model : SpectrumModel
    """
    return emulator.as_model() if hasattr(emulator, "as_model") else FunctionModel(emulator)


def bridge(rows: np.ndarray, usable: np.ndarray) -> np.ndarray:
    """Return rows (n, n_pixels) with straight lines across pixels that aren't usable.

    Parameters
    ----------
    rows : ndarray of shape (n, n_pixels)
    usable : ndarray of bool of shape (n_pixels,)

    Returns
    -------
    bridged : ndarray of shape (n, n_pixels)
    """
    if usable.all() or not usable.any():
        return np.where(usable, rows, 0.0)
    pixels = np.arange(len(usable))
    return np.array([np.interp(pixels, pixels[usable], row[usable]) for row in rows])

"""Models of a spectrum that can be fitted: coefficients of parameters, and a basis of pixels."""

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch

from spectragan.networks.emulator import EmulatorNetwork
from spectragan.training.derivatives import push_forward


class SpectrumModel(Protocol):
    """A spectrum as a function of labels and, maybe, split latents.

    Attributes
    ----------
    n_labels, n_split : int
        Parameters of a spectrum: its labels, then its split latents.
    basis : tensor of shape (n_coefficients, n_pixels) or None
        A spectrum is ``coefficients @ basis``; None where coefficients are flux already.
    """

    n_labels: int
    n_split: int
    basis: torch.Tensor | None

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
        ...


class EmulatorModel:
    """An emulator, or an emulator behind an affine map of spectra.

    Parameters
    ----------
    module : EmulatorNetwork
        In double precision.
    basis : tensor of shape (1 + n_coefficients, n_pixels)
        The components, mapped, and the spectrum that 0 is mapped to.
    """

    n_split = 0
    basis: torch.Tensor | None

    def __init__(self, module: EmulatorNetwork, basis: torch.Tensor) -> None:
        self.module, self.basis = module, basis
        self.n_labels = len(module.label_mean)

    def with_jacobian(self, parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return coefficients and derivatives, see `SpectrumModel`."""
        values, slopes = self.module.coefficients_and_jacobian(parameters)
        values = torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
        return values, torch.cat([slopes, torch.zeros_like(slopes[:, :, :1])], dim=2)


class TranslatedModel:
    """An emulator, then a network with split latents of the spectrum's own.

    Parameters
    ----------
    module : EmulatorNetwork
        In double precision.
    entrance : tensor of shape (1 + n_coefficients, n_inputs)
        Turns the emulator's coefficients, and a 1, into what `translate` takes.
    translate : callable
        Maps inputs (n_rows, n_inputs) and split latents (n_rows, n_split) to coefficients.
    basis : tensor of shape (n_coefficients, n_pixels) or None
        Of the observed spectra.
    n_split : int
    """

    def __init__(
        self,
        module: EmulatorNetwork,
        entrance: torch.Tensor,
        translate: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        *,
        basis: torch.Tensor | None,
        n_split: int,
    ) -> None:
        self.emulator = EmulatorModel(module, entrance)
        self.entrance, self.translate = entrance, translate
        self.basis, self.n_split = basis, n_split
        self.n_labels = self.emulator.n_labels

    def with_jacobian(self, parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return coefficients and derivatives, see `SpectrumModel`."""
        labels, split = parameters[:, : self.n_labels], parameters[:, self.n_labels :]
        values, slopes = self.emulator.with_jacobian(labels)
        inputs = torch.cat([values @ self.entrance, split], dim=1)
        directions = torch.zeros(
            len(labels), inputs.shape[1], parameters.shape[1], dtype=inputs.dtype
        )
        n_inputs = self.entrance.shape[1]
        directions[:, :n_inputs, : self.n_labels] = (slopes @ self.entrance).transpose(1, 2)
        directions[:, n_inputs:, self.n_labels :] = torch.eye(self.n_split, dtype=inputs.dtype)

        def translate(both: torch.Tensor) -> torch.Tensor:
            return self.translate(both[:, :n_inputs], both[:, n_inputs:])

        with torch.no_grad():
            derivatives = push_forward(translate, inputs, directions)
            return translate(inputs), derivatives.transpose(1, 2)


class FunctionModel:
    """Any emulator that predicts spectra and their derivatives as arrays.

    Parameters
    ----------
    emulator : object
        With ``predict(labels)`` (n, n_pixels) and ``jacobian(labels)`` (n, n_pixels, n_labels).
    n_labels : int
    """

    n_split = 0
    basis: torch.Tensor | None = None

    def __init__(self, emulator: Any, n_labels: int) -> None:
        self.emulator, self.n_labels = emulator, n_labels

    def with_jacobian(self, parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return flux and derivatives, see `SpectrumModel`."""
        labels = parameters.numpy()
        flux = np.asarray(self.emulator.predict(labels), dtype=float)
        slopes = np.asarray(self.emulator.jacobian(labels), dtype=float)
        flux, slopes = np.nan_to_num(flux), np.nan_to_num(slopes)
        return torch.as_tensor(flux), torch.as_tensor(np.swapaxes(slopes, 1, 2))

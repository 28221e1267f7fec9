"""The spectrum a telescope would see: a model's spectrum, Doppler-shifted and broadened."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from spectragan.training.doppler import LogGrid
from spectragan.training.spectrum_model import SpectrumModel

MODEL_ROWS = 256
CACHE_ROWS = 16


class ForwardModel:
    """Flux, and its derivatives, of labels, split latents and nuisances.

    Parameters
    ----------
    model : SpectrumModel
    nuisances : sequence of {"velocity", "broadening"}, default=()
        Parameters after those of `model`, in this order.
    wavelength : ndarray of shape (n_pixels,), default=None
        In Angstrom; needed with nuisances.

    Attributes
    ----------
    n_parameters : int
        Labels, split latents and nuisances.
    n_inner : int
        Of these, the model's own.
    grid : LogGrid or None
    """

    def __init__(
        self,
        model: SpectrumModel,
        nuisances: Sequence[str] = (),
        wavelength: np.ndarray | None = None,
    ) -> None:
        self.model, self.nuisances = model, tuple(nuisances)
        self.n_inner = model.n_labels + model.n_split
        self.n_parameters = self.n_inner + len(self.nuisances)
        self.grid, self._transformed = None, None
        if self.nuisances and wavelength is not None:
            self.grid = LogGrid(wavelength)
            if model.basis is not None:
                self._transformed = torch.view_as_real(self.grid.to_fourier(model.basis)).flatten(1)

    def in_chunks(
        self, parameters: torch.Tensor
    ) -> Iterator[tuple[slice, torch.Tensor, torch.Tensor]]:
        """Yield flux and its exact derivatives, a few rows at a time.

        Small products are quick in large batches, products with all pixels in a processor's cache.

        Parameters
        ----------
        parameters : tensor of shape (n_rows, n_parameters)

        Yields
        ------
        rows : slice
        flux : tensor of shape (n_few, n_pixels)
        jacobian : tensor of shape (n_few, n_parameters, n_pixels)
        """
        for start in range(0, len(parameters), MODEL_ROWS):
            batch = parameters[start : start + MODEL_ROWS]
            values, slopes = self.model.with_jacobian(batch[:, : self.n_inner])
            both = torch.cat([values[:, None], slopes], dim=1)
            for first in range(0, len(batch), CACHE_ROWS):
                few = slice(first, first + CACHE_ROWS)
                seen = self._to_pixels(both[few], batch[few, self.n_inner :])
                rows = slice(start + first, start + first + len(seen))
                yield rows, seen[:, 0], seen[:, 1:]

    def _to_pixels(self, both: torch.Tensor, nuisances: torch.Tensor) -> torch.Tensor:
        if self.grid is not None:
            return self._seen(both, nuisances)
        return both if self.model.basis is None else _multiply(both, self.model.basis)

    def _seen(self, both: torch.Tensor, nuisances: torch.Tensor) -> torch.Tensor:
        assert self.grid is not None
        velocity, broadening = self.split_nuisances(nuisances)
        kernel = self.grid.kernel(velocity, broadening)
        transformed = self._to_fourier(both) * kernel[:, None]
        by_name = {
            "velocity": lambda: self.grid.velocity_slope(velocity),
            "broadening": lambda: self.grid.broadening_slope(broadening),
        }
        extra = [transformed[:, 0] * by_name[name]() for name in self.nuisances]
        return self.grid.to_pixels(torch.cat([transformed, torch.stack(extra, dim=1)], dim=1))

    def split_nuisances(self, nuisances: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return velocity and broadening of each row, 0 where it isn't fitted.

        Parameters
        ----------
        nuisances : tensor of shape (n_rows, n_nuisances)

        Returns
        -------
        velocity, broadening : tensors of shape (n_rows,), km/s
        """
        columns = dict(zip(self.nuisances, nuisances.unbind(1), strict=True))
        zero = torch.zeros(len(nuisances), dtype=nuisances.dtype)
        return columns.get("velocity", zero), columns.get("broadening", zero)

    def _to_fourier(self, both: torch.Tensor) -> torch.Tensor:
        if self._transformed is None:
            assert self.grid is not None
            return self.grid.to_fourier(both)
        real = _multiply(both, self._transformed)
        return torch.view_as_complex(real.unflatten(-1, (-1, 2)))


def _multiply(rows: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """Return ``rows @ matrix`` as one product: torch makes one of each row otherwise."""
    return (rows.flatten(0, 1) @ matrix).unflatten(0, rows.shape[:2])

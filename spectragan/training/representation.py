"""What the translator's networks see: spectra as coefficients, or as they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from spectragan.networks.contract import OBSERVED, SYNTHETIC, TranslatorNetwork
from spectragan.networks.pixels import PixelTranslator, SubspacePixels, head_features
from spectragan.training.head import fit_head, fit_head_to_blocks
from spectragan.training.padding import map_padded
from spectragan.training.subspace import Subspace

# Errors are taken to be at least this part of the largest spread: without a floor, spectra of
# high S/N ask for a reconstruction better than any network's and drown the other losses.
ERROR_FLOOR = 0.03
MAP_PIXELS = 1000  # pixels that the identity loss looks at; neighbours say the same

Rows = dict[str, torch.Tensor]


@dataclass(frozen=True)
class DomainData:
    """Spectra of one domain, as numbers.

    Attributes
    ----------
    flux : ndarray of shape (n_spectra, n_pixels)
        Finite everywhere.
    weights : ndarray of shape (n_spectra, n_pixels)
        Inverse variances where they are known, else 0 or 1.
    known : ndarray of bool of shape (n_spectra,)
        Whether the errors of a spectrum are known.
    exact : ndarray of bool of shape (n_spectra,)
        Whether a spectrum has no noise.
    """

    flux: np.ndarray
    weights: np.ndarray
    known: np.ndarray
    exact: np.ndarray

    @property
    def good(self) -> np.ndarray:
        """Mask of shape (n_spectra, n_pixels): True where a pixel counts."""
        return self.weights > 0

    def __len__(self) -> int:
        return len(self.flux)

    def take(self, rows: slice | np.ndarray) -> "DomainData":
        """Return some spectra."""
        return DomainData(self.flux[rows], self.weights[rows], self.known[rows], self.exact[rows])

    def blocks(self) -> Iterator[tuple[slice, "DomainData"]]:
        """Yield all spectra at once: they are in memory anyway."""
        yield slice(0, len(self)), self

    def sample(self, rng: np.random.RandomState) -> "DomainData":
        """Return all spectra; what doesn't fit into memory returns a part."""
        return self


class SubspaceRepresentation:
    """Spectra as scaled coefficients in the joint subspace.

    Parameters
    ----------
    subspace : Subspace

    Notes
    -----
    A row has its coefficients ``x``, the factor ``metric`` that turns an error of `x` into one of
    unit variance, and the factor ``noise`` that turns white noise into that of the spectrum.
    """

    def __init__(self, subspace: Subspace) -> None:
        self.subspace = subspace
        self.scale = subspace.spread

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return len(self.scale)

    def fill(self, data: DomainData, domain: int) -> np.ndarray:
        """Return spectra that a projection can read: noisy or masked ones as reconstructed.

        Parameters
        ----------
        data : DomainData
        domain : {0, 1}

        Returns
        -------
        flux : ndarray of shape (n_spectra, n_pixels)
        """
        flux = np.array(data.flux, dtype=float)
        even = (data.weights == data.weights[:, :1]).all(axis=1) & data.good[:, 0]
        uneven = ~even
        if uneven.any():
            weights = np.where(data.good, data.weights, 0)[uneven]
            coefficients, _ = self.subspace.project(flux[uneven], weights, domain)
            flux[uneven] = self.subspace.reconstruct(coefficients, domain)
        return flux

    def rows(
        self, data: DomainData, domain: int, coefficients: np.ndarray, covariance: np.ndarray
    ) -> Rows:
        """Return training rows.

        Parameters
        ----------
        data : DomainData
        domain : {0, 1}
        coefficients : ndarray of shape (n_spectra, n_components)
        covariance : ndarray of shape (n_spectra, n_components, n_components)
            As the subspace's projection gives them.

        Returns
        -------
        rows : dict of tensors ``x``, ``metric`` and ``noise``
        """
        covariance = covariance * self._left_out(data, coefficients, domain)[:, None, None]
        noise = covariance * data.known[:, None, None]
        floor = (ERROR_FLOOR * self.scale.max()) ** 2 * np.eye(self.size)
        error = covariance * ~data.exact[:, None, None] + floor
        metric = np.linalg.cholesky(np.linalg.inv(error)).transpose(0, 2, 1) * self.scale
        factor = np.linalg.cholesky(noise + 1e-6 * floor) / self.scale[:, None]
        factor = factor * data.known[:, None, None]
        arrays = {"x": coefficients / self.scale, "metric": metric, "noise": factor}
        return {name: as_tensor(array) for name, array in arrays.items()}

    def _left_out(self, data: DomainData, coefficients: np.ndarray, domain: int) -> np.ndarray:
        """Return the variance of a pixel in units of the one assumed: 1 where errors are known."""
        residual = data.flux - self.subspace.reconstruct(coefficients, domain)
        squares = np.where(data.good, residual, 0.0) ** 2
        mean = squares.sum(axis=1) / np.maximum(data.good.sum(axis=1), 1)
        return np.where(data.known, 1.0, mean)

    def start(self, x: torch.Tensor, translation: np.ndarray) -> torch.Tensor:
        """Return synthetic rows translated by the linear start.

        Parameters
        ----------
        x : tensor of shape (n_spectra, n_components)
        translation : ndarray of shape (n_components, n_components)
            Acts on unscaled coefficients.

        Returns
        -------
        translated : tensor of shape (n_spectra, n_components)
        """
        return x @ as_tensor(translation * self.scale / self.scale[:, None]).T

    def pixel_map(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return how an observed minus a synthetic row reads in flux.

        Returns
        -------
        matrix : tensor of shape (n_pixels, n_components)
        shift : tensor of shape (n_pixels,)
            Difference of the means.
        """
        means = self.subspace.means
        matrix = self.subspace.components.T * self.scale
        some = slice(None, None, max(1, len(matrix) // MAP_PIXELS))
        return as_tensor(matrix[some]), as_tensor((means[OBSERVED] - means[SYNTHETIC])[some])

    def to_pixels(
        self, network: TranslatorNetwork, domains: tuple[DomainData, DomainData]
    ) -> PixelTranslator:
        """Return the trained network between pixels, with full-pixel heads fitted.

        Parameters
        ----------
        network : SubspaceTranslator
            In double precision.
        domains : two DomainData
            The training spectra, synthetic first.

        Returns
        -------
        pixels : SubspacePixels
        """
        return SubspacePixels(
            network,
            torch.as_tensor(self.subspace.means),
            torch.as_tensor(self.subspace.components),
            torch.as_tensor(self.scale),
            (
                self._head(network, domains[SYNTHETIC], SYNTHETIC),
                self._head(network, domains[OBSERVED], OBSERVED),
            ),
        )

    def _head(self, network: TranslatorNetwork, data: Any, domain: int) -> torch.Tensor:
        parts = (self._left_by(network, block, domain) for _, block in data.blocks())
        if isinstance(data, DomainData):
            return torch.as_tensor(fit_head(*next(parts)))
        return torch.as_tensor(fit_head_to_blocks(parts))

    def _left_by(
        self, network: TranslatorNetwork, data: DomainData, domain: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return features, what the components leave out, and weights."""
        coefficients, _ = self.subspace.project(data.flux, data.weights, domain)
        x = torch.as_tensor(coefficients / self.scale)
        features = map_padded(lambda rows: head_features(*network.encode(rows, domain)), x)
        left = data.flux - self.subspace.reconstruct(coefficients, domain)
        return features.numpy(), np.where(data.good, left, 0.0), data.weights


class PixelRepresentation:
    """Spectra as they are, masked pixels filled with the mean of their domain.

    Parameters
    ----------
    subspace : Subspace
        Gives the means, and the linear start.
    """

    def __init__(self, subspace: Subspace) -> None:
        self.subspace = subspace

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.subspace.means.shape[1]

    def fill(self, data: DomainData, domain: int) -> np.ndarray:
        """Return spectra with masked pixels filled, see `SubspaceRepresentation.fill`."""
        return np.where(data.good, data.flux, self.subspace.means[domain]).astype(float)

    def rows(
        self, data: DomainData, domain: int, coefficients: np.ndarray, covariance: np.ndarray
    ) -> Rows:
        """Return training rows, see `SubspaceRepresentation.rows`; factors are diagonal."""
        sigma = np.where(data.good, data.weights, 1.0) ** -0.5
        noise = np.where(data.good & data.known[:, None], sigma, 0.0)
        floor = ERROR_FLOOR * self.subspace.spread.max() / np.sqrt(self.size)
        metric = np.where(data.good, 1 / np.hypot(noise, 10 * floor), 0.0)
        arrays = {"x": self.fill(data, domain), "metric": metric, "noise": noise}
        return {name: as_tensor(array) for name, array in arrays.items()}

    def start(self, x: torch.Tensor, translation: np.ndarray) -> torch.Tensor:
        """Return synthetic rows translated by the linear start, pixel by pixel."""
        means = (as_tensor(mean) for mean in self.subspace.means)
        components = as_tensor(self.subspace.components)
        synthetic, observed = means
        return observed + (x - synthetic) @ components.T @ as_tensor(translation).T @ components

    def pixel_map(self) -> tuple[None, torch.Tensor]:
        """Return None and no shift: rows are flux already."""
        return None, torch.zeros(())

    def to_pixels(
        self, network: TranslatorNetwork, domains: tuple[DomainData, DomainData]
    ) -> PixelTranslator:
        """Return the trained network: it works on pixels already."""
        return PixelTranslator(network)


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """Return a float32 copy of `array`.

    Parameters
    ----------
    array : ndarray

    Returns
    -------
    tensor : tensor of the same shape
    """
    return torch.tensor(array, dtype=torch.float32)

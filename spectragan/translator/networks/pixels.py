"""Translator networks in pixel space: what estimators call once training is over."""

from collections.abc import Callable
from functools import reduce
from typing import Any, ClassVar

import torch
from torch import nn

from spectragan.files.layout import refusal
from spectragan.translator.networks.contract import OBSERVED, SYNTHETIC, TranslatorNetwork


class PixelTranslator(nn.Module):
    """A network that already works on pixels, with the mean over split codes added.

    Parameters
    ----------
    network : TranslatorNetwork
        Encodes and decodes spectra of shape (n_rows, n_pixels).

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.networks.conv import ConvTranslator
    >>> from spectragan.translator.networks.pixels import PixelTranslator
    >>> pixels = PixelTranslator(ConvTranslator(343, width=0.25))
    >>> shared, _ = pixels.encode(torch.rand(2, 343), 0)
    >>> pixels.decode_average(shared, torch.rand(5, 4, 6)).shape
    torch.Size([2, 343])
    """

    _kept: ClassVar = {"network": "ConvTranslator|AdaptedConvTranslator|own p"}

    def __init__(self, network: TranslatorNetwork) -> None:
        super().__init__()
        self.network = network

    def encode(self, x: torch.Tensor, domain: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the latents of spectra of `domain`.

        Parameters
        ----------
        x : tensor of shape (n_rows, n_pixels)
        domain : {0, 1}

        Returns
        -------
        shared, split : tensors of shape (n_rows, ...)
        """
        return self.network.encode(x, domain)

    def decode(self, shared: torch.Tensor, split: torch.Tensor, domain: int) -> torch.Tensor:
        """Return the spectra of `domain` with these latents.

        Parameters
        ----------
        shared, split : tensors of shape (n_rows, ...)
        domain : {0, 1}

        Returns
        -------
        x : tensor of shape (n_rows, n_pixels)
        """
        return self.network.decode(shared, split, domain)

    def decode_average(self, shared: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return observed spectra averaged over split codes.

        Parameters
        ----------
        shared : tensor of shape (n_rows, ...)
        codes : tensor of shape (n_codes, ...)

        Returns
        -------
        x : tensor of shape (n_rows, n_pixels)
        """
        faster = getattr(self.network, "decode_average", None)
        return faster(shared, codes) if faster else _average_over(codes, shared, self.decode)


class SubspacePixels(PixelTranslator):
    """A subspace network between pixels: projection in front, full-pixel heads behind.

    Parameters
    ----------
    network : TranslatorNetwork
        Works on scaled coefficients.
    means : tensor of shape (2, n_pixels)
        Mean spectra of both domains.
    components : tensor of shape (n_components, n_pixels)
        Orthonormal basis.
    scale : tensor of shape (n_components,)
        What coefficients are divided by for the network.
    heads : two tensors of shape (n_features_d, n_pixels)
        What the latents say about the pixels outside the basis (see `head_features`).
    """

    _kept: ClassVar = {
        "network": "SubspaceTranslator k s t",
        "means": "array 2 p",
        "components": "array k p",
        "scale": "array k",
        "synthetic_head": "array f p",
        "observed_head": "array g p",
    }

    means: torch.Tensor
    components: torch.Tensor
    scale: torch.Tensor
    synthetic_head: torch.Tensor
    observed_head: torch.Tensor

    def __init__(
        self,
        network: TranslatorNetwork,
        means: torch.Tensor,
        components: torch.Tensor,
        scale: torch.Tensor,
        heads: tuple[torch.Tensor, torch.Tensor],
    ) -> None:
        super().__init__(network)
        self.register_buffer("means", means)
        self.register_buffer("components", components)
        self.register_buffer("scale", scale)
        self.register_buffer("synthetic_head", heads[SYNTHETIC])
        self.register_buffer("observed_head", heads[OBSERVED])

    @classmethod
    def _from_file(cls, values: dict[str, Any]) -> "SubspacePixels":
        """Return the translator of what a file keeps, arrays that aren't copied."""
        network = values.pop("network")
        tensors = {name: torch.from_numpy(array) for name, array in values.items()}
        heads = tensors.pop("synthetic_head"), tensors.pop("observed_head")
        n_shared, n_split = (network.arguments[name] for name in ("n_shared", "n_split"))
        for head, n_own in zip(heads, (0, n_split), strict=True):
            if len(head) != n_head_features(n_shared, n_own):
                raise refusal("a full-pixel head must fit the latents", len(head))
        return cls(network, **tensors, heads=heads)

    def encode(self, x: torch.Tensor, domain: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the latents of spectra of `domain`, see `PixelTranslator.encode`."""
        coefficients = (x - self.means[domain]) @ self.components.T
        return self.network.encode(coefficients / self.scale, domain)

    def decode(self, shared: torch.Tensor, split: torch.Tensor, domain: int) -> torch.Tensor:
        """Return the spectra with these latents, see `PixelTranslator.decode`."""
        return self.coefficients(shared, split, domain) @ self.basis(domain)

    def decode_average(self, shared: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return observed spectra averaged over codes, see `PixelTranslator.decode_average`."""
        # Pixels are linear in the coefficients, so the average is taken where it is small.
        return _average_over(codes, shared, self.coefficients) @ self.basis(OBSERVED)

    def coefficients(self, shared: torch.Tensor, split: torch.Tensor, domain: int) -> torch.Tensor:
        """Return spectra as coefficients of `basis`.

        Parameters
        ----------
        shared, split : tensors of shape (n_rows, ...)
        domain : {0, 1}

        Returns
        -------
        coefficients : tensor of shape (n_rows, n_components + n_features)
        """
        used = split if domain == OBSERVED else shared[:, :0]
        inside = self.network.decode(shared, split, domain) * self.scale
        return torch.cat([inside, head_features(shared, used)], dim=1)

    def basis(self, domain: int) -> torch.Tensor:
        """Return what every decoded spectrum of `domain` is a combination of.

        Parameters
        ----------
        domain : {0, 1}

        Returns
        -------
        basis : tensor of shape (n_components + n_features, n_pixels)
            Components, then the head's rows; the constant one holds the mean spectrum.
        """
        head = (self.synthetic_head, self.observed_head)[domain].clone()
        head[0] += self.means[domain]
        return torch.cat([self.components, head])


def head_features(shared: torch.Tensor, split: torch.Tensor) -> torch.Tensor:
    """Return what a full-pixel head is linear in: 1, the latents, and squares of shared ones.

    Parameters
    ----------
    shared : tensor of shape (n_rows, n_shared)
    split : tensor of shape (n_rows, n_split)

    Returns
    -------
    features : tensor of shape (n_rows, n_features)
        See `n_head_features`.

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.networks.pixels import head_features
    >>> head_features(torch.tensor([[2.0, 3.0]]), torch.tensor([[5.0]]))
    tensor([[1., 2., 3., 5., 4., 6., 9.]])
    """
    first, second = torch.triu_indices(shared.shape[1], shared.shape[1])
    ones = torch.ones_like(shared[:, :1])
    return torch.cat([ones, shared, split, shared[:, first] * shared[:, second]], dim=1)


def n_head_features(n_shared: int, n_split: int) -> int:
    """Return how many features `head_features` gives for so many latents.

    Parameters
    ----------
    n_shared, n_split : int

    Returns
    -------
    n_features : int
    """
    return 1 + n_shared + n_split + n_shared * (n_shared + 1) // 2


def _average_over(
    codes: torch.Tensor,
    shared: torch.Tensor,
    decode: Callable[[torch.Tensor, torch.Tensor, int], torch.Tensor],
) -> torch.Tensor:
    n_rows = len(shared)
    parts = (decode(shared, code.expand(n_rows, *code.shape), OBSERVED) for code in codes)
    # One after the other: all at once would need the memory of all codes.
    return reduce(torch.add, parts) / len(codes)

"""The published convolutional translator, for spectra of any length."""

from collections.abc import Sequence

import torch
from torch import nn

from spectragan.networks.contract import OBSERVED
from spectragan.networks.conv_geometry import PUBLISHED_STRIDES, ConvGeometry
from spectragan.networks.conv_layers import (
    ConvStack,
    LatentEncoder,
    per_domain,
    scaled,
)

N_DOMAIN_LAYERS = 2  # the layers of an encoder or generator that each domain has to itself
DOMAIN_CHANNELS = (32, 64)
TRUNK_CHANNELS = (128, 256, 512)
SPLIT_CHANNELS = (32, 32, 32)


class ConvTranslator(nn.Module):
    r"""Convolutional encoders and generators around a shared and a split latent space.

    Two domain encoders of two layers feed one shared trunk of three layers, which ends in the
    shared latents; a second trunk makes the split latents of observed spectra. The generators
    mirror them: a shared trunk, a split trunk, and two domain generators of two layers. Spectra
    enter as :math:`(x - c_d) / s_d` and leave as :math:`c_d + s_d \, g(z)`.

    With 7,167 pixels and the defaults this is the published architecture: shared latents of
    25 × 24, split latents of 4 × 24. Any other length is padded to one that the strides
    reproduce, and short spectra get smaller strides (see `ConvGeometry`).

    Parameters
    ----------
    n_pixels : int
        Length of the spectra.
    n_shared, n_split : int, default=25, 4
        Channels of the shared and of the split latents.
    width : float, default=1.0
        Factor on the number of channels of all layers but the latents; the cost of a step grows
        with its square.
    centre : float or tensor of shape (2, n_pixels), default=1.0
        What to subtract from the spectra of each domain: the continuum, or the domain's mean.
        With the means, a generator that answers zero gives the mean spectrum, and padding with
        zeros makes no edge.
    scale : float or tensor of shape (2, n_pixels), default=1.0
        What to divide by; the typical deviation from `centre` makes the inputs of order one.
    strides : sequence of 5 int, default=(4, 4, 4, 2, 2)
        Strides for spectra that are long enough.

    Attributes
    ----------
    arguments : dict
        What it was made with, tensors aside: a saved network is made again so.
    geometry : ConvGeometry
        Strides, padding and latent length in use.

    See Also
    --------
    spectragan.networks.conv_adapted.AdaptedConvTranslator : One set of layers for both domains,
        which needs far fewer steps.

    References
    ----------
    .. [1] O'Briain et al. 2021, ApJ 906, 130 (arXiv:2007.03109).
    .. [2] Liu, Breuel & Kautz 2017, NeurIPS (arXiv:1703.00848).

    Examples
    --------
    >>> import torch
    >>> from spectragan.networks.conv import ConvTranslator
    >>> network = ConvTranslator(343, width=0.25)
    >>> synthetic, observed = torch.rand(2, 8, 343)
    >>> shared, _ = network.encode(synthetic, 0)
    >>> _, split = network.encode(observed, 1)
    >>> shared.shape, split.shape
    (torch.Size([8, 25, 6]), torch.Size([8, 4, 6]))
    >>> network.decode(shared, split, 1).shape
    torch.Size([8, 343])
    """

    centre: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self,
        n_pixels: int,
        *,
        n_shared: int = 25,
        n_split: int = 4,
        width: float = 1.0,
        centre: float | torch.Tensor = 1.0,
        scale: float | torch.Tensor = 1.0,
        strides: Sequence[int] = PUBLISHED_STRIDES,
    ) -> None:
        super().__init__()
        self.arguments = {
            "n_pixels": n_pixels,
            "n_shared": n_shared,
            "n_split": n_split,
            "width": width,
            "strides": tuple(strides),
        }
        self.geometry = ConvGeometry(n_pixels, strides)
        self.register_buffer("centre", per_domain(centre, n_pixels))
        self.register_buffer("scale", per_domain(scale, n_pixels))
        domain = scaled(DOMAIN_CHANNELS, width)
        trunk = scaled(TRUNK_CHANNELS, width)
        split = scaled(SPLIT_CHANNELS, width)
        outer = self.geometry.strides[:N_DOMAIN_LAYERS]
        inner = self.geometry.strides[N_DOMAIN_LAYERS:]

        self.domain_encoders = nn.ModuleList(ConvStack((1, *domain), outer) for _ in range(2))
        self.shared_encoder = LatentEncoder((domain[-1], *trunk), n_shared, inner)
        self.split_encoder = LatentEncoder((domain[-1], *split), n_split, inner)
        self.shared_decoder = ConvStack((n_shared, *trunk[::-1]), inner[::-1], transposed=True)
        self.split_decoder = ConvStack((n_split, *split[::-1]), inner[::-1], transposed=True)
        self.domain_decoders = nn.ModuleList(
            ConvStack((n_in, *domain[::-1]), outer[::-1], transposed=True)
            for n_in in (trunk[0], trunk[0] + split[0])
        )
        self.heads = nn.ModuleList(nn.Conv1d(domain[0], 1, 1) for _ in range(2))

    def encode(self, x: torch.Tensor, domain: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the latents of spectra of `domain`.

        Parameters
        ----------
        x : tensor of shape (n_rows, n_pixels)
            Finite flux.
        domain : {0, 1}
            The domain `x` belongs to.

        Returns
        -------
        shared : tensor of shape (n_rows, n_shared, n_latent)
            What both domains have in common.
        split : tensor of shape (n_rows, n_split, n_latent)
            Of shape (n_rows, 0, n_latent) for domain 0.
        """
        padded = self.geometry.pad((x - self.centre[domain]) / self.scale[domain])
        features = self.domain_encoders[domain](padded.unsqueeze(1))
        shared = self.shared_encoder(features)
        split = self.split_encoder(features) if domain == OBSERVED else shared[:, :0]
        return shared, split

    def decode(self, shared: torch.Tensor, split: torch.Tensor, domain: int) -> torch.Tensor:
        """Return the spectra of `domain` with these latents.

        Parameters
        ----------
        shared : tensor of shape (n_rows, n_shared, n_latent)
            What both domains have in common.
        split : tensor of shape (n_rows, n_split, n_latent)
            Ignored for domain 0.
        domain : {0, 1}
            The domain of the spectra to make.

        Returns
        -------
        x : tensor of shape (n_rows, n_pixels)
            Flux.
        """
        features = self.shared_decoder(shared)
        if domain == OBSERVED:
            features = torch.cat([features, self.split_decoder(split)], dim=1)
        padded = self.heads[domain](self.domain_decoders[domain](features)).squeeze(1)
        return self.centre[domain] + self.scale[domain] * self.geometry.crop(padded)

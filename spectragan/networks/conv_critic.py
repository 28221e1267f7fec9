"""The published convolutional critics, for spectra of any length."""

from collections.abc import Sequence

import torch
from torch import nn

from spectragan.networks.contract import OBSERVED
from spectragan.networks.conv_geometry import PUBLISHED_STRIDES, ConvGeometry
from spectragan.networks.conv_layers import ConvStack, per_domain, scaled

SPECTRUM_CHANNELS = (16, 32, 64, 128, 256)
LATENT_CHANNELS = (32, 64, 128, 256, 512)


class PairCritic(nn.Module):
    """Score pairs of a spectrum and its latents.

    Parameters
    ----------
    geometry : ConvGeometry
        Strides and lengths of the spectra.
    n_latent_channels : int
        Channels of the latents shown.
    width : float, default=1.0
        Factor on the number of channels.

    Examples
    --------
    >>> import torch
    >>> from spectragan.networks.conv_critic import PairCritic
    >>> from spectragan.networks.conv_geometry import ConvGeometry
    >>> critic = PairCritic(ConvGeometry(343), 25, width=0.25)
    >>> critic(torch.rand(8, 343), torch.rand(8, 25, 6)).shape
    torch.Size([8])
    """

    def __init__(
        self, geometry: ConvGeometry, n_latent_channels: int, *, width: float = 1.0
    ) -> None:
        super().__init__()
        self.geometry = geometry
        spectrum = (1, *scaled(SPECTRUM_CHANNELS, width))
        latent = (n_latent_channels, *scaled(LATENT_CHANNELS, width))
        ones = [1] * len(LATENT_CHANNELS)
        self.spectrum = ConvStack(spectrum, geometry.strides)
        self.latent = ConvStack(latent, ones, kernel_size=1)
        self.score = nn.Linear((spectrum[-1] + latent[-1]) * geometry.n_latent, 1)

    def forward(self, deviation: torch.Tensor, latents: torch.Tensor) -> torch.Tensor:
        """Return the scores.

        Parameters
        ----------
        deviation : tensor of shape (n_rows, n_pixels)
            Centred and scaled flux.
        latents : tensor of shape (n_rows, n_latent_channels, n_latent)

        Returns
        -------
        scores : tensor of shape (n_rows,)
        """
        features = self.spectrum(self.geometry.pad(deviation).unsqueeze(1))
        both = torch.cat([features, self.latent(latents)], dim=1)
        return self.score(both.flatten(1)).squeeze(1)


class ConvCritic(nn.Module):
    """One critic per domain: observed spectra are judged with their split latents too.

    Parameters
    ----------
    n_pixels : int
        Length of the spectra.
    n_shared, n_split : int, default=25, 4
        Channels of the latents, as in the translator.
    width : float, default=1.0
        Factor on the number of channels.
    centre, scale : float or tensor of shape (2, n_pixels), default=1.0
        As in the translator.
    strides : sequence of 5 int, default=(4, 4, 4, 2, 2)
        As in the translator.

    Attributes
    ----------
    arguments : dict
        What it was made with, tensors aside: a saved network is made again so.

    References
    ----------
    .. [1] O'Briain et al. 2021, ApJ 906, 130 (arXiv:2007.03109).

    Examples
    --------
    >>> import torch
    >>> from spectragan.networks.conv import ConvTranslator
    >>> from spectragan.networks.conv_critic import ConvCritic
    >>> observed = torch.rand(8, 343)
    >>> shared, split = ConvTranslator(343, width=0.25).encode(observed, 1)
    >>> ConvCritic(343, width=0.25)(observed, shared, split, 1).shape
    torch.Size([8])
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
        geometry = ConvGeometry(n_pixels, strides)
        self.register_buffer("centre", per_domain(centre, n_pixels))
        self.register_buffer("scale", per_domain(scale, n_pixels))
        self.critics = nn.ModuleList(
            PairCritic(geometry, n_latents, width=width)
            for n_latents in (n_shared, n_shared + n_split)
        )

    def forward(
        self, x: torch.Tensor, shared: torch.Tensor, split: torch.Tensor, domain: int
    ) -> torch.Tensor:
        """Return how much each spectrum, with its latents, looks like one of `domain`.

        Parameters
        ----------
        x : tensor of shape (n_rows, n_pixels)
            Finite flux.
        shared : tensor of shape (n_rows, n_shared, n_latent)
            What both domains have in common.
        split : tensor of shape (n_rows, n_split, n_latent)
            Ignored for domain 0.
        domain : {0, 1}
            Which critic judges.

        Returns
        -------
        scores : tensor of shape (n_rows,)
            Logits; higher is more real.
        """
        deviation = (x - self.centre[domain]) / self.scale[domain]
        latents = torch.cat([shared, split], dim=1) if domain == OBSERVED else shared
        return self.critics[domain](deviation, latents)

"""Convolutional translators and their critics, for spectra of any length.

One has the published layers. In the other, domains share all weights but gains and weights per
pixel and a linear map of the leading components, and spectra also come from the latents directly,
by a linear head.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import nn

from spectragan.translator.networks.contract import OBSERVED
from spectragan.translator.networks.conv_layers import (
    PUBLISHED_STRIDES,
    ConvGeometry,
    ConvStack,
    LatentEncoder,
    LatentHead,
    PixelHead,
    SubspaceAdapter,
    per_domain,
    scaled,
)

N_DOMAIN_LAYERS = 2  # the layers of an encoder or generator that each domain has to itself
DOMAIN_CHANNELS = (32, 64)
TRUNK_CHANNELS = (128, 256, 512)
SPLIT_CHANNELS = (32, 32, 32)

SIZES = {
    "n_pixels": "count p",
    "n_shared": "whole",
    "n_split": "whole",
    "width": "number",
    "strides": "sizes",
}


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
    spectragan.translator.networks.conv.AdaptedConvTranslator : One set of layers for both domains,
        which needs far fewer steps.

    References
    ----------
    .. [1] O'Briain et al. 2021, ApJ 906, 130 (arXiv:2007.03109).
    .. [2] Liu, Breuel & Kautz 2017, NeurIPS (arXiv:1703.00848).

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.networks.conv import ConvTranslator
    >>> network = ConvTranslator(343, width=0.25)
    >>> synthetic, observed = torch.rand(2, 8, 343)
    >>> shared, _ = network.encode(synthetic, 0)
    >>> _, split = network.encode(observed, 1)
    >>> shared.shape, split.shape
    (torch.Size([8, 25, 6]), torch.Size([8, 4, 6]))
    >>> network.decode(shared, split, 1).shape
    torch.Size([8, 343])
    """

    _kept_arguments: ClassVar = SIZES

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


AVERAGE_ROWS = 128  # small enough for the features of a few layers to stay in the cache


class AdaptedConvTranslator(nn.Module):
    r"""Convolutional autoencoder shared by both domains, with adapters that start as identity.

    The layers have the kinds and, times `width`, the sizes of the published network, but there
    is one set of them. A domain has its own centre, a gain per pixel and a linear map
    :math:`M_d` of the leading components at the entrance, weights per pixel and another such map
    at the exit; the observed generator adds features of the split latents. All of them start at
    zero change. So translation starts as reconstruction plus the shift between the centres, or,
    once the maps are set, as the linear translation; two sets of domain layers can't drift apart
    while both learn to reconstruct, which costs the published network most of its training. A
    head, linear in the shared latents, reconstructs most of a spectrum from the first step on if
    it is fitted to the encoder's random weights. Spectra enter as
    :math:`(1 + a_d) M_d (x - c_d) / s_d` and leave as
    :math:`c_d + s_d M'_d [(w + w_d) \cdot h(z) + L z]`.

    Parameters
    ----------
    n_pixels : int
        Length of the spectra.
    n_shared, n_split : int, default=25, 4
        Channels of the shared and of the split latents.
    width : float, default=0.25
        Factor on the number of channels of the published network; the cost of a step grows with
        its square.
    centre : float or tensor of shape (2, n_pixels), default=1.0
        What to subtract from the spectra of each domain: the continuum or, much better, the
        domain's mean.
    scale : float or tensor of shape (2, n_pixels), default=1.0
        What to divide by; the typical deviation from `centre` makes the inputs of order one.
    strides : sequence of 5 int, default=(4, 4, 4, 2, 2)
        Strides for spectra that are long enough.
    components : tensor of shape (n_components, n_pixels), default=None
        Orthonormal directions that the linear maps act on. None leaves the maps out.

    Attributes
    ----------
    arguments : dict
        What it was made with, tensors aside: a saved network is made again so.
    geometry : ConvGeometry
        Strides, padding and latent length in use.

    See Also
    --------
    spectragan.translator.networks.conv.ConvTranslator : The published network.

    References
    ----------
    .. [1] O'Briain et al. 2021, ApJ 906, 130 (arXiv:2007.03109).

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.networks.conv import AdaptedConvTranslator
    >>> network = AdaptedConvTranslator(343)
    >>> synthetic, observed = torch.rand(2, 8, 343)
    >>> shared, _ = network.encode(synthetic, 0)
    >>> _, split = network.encode(observed, 1)
    >>> shared.shape, split.shape
    (torch.Size([8, 25, 6]), torch.Size([8, 4, 6]))
    >>> network.decode(shared, split, 1).shape
    torch.Size([8, 343])
    """

    _kept_arguments: ClassVar = {**SIZES, "components": "whole"}

    @classmethod
    def _from_file(cls, arguments: dict[str, Any]) -> "AdaptedConvTranslator":
        shape = arguments["components"], arguments["n_pixels"]
        return cls(**{**arguments, "components": torch.empty(shape)})

    centre: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self,
        n_pixels: int,
        *,
        n_shared: int = 25,
        n_split: int = 4,
        width: float = 0.25,
        centre: float | torch.Tensor = 1.0,
        scale: float | torch.Tensor = 1.0,
        strides: Sequence[int] = PUBLISHED_STRIDES,
        components: torch.Tensor | None = None,
    ) -> None:
        super().__init__()
        self.arguments = {
            "n_pixels": n_pixels,
            "n_shared": n_shared,
            "n_split": n_split,
            "width": width,
            "strides": tuple(strides),
            "components": 0 if components is None else len(components),
        }
        self.geometry = ConvGeometry(n_pixels, strides)
        self.register_buffer("centre", per_domain(centre, n_pixels))
        self.register_buffer("scale", per_domain(scale, n_pixels))
        channels = scaled((*DOMAIN_CHANNELS, *TRUNK_CHANNELS), width)
        split = scaled(SPLIT_CHANNELS, width)
        domain, trunk = channels[:N_DOMAIN_LAYERS], channels[N_DOMAIN_LAYERS:]
        outer = self.geometry.strides[:N_DOMAIN_LAYERS]
        inner = self.geometry.strides[N_DOMAIN_LAYERS:]

        basis = torch.empty(0, n_pixels) if components is None else components
        self.input_gains = nn.Parameter(torch.zeros(2, n_pixels))
        self.input_adapters = nn.ModuleList(SubspaceAdapter(basis) for _ in range(2))
        self.encoder = ConvStack((1, *domain), outer)
        self.shared_encoder = LatentEncoder((domain[-1], *trunk), n_shared, inner)
        self.split_encoder = LatentEncoder((domain[-1], *split), n_split, inner)

        self.shared_decoder = ConvStack((n_shared, *trunk[::-1]), inner[::-1], transposed=True)
        self.split_decoder = ConvStack((n_split, *split[::-1]), inner[::-1], transposed=True)
        self.split_adapter = nn.Conv1d(split[0], trunk[0], 1)
        for parameter in self.split_adapter.parameters():
            nn.init.zeros_(parameter)
        self.decoder = ConvStack((trunk[0], *domain[::-1]), outer[::-1], transposed=True)
        # No bias, which would shift all spectra at the start: the pixel head has one.
        self.head = nn.Conv1d(domain[0], 1, 1, bias=False)
        self.pixel_head = PixelHead(domain[0], self.geometry.n_padded)
        self.domain_heads = nn.ModuleList(
            PixelHead(domain[0], self.geometry.n_padded) for _ in range(2)
        )
        self.latent_head = LatentHead(n_shared * self.geometry.n_latent, n_pixels)
        self.output_adapters = nn.ModuleList(SubspaceAdapter(basis) for _ in range(2))

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
        split : tensor of shape (n_rows, n_split, n_latent)
            Of shape (n_rows, 0, n_latent) for domain 0.
        """
        deviation = self.input_adapters[domain]((x - self.centre[domain]) / self.scale[domain])
        adapted = (1.0 + self.input_gains[domain]) * deviation
        features = self.encoder(self.geometry.pad(adapted).unsqueeze(1))
        shared = self.shared_encoder(features)
        split = self.split_encoder(features) if domain == OBSERVED else shared[:, :0]
        return shared, split

    def decode(self, shared: torch.Tensor, split: torch.Tensor, domain: int) -> torch.Tensor:
        """Return the spectra of `domain` with these latents.

        Parameters
        ----------
        shared : tensor of shape (n_rows, n_shared, n_latent)
        split : tensor of shape (n_rows, n_split, n_latent)
            Ignored for domain 0.
        domain : {0, 1}
            The domain of the spectra to make.

        Returns
        -------
        x : tensor of shape (n_rows, n_pixels)
        """
        features = self.shared_decoder(shared)
        if domain == OBSERVED:
            features = features + self.split_adapter(self.split_decoder(split))
        return self._spectra(self.decoder(features), shared, domain)

    def decode_average(self, shared: torch.Tensor, codes: torch.Tensor) -> torch.Tensor:
        """Return observed spectra averaged over split latents, faster than one by one.

        Parameters
        ----------
        shared : tensor of shape (n_rows, n_shared, n_latent)
        codes : tensor of shape (n_codes, n_split, n_latent)

        Returns
        -------
        x : tensor of shape (n_rows, n_pixels)
        """
        # What comes before and behind the last convolutions doesn't mix rows with codes.
        added = self.split_adapter(self.split_decoder(codes))
        parts = []
        for rows in shared.split(AVERAGE_ROWS):
            features = self.shared_decoder(rows)
            parts.append(sum(self.decoder(features + code) for code in added) / len(added))
        return self._spectra(torch.cat(parts), shared, OBSERVED)

    def _spectra(self, features: torch.Tensor, shared: torch.Tensor, domain: int) -> torch.Tensor:
        heads = (self.head, self.pixel_head, self.domain_heads[domain])
        padded = torch.stack([head(features) for head in heads]).sum(0).squeeze(1)
        deviation = self.geometry.crop(padded) + self.latent_head(shared.flatten(1))
        return self.centre[domain] + self.scale[domain] * self.output_adapters[domain](deviation)


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
    n_latent : int, default=None
        Their positions. None takes as many as those strides leave of the spectra.
    width : float, default=1.0
        Factor on the number of channels.

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.networks.conv import PairCritic
    >>> from spectragan.translator.networks.conv_layers import ConvGeometry
    >>> critic = PairCritic(ConvGeometry(343), 25, width=0.25)
    >>> critic(torch.rand(8, 343), torch.rand(8, 25, 6)).shape
    torch.Size([8])
    """

    def __init__(
        self,
        geometry: ConvGeometry,
        n_latent_channels: int,
        *,
        n_latent: int | None = None,
        width: float = 1.0,
    ) -> None:
        super().__init__()
        self.geometry = geometry
        spectrum = (1, *scaled(SPECTRUM_CHANNELS, width))
        latent = (n_latent_channels, *scaled(LATENT_CHANNELS, width))
        ones = [1] * len(LATENT_CHANNELS)
        self.spectrum = ConvStack(spectrum, geometry.strides)
        self.latent = ConvStack(latent, ones, kernel_size=1)
        n_latent = geometry.n_latent if n_latent is None else n_latent
        self.score = nn.Linear(spectrum[-1] * geometry.n_latent + latent[-1] * n_latent, 1)

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
        both = torch.cat([features.flatten(1), self.latent(latents).flatten(1)], dim=1)
        return self.score(both).squeeze(1)


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
    critic_strides : sequence of 5 int, default=()
        On the spectra, as long as a position is left of these. Without any they are those of the
        translator; published are (4, 4, 4, 4, 4), which leave 6 positions of 7,167 pixels.

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
    >>> from spectragan.translator.networks.conv import ConvTranslator
    >>> from spectragan.translator.networks.conv import ConvCritic
    >>> observed = torch.rand(8, 343)
    >>> shared, split = ConvTranslator(343, width=0.25).encode(observed, 1)
    >>> ConvCritic(343, width=0.25)(observed, shared, split, 1).shape
    torch.Size([8])
    """

    _kept_arguments: ClassVar = {**SIZES, "critic_strides?": "sizes"}

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
        critic_strides: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.arguments = {
            "n_pixels": n_pixels,
            "n_shared": n_shared,
            "n_split": n_split,
            "width": width,
            "strides": tuple(strides),
            "critic_strides": tuple(critic_strides),
        }
        geometry = ConvGeometry(n_pixels, strides)
        n_latent = geometry.n_latent
        if critic_strides:
            geometry = ConvGeometry(n_pixels, critic_strides, min_latent=1)
        self.register_buffer("centre", per_domain(centre, n_pixels))
        self.register_buffer("scale", per_domain(scale, n_pixels))
        self.critics = nn.ModuleList(
            PairCritic(geometry, n_channels, n_latent=n_latent, width=width)
            for n_channels in (n_shared, n_shared + n_split)
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

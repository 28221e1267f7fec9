"""Layers of the convolutional networks, and how many latent positions pixels turn into."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import torch
from torch import nn

KERNEL_SIZE = 7
PUBLISHED_STRIDES = (4, 4, 4, 2, 2)
PUBLISHED_CRITIC_STRIDES = (4, 4, 4, 4, 4)
PUBLISHED_BIAS = 0.01


@dataclass(frozen=True)
class ConvGeometry:
    """Strides for spectra of one length, and the padding that lets them be inverted exactly.

    Unpadded strided convolutions reproduce only some lengths (7,167 pixels among them). Spectra
    are therefore padded at both ends to the next such length, and cropped after decoding. For
    short spectra the strides are halved, the last of the largest first, until the latents keep
    `min_latent` positions.

    Parameters
    ----------
    n_pixels : int
        Length of the spectra.
    strides : sequence of int, default=(4, 4, 4, 2, 2)
        Strides for spectra that are long enough.
    min_latent : int, default=4
        Latent positions to keep.

    Raises
    ------
    ValueError
        If `n_pixels`, `min_latent` or a stride is not positive.

    References
    ----------
    .. [1] O'Briain et al. 2021, ApJ 906, 130 (arXiv:2007.03109).

    Examples
    --------
    >>> from spectragan.translator.networks.conv_layers import ConvGeometry
    >>> published = ConvGeometry(7167)
    >>> published.strides, published.n_latent, published.padding
    ((4, 4, 4, 2, 2), 24, (0, 0))
    >>> short = ConvGeometry(300)
    >>> short.strides, short.n_latent, short.padding
    ((2, 2, 2, 2, 2), 5, (7, 8))
    """

    n_pixels: int
    strides: Sequence[int] = PUBLISHED_STRIDES
    min_latent: int = 4

    def __post_init__(self) -> None:
        for name, value in (("n_pixels", self.n_pixels), ("min_latent", self.min_latent)):
            if value < 1:
                raise ValueError(f"`{name}` must be at least 1; got {value}; pass a length.")
        if min(self.strides) < 1:
            raise ValueError(
                f"`strides` must be at least 1; got {self.strides}; use 1 to keep all."
            )
        # A frozen dataclass is set up once, here, and never written to again.
        object.__setattr__(self, "strides", self._fitting_strides())

    @cached_property
    def n_latent(self) -> int:
        """Latent positions."""
        n_latent = self.min_latent
        while self.length_of(n_latent) < self.n_pixels:
            n_latent += 1
        return n_latent

    @property
    def n_padded(self) -> int:
        """Pixels including the padding."""
        return self.length_of(self.n_latent)

    @cached_property
    def padding(self) -> tuple[int, int]:
        """Pixels added on the left and on the right."""
        missing = self.n_padded - self.n_pixels
        return missing // 2, missing - missing // 2

    def length_of(self, n_latent: int) -> int:
        """Return the length that transposed convolutions give to `n_latent` positions.

        Parameters
        ----------
        n_latent : int

        Returns
        -------
        n_padded : int
            Pixels, including the padding.
        """
        return _transposed_length(n_latent, self.strides)

    def pad(self, x: torch.Tensor) -> torch.Tensor:
        """Add zeros at both ends.

        Parameters
        ----------
        x : tensor of shape (..., n_pixels)

        Returns
        -------
        padded : tensor of shape (..., n_padded)
        """
        return torch.nn.functional.pad(x, self.padding)

    def crop(self, padded: torch.Tensor) -> torch.Tensor:
        """Take the added pixels away again.

        Parameters
        ----------
        padded : tensor of shape (..., n_padded)

        Returns
        -------
        x : tensor of shape (..., n_pixels)
        """
        left = self.padding[0]
        return padded[..., left : left + self.n_pixels]

    def _fitting_strides(self) -> tuple[int, ...]:
        strides = list(self.strides)
        while max(strides) > 1 and _transposed_length(self.min_latent, strides) > self.n_pixels:
            last_largest = max(range(len(strides)), key=lambda k: (strides[k], k))
            strides[last_largest] //= 2
        return tuple(strides)


def _transposed_length(n_latent: int, strides: Sequence[int]) -> int:
    length = n_latent
    for stride in reversed(strides):
        length = (length - 1) * stride + KERNEL_SIZE
    return length


NEGATIVE_SLOPE = 0.1


class ConvStack(nn.Sequential):
    """Strided convolutions, each followed by a leaky ReLU.

    Parameters
    ----------
    channels : sequence of int
        Channels of the input and of every layer.
    strides : sequence of int
        One per layer.
    transposed : bool, default=False
        Lengthen instead of shorten.
    kernel_size : int, default=7

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.networks.conv_layers import ConvStack
    >>> ConvStack((1, 8, 16), (4, 2))(torch.zeros(3, 1, 31)).shape
    torch.Size([3, 16, 1])
    """

    def __init__(
        self,
        channels: Sequence[int],
        strides: Sequence[int],
        *,
        transposed: bool = False,
        kernel_size: int = KERNEL_SIZE,
    ) -> None:
        layer = nn.ConvTranspose1d if transposed else nn.Conv1d
        super().__init__()
        for (n_in, n_out), stride in zip(pairwise(channels), strides, strict=True):
            self.append(layer(n_in, n_out, kernel_size, stride=stride))
            self.append(nn.LeakyReLU(NEGATIVE_SLOPE))


class LatentEncoder(nn.Sequential):
    """The trunk that ends in latents: convolutions, 1×1 to the latent channels, normalisation.

    Parameters
    ----------
    channels : sequence of int
        Channels of the input and of every convolution.
    n_latent_channels : int
        Channels of the latents.
    strides : sequence of int
        One per convolution.

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.networks.conv_layers import LatentEncoder
    >>> LatentEncoder((8, 16), 4, (2,))(torch.randn(3, 8, 31)).shape
    torch.Size([3, 4, 13])
    """

    def __init__(
        self, channels: Sequence[int], n_latent_channels: int, strides: Sequence[int]
    ) -> None:
        super().__init__(
            ConvStack(channels, strides),
            nn.Conv1d(channels[-1], n_latent_channels, 1),
            nn.InstanceNorm1d(n_latent_channels),
        )


class PixelHead(nn.Module):
    """Features to one channel of flux, by weights that depend on the pixel and start at zero.

    Convolutions treat all pixels alike and must be told through the latents where a line is;
    lines, however, stay where they are.

    Parameters
    ----------
    n_channels : int
        Channels of the input.
    n_positions : int
        Pixels of the input, including any padding.

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.networks.conv_layers import PixelHead
    >>> PixelHead(8, 300)(torch.ones(3, 8, 300)).shape
    torch.Size([3, 1, 300])
    """

    def __init__(self, n_channels: int, n_positions: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n_channels, n_positions))
        self.bias = nn.Parameter(torch.zeros(n_positions))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return one channel.

        Parameters
        ----------
        features : tensor of shape (n_rows, n_channels, n_positions)

        Returns
        -------
        deviation : tensor of shape (n_rows, 1, n_positions)
        """
        return (features * self.weight).sum(dim=1, keepdim=True) + self.bias


class LatentHead(nn.Module):
    """Latents to flux: an affine map, which starts at zero and can be fitted in closed form.

    Parameters
    ----------
    n_latents, n_pixels : int

    Notes
    -----
    The weights are stored multiplied by `n_latents`: one step of Adam then changes the flux by
    about the learning rate, however many latents there are.

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.networks.conv_layers import LatentHead
    >>> LatentHead(50, 300)(torch.ones(3, 50)).shape
    torch.Size([3, 300])
    """

    def __init__(self, n_latents: int, n_pixels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(n_pixels, n_latents))
        self.bias = nn.Parameter(torch.zeros(n_pixels))

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        """Return flux.

        Parameters
        ----------
        latents : tensor of shape (n_rows, n_latents)

        Returns
        -------
        deviation : tensor of shape (n_rows, n_pixels)
        """
        return self.bias + (latents / latents.shape[1]) @ self.weight.T

    @torch.no_grad()
    def set(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        """Set the affine map.

        Parameters
        ----------
        weight : tensor of shape (n_pixels, n_latents)
        bias : tensor of shape (n_pixels,)
        """
        self.weight.copy_(weight * weight.shape[1])
        self.bias.copy_(bias)


class SubspaceAdapter(nn.Module):
    """A linear map of a few directions of spectra, all others left alone; starts as identity.

    Parameters
    ----------
    components : tensor of shape (n_components, n_pixels)
        Orthonormal directions; none make the identity.

    Examples
    --------
    >>> import torch
    >>> from spectragan.translator.networks.conv_layers import SubspaceAdapter
    >>> SubspaceAdapter(torch.eye(4)[:2])(torch.arange(8.0).reshape(2, 4))
    tensor([[0., 1., 2., 3.],
            [4., 5., 6., 7.]], grad_fn=<AddBackward0>)
    """

    components: torch.Tensor

    def __init__(self, components: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("components", components.clone())
        self.change = nn.Parameter(torch.zeros(len(components), len(components)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the spectra with their coefficients changed.

        Parameters
        ----------
        x : tensor of shape (n_rows, n_pixels)

        Returns
        -------
        adapted : tensor of shape (n_rows, n_pixels)
        """
        return x + (x @ self.components.T) @ self.change.T @ self.components


def scaled(channels: Sequence[int], width: float) -> tuple[int, ...]:
    """Return numbers of channels multiplied by `width`, at least 1 each.

    Parameters
    ----------
    channels : sequence of int
    width : float

    Returns
    -------
    channels : tuple of int

    Raises
    ------
    ValueError
        If `width` is not positive.

    Examples
    --------
    >>> from spectragan.translator.networks.conv_layers import scaled
    >>> scaled((32, 64), 0.25)
    (8, 16)
    """
    if not width > 0:
        raise ValueError(f"`width` must be > 0; got {width}; use 1.0 for the published network.")
    return tuple(max(1, round(width * n)) for n in channels)


@torch.no_grad()
def set_published_start(network: nn.Module) -> None:
    """Draw the weights of all convolutions as published: Glorot's [1]_, with equal biases.

    Parameters
    ----------
    network : nn.Module
        Changed in place; its other layers stay as they are.

    References
    ----------
    .. [1] Glorot, X. & Bengio, Y. 2010, AISTATS, PMLR 9, 249.

    Examples
    --------
    >>> from spectragan.translator.networks.conv_layers import ConvStack, set_published_start
    >>> network = ConvStack((1, 2), (4,))
    >>> set_published_start(network)
    >>> network[0].bias
    Parameter containing:
    tensor([0.0100, 0.0100], requires_grad=True)
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                layer.bias.fill_(PUBLISHED_BIAS)


def per_domain(value: float | torch.Tensor, n_pixels: int) -> torch.Tensor:
    """Return `value` for both domains and all pixels.

    Parameters
    ----------
    value : float or tensor of shape (2, n_pixels), (2, 1) or (n_pixels,)
    n_pixels : int

    Returns
    -------
    values : tensor of shape (2, n_pixels), float32
        A copy.

    Examples
    --------
    >>> from spectragan.translator.networks.conv_layers import per_domain
    >>> per_domain(1.0, 3)
    tensor([[1., 1., 1.],
            [1., 1., 1.]])
    """
    return torch.as_tensor(value, dtype=torch.float32).expand(2, n_pixels).clone()

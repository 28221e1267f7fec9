"""The layers that the convolutional translator and its critics are built from."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from spectragan.networks.conv_geometry import KERNEL_SIZE

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
    >>> from spectragan.networks.conv_layers import ConvStack
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
    >>> from spectragan.networks.conv_layers import LatentEncoder
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
    >>> from spectragan.networks.conv_layers import PixelHead
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
    >>> from spectragan.networks.conv_layers import LatentHead
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
    >>> from spectragan.networks.conv_layers import SubspaceAdapter
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
    >>> from spectragan.networks.conv_layers import scaled
    >>> scaled((32, 64), 0.25)
    (8, 16)
    """
    if not width > 0:
        raise ValueError(f"`width` must be > 0; got {width}; use 1.0 for the published network.")
    return tuple(max(1, round(width * n)) for n in channels)


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
    >>> from spectragan.networks.conv_layers import per_domain
    >>> per_domain(1.0, 3)
    tensor([[1., 1., 1.],
            [1., 1., 1.]])
    """
    return torch.as_tensor(value, dtype=torch.float32).expand(2, n_pixels).clone()

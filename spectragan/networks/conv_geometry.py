"""How many pixels a stack of strided convolutions turns into how many latent positions."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch

KERNEL_SIZE = 7
PUBLISHED_STRIDES = (4, 4, 4, 2, 2)


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
    >>> from spectragan.networks.conv_geometry import ConvGeometry
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

"""Bridge masked pixels, for networks that need a number in every pixel."""

import torch


def bridge_gaps(flux: torch.Tensor, good: torch.Tensor) -> torch.Tensor:
    """Replace masked pixels by straight lines between their good neighbours.

    A constant in place of lines lets convolutions see steps where pixels are missing: with 30
    percent of the pixels masked, errors of labels were two to six times as large.

    Parameters
    ----------
    flux : tensor of shape (n_rows, n_pixels)
    good : tensor of bool of shape (n_rows, n_pixels)

    Returns
    -------
    bridged : tensor of shape (n_rows, n_pixels)
        Ends are continued with the nearest good pixel; rows without one are 0. Values of masked
        pixels are never used.

    Examples
    --------
    >>> import torch
    >>> from spectragan.training.gaps import bridge_gaps
    >>> flux = torch.tensor([[7.0, 1.0, 9.0, 9.0, 4.0]])
    >>> bridge_gaps(flux, torch.tensor([[False, True, False, False, True]]))
    tensor([[1., 1., 2., 3., 4.]])
    """
    n_pixels = flux.shape[1]
    pixel = torch.arange(n_pixels, device=flux.device).expand(flux.shape)
    left = torch.where(good, pixel, -1).cummax(1).values
    right = torch.where(good, pixel, n_pixels).flip(1).cummin(1).values.flip(1)
    left, right = (
        torch.where(left < 0, right, left).clamp(max=n_pixels - 1),
        torch.where(right == n_pixels, left, right).clamp(min=0),
    )
    share = (pixel - left).to(flux.dtype) / (right - left).clamp(min=1)
    known = torch.where(good, flux, 0.0)
    start, end = known.gather(1, left), known.gather(1, right)
    return torch.where(good, flux, start + share * (end - start))

"""Covariances of fitted parameters."""

import torch

from spectragan.fitting.objective import scale_to_unit

EVEN_STD = 12**-0.5  # of an interval in which all values are as likely
LEAST_POWER = 1e-13  # of a curvature with a diagonal of 1: rounding


def bounded_covariance(
    curvature: torch.Tensor, lower: torch.Tensor, upper: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the covariances of parameters that can't leave their bounds.

    What a spectrum says little about is known from its bounds: then all values between them are as
    likely, and a label in narrow bounds is held for the others.

    Parameters
    ----------
    curvature : tensor of shape (n, n_parameters, n_parameters)
    lower, upper : tensors of shape (n, n_parameters)

    Returns
    -------
    covariance : tensor of shape (n, n_parameters, n_parameters)
    unbounded : tensor of bool of shape (n, n_parameters)
        Where bounds tell more than the spectrum.
    """
    free = lower < upper
    covariance = invert(curvature, free)
    variance = covariance.diagonal(dim1=1, dim2=2)
    most = torch.where(free, (upper - lower) * EVEN_STD, torch.inf).square()
    unbounded = variance > most
    if not bool(unbounded.any()):
        return covariance, unbounded
    added = torch.where(unbounded, 1 / most - 1 / variance, 0.0)
    return invert(curvature + torch.diag_embed(added), free), unbounded


def invert(curvature: torch.Tensor, free: torch.Tensor) -> torch.Tensor:
    """Return the covariances of free parameters.

    Parameters
    ----------
    curvature : tensor of shape (n, n_parameters, n_parameters)
    free : tensor of bool of shape (n, n_parameters)

    Returns
    -------
    covariance : tensor of shape (n, n_parameters, n_parameters)
        0 for held parameters, infinite for those the data say nothing about.
    """
    matrix, scale = scale_to_unit(curvature, free)
    finite = torch.isfinite(matrix).all(2).all(1)
    power, vectors = torch.linalg.eigh(torch.where(finite[:, None, None], matrix, 0.0))
    # Degenerate parameters have large errors, not negative variances.
    power = power.clamp_min(LEAST_POWER)
    inverse = (vectors / power[:, None]) @ vectors.transpose(1, 2)
    covariance = inverse * scale[:, :, None] * scale[:, None, :]
    both = free[:, :, None] & free[:, None, :]
    covariance = torch.where(both, covariance, 0.0)
    silent = free & ~(curvature.diagonal(dim1=1, dim2=2) > 0)
    covariance = torch.where(torch.diag_embed(silent), torch.inf, covariance)
    return torch.where(finite[:, None, None], covariance, torch.nan)

"""Stars that are two: what of a spectrum's residuals a second star at another velocity explains."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy.fft import next_fast_len

from spectragan.fitting.model import GAP, SPEED_OF_LIGHT

LEAST_SHIFT, MOST_SHIFT = 20.0, 300.0  # km/s between the two stars
LEAST_PIXELS = 1.5  # apart: closer lines are one
SHORTEST = 4.0  # of the reach to both sides: a shorter spectrum isn't searched
LEAST_LIGHT, MOST_LIGHT = 0.02, 0.75  # of the second star; with more the first is at a wrong place
DETECTED = 6.0  # standard deviations: some hundred velocities are tried for every star
RIDGE = 1e-10


@dataclass(frozen=True)
class Residuals:
    """What is left of spectra around their fits.

    Attributes
    ----------
    residual, weights, model : tensors of shape (n, n_pixels)
        Observed less model flux, inverse variances, and the model.
    tangents : tensor of shape (n, n_tangents, n_pixels)
        Changes of the model that the fit has made use of.
    """

    residual: torch.Tensor
    weights: torch.Tensor
    model: torch.Tensor
    tangents: torch.Tensor


class CompanionSearch:
    r"""Looks for a second star at any velocity.

    The residuals are compared with :math:`\alpha\,(m(v) - m)`, light of a star like the first
    shifted by :math:`v`, less what the fit has made up for [1]_: its parameters, and a small
    shift. All velocities are correlations, by Fourier series.

    Parameters
    ----------
    wavelength : ndarray of shape (n_pixels,)
        In Angstrom, ascending.

    Attributes
    ----------
    possible : bool
        Whether the spectrum is long enough.

    References
    ----------
    .. [1] El-Badry, K. et al. 2018, MNRAS 476, 528.
    """

    def __init__(self, wavelength: np.ndarray) -> None:
        log = np.log(wavelength)
        steps = np.diff(log)
        step = float(np.median(steps))
        grid = np.arange(log[0], log[-1], step)
        left = np.clip(np.searchsorted(log, grid, side="right") - 1, 0, len(log) - 2)
        width = steps[left]
        self._left = torch.as_tensor(left)
        self._share = torch.as_tensor((grid - log[left]) / width)
        # Sums over pixels stay what they are; there are none in gaps.
        reach = int(np.ceil(MOST_SHIFT / SPEED_OF_LIGHT / step))
        density = np.where(width < GAP * step, step / width, 0.0)
        density[:reach] = density[len(grid) - reach :] = 0  # the shifted model isn't known there
        self._density = torch.as_tensor(density)
        self._n = next_fast_len(len(grid) + reach, real=True)
        least = max(LEAST_SHIFT / SPEED_OF_LIGHT / step, LEAST_PIXELS)
        shifts = np.arange(int(np.ceil(least)), reach + 1)
        self._shifts = torch.as_tensor(np.concatenate([-shifts[::-1], shifts]))
        self.possible = len(grid) > SHORTEST * reach and len(shifts) > 0

    def significance(self, found: Residuals, dof: torch.Tensor) -> torch.Tensor:
        """Return how far beyond chance a second star improves each fit.

        Parameters
        ----------
        found : Residuals
        dof : tensor of shape (n,)
            Degrees of freedom.

        Returns
        -------
        significance : tensor of shape (n,)
            In standard deviations, enlarged where the fit is bad with a second star, too; 0 if
            there is none that has a likely share of the light.
        """
        chi2 = (found.weights * found.residual.square()).sum(1)
        gradient, curvature = self._projected(found)
        light = gradient / curvature
        gain = torch.where(
            (light > LEAST_LIGHT) & (light < MOST_LIGHT), gradient.square() / curvature, 0.0
        )
        best = gain.amax(1)
        noise = ((chi2 - best) / dof.clamp_min(1)).clamp_min(1)
        return (best / noise).sqrt()

    def _projected(self, found: Residuals) -> tuple[torch.Tensor, torch.Tensor]:
        """Return gradient and curvature (n, n_shifts) of chi square in the second star's light."""
        model, residual = self._on_grid(found.model), self._on_grid(found.residual)
        w = self._on_grid(found.weights) * self._density
        slope = torch.gradient(model, dim=1)[0]
        tangents = torch.cat([self._on_grid(found.tangents), slope[:, None]], dim=1)
        weighted = tangents * w[:, None]
        fixed = torch.cat([(w * residual)[:, None], (w * model)[:, None], weighted], dim=1)
        moved = self._correlate(fixed, model[:, None]) - (fixed @ model[:, :, None])
        gradient, mixed = moved[:, 0], moved[:, 2:]
        # The square of a difference: two of its terms move with the velocity.
        square = self._correlate(w[:, None], model.square()[:, None])[:, 0]
        fixed_square = (w * model.square()).sum(1, keepdim=True)
        curvature = square - 2 * moved[:, 1] - fixed_square
        taken = self._solve(weighted @ tangents.transpose(1, 2), mixed)
        spent = (weighted @ residual[:, :, None])[:, :, 0]
        floor = 1e-6 * curvature.abs().amax(1, keepdim=True) + torch.finfo(w.dtype).tiny
        left = (curvature - (mixed * taken).sum(1)).clamp_min(floor)
        return gradient - (taken * spent[:, :, None]).sum(1), left

    def _solve(self, matrix: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
        size = matrix.diagonal(dim1=1, dim2=2).clamp_min(torch.finfo(matrix.dtype).tiny).rsqrt()
        unit = matrix * size[:, :, None] * size[:, None] + RIDGE * torch.eye(matrix.shape[1])
        return torch.linalg.solve_ex(unit, right * size[:, :, None])[0] * size[:, :, None]

    def _correlate(self, fixed: torch.Tensor, moving: torch.Tensor) -> torch.Tensor:
        """Return the sums over pixels of `fixed` times `moving` at each shift."""
        spectra = (torch.fft.rfft(rows, n=self._n) for rows in (fixed, moving))
        first, second = spectra
        return torch.fft.irfft(first * second.conj(), n=self._n)[..., self._shifts % self._n]

    def _on_grid(self, rows: torch.Tensor) -> torch.Tensor:
        left, right = rows[..., self._left], rows[..., self._left + 1]
        return left + (right - left) * self._share

"""Velocities of spectra against a template, by weighted cross-correlation."""

import astropy.units as u
import numpy as np

from spectragan.spectra.base import BLOCK_ROWS, angstrom_grid, row_blocks
from spectragan.spectra.container import Spectra
from spectragan.spectra.doppler import doppler_factor, speed_ratio
from spectragan.spectra.shifting import shift_rows

# Trial velocities are this far apart, in widths of a pixel; a parabola finds the place between.
STEP = 0.5
# The template is known well; it deserves the better interpolation.
TEMPLATE_ORDER = 5


def trial_velocities(wavelength: u.Quantity, max_velocity: float) -> np.ndarray:
    """Return velocities in km/s from -max to max, half a pixel apart, with 0 in the middle."""
    light = 1 / float(speed_ratio(1.0, "velocity"))
    pixel = light * np.median(np.diff(np.log(wavelength.value)))
    n = max(2, int(np.ceil(max_velocity / (STEP * pixel))))
    return np.linspace(-max_velocity, max_velocity, 2 * n + 1)


def measure_velocities(
    spectra: Spectra, template: Spectra, velocities: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the velocity of every spectrum, and its error, in km/s.

    Parameters
    ----------
    spectra : Spectra of shape (n_spectra, n_pixels)
        As observed.
    template : Spectra of shape (n_templates, n_pixels)
        At rest, on the same grid; the one is taken that fits best at the pixels all cover.
    velocities : ndarray of shape (n_trials,), km/s
        Trial velocities, evenly spaced.

    Returns
    -------
    velocity, error : ndarray of shape (n_spectra,)
        0 and infinity where there is no best velocity within the range.
    """
    common = common_pixels(template, velocities)
    best = np.full(len(spectra), np.inf)
    velocity, error = np.zeros(len(spectra)), np.full(len(spectra), np.inf)
    for row in range(len(template)):
        shifted, pixels = shifted_templates(template[row], velocities)
        squared = shifted**2
        for rows in row_blocks(len(spectra)):
            chi2, n_good = _chi2(spectra[rows], shifted, squared, pixels)
            v, e, lowest = _minimum(chi2, velocities)
            unknown = spectra.noise[rows] != "known"
            e[unknown] *= np.sqrt(np.maximum(lowest, 0) / np.maximum(n_good - 3, 1))[unknown]
            if (pixels & ~common).any():  # with fewer pixels, every template has less to explain
                chi2, _ = _chi2(spectra[rows], shifted, squared, common)
                lowest = _minimum(chi2, velocities)[2]
            better = np.isfinite(e) & (lowest < best[rows])
            best[rows] = np.where(better, lowest, best[rows])
            velocity[rows] = np.where(better, v, velocity[rows])
            error[rows] = np.where(better, e, error[rows])
    return velocity, error


def shifted_templates(template: Spectra, velocities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a template at all velocities, (n_pixels, n_trials), and the pixels it is known at."""
    copies = template[np.zeros(len(velocities), dtype=int)]
    grid = angstrom_grid(template, "a template")
    factors = 1 / doppler_factor(speed_ratio(velocities, "velocity"))
    flux, ivar = shift_rows(copies, grid, factors, TEMPLATE_ORDER, 1.0)
    pixels = np.asarray((ivar > 0).all(axis=0))
    flux = flux.astype(float) * pixels
    # Sums of squares lose fewer digits about the mean.
    mean = flux.sum() / max(1, flux.shape[0] * int(pixels.sum()))
    return ((flux - mean) * pixels).T, pixels


def common_pixels(template: Spectra, velocities: np.ndarray) -> np.ndarray:
    """Return the pixels, (n_pixels,), at which all templates are known at all velocities."""
    masks = np.unique(template.ivar > 0, axis=0, return_index=True)[1]
    known = [shifted_templates(template[row], velocities)[1] for row in masks]
    pixels = np.asarray(np.logical_and.reduce(known))
    if pixels.sum() < 3:
        raise ValueError(
            "`template` must be known at three pixels at least, in every row and at all velocities "
            f"up to `max_velocity`; got {int(pixels.sum())}; lower `max_velocity`, or leave out "
            "the templates with the most masked pixels."
        )
    return pixels


def _chi2(
    part: Spectra, shifted: np.ndarray, squared: np.ndarray, pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return chi-squared (n_rows, n_trials) of the best offset and scale >= 0, and good pixels."""
    n = len(part)
    weights, flux = np.zeros(
        (2, max(n, BLOCK_ROWS), part.shape[1])
    )  # one shape: one order of summing
    weights[:n], flux[:n] = part.ivar * pixels, part.filled()
    total = np.maximum(weights.sum(axis=1), np.finfo(float).tiny)[:, None]
    flux -= (weights * flux).sum(axis=1, keepdims=True) / total
    mean = weights @ shifted / total
    variance = weights @ squared - total * mean**2
    covariance = np.maximum((weights * flux) @ shifted, 0)
    power = (weights * flux**2).sum(axis=1, keepdims=True)
    explained = np.divide(covariance**2, variance, out=np.zeros_like(variance), where=variance > 0)
    return (power - explained)[:n], (weights > 0).sum(axis=1)[:n]


def _minimum(chi2: np.ndarray, velocities: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return place, error and depth of the parabola through the three lowest trials."""
    step = velocities[1] - velocities[0]
    k = np.argmin(chi2, axis=1)
    inside = (k > 0) & (k < len(velocities) - 1)
    k = np.clip(k, 1, len(velocities) - 2)
    rows = np.arange(len(chi2))
    before, lowest, after = (chi2[rows, k + i] for i in (-1, 0, 1))
    bend = before + after - 2 * lowest
    found = inside & (bend > 0)
    bend = np.where(found, bend, 1.0)
    slope = before - after
    velocity = velocities[k] + step * slope / (2 * bend)
    error = step * np.sqrt(2 / bend)
    return (
        np.where(found, velocity, 0.0),
        np.where(found, error, np.inf),
        lowest - slope**2 / (8 * bend),
    )

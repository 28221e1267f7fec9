"""Shift and broadening do to lines what they do to light."""

import numpy as np
import pytest
import torch

from spectragan.fitting.model import SPEED_OF_LIGHT, LogGrid

GRIDS = {
    "log": np.exp(np.linspace(np.log(5000.0), np.log(5200.0), 801)),
    "linear": np.linspace(5000.0, 5200.0, 801),
    "uneven": 5000.0 + 200.0 * np.linspace(0.0, 1.0, 801) ** 1.2,
}
CENTERS = np.array([5040.0, 5100.0, 5107.0, 5160.0])
WIDTH = 25.0  # km/s: two to five pixels


def spectrum(wavelength, velocity=0.0, extra=0.0):
    """Make lines whose center and width are known."""
    beta = velocity / SPEED_OF_LIGHT
    centers = CENTERS * np.sqrt((1 + beta) / (1 - beta))
    width = np.hypot(WIDTH, extra) / SPEED_OF_LIGHT
    offset = (np.log(wavelength) - np.log(centers)[:, None]) / width
    return 1 - (0.4 * WIDTH / np.hypot(WIDTH, extra) * np.exp(-0.5 * offset**2)).sum(0)


def seen(wavelength, velocity, broadening):
    grid = LogGrid(wavelength)
    rows = torch.as_tensor(spectrum(wavelength))[None]
    numbers = (torch.tensor([v], dtype=torch.float64) for v in (velocity, broadening))
    return grid.to_pixels(grid.shift(grid.to_fourier(rows), *numbers))[0].numpy()


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("velocity", [-300.0, -3.3, 0.0, 41.7])
def test_shift_moves_lines_by_the_doppler_formula(name, velocity):
    wavelength = GRIDS[name]
    inside = LogGrid(wavelength).inside(400.0)
    error = seen(wavelength, velocity, 0.0) - spectrum(wavelength, velocity)
    assert np.abs(error[inside]).max() < 2e-4


@pytest.mark.parametrize("name", GRIDS)
@pytest.mark.parametrize("broadening", [4.0, 30.0])
def test_broadening_adds_in_quadrature(name, broadening):
    wavelength = GRIDS[name]
    inside = LogGrid(wavelength).inside(150.0)
    error = seen(wavelength, 10.0, broadening) - spectrum(wavelength, 10.0, broadening)
    assert np.abs(error[inside]).max() < 2e-4


def test_log_grid_takes_even_pixels_as_they_are():
    assert LogGrid(GRIDS["log"]).even
    rows = torch.rand(3, 801, dtype=torch.float64)
    grid = LogGrid(GRIDS["log"])
    torch.testing.assert_close(grid.to_pixels(grid.to_fourier(rows)), rows)


def test_slopes_equal_finite_differences():
    grid = LogGrid(GRIDS["linear"])
    transformed = grid.to_fourier(torch.as_tensor(spectrum(GRIDS["linear"]))[None])
    v, b = torch.tensor([12.0]).double(), torch.tensor([20.0]).double()
    kernel, step = grid.kernel(v, b), 1e-3
    by_velocity = (grid.kernel(v + step, b) - grid.kernel(v - step, b)) / (2 * step)
    by_broadening = (grid.kernel(v, b + step) - grid.kernel(v, b - step)) / (2 * step)
    for slope, expected in (
        (grid.velocity_slope(v), by_velocity),
        (grid.broadening_slope(b), by_broadening),
    ):
        flux = grid.to_pixels(transformed * kernel * slope)
        torch.testing.assert_close(flux, grid.to_pixels(transformed * expected), atol=1e-8, rtol=0)


def test_inside_leaves_out_both_ends():
    inside = LogGrid(GRIDS["log"]).inside(100.0)
    assert not inside[0]
    assert not inside[-1]
    assert inside[400]
    n_out = 100.0 / SPEED_OF_LIGHT / np.diff(np.log(GRIDS["log"]))[0]
    assert abs((~inside).sum() - 2 * n_out) < 3

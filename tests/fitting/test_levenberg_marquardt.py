"""Batched least squares finds what scipy finds, row by row, within bounds."""

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from spectragan.fitting.objective import minimize, solve_scaled

X = torch.linspace(-2, 2, 40, dtype=torch.float64)


class Lines:
    """Gaussian absorption lines of depth, center and width, with their noise."""

    def __init__(self, truth, noise=0.0, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.sigma = 0.01
        self.target = self.model(truth)
        self.target += noise * torch.randn(self.target.shape, generator=generator).double()
        self.n_evaluated = 0

    def model(self, parameters):
        depth, center, width = (p[:, None] for p in parameters.unbind(1))
        return 1 - depth * torch.exp(-0.5 * ((X - center) / width) ** 2)

    def evaluate(self, parameters, rows):
        self.n_evaluated += len(rows)
        depth, center, width = (p[:, None] for p in parameters.unbind(1))
        z = (X - center) / width
        bump = torch.exp(-0.5 * z**2)
        residual = (self.model(parameters) - self.target[rows]) / self.sigma
        slopes = [-bump, -depth * bump * z / width, -depth * bump * z**2 / width]
        jacobian = torch.stack(slopes, dim=1) / self.sigma
        gradient = (jacobian @ residual[:, :, None])[:, :, 0]
        return residual.square().sum(1), gradient, jacobian @ jacobian.transpose(1, 2)


def lines(n=30, noise=0.01, seed=1):
    rng = np.random.default_rng(seed)
    truth = torch.as_tensor(rng.uniform([0.2, -0.5, 0.3], [0.8, 0.5, 0.6], (n, 3)))
    return Lines(truth, noise), truth


START = torch.tensor([0.4, 0.0, 0.4], dtype=torch.float64)
LOW, HIGH = torch.tensor([[0.0, -1.0, 0.1], [1.0, 1.0, 2.0]], dtype=torch.float64)


def solve(objective, n, low=LOW, high=HIGH, max_iter=50):
    return minimize(objective, START.repeat(n, 1), low, high, tolerance=1e-4, max_iter=max_iter)


def test_minimize_finds_the_minimum_of_scipy():
    objective, _ = lines()
    found = solve(objective, 30)
    assert found.converged.all()
    for row in range(30):
        target = objective.target[row].numpy()

        def residual(p, target=target):
            model = objective.model(torch.as_tensor(p)[None])[0].numpy()
            return (model - target) / objective.sigma

        best = least_squares(residual, START, bounds=(LOW, HIGH), xtol=1e-12, ftol=1e-12)
        sigma = torch.linalg.inv(found.curvature[row]).diagonal().sqrt().numpy()
        assert np.abs((found.parameters[row].numpy() - best.x) / sigma).max() < 1e-3


def test_minimize_stops_at_a_bound():
    objective, truth = lines(noise=0.0)
    high = HIGH.clone()
    high[0] = 0.3  # deeper lines aren't allowed
    found = solve(objective, 30, high=high)
    deep = truth[:, 0] > 0.35
    assert found.converged.all()
    assert (found.parameters[deep, 0] == 0.3).all()
    assert (found.parameters <= high).all()
    assert (found.parameters >= LOW).all()


def test_minimize_holds_parameters_with_equal_bounds():
    objective, _ = lines()
    low, high = LOW.repeat(30, 1), HIGH.repeat(30, 1)
    low[:, 1] = high[:, 1] = torch.linspace(-0.1, 0.1, 30)
    found = solve(objective, 30, low=low, high=high)
    assert torch.equal(found.parameters[:, 1], low[:, 1])
    assert found.converged.all()


def test_minimize_drops_what_is_done():
    objective, truth = lines(noise=0.0)
    start = truth.clone()
    start[:3] = START
    minimize(objective, start, LOW, HIGH, tolerance=1e-4, max_iter=50)
    assert objective.n_evaluated < 30 + 3 * 20


def test_minimize_says_when_it_has_not_converged():
    objective, _ = lines()
    assert not solve(objective, 30, max_iter=2).converged.any()


def test_minimize_leaves_rows_that_are_not_finite():
    objective, _ = lines()
    objective.target[3] = torch.nan
    found = solve(objective, 30)
    others = torch.arange(30) != 3
    assert not found.converged[3]
    assert found.converged[others].all()
    assert torch.isfinite(found.parameters[others]).all()


def test_minimize_converges_with_large_residuals():
    # A model that is wrong: Gauss-Newton steps are too long, undamped they swing.
    objective, _ = lines(noise=0.3)
    assert solve(objective, 30).converged.double().mean() > 0.95


def test_rows_do_not_depend_on_their_batch():
    objective, _ = lines()
    together = solve(objective, 30).parameters
    objective.target = objective.target[4:5]
    alone = solve(objective, 1).parameters
    torch.testing.assert_close(alone[0], together[4], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_solve_scaled_is_blind_to_units(scale):
    matrix = torch.tensor([[[4.0, 1.0], [1.0, 3.0]]], dtype=torch.float64)
    units = torch.tensor([1.0, scale], dtype=torch.float64)
    right = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    free, damping = torch.ones(1, 2, dtype=torch.bool), torch.zeros(1, dtype=torch.float64)
    plain = solve_scaled(matrix, right, damping, free)
    scaled = solve_scaled(matrix * units * units[:, None], right * units, damping, free)
    torch.testing.assert_close(scaled * units, plain)

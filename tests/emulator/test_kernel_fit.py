import pytest
import torch

from spectragan.emulator.kernels import KernelParameters, learn_kernels, solve_kernel_head
from spectragan.emulator.network import KernelHead


def curved(labels):
    """Return two smooth functions of two labels; the first ignores the second label."""
    return torch.stack([torch.sin(2 * labels[:, 0]), (labels[:, 0] + labels[:, 1]).cos()], 1)


@pytest.fixture
def problem():
    torch.manual_seed(0)
    labels = torch.randn(120, 2, dtype=torch.float64)
    return labels, curved(labels)


def fit(labels, values, variance=None):
    variance = torch.zeros_like(values) if variance is None else variance
    head = KernelHead(labels.shape[1], len(labels), values.shape[1]).double()
    weights = torch.ones(len(labels), dtype=labels.dtype)
    kernels = learn_kernels(head, labels, values, variance, weights)
    solve_kernel_head(head, kernels, labels, values, variance, weights)
    return head, kernels


def test_kernel_head_predicts_smooth_functions(problem):
    labels, values = problem
    new = 0.5 * torch.randn(50, 2, dtype=torch.float64)
    assert (fit(labels, values)[0](new) - curved(new)).abs().max() < 1e-3


def test_learn_kernels_finds_the_label_that_matters(problem):
    _, kernels = fit(*problem)
    assert kernels[0].lengths[1] > 3 * kernels[0].lengths[0]


def test_learn_kernels_finds_the_noise(problem):
    labels, values = problem
    noisy = values + 0.1 * torch.randn(values.shape, dtype=torch.float64)
    for kernel in fit(labels, noisy)[1]:
        assert 0.004 < kernel.noise < 0.02, "the noise has a variance of 0.01"


def test_known_errors_keep_bad_rows_from_misleading(problem):
    labels, values = problem
    broken, variance = values.clone(), torch.zeros_like(values)
    broken[::10] += 5
    variance[::10] = 1e6
    new = 0.5 * torch.randn(50, 2, dtype=torch.float64)
    assert (fit(labels, broken, variance)[0](new) - curved(new)).abs().max() < 2e-3


def test_solve_kernel_head_survives_repeated_rows(problem):
    labels, values = problem
    twice = fit(torch.cat([labels, labels]), torch.cat([values, values]))[0]
    assert (twice(labels) - values).abs().max() < 1e-3


def test_kernel_parameters_are_bounded():
    for extreme in (-1e9, 1e9):
        kernel = KernelParameters(torch.full((7,), extreme, dtype=torch.float64))
        covariance = kernel.covariance(
            torch.zeros(3, 2, dtype=torch.float64), torch.zeros(3), torch.ones(3)
        )
        assert torch.isfinite(covariance).all()
        assert (kernel.lengths > 0.1).all()
        assert (kernel.lengths < 50).all()

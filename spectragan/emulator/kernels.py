"""Fit the kernel head of the emulator: Gaussian-process regression, one kernel per group."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize

from spectragan.emulator.network import KernelHead, squared_exponential, warp_labels
from spectragan.spectra.summary import progress_bar

LBFGS_ITERATIONS = 25  # twice as many lower held-out errors by 4 percent
JITTERS = (0.0, 1e-8, 1e-6, 1e-4, 1e-2)
SMALLEST_NOISE = 1e-8  # variance, of coefficients scaled to variance 1
LARGEST_NOISE = 1e6  # of a star that says nothing about a component


@dataclass(frozen=True)
class KernelParameters:
    """The parameters of one group's kernel, as one vector of unbounded numbers.

    `vector` (2 * n_labels + 3,) holds, through bounded functions, the log length scales, the
    curvatures, and the logs of the noise variance, of the signal variance and of the linear
    part's share. The bounds keep every kernel matrix invertible in double precision.
    """

    vector: torch.Tensor

    @property
    def n_labels(self) -> int:
        """Number of labels."""
        return (len(self.vector) - 3) // 2

    @property
    def lengths(self) -> torch.Tensor:
        """Length scales of 0.2 to 33 standard deviations of each label."""
        return torch.exp(1 + 2.5 * torch.tanh(self.vector[: self.n_labels] / 2.5))

    @property
    def curvatures(self) -> torch.Tensor:
        """Curvatures of `warp_labels`, within 1.2 of 0."""
        return 1.2 * torch.tanh(self.vector[self.n_labels : -3] / 1.2)

    @property
    def noise(self) -> torch.Tensor:
        """Variance, of coefficients of variance 1, that labels don't explain."""
        return torch.exp(-9 + 8 * torch.tanh(self.vector[-3] / 8)) + SMALLEST_NOISE * self.signal

    @property
    def signal(self) -> torch.Tensor:
        """Variance of the smooth part, of coefficients of variance 1."""
        return torch.exp(2 + 6 * torch.tanh((self.vector[-2] - 2) / 6))

    @property
    def linear_variance(self) -> torch.Tensor:
        """Prior variance of the slopes, in units of the signal variance."""
        return torch.exp(2 + 3 * torch.tanh(self.vector[-1] / 3))

    def penalty(self) -> torch.Tensor:
        """Minus the log of a weak Gaussian prior: few stars leave what they can't tell alone."""
        lengths, curvatures = self.vector[: self.n_labels], self.vector[self.n_labels : -3]
        return 0.125 * lengths.square().sum() + 2 * curvatures.square().sum()

    def covariance(
        self, labels: torch.Tensor, variance: torch.Tensor, weights: torch.Tensor
    ) -> torch.Tensor:
        """Return the covariance (n_rows, n_rows) of noisy coefficients at standardised labels.

        A row of weight 2 is known as well as two rows would be.
        """
        warped = warp_labels(labels, self.curvatures)
        scaled = warped / self.lengths
        smooth = squared_exponential(scaled, scaled)
        linear = self.linear_variance * (1 + warped @ warped.T)
        return self.signal * (smooth + linear) + torch.diag((self.noise + variance) / weights)


def learn_kernels(
    head: KernelHead,
    labels: torch.Tensor,
    values: torch.Tensor,
    variance: torch.Tensor,
    weights: torch.Tensor,
    *,
    verbose: int = 0,
) -> list[KernelParameters]:
    """Choose each group's kernel by maximum marginal likelihood.

    Parameters
    ----------
    head : KernelHead
        Says which components share a kernel.
    labels : tensor of shape (n_rows, n_labels), float64
        Standardised. Time goes with the cube of n_rows; a few hundred tell enough.
    values, variance : tensor of shape (n_rows, n_components), float64
        Coefficients, each with a variance of about 1, and the variances of their errors.
    weights : tensor of shape (n_rows,), float64
        How many rows each counts for.
    verbose : int, default=0
        0 shows no progress bar.

    Returns
    -------
    kernels : list of KernelParameters, one per group
    """
    start = torch.zeros(2 * labels.shape[1] + 3, dtype=labels.dtype)
    groups = list(_groups(head, values, variance))
    return [
        # Not from where the last group ended: parameters at their bounds would stay there.
        KernelParameters(_maximise_likelihood(start, labels, weights, *group))
        for group in progress_bar(groups, description="emulator", unit="group", hidden=not verbose)
    ]


def solve_kernel_head(
    head: KernelHead,
    kernels: list[KernelParameters],
    labels: torch.Tensor,
    values: torch.Tensor,
    variance: torch.Tensor,
    weights: torch.Tensor,
) -> None:
    """Set all buffers of `head` to the mean of the Gaussian processes given the rows.

    Parameters
    ----------
    head : KernelHead
        With ``n_centers`` equal to n_rows; changed in place.
    kernels : list of KernelParameters
        From `learn_kernels`.
    labels : tensor of shape (n_rows, n_labels), float64
    values, variance : tensor of shape (n_rows, n_components), float64
    weights : tensor of shape (n_rows,), float64
        As for `learn_kernels`.
    """
    head.centers.copy_(labels)
    bumps, linear = [], []
    for kernel, (group_values, group_variance) in zip(
        kernels, _groups(head, values, variance), strict=True
    ):
        factor = _cholesky(kernel.covariance(labels, group_variance, weights))
        warped = warp_labels(labels, kernel.curvatures)
        design = torch.cat([torch.ones_like(warped[:, :1]), warped], dim=1)
        bumps.append(kernel.signal * torch.cholesky_solve(group_values, factor))
        linear.append(kernel.linear_variance * design.T @ bumps[-1])
    head.weights.copy_(torch.cat(bumps, dim=1))
    head.linear.copy_(torch.cat(linear, dim=1))
    head.curvatures.copy_(torch.stack([kernel.curvatures for kernel in kernels]))
    head.lengths.copy_(torch.stack([kernel.lengths for kernel in kernels]))


def _groups(
    head: KernelHead, values: torch.Tensor, variance: torch.Tensor
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the values (n_rows, n_group) and mean variances (n_rows,) of each group."""
    sizes = head.group_sizes
    for part, errors in zip(values.split(sizes, 1), variance.split(sizes, 1), strict=True):
        yield part, errors.mean(1).clamp_max(LARGEST_NOISE)


def _maximise_likelihood(
    start: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor,
    values: torch.Tensor,
    variance: torch.Tensor,
) -> torch.Tensor:
    """Return the parameter vector of one group."""
    n_rows, n_components = values.shape

    def loss(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        vector = torch.tensor(numbers).requires_grad_()
        kernel = KernelParameters(vector)
        factor = _cholesky(kernel.covariance(labels, variance, weights))
        white = torch.linalg.solve_triangular(factor, values, upper=False)
        log_determinant = torch.log(torch.diagonal(factor)).sum()
        likelihood = 0.5 * white.square().sum() + n_components * log_determinant
        total = likelihood / (n_rows * n_components) + kernel.penalty() / n_rows
        (slope,) = torch.autograd.grad(total, vector)
        return total.item(), slope.numpy()

    # Torch's own imports its compiler: two seconds in every process.
    options = {"maxiter": LBFGS_ITERATIONS, "maxcor": 10}
    found = minimize(loss, start.numpy(), jac=True, method="L-BFGS-B", options=options)
    best = torch.tensor(found.x)
    return best if torch.isfinite(best).all() else start


def _cholesky(matrix: torch.Tensor) -> torch.Tensor:
    """Return the lower Cholesky factor, adding as little to the diagonal as it takes."""
    scale = torch.diagonal(matrix).mean()
    for jitter in JITTERS:
        factor, failed = torch.linalg.cholesky_ex(
            matrix + jitter * scale * torch.eye(len(matrix), dtype=matrix.dtype)
        )
        if not failed:
            return factor
    return torch.linalg.cholesky(matrix)  # raises with the reason

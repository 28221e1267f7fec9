"""Chi square of spectra in their leading components: of a few numbers, whatever the pixels."""

from dataclasses import dataclass, replace

import torch

from spectragan.emulator.model import SpectrumModel
from spectragan.fitting.objective import solve_scaled
from spectragan.fitting.priors import Prior

MOST_COMPONENTS = 40
TRUNCATION = 3e-4  # of the models' scatter that the components may miss
GRID_COMPONENTS = 16  # are enough to find the nearest model of a coarse grid
GRID_DAMPING = 1e-2  # of the steps from there, which are long


class ReducedModel:
    """A model's spectra in their leading components.

    Parameters
    ----------
    model : SpectrumModel
    grid : tensor of shape (n_grid, n_parameters)
        Parameters of models all over the range.

    Attributes
    ----------
    basis : tensor of shape (n_reduced, n_pixels)
        Orthonormal.
    values : tensor of shape (n_grid, n_reduced)
    slopes : tensor of shape (n_grid, n_parameters, n_reduced)
        Coefficients of the grid, and their derivatives.
    """

    def __init__(self, model: SpectrumModel, grid: torch.Tensor) -> None:
        self.model, self.grid = model, grid
        if model.basis is None:
            values = torch.cat([model.with_jacobian(few)[0] for few in grid.split(64)])
            self.basis = _leading_directions(values)
            self._into = self.basis.T
        else:
            # All spectra lie in the span of the basis: its QR makes the decomposition small.
            values = torch.cat([model.with_jacobian(few)[0] for few in grid.split(256)])
            unit, triangle = torch.linalg.qr(model.basis.T)
            directions = _leading_directions(values @ triangle.T)
            self.basis, self._into = directions @ unit.T, triangle.T @ directions.T
        parts = [self.with_jacobian(few) for few in grid.split(64)]
        self.values, self.slopes = (torch.cat(column) for column in zip(*parts, strict=True))

    def with_jacobian(self, parameters: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return reduced coefficients and derivatives, see `SpectrumModel`."""
        values, slopes = self.model.with_jacobian(parameters)
        return values @ self._into, slopes @ self._into


def _leading_directions(rows: torch.Tensor) -> torch.Tensor:
    """Return the orthonormal directions (n_directions, n_columns) that matter."""
    # Through the smaller Gram matrix: single precision is plenty for a start.
    scatter = (rows - rows.mean(0)).square().sum()
    wide = rows.shape[1] > rows.shape[0]
    power, vectors = torch.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)
    power, vectors = power.flip(0).clamp_min(0), vectors.flip(1)
    missed = power.sum() - power.cumsum(0)
    enough = int((missed > TRUNCATION**2 * scatter).sum()) + 1
    kept = max(1, min(enough, MOST_COMPONENTS, int((power > 1e-14 * power[0]).sum())))
    if wide:
        return (vectors[:, :kept].T @ rows) / power[:kept, None].sqrt()
    return vectors[:, :kept].T


@dataclass
class ReducedChiSquare:
    r"""Chi square in reduced components: :math:`s - 2 b^T c + c^T M c`, an `Objective`.

    Attributes
    ----------
    reduced : ReducedModel
    square : tensor of shape (n,)
        :math:`s = y^T W y`.
    moment : tensor of shape (n, n_reduced)
        :math:`b = V W y`.
    matrix : tensor of shape (n, n_reduced, n_reduced)
        :math:`M = V W V^T`.
    prior : Prior
    """

    reduced: ReducedModel
    square: torch.Tensor
    moment: torch.Tensor
    matrix: torch.Tensor
    prior: Prior

    def evaluate(
        self, parameters: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return chi square, half its gradient and half its Hessian, see `Objective`."""
        values, slopes = self.reduced.with_jacobian(parameters)
        matrix, moment = self.matrix[rows], self.moment[rows]
        product = (matrix @ values[:, :, None])[:, :, 0]
        cost = self.square[rows] + (values * (product - 2 * moment)).sum(1)
        gradient = (slopes @ (product - moment)[:, :, None])[:, :, 0]
        parts = cost, gradient, slopes @ matrix @ slopes.transpose(1, 2)
        return self.prior.of(rows).add_to(parameters, parts)

    def scaled(self, factor: torch.Tensor) -> "ReducedChiSquare":
        """Return the objective with all weights of a spectrum multiplied by a factor (n,)."""
        return replace(
            self,
            square=self.square * factor,
            moment=self.moment * factor[:, None],
            matrix=self.matrix * factor[:, None, None],
        )

    def rows(self, rows: torch.Tensor) -> "ReducedChiSquare":
        """Return the objective of some spectra."""
        return replace(
            self,
            square=self.square[rows],
            moment=self.moment[rows],
            matrix=self.matrix[rows],
            prior=self.prior.of(rows),
        )

    def newton_steps(self, start: torch.Tensor) -> torch.Tensor:
        """Return the Newton steps (n, n_parameters) from models of the grid, at no evaluation."""
        values, slopes = self.reduced.values[start], self.reduced.slopes[start]
        product = (self.matrix @ values[:, :, None])[:, :, 0] - self.moment
        gradient = (slopes @ product[:, :, None])[:, :, 0]
        curvature = slopes @ self.matrix @ slopes.transpose(1, 2)
        parts = self.prior.add_to(self.reduced.grid[start], (gradient[:, 0], gradient, curvature))
        everything = torch.ones_like(gradient, dtype=torch.bool)
        damping = GRID_DAMPING * torch.ones_like(gradient[:, 0])
        return solve_scaled(parts[2], -parts[1], damping, everything).nan_to_num()

    def on_grid(self) -> torch.Tensor:
        """Return the chi squares (n, n_grid) of all models of the grid."""
        values = self.reduced.values[:, :GRID_COMPONENTS]
        first, second = pairs(values.shape[1])
        double = torch.where(first == second, 1.0, 2.0).to(values.dtype)
        products = double[:, None] * (values[:, first] * values[:, second]).T
        linear = self.square[:, None] - 2 * self.moment[:, :GRID_COMPONENTS] @ values.T
        return linear + self.matrix[:, first, second] @ products

    def unexplained(self) -> torch.Tensor:
        """Return the chi square (n,) that no combination of the components can explain."""
        ridge = 1e-10 * self.matrix.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
        matrix = self.matrix + ridge * torch.eye(self.matrix.shape[1])
        solved = torch.linalg.solve_ex(matrix, self.moment)[0]
        return self.square - (self.moment * solved).sum(1)


def reduce_spectra(
    flux: torch.Tensor,
    weights: torch.Tensor,
    basis: torch.Tensor,
    products: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what chi square in a basis needs to know of spectra.

    Parameters
    ----------
    flux, weights : tensors of shape (n, n_pixels)
    basis : tensor of shape (n_reduced, n_pixels)
    products : tensor of shape (n_pairs, n_pixels), default=None
        Of all pairs of rows of `basis`, where they are at hand.

    Returns
    -------
    square : tensor of shape (n,)
    moment : tensor of shape (n, n_reduced)
    matrix : tensor of shape (n, n_reduced, n_reduced)
    """
    first, second = pairs(len(basis))
    weighted = flux * weights
    if products is None:
        products = basis[first] * basis[second]
    matrix = torch.empty(len(flux), len(basis), len(basis), dtype=flux.dtype)
    matrix[:, first, second] = matrix[:, second, first] = weights @ products.T
    return (weighted * flux).sum(1), weighted @ basis.T, matrix


def pairs(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the indices of all pairs of `n` things, each with itself, too."""
    first, second = torch.triu_indices(n, n)
    return first, second

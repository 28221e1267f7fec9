"""Blind starts of a fit: a grid of models, compared with every spectrum in few components.

No catalogue label is needed, and no basin is overlooked.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch

from spectragan.emulator.model import SpectrumModel
from spectragan.fitting.model import SPEED_OF_LIGHT, ForwardModel, LogGrid
from spectragan.fitting.objective import Minimum, minimize, solve_scaled
from spectragan.fitting.priors import Prior

N_GRID = 3000  # models that every spectrum is compared with
MOST_COMPONENTS = 40
TRUNCATION = 3e-4  # of the models' scatter that the components may miss
GRID_COMPONENTS = 16  # are enough to find the nearest model of a coarse grid
SCAN_COMPONENTS = 8  # are enough to find a velocity
SCAN_STEP = 1.5  # pixels
MOST_SCAN_STEPS = 201
GRID_DAMPING = 1e-2  # of the steps from there, which are long
APART = 0.2  # of the grid's spread: the least distance between two starts of one spectrum


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


def scan_velocities(
    flux: torch.Tensor,
    weights: torch.Tensor,
    basis: torch.Tensor,
    grid: LogGrid,
    velocities: torch.Tensor,
    broadening: float,
) -> torch.Tensor:
    """Return by how much chi square falls at each of some velocities, whatever the labels.

    Parameters
    ----------
    flux, weights : tensors of shape (n, n_pixels)
    basis : tensor of shape (n_reduced, n_pixels)
        Its leading rows, in any combination, stand for the models.
    grid : LogGrid
    velocities : tensor of shape (n_velocities,), km/s
    broadening : float, km/s

    Returns
    -------
    gains : tensor of shape (n, n_velocities)
    """
    leading = grid.to_fourier(basis[:SCAN_COMPONENTS])
    gains = []
    for velocity in velocities:
        moved = shift_basis(leading, grid, float(velocity), broadening)
        _, moment, matrix = reduce_spectra(flux, weights, moved)
        ridge = 1e-8 * matrix.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
        solved = torch.linalg.solve_ex(matrix + ridge * torch.eye(len(moved)), moment)[0]
        gains.append((moment * solved).sum(1))
    return torch.stack(gains, dim=1)


def shift_basis(
    transformed: torch.Tensor, grid: LogGrid, velocity: float, broadening: float
) -> torch.Tensor:
    """Return a basis (n_reduced, n_pixels) seen at one velocity and broadening, in km/s."""
    one = torch.ones(1, dtype=torch.float64)
    return grid.to_pixels(grid.shift(transformed, velocity * one, broadening * one))


def velocity_grid(grid: LogGrid, lower: float, upper: float) -> torch.Tensor:
    """Return velocities to scan, about a pixel apart, of shape (n_velocities,)."""
    pixel = np.diff(grid.log).mean() * SPEED_OF_LIGHT
    n_steps = 1 + int(np.ceil((upper - lower) / (SCAN_STEP * pixel)))
    return torch.linspace(lower, upper, min(max(n_steps, 3), MOST_SCAN_STEPS), dtype=torch.float64)


def next_starts(cost: torch.Tensor, grid: torch.Tensor, taken: list[torch.Tensor]) -> torch.Tensor:
    """Return for each spectrum the best model of the grid away from those already taken.

    Parameters
    ----------
    cost : tensor of shape (n, n_grid)
    grid : tensor of shape (n_grid, n_parameters)
    taken : list of tensors of int of shape (n,)
        Models of the grid.

    Returns
    -------
    start : tensor of int of shape (n,)
        Which model.
    """
    scaled = grid / (grid.std(0) + (grid.std(0) == 0))
    for start in taken:
        distance = torch.cdist(scaled[start], scaled) / grid.shape[1] ** 0.5
        cost = torch.where(distance < APART, torch.inf, cost)
    return cost.argmin(1)


def pairs(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the indices of all pairs of `n` things, each with itself, too."""
    first, second = torch.triu_indices(n, n)
    return first, second


START_TOLERANCE = 0.03  # standard deviations: the exact fit goes on from here
START_ITERATIONS = 25
START_BROADENING = 0.3  # of the range: in the middle of it lines of all widths are found
POOR = 3.0  # times the chi square of a good fit: look for another basin

Group = tuple[torch.Tensor, float, float]  # rows, and the velocity and broadening they share


@dataclass(frozen=True)
class FitSettings:
    """How spectra are fitted.

    Attributes
    ----------
    lower, upper : tensor of shape (n_parameters,)
        Labels, split latents, nuisances.
    prior : Prior
    max_iter : int
        Evaluations per spectrum of the exact fit.
    n_starts : int
        Starts, at most, of a spectrum that fits badly.
    """

    lower: torch.Tensor
    upper: torch.Tensor
    prior: Prior
    max_iter: int = 50
    n_starts: int = 3


class BlindStart:
    """Finds starts: velocities by a scan, labels on a grid, then a fit in few components.

    Parameters
    ----------
    forward : ForwardModel
    grid : tensor of shape (n_grid, n_labels)
        Labels of the models that starts are chosen from.
    settings : FitSettings
    continuum : tensor of shape (n_terms, n_pixels) or None
    """

    def __init__(
        self,
        forward: ForwardModel,
        grid: torch.Tensor,
        settings: FitSettings,
        continuum: torch.Tensor | None,
    ) -> None:
        self.forward, self.settings, self.continuum = forward, settings, continuum
        split = settings.prior.mean[forward.model.n_labels : forward.n_inner]
        inner = torch.cat([grid, split.expand(len(grid), -1)], dim=1)
        self.reduced = ReducedModel(forward.model, inner)
        self.n_components = len(self.reduced.basis)
        first, second = pairs(self.n_components)
        self._products = self.reduced.basis[first] * self.reduced.basis[second]

    def find(
        self,
        y: torch.Tensor,
        w: torch.Tensor,
        lower: torch.Tensor,
        upper: torch.Tensor,
        unknown: torch.Tensor,
        prior: Prior,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return where fits start, and how large the noise is.

        Parameters
        ----------
        y, w : tensors of shape (n, n_pixels)
            Flux and weights.
        lower, upper : tensors of shape (n, n_parameters)
        unknown : tensor of bool of shape (n,)
            Rows whose weights aren't inverse variances.
        prior : Prior
            On all parameters.

        Returns
        -------
        start : tensor of shape (n, n_parameters)
        noise : tensor of shape (n,)
            Variance of a pixel of weight 1: 1, or that of the residuals.
        """
        n_good = (w > 0).sum(1)
        y, w = self._flatten(y, w)
        nuisances, groups = self._start_nuisances(y, w, prior, unknown)
        square, moment, matrix = self._reduce(y, w, groups)
        n_inner = self.forward.n_inner
        inner = prior.leading(n_inner)
        objective = ReducedChiSquare(self.reduced, square, moment, matrix, inner)
        floor = 1e-12 * square / n_good
        on_grid = objective.on_grid()
        noise = torch.where(unknown, (on_grid.amin(1) / n_good).clamp_min(floor), 1.0)
        best = self._search(
            objective.scaled(1 / noise),
            on_grid / noise[:, None] + inner.on_grid(self.reduced.grid),
            lower[:, :n_inner],
            upper[:, :n_inner],
            torch.where(unknown, objective.unexplained() / noise, n_good),
        )
        noise = torch.where(unknown, (noise * best.cost / n_good).clamp_min(floor), 1.0)
        return torch.cat([best.parameters, nuisances], dim=1), noise

    def _flatten(self, y: torch.Tensor, w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Divide by the continuum that makes spectra most alike the mean model."""
        if self.continuum is None:
            return y, w
        mean = (self.reduced.values.mean(0) @ self.reduced.basis).expand(len(y), -1)
        terms = mean[:, None] * self.continuum
        weighted = terms * w[:, None]
        matrix = weighted @ terms.transpose(1, 2)
        right = (weighted @ y[:, :, None])[:, :, 0]
        # The default driver starts from pivots that nobody has set: the last bits are chance.
        solved = torch.linalg.lstsq(matrix, right[:, :, None], driver="gelsd")[0]
        shape = solved[:, :, 0] @ self.continuum
        good = (shape > 0) & torch.isfinite(shape)
        shape = torch.where(good, shape, 1.0)
        return torch.where(good, y / shape, 0.0), torch.where(good, w * shape.square(), 0.0)

    def _start_nuisances(
        self, y: torch.Tensor, w: torch.Tensor, prior: Prior, unknown: torch.Tensor
    ) -> tuple[torch.Tensor, list[Group]]:
        """Return nuisances (n, n_nuisances), and groups of rows that share them."""
        grid, n_inner = self.forward.grid, self.forward.n_inner
        low, high = self.settings.lower[n_inner:], self.settings.upper[n_inner:]
        middle = (low + START_BROADENING * (high - low)).repeat(len(y), 1)
        everything = torch.arange(len(y))
        if grid is None:
            return middle, [(everything, 0.0, 0.0)]
        _, broadening = self.forward.split_nuisances(middle[:1])
        width = float(broadening)
        if "velocity" not in self.forward.nuisances:
            return middle, [(everything, 0.0, width)]
        column = self.forward.nuisances.index("velocity")
        trials = velocity_grid(grid, float(low[column]), float(high[column]))
        gains = scan_velocities(y, w, self.reduced.basis, grid, trials, width)
        at = n_inner + column
        one = Prior(prior.mean[..., [at]], prior.precision[..., [at], :][..., [at]])
        # Where weights aren't inverse variances, gains can't be weighed against a prior.
        best = (gains - torch.where(unknown[:, None], 0.0, one.on_grid(trials[:, None]))).argmax(1)
        middle[:, column] = trials[best]
        groups = [
            (torch.nonzero(best == i).ravel(), float(trials[i]), width) for i in best.unique()
        ]
        return middle, groups

    def _reduce(
        self, y: torch.Tensor, w: torch.Tensor, groups: list[Group]
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the reduced chi squares of spectra, each seen at its group's nuisances."""
        basis, grid = self.reduced.basis, self.forward.grid
        if grid is None:
            return reduce_spectra(y, w, basis, self._products)
        n, k = len(y), len(basis)
        square, moment, matrix = y.new_empty(n), y.new_empty(n, k), y.new_empty(n, k, k)
        transformed = grid.to_fourier(basis)
        for rows, velocity, broadening in groups:
            moved = shift_basis(transformed, grid, velocity, broadening)
            square[rows], moment[rows], matrix[rows] = reduce_spectra(y[rows], w[rows], moved)
        return square, moment, matrix

    def _search(
        self,
        objective: ReducedChiSquare,
        on_grid: torch.Tensor,
        lower: torch.Tensor,
        upper: torch.Tensor,
        expected: torch.Tensor,
    ) -> Minimum:
        """Return the minima in few components, the best of several where they are poor."""
        taken = [next_starts(on_grid, self.reduced.grid, [])]
        best = self._descend(objective, taken[0], lower, upper)
        for _ in range(self.settings.n_starts - 1):
            poor = torch.nonzero(best.cost > POOR * expected).ravel()
            if not len(poor):
                break
            start = next_starts(on_grid[poor], self.reduced.grid, [t[poor] for t in taken])
            other = self._descend(objective.rows(poor), start, lower[poor], upper[poor])
            better = other.cost < best.cost[poor]
            best.parameters[poor[better]] = other.parameters[better]
            best.cost[poor[better]] = other.cost[better]
            taken.append(taken[0].index_copy(0, poor, start))
        return best

    def _descend(
        self,
        objective: ReducedChiSquare,
        start: torch.Tensor,
        lower: torch.Tensor,
        upper: torch.Tensor,
    ) -> Minimum:
        point = self.reduced.grid[start] + objective.newton_steps(start)
        return minimize(
            objective, point, lower, upper, tolerance=START_TOLERANCE, max_iter=START_ITERATIONS
        )

    def explained(
        self, residual: torch.Tensor, w: torch.Tensor, nuisances: torch.Tensor
    ) -> torch.Tensor:
        """Return the chi square (n,) of residuals that combinations of models could explain.

        Parameters
        ----------
        residual, w : tensors of shape (n, n_pixels)
        nuisances : tensor of shape (n, n_nuisances)
            Every row is compared with models at its own velocity and broadening.
        """
        pairs = zip(*self.forward.split_nuisances(nuisances), strict=True)
        groups = [(torch.tensor([i]), float(v), float(b)) for i, (v, b) in enumerate(pairs)]
        parts = self._reduce(residual, w, groups)
        return parts[0] - ReducedChiSquare(self.reduced, *parts, self.settings.prior).unexplained()

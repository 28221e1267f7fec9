"""Blind starts of a fit: a grid of models, compared with every spectrum in few components.

No catalogue label is needed, and no basin is overlooked.
"""

from dataclasses import dataclass

import numpy as np
import torch

from spectragan.fitting.model import SPEED_OF_LIGHT, ForwardModel, LogGrid
from spectragan.fitting.objective import Minimum, minimize
from spectragan.fitting.priors import Prior
from spectragan.fitting.reduced import ReducedChiSquare, ReducedModel, pairs, reduce_spectra

SCAN_COMPONENTS = 8  # are enough to find a velocity
SCAN_STEP = 1.5  # pixels
MOST_SCAN_STEPS = 201
APART = 0.2  # of the grid's spread: the least distance between two starts of one spectrum


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


def between_trials(gains: torch.Tensor, best: torch.Tensor, trials: torch.Tensor) -> torch.Tensor:
    """Return where parabolas through the best trial and its neighbours are highest.

    Parameters
    ----------
    gains : tensor of shape (n, n_trials)
    best : tensor of int of shape (n,)
    trials : tensor of shape (n_trials,)
        Evenly apart.

    Returns
    -------
    highest : tensor of shape (n,)

    Examples
    --------
    >>> import torch
    >>> from spectragan.fitting.starts import between_trials
    >>> trials = torch.arange(5.0)
    >>> between_trials(-(trials - 1.8)[None] ** 2, torch.tensor([2]), trials)
    tensor([1.8000])
    """
    inner = best.clamp(1, len(trials) - 2)
    left, middle, right = (gains.gather(1, (inner + i)[:, None])[:, 0] for i in (-1, 0, 1))
    bend = left - 2 * middle + right
    offset = torch.where(bend < 0, (left - right) / (2 * bend), 0.0).clamp(-1, 1)
    return trials[inner] + torch.where(inner == best, offset, (best - inner).to(offset.dtype)) * (
        trials[1] - trials[0]
    )


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


START_TOLERANCE = 0.03  # standard deviations: the exact fit goes on from here
START_ITERATIONS = 25
START_BROADENING = 0.3  # of the range: in the middle of it lines of all widths are found
POOR = 3.0  # times the chi square of a good fit: look for another basin

FAR = 0.5  # of the grid's spread: where to look for a second minimum
N_RIVALS = 2
AS_GOOD = 6.0  # of chi square: a minimum that is twenty times less likely is none
FAR_APART = 5.0  # standard deviations: it isn't the first one

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


@dataclass
class Starts:
    """Where fits start.

    Attributes
    ----------
    parameters : tensor of shape (n, n_parameters)
    noise : tensor of shape (n,)
        Variance of a pixel of weight 1: 1, or that of the residuals.
    objective : ReducedChiSquare
    on_grid : tensor of shape (n, n_grid)
        Its values, and those of the prior, at all models of the grid.
    """

    parameters: torch.Tensor
    noise: torch.Tensor
    objective: ReducedChiSquare
    on_grid: torch.Tensor


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
    ) -> "Starts":
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
        starts : Starts
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
        objective = objective.scaled(1 / noise)
        on_grid = on_grid / noise[:, None] + inner.on_grid(self.reduced.grid)
        best = self._search(
            *(objective, on_grid),
            lower[:, :n_inner],
            upper[:, :n_inner],
            torch.where(unknown, objective.unexplained() / noise, n_good),
        )
        noise = torch.where(unknown, (noise * best.cost / n_good).clamp_min(floor), 1.0)
        return Starts(torch.cat([best.parameters, nuisances], dim=1), noise, objective, on_grid)

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
        gains = gains - torch.where(unknown[:, None], 0.0, one.on_grid(trials[:, None]))
        best = gains.argmax(1)
        middle[:, column] = between_trials(gains, best, trials)
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

    def rivals(
        self, starts: Starts, found: torch.Tensor, lower: torch.Tensor, upper: torch.Tensor
    ) -> torch.Tensor:
        """Tell which spectra are fitted as well by other labels far away.

        Parameters
        ----------
        starts : Starts
            As `find` returned them.
        found : tensor of shape (n, n_parameters)
            Of the best fits.
        lower, upper : tensors of shape (n, n_parameters)

        Returns
        -------
        have_rivals : tensor of bool of shape (n,)
        """
        n_inner, grid = self.forward.n_inner, self.reduced.grid
        bounds = lower[:, :n_inner], upper[:, :n_inner]
        objective, everything = starts.objective, torch.arange(len(found))
        best = objective.evaluate(found[:, :n_inner], everything)
        spread = grid.std(0) + (grid.std(0) == 0)
        near = torch.cdist(found[:, :n_inner] / spread, grid / spread) < FAR * n_inner**0.5
        cost = torch.where(near, torch.inf, starts.on_grid)
        taken: list[torch.Tensor] = []
        result = torch.zeros(len(found), dtype=torch.bool)
        for _ in range(N_RIVALS):
            taken.append(next_starts(cost, grid, taken))
            other = self._descend(objective, taken[-1], *bounds)
            step = other.parameters - found[:, :n_inner]
            apart = (step * (best[2] @ step[:, :, None])[:, :, 0]).sum(1).sqrt()
            moved = (step.abs() / spread).amax(1) > APART
            as_good = other.cost < best[0] + AS_GOOD
            result |= other.converged & as_good & moved & (apart > FAR_APART)
        return result

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

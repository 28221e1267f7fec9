"""Blind starts of a fit: no catalogue label is needed, and no basin is overlooked."""

from dataclasses import dataclass

import torch

from spectragan.training.chi_square import Prior
from spectragan.training.fit_start import (
    ReducedChiSquare,
    ReducedModel,
    next_starts,
    pairs,
    reduce_spectra,
    scan_velocities,
    shift_basis,
    velocity_grid,
)
from spectragan.training.forward_model import ForwardModel
from spectragan.training.levenberg_marquardt import Minimum, minimize

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
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return where fits start, and how large the noise is.

        Parameters
        ----------
        y, w : tensors of shape (n, n_pixels)
            Flux and weights.
        lower, upper : tensors of shape (n, n_parameters)
        unknown : tensor of bool of shape (n,)
            Rows whose weights aren't inverse variances.

        Returns
        -------
        start : tensor of shape (n, n_parameters)
        noise : tensor of shape (n,)
            Variance of a pixel of weight 1: 1, or that of the residuals.
        """
        n_good = (w > 0).sum(1)
        y, w = self._flatten(y, w)
        nuisances, groups = self._start_nuisances(y, w, lower, upper)
        square, moment, matrix = self._reduce(y, w, groups)
        n_inner = self.forward.n_inner
        prior = self.settings.prior.leading(n_inner)
        objective = ReducedChiSquare(self.reduced, square, moment, matrix, prior)
        floor = 1e-12 * square / n_good
        on_grid = objective.on_grid()
        noise = torch.where(unknown, (on_grid.amin(1) / n_good).clamp_min(floor), 1.0)
        best = self._search(
            objective.scaled(1 / noise),
            on_grid / noise[:, None],
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
        self, y: torch.Tensor, w: torch.Tensor, lower: torch.Tensor, upper: torch.Tensor
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
        best = scan_velocities(y, w, self.reduced.basis, grid, trials, width)
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

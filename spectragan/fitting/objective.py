"""Chi square of observed spectra, and its minimiser: batched Levenberg-Marquardt."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch

from spectragan.fitting.model import ForwardModel
from spectragan.fitting.priors import Prior

RIDGE = 1e-12  # of the continuum's own size: only singular ones feel it


class ChiSquare:
    r"""Chi square of many spectra, an `Objective` for `minimize`.

    .. math:: \chi^2(\theta) = \min_a \sum_j w_j \Big(y_j - f_j(\theta)
              \sum_k a_k T_k(\lambda_j)\Big)^2 + \text{prior}

    The continuum's coefficients :math:`a` are linear, so they are solved for at each step and the
    derivatives are projected accordingly (variable projection [1]_, in Kaufman's form).

    Parameters
    ----------
    forward : ForwardModel
    flux, weights : tensors of shape (n_spectra, n_pixels)
        Weights are inverse variances, 0 where a pixel is ignored.
    prior : Prior or None
    continuum : tensor of shape (n_terms, n_pixels) or None
        Polynomials that multiply the model; None leaves its continuum as it is.

    References
    ----------
    .. [1] Golub, G. & Pereyra, V. 2003, Inverse Problems 19, R1.
    """

    def __init__(
        self,
        forward: ForwardModel,
        flux: torch.Tensor,
        weights: torch.Tensor,
        prior: Prior | None = None,
        continuum: torch.Tensor | None = None,
    ) -> None:
        self.forward, self.flux, self.weights = forward, flux, weights
        self.prior, self.continuum = prior, continuum

    def evaluate(
        self, parameters: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return chi square, half its gradient and half its Hessian, see `Objective`."""
        parts = [
            self._evaluate_few(rows[few], seen) for few, seen in self.forward.in_chunks(parameters)
        ]
        cost, gradient, curvature = (torch.cat(column) for column in zip(*parts, strict=True))
        if self.prior is None:
            return cost, gradient, curvature
        return self.prior.of(rows).add_to(parameters, (cost, gradient, curvature))

    def model(self, parameters: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """Return model spectra, their continuum fitted.

        Parameters
        ----------
        parameters : tensor of shape (n_rows, n_parameters)
        rows : tensor of int of shape (n_rows,)

        Returns
        -------
        flux : tensor of shape (n_rows, n_pixels)
        """
        flux = torch.cat([seen[:, 0] for _, seen in self.forward.in_chunks(parameters)])
        if self.continuum is None:
            return flux
        coefficients, _ = self._fit_continuum(flux, self.flux[rows], self.weights[rows])
        return flux * (coefficients @ self.continuum)

    def linearised(
        self, parameters: torch.Tensor, rows: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
        """Yield model spectra and what changes them, a few rows at a time.

        Parameters
        ----------
        parameters : tensor of shape (n_rows, n_parameters)
        rows : tensor of int of shape (n_rows,)

        Yields
        ------
        rows : tensor of int of shape (n_few,)
        flux : tensor of shape (n_few, n_pixels)
            Continuum fitted.
        tangents : tensor of shape (n_few, n_parameters + n_terms, n_pixels)
            Derivatives with respect to parameters and coefficients of the continuum.
        """
        for few, seen in self.forward.in_chunks(parameters):
            which, model, jacobian = rows[few], seen[:, 0], seen[:, 1:]
            if self.continuum is None:
                yield which, model, jacobian
                continue
            found, terms = self._fit_continuum(model, self.flux[which], self.weights[which])
            shape = found @ self.continuum
            yield which, model * shape, torch.cat([jacobian * shape[:, None], terms], dim=1)

    def _evaluate_few(
        self, rows: torch.Tensor, seen: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the same for models and derivatives (n_few, 1 + n_parameters, n_pixels)."""
        root, target = self._roots[rows], self.flux[rows]
        if self.continuum is None:
            seen[:, 0] -= target
            return _normal_equations(seen.mul_(root[:, None]))
        terms = (seen[:, 0] * root)[:, None] * self.continuum
        matrix = terms @ terms.transpose(1, 2)
        right = terms @ (target * root)[:, :, None]
        shape = solve_symmetric(matrix, right)[:, :, 0] @ self.continuum
        seen.mul_(shape[:, None])
        seen[:, 0] -= target
        cost, gradient, curvature = _normal_equations(seen.mul_(root[:, None]))
        mixed = seen[:, 1:] @ terms.transpose(1, 2)
        taken = mixed @ solve_symmetric(matrix, mixed.transpose(1, 2))
        return cost, gradient, curvature - taken

    @cached_property
    def _roots(self) -> torch.Tensor:
        return self.weights.sqrt()

    def _fit_continuum(
        self, model: torch.Tensor, target: torch.Tensor, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return coefficients (n, n_terms), and terms (n, n_terms, n_pixels)."""
        assert self.continuum is not None
        terms = model[:, None] * self.continuum
        weighted = terms * weights[:, None]
        matrix = weighted @ terms.transpose(1, 2)
        return solve_symmetric(matrix, weighted @ target[:, :, None])[:, :, 0], terms


def _normal_equations(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return cost, gradient and curvature of residuals and their derivatives, in one product."""
    products = rows @ rows.transpose(1, 2)
    return products[:, 0, 0], products[:, 1:, 0], products[:, 1:, 1:]


FIRST_DAMPING = 1e-3
LEAST_DAMPING, MOST_DAMPING = 1e-12, 1e10
ROUNDING = 1e-13  # of a cost: smaller differences can't be computed
SHORT = 1e-3  # of the range between the bounds: such a step may end a fit unproven
SLACK = 1e-10  # of a cost: emulators are no smoother, and a Newton step may be trusted more


class Objective(Protocol):
    """Many least-squares problems of equal size, evaluated for any of them at a time."""

    def evaluate(
        self, parameters: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        r"""Return the cost, half its gradient and half its Gauss-Newton Hessian.

        Parameters
        ----------
        parameters : tensor of shape (n_rows, n_parameters)
        rows : tensor of int of shape (n_rows,)
            Which problem each row belongs to.

        Returns
        -------
        cost : tensor of shape (n_rows,)
            :math:`r^T W r`.
        gradient : tensor of shape (n_rows, n_parameters)
            :math:`J^T W r` with :math:`J` the derivatives of the residuals.
        curvature : tensor of shape (n_rows, n_parameters, n_parameters)
            :math:`J^T W J`.
        """
        ...


@dataclass
class Minimum:
    """Where the problems ended.

    Attributes
    ----------
    parameters : tensor of shape (n, n_parameters)
    cost : tensor of shape (n,)
    curvature : tensor of shape (n, n_parameters, n_parameters)
        Half the Gauss-Newton Hessian at the minimum: the inverse covariance, if costs are chi
        squares.
    distance : tensor of shape (n,)
        Length of the last Newton step, in standard deviations.
    n_iterations : tensor of int of shape (n,)
        Evaluations of each problem.
    converged : tensor of bool of shape (n,)
    gradient : tensor of shape (n, n_parameters)
        Half the gradient of the cost: not 0 at a bound.
    """

    parameters: torch.Tensor
    cost: torch.Tensor
    curvature: torch.Tensor
    distance: torch.Tensor
    n_iterations: torch.Tensor
    converged: torch.Tensor
    gradient: torch.Tensor


def minimize(
    objective: Objective,
    start: torch.Tensor,
    lower: torch.Tensor,
    upper: torch.Tensor,
    *,
    tolerance: float,
    max_iter: int,
) -> Minimum:
    r"""Minimise every problem within bounds.

    Every problem has its own damping :math:`\lambda`; a step solves
    :math:`(H + \lambda\,\mathrm{diag} H)\,\delta = -g` over the parameters that aren't held by a
    bound, and is projected onto the bounds [1]_, [2]_. The damping follows the ratio of the cost's
    decrease to that predicted [3]_, so that problems with large residuals, whose Gauss-Newton
    steps are too long, converge too. Problems that are done leave the batch.

    Parameters
    ----------
    objective : Objective
        Costs should be chi squares: `tolerance` is in standard deviations.
    start : tensor of shape (n, n_parameters)
        Clipped to the bounds.
    lower, upper : tensor of shape (n, n_parameters) or (n_parameters,)
        Where both are equal a parameter is held.
    tolerance : float
        How far from the minimum, in standard deviations, a problem may end. It is done when a
        Newton step is so short, or if the steps before say that it will end so near.
    max_iter : int
        Evaluations per problem.

    Returns
    -------
    minimum : Minimum
        A problem whose cost isn't finite at the start has not converged.

    References
    ----------
    .. [1] Marquardt, D. 1963, SIAM J. Appl. Math. 11, 431.
    .. [2] Kanzow, C., Yamashita, N. & Fukushima, M. 2004, J. Comput. Appl. Math. 172, 375.
    .. [3] Nielsen, H. B. 1999, "Damping parameter in Marquardt's method", IMM-REP-1999-05.

    Examples
    --------
    >>> import torch
    >>> from spectragan.fitting.objective import minimize
    >>> class Square:
    ...     target = torch.tensor([[3.0], [-5.0]])
    ...     def evaluate(self, parameters, rows):
    ...         residual = parameters - self.target[rows]
    ...         return residual.square().sum(1), residual, torch.ones(len(rows), 1, 1)
    >>> zero = torch.zeros(2, 1)
    >>> found = minimize(Square(), zero, zero - 4, zero + 4, tolerance=1e-3, max_iter=9)
    >>> found.parameters.round(decimals=3)
    tensor([[ 3.],
            [-4.]])
    """
    lower, upper = (bound.expand_as(start) for bound in (lower, upper))
    state = _State(objective, start.clamp(lower, upper), lower, upper)
    for _ in range(max_iter - 1):
        active = state.undecided(tolerance)
        if not len(active):
            break
        state.advance(active)
    state.undecided(tolerance)
    return state.best


class _State:
    """The problems on their way."""

    def __init__(
        self, objective: Objective, start: torch.Tensor, lower: torch.Tensor, upper: torch.Tensor
    ) -> None:
        self.objective, self.lower, self.upper = objective, lower, upper
        n = len(start)
        cost, gradient, curvature = objective.evaluate(start, torch.arange(n))
        ones = torch.ones_like(cost)
        self.best = Minimum(start, cost, curvature, ones / 0, ones.long(), ones < 0, gradient)
        self.damping, self.growth = FIRST_DAMPING * ones, 2 * ones

    def undecided(self, tolerance: float) -> torch.Tensor:
        """Measure how far each problem has to go, and return the rows that go on."""
        best = self.best
        rows = torch.nonzero(~best.converged & (self.damping < MOST_DAMPING)).ravel()
        if len(rows):
            step = self._steps(rows, LEAST_DAMPING + 0 * self.damping[rows])
            distance = (-step * self.best.gradient[rows]).sum(1).clamp_min(0).sqrt()
            finite = torch.isfinite(distance) & torch.isfinite(best.cost[rows])
            # Distances fall by a factor per step, which the last two steps tell.
            rate = (distance / best.distance[rows]).clamp_max(1)
            rate = torch.where(torch.isfinite(best.distance[rows]), rate, 1)
            best.distance[rows] = torch.where(finite, distance, torch.inf)
            limit = (ROUNDING * best.cost[rows].abs()).sqrt().clamp_min(tolerance)
            short = (step.abs() <= SHORT * (self.upper - self.lower)[rows]).all(1)
            near = finite & (distance * torch.where(short, rate, 1) < limit)
            best.converged[rows] = near
            self._take_last(rows[near & short], step[near & short])
            self.damping[rows[~finite]] = MOST_DAMPING  # nothing to be gained from these
            rows = rows[finite & ~near]
        return rows

    def _take_last(self, rows: torch.Tensor, step: torch.Tensor) -> None:
        last = self.best.parameters[rows] + step
        self.best.parameters[rows] = last.clamp(self.lower[rows], self.upper[rows])

    def advance(self, rows: torch.Tensor) -> None:
        """Try one damped step of each problem, and take it where the cost falls."""
        best = self.best
        trial = best.parameters[rows] + self._steps(rows, self.damping[rows])
        trial = trial.clamp(self.lower[rows], self.upper[rows])
        predicted = self._predicted_decrease(rows, trial - best.parameters[rows])
        cost, gradient, curvature = self.objective.evaluate(trial, rows)
        best.n_iterations[rows] += 1
        better = cost < best.cost[rows] * (1 + SLACK)
        self._adapt_damping(rows, better, (best.cost[rows] - cost) / predicted)
        taken = rows[better]
        best.parameters[taken], best.cost[taken] = trial[better], cost[better]
        best.curvature[taken], self.best.gradient[taken] = curvature[better], gradient[better]

    def _predicted_decrease(self, rows: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        bent = (self.best.curvature[rows] @ step[:, :, None])[:, :, 0]
        decrease = -(step * (2 * self.best.gradient[rows] + bent)).sum(1)
        return decrease.clamp_min(torch.finfo(step.dtype).tiny)

    def _adapt_damping(self, rows: torch.Tensor, better: torch.Tensor, ratio: torch.Tensor) -> None:
        """Damp less where the quadratic model holds, more and more where it doesn't."""
        growth = self.growth[rows]
        less = (1 - (2 * ratio.clamp(0, 1) - 1) ** 3).clamp_min(1 / 3)
        factor = torch.where(better, less, growth)
        self.damping[rows] = (self.damping[rows] * factor).clamp_min(LEAST_DAMPING)
        self.growth[rows] = torch.where(better, 2.0, 2 * growth)

    def _steps(self, rows: torch.Tensor, damping: torch.Tensor) -> torch.Tensor:
        """Return the damped Newton steps (n_rows, n_parameters), 0 where a bound holds."""
        parameters, gradient = self.best.parameters[rows], self.best.gradient[rows]
        at_lower = (parameters <= self.lower[rows]) & (gradient >= 0)
        at_upper = (parameters >= self.upper[rows]) & (gradient <= 0)
        free = ~(at_lower | at_upper | (self.lower == self.upper)[rows])
        return solve_scaled(
            self.best.curvature[rows], torch.where(free, -gradient, 0.0), damping, free
        )


def solve_scaled(
    curvature: torch.Tensor, right: torch.Tensor, damping: torch.Tensor, free: torch.Tensor
) -> torch.Tensor:
    """Solve ``(H + damping * diag(H)) x = right`` for the free parameters of each row.

    Parameters
    ----------
    curvature : tensor of shape (n, n_parameters, n_parameters)
    right : tensor of shape (n, n_parameters)
    damping : tensor of shape (n,)
    free : tensor of bool of shape (n, n_parameters)
        The others are left out of the equations.

    Returns
    -------
    x : tensor of shape (n, n_parameters)
        0 where not free; not finite where there is no solution.
    """
    matrix, scale = scale_to_unit(curvature, free)
    matrix = matrix + torch.diag_embed(damping[:, None].expand_as(right))
    solution, info = torch.linalg.solve_ex(matrix, (right * scale)[:, :, None])
    solution = solution[:, :, 0] * scale
    return torch.where((info == 0)[:, None], solution, torch.nan) * free


def solve_symmetric(matrix: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Solve equations of terms that may be degenerate, such as those of a dead detector.

    Parameters
    ----------
    matrix : tensor of shape (n, n_terms, n_terms)
    right : tensor of shape (n, n_terms, n_columns)

    Returns
    -------
    x : tensor of shape (n, n_terms, n_columns)
    """
    size = matrix.diagonal(dim1=1, dim2=2).mean(1).clamp_min(torch.finfo(matrix.dtype).tiny)
    ridge = RIDGE * size[:, None, None] * torch.eye(matrix.shape[1])
    return torch.linalg.solve_ex(matrix + ridge, right)[0]


def scale_to_unit(curvature: torch.Tensor, free: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return curvatures with a diagonal of 1, and what they were scaled by on both sides.

    Parameters
    ----------
    curvature : tensor of shape (n, n_parameters, n_parameters)
    free : tensor of bool of shape (n, n_parameters)
        Rows and columns of the others become those of the unit matrix.

    Returns
    -------
    matrix : tensor of shape (n, n_parameters, n_parameters)
    scale : tensor of shape (n, n_parameters)
    """
    size = curvature.diagonal(dim1=1, dim2=2)
    scale = torch.where(free & (size > 0), size, 1.0).rsqrt()
    both = free[:, :, None] & free[:, None, :]
    matrix = torch.where(both, curvature * scale[:, :, None] * scale[:, None, :], 0.0)
    own = torch.where(free & (size > 0), 0.0, 1.0)
    return matrix + torch.diag_embed(own), scale

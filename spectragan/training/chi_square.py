"""Chi square of observed spectra under a forward model, with its derivatives."""

from dataclasses import dataclass

import torch

from spectragan.training.forward_model import ForwardModel

RIDGE = 1e-12  # of the continuum's own size: only singular ones feel it


@dataclass(frozen=True)
class Prior:
    """A Gaussian prior on the parameters.

    Attributes
    ----------
    mean : tensor of shape (n_parameters,)
    precision : tensor of shape (n_parameters, n_parameters)
        Inverse covariance; 0 where nothing is known beforehand.
    """

    mean: torch.Tensor
    precision: torch.Tensor

    def add_to(
        self,
        parameters: torch.Tensor,
        parts: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Add the prior to a cost, half its gradient and half its Hessian.

        Parameters
        ----------
        parameters : tensor of shape (n_rows, n_parameters)
        parts : tuple of tensors
            As `Objective.evaluate` returns them.

        Returns
        -------
        parts : tuple of tensors
        """
        cost, gradient, curvature = parts
        offset = parameters - self.mean
        pull = offset @ self.precision
        return cost + (offset * pull).sum(1), gradient + pull, curvature + self.precision

    def leading(self, n_parameters: int) -> "Prior":
        """Return the prior of the first parameters."""
        return Prior(self.mean[:n_parameters], self.precision[:n_parameters, :n_parameters])


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
    prior : Prior
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
        prior: Prior,
        continuum: torch.Tensor | None = None,
    ) -> None:
        self.forward, self.flux, self.weights = forward, flux, weights
        self.prior, self.continuum = prior, continuum

    def evaluate(
        self, parameters: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return chi square, half its gradient and half its Hessian, see `Objective`."""
        parts = [
            self._evaluate_few(rows[few], model, jacobian)
            for few, model, jacobian in self.forward.in_chunks(parameters)
        ]
        cost, gradient, curvature = (torch.cat(column) for column in zip(*parts, strict=True))
        return self.prior.add_to(parameters, (cost, gradient, curvature))

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
        flux = torch.cat([flux for _, flux, _ in self.forward.in_chunks(parameters)])
        if self.continuum is None:
            return flux
        coefficients, _, _ = self._fit_continuum(flux, self.flux[rows], self.weights[rows])
        return flux * (coefficients @ self.continuum)

    def _evaluate_few(
        self, rows: torch.Tensor, model: torch.Tensor, jacobian: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        target, weights = self.flux[rows], self.weights[rows]
        if self.continuum is None:
            residual = model - target
            weighted = jacobian * weights[:, None]
            return _normal_equations(residual, weights, jacobian, weighted)
        coefficients, terms, matrix = self._fit_continuum(model, target, weights)
        shape = coefficients @ self.continuum
        jacobian = jacobian * shape[:, None]
        weighted = jacobian * weights[:, None]
        cost, gradient, curvature = _normal_equations(
            model * shape - target, weights, jacobian, weighted
        )
        mixed = weighted @ terms.transpose(1, 2)
        taken = mixed @ torch.linalg.solve_ex(matrix, mixed.transpose(1, 2))[0]
        return cost, gradient, curvature - taken

    def _fit_continuum(
        self, model: torch.Tensor, target: torch.Tensor, weights: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return coefficients (n, n_terms), terms (n, n_terms, n_pixels), their normal matrix."""
        assert self.continuum is not None
        terms = model[:, None] * self.continuum
        weighted = terms * weights[:, None]
        matrix = weighted @ terms.transpose(1, 2)
        size = matrix.diagonal(dim1=1, dim2=2).mean(1).clamp_min(torch.finfo(matrix.dtype).tiny)
        matrix = matrix + RIDGE * size[:, None, None] * torch.eye(matrix.shape[1])
        right = (weighted @ target[:, :, None])[:, :, 0]
        return torch.linalg.solve_ex(matrix, right)[0], terms, matrix


def _normal_equations(
    residual: torch.Tensor, weights: torch.Tensor, jacobian: torch.Tensor, weighted: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    cost = (weights * residual.square()).sum(1)
    gradient = (weighted @ residual[:, :, None])[:, :, 0]
    return cost, gradient, weighted @ jacobian.transpose(1, 2)

"""Fit labels and nuisances to many spectra: a blind start, then the exact minimum."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch

from spectragan.fitting.companions import DETECTED, CompanionSearch, Residuals
from spectragan.fitting.covariance import bounded_covariance
from spectragan.fitting.found import (
    CONVERGED,
    NOT_FINITE,
    STOPPED,
    TOO_FEW_PIXELS,
    LabelFit,
    chi2_significance,
)
from spectragan.fitting.model import CACHE_ROWS, ForwardModel
from spectragan.fitting.noise import correlated_products, lumped, spread_of_squares
from spectragan.fitting.objective import ChiSquare, Minimum, minimize, solve_symmetric
from spectragan.fitting.priors import Prior
from spectragan.fitting.starts import BlindStart, FitSettings

TOLERANCE = 1e-4  # standard deviations
BROADENING_REACH = 3.0  # standard deviations of the widest Gaussian that must lie on the grid
AT_BOUND = 1e-6  # of the range
LEAST_BROADENING = 1e-3  # km/s: at 0 itself chi square has no slope, and errors no size
SUSPECT = 1.0  # standard deviations of chi square above what chance gives
TINY = 1e-300  # a variance of perfect fits


class LabelFitter:
    """Fits a forward model to batches of spectra.

    Parameters
    ----------
    forward : ForwardModel
    grid : tensor of shape (n_grid, n_labels)
        Labels of the models that blind starts are chosen from.
    settings : FitSettings
    usable : ndarray of bool of shape (n_pixels,)
        Pixels that the model describes.
    continuum : tensor of shape (n_terms, n_pixels) or None
        Polynomials fitted with the labels.
    correlation : ndarray of shape (n_distances,), default=()
        Of the noise of pixels 1, 2, ... apart.
    """

    def __init__(
        self,
        forward: ForwardModel,
        grid: torch.Tensor,
        settings: FitSettings,
        usable: np.ndarray,
        continuum: torch.Tensor | None = None,
        correlation: np.ndarray | Sequence[float] = (),
    ) -> None:
        self.correlation = np.asarray(correlation, dtype=float)
        self.lumped = lumped(self.correlation)
        self.forward, self.settings, self.continuum = forward, settings, continuum
        self._grid = grid
        self.n_terms = 0 if continuum is None else len(continuum)
        self.usable = torch.as_tensor(self._described(usable))
        if not bool(self.usable.any()):
            raise ValueError(
                "`bounds` of velocity and broadening, in km/s, must leave pixels that stay on the "
                "grid; got none that do; narrow them, or give Quantities with their unit."
            )

    def described(self, weights: np.ndarray) -> np.ndarray:
        """Tell which pixels have a model: not those of a chunk of whose continuum nothing is known.

        Parameters
        ----------
        weights : ndarray of shape (n_spectra, n_pixels)

        Returns
        -------
        described : ndarray of bool of shape (n_spectra, n_pixels)
        """
        usable = self.usable.expand(len(weights), -1)
        if self.continuum is not None:
            alive = self._alive(torch.from_numpy(np.array(weights, dtype=float)) * usable)
            usable = usable & (alive.double() @ (self.continuum != 0).double() > 0)
        return usable.numpy()

    def _alive(self, w: torch.Tensor) -> torch.Tensor:
        """Tell which terms of the continuum (n, n_terms) have a good pixel."""
        if self.continuum is None:
            return torch.zeros(len(w), 0, dtype=torch.bool)
        return (w > 0).double() @ (self.continuum != 0).double().T > 0

    @cached_property
    def blind(self) -> BlindStart:
        """What finds starts: thousands of models, which a likelihood alone doesn't need."""
        return BlindStart(self.forward, self._grid, self.settings, self.continuum)

    def _described(self, usable: np.ndarray) -> np.ndarray:
        """Tell which pixels the model has flux for, whatever the nuisances."""
        if self.forward.grid is None:
            return usable
        ends = torch.stack([self.settings.lower, self.settings.upper])[:, self.forward.n_inner :]
        velocity, broadening = self.forward.split_nuisances(ends)
        reach = float(velocity.abs().max() + BROADENING_REACH * broadening.max())
        return self.forward.grid.inside(reach, usable)

    def fit(
        self,
        flux: np.ndarray,
        weights: np.ndarray,
        known: np.ndarray,
        split: np.ndarray | None = None,
        prior: Prior | None = None,
        *,
        examine: bool = False,
    ) -> LabelFit:
        """Fit spectra.

        Parameters
        ----------
        flux, weights : ndarray of shape (n_spectra, n_pixels)
            Finite; weights are inverse variances, or 0 and 1 where the noise isn't known.
        known : ndarray of bool of shape (n_spectra,)
        split : ndarray of shape (n_spectra, n_split), default=None
            Holds the split latents at these values; None fits them.
        prior : Prior, default=None
            Of each spectrum; None takes that of the settings.
        examine : bool, default=False
            Whether to look for other labels that fit as well.

        Returns
        -------
        fit : LabelFit
        """
        prior = prior or self.settings.prior
        # Correlated pixels count for fewer: else a prior would be outvoted.
        y, w = self._tensors(flux, weights / self.lumped)
        lower, upper = self._bounds(len(y), split)
        column = self._broadening
        if column is not None:
            least = torch.minimum(upper[:, column], torch.tensor(LEAST_BROADENING))
            lower[:, column] = torch.maximum(lower[:, column], least)
        dof = (w > 0).sum(1) - (lower < upper).sum(1) - self._alive(w).sum(1)
        rows = torch.nonzero(dof > 0).ravel()
        result = self._empty(np.asarray(known, dtype=bool), dof)
        if len(rows):
            if len(rows) < len(y):
                y, w, lower, upper = (a[rows] for a in (y, w, lower, upper))
            unknown, prior = torch.as_tensor(~result.known)[rows], prior.of(rows)
            starts = self.blind.find(y, w, lower, upper, unknown, prior)
            spoiled = torch.where(unknown, self.lumped, 1.0)  # w has it where noise is known
            scale = 1 / (starts.noise * spoiled)
            minimum = self._refine(y, w, lower, upper, starts.parameters, scale, prior)
            if unknown.any() and bool(prior.precision.any()):
                # Only now is the noise known that the prior has to be weighed against.
                measured = scale * dof[rows] / (minimum.cost * self.lumped)
                scale = torch.where(unknown, measured, scale)
                minimum = self._refine(y, w, lower, upper, minimum.parameters, scale, prior)
            self._store(result, rows, minimum, scale, unknown, lower, upper, prior, (y, w))
            if examine:
                rivals = self.blind.rivals(starts, minimum.parameters, lower, upper)
                result.ambiguous[rows.numpy()] = rivals.numpy()
        return result

    def objective(self, flux: np.ndarray, weights: np.ndarray) -> ChiSquare:
        """Return chi square of spectra, without a prior, as a function of all parameters.

        Parameters
        ----------
        flux, weights : ndarray of shape (n_spectra, n_pixels)

        Returns
        -------
        objective : ChiSquare
        """
        y, w = self._tensors(flux, weights)
        return ChiSquare(self.forward, y, w, None, self.continuum)

    def lack_of_fit(
        self, flux: np.ndarray, weights: np.ndarray, parameters: np.ndarray
    ) -> np.ndarray:
        """Return by how much any combination of the models' leading components fits better.

        Parameters
        ----------
        flux, weights : ndarray of shape (n_spectra, n_pixels)
        parameters : ndarray of shape (n_spectra, n_parameters)
            Of the best fits, finite.

        Returns
        -------
        gain : ndarray of shape (n_spectra,)
            Difference of chi squares per degree of freedom: near 1 if the model is right.
        """
        objective = self.objective(flux, weights)
        theta, gains = torch.as_tensor(parameters), []
        for rows in torch.arange(len(theta)).split(CACHE_ROWS):
            residual = objective.flux[rows] - objective.model(theta[rows], rows)
            nuisances = theta[rows, self.forward.n_inner :]
            gains.append(self.blind.explained(residual, objective.weights[rows], nuisances))
        dof = max(1, self.blind.n_components - self.forward.n_inner)
        return (torch.cat(gains) / dof / self.lumped).numpy()

    def find_companions(
        self, flux: np.ndarray, weights: np.ndarray, fit: LabelFit, search: CompanionSearch
    ) -> None:
        """Flag spectra that two stars fit far better.

        Parameters
        ----------
        flux, weights : ndarray of shape (n_spectra, n_pixels)
        fit : LabelFit
            Its flags are set.
        search : CompanionSearch
        """
        some = np.isfinite(fit.chi2) & (fit.dof > 0)
        # Nothing is to be gained where the fit is good.
        some &= ~fit.known | ~(chi2_significance(fit.chi2, fit.dof, fit.spread) < SUSPECT)
        rows = np.flatnonzero(some)
        if not len(rows):
            return
        dof = torch.as_tensor(fit.dof[rows])
        # Where weights are no inverse variances, residuals tell what they are.
        noise = np.where(fit.known[rows], 1.0, fit.chi2[rows] / fit.dof[rows]) * self.lumped
        objective = self.objective(flux[rows], weights[rows] / np.maximum(noise, TINY)[:, None])
        theta, found = torch.as_tensor(fit.parameters[rows]), []
        for few, model, tangents in objective.linearised(theta, torch.arange(len(theta))):
            residual = objective.flux[few] - model
            left = Residuals(residual, objective.weights[few], model, tangents)
            found.append(search.significance(left, dof[few]))
        fit.binary[rows] = torch.cat(found).numpy() > DETECTED

    def _tensors(self, flux: np.ndarray, weights: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
        # Copies: the arrays may be read-only, or maps of files.
        y, w = (torch.from_numpy(np.array(a, dtype=float)) for a in (flux, weights))
        return y, w if bool(self.usable.all()) else w * self.usable

    def _bounds(self, n: int, split: np.ndarray | None) -> tuple[torch.Tensor, torch.Tensor]:
        bounds = [b.repeat(n, 1) for b in (self.settings.lower, self.settings.upper)]
        if split is not None:
            for bound in bounds:
                bound[:, self.forward.model.n_labels : self.forward.n_inner] = torch.as_tensor(
                    split
                )
        return bounds[0], bounds[1]

    def _refine(
        self,
        y: torch.Tensor,
        w: torch.Tensor,
        lower: torch.Tensor,
        upper: torch.Tensor,
        start: torch.Tensor,
        scale: torch.Tensor,
        prior: Prior,
    ) -> Minimum:
        if not bool((scale == 1).all()):
            w = w * scale[:, None]
        objective = ChiSquare(self.forward, y, w, prior, self.continuum)
        return minimize(
            objective, start, lower, upper, tolerance=TOLERANCE, max_iter=self.settings.max_iter
        )

    def _empty(self, known: np.ndarray, dof: torch.Tensor) -> LabelFit:
        n, n_parameters = len(known), self.forward.n_parameters
        return LabelFit(
            parameters=np.full((n, n_parameters), np.nan),
            covariance=np.full((n, n_parameters, n_parameters), np.nan),
            chi2=np.full(n, np.nan),
            dof=dof.numpy(),
            n_iterations=np.zeros(n, dtype=int),
            status=np.full(n, TOO_FEW_PIXELS),
            at_bound=np.zeros((n, n_parameters), dtype=bool),
            known=known,
            unbounded=np.zeros((n, n_parameters), dtype=bool),
            ambiguous=np.zeros(n, dtype=bool),
            binary=np.zeros(n, dtype=bool),
            spread=np.full(n, spread_of_squares(self.correlation)),
        )

    def _store(
        self,
        result: LabelFit,
        rows: torch.Tensor,
        minimum: Minimum,
        scale: torch.Tensor,
        unknown: torch.Tensor,
        lower: torch.Tensor,
        upper: torch.Tensor,
        prior: Prior,
        data: tuple[torch.Tensor, torch.Tensor],
    ) -> None:
        parameters = minimum.parameters
        chi2 = minimum.cost - prior.penalty(parameters)
        # Where errors are unknown the residuals stand for them.
        dof = torch.as_tensor(result.dof)[rows]
        n_fitted = (data[1] > 0).sum(1) - dof  # these take up more of noise that pixels share
        per_dof = chi2 * self.lumped / (dof - (self.lumped - 1) * n_fitted).clamp_min(1)
        left = torch.where(unknown, per_dof, 1.0)
        curvature = minimum.curvature / left[:, None, None]
        limits = upper.clone()
        if self._broadening is not None:
            limits[:, self._broadening] = torch.inf  # near 0 its error isn't known yet
        covariance, unbounded = bounded_covariance(curvature, lower, limits)
        if len(self.correlation):
            excess = self._excess(parameters, data[0], data[1] * (scale / left)[:, None])
            covariance += covariance @ excess @ covariance
        if self._broadening is not None:
            self._widen(covariance, parameters, minimum.gradient, left)
        slack = AT_BOUND * (upper - lower)
        at_bound = (parameters - lower <= slack) | (upper - parameters <= slack)
        if self._broadening is not None:
            held = (
                parameters[:, self._broadening]
                <= lower[:, self._broadening] + slack[:, self._broadening]
            )
            floor = self.settings.lower[self._broadening]
            parameters[held, self._broadening] = floor
        finite = torch.isfinite(minimum.cost)
        status = torch.where(minimum.converged, CONVERGED, STOPPED)
        status = torch.where(finite, status, NOT_FINITE)
        where = rows.numpy()
        result.parameters[where] = torch.where(finite[:, None], parameters, torch.nan).numpy()
        result.covariance[where] = covariance.numpy()
        result.chi2[where] = (chi2 / scale * self.lumped).numpy()
        result.n_iterations[where] = minimum.n_iterations.numpy()
        result.status[where] = status.numpy()
        result.at_bound[where] = (at_bound & (lower < upper)).numpy()
        result.unbounded[where] = unbounded.numpy()

    def _excess(self, parameters: torch.Tensor, y: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        """Return what correlated noise adds to the covariance of half the gradient of chi square.

        Parameters
        ----------
        parameters : tensor of shape (n, n_parameters)
        y, w : tensors of shape (n, n_pixels)
            Weights are inverse variances, divided by the pixels that tell as much as one.
        """
        objective, n = ChiSquare(self.forward, y, w, None, self.continuum), parameters.shape[1]
        everything, parts = torch.arange(len(parameters)), []
        for rows, _, tangents in objective.linearised(parameters, everything):
            both = tangents * w[rows].sqrt()[:, None]
            theta, terms = both[:, :n], both[:, n:]
            if terms.shape[1]:  # the continuum has taken its share
                matrix = terms @ terms.transpose(1, 2)
                mixed = terms @ theta.transpose(1, 2)
                theta = theta - solve_symmetric(matrix, mixed).transpose(1, 2) @ terms
            own = theta @ theta.transpose(1, 2)
            shared = correlated_products(theta, self.correlation)
            parts.append((own + shared) / self.lumped - own)
        return torch.cat(parts)

    @property
    def _broadening(self) -> int | None:
        """Which parameter is the broadening, if one is."""
        names = self.forward.nuisances
        return self.forward.n_inner + names.index("broadening") if "broadening" in names else None

    def _widen(
        self,
        covariance: torch.Tensor,
        parameters: torch.Tensor,
        gradient: torch.Tensor,
        left: torch.Tensor,
    ) -> None:
        r"""Give broadenings near 0 the error within which chi square rises by 1.

        Chi square is a parabola in the square :math:`s` of the broadening, not in itself.
        """
        column = self._broadening
        value = parameters[:, column].clamp_min(LEAST_BROADENING)
        old = covariance[:, column, column].sqrt()
        # A variance in s is the one in the broadening times (ds / d broadening) squared.
        curvature = 1 / (2 * value * old).square()
        slope = (gradient[:, column] / left / (2 * value)).clamp_min(0)
        rise = 1 / (slope + (slope.square() + curvature).sqrt())
        new = (value.square() + rise).sqrt() - value
        factor = torch.ones_like(covariance[:, 0])
        factor[:, column] = torch.where((old > 0) & torch.isfinite(new), new / old, 1.0)
        covariance *= factor[:, :, None] * factor[:, None, :]

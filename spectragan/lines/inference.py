"""Labels of observed spectra as Gaussian posteriors, from any part of the pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from spectragan.lines.slopes import MAD_TO_SIGMA

CHUNK_ROWS = 64  # spectra whose derivatives are in memory at a time
LEAST_VARIANCE = 1.0  # in units of the errors given: these are believed, unless too small
CONTINUUM_SPREAD = 0.01  # of the continuum: spectra are normalised
BROADENING_SPREAD = 0.2  # pixels squared: spectra are brought to one resolution
NUISANCE_REACH = 5.0  # of these spreads
MAX_RATIO = 1e6  # of a population's covariance: labels that hardly vary keep it invertible


@dataclass(frozen=True)
class Population:
    """Which labels the observed stars are taken to have.

    Attributes
    ----------
    mean : ndarray of shape (n_labels,)
    covariance : ndarray of shape (n_labels, n_labels)
    """

    mean: np.ndarray
    covariance: np.ndarray

    @property
    def precision(self) -> np.ndarray:
        """Inverse of the covariance, (n_labels, n_labels)."""
        return np.linalg.inv(self.covariance)

    @property
    def spread(self) -> np.ndarray:
        """Standard deviations, (n_labels,)."""
        return np.sqrt(np.diag(self.covariance))


@dataclass(frozen=True)
class Linearization:
    """Chi square of every spectrum near some labels, by groups of pixels.

    Attributes
    ----------
    labels : ndarray of shape (n_spectra, n_labels)
        Where the model was expanded.
    curvature : ndarray of shape (n_spectra, n_groups, n_labels, n_labels)
        Fisher information in each group of pixels.
    gradient : ndarray of shape (n_spectra, n_groups, n_labels)
        Weighted residuals, projected on the derivatives.
    """

    labels: np.ndarray
    curvature: np.ndarray
    gradient: np.ndarray

    def posterior(
        self, population: Population, *, without: int | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean and covariance of the labels of every spectrum.

        Parameters
        ----------
        population : Population
        without : int, default=None
            A group of pixels to leave out; the first group must hold all pixels. None uses them.

        Returns
        -------
        labels : ndarray of shape (n_spectra, n_labels)
        covariance : ndarray of shape (n_spectra, n_labels, n_labels)
        """
        curvature, gradient = self._information(without), self.gradient[:, 0]
        if without is not None:
            gradient = gradient - self.gradient[:, without]
        precision = population.precision
        covariance = np.linalg.inv(curvature + precision)
        pull = gradient + (population.mean - self.labels) @ precision
        return self.labels + np.einsum("nij,nj->ni", covariance, pull), covariance

    def reliability(self, population: Population, *, without: int | None = None) -> np.ndarray:
        """Return how much of what other labels leave open the spectra tell of every label.

        Parameters
        ----------
        population : Population
        without : int, default=None
            As for `posterior`.

        Returns
        -------
        reliability : ndarray of shape (n_labels,)
            Mean over the spectra of information gained by information in the end: 0 where no
            pixel depends on the label.
        """
        gained = np.einsum("nll->nl", self._information(without))
        return (gained / (gained + np.diag(population.precision))).mean(axis=0)

    def _information(self, without: int | None) -> np.ndarray:
        everything = self.curvature[:, 0]
        return everything if without is None else everything - self.curvature[:, without]


def population_of(labels: np.ndarray) -> Population:
    """Return mean and covariance of a sample of labels.

    Parameters
    ----------
    labels : ndarray of shape (n_samples, n_labels)

    Returns
    -------
    population : Population
    """
    covariance = np.atleast_2d(np.cov(labels.T))
    # Labels that follow exactly from others would make it singular.
    spread = np.sqrt(np.diag(covariance))
    spread = np.where(spread > 0, spread, 1.0)
    covariance = covariance + np.diag(spread**2) / MAX_RATIO
    return Population(labels.mean(axis=0), covariance)


def linearize(
    model: Any, parameters: np.ndarray, flux: np.ndarray, weights: np.ndarray, groups: np.ndarray
) -> Linearization:
    """Expand chi square of spectra around parameters.

    Parameters
    ----------
    model : StarModel
    parameters : ndarray of shape (n_spectra, n_parameters)
        Brought into the model's range.
    flux, weights : ndarray of shape (n_spectra, n_pixels)
        Weights are inverse variances up to a factor per spectrum; 0 where a pixel is ignored.
    groups : ndarray of bool of shape (n_groups, n_pixels)

    Returns
    -------
    linearization : Linearization
    """
    n, n_parameters = parameters.shape
    parameters = np.clip(parameters, *model.range)
    curvature = np.empty((n, len(groups), n_parameters, n_parameters))
    gradient = np.empty((n, len(groups), n_parameters))
    for start in range(0, n, CHUNK_ROWS):
        rows = slice(start, start + CHUNK_ROWS)
        emulated, slopes = model.with_jacobian(parameters[rows])
        root = np.sqrt(np.where(np.isfinite(emulated), weights[rows], 0.0))
        residual = np.where(root > 0, flux[rows] - emulated, 0.0) * root
        # No model is exact, and some errors aren't known: residuals must not be worth more
        # than they are.
        scale = 1 / np.sqrt(np.maximum(_noise_variance(residual, root), LEAST_VARIANCE))
        residual *= scale
        slopes = np.where(root[:, None] > 0, slopes, 0.0) * (root * scale)[:, None]
        for g, group in enumerate(groups):
            part = slopes if group.all() else slopes[:, :, group]
            curvature[rows, g] = part @ part.swapaxes(1, 2)
            gradient[rows, g] = (part @ residual[:, group, None])[:, :, 0]
    return Linearization(parameters, curvature, gradient)


def infer_labels(
    model: Any,
    flux: np.ndarray,
    weights: np.ndarray,
    population: Population,
    groups: np.ndarray,
    *,
    start: np.ndarray | None = None,
    n_steps: int = 2,
) -> Linearization:
    """Expand chi square of spectra around their most probable parameters.

    Parameters
    ----------
    model : StarModel
    flux, weights : ndarray of shape (n_spectra, n_pixels)
        As for `linearize`.
    population : Population
        The prior.
    groups : ndarray of bool of shape (n_groups, n_pixels)
        All pixels first.
    start : ndarray of shape (n_spectra, n_parameters), default=None
        None starts at the population's mean.
    n_steps : int, default=2
        Gauss-Newton steps before the expansion, which allows another one.

    Returns
    -------
    linearization : Linearization
    """
    parameters = np.tile(population.mean, (len(flux), 1)) if start is None else start
    for _ in range(n_steps):
        expanded = linearize(model, parameters, flux, weights, groups[:1])
        parameters, _ = expanded.posterior(population)
    return linearize(model, parameters, flux, weights, groups)


def _noise_variance(residual: np.ndarray, root: np.ndarray) -> np.ndarray:
    """Return the variance of the residuals of every spectrum, (n_spectra, 1), outliers aside."""
    sizes = np.where(root > 0, np.abs(residual), np.nan)
    empty = ~(root > 0).any(axis=1)
    sizes[empty] = 1.0
    return (MAD_TO_SIGMA * np.nanmedian(sizes, axis=1, keepdims=True)) ** 2


class StarModel:
    """A model times a polynomial, and broadened, as each star has it.

    Parameters
    ----------
    model : SpectrumEmulator or ObservedEmulator
        Has `predict`, `jacobian` and `label_range_`.
    n_pixels : int
    degree : int
        Of the polynomial; -1 leaves it out.

    Notes
    -----
    Parameters of a star are its labels, the polynomial's coefficients, and half the variance of a
    Gaussian (pixels squared), to first order: a broadened spectrum is :math:`f + b f''`. Negative
    values are sharper.
    """

    def __init__(self, model: Any, n_pixels: int, degree: int) -> None:
        self.model = model
        position = np.linspace(-1.0, 1.0, n_pixels)
        self.terms = np.polynomial.chebyshev.chebvander(position, max(degree, 0)).T[: degree + 1]
        self.n_labels = np.shape(model.label_range_)[1]
        self.spread = np.append(CONTINUUM_SPREAD * np.ones(len(self.terms)), BROADENING_SPREAD)
        reach = NUISANCE_REACH * self.spread
        self.range = np.column_stack([model.label_range_, [-reach, reach]])

    def population(self, labels: np.ndarray) -> Population:
        """Return the population of labels and of small nuisances.

        Parameters
        ----------
        labels : ndarray of shape (n_samples, n_labels)

        Returns
        -------
        population : Population
        """
        stars, n = population_of(labels), self.n_labels
        covariance = np.diag(np.append(np.ones(n), self.spread**2))
        covariance[:n, :n] = stars.covariance
        return Population(np.append(stars.mean, np.zeros(len(self.spread))), covariance)

    def predict(self, parameters: np.ndarray) -> np.ndarray:
        """Return flux of shape (n_spectra, n_pixels).

        Parameters
        ----------
        parameters : ndarray of shape (n_spectra, n_parameters)

        Returns
        -------
        flux : ndarray of shape (n_spectra, n_pixels)
        """
        labels, continuum, broadening = self._split(np.clip(parameters, *self.range))
        flux = self.model.predict(labels)
        return (flux + broadening * _bend(flux)) * (1.0 + continuum @ self.terms)

    def with_jacobian(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return flux and its derivatives.

        Parameters
        ----------
        parameters : ndarray of shape (n_spectra, n_parameters)

        Returns
        -------
        flux : ndarray of shape (n_spectra, n_pixels)
        jacobian : ndarray of shape (n_spectra, n_parameters, n_pixels)
            Broadening changes derivatives by labels too little to matter for a step.
        """
        labels, continuum, broadening = self._split(parameters)
        factor = 1.0 + continuum @ self.terms
        bend = _bend(flux := self.model.predict(labels))
        flux = flux + broadening * bend
        jacobian = np.empty((len(labels), parameters.shape[1], flux.shape[1]))
        slopes = self.model.jacobian(labels).swapaxes(1, 2)
        np.multiply(slopes, factor[:, None], out=jacobian[:, : self.n_labels])
        np.multiply(flux[:, None], self.terms, out=jacobian[:, self.n_labels : -1])
        jacobian[:, -1] = bend * factor
        return flux * factor, jacobian

    def jacobian(self, parameters: np.ndarray) -> np.ndarray:
        """Return the derivatives alone, with parameters last, as emulators have them.

        Parameters
        ----------
        parameters : ndarray of shape (n_spectra, n_parameters)

        Returns
        -------
        jacobian : ndarray of shape (n_spectra, n_pixels, n_parameters)
        """
        return self.with_jacobian(parameters)[1].swapaxes(1, 2)

    def _split(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        n = self.n_labels
        return parameters[:, :n], parameters[:, n:-1], parameters[:, -1:]


def _bend(flux: np.ndarray) -> np.ndarray:
    """Return the second derivative along the pixels, 0 at the ends."""
    bend = np.zeros_like(flux)
    bend[:, 1:-1] = flux[:, :-2] - 2 * flux[:, 1:-1] + flux[:, 2:]
    return bend

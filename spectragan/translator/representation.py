"""What the translator's networks see of spectra, and the full-pixel head behind them.

At the end: does what latents say fit into the subspace? If not, more components are needed.
"""

import warnings
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from spectragan.exceptions import SubspaceTruncationWarning
from spectragan.training.inference import map_padded
from spectragan.translator.domain_data import Domain, DomainData, Rows
from spectragan.translator.networks.contract import OBSERVED, SYNTHETIC, TranslatorNetwork
from spectragan.translator.networks.pixels import PixelTranslator, SubspacePixels, head_features
from spectragan.translator.subspace import Subspace

N_FOLDS = 5
# Ridge per star, relative to the mean square of a feature; the last one switches the head off.
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 1e6)
CHUNK_PIXELS = 1024
PENALTY_PIXELS = 1000  # over which held-out errors are summed


def fit_head(features: np.ndarray, residual: np.ndarray, weights: np.ndarray) -> np.ndarray:
    r"""Regress the residual spectra on functions of the latents, pixel by pixel.

    .. math:: \min_{h_j} \sum_i w_{ij} (r_{ij} - \phi_i h_j)^2 + \lambda |h_j|^2

    Parameters
    ----------
    features : ndarray of shape (n_spectra, n_features)
        The functions :math:`\phi` of the latents.
    residual : ndarray of shape (n_spectra, n_pixels)
        What the components leave out; finite everywhere.
    weights : ndarray of shape (n_spectra, n_pixels)
        Inverse variances; 0 where a pixel is ignored.

    Returns
    -------
    head : ndarray of shape (n_features, n_pixels)

    Notes
    -----
    The penalty is one for all pixels, chosen by cross-fitting over spectra at some of them: so
    noise in a small set can't become structure in the translated spectra.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.translator.representation import fit_head
    >>> latents = np.linspace(-1, 1, 50)[:, None]
    >>> fit_head(latents, 0.3 * latents, np.ones((50, 1))).round(2)
    array([[0.3]])
    """
    weights = weights / max(float(weights.max(initial=0.0)), np.finfo(float).tiny)
    if len(features) < 2 * N_FOLDS:
        return np.zeros((features.shape[1], residual.shape[1]))
    folds = np.arange(len(features)) % N_FOLDS
    even = bool((weights == weights[:, :1]).all())  # then one matrix serves all pixels
    some = slice(None, None, -(-residual.shape[1] // PENALTY_PIXELS))
    parts = [
        _fold_sums(features, residual[:, some], weights[:, some], folds == k, even=even)
        for k in range(N_FOLDS)
    ]
    penalty = PENALTIES[int(_held_out_errors(parts).argmin())]
    blocks = [slice(i, i + CHUNK_PIXELS) for i in range(0, residual.shape[1], CHUNK_PIXELS)]
    return np.hstack(
        [
            _solve(*_normal(features, residual[:, b], weights[:, b], even=even), penalty)
            for b in blocks
        ]
    )


def fit_head_to_blocks(blocks: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> np.ndarray:
    """Do as `fit_head` does, with spectra that come block by block and are seen once.

    Parameters
    ----------
    blocks : iterable of tuples (features, residual, weights)
        As `fit_head` takes them; at least 10 spectra in all.

    Returns
    -------
    head : ndarray of shape (n_features, n_pixels)
        The same but for the pixels that choose the penalty: all of them.
    """
    parts, first = None, 0
    for features, residual, weights in blocks:
        folds = np.arange(first, first + len(features)) % N_FOLDS
        new = [_fold_sums(features, residual, weights, folds == k) for k in range(N_FOLDS)]
        if parts is None:
            parts = new
        else:
            for sums, more in zip(parts, new, strict=True):
                for total, part in zip(sums, more, strict=True):
                    total += part
        first += len(features)
    assert parts is not None
    n_pixels = len(parts[0][0])
    pixels = [slice(i, i + CHUNK_PIXELS) for i in range(0, n_pixels, CHUNK_PIXELS)]
    chunks = [[[array[block] for array in sums] for sums in parts] for block in pixels]
    errors = np.sum([_held_out_errors(chunk) for chunk in chunks], axis=0)
    penalty = PENALTIES[int(errors.argmin())]
    totals = ([np.sum(column, axis=0) for column in zip(*chunk, strict=True)] for chunk in chunks)
    return np.hstack([_solve(gram, moment, penalty) for gram, moment, _ in totals])


def _fold_sums(
    features: np.ndarray,
    residual: np.ndarray,
    weights: np.ndarray,
    fold: np.ndarray,
    *,
    even: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Gram matrices, moments, and weighted squares (n_pixels,) of some spectra."""
    weights, residual = weights[fold], residual[fold]
    gram, moment = _normal(features[fold], residual, weights, even=even)
    return gram, moment, (weights * residual**2).sum(axis=0)


def _held_out_errors(parts: Sequence[Sequence[np.ndarray]]) -> np.ndarray:
    """Return the held-out errors of every penalty, from the sums of every fold."""
    total = [sum(column) for column in zip(*parts, strict=True)]
    errors = np.zeros(len(PENALTIES))
    for gram, moment, square in parts:
        for i, penalty in enumerate(PENALTIES):
            head = _solve(total[0] - gram, total[1] - moment, penalty).T
            explained = ((gram @ head[..., None])[..., 0] - 2 * moment) * head
            errors[i] += square.sum() + explained.sum()
    return errors


def _normal(
    features: np.ndarray, residual: np.ndarray, weights: np.ndarray, *, even: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Return Gram matrices (n_pixels, f, f), one where weights are `even`, and moments."""
    moment = (weights * residual).T @ features
    if even:
        return (features * weights[:, :1]).T[None] @ features, moment
    n = features.shape[1]
    first, second = np.triu_indices(n)
    gram = np.empty((weights.shape[1], n, n))
    gram[:, first, second] = gram[:, second, first] = weights.T @ (
        features[:, first] * features[:, second]
    )
    return gram, moment


def _solve(gram: np.ndarray, moment: np.ndarray, penalty: float) -> np.ndarray:
    """Return the head of shape (n_features, n_pixels)."""
    n = gram.shape[1]
    size = np.einsum("jff->j", gram)[:, None, None] / n + np.finfo(float).tiny
    matrix = gram + penalty * size * np.eye(n)
    if len(matrix) == 1:
        return np.linalg.solve(matrix[0], moment.T)
    return np.linalg.solve(matrix, moment[..., None])[..., 0].T


# Errors are taken to be at least this part of the largest spread: without a floor, spectra of
# high S/N ask for a reconstruction better than any network's and drown the other losses.
ERROR_FLOOR = 0.03
SMALLEST_FLOOR = 1e-6  # of the largest spread: of smaller ones no weights can be made
MAP_PIXELS = 1000  # pixels that the identity loss looks at; neighbours say the same


def _checked_floor(floor: float | None, subspace: Subspace) -> float | None:
    smallest = SMALLEST_FLOOR * float(subspace.spread.max())
    if floor is not None and floor < smallest:
        raise ValueError(
            "`error_floor` must be at least a millionth of the scatter of the spectra, "
            f"{smallest:.3g}; got {floor:g}; give it in the unit of flux, or None."
        )
    return floor


class SubspaceRepresentation:
    """Spectra as scaled coefficients in the joint subspace.

    Parameters
    ----------
    subspace : Subspace
    error_floor : float, default=None
        Smallest error of a coefficient, which is that of a pixel where all are alike. None takes
        a part of the largest spread. Rows are made with it, and files don't keep it.

    Notes
    -----
    A row has its coefficients ``x``, the factor ``metric`` that turns an error of `x` into one of
    unit variance, and the factor ``noise`` that turns white noise into that of the spectrum.
    """

    _kept: ClassVar = {"subspace": "Subspace k p"}

    def __init__(self, subspace: Subspace, error_floor: float | None = None) -> None:
        self.subspace = subspace
        self.scale = subspace.spread
        self.error_floor = _checked_floor(error_floor, subspace)

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return len(self.scale)

    def fill(self, data: DomainData, domain: int) -> np.ndarray:
        """Return spectra that a projection can read: noisy or masked ones as reconstructed.

        Parameters
        ----------
        data : DomainData
        domain : {0, 1}

        Returns
        -------
        flux : ndarray of shape (n_spectra, n_pixels)
        """
        flux = np.array(data.flux, dtype=float)
        even = (data.weights == data.weights[:, :1]).all(axis=1) & data.good[:, 0]
        uneven = ~even
        if uneven.any():
            weights = np.where(data.good, data.weights, 0)[uneven]
            coefficients, _ = self.subspace.project(flux[uneven], weights, domain)
            flux[uneven] = self.subspace.reconstruct(coefficients, domain)
        return flux

    def rows(
        self, data: DomainData, domain: int, coefficients: np.ndarray, covariance: np.ndarray
    ) -> Rows:
        """Return training rows.

        Parameters
        ----------
        data : DomainData
        domain : {0, 1}
        coefficients : ndarray of shape (n_spectra, n_components)
        covariance : ndarray of shape (n_spectra, n_components, n_components)
            As the subspace's projection gives them.

        Returns
        -------
        rows : dict of tensors ``x``, ``metric`` and ``noise``
        """
        covariance = covariance * self._left_out(data, coefficients, domain)[:, None, None]
        noise = covariance * data.known[:, None, None]
        floor = (ERROR_FLOOR * self.scale.max()) ** 2 * np.eye(self.size)
        smallest = floor if self.error_floor is None else self.error_floor**2 * np.eye(self.size)
        error = covariance * ~data.exact[:, None, None] + smallest
        metric = np.linalg.cholesky(np.linalg.inv(error)).transpose(0, 2, 1) * self.scale
        factor = np.linalg.cholesky(noise + 1e-6 * floor) / self.scale[:, None]
        factor = factor * data.known[:, None, None]
        arrays = {"x": coefficients / self.scale, "metric": metric, "noise": factor}
        return {name: as_tensor(array) for name, array in arrays.items()}

    def _left_out(self, data: DomainData, coefficients: np.ndarray, domain: int) -> np.ndarray:
        """Return the variance of a pixel in units of the one assumed: 1 where errors are known."""
        residual = data.flux - self.subspace.reconstruct(coefficients, domain)
        squares = np.where(data.good, residual, 0.0) ** 2
        mean = squares.sum(axis=1) / np.maximum(data.good.sum(axis=1), 1)
        return np.where(data.known, 1.0, mean)

    def start(self, x: torch.Tensor, translation: np.ndarray) -> torch.Tensor:
        """Return synthetic rows translated by the linear start.

        Parameters
        ----------
        x : tensor of shape (n_spectra, n_components)
        translation : ndarray of shape (n_components, n_components)
            Acts on unscaled coefficients.

        Returns
        -------
        translated : tensor of shape (n_spectra, n_components)
        """
        return x @ as_tensor(translation * self.scale / self.scale[:, None]).T

    def observed_rows(self, flux: np.ndarray) -> torch.Tensor:
        """Return spectra of the observed domain, complete and exact, as rows ``x``.

        Parameters
        ----------
        flux : ndarray of shape (n_spectra, n_pixels)
        """
        residual = flux - self.subspace.means[OBSERVED]
        return as_tensor(residual @ self.subspace.components.T / self.scale)

    def pixel_map(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return how an observed minus a synthetic row reads in flux.

        Returns
        -------
        matrix : tensor of shape (n_pixels, n_components)
        shift : tensor of shape (n_pixels,)
            Difference of the means.
        """
        means = self.subspace.means
        matrix = self.subspace.components.T * self.scale
        some = slice(None, None, max(1, len(matrix) // MAP_PIXELS))
        return as_tensor(matrix[some]), as_tensor((means[OBSERVED] - means[SYNTHETIC])[some])

    def to_pixels(
        self, network: TranslatorNetwork, domains: tuple[DomainData, DomainData]
    ) -> PixelTranslator:
        """Return the trained network between pixels, with full-pixel heads fitted.

        Parameters
        ----------
        network : SubspaceTranslator
            In double precision.
        domains : two DomainData
            The training spectra, synthetic first.

        Returns
        -------
        pixels : SubspacePixels
        """
        return SubspacePixels(
            network,
            torch.as_tensor(self.subspace.means),
            torch.as_tensor(self.subspace.components),
            torch.as_tensor(self.scale),
            (
                self._head(network, domains[SYNTHETIC], SYNTHETIC),
                self._head(network, domains[OBSERVED], OBSERVED),
            ),
        )

    def _head(self, network: TranslatorNetwork, data: Any, domain: int) -> torch.Tensor:
        parts = (self._left_by(network, block, domain) for _, block in data.blocks())
        if isinstance(data, DomainData):
            return torch.as_tensor(fit_head(*next(parts)))
        return torch.as_tensor(fit_head_to_blocks(parts))

    def _left_by(
        self, network: TranslatorNetwork, data: DomainData, domain: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return features, what the components leave out, and weights."""
        coefficients, _ = self.subspace.project(data.flux, data.weights, domain)
        x = torch.as_tensor(coefficients / self.scale)
        features = map_padded(lambda rows: head_features(*network.encode(rows, domain)), x)
        left = data.flux - self.subspace.reconstruct(coefficients, domain)
        return features.numpy(), np.where(data.good, left, 0.0), data.weights


def keep_translation(
    pixels: SubspacePixels, flux: np.ndarray, wanted: np.ndarray, codes: torch.Tensor
) -> None:
    """Change the observed head such that synthetic spectra are translated into those wanted.

    As far as that is a function of the shared latents; what split ones do stays as it is.

    Parameters
    ----------
    pixels : SubspacePixels
        Changed in place.
    flux, wanted : ndarrays of shape (n_spectra, n_pixels)
        Synthetic spectra, and their translations.
    codes : tensor of shape (n_codes, n_split)
        Split latents that translations are averaged over.
    """
    with torch.no_grad():
        shared, none = pixels.encode(torch.as_tensor(flux), SYNTHETIC)
        left = wanted - pixels.decode_average(shared, codes).numpy()
        features = head_features(shared, none).numpy()
    change = torch.as_tensor(fit_head(features, left, np.ones_like(left)))
    n_first = 1 + shared.shape[1]
    pixels.observed_head[:n_first] += change[:n_first]
    pixels.observed_head[n_first + codes.shape[1] :] += change[n_first:]


class PixelRepresentation:
    """Spectra as they are, masked pixels filled with the mean of their domain.

    Parameters
    ----------
    subspace : Subspace
        Gives the means, and the linear start.
    error_floor : float, default=None
        Smallest error of a pixel. None adds one that suits the spectra to their errors. Rows are
        made with it, and files don't keep it.
    """

    _kept: ClassVar = {"subspace": "Subspace k p"}

    def __init__(self, subspace: Subspace, error_floor: float | None = None) -> None:
        self.subspace = subspace
        self.error_floor = _checked_floor(error_floor, subspace)

    @property
    def size(self) -> int:
        """Number of pixels."""
        return self.subspace.means.shape[1]

    def fill(self, data: DomainData, domain: int) -> np.ndarray:
        """Return spectra with masked pixels filled, see `SubspaceRepresentation.fill`."""
        return np.where(data.good, data.flux, self.subspace.means[domain]).astype(float)

    def rows(
        self, data: DomainData, domain: int, coefficients: np.ndarray, covariance: np.ndarray
    ) -> Rows:
        """Return training rows, see `SubspaceRepresentation.rows`; factors are diagonal."""
        sigma = np.where(data.good, data.weights, 1.0) ** -0.5
        noise = np.where(data.good & data.known[:, None], sigma, 0.0)
        metric = np.where(data.good, 1 / self._errors(noise), 0.0)
        arrays = {"x": self.fill(data, domain), "metric": metric, "noise": noise}
        return {name: as_tensor(array) for name, array in arrays.items()}

    def _errors(self, noise: np.ndarray) -> np.ndarray:
        if self.error_floor is not None:
            return np.maximum(noise, self.error_floor)
        floor = ERROR_FLOOR * self.subspace.spread.max() / np.sqrt(self.size)
        return np.hypot(noise, 10 * floor)

    def start(self, x: torch.Tensor, translation: np.ndarray) -> torch.Tensor:
        """Return synthetic rows translated by the linear start, pixel by pixel."""
        means = (as_tensor(mean) for mean in self.subspace.means)
        components = as_tensor(self.subspace.components)
        synthetic, observed = means
        return observed + (x - synthetic) @ components.T @ as_tensor(translation).T @ components

    def pixel_map(self) -> tuple[None, torch.Tensor]:
        """Return None and no shift: rows are flux already."""
        return None, torch.zeros(())

    def to_pixels(
        self, network: TranslatorNetwork, domains: tuple[DomainData, DomainData]
    ) -> PixelTranslator:
        """Return the trained network: it works on pixels already."""
        return PixelTranslator(network)


def as_tensor(array: np.ndarray) -> torch.Tensor:
    """Return a float32 copy of `array`.

    Parameters
    ----------
    array : ndarray

    Returns
    -------
    tensor : tensor of the same shape
    """
    return torch.tensor(array, dtype=torch.float32)


MAX_SHARE = 0.01  # of the pixels
SIGNIFICANCE = 5.0  # sigma by which the head must exceed what it makes of noise
MAX_ROWS = 2000  # spectra that are looked at


def warn_of_truncation(pixels: SubspacePixels, subspace: Subspace, observed: Domain) -> None:
    """Warn where the latents explain more outside the subspace than the components do inside.

    Parameters
    ----------
    pixels : SubspacePixels
        The trained network, with its heads fitted to `observed`.
    subspace : Subspace
    observed : DomainData or StoredDomain
        The observed spectra of the training.

    Warns
    -----
    SubspaceTruncationWarning
        If this is so at 1 % of the pixels or more.
    """
    some = slice(None, None, -(-len(observed) // MAX_ROWS))
    part = observed.take(some)
    flux, weights, good = part.flux, part.weights, part.good
    coefficients, _ = subspace.project(flux, weights, OBSERVED)
    x = torch.as_tensor(coefficients / subspace.spread)
    features = map_padded(lambda rows: head_features(*pixels.network.encode(rows, OBSERVED)), x)
    outside = features.numpy() @ pixels.observed_head.numpy()
    inside = coefficients @ subspace.components
    residual = np.where(good, flux - subspace.means[OBSERVED] - inside, 0.0)
    larger = outside.var(axis=0) > inside.var(axis=0)
    share = float((larger & _is_significant(outside, residual, weights, features.shape[1])).mean())
    if share >= MAX_SHARE:
        warnings.warn(
            f"at {100 * share:.2g} % of the pixels the latents explain more of the observed "
            f"spectra outside the {len(subspace.components)} components than these carry inside; "
            "raise n_components.",
            SubspaceTruncationWarning,
            stacklevel=4,
        )


def _is_significant(
    outside: np.ndarray, residual: np.ndarray, weights: np.ndarray, n_features: int
) -> np.ndarray:
    """Return where a head explains more than one of `n_features` would of noise alone."""
    freedom = np.maximum((weights > 0).sum(axis=0) - n_features, 1)
    noise = (weights * (residual - outside) ** 2).sum(axis=0) / freedom
    explained = (weights * outside**2).sum(axis=0)
    # Of noise it explains chi-squared with as many degrees of freedom as it has coefficients.
    return explained > noise * (n_features + SIGNIFICANCE * np.sqrt(2 * n_features))

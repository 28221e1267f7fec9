"""The baselines: translators without a network, which a trained one must beat."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from spectragan.emulator.model import EmulatorModel, SpectrumModel, spectrum_model
from spectragan.rules import NONE, Rules, check_all, count
from spectragan.translator.base import OBSERVED, SYNTHETIC, BaseTranslator, Latents
from spectragan.translator.domain_data import DomainData, domain_data, stored_means
from spectragan.translator.subspace import fit_subspace, noise_free_covariance

# Relative to the largest variance of a component: below it, a map would only amplify noise.
SMALLEST_VARIANCE = 1e-6


class _AffineTranslator(BaseTranslator):
    """A translator that is one affine map: ``mean_o + (x - mean_s) + (c A - c) V``."""

    _kept: ClassVar = {"n_shared_": "count k", "n_split_": "count 0", "_matrix": "array k k"}

    n_shared_: int
    n_split_: int
    _rules: ClassVar[Rules] = {"n_components": count() | NONE}

    def __init__(self, n_components: int | None = 20) -> None:
        self.n_components = n_components

    def fit(self, X: Any, y: Any = None) -> "_AffineTranslator":
        """Learn the map from unpaired spectra.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Of both domains; or the synthetic ones alone.
        y : array-like of shape (n_spectra,), or spectra of shape (n_observed, n_pixels)
            The domain of every row of `X` (0 synthetic, 1 observed), or the observed spectra.

        Returns
        -------
        self : object
            Fitted.

        Raises
        ------
        GridMismatchError
            If the domains are on different grids.
        ValueError
            If a domain is missing or has fewer than 2 usable spectra, or `n_components` isn't an
            integer of at least 1 or None.
        """
        check_all(vars(self), self._rules)
        rng = np.random.RandomState(0)
        whole = [domain_data(part) for part in self._fit_domains(X, y)]
        parts = [data.sample(rng) for data in whole]
        flux, weights = (tuple(getattr(p, name) for p in parts) for name in ("flux", "weights"))
        self.subspace_ = fit_subspace(
            flux,
            weights,
            known=(parts[SYNTHETIC].known, parts[OBSERVED].known),
            n_components=self.n_components,
            rng=rng,
            means=stored_means(whole),
        )
        self._matrix = self._learn_map(parts)
        self.n_shared_, self.n_split_ = len(self.subspace_.components), 0
        return self

    def compose(self, emulator: Any) -> SpectrumModel:
        """Return the model of observed spectra, as fast as the emulator alone.

        Parameters
        ----------
        emulator : SpectrumEmulator or object with `predict` and `jacobian`
            Fitted; labels to synthetic spectra.

        Returns
        -------
        model : SpectrumModel
            Without split latents.
        """
        model = spectrum_model(emulator)
        if not isinstance(model, EmulatorModel):
            return super().compose(emulator)

        def translate(flux: np.ndarray) -> np.ndarray:
            return self._translate(self._complete(flux, model.usable), SYNTHETIC)

        return model.mapped(translate, usable=np.ones_like(model.usable))

    @abstractmethod
    def _learn_map(self, parts: Sequence[DomainData]) -> np.ndarray:
        """Return the matrix A of shape (n_components, n_components)."""

    def _map(self, domain: int) -> np.ndarray:
        return self._matrix if domain == SYNTHETIC else np.linalg.inv(self._matrix)

    def _translate(
        self, flux: np.ndarray, domain: int, codes: np.ndarray | None = None
    ) -> np.ndarray:
        residual = flux - self.subspace_.means[domain]
        return self.subspace_.means[1 - domain] + self._move(residual, domain)

    def _move(self, residual: np.ndarray, domain: int) -> np.ndarray:
        components = self.subspace_.components
        change = self._map(domain) - np.eye(len(components))
        return residual + residual @ components.T @ change @ components

    def _push_forward(
        self, flux: np.ndarray, tangents: np.ndarray, codes: np.ndarray | None = None
    ) -> np.ndarray:
        return np.swapaxes(self._move(np.swapaxes(tangents, 1, 2), SYNTHETIC), 1, 2)

    def _encode(self, flux: np.ndarray, domain: int) -> Latents:
        coefficients = (flux - self.subspace_.means[domain]) @ self.subspace_.components.T
        if domain == OBSERVED:
            coefficients = coefficients @ self._map(OBSERVED)
        return Latents(coefficients / self.subspace_.spread, np.empty((len(flux), 0)))

    def _decode(self, shared: np.ndarray, split: np.ndarray | None, domain: int) -> np.ndarray:
        coefficients = shared * self.subspace_.spread
        if domain == OBSERVED:
            coefficients = coefficients @ self._map(SYNTHETIC)
        return self.subspace_.reconstruct(coefficients, domain)


class MeanShiftTranslator(_AffineTranslator):
    """Translate by the difference of the mean spectra.

    Parameters
    ----------
    n_components : int or None, default=20
        Of the subspace that `encode` and `score` use; translation needs none.

    Attributes
    ----------
    subspace_ : Subspace
        Means of both domains, and joint components.
    n_shared_, n_split_ : int
        Latents: one shared per component, none split.
    n_features_in_ : int
        Number of pixels.
    wavelength_ : Quantity of shape (n_pixels,) or None
        The grid of `fit`, in Angstrom.

    See Also
    --------
    LinearTranslator : Also matches the covariances.
    CycleGANTranslator : Learns a map that isn't linear.

    Examples
    --------
    >>> from spectragan import MeanShiftTranslator
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(50, 50, n_pixels=100, random_state=0)
    >>> translator = MeanShiftTranslator().fit(mock.synthetic, mock.observed)
    >>> translator.transform(mock.synthetic).shape
    (50, 100)
    """

    _learns_variety = False

    def _learn_map(self, parts: Sequence[DomainData]) -> np.ndarray:
        return np.eye(len(self.subspace_.components))


class LinearTranslator(_AffineTranslator):
    r"""Translate by Gaussian optimal transport in the leading components.

    The map takes the mean and the covariance of the synthetic coefficients to those of the
    observed ones, free of their known noise, and moves spectra as little as possible [1]_:

    .. math:: A = \Sigma_s^{-1/2} \left(\Sigma_s^{1/2} \Sigma_o \Sigma_s^{1/2}\right)^{1/2}
              \Sigma_s^{-1/2}.

    What lies outside the components is carried over unchanged.

    Parameters
    ----------
    n_components : int or None, default=20
        Joint components of both domains; None takes those above the noise, at most 20.

    Attributes
    ----------
    subspace_ : Subspace
        Means of both domains, and joint components.
    n_shared_, n_split_ : int
        Latents: one shared per component, none split.
    n_features_in_ : int
        Number of pixels.
    wavelength_ : Quantity of shape (n_pixels,) or None
        The grid of `fit`, in Angstrom.

    See Also
    --------
    MeanShiftTranslator : Matches the means only.
    CycleGANTranslator : Learns a map that isn't linear.

    References
    ----------
    .. [1] Peyré, G. & Cuturi, M. 2019, "Computational optimal transport", remark 2.31,
       arXiv:1803.00567.

    Examples
    --------
    >>> from spectragan import LinearTranslator
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(50, 50, n_pixels=100, random_state=0)
    >>> translator = LinearTranslator(n_components=5).fit(mock.synthetic, mock.observed)
    >>> translator.transform(mock.synthetic).shape
    (50, 100)
    """

    def _learn_map(self, parts: Sequence[DomainData]) -> np.ndarray:
        synthetic, observed = (
            noise_free_covariance(*self.subspace_.project(p.flux, p.weights, d), p.known)
            for d, p in enumerate(parts)
        )
        synthetic, observed = (
            _power(covariance, 1.0, floor=SMALLEST_VARIANCE) for covariance in (synthetic, observed)
        )
        root = _power(synthetic, 0.5)
        inverse = _power(synthetic, -0.5)
        return inverse @ _power(root @ observed @ root, 0.5) @ inverse


def _power(matrix: np.ndarray, exponent: float, *, floor: float = 0.0) -> np.ndarray:
    """Return a power of a symmetric matrix, its eigenvalues kept above `floor` of the largest."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    lowest = max(floor * values[-1], np.finfo(float).tiny)
    return (vectors * np.maximum(values, lowest) ** exponent) @ vectors.T

"""What all translators share: reading two domains, and turning spectra into other spectra."""

import warnings
from abc import ABC, abstractmethod
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import ClassifierTags
from sklearn.utils.validation import check_is_fitted

from spectragan.emulator.model import FunctionModel, SpectrumModel
from spectragan.exceptions import SwappedDomainsWarning
from spectragan.files.saving import SaveMixin
from spectragan.rules import check, count
from spectragan.spectra import (
    Spectra,
    check_domain,
    check_domain_scales,
    like_input,
    split_domains,
    validate_spectra,
)
from spectragan.spectra.axis import is_descending
from spectragan.spectra.convert import kind_of
from spectragan.spectra.domains import DOMAINS, check_domain_order, noise_word
from spectragan.spectra.inputs import GRID, check_latents, check_set, check_unit, make_rng
from spectragan.spectra.lazy import LazySpectra, has_good_pixel
from spectragan.spectra.oddities import check_variety, warn_of_odd_domain, warn_of_unequal_spread
from spectragan.spectra.transformer import SpectraOutputMixin
from spectragan.training.dask_rows import check_left_to_dask, map_spectra, one_row
from spectragan.training.streaming import (
    BATCH_ROWS,
    as_rows,
    holds_dask,
    read_blocks,
    write_blocks,
)
from spectragan.translator.domain_data import memory_data
from spectragan.translator.networks.contract import OBSERVED, SYNTHETIC
from spectragan.translator.observed import ObservedEmulator
from spectragan.translator.representation import SubspaceRepresentation

MIN_SPECTRA = 2  # of each domain


def check_latent_shape(
    z: Any, name: str, n_latents: int, *, n_rows: int | None = None
) -> np.ndarray:
    """Return latents as a finite float64 array of the shape that is needed.

    Parameters
    ----------
    z : array-like of shape (n_spectra, n_latents)
    name : str
        What to call `z` in a message.
    n_latents : int
        How many there must be.
    n_rows : int, default=None
        How many spectra there must be; None takes any number.

    Returns
    -------
    latents : ndarray of shape (n_spectra, n_latents)

    Raises
    ------
    ValueError
        If the shape is another one, or a latent is NaN or infinite.
    """
    latents = check_latents(z, name)
    expected = (len(latents) if n_rows is None else n_rows, n_latents)
    if latents.shape != expected:
        raise ValueError(
            f"latents `{name}` must have shape {expected}; got {latents.shape}; give them as "
            "`encode` does."
        )
    return latents


def usable_rows(spectra: Spectra, name: str) -> Spectra:
    """Return the rows that have a pixel which isn't masked.

    Parameters
    ----------
    spectra : Spectra
        One domain.
    name : {"synthetic", "observed"}
        Which one.

    Returns
    -------
    usable : Spectra

    Raises
    ------
    ValueError
        If there are fewer than 2 such rows.
    """
    seen = has_good_pixel(spectra)
    if seen.sum() < MIN_SPECTRA:
        found = "1 sample" if len(spectra) == 1 else f"{seen.sum()} of {len(spectra)}"
        raise ValueError(
            f"the {name} domain must have at least {MIN_SPECTRA} spectra with a pixel that isn't "
            f"masked; got {found}; add more spectra."
        )
    return spectra if seen.all() else spectra[seen]


def holds_spectra(y: Any) -> bool:
    """Return whether `y` holds spectra, and not the domain of every row.

    Parameters
    ----------
    y : object

    Returns
    -------
    holds : bool
    """
    if y is None:
        return False
    if kind_of(y) != "array":
        return True
    shape = np.asarray(y).shape
    return len(shape) == 2 and shape[1] > 1


def translated_spectra(spectra: Spectra, flux: np.ndarray) -> Spectra:
    """Return translated flux on the grid of `spectra`.

    Parameters
    ----------
    spectra : Spectra
    flux : ndarray of shape (n_spectra, n_pixels)
        NaN in rows that stay masked.

    Returns
    -------
    translated : Spectra
        Noise "exact".
    """
    seen = ~np.isnan(flux).all(axis=1, keepdims=True)
    good = np.broadcast_to(seen, flux.shape).astype(flux.dtype)
    return spectra.with_flux(np.where(seen, flux, 0), good, "exact")


def decoded(translator: Any, shared: np.ndarray, split: np.ndarray, like: Spectra) -> Spectra:
    """Return observed-domain spectra of latents as exact `Spectra` on the grid of `like`.

    Parameters
    ----------
    translator : fitted translator
        Has `decode`.
    shared : ndarray of shape (n_spectra, n_shared)
        Shared latents.
    split : ndarray of shape (n_spectra, n_split)
        Split latents; without columns the translator has none to choose.
    like : Spectra of shape (n_spectra, n_pixels)
        Whose grid and metadata to take.

    Returns
    -------
    spectra : Spectra of shape (n_spectra, n_pixels)
        Noise "exact", nothing masked.
    """
    codes = split if np.shape(split)[1] else None
    flux = np.asarray(translator.decode(shared, codes, domain=1))
    return like.with_flux(flux, ivar=np.ones_like(flux), noise="exact")


def complete(spectra: Spectra) -> np.ndarray:
    """Return flux with masked pixels at the mean of the good ones.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    flux : ndarray of shape (n_spectra, n_pixels)
        In double precision.
    """
    good = spectra.ivar > 0
    flux = spectra.filled().astype(float)
    mean = flux.sum(axis=0) / np.maximum(good.sum(axis=0), 1)
    return np.where(good, flux, mean)


def sliced_wasserstein(
    a: np.ndarray, b: np.ndarray, n_directions: int, rng: np.random.Generator
) -> float:
    """Return the sliced 1-Wasserstein distance of two sets of equal size.

    Parameters
    ----------
    a, b : ndarray of shape (n, n_dims)
        The two sets.
    n_directions : int
        The number of random directions.
    rng : numpy.random.Generator
        Draws the directions.

    Returns
    -------
    distance : float
        Mean, over directions and ranks, of the absolute difference between sorted projections, in
        the units of `a`. It is positive even for equal distributions, and grows as n shrinks.
        (The 2-Wasserstein distance is ruled by the few oddest stars: between halves of one
        library it comes out at half or more of that to raw models, this one at a fifth.)

    References
    ----------
    .. [1] Bonneel, N. et al. 2015, "Sliced and Radon Wasserstein barycenters of measures",
       J. Math. Imaging Vis., 51, 22.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.translator.base import sliced_wasserstein
    >>> a = np.random.default_rng(0).normal(size=(50, 2))
    >>> sliced_wasserstein(a, a[::-1], 20, np.random.default_rng(0))
    0.0
    """
    directions = rng.standard_normal((a.shape[1], n_directions))
    directions /= np.linalg.norm(directions, axis=0)
    gap = np.sort(a @ directions, axis=0) - np.sort(b @ directions, axis=0)
    return float(np.mean(np.abs(gap)))


MIN_PIXELS = 2
SCORE_DIRECTIONS = 100


class Latents(NamedTuple):
    """Latents of spectra.

    Attributes
    ----------
    shared : ndarray of shape (n_spectra, n_shared)
        What both domains have in common.
    split : ndarray of shape (n_spectra, n_split)
        What only observed spectra have; no columns for synthetic ones.
    """

    shared: np.ndarray
    split: np.ndarray


class BaseTranslator(SpectraOutputMixin, SaveMixin, TransformerMixin, BaseEstimator, ABC):
    """Base of all translators between the synthetic and the observed domain.

    Notes
    -----
    Subclasses set ``subspace_`` and what else they need in `_learn`, and map arrays in
    `_translate`, `_push_forward`, `_encode` and `_decode`.
    """

    _kept: ClassVar = {
        **GRID,
        "unit_": "unit",
        "subspace_": "Subspace k p",
        "_domain_noise?": "words 2",
    }
    _learns_variety = True  # how stars of a domain differ, and not only how the domains do

    def transform(self, X: Any, *, out: Any = None, chunk_size: int | None = None) -> Any:
        """Translate synthetic spectra into observed ones.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Synthetic: every row is taken for one.
        out : array, memory map, h5py or zarr data set of shape (n_spectra, n_pixels), default=None
            Where to write the translated flux, float32 or float64, NaN in masked rows, pixels in
            the order of ``X.spectral_axis``.
        chunk_size : int, default=None
            Rows read at a time, rounded up to multiples of 512; results don't depend on it.

        Returns
        -------
        translated : like X, or `out`
            Noise "exact". A row whose pixels are all masked stays masked. Dask arrays, and lazy
            spectra over such, stay lazy.

        Raises
        ------
        NotFittedError
            Before `fit`.
        GridMismatchError
            If `X` isn't on the grid of `fit`.
        TypeError, ValueError
            If `out` has another shape or type or is read-only, or `chunk_size` isn't at least 1.

        Warns
        -----
        SwappedDomainsWarning
            If all rows have known errors where the synthetic spectra of `fit` had none to know.
        """
        return self._transform_domain(X, SYNTHETIC, out, chunk_size)

    def inverse_transform(self, X: Any, *, out: Any = None, chunk_size: int | None = None) -> Any:
        """Translate observed spectra into synthetic ones.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Observed: every row is taken for one.
        out : array, memory map, h5py or zarr data set of shape (n_spectra, n_pixels), default=None
            Where to write the translated flux, float32 or float64, NaN in masked rows, pixels in
            the order of ``X.spectral_axis``.
        chunk_size : int, default=None
            Rows read at a time, rounded up to multiples of 512; results don't depend on it.

        Returns
        -------
        translated : like X, or `out`
            Noise "exact". A row whose pixels are all masked stays masked. Dask arrays, and lazy
            spectra over such, stay lazy.

        Raises
        ------
        NotFittedError
            Before `fit`.
        GridMismatchError
            If `X` isn't on the grid of `fit`.
        TypeError, ValueError
            If `out` has another shape or type or is read-only, or `chunk_size` isn't at least 1.
        """
        return self._transform_domain(X, OBSERVED, out, chunk_size)

    def encode(self, X: Any, domain: int | str) -> Latents:
        """Return the latents of spectra.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            All of one domain.
        domain : {0, 1, "synthetic", "observed"}
            Which one.

        Returns
        -------
        latents : Latents
            Named tuple of ``shared`` (n_spectra, n_shared) and ``split`` (n_spectra, n_split).

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If `domain` is no domain.
        """
        check_is_fitted(self)
        code = int(check_domain([domain])[0])
        return self._encode(self._input(self._validate(X, reset=False), code), code)

    def decode(self, shared: Any, split: Any = None, domain: int | str = OBSERVED) -> np.ndarray:
        """Return the spectra with these latents.

        Parameters
        ----------
        shared : array-like of shape (n_spectra, n_shared)
            What both domains have in common, as `encode` gives it.
        split : array-like of shape (n_spectra, n_split), default=None
            None averages observed spectra over ``split_codes_``.
        domain : {0, 1, "synthetic", "observed"}, default=1
            The domain of the spectra to make.

        Returns
        -------
        flux : ndarray of shape (n_spectra, n_pixels)
            In double precision, nothing masked.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If `domain` is no domain, or the latents have another shape or aren't finite.
        """
        check_is_fitted(self)
        code = int(check_domain([domain])[0])
        common = check_latent_shape(shared, "shared", self.n_shared_)
        if split is None or code == SYNTHETIC:
            return self._decode(common, None, code)
        own = check_latent_shape(split, "split", self.n_split_, n_rows=len(common))
        return self._decode(common, own, code)

    def sample(
        self, X: Any, n_draws: int = 16, random_state: int | np.random.RandomState | None = None
    ) -> np.ndarray:
        """Translate synthetic spectra with split latents drawn from the observed ones.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Synthetic.
        n_draws : int, default=16
            Translations per spectrum.
        random_state : int, RandomState, Generator or None, default=None
            Draws the split latents.

        Returns
        -------
        draws : ndarray of shape (n_draws, n_spectra, n_pixels)
            All equal where a translator has no split latents.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If `n_draws` isn't an integer of at least 1.
        """
        check(n_draws, "n_draws", count())
        shared = self.encode(X, SYNTHETIC).shared
        codes = getattr(self, "split_codes_", None)
        if codes is None:
            return np.repeat(self._decode(shared, None, OBSERVED)[None], n_draws, axis=0)
        rows = make_rng(random_state).integers(len(codes), size=(n_draws, len(shared)))
        return np.stack([self._decode(shared, codes[drawn], OBSERVED) for drawn in rows])

    def score(self, X: Any, y: Any) -> float:
        """Return minus the gap between translated synthetic and observed spectra.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Of both domains; or the synthetic ones alone.
        y : array-like of shape (n_spectra,), or spectra of shape (n_observed, n_pixels)
            The domain of every row, or the observed spectra.

        Returns
        -------
        score : float
            Minus the sliced Wasserstein distance of both sets of fluxes, in units of the scatter
            of the observed ones, whatever the translator's parameters. Split latents are drawn,
            not averaged over. 0 is best; `spectragan.gap_scores` says more.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        synthetic, observed = self._read_domains(X, y, reset=False)
        # One draw, no average: split latents are part of how observed spectra differ.
        drawn = synthetic.with_flux(self.sample(synthetic, 1, random_state=0)[0], noise="exact")
        rng = np.random.default_rng(0)
        n = min(len(drawn), len(observed))
        a, b = (
            complete(part[np.sort(rng.permutation(len(part))[:n])]) for part in (drawn, observed)
        )
        scatter = float(np.sqrt(b.var(axis=0).mean())) or 1.0
        return -sliced_wasserstein(a, b, SCORE_DIRECTIONS, rng) / scatter

    def compose(self, emulator: Any) -> SpectrumModel:
        """Return the model of observed spectra that `ParameterFitter` fits.

        Parameters
        ----------
        emulator : SpectrumEmulator or object with `predict` and `jacobian`
            Fitted; labels to synthetic spectra.

        Returns
        -------
        model : SpectrumModel
            Labels, and split latents of a star's own where there are any, to observed spectra.
        """
        return FunctionModel(ObservedEmulator(emulator, self))

    def _complete(self, flux: np.ndarray, usable: np.ndarray) -> np.ndarray:
        """Return synthetic spectra (n, n_pixels) that have no flux where `usable` is False."""
        good = np.broadcast_to(usable, flux.shape).astype(float)
        spectra = Spectra(np.where(usable, flux, 0.0), None, good, "exact")
        return self._input(spectra, SYNTHETIC)

    def _fit_domains(self, X: Any, y: Any, *, reset: bool = True) -> tuple[Spectra, Spectra]:
        """Read and check the two domains of `fit`; rows without a good pixel are left out."""
        synthetic, observed = (
            usable_rows(part, name)
            for name, part in zip(DOMAINS, self._read_domains(X, y, reset=reset), strict=True)
        )
        self._domain_noise = noise_word(synthetic), noise_word(observed)
        if self._learns_variety:
            check_variety(synthetic, observed)
        check_domain_scales(synthetic, observed)
        warn_of_odd_domain(synthetic, "synthetic")
        warn_of_odd_domain(observed, "observed")
        warn_of_unequal_spread(synthetic, observed)
        return synthetic, observed

    def _read_domains(self, X: Any, y: Any, *, reset: bool) -> tuple[Spectra, Spectra]:
        parts = self._split_domains(X, y, reset=reset)
        check_domain_order(*parts)
        return parts

    def _split_domains(self, X: Any, y: Any, *, reset: bool) -> tuple[Spectra, Spectra]:
        if holds_spectra(y):
            synthetic = self._validate(X, reset=reset)
            # The least number of spectra has its own message, by domain.
            return synthetic, check_set(y, "y", like=synthetic, like_name="X", min_rows=0)
        spectra = self._validate(X, reset=reset)
        if reset and len(spectra) < 2 * MIN_SPECTRA:
            raise ValueError(
                f"`X` must hold at least {MIN_SPECTRA} spectra of each domain; got {len(spectra)} "
                f"sample{'s' * (len(spectra) != 1)} in all; add more spectra."
            )
        check_domain(y, n_rows=len(spectra), need_both=True)
        return split_domains(spectra, y)

    def _validate(self, X: Any, *, reset: bool) -> Spectra:
        spectra = validate_spectra(self, X, reset=reset)
        if reset:
            self.unit_ = spectra.unit
        check_unit(spectra, self.unit_)
        if spectra.shape[1] < MIN_PIXELS:
            raise ValueError(
                f"`X` must have at least {MIN_PIXELS} pixels; got {spectra.shape[1]} feature(s) "
                "per spectrum; check that spectra are rows."
            )
        return spectra

    def _transform_domain(self, X: Any, domain: int, out: Any, chunk_size: int | None) -> Any:
        check_is_fitted(self)
        if holds_dask(X):
            check_left_to_dask(out=out, chunk_size=chunk_size)
            return self._transform_dask(X, domain)
        spectra = self._validate(X if out is None else as_rows(X), reset=False)
        if domain == SYNTHETIC:
            self._check_synthetic(spectra)
        if out is not None:
            function = partial(self._translated, domain=domain)
            return write_blocks(out, spectra, chunk_size, function)
        flux = np.empty(spectra.shape, spectra.dtype)
        for rows, block in read_blocks(spectra, chunk_size):
            flux[rows] = self._translated(block, domain)
        return like_input(translated_spectra(spectra, flux), X)

    def _transform_dask(self, X: Any, domain: int) -> Any:
        """Translate lazily."""
        row = self._validate(one_row(X), reset=False)
        if domain == SYNTHETIC:
            self._check_synthetic(row)
        flux = map_spectra(self, "_translated", X, X.shape[1], row.dtype, domain=domain)
        if not isinstance(X, LazySpectra):
            return flux
        if is_descending(X.spectral_axis):
            flux = flux[:, ::-1]
        weights = (flux == flux).astype(flux.dtype)
        known = flux.map_blocks(np.nan_to_num, dtype=flux.dtype)
        return LazySpectra(known, X.spectral_axis, weights, "exact", X.medium, X.meta, unit=X.unit)

    def _check_synthetic(self, spectra: Spectra) -> None:
        """Warn if the noise of `spectra` is that of the observed domain of `fit`."""
        # Models that were saved before know nothing of the noise they were trained with.
        words = getattr(self, "_domain_noise", ("mixed", "mixed"))
        if words[0] == "exact" and noise_word(spectra) == "known":
            warnings.warn(
                "`transform` takes every row as synthetic, and those of `fit` were 'exact'; got "
                "rows with known errors, as observed spectra have; don't translate observed "
                "spectra again: translate the synthetic ones that a later step is fitted to, and "
                "leave the translator out of what predicts, as StarNetRegressor(translator=...) "
                "does.",
                SwappedDomainsWarning,
                stacklevel=4,
            )

    def _translated(self, spectra: Spectra, domain: int) -> np.ndarray:
        """Return translated flux in the precision of `spectra`, NaN in rows without a pixel."""
        flux = np.empty(spectra.shape, spectra.dtype)
        for start in range(0, len(spectra), BATCH_ROWS):
            batch = spectra[start : start + BATCH_ROWS]
            translated = self._translate(self._input(batch, domain), domain)
            # Nothing is known about a star without pixels: a mean star would be an invention.
            seen = (batch.ivar > 0).any(axis=1, keepdims=True)
            flux[start : start + len(batch)] = np.where(seen, translated, np.nan)
        return flux

    def _input(self, spectra: Spectra, domain: int) -> np.ndarray:
        """Return flux of shape (n_spectra, n_pixels), float64, masked pixels filled."""
        return SubspaceRepresentation(self.subspace_).fill(memory_data(spectra), domain)

    @abstractmethod
    def _translate(
        self, flux: np.ndarray, domain: int, codes: np.ndarray | None = None
    ) -> np.ndarray:
        """Map spectra of `domain` to the other one; no `codes` are the translator's own."""

    @abstractmethod
    def _push_forward(
        self, flux: np.ndarray, tangents: np.ndarray, codes: np.ndarray | None = None
    ) -> np.ndarray:
        """Map derivatives (n_spectra, n_pixels, n_labels) along with synthetic spectra."""

    @abstractmethod
    def _encode(self, flux: np.ndarray, domain: int) -> Latents:
        """Return the latents of spectra of `domain`."""

    @abstractmethod
    def _decode(self, shared: np.ndarray, split: np.ndarray | None, domain: int) -> np.ndarray:
        """Return the spectra of `domain` with these latents."""

    def __sklearn_is_fitted__(self) -> bool:
        # Reading the spectra sets attributes, too: a fit that failed afterwards is none.
        return hasattr(self, "n_split_")

    def __sklearn_tags__(self) -> Any:
        """Say that `y` is needed, and names two domains."""
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags(multi_class=False)
        tags.input_tags.allow_nan = True
        return tags

"""`NoiseInjector`: give spectra the noise of an observation."""

import warnings
from collections import Counter
from hashlib import blake2b
from typing import Any, ClassVar

import numpy as np

from spectragan.exceptions import NoiseWarning
from spectragan.rules import Rules, check_all, number, pair
from spectragan.spectra.container import Spectra
from spectragan.spectra.convert import as_spectra
from spectragan.spectra.inputs import draw_seed, make_rng
from spectragan.spectra.joining import check_same_grid
from spectragan.spectra.transformer import BaseSpectraTransformer, unit_factor

ONE_SNR = number(text="a finite number above 0", remedy="use 100 for noise of 1 %")


class NoiseInjector(BaseSpectraTransformer):
    r"""Add Gaussian noise to spectra, at a signal-to-noise ratio or as in another set.

    Parameters
    ----------
    snr : float or (float, float), default=100.0
        Signal-to-noise ratio per pixel: the mean of the absolute flux of a spectrum, over the
        standard deviation of the noise, the same in all its pixels. A pair is a range, of which
        every spectrum draws its own, uniform in the logarithm.
    like : Spectra or specutils object of shape (n_others, n_pixels), default=None
        Observed spectra, on the same grid and normalised in the same way, whose noise is taken
        instead of `snr`: every spectrum draws one of them whose noise is known, and gets its
        errors and its mask.
    random_state : int, RandomState, Generator or None, default=None
        An int adds the same noise to the same spectrum each time. None adds new noise at each
        call of `transform`.

    Attributes
    ----------
    std_ : ndarray of shape (n_known, n_pixels) or None
        Errors of the spectra in `like` whose noise is known, infinite where masked.
    unit_ : astropy.units.UnitBase
        Unit of flux in `fit`, which `std_` is in; it is converted to that of other spectra.
    n_features_in_ : int
        Number of pixels.
    feature_names_in_ : ndarray of str of shape (n_pixels,)
        Names of the columns, if `fit` saw any.
    wavelength_ : Quantity of shape (n_pixels,) or None
        Grid seen in `fit`, in Angstrom.
    medium_ : {"air", "vacuum"} or None
        What the wavelengths were measured in.

    See Also
    --------
    OutlierInterpolator : The other half of the bridge from synthetic to observed spectra.

    Notes
    -----
    With noise of standard deviation :math:`\sigma`, ``exact`` spectra become ``known`` ones with
    ivar :math:`1 / \sigma^2`; where noise was known already, variances add up,
    :math:`1 / (1 / w + \sigma^2)`; ``unknown`` spectra, and so arrays, keep their weights 0
    and 1. Ignored pixels get no noise and stay ignored.

    The random numbers of a spectrum depend on `random_state`, its own good pixels and how many
    times the same spectrum came before it in the same call, and on nothing else: noise doesn't
    change with the batch, and copies of one spectrum get different noise.

    A spectrum that is 0 everywhere has no signal that noise could be scaled to: it stays as it
    is, with a `NoiseWarning`.

    Training a network on synthetic spectra with the noise of observed ones is the bridge that
    StarNet [1]_ was built on.

    References
    ----------
    .. [1] Fabbro, S. et al. 2018, MNRAS 475, 2978.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan import NoiseInjector, Spectra
    >>> model = Spectra(np.ones((5, 1000)), None, noise="exact")
    >>> noisy = NoiseInjector(snr=50, random_state=0).fit_transform(model)
    >>> noisy
    Spectra(5 spectra, 1000 pixels, no wavelengths, noise known, float64)
    >>> float(noisy.flux.std().round(3)), float(noisy.std[0, 0].round(3))
    (0.02, 0.02)
    """

    _kept: ClassVar = {"unit_": "unit", "std_": "array? n p"}
    _rules: ClassVar[Rules] = {"snr": ONE_SNR | pair(ONE_SNR, "a pair of them (lowest, highest)")}

    def __init__(
        self,
        snr: float | tuple[float, float] = 100.0,
        *,
        like: Any = None,
        random_state: int | np.random.RandomState | np.random.Generator | None = None,
    ) -> None:
        self.snr = snr
        self.like = like
        self.random_state = random_state

    def _learn(self, spectra: Spectra) -> None:
        self.unit_ = spectra.unit
        self.std_ = None if self.like is None else _known_std(self.like, spectra)

    def _snr_range(self) -> tuple[float, float]:
        check_all(vars(self), self._rules)
        return float(np.min(self.snr)), float(np.max(self.snr))

    def _apply(self, spectra: Spectra) -> Spectra:
        snr_range = np.log(self._snr_range())
        seed = draw_seed(make_rng(self.random_state))
        scale = 1.0 if self.std_ is None else unit_factor(spectra, self.unit_, self)
        flux, words = np.array(spectra.flux), np.array(spectra.noise)
        ivar = np.array(spectra.ivar, dtype=float)  # that of faint fluxes is too large for float32
        seen: Counter[bytes] = Counter()
        n_zero = 0
        for i, row in enumerate(spectra.filled()):
            digest = blake2b(row.tobytes(), digest_size=16).digest()
            rng = np.random.default_rng([seed, seen[digest], *digest])
            seen[digest] += 1
            if self.std_ is not None:
                sigma = self.std_[rng.integers(len(self.std_))] * scale
            else:
                sigma = _level(row, ivar[i] > 0) / np.exp(rng.uniform(*snr_range))
            if np.any(sigma > 0):
                words[i] = _add_noise(flux[i], ivar[i], sigma, str(words[i]), rng)
            else:
                n_zero += bool((ivar[i] > 0).any())
        _warn(n_zero)
        return spectra._rebuild(flux, ivar, words, spectra.meta)


def _known_std(like: Any, spectra: Spectra) -> np.ndarray:
    """Return errors of the spectra with known noise, in the unit of the spectra to change."""
    other = as_spectra(like)
    if spectra.wavelength is not None or spectra.shape[1] != other.shape[1]:
        check_same_grid(spectra, other, names=("X", "like"))
    known = other.noise == "known"
    if not known.any():
        raise ValueError(
            "`like` must hold spectra whose noise is known; got none; "
            "pass Spectra with their ivar, or use `snr`."
        )
    if not other.unit.is_equivalent(spectra.unit):
        raise ValueError(
            f"`like` must have flux in a unit that converts to {str(spectra.unit)!r}; got "
            f"{str(other.unit)!r}; normalise both in the same way first."
        )
    return other[known].std * other.unit.to(spectra.unit)


def _level(flux: np.ndarray, good: np.ndarray) -> float:
    """Return the flux that a signal-to-noise ratio refers to; 0 where nothing is good."""
    return float(np.abs(flux[good]).mean(dtype=float)) if good.any() else 0.0


def _add_noise(
    flux: np.ndarray, ivar: np.ndarray, sigma: Any, word: str, rng: np.random.Generator
) -> str:
    """Add noise to one spectrum in place; infinite sigma masks a pixel. Return its new word."""
    # All pixels draw a number, so that a mask doesn't move the noise of the others.
    noise = sigma * rng.standard_normal(len(flux))
    good = (ivar > 0) & np.isfinite(noise)
    flux[good] += noise[good].astype(flux.dtype)
    if word != "unknown":
        before = 0.0 if word == "exact" else 1 / ivar[good].astype(float)
        variance = before + np.broadcast_to(np.square(sigma, dtype=float), flux.shape)[good]
        ivar[good] = np.minimum(1 / variance, np.finfo(ivar.dtype).max)
    ivar[~good] = 0
    return "known" if word == "exact" else word


def _warn(n_zero: int) -> None:
    if n_zero:
        warnings.warn(
            f"{n_zero} spectra are 0 everywhere, so that no signal-to-noise ratio gives them "
            "noise; they are left as they are.",
            NoiseWarning,
            stacklevel=4,
        )

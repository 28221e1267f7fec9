"""`TranslatorEnsemble`: several translators as one, and what their spectra are worth."""

import warnings
from typing import Any, ClassVar

import numpy as np
from scipy.stats import norm
from sklearn.base import clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from spectragan.emulator.model import SpectrumModel
from spectragan.exceptions import SpectraganWarning
from spectragan.rules import VERBOSE, Rules, check, check_all, count, number, one_of
from spectragan.spectra import Spectra, as_spectra, like_input
from spectragan.spectra.inputs import make_rng
from spectragan.translator.base import OBSERVED, SYNTHETIC, BaseTranslator, Latents
from spectragan.translator.estimator import CycleGANTranslator
from spectragan.translator.matching.matching import emulated, usable_labels
from spectragan.translator.residuals import (
    COVERAGES,
    ONE_SIGMA,
    SMALLEST,
    conformal_scales,
    inferred,
    likeliest_scale,
    paired,
    residuals_of,
    scale_at,
)

CHUNK_ROWS = 256
SHARE = number(0, 1, remedy="0.68 is one standard deviation")
METHODS = one_of("likelihood", "conformal", remedy="use 'likelihood' if in doubt")


def _codes(member: Any) -> np.ndarray | None:
    return getattr(member, "split_codes_", None)


def offset_steps(member: Any) -> np.ndarray:
    """Return what the error along the labels may be, one standard deviation in every direction.

    Parameters
    ----------
    member : translator
        Fitted.

    Returns
    -------
    steps : ndarray of shape (n_steps, n_shared)
        In shared latents; their squares add up to ``offset_covariance_``. None (0 rows) where a
        translator has none.
    """
    covariance = getattr(member, "offset_covariance_", None)
    if covariance is None:
        return np.zeros((0, member.n_shared_))
    size, direction = np.linalg.eigh(covariance)
    return np.sqrt(np.maximum(size, 0.0))[:, None] * direction.T


def _offset_variance(member: Any, flux: np.ndarray, translated: np.ndarray) -> np.ndarray:
    """Return the variance over the error along the labels, (n_spectra, n_pixels)."""
    variance, steps = np.zeros(flux.shape), offset_steps(member)
    if not len(steps):
        return variance
    shared = member._encode(flux, SYNTHETIC).shared
    for step in steps:
        variance += (member._decode(shared + step, None, OBSERVED) - translated) ** 2
    return variance


def _split_variance(member: Any, flux: np.ndarray, translated: np.ndarray) -> Any:
    """Return the variance over split latents, (n_spectra, n_pixels); 0 where there are none."""
    codes = _codes(member)
    if codes is None or len(codes) < 2 or not codes.shape[1]:
        return np.zeros(flux.shape)
    shared, total, square = member._encode(flux, SYNTHETIC).shared, 0.0, 0.0
    for code in codes:
        away = member._decode(shared, np.tile(code, (len(flux), 1)), OBSERVED) - translated
        total, square = total + away, square + away**2
    return (square - total**2 / len(codes)) / (len(codes) - 1)


FLOOR = 0.1  # of the mean variance, which every pixel has: few members can agree by chance
FLOOR_ROWS = 200  # synthetic spectra over which that mean is taken


class TranslatorEnsemble(BaseTranslator):
    """Train several translators, and tell how far a translated spectrum may be from the truth.

    The first member learns from all spectra, as it would alone; the others from spectra drawn
    with replacement. What they disagree in, and what split latents leave open, is the error of a
    translated spectrum, once `calibrate` has found its size on held-out observed spectra.

    Parameters
    ----------
    translator : translator, default=None
        Unfitted; None takes a `CycleGANTranslator`.
    n_members : int, default=5
        Translators trained; time goes with their number. With 1 only split latents are drawn.
    random_state : int, RandomState instance or None, default=None
        Draws the spectra and the seeds of all members but the first, whose seed it is where
        `translator` has none.
    verbose : int, default=1
        As `translator`'s, where that is None.

    Attributes
    ----------
    members_ : list of translators
        Fitted.
    floor_ : float
        Variance that is added to every pixel's.
    factors_ : ndarray of shape (10,)
        On standard deviations that members and split latents show, for coverages from 0.5 to
        0.99; 1 before `calibrate`, at least 1 after it without pairs.
    offset_factors_ : ndarray of shape (10,)
        On those of an error along the labels; 1 unless `calibrate` had pairs.
    subspace_ : Subspace
        Of the first member.
    n_shared_, n_split_ : int
        Latents of all members, one after the other.
    n_features_in_ : int
        Number of pixels.
    wavelength_ : Quantity of shape (n_pixels,) or None
        The grid of `fit`, in Angstrom.

    See Also
    --------
    CycleGANTranslator : One translator.
    ObservedEmulator : Labels to observed spectra, with these errors.
    ParameterFitter : Labels whose errors contain these.

    Notes
    -----
    The variance of a pixel is that over the split latents of observed stars, averaged over the
    members, plus that of the members' means, plus a floor, times the square of a factor;
    plus that of an error along the labels, which all spectra have in common and which a member's
    ``offset_covariance_`` gives the size of. Drawing spectra anew shows how far a finite set
    determines a map [1]_. What else all members have wrong shows in the factors only, and as a
    mean over pixels.

    References
    ----------
    .. [1] Lakshminarayanan, B., Pritzel, A. & Blundell, C. 2017, "Simple and scalable predictive
       uncertainty estimation using deep ensembles", arXiv:1612.01474.

    Examples
    --------
    >>> from spectragan import LinearTranslator, TranslatorEnsemble
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(200, 300, n_pixels=100, random_state=0)
    >>> ensemble = TranslatorEnsemble(LinearTranslator(5), n_members=3, random_state=0)
    >>> ensemble = ensemble.fit(mock.synthetic, mock.observed[:200])
    >>> ensemble = ensemble.calibrate(mock.synthetic, mock.observed[200:])
    >>> low, high = ensemble.predict_interval(mock.synthetic, coverage=0.9)
    >>> low.shape
    (200, 100)
    """

    _kept: ClassVar = {
        "members_": "list:CycleGANTranslator|LinearTranslator|MeanShiftTranslator"
        "|PseudoPairTranslator p",
        "n_shared_": "count s",
        "n_split_": "count t",
        "floor_": "number",
        "factors_": "array 10",
        "offset_factors_?": "array 10",
    }
    _rules: ClassVar[Rules] = {"n_members": count(), "verbose": VERBOSE}

    def __init__(
        self,
        translator: Any = None,
        *,
        n_members: int = 5,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 1,
    ) -> None:
        self.translator = translator
        self.n_members = n_members
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, **fit_params: Any) -> "TranslatorEnsemble":
        """Train all members on unpaired spectra.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Of both domains; or the synthetic ones alone; or a fitted `SpectrumEmulator`.
        y : array-like of shape (n_spectra,), or spectra of shape (n_observed, n_pixels)
            The domain of every row of `X` (0 synthetic, 1 observed), or the observed spectra.
        **fit_params : dict
            Handed to every member's `fit`, such as ``anchors``; rough ``labels`` row by row, with
            the spectra that a member is fitted to.

        Returns
        -------
        self : object
            Fitted; not calibrated.

        Raises
        ------
        GridMismatchError
            If the domains are on different grids.
        ValueError
            If a domain is missing or has fewer than 2 usable spectra, or a parameter breaks its
            rule.

        Warns
        -----
        SpectraganWarning
            What the first member's `fit` warns of; that of the others is silent.
        """
        check_all(vars(self), self._rules)
        X = emulated(X, y)
        parts = self._fit_domains(X, y)
        if fit_params.get("labels") is not None:
            whole = self._read_domains(X, y, reset=False)
            fit_params["labels"] = usable_labels(fit_params["labels"], whole)
        rng = check_random_state(self.random_state)
        members = [self._make_member(None).fit(*parts, **fit_params)]
        for _ in range(self.n_members - 1):
            member = self._make_member(rng)
            rows = [np.sort(rng.randint(len(part), size=len(part))) for part in parts]
            drawn = (part[some] for part, some in zip(parts, rows, strict=True))
            given = {n: v.of(*rows) if n == "labels" and v else v for n, v in fit_params.items()}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SpectraganWarning)
                members.append(member.fit(*drawn, **given))
        self.members_ = members
        self.subspace_ = members[0].subspace_
        self.factors_ = self.offset_factors_ = np.ones(len(COVERAGES))
        some = self._input(parts[SYNTHETIC][:: max(1, len(parts[0]) // FLOOR_ROWS)], SYNTHETIC)
        self.floor_ = FLOOR * float(np.mean(self._moments(some)[1]))
        self.n_shared_ = sum(member.n_shared_ for member in members)
        self.n_split_ = sum(member.n_split_ for member in members)
        return self

    def calibrate(
        self, X: Any, y: Any, *, pairs: bool = False, method: str = "likelihood"
    ) -> "TranslatorEnsemble":
        """Find the size of errors on observed spectra that weren't trained on.

        Parameters
        ----------
        X : spectra of shape (n_synthetic, n_pixels)
            Synthetic; may be those of the training. With `pairs`, counterparts of `y`.
        y : spectra of shape (n_observed, n_pixels)
            Observed, with known errors: 50 or more, and better hundreds.
        pairs : bool, default=False
            Whether both are the same stars, row by row. Else the counterpart of every observed
            spectrum is inferred: the synthetic one that differs from it at as few pixels as
            possible, which hides part of the error: factors are then at least 1. Of errors along
            the labels that says nothing: they keep the size that the members'
            ``offset_covariance_`` gives them.
        method : {"likelihood", "conformal"}, default="likelihood"
            One factor on all standard deviations, under which the residuals are likeliest; or one
            for every coverage, by rank: that needs low noise or very many pixels.

        Returns
        -------
        self : object
            With other ``factors_`` and ``offset_factors_``.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If there are too few spectra with known errors, or a parameter breaks its rule.
        """
        check_is_fitted(self)
        check(method, "method", METHODS)
        synthetic = self._validate(as_spectra(X), reset=False)
        observed = self._validate(as_spectra(y), reset=False)
        counterparts = (paired if pairs else inferred)(synthetic, observed)
        _, mean, seen, unseen = self._with_errors(counterparts.synthetic)
        spread = np.sqrt(seen + self.floor_ + unseen * pairs)
        found = residuals_of(mean, spread, counterparts)
        if method == "likelihood":
            self.factors_ = np.full(len(COVERAGES), likeliest_scale(*found[:3]))
        else:
            self.factors_ = conformal_scales(*found)
        self.offset_factors_ = self.factors_
        if not pairs:
            self.factors_ = np.maximum(1.0, self.factors_)
            self.offset_factors_ = np.ones(len(COVERAGES))
        return self

    def transform(
        self,
        X: Any,
        *,
        out: Any = None,
        chunk_size: int | None = None,
        return_std: bool = False,
    ) -> Any:
        """Translate synthetic spectra into observed ones: the mean of all members.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Synthetic: every row is taken for one.
        out : array or data set of shape (n_spectra, n_pixels), default=None
            Where to write the translated flux, see `CycleGANTranslator.transform`.
        chunk_size : int, default=None
            Rows read at a time.
        return_std : bool, default=False
            Also return how far the noise-free spectrum of a star may be from its translation.

        Returns
        -------
        translated : like X, or `out`
            Noise "exact".
        std : ndarray of shape (n_spectra, n_pixels)
            Only if asked for: 68 % of pixels are to lie within it. NaN in masked rows.

        Raises
        ------
        NotFittedError
            Before `fit`.
        GridMismatchError
            If `X` isn't on the grid of `fit`.
        TypeError, ValueError
            If `out` doesn't fit, or is given with `return_std`.
        """
        if not return_std:
            return super().transform(X, out=out, chunk_size=chunk_size)
        if out is not None:
            raise ValueError(
                "`out` must be None where `return_std` is True; got an array; translate in parts."
            )
        spectra, mean, seen, unseen = self._with_errors(X)
        flux = like_input(spectra.with_flux(mean.astype(spectra.dtype), noise="exact"), X)
        return flux, self._std(seen, unseen)

    def predict_interval(self, X: Any, coverage: float = 0.68) -> tuple[np.ndarray, np.ndarray]:
        """Return intervals for the noise-free observed spectra of stars.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Synthetic.
        coverage : float, default=0.68
            Share of pixels that the intervals are to contain, between 0 and 1.

        Returns
        -------
        low, high : ndarrays of shape (n_spectra, n_pixels)
            Ends of the interval at every pixel; NaN in masked rows.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If `coverage` isn't between 0 and 1.
        """
        check(coverage, "coverage", SHARE)
        _, mean, seen, unseen = self._with_errors(X)
        half = self._std(seen, unseen, coverage) * norm.ppf((1 + coverage) / 2)
        return mean - half, mean + half

    def sample(
        self, X: Any, n_draws: int = 16, random_state: int | np.random.RandomState | None = None
    ) -> np.ndarray:
        """Translate with a member drawn for each spectrum, and split latents drawn for it.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Synthetic.
        n_draws : int, default=16
            Translations per spectrum.
        random_state : int, RandomState, Generator or None, default=None
            Draws members and latents.

        Returns
        -------
        draws : ndarray of shape (n_draws, n_spectra, n_pixels)
            Their distances from the mean have the factor of `calibrate`; the floor isn't in them.
            The error along the labels is one for all spectra of a draw and a member.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If `n_draws` isn't an integer of at least 1.
        """
        check_is_fitted(self)
        flux = self._input(self._validate(X, reset=False), SYNTHETIC)
        return self._draw(flux, n_draws, random_state)

    def compose(self, emulator: Any) -> SpectrumModel:
        """Return the model of the first member, which has seen all spectra.

        Parameters
        ----------
        emulator : SpectrumEmulator or object with `predict` and `jacobian`
            Fitted; labels to synthetic spectra.

        Returns
        -------
        model : SpectrumModel
            What the other members make of the same labels is an error.
        """
        return self.members_[0].compose(emulator)

    def _make_member(self, rng: np.random.RandomState | None) -> Any:
        """Return an unfitted member: the first as it was given, others with seeds of their own."""
        if self.translator is None:
            member: Any = CycleGANTranslator(verbose=self.verbose)
        else:
            member = clone(self.translator)
        if "random_state" in member.get_params(deep=False):
            if rng is not None:
                member.set_params(random_state=rng.randint(2**31 - 1))
            elif member.random_state is None:
                member.set_params(random_state=self.random_state)
        return member

    def _input(self, spectra: Spectra, domain: int) -> np.ndarray:
        return self.members_[0]._input(spectra, domain)

    def _translate(
        self, flux: np.ndarray, domain: int, codes: np.ndarray | None = None
    ) -> np.ndarray:
        parts = zip(self.members_, self._parts(codes, "n_split_"), strict=True)
        return np.mean([member._translate(flux, domain, own) for member, own in parts], axis=0)

    def _push_forward(
        self, flux: np.ndarray, tangents: np.ndarray, codes: np.ndarray | None = None
    ) -> np.ndarray:
        parts = zip(self.members_, self._parts(codes, "n_split_"), strict=True)
        return np.mean([m._push_forward(flux, tangents, own) for m, own in parts], axis=0)

    def _encode(self, flux: np.ndarray, domain: int) -> Latents:
        shared, split = zip(*(m._encode(flux, domain) for m in self.members_), strict=True)
        return Latents(np.hstack(shared), np.hstack(split))

    def _decode(self, shared: np.ndarray, split: np.ndarray | None, domain: int) -> np.ndarray:
        parts = zip(
            self.members_,
            self._parts(shared, "n_shared_"),
            self._parts(split, "n_split_"),
            strict=True,
        )
        return np.mean([member._decode(z, s, domain) for member, z, s in parts], axis=0)

    def _parts(self, latents: np.ndarray | None, size: str) -> list[Any]:
        """Return the latents of each member."""
        if latents is None:
            return [None] * len(self.members_)
        ends = np.cumsum([getattr(member, size) for member in self.members_])
        return np.split(latents, ends[:-1], axis=1)

    def _draw(self, flux: np.ndarray, n_draws: int, random_state: Any) -> np.ndarray:
        """Return draws for spectra without masked pixels, see `sample`."""
        check(n_draws, "n_draws", count())
        rng = make_rng(random_state)
        chosen = rng.integers(len(self.members_), size=(n_draws, len(flux)))
        draws = np.empty((n_draws, *flux.shape))
        member_scale, offset_scale = self._factors(ONE_SIGMA)
        scale = max(member_scale, SMALLEST)
        for k, member in enumerate(self.members_):
            shared, codes = member._encode(flux, SYNTHETIC).shared, _codes(member)
            steps = offset_steps(member) * offset_scale / scale
            for draw in range(n_draws):
                rows = chosen[draw] == k
                split = None if codes is None else codes[rng.integers(len(codes), size=rows.sum())]
                off = rng.standard_normal(len(steps)) @ steps
                draws[draw, rows] = member._decode(shared[rows] + off, split, OBSERVED)
        mean = self._translate(flux, SYNTHETIC)
        return mean + scale * (draws - mean)

    def _with_errors(self, X: Any) -> tuple[Spectra, np.ndarray, np.ndarray, np.ndarray]:
        """Return spectra as they were read, and their `_moments`; NaN variances in masked rows."""
        check_is_fitted(self)
        spectra = self._validate(as_spectra(X), reset=False)
        mean, seen, unseen = np.empty((3, *spectra.shape))
        for start in range(0, len(spectra), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            batch = spectra[rows]
            mean[rows], seen[rows], unseen[rows] = self._moments(self._input(batch, SYNTHETIC))
            seen[rows][~(batch.ivar > 0).any(axis=1)] = np.nan
        return spectra, mean, seen, unseen

    def _error(self, flux: np.ndarray) -> np.ndarray:
        """Return standard deviations for spectra without masked pixels."""
        parts = (flux[i : i + CHUNK_ROWS] for i in range(0, len(flux), CHUNK_ROWS))
        return np.vstack([self._std(*self._moments(part)[1:]) for part in parts])

    def _factors(self, coverage: float) -> tuple[float, float]:
        """Return factors on what members show, and on the error along the labels."""
        # Files of earlier versions have no such errors, and no factors for them.
        of_offset = getattr(self, "offset_factors_", self.factors_)
        return scale_at(self.factors_, coverage), scale_at(of_offset, coverage)

    def _std(self, seen: np.ndarray, unseen: np.ndarray, coverage: float = ONE_SIGMA) -> np.ndarray:
        """Return what the standard deviation of normal errors would be, for a coverage."""
        member, offset = self._factors(coverage)
        return np.sqrt(member**2 * (seen + self.floor_) + offset**2 * unseen)

    def _moments(self, flux: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return means, and variances that the members show and that none can show.

        All of shape (n_spectra, n_pixels). The first are over members and split latents, the
        second over the error along the labels that all spectra share.
        """
        means = np.array([member._translate(flux, SYNTHETIC) for member in self.members_])
        pairs = list(zip(self.members_, means, strict=True))
        seen = np.mean([_split_variance(m, flux, middle) for m, middle in pairs], axis=0)
        if len(means) > 1:
            seen = seen + means.var(axis=0, ddof=1)
        unseen = np.mean([_offset_variance(m, flux, middle) for m, middle in pairs], axis=0)
        return means.mean(axis=0), seen, unseen

"""`TranslatorEnsemble`: several translators as one, and what their spectra are worth."""

import warnings
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from spectragan.estimators.base import SYNTHETIC, Latents
from spectragan.estimators.label_matching import emulated
from spectragan.estimators.translation_errors import BaseEnsemble
from spectragan.estimators.translator import CycleGANTranslator
from spectragan.exceptions import SpectraganWarning
from spectragan.spectra import Spectra
from spectragan.spectra.validation import check_count, check_verbose
from spectragan.training.error_scale import COVERAGES

FLOOR = 0.1  # of the mean variance, which every pixel has: few members can agree by chance
FLOOR_ROWS = 200  # synthetic spectra over which that mean is taken


class TranslatorEnsemble(BaseEnsemble):
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
            Handed to every member's `fit`, such as ``anchors``.

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
        check_count(self.n_members, "n_members")
        check_verbose(self.verbose)
        parts = self._fit_domains(emulated(X, y), y)
        rng = check_random_state(self.random_state)
        members = [self._make_member(None).fit(*parts, **fit_params)]
        for _ in range(self.n_members - 1):
            member = self._make_member(rng)
            drawn = (part[np.sort(rng.randint(len(part), size=len(part)))] for part in parts)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SpectraganWarning)
                members.append(member.fit(*drawn, **fit_params))
        self.members_ = members
        self.subspace_ = members[0].subspace_
        self.factors_ = self.offset_factors_ = np.ones(len(COVERAGES))
        some = self._input(parts[SYNTHETIC][:: max(1, len(parts[0]) // FLOOR_ROWS)], SYNTHETIC)
        self.floor_ = FLOOR * float(np.mean(self._moments(some)[1]))
        self.n_shared_ = sum(member.n_shared_ for member in members)
        self.n_split_ = sum(member.n_split_ for member in members)
        return self

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

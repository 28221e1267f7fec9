"""`PseudoPairTranslator`: translation in closed form, from counterparts that are inferred."""

import warnings
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from spectragan.exceptions import LabelMismatchWarning
from spectragan.rules import NONE, Rules, check_all, count
from spectragan.spectra.oddities import warn_if_unlike
from spectragan.translator.base import BaseTranslator, Latents
from spectragan.translator.domain_data import domain_data, stored_means
from spectragan.translator.matching.matching import (
    check_not_asked_for,
    doubt_in,
    emulated,
    read_known,
)
from spectragan.translator.matching.mismatch import match_domains
from spectragan.translator.matching.offset import likely_pairs
from spectragan.translator.matching.pseudo_map import PseudoMap, constant_map, fit_pseudo_map
from spectragan.translator.networks.contract import OBSERVED, SYNTHETIC
from spectragan.translator.subspace import fit_subspace


class PseudoPairTranslator(BaseTranslator):
    r"""Translate by what observed stars have more than their inferred synthetic counterparts.

    Every observed spectrum gets the synthetic counterpart that differs from it at the fewest
    pixels, but for what all lines have in common (depth, width, place, continuum, added light).
    What is left is regressed on the latents of the counterparts, pixel by pixel, and added to
    synthetic spectra:

    .. math:: T(x) = x + c(z) + h_j\,\phi(z), \qquad z = E\,(x - \bar x),

    with the common change :math:`c`, quadratic terms :math:`\phi` of the latents, and the
    components :math:`E` of the synthetic spectra. The label distributions of the domains may
    differ. It takes seconds, and is the baseline that is hardest to beat where lines have errors
    of their own, or one in common.

    Parameters
    ----------
    n_components : int or None, default=20
        Of the subspace that fills masked pixels.

    Attributes
    ----------
    map_ : PseudoMap
        The latents, and the change as polynomials of them.
    mismatch_ : LabelMismatch or None
        How far the label distributions of both domains differ, and what all lines have in common;
        None where there are fewer than 50 spectra of a domain or 50 pixels that both have. Then
        translation is the difference of the mean spectra.
    offset_covariance_ : ndarray of shape (n_shared, n_shared) or None
        How far the mean observed star may lie from where it was put, in shared latents.
    subspace_ : Subspace
        Means of both domains, and joint components.
    n_shared_, n_split_ : int
        Latents in use; none are split.
    n_features_in_ : int
        Number of pixels.
    wavelength_ : Quantity of shape (n_pixels,) or None
        The grid of `fit`, in Angstrom.

    See Also
    --------
    LinearTranslator : Assumes equal label distributions, and no kind of gap.
    CycleGANTranslator : Learns a map of any form.

    Notes
    -----
    A continuum, a broadening and a velocity that differ from star to star don't move a
    counterpart: each star has its own beside the latents, with the scatter that is found. Stars
    unlike all observed ones get the change of the outermost of these.

    A gap that makes stars look like other stars leaves no trace in unpaired spectra.
    ``mismatch_.is_ambiguous`` says where that is as likely as other labels; `anchors` or rough
    `labels` decide.

    Examples
    --------
    >>> from spectragan import PseudoPairTranslator
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(200, 200, n_pixels=200, random_state=0)
    >>> translator = PseudoPairTranslator().fit(mock.synthetic, mock.observed)
    >>> translator.transform(mock.synthetic).shape
    (200, 200)
    """

    n_shared_: int
    n_split_: int
    map_: PseudoMap

    _kept: ClassVar = {
        "map_": "PseudoMap s p",
        "mismatch_": "LabelMismatch?",
        "offset_covariance_": "array? s s",
        "n_shared_": "count s",
        "n_split_": "count 0",
    }
    _rules: ClassVar[Rules] = {"n_components": count() | NONE}

    def __init__(self, n_components: int | None = 20) -> None:
        self.n_components = n_components

    def fit(
        self, X: Any, y: Any = None, *, anchors: Any = None, labels: Any = None
    ) -> "PseudoPairTranslator":
        """Learn the map from unpaired spectra.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Of both domains; or the synthetic ones alone; or a fitted `SpectrumEmulator`.
        y : array-like of shape (n_spectra,), or spectra of shape (n_observed, n_pixels)
            The domain of every row of `X` (0 synthetic, 1 observed), or the observed spectra.
        anchors : tuple of (observed spectra, partners), default=None
            A few stars whose labels are known, with their synthetic spectra row by row (or, with
            an emulator, their labels).
        labels : RoughLabels, default=None
            Catalogue or photometric labels of observed stars, with their errors: another way to
            tell a gap from a difference of labels.

        Returns
        -------
        self : object
            Fitted.

        Raises
        ------
        GridMismatchError
            If the domains are on different grids.
        ValueError
            If a domain is missing or has fewer than 2 usable spectra, `n_components` isn't an
            integer of at least 1 or None, or there are too few spectra for `anchors` or
            `labels`, or `labels` aren't one row for each spectrum.

        Warns
        -----
        LabelMismatchWarning
            If a gap along the labels, and other labels, explain the spectra equally well.
        """
        check_all(vars(self), self._rules)
        source, X = X, emulated(X, y)
        parts = self._fit_domains(X, y)
        known, partners = read_known(self, anchors, labels, source, (X, y))
        warn_if_unlike({"anchors": partners}, parts)
        rng = np.random.RandomState(0)
        whole = [domain_data(part) for part in parts]
        some = [data.sample(rng) for data in whole]
        self.subspace_ = fit_subspace(
            (some[0].flux, some[1].flux),
            (some[0].weights, some[1].weights),
            known=(some[0].known, some[1].known),
            n_components=self.n_components,
            rng=rng,
            means=stored_means(whole),
        )
        found = match_domains((whole[0], whole[1]), match=False, known=known)
        self.mismatch_ = self.offset_covariance_ = None
        if found is None:
            check_not_asked_for(False, known, parts)
            self.map_ = constant_map(self.subspace_)
        else:
            self.mismatch_ = replace(found.mismatch, matched=True)  # each star has its own
            placed = likely_pairs(found.placed)
            self.offset_covariance_ = placed.pairs.mean_covariance
            self.map_ = fit_pseudo_map(placed, some[OBSERVED], self.subspace_)
            if found.mismatch.is_ambiguous:
                warnings.warn(doubt_in(found.mismatch, known), LabelMismatchWarning, stacklevel=2)
        self.n_shared_, self.n_split_ = self.map_.n_latents, 0
        return self

    def _translate(
        self, flux: np.ndarray, domain: int, codes: np.ndarray | None = None
    ) -> np.ndarray:
        if domain == SYNTHETIC:
            return self.map_.translate(flux)
        return flux - self.map_.added(self.map_.encode_observed(flux))

    def _push_forward(
        self, flux: np.ndarray, tangents: np.ndarray, codes: np.ndarray | None = None
    ) -> np.ndarray:
        return self.map_.push(flux, tangents)

    def _encode(self, flux: np.ndarray, domain: int) -> Latents:
        encode = self.map_.encode if domain == SYNTHETIC else self.map_.encode_observed
        return Latents(encode(flux), np.empty((len(flux), 0)))

    def _decode(self, shared: np.ndarray, split: np.ndarray | None, domain: int) -> np.ndarray:
        flux = self.map_.spectra(shared)
        return flux + self.map_.added(shared) if domain == OBSERVED else flux

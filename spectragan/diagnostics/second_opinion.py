"""What another method, which assumes something else, says about a translation, and stars."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from spectragan.exceptions import LabelMismatchWarning
from spectragan.spectra import Spectra
from spectragan.translator.closed_form import PseudoPairTranslator

TINY = np.finfo(float).tiny


class SecondOpinion(NamedTuple):
    """The closed form of inferred pairs, beside a translation.

    Attributes
    ----------
    mismatch : LabelMismatch or None
        Of the label distributions; None with too few spectra.
    disagreement : float
        Rms difference of the translated spectra, as a part of the change that the closed form
        makes, beyond a mean error of 1 % of the scatter between spectra.
    left_of_stars : float
        What is left of observed spectra when their counterparts are translated, as a part of the
        difference to these, less the noise; NaN where that isn't known.
    by_noise : float
        Error that the noise of so many observed spectra leaves to a mean change and one for each
        latent, as a part of the change; NaN where the noise isn't known.
    """

    mismatch: Any
    disagreement: float
    left_of_stars: float
    by_noise: float


MOST_STARS = 500  # change no share
STRANGERS = 0.1  # of the stars, whose residuals don't count
NO_GAP = 0.1  # of the scatter between spectra: parts of smaller gaps aren't counted


def second_opinion(
    translator: Any, translated: Spectra, synthetic: Spectra, observed: Spectra
) -> SecondOpinion:
    """Translate by inferred pairs, and compare.

    Parameters
    ----------
    translator : fitted translator
    translated, synthetic : Spectra of shape (n_synthetic, n_pixels)
        Row by row.
    observed : Spectra of shape (n_observed, n_pixels)

    Returns
    -------
    opinion : SecondOpinion
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LabelMismatchWarning)
        other = PseudoPairTranslator().fit(synthetic, observed)
    expected = other.transform(synthetic).flux
    good = (synthetic.ivar > 0) & (translated.ivar > 0)
    apart, change = (
        float(np.sqrt(np.mean((part - expected)[good] ** 2, dtype=float)))
        for part in (translated.flux, synthetic.flux)
    )
    scatter = float(np.sqrt(np.mean(synthetic.flux.var(axis=0, dtype=float))))
    floor = max(0.01 * scatter, np.finfo(float).tiny)
    disagreement = apart / float(np.hypot(change, floor))
    known = observed[np.flatnonzero((observed.noise == "known") & (observed.ivar > 0).any(axis=1))]
    if other.mismatch_ is None or not len(known):
        return SecondOpinion(other.mismatch_, disagreement, np.nan, np.nan)
    variance = 1 / known.ivar[known.ivar > 0].mean(dtype=float)
    by_noise = np.sqrt(variance * (1 + other.n_shared_) / len(known))
    return SecondOpinion(
        other.mismatch_,
        disagreement,
        _left_of_stars(translator, other, known[:: -(-len(known) // MOST_STARS)], scatter),
        float(by_noise / np.hypot(change, NO_GAP * scatter)),
    )


def _left_of_stars(
    translator: Any, other: PseudoPairTranslator, stars: Spectra, scatter: float
) -> float:
    partners = other.decode(other.encode(stars, 1).shared, domain=0)
    models = stars.with_flux(partners.astype(stars.dtype), np.ones(stars.shape), "exact")
    good = stars.ivar > 0
    noise = np.divide(1.0, stars.ivar, out=np.zeros(stars.shape), where=good)
    n_good = good.sum(axis=1)

    def beyond_noise(flux: np.ndarray) -> np.ndarray:
        squares = np.where(good, (stars.filled() - flux).astype(float) ** 2 - noise, 0.0)
        return squares.sum(axis=1) / n_good

    left = beyond_noise(translator.transform(models).flux)
    usual = left <= np.quantile(left, 1 - STRANGERS)
    raw = max(beyond_noise(models.flux)[usual].mean(), (NO_GAP * scatter) ** 2, TINY)
    return float(np.sqrt(max(left[usual].mean(), 0.0) / raw))

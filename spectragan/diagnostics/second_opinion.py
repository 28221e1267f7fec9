"""What another method, which assumes something else, says about a translation."""

import warnings
from typing import Any, NamedTuple

import numpy as np

from spectragan.exceptions import LabelMismatchWarning
from spectragan.spectra import Spectra
from spectragan.translator.closed_form import PseudoPairTranslator


class SecondOpinion(NamedTuple):
    """The closed form of inferred pairs, beside a translation.

    Attributes
    ----------
    mismatch : LabelMismatch or None
        Of the label distributions; None with too few spectra.
    disagreement : float
        Rms difference of the translated spectra, as a part of the change that the closed form
        makes, beyond a mean error of 1 % of the scatter between spectra.
    """

    mismatch: Any
    disagreement: float


def second_opinion(translated: Spectra, synthetic: Spectra, observed: Spectra) -> SecondOpinion:
    """Translate by inferred pairs, and compare.

    Parameters
    ----------
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
    return SecondOpinion(other.mismatch_, apart / float(np.hypot(change, floor)))

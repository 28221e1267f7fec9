"""A score of translators that needs no pairs: it makes its own."""

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from spectragan.estimators.translator_data import memory_data
from spectragan.training.mismatch import MIN_PIXELS, MIN_ROWS, match_domains


def pseudo_pair_score(translator: Any, X: Any, y: Any) -> float:
    """Return minus what a translator leaves of the gap, on pairs that are inferred.

    Every observed spectrum gets the synthetic counterpart that differs from it at as few pixels
    as possible, found without the translator. Give it to `GridSearchCV` as ``scoring``, with
    spectra that the translator wasn't fitted to.

    Parameters
    ----------
    translator : fitted translator
        Or a pipeline that ends in one; then `X` and `y` must be spectra and their domains.
    X : spectra of shape (n_spectra, n_pixels)
        Of both domains; or the synthetic ones alone. At least 50 of each, and better hundreds.
    y : array-like of shape (n_spectra,), or spectra of shape (n_observed, n_pixels)
        The domain of every row, or the observed spectra.

    Returns
    -------
    score : float
        Minus the rms difference of the translated counterparts to the observed spectra, over that
        of the counterparts themselves. Pixels count by their ivar. Noise and split latents keep
        it from 0. It is there to put translators in order: counterparts are chosen to be near,
        so -1 isn't where translation stops to help.

    Raises
    ------
    NotFittedError
        If the translator isn't fitted.
    ValueError
        If there are fewer than 50 spectra of a domain, or 50 pixels.

    See Also
    --------
    cycle_scores : On real pairs.
    spectragan.gap_scores : How far two unpaired sets are apart.

    Notes
    -----
    Where the label distributions don't differ significantly, the counterparts are shifted and
    scaled until they don't differ at all: that helps where the gap isn't sparse. Where they do,
    and every pixel has a gap, the counterparts are off along the labels, and so is the score: it
    then compares translators that share this fault.

    Examples
    --------
    >>> from spectragan import LinearTranslator, MeanShiftTranslator, pseudo_pair_score
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(300, 300, n_pixels=300, random_state=0)
    >>> domains = mock.synthetic, mock.observed
    >>> shifted, linear = MeanShiftTranslator().fit(*domains), LinearTranslator().fit(*domains)
    >>> -1 < pseudo_pair_score(shifted, *domains) < pseudo_pair_score(linear, *domains) < 0
    True
    """
    check_is_fitted(translator)
    if isinstance(translator, Pipeline):
        X, translator = translator[:-1].transform(X), translator[-1]
    synthetic, observed = translator._read_domains(X, y, reset=False)
    domains = memory_data(synthetic), memory_data(observed)
    found = match_domains(domains, match=False)
    if found is None:
        raise ValueError(
            f"`X` must hold {MIN_ROWS} spectra of each domain or more, and {MIN_PIXELS} pixels; "
            f"got {len(synthetic)} synthetic and {len(observed)} observed spectra of "
            f"{synthetic.shape[1]} pixels; use `score` for so few."
        )
    latents = found.placed.latents[1]
    if not found.mismatch.is_significant:
        latents = _moved(latents, found.placed.latents[0])
    pixels = found.placed.pixels
    partners, seen = np.zeros(observed.shape), np.zeros(observed.shape)
    partners[:, pixels] = found.placed.pairs.manifold.spectra(latents)
    seen[:, pixels] = 1.0
    exact = observed.with_flux(partners.astype(observed.dtype), seen, "exact")
    weights, flux = domains[1].weights * seen, domains[1].flux
    left, raw = (
        float((weights * np.where(weights > 0, f - flux, 0.0).astype(float) ** 2).sum())
        for f in (translator.transform(exact).flux, partners)
    )
    return -float(np.sqrt(left / raw)) if raw > 0 else 0.0


def _moved(latents: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return latents with the mean and the widths that are wanted."""
    width = wanted.std(axis=0) / np.maximum(latents.std(axis=0), np.finfo(float).tiny)
    return wanted.mean(axis=0) + (latents - latents.mean(axis=0)) * width

"""Scores of a translator: on pairs of equal labels, or on pseudo-pairs that it makes itself."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from functools import partial
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from spectragan.rules import check, one_of
from spectragan.spectra import Spectra
from spectragan.spectra.domains import check_domain_order
from spectragan.spectra.inputs import check_latents, check_set, check_translator, make_rng
from spectragan.spectra.lazy import has_good_pixel
from spectragan.spectra.summary import SummaryMixin
from spectragan.translator.base import decoded
from spectragan.translator.domain_data import memory_data
from spectragan.translator.matching.mismatch import MIN_PIXELS, MIN_ROWS, match_domains

MIN_PAIRS = 2  # a donor must be another row


@dataclass(frozen=True, repr=False)
class CycleScores(SummaryMixin):
    """The validation scores of a translator, as `cycle_scores` measured them; lower is better.

    Attributes
    ----------
    x_so : float
        Translated synthetic against observed spectra: mean squared difference per unmasked pixel
        in units of the observed errors, or of flux where these are not known.
    x_os : float
        Translated observed against synthetic spectra, likewise in the synthetic spectra's units.
    z_shared_so : float
        Shared latents of synthetic spectra against those of their translations.
    z_shared_os : float
        Shared latents of observed spectra against those of their translations.
    z_split_so : float
        Split latents that were handed to the generator against those read back from the
        translated spectrum; 0 if the translator has none.
    z_shared : float
        Shared latents of synthetic spectra against those of their observed partners.
    n_pairs : int
        The number of pairs.
    """

    x_so: float
    x_os: float
    z_shared_so: float
    z_shared_os: float
    z_split_so: float
    z_shared: float
    n_pairs: int

    def as_dict(self) -> dict[str, float]:
        """Return the six scores by name, one entry each of a training history.

        Returns
        -------
        scores : dict of str to float
            Without `n_pairs`.
        """
        return {name: value for name, value in asdict(self).items() if name != "n_pairs"}

    def summary(self) -> str:
        """Return the scores as a small table.

        Returns
        -------
        table : str
            One line per score.
        """
        words = {
            "x_so": "X  translated synthetic, observed",
            "x_os": "X  translated observed, synthetic",
            "z_shared_so": "Z  shared: synthetic, translated synthetic",
            "z_shared_os": "Z  shared: observed, translated observed",
            "z_split_so": "Z  split: donor, translated synthetic",
            "z_shared": "Z  shared: synthetic, observed",
        }
        lines = [f"{words[name]:<45}{value:>12.5g}" for name, value in self.as_dict().items()]
        return "\n".join([*lines, f"{self.n_pairs} pairs"])

    def __repr__(self) -> str:
        scores = ", ".join(f"{name}={value:.3g}" for name, value in self.as_dict().items())
        return f"CycleScores({scores}, n_pairs={self.n_pairs})"


SCORES = tuple(field.name for field in fields(CycleScores) if field.name != "n_pairs")
SCORE = one_of(*SCORES, remedy="'x_so' judges what `transform` returns")


def cycle_scores(
    translator: Any,
    X_synthetic: Any,
    X_observed: Any,
    *,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> CycleScores:
    """Score a translator on pairs it was not trained on.

    Parameters
    ----------
    translator : fitted translator
        Has `encode`, `decode` and `inverse_transform`.
    X_synthetic : spectra of shape (n_pairs, n_pixels)
        Synthetic spectra, at least 2.
    X_observed : spectra of shape (n_pairs, n_pixels)
        Observed spectra with the same labels, row by row.
    random_state : int, RandomState, Generator or None, default=None
        Chooses which observed spectrum lends its split code to which synthetic one.

    Returns
    -------
    scores : CycleScores
        Two scores of spectra (X) and four of latents (Z).

    Raises
    ------
    GridMismatchError
        If the domains are on different grids.
    ValueError
        If there are fewer than 2 pairs, the numbers of rows differ, or a latent is not finite.

    Warns
    -----
    SwappedDomainsWarning
        If the noise words say that the domains changed places.

    See Also
    --------
    spectragan.diagnostics.gap_scores : Needs no pairs.

    Notes
    -----
    The split code handed to the generator is never the partner's own, which no user has, but that
    of another row: a random derangement. The split score compares with that donor's code.

    A spectrum score is ``mean over good pixels of ivar * (translated - target)**2``: with known
    errors, a perfect translation reaches 1, its noise, plus what differing split codes cost. A
    latent score is the mean absolute difference after every latent is scaled to [0, 1] by its
    range over the originals of both domains [1]_.

    References
    ----------
    .. [1] O'Briain, T. et al. 2021, "Cycle-StarNet: bridging the gap between theory and data by
       leveraging large data sets", ApJ, 906, 130, arXiv:2007.03109.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan import MeanShiftTranslator, Spectra, cycle_scores
    >>> rng = np.random.default_rng(0)
    >>> models = 1.0 + 0.1 * rng.normal(size=(40, 3)) @ rng.normal(size=(3, 30))
    >>> stars = models + 0.2 + 0.01 * rng.normal(size=models.shape)
    >>> synthetic = Spectra(models, None, noise="exact")
    >>> observed = Spectra(stars, None, ivar=np.full(stars.shape, 1e4))
    >>> translator = MeanShiftTranslator().fit(synthetic, observed)
    >>> scores = cycle_scores(translator, synthetic, observed, random_state=0)
    >>> scores.x_so < 1.5  # nearly the noise
    True
    """
    if not hasattr(translator, "inverse_transform"):
        raise TypeError(
            f"`translator` must be a fitted translator; got {type(translator).__name__}; give for "
            "example a LinearTranslator."
        )
    synthetic = check_set(X_synthetic, "X_synthetic", min_rows=MIN_PAIRS)
    observed = check_set(
        X_observed, "X_observed", like=synthetic, like_name="X_synthetic", min_rows=MIN_PAIRS
    )
    if len(synthetic) != len(observed):
        raise ValueError(
            "`X_synthetic` and `X_observed` must be pairs, row by row; got "
            f"{len(synthetic)} and {len(observed)} rows; give the same stars in both."
        )
    check_domain_order(synthetic, observed)
    seen = has_good_pixel(synthetic) & has_good_pixel(observed)
    if not seen.all():
        synthetic, observed = (
            check_set(part[seen], f"{name} without masked rows", min_rows=MIN_PAIRS)
            for part, name in ((synthetic, "X_synthetic"), (observed, "X_observed"))
        )
    donor = derangement(len(observed), make_rng(random_state))
    shared_s = _encode(translator, synthetic, 0)[0]
    shared_o, split_o = _encode(translator, observed, 1)
    forth = decoded(translator, shared_s, split_o[donor], observed)
    back = check_set(translator.inverse_transform(observed), "X_os", min_rows=MIN_PAIRS)
    shared_so, split_so = _encode(translator, forth, 1)
    shared_os = _encode(translator, back, 0)[0]
    span = _ranges(shared_s, shared_o)
    return CycleScores(
        x_so=_weighted_distance(forth, observed),
        x_os=_weighted_distance(back, synthetic),
        z_shared_so=_latent_distance(shared_s, shared_so, span),
        z_shared_os=_latent_distance(shared_o, shared_os, span),
        z_split_so=_latent_distance(split_o[donor], split_so, _ranges(split_o)),
        z_shared=_latent_distance(shared_s, shared_o, span),
        n_pairs=len(observed),
    )


def cycle_scorer(pairs: Any, score: str = "x_so") -> Callable[..., float]:
    """Return a scorer that chooses translators by pairs: give it to `GridSearchCV` as ``scoring``.

    Parameters
    ----------
    pairs : tuple of (synthetic, observed) spectra
        Of the same stars, row by row, that no translator is trained on.
    score : {"x_so", "x_os", "z_shared_so", "z_shared_os", "z_split_so", "z_shared"}, default="x_so"
        Which of `CycleScores`.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y)`` returns minus the score, so that higher is better. `X` and `y`
        don't count: every fold is judged by the same pairs. Of a pipeline, which must end in a
        translator, the steps before it are applied to the pairs.

    Raises
    ------
    ValueError
        If there is no such score, or `pairs` aren't two sets.

    See Also
    --------
    cycle_scores : All six, and what they mean.
    pseudo_pair_score : A scorer without pairs.

    Examples
    --------
    >>> from sklearn.model_selection import GridSearchCV, StratifiedKFold
    >>> from spectragan import LinearTranslator, cycle_scorer, stack_domains
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(200, 200, n_pixels=200, random_state=0)
    >>> X, domain = stack_domains(mock.synthetic, mock.observed[40:])
    >>> pairs = mock.synthetic_of_observed[:40], mock.observed[:40]
    >>> folds = StratifiedKFold(2, shuffle=True, random_state=0)
    >>> grid = {"n_components": [1, 8]}
    >>> search = GridSearchCV(LinearTranslator(), grid, scoring=cycle_scorer(pairs), cv=folds)
    >>> search.fit(X, domain).best_params_
    {'n_components': 8}
    """
    check(score, "score", SCORE)
    if not (isinstance(pairs, tuple | list) and len(pairs) == 2):
        raise ValueError(
            "`pairs` must be a pair (synthetic, observed) of spectra; got "
            f"{type(pairs).__name__}; give two sets of the same stars."
        )
    return partial(_minus_score, pairs=tuple(pairs), score=score)


def _minus_score(estimator: Any, X: Any = None, y: Any = None, *, pairs: Any, score: str) -> float:
    if isinstance(estimator, Pipeline):
        steps, estimator = estimator[:-1], estimator[-1]
        pairs = tuple(steps.transform(part) for part in pairs)
    if "split" in score and getattr(estimator, "n_split_", None) == 0:
        raise ValueError(
            f"`score` must not be {score!r} where a translator has no split latents; got "
            f"{type(estimator).__name__}; name another, as 'x_so'."
        )
    return -cycle_scores(estimator, *pairs, random_state=0).as_dict()[score]


def derangement(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return a random order of n >= 2 rows that leaves none in its place.

    Parameters
    ----------
    n : int
        The number of rows.
    rng : numpy.random.Generator
        Draws the order.

    Returns
    -------
    donor : ndarray of int of shape (n,)
        For every row another row, each once.
    """
    order = rng.permutation(n)
    donor = np.empty(n, dtype=int)
    donor[order] = np.roll(order, 1)
    return donor


def _encode(translator: Any, spectra: Spectra, domain: int) -> tuple[np.ndarray, np.ndarray]:
    """Return checked shared and split latents; no split latents are zero columns."""
    latents = translator.encode(spectra, domain=domain)
    shared = check_latents(latents.shared, "shared")
    split = np.reshape(latents.split, (len(spectra), -1))
    return shared, check_latents(split, "split")


def _weighted_distance(spectra: Spectra, target: Spectra) -> float:
    """Return the mean over the pixels good in both of ivar times squared difference."""
    weight = np.where(spectra.ivar > 0, target.ivar, 0.0).astype(np.float64)
    good = np.count_nonzero(weight)
    difference = spectra.filled().astype(np.float64) - target.filled()
    return float((weight * difference**2).sum() / good) if good else float("nan")


def _ranges(*latents: np.ndarray) -> np.ndarray:
    """Return the range of every latent over all sets; 1 for a constant one."""
    stacked = np.vstack(latents)
    span = np.ptp(stacked, axis=0)
    return np.where(span > 0, span, 1.0)


def _latent_distance(a: np.ndarray, b: np.ndarray, span: np.ndarray) -> float:
    """Return the mean absolute difference of latents in units of their ranges."""
    return float(np.mean(np.abs(a - b) / span)) if a.size else 0.0


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
    check_translator(translator, "pseudo_pair_score(translator, X, y)")
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

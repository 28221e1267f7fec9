"""How far label distributions differ between the domains, and which stars both have."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from scipy.stats import chi2
from sklearn.linear_model import LogisticRegression
from sklearn.utils.extmath import randomized_svd

from spectragan.spectra.summary import SummaryMixin
from spectragan.translator.domain_data import DomainData
from spectragan.translator.matching.known_stars import (
    KnownStars,
    check_in_order,
    check_related,
    doubt_in_labels,
    doubt_in_latents,
    relate_labels,
)
from spectragan.translator.matching.manifold import Powers, fit_manifold
from spectragan.translator.matching.pseudo_pairs import PseudoPairs
from spectragan.translator.matching.search import find_pseudo_pairs
from spectragan.translator.subspace import intrinsic_dimension

N_COMPONENTS = 20  # in which the intrinsic dimension is counted
MAX_LATENTS = 6
SIZE_PER_COMPONENT = 10  # rows and pixels: more components would fill masked pixels with noise
FILL_ITERATIONS = 5  # masked pixels are filled with what the components say about them
ROUNDING = 1e-6  # of flux: spectra that differ by less are alike
SPREAD_FLOOR = 0.03  # of the largest spread: smaller components would count as much as large ones


@dataclass(frozen=True)
class LatentBasis:
    """Leading principal components of synthetic spectra, in units of their scatter.

    Attributes
    ----------
    mean : ndarray of shape (n_pixels,)
    components : ndarray of shape (n_components, n_pixels)
        More than there are latents: they fill masked pixels.
    scale : ndarray of shape (n_latents,)
    """

    mean: np.ndarray
    components: np.ndarray
    scale: np.ndarray

    def filled(self, data: DomainData) -> np.ndarray:
        """Return flux with masked pixels as the components have them.

        Parameters
        ----------
        data : DomainData
            Synthetic.

        Returns
        -------
        flux : ndarray of shape (n_spectra, n_pixels)
        """
        centred = np.where(data.good, data.flux - self.mean, 0.0)
        return self.mean + _filled(centred, data.good, self.components)

    def latents(self, data: DomainData) -> np.ndarray:
        """Return the latents of synthetic spectra.

        Parameters
        ----------
        data : DomainData

        Returns
        -------
        latents : ndarray of shape (n_spectra, n_latents)
        """
        centred = self.filled(data) - self.mean
        return centred @ self.components[: len(self.scale)].T / self.scale


def fit_latent_basis(data: DomainData, rng: np.random.RandomState) -> LatentBasis | None:
    """Find the leading directions of synthetic spectra.

    Parameters
    ----------
    data : DomainData
    rng : RandomState
        Starts the randomised decomposition.

    Returns
    -------
    basis : LatentBasis or None
        As many latents as the intrinsic dimension, 6 at most; None if all spectra are alike.

    Returns
    -------
    basis : LatentBasis
    """
    good = data.good
    mean = np.where(good, data.flux, 0.0).sum(axis=0) / np.maximum(good.sum(axis=0), 1)
    n_components = min(
        N_COMPONENTS, *(max(1, size // SIZE_PER_COMPONENT) for size in data.flux.shape)
    )
    centred = filled = np.where(good, data.flux - mean, 0.0)
    for _ in range(1 if good.all() else FILL_ITERATIONS):
        components = randomized_svd(filled, n_components, random_state=rng)[2]
        filled = _filled(centred, good, components)
    coefficients = filled @ components.T
    spread = coefficients.std(axis=0)
    n_real = int(np.count_nonzero(spread > ROUNDING * np.abs(data.flux).max()))
    if n_real == 0:
        return None
    scaled = coefficients / np.maximum(spread, SPREAD_FLOOR * spread.max())
    kept = min(math.ceil(intrinsic_dimension(scaled)), MAX_LATENTS, n_real)
    return LatentBasis(mean, components, spread[:kept])


def _filled(centred: np.ndarray, good: np.ndarray, components: np.ndarray) -> np.ndarray:
    """Return spectra less their mean, masked pixels filled."""
    filled = centred
    for _ in range(0 if good.all() else FILL_ITERATIONS):
        filled = np.where(good, centred, filled @ components.T @ components)
    return filled


MIN_ROWS = 50  # of each domain: of fewer, nothing can be said
MIN_PIXELS = 50  # that both domains have
LEAST_SEEN, LEAST_SHARE = 10, 0.05  # spectra in which a pixel must be good
SAMPLE_ROWS = 2000  # of each domain, from which manifold and gap are learned
SCALE_ERROR = 0.1  # of log widths: broader lines shrink latents
LEVEL = 0.01  # of false alarms: stricter than usual, for part of the errors is assumed
MAX_LOG_RATIO = 6.0
NOTICED = 3.0  # errors beyond which a common change of all lines is worth a word
# For each: words for more and for less, unit, and the factor that goes with it.
COMMON_WORDS = (
    ("deeper", "shallower", " %", 100.0),
    ("broader", "narrower", " pixels", 1.0),
    ("redwards", "bluewards", " pixels", 1.0),
    ("(rms) of another continuum", "", " %", 100.0),
)


@dataclass(frozen=True, repr=False, eq=False)
class LabelMismatch(SummaryMixin):
    """How far the label distributions of both domains differ, along the latents of the spectra.

    Attributes
    ----------
    offset, offset_error : ndarray of shape (n_latents,)
        Mean of the observed stars less that of the synthetic spectra, in standard deviations of
        the latter. The error includes what the gap could hide, which is assumed, not measured.
    scale : ndarray of shape (n_latents,)
        Width of the observed distribution, in those of the synthetic one.
    p_value : float
        Chance of a difference as large as this if there were none: at most, for the errors are
        generous.
    shares : tuple of two floats, synthetic first
        Effective sample size of each domain after matching, as a part of its spectra.
    matched : bool
        Whether training allowed for it: it used stars that both domains have, or the counterpart
        of each.
    common : ndarray of shape (4, 2)
        What all lines have in common in the observed spectra, and errors: how much deeper they
        are, as a part of their depth; what broadens them, as a standard deviation in pixels,
        negative where they are narrower; how many pixels further on they lie; and the rms change
        of the continuum, as a part of it. All at the mean observed star.
    bounded : bool
        Whether anchors or rough labels say how far off the mean labels may be.
    """

    _kept: ClassVar = {
        "offset": "array n",
        "offset_error": "array n",
        "scale": "array n",
        "p_value": "number",
        "shares": "any",
        "matched": "flag",
        "common?": "array 4 2",
        "bounded?": "flag",
    }

    offset: np.ndarray
    offset_error: np.ndarray
    scale: np.ndarray
    p_value: float
    shares: tuple[float, float]
    matched: bool
    common: np.ndarray = field(default_factory=lambda: np.zeros((4, 2)))
    bounded: bool = False

    @property
    def is_significant(self) -> bool:
        """Whether the distributions differ: `p_value` is below 0.01."""
        return self.p_value < LEVEL

    @property
    def is_ambiguous(self) -> bool:
        """Whether equal labels, and a gap along them, explain the spectra just as well.

        So it is where the domains differ and nothing is known of the labels: no spectrum decides
        between the two, but anchors do.
        """
        return self.is_significant and not self.bounded

    @property
    def gap(self) -> str:
        """What all lines have in common, in words; the empty string where that is nothing."""
        return ", ".join(
            word
            for (size, error), (more, less, unit, factor) in zip(
                self.common, COMMON_WORDS, strict=True
            )
            if abs(size) > NOTICED * error
            and (word := _words_of(size, error, more if size > 0 else less, unit, factor))
        )

    @property
    def distance(self) -> float:
        """Length of the offset in standard deviations, less what its errors add to it."""
        square = (self.offset**2).sum() - (self.offset_error**2).sum()
        return float(np.sqrt(max(square, 0.0)))

    @property
    def distance_error(self) -> float:
        """Error of `distance`."""
        size = max(float(np.linalg.norm(self.offset)), np.finfo(float).tiny)
        return float(np.linalg.norm(self.offset * self.offset_error) / size)

    def summary(self) -> str:
        """Return the mismatch as a small table.

        Returns
        -------
        table : str
            One line per latent, and three on all of them together.
        """
        lines = [f"{'latent':<20}{'offset [std]':<20}width [std]"]
        columns = zip(self.offset, self.offset_error, self.scale, strict=True)
        for number, (offset, error, scale) in enumerate(columns, start=1):
            lines.append(f"{number:<20}{f'{offset:+.2f} ± {error:.2f}':<20}{scale:.2f}")
        distance = f"{self.distance:.2f} ± {self.distance_error:.2f}"
        first, second = self.shares
        trained = "on stars that both have" if self.matched else "on all spectra"
        lines += [
            f"{'distance':<20}{distance} (p = {self.p_value:.2g})",
            f"{'effective sample':<20}{first:.0%} of the synthetic, {second:.0%} of the observed",
            f"{'trained':<20}{trained}",
        ]
        if self.gap:
            lines.append(f"{'all lines':<20}{self.gap}")
        if self.is_ambiguous:
            lines.append(f"{'but':<20}equal labels and a gap along them would look the same")
        return "\n".join(lines)

    def __repr__(self) -> str:
        shares = "/".join(f"{share:.2f}" for share in self.shares)
        return (
            f"LabelMismatch({self.distance:.2f} ± {self.distance_error:.2f} standard deviations, "
            f"p_value={self.p_value:.2g}, shares {shares}, matched={self.matched})"
        )


def _words_of(size: float, error: float, word: str, unit: str, factor: float) -> str:
    """Return a size with its error, to the digit that the error allows; nothing for zeros."""
    size, error = abs(size) * factor, error * factor
    digits = max(0, min(3, 1 - math.floor(math.log10(error)))) if error > 0 else 2
    text = f"{size:.{digits}f} ± {error:.{digits}f}{unit} {word}"
    return text if size >= 0.5 * 10.0**-digits else ""


@dataclass(frozen=True)
class Placed:
    """Spectra of both domains among common latents.

    Attributes
    ----------
    latents : two ndarrays of shape (n_d, n_latents), synthetic first
    pairs : PseudoPairs
    pixels : ndarray of int of shape (n_used,)
        Those that both domains have seen often; `pairs` has only them.
    basis : LatentBasis
        Of the synthetic spectra.
    settled : bool
        Whether what is known of some stars settles whether labels differ.
    """

    latents: tuple[np.ndarray, np.ndarray]
    pairs: PseudoPairs
    pixels: np.ndarray
    basis: LatentBasis
    settled: bool = False


@dataclass(frozen=True)
class Match:
    """Which rows of both domains to train with.

    Attributes
    ----------
    mismatch : LabelMismatch
    rows : tuple of two ndarrays of int, synthetic first
        Rows may be repeated.
    placed : Placed
        Where all spectra lie.
    """

    mismatch: LabelMismatch
    rows: tuple[np.ndarray, np.ndarray]
    placed: Placed


def match_domains(
    domains: tuple[Any, Any],
    *,
    match: bool | str,
    known: KnownStars | None = None,
) -> Match | None:
    """Estimate how far the label distributions differ, and draw stars that both domains have.

    Parameters
    ----------
    domains : two DomainData or StoredDomain
        Synthetic first.
    match : {"auto", True, False}
        "auto" draws where the distributions differ significantly.
    known : KnownStars, default=None
        Counterparts or labels of some observed stars.

    Returns
    -------
    match : Match or None
        None where there are too few spectra or pixels to say anything.

    Notes
    -----
    Rows are drawn in proportion to the density of the *other* domain over that of both, the
    overlap weights of [1]_: they are bounded, and both domains end up with the same distribution.
    The ratio comes from a logistic regression on the latents and their products, never on the
    spectra themselves, which would take the gap for a difference of labels.

    References
    ----------
    .. [1] Li, F., Morgan, K. L. & Zaslavsky, A. M. 2018, JASA, 113, 390.
    """
    placed = place_domains(domains, known=known)
    if placed is None:
        return None
    weights = overlap_weights(*placed.latents)
    mismatch = _compare(placed, weights, match)
    rows = np.arange(len(weights[0])), np.arange(len(weights[1]))
    if mismatch.matched:
        rows = _resample(weights[0]), _resample(weights[1])
    return Match(mismatch, rows, placed)


def place_domains(
    domains: tuple[Any, Any],
    *,
    known: KnownStars | None = None,
) -> Placed | None:
    """Give the spectra of both domains common latents, whatever their label distributions.

    Parameters
    ----------
    domains : two DomainData or StoredDomain
        Synthetic first.
    known : KnownStars, default=None
        Counterparts or labels of some observed stars.

    Returns
    -------
    placed : Placed or None
        None where there are fewer than 50 spectra of a domain, or than 50 pixels that both have,
        or where all synthetic spectra are alike.
    """
    rng = np.random.RandomState(0)  # its own: the training draws the same with and without
    if min(map(len, domains)) < MIN_ROWS:
        return None
    synthetic, observed = (_some(data.sample(rng), rng) for data in domains)
    pixels = np.flatnonzero(_often_seen(synthetic) & _often_seen(observed))
    if len(pixels) < MIN_PIXELS:
        return None
    synthetic, observed = _cut(synthetic, pixels), _cut(observed, pixels)
    basis = fit_latent_basis(synthetic, rng)
    if basis is None:
        return None
    manifold = fit_manifold(basis.latents(synthetic), basis.filled(synthetic))
    pairs = find_pseudo_pairs(manifold, observed.flux, observed.weights, rng)
    settled = False
    if known is not None:
        away = pairs.centre - basis.latents(synthetic).mean(axis=0)
        pairs, settled = _with_known(pairs, basis, pixels, known, away)
    # Block by block: a domain may be larger than the memory.
    parts = ((_cut(block, pixels) for _, block in data.blocks()) for data in domains)
    latents = (
        np.concatenate([basis.latents(part) for part in next(parts)]),
        np.concatenate([pairs.place(part.flux, part.weights) for part in next(parts)]),
    )
    return Placed(latents, pairs, pixels, basis, settled)


def _with_known(
    pairs: PseudoPairs,
    basis: LatentBasis,
    pixels: np.ndarray,
    known: KnownStars,
    away: np.ndarray,
) -> tuple[PseudoPairs, bool]:
    """Return pairs that agree with what is known, and whether that settles what is in doubt."""
    square = away @ np.linalg.solve(pairs.mean_covariance, away)
    differ = bool(chi2.sf(square, len(away)) < LEVEL)
    if known.anchors is not None:
        first, second = (_cut(part, pixels) for part in known.anchors)
        pairs = pairs.with_anchors(
            basis.latents(first), second.flux, second.weights, doubt_in_latents(away)
        )
    if known.labelled is None:
        return pairs, True
    labelled = known.labelled
    first, second = (_cut(part, pixels) for part in (labelled.synthetic, labelled.observed))
    latents, labels = basis.latents(first), labelled.synthetic_labels
    relation = relate_labels(latents, labels)
    check_related(relation, labels)
    doubt = None
    if known.anchors is None:
        doubt = doubt_in_labels(away, relation, latents, labels)
    stars = replace(labelled, observed=second)
    placed = pairs.place(second.flux, second.weights)
    check_in_order(relation.labels(placed), stars, relation.scatter)
    return pairs.with_labels(relation, stars, doubt, differ=differ)


def _often_seen(data: DomainData) -> np.ndarray:
    """Return which pixels are good in enough spectra to say something."""
    return data.good.sum(axis=0) >= max(LEAST_SEEN, LEAST_SHARE * len(data))


def _cut(data: DomainData, pixels: np.ndarray) -> DomainData:
    return DomainData(data.flux[:, pixels], data.weights[:, pixels], data.known, data.exact)


def overlap_weights(synthetic: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of the other domain in the density at each point.

    Parameters
    ----------
    synthetic, observed : ndarrays of shape (n_d, n_latents)

    Returns
    -------
    weights : two ndarrays of shape (n_d,)
        Between 0 and 1; about a half where both are equally dense.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.translator.matching.mismatch import overlap_weights
    >>> rng = np.random.default_rng(0)
    >>> first, second = rng.normal(size=(500, 1)), rng.normal(1, 1, size=(500, 1))
    >>> weights = overlap_weights(first, second)
    >>> bool(weights[0][first[:, 0] > 0.5].mean() > weights[0][first[:, 0] < 0.5].mean())
    True
    """
    points = Powers(synthetic.shape[1], 2)(np.vstack([synthetic, observed]))[:, 1:]
    points = (points - points.mean(axis=0)) / np.maximum(points.std(axis=0), 1e-12)
    domain = np.repeat([0, 1], [len(synthetic), len(observed)])
    # Balanced: how many spectra a domain has is the user's choice.
    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(points, domain)
    ratio = np.clip(model.decision_function(points), -MAX_LOG_RATIO, MAX_LOG_RATIO)
    share = 1 / (1 + np.exp(-ratio))
    return share[: len(synthetic)], 1 - share[len(synthetic) :]


def _compare(
    placed: Placed, weights: tuple[np.ndarray, np.ndarray], match: bool | str
) -> LabelMismatch:
    synthetic, observed = placed.latents
    pairs = placed.pairs
    width = np.maximum(synthetic.std(axis=0), np.finfo(float).tiny)
    offset = (observed.mean(axis=0) - synthetic.mean(axis=0)) / width
    scale = np.maximum(observed.std(axis=0) / width, np.finfo(float).tiny)
    sampling = 1 / len(synthetic) + scale**2 / len(observed)
    offset_error = np.sqrt((pairs.error / width) ** 2 + sampling)
    scale_error = np.sqrt(SCALE_ERROR**2 + (pairs.error / width) ** 2 + sampling / 2)
    covariance = pairs.mean_covariance / np.outer(width, width) + np.diag(sampling)
    square = offset @ np.linalg.solve(covariance, offset)
    square += ((np.log(scale) / scale_error) ** 2).sum()
    p_value = float(chi2.sf(square, 2 * len(offset)))
    shares = _effective_share(weights[0]), _effective_share(weights[1])
    matched = match is True or (match == "auto" and p_value < LEVEL)
    return LabelMismatch(
        offset,
        offset_error,
        scale,
        p_value,
        shares,
        matched,
        pairs.common,
        placed.settled,
    )


def _effective_share(weights: np.ndarray) -> float:
    """Return the effective sample size as a part of the sample.

    Weights that are all small are all alike, too: the domains don't overlap then.
    """
    even = weights.sum() ** 2 / (len(weights) * (weights**2).sum())
    return float(even * min(1.0, 2 * weights.mean()))


def _resample(weights: np.ndarray) -> np.ndarray:
    """Return as many rows as there are, each as often as its weight says, up to rounding."""
    total = np.cumsum(weights)
    return np.searchsorted(total, (np.arange(len(weights)) + 0.5) / len(weights) * total[-1])


def _some(data: DomainData, rng: np.random.RandomState) -> DomainData:
    return data.take(np.sort(rng.permutation(len(data))[:SAMPLE_ROWS]))

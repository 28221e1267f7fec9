"""Features that a translation adds to spectra although neither domain shows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import Table
from sklearn.linear_model import LogisticRegression

from spectragan.lines.slopes import extra_scatter, line_averages, smooth_rows, without_continuum
from spectragan.lines.table import LEAST_SIGMA, Peak, estimate_sigma, find_peaks
from spectragan.rules import check, count, number
from spectragan.spectra import Spectra
from spectragan.spectra.inputs import check_latents, check_set, make_rng
from spectragan.spectra.noise import lend_noise
from spectragan.spectra.steps.broadening import FWHM_PER_SIGMA
from spectragan.spectra.summary import SummaryMixin
from spectragan.translator.matching.manifold import Powers

MOST_LATENTS = 20  # more are replaced by their leading components
ROWS_PER_FEATURE = 10  # a regression on fewer stars follows their noise
MOST_FEATURES = 66  # those of ten latents: more take long to invert for every pixel
CHUNK_PIXELS = 256  # whose matrices are in memory at a time
MAX_LOG_RATIO = 6.0
RIDGE = 1e-10  # relative: features that say nothing aren't divided by 0
TINY = float(np.finfo(float).tiny)


class CommonLatents(NamedTuple):
    """Two sets of spectra in features of their latents, and where both have stars.

    Attributes
    ----------
    features : two ndarrays of shape (n_d, n_features)
        A constant, the latents in units of their spread, and their products if there are stars
        enough.
    shares : two ndarrays of shape (n_d,)
        How much each star counts so that both sets have the same distribution; they sum to 1.
    point : ndarray of shape (n_features,)
        Mean of the features over that distribution.
    overlap : float
        Stars that both sets have, as a part of the smaller one: 0 none, 1 all.
    """

    features: tuple[np.ndarray, np.ndarray]
    shares: tuple[np.ndarray, np.ndarray]
    point: np.ndarray
    overlap: float


def find_common(first: np.ndarray, second: np.ndarray) -> CommonLatents:
    """Return two sets of latents as features, with the distribution that both have.

    Parameters
    ----------
    first, second : ndarray of shape (n_d, n_latents)

    Returns
    -------
    common : CommonLatents
    """
    stacked = _standardized(np.vstack([first, second]))
    n, n_first = min(len(first), len(second)), len(first)
    width = stacked.shape[1]
    products = 1 + width + width * (width + 1) // 2
    curved = products <= min(MOST_FEATURES, n / ROWS_PER_FEATURE)
    features = Powers(width, 2 if curved else 1)(stacked)
    weights = _overlap_weights(features, n_first)
    shares = weights[0] / weights[0].sum(), weights[1] / weights[1].sum()
    parts = features[:n_first], features[n_first:]
    point = (shares[0] @ parts[0] + shares[1] @ parts[1]) / 2
    # The mean weight is a half where both sets are alike.
    overlap = min(1.0, 2.0 * float(min(weights[0].mean(), weights[1].mean())))
    return CommonLatents(parts, shares, point, overlap)


def _overlap_weights(features: np.ndarray, n_first: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the other set's share of the density at each star, by the regression's features."""
    points = features[:, 1:] / np.maximum(features[:, 1:].std(axis=0), TINY)
    second = np.arange(len(points)) >= n_first
    # Balanced: how many spectra a set has is the user's choice.
    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(points, second)
    ratio = np.clip(model.decision_function(points), -MAX_LOG_RATIO, MAX_LOG_RATIO)
    share = 1 / (1 + np.exp(-ratio))
    return share[:n_first], 1 - share[n_first:]


def _standardized(latents: np.ndarray) -> np.ndarray:
    """Return latents in units of their spread, or their leading components if they are many."""
    centred = latents - latents.mean(axis=0)
    scaled = centred / np.maximum(centred.std(axis=0), TINY)
    if scaled.shape[1] <= MOST_LATENTS:
        return scaled
    components = np.linalg.svd(scaled, full_matrices=False)[2][:MOST_LATENTS]
    scores = scaled @ components.T
    return scores / np.maximum(scores.std(axis=0), TINY)


def mean_at(
    features: np.ndarray, point: np.ndarray, flux: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    r"""Regress flux on features, pixel by pixel, and return its mean at a point.

    Parameters
    ----------
    features : ndarray of shape (n_spectra, n_features)
    point : ndarray of shape (n_features,)
    flux, weights : ndarray of shape (n_spectra, n_pixels)
        Flux, finite everywhere, and how much it counts.

    Returns
    -------
    mean : ndarray of shape (n_pixels,)
        NaN where fewer stars are seen than there are features, twice.
    influence : ndarray of shape (n_spectra, n_pixels)
        By how much the mean changes if a star is there once more:
        :math:`w_i\, p^T (X^T W X)^{-1} x_i\, r_i` with the residual :math:`r_i`.
    """
    n_pixels = flux.shape[1]
    mean, influence = np.empty(n_pixels), np.empty(flux.shape)
    for start in range(0, n_pixels, CHUNK_PIXELS):
        some = slice(start, start + CHUNK_PIXELS)
        mean[some], influence[:, some] = _mean_at(features, point, flux[:, some], weights[:, some])
    return mean, influence


def _mean_at(
    features: np.ndarray, point: np.ndarray, flux: np.ndarray, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    n_features = features.shape[1]
    first, second = np.triu_indices(n_features)
    gram = np.empty((flux.shape[1], n_features, n_features))
    gram[:, first, second] = weights.T @ (features[:, first] * features[:, second])
    gram[:, second, first] = gram[:, first, second]
    size = np.einsum("jff->j", gram)[:, None, None] / n_features
    size[size == 0] = 1.0  # no star has the pixel
    inverse = np.linalg.inv(gram + RIDGE * size * np.eye(n_features))
    slopes = np.einsum("jfg,jg->jf", inverse, (weights * flux).T @ features)
    leverage = features @ (inverse @ point).T
    influence = weights * leverage * (flux - features @ slopes.T)
    seen = (weights > 0).sum(axis=0) >= 2 * n_features
    return np.where(seen, slopes @ point, np.nan), np.where(seen, influence, 0.0)


def resampled_changes(
    influence: np.ndarray, n_bootstrap: int, rng: np.random.Generator
) -> np.ndarray:
    """Return how means change as stars are drawn again, with replacement.

    Parameters
    ----------
    influence : ndarray of shape (n_spectra, n_pixels)
    n_bootstrap : int
    rng : numpy.random.Generator

    Returns
    -------
    changes : ndarray of shape (n_bootstrap, n_pixels)
        Each of a bootstrap sample, to first order in how often every star is drawn.
    """
    n = len(influence)
    counts = rng.multinomial(n, np.full(n, 1 / n), size=n_bootstrap)
    return (counts - 1.0) @ influence


MOST_NAMED = 5  # features in the words of a summary
FRACTION = 0.5  # of a peak's height: what is as high around it is part of the feature
COLUMNS = ("wavelength", "width", "depth", "change", "significance", "q")


@dataclass(frozen=True, repr=False, eq=False)
class Inventions(SummaryMixin):
    """Features that a translation adds without evidence, as `find_inventions` found them.

    Attributes
    ----------
    table : Table
        A row per feature, by wavelength (a pixel number where there are no wavelengths):
        ``wavelength`` of its extreme, ``width`` (full width at half maximum, in the same unit, as
        seen through an average over a line's width), ``depth`` (mean flux at its centre that the
        translation took away beyond what observed stars lack; negative where it added flux),
        ``change`` (mean flux that the translation took away there in all), ``significance`` (in
        errors), and ``q`` (the false-discovery rate at which it appears).
    wavelength : Quantity of shape (n_pixels,) or None
        The grid.
    pixels : ndarray of bool of shape (n_pixels,)
        Which pixels are part of a feature.
    excess : ndarray of shape (n_pixels,)
        Mean of the translated spectra less that of observed stars with the same latents, averaged
        over a line's width, without what is smooth in wavelength; NaN where too few stars are seen.
    change : ndarray of shape (n_pixels,)
        Mean of the translated less that of the synthetic spectra, likewise.
    error : ndarray of shape (n_pixels,)
        Of the excess: over stars, and the scatter between pixels that is no noise.
    misfit : float
        That scatter: how far the means of a typical pixel are apart.
    overlap : float
        Stars that both sets have, as a part of the smaller one. If this is little, little was
        tested.
    fdr : float
        The false-discovery rate that was asked for.
    """

    table: Table
    wavelength: u.Quantity | None
    pixels: np.ndarray
    excess: np.ndarray
    change: np.ndarray
    error: np.ndarray
    misfit: float
    overlap: float
    fdr: float

    def __len__(self) -> int:
        return len(self.table)

    @property
    def share(self) -> float:
        """Part of the tested pixels that belong to an invented feature, 0 to 1."""
        return float(self.pixels.sum() / max(1, np.isfinite(self.excess).sum()))

    def summary(self) -> str:
        """Return how many features are invented, and the most significant of them.

        Returns
        -------
        table : str
            One line in all, one for each of the five most significant features, and one on how
            well the two sets could be compared.
        """
        word = "pixel" if self.wavelength is None else f"wavelength [{self.wavelength.unit}]"
        rows = [f"{len(self)} invented features in {self.share:.1%} of the pixels"]
        if len(self):
            rows.append(f"{word:>24}{'depth':>10}{'significance':>14}")
        order = np.argsort(-np.asarray(self.table["significance"]), kind="stable")
        rows += [
            f"{row['wavelength']:>24.2f}{row['depth']:>10.4f}{row['significance']:>14.1f}"
            for row in self.table[order[:MOST_NAMED]]
        ]
        if len(self) > MOST_NAMED:
            rows.append(f"{'and others':>24}: {len(self) - MOST_NAMED}")
        rows.append(
            f"a typical misfit is {self.misfit:.1g}; {self.overlap:.0%} of the stars are in both "
            f"sets; false-discovery rate {self.fdr:g}"
        )
        return "\n".join(rows)

    def __repr__(self) -> str:
        return f"Inventions({len(self)} features, share={self.share:.3f}, fdr={self.fdr:g})"


def mark_pixels(invented: np.ndarray, peaks: Sequence[Peak]) -> list[tuple[Peak, slice]]:
    """Return features: peaks with the pixels around them, those that touch joined.

    Parameters
    ----------
    invented : ndarray of shape (n_pixels,)
        Signed; 0 where nothing is invented.
    peaks : sequence of Peak

    Returns
    -------
    features : list of (Peak, slice), by pixel
        Of joined peaks the highest.
    """
    features: list[tuple[Peak, slice]] = []
    for peak in sorted(peaks):
        high = invented * np.sign(invented[peak.pixel]) >= FRACTION * abs(invented[peak.pixel])
        low = np.flatnonzero(~high)
        place = int(np.searchsorted(low, peak.pixel))
        start = int(low[place - 1]) + 1 if place else 0
        stop = int(low[place]) if place < len(low) else len(invented)
        if features and start < features[-1][1].stop:
            before, span = features.pop()
            peak = max(before, peak, key=lambda p: p.height)
            start, stop = min(start, span.start), max(stop, span.stop)
        features.append((peak, slice(start, stop)))
    return features


def make_table(
    features: Sequence[tuple[Peak, slice]],
    invented: np.ndarray,
    change: np.ndarray,
    wavelength: Any,
) -> Table:
    """Return the table of features, by wavelength.

    Parameters
    ----------
    features : sequence of (Peak, slice)
    invented, change : ndarray of shape (n_pixels,)
    wavelength : Quantity of shape (n_pixels,) or None

    Returns
    -------
    table : Table
    """
    at = np.array([peak.pixel for peak, _ in features], dtype=int)
    width = np.array([float(span.stop - span.start) for _, span in features])
    place = at.astype(float)
    if wavelength is not None:
        width = width * np.abs(np.gradient(wavelength.value))[at] * wavelength.unit
        place = wavelength[at]
    heights = np.array([peak.height for peak, _ in features], dtype=float)
    rates = np.array([peak.q for peak, _ in features], dtype=float)
    return Table(
        dict(zip(COLUMNS, (place, width, -invented[at], -change[at], heights, rates), strict=True))
    )


MIN_SPECTRA = 50
MAX_ROWS = 2000  # of either set: more stars take time and tell no more, as misfits remain
ROUNDS = 3  # of finding features and encoding without them
REACH = 3.0  # sigmas of a line that are left out either way
MOST_DOUBTED = 0.3  # of the pixels: the others must still tell latents


def find_inventions(
    translator: Any,
    synthetic: Any,
    observed: Any,
    *,
    fdr: float = 0.05,
    translated: Any = None,
    line_fwhm: float | None = None,
    n_bootstrap: int = 200,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> Inventions:
    r"""Find features that a translation adds to spectra although neither domain shows them.

    A feature is invented where translated spectra differ from observed ones with the same shared
    latents, and it was the translation that moved them away: what synthetic spectra had wrong
    before, and still have, is no invention, and neither is a gap that is only partly closed.

    Parameters
    ----------
    translator : fitted translator
        Has `transform` and `encode`.
    synthetic : spectra of shape (n_synthetic, n_pixels)
        Synthetic spectra, at least 50.
    observed : spectra of shape (n_observed, n_pixels)
        Observed spectra, at least 50; no partners of the synthetic ones, and their labels may be
        distributed in another way.
    fdr : float, default=0.05
        Share of false features among those found that is accepted.
    translated : spectra of shape (n_synthetic, n_pixels), default=None
        The synthetic spectra in translation, row by row. None translates them.
    line_fwhm : float, default=None, pixels
        Full width at half maximum of a line. None takes it from the mean translated spectrum.
    n_bootstrap : int, default=200
        How often stars are drawn again, at least 20.
    random_state : int, RandomState, Generator or None, default=None
        Seeds the lent noise and the bootstrap.

    Returns
    -------
    inventions : Inventions
        The features, and the pixels that belong to them.

    Raises
    ------
    GridMismatchError
        If the spectra are on different grids.
    ValueError
        If there are fewer than 50 spectra of a domain, translated and synthetic spectra differ in
        number, or a parameter breaks its rule.

    See Also
    --------
    spectragan.LineAttribution : Lines that synthetic spectra lack.
    spectragan.gap_scores : How far two sets are apart in all.

    Notes
    -----
    Translated spectra are lent noise and masks of observed ones, and both are encoded as observed
    spectra. At every pixel, flux is regressed on the shared latents z of either set (with their
    products, if there are stars enough), and the conditional means are compared where both sets
    have stars (overlap weights [1]_):

    .. math:: D_j = \left\langle E_\mathrm{tr}[f_j \mid z] - E_\mathrm{obs}[f_j \mid z]
              \right\rangle_z, \qquad C_j = \left\langle f^\mathrm{tr}_j - f^\mathrm{syn}_j
              \right\rangle.

    Both are averaged over a line's width, and what is smooth in wavelength is taken off. Invented
    is :math:`\mathrm{sign}(D) \min(|D|, |C|)` where the two have one sign, 0 elsewhere. Its error
    is that of D: a bootstrap over stars, and the scatter between pixels that this doesn't explain.
    No translation is exact, so a typical misfit is what the null hypothesis allows for, an
    empirical null [2]_. Peaks are chosen by Benjamini and Hochberg's rule. An invented feature also
    makes a star look like another: so spectra are encoded again without the features found,
    three times at most.

    An error along the shared latents, which turns a star into another, isn't seen here.

    References
    ----------
    .. [1] Li, F., Morgan, K. L. & Zaslavsky, A. M. 2018, JASA, 113, 390.
    .. [2] Efron, B. 2004, JASA, 99, 96.

    Examples
    --------
    >>> from spectragan import LinearTranslator, find_inventions
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(300, 300, n_pixels=300, random_state=0)
    >>> translator = LinearTranslator().fit(mock.synthetic, mock.observed)
    >>> wrong = translator.transform(mock.synthetic).flux.copy()
    >>> wrong[:, 99:102] -= 0.05
    >>> translated = mock.synthetic.with_flux(wrong)
    >>> found = find_inventions(
    ...     translator, mock.synthetic, mock.observed, translated=translated, random_state=0
    ... )
    >>> bool(found.pixels[100])
    True
    """
    check(fdr, "fdr", number(0, 1, remedy="0.05 is usual"))
    check(n_bootstrap, "n_bootstrap", count(20))
    rng = make_rng(random_state)
    sets = _read(translator, synthetic, translated, observed, rng)
    sigma = _sigma(sets[1], line_fwhm)
    change_of = sets[1].filled().astype(float) - sets[0].filled()
    compared = lend_noise(sets[1], sets[2], rng), sets[2]
    doubted = np.zeros(len(change_of[0]), dtype=bool)
    for _ in range(ROUNDS):
        common = find_common(*(_latents(translator, part, ~doubted) for part in compared))
        difference, errors = _compare(common, compared, sigma, n_bootstrap, rng)
        change = common.shares[0] @ change_of
        found = _gather(
            difference, change, errors, sigma, sets[2].wavelength, common.overlap, float(fdr)
        )
        before, doubted = doubted, _doubt(found, sigma)
        if not (doubted & ~before).any():
            break
    return found


def _doubt(found: Inventions, sigma: float) -> np.ndarray:
    """Return which pixels must not tell latents: a feature would make stars look like others."""
    doubted = np.zeros(len(found.pixels), dtype=bool)
    reach = int(np.ceil(REACH * sigma))
    grid = np.arange(len(doubted)) if found.wavelength is None else found.wavelength.value
    order = np.argsort(-np.asarray(found.table["significance"]), kind="stable")
    for place in np.asarray(found.table["wavelength"], dtype=float)[order]:
        if doubted.mean() > MOST_DOUBTED:
            break
        pixel = int(np.abs(grid - place).argmin())
        doubted[max(0, pixel - reach) : pixel + reach + 1] = True
    return doubted


def _gather(
    difference: np.ndarray,
    change: np.ndarray,
    errors: np.ndarray,
    sigma: float,
    wavelength: Any,
    overlap: float,
    fdr: float,
) -> Inventions:
    """Find the peaks of what is invented, and put all that was learned together."""
    excess, changed = (line_averages(values, sigma) for values in (difference, change))
    misfit = extra_scatter(excess, errors)
    error = np.hypot(errors, misfit)
    invented = _invented(excess, changed)
    significance = np.abs(invented) / np.where(error > 0, error, np.inf)
    # Features of either sign count: noise alone has twice as many peaks.
    peaks = find_peaks(significance[:, None], sigma, fdr, 2)
    features = mark_pixels(np.nan_to_num(invented), peaks)
    pixels = np.zeros(len(excess), dtype=bool)
    for _, span in features:
        pixels[span] = True
    sharp = [without_continuum(values, sigma) for values in (difference, change)]
    return Inventions(
        table=make_table(features, _invented(*sharp), sharp[1], wavelength),
        wavelength=wavelength,
        pixels=pixels,
        excess=excess,
        change=changed,
        error=error,
        misfit=misfit,
        overlap=overlap,
        fdr=fdr,
    )


def _invented(excess: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Return the part of a change that goes beyond the observed stars, with its sign."""
    away = excess * change > 0
    size = np.minimum(np.abs(excess), np.abs(change))
    return np.where(np.isfinite(excess), np.sign(excess) * size * away, np.nan)


def _read(
    translator: Any, synthetic: Any, translated: Any, observed: Any, rng: np.random.Generator
) -> list[Spectra]:
    """Return synthetic, translated and observed spectra, checked, and at most 2000 of each."""
    observed = check_set(observed, "observed", min_rows=MIN_SPECTRA)
    like = {"like": observed, "like_name": "observed", "min_rows": MIN_SPECTRA}
    synthetic = check_set(synthetic, "synthetic", **like)
    if translated is None:
        translated = translator.transform(synthetic)
    translated = check_set(translated, "translated", **like)
    if len(translated) != len(synthetic):
        raise ValueError(
            "`translated` must be the synthetic spectra row by row; got "
            f"{len(translated)} rows for {len(synthetic)}; leave it out to translate them."
        )
    translated = translated.with_flux(
        translated.filled(), ivar=(translated.ivar > 0).astype(float), noise="exact"
    )
    rows = np.sort(rng.permutation(len(synthetic))[:MAX_ROWS])
    others = np.sort(rng.permutation(len(observed))[:MAX_ROWS])
    return [synthetic[rows], translated[rows], observed[others]]


def _latents(translator: Any, spectra: Spectra, used: np.ndarray) -> np.ndarray:
    spectra = spectra.with_flux(spectra.filled(), ivar=spectra.ivar * used)
    shared = translator.encode(spectra, domain=1).shared
    return check_latents(np.reshape(shared, (len(spectra), -1)), "shared")


def _sigma(translated: Spectra, line_fwhm: float | None) -> float:
    """Return how wide a line is, in pixels."""
    if line_fwhm is not None:
        rule = number(0, translated.shape[1], remedy="None estimates it")
        width = check(line_fwhm, "line_fwhm", rule)
        return max(LEAST_SIGMA, width / FWHM_PER_SIGMA)
    # Of derivatives, so that the continuum doesn't count; for these the square is a third.
    slope = np.gradient(translated.filled().mean(axis=0, dtype=float))
    return max(LEAST_SIGMA, np.sqrt(3.0) * estimate_sigma(slope[:, None]))


def _compare(
    common: CommonLatents,
    sets: tuple[Spectra, Spectra],
    sigma: float,
    n_bootstrap: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the difference of the conditional means, and the error of its average over a line."""
    means, changes = [], []
    for features, part in zip(common.features, sets, strict=True):
        good = part.ivar > 0
        flux = np.where(good, part.filled(), 0.0).astype(float)
        # Masks alone: where flux is low ivar is high, so it would favour stars with deep lines.
        mean, influence = mean_at(features, common.point, flux, good.astype(float))
        means.append(mean)
        changes.append(resampled_changes(influence, n_bootstrap, rng))
    difference = means[0] - means[1]
    good = np.broadcast_to(np.isfinite(difference), changes[0].shape)
    smooth, _ = smooth_rows(np.where(good, changes[0] - changes[1], 0.0), good, sigma)
    return difference, smooth.std(axis=0)

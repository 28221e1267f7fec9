"""From significance per pixel and label to a list of lines at a given false-discovery rate.

Where peaks are, how wide and how deep; which label can own them, and which no spectrum can tell
apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import astropy.units as u
import numpy as np
from astropy.table import Table
from scipy.signal import peak_widths
from scipy.sparse.csgraph import connected_components
from scipy.special import owens_t
from scipy.stats import norm

from spectragan.spectra.steps.broadening import FWHM_PER_SIGMA
from spectragan.spectra.summary import SummaryMixin

LOWEST = 2.0  # standard errors: lower peaks are noise at any useful rate
HIGHEST, N_NODES = 30.0, 6001  # of the integral over heights
LEAKAGE = 0.15  # of a line's significance that may appear at a neighbouring label by mistake


class Peak(NamedTuple):
    """A local maximum of significance.

    Attributes
    ----------
    pixel : int
    label : int
        Column of the significances.
    height : float, standard errors
    q : float
        Expected share of false ones among the peaks at least as high.
    """

    pixel: int
    label: int
    height: float
    q: float


def peaks_expected(height: np.ndarray, n_pixels: int, sigma: float) -> np.ndarray:
    r"""Return how many local maxima of smoothed white noise are higher.

    Parameters
    ----------
    height : ndarray, standard deviations
    n_pixels : int
    sigma : float, pixels
        Of the Gaussian kernel.

    Returns
    -------
    number : ndarray

    Notes
    -----
    A pixel of value x is a maximum if both neighbours are lower. Given x, they are normal with
    mean :math:`\rho_1 x`, where :math:`\rho_k = e^{-k^2 / 4 \sigma^2}` is the correlation of pixels
    k apart, so that

    .. math:: N(u) = n \int_u^\infty \phi(x)\, P(x_{-1} < x, x_1 < x \mid x)\, dx.

    For wide kernels this is the distribution of heights in [1]_; lines of a few pixels have fewer
    maxima.

    References
    ----------
    .. [1] Schwartzman, A., Gavrilov, Y. & Adler, R. J. 2011, Ann. Statist., 39, 3290.
    """
    near, next_but_one = np.exp(-(np.array([1.0, 2.0]) ** 2) / (4 * sigma**2))
    left = 1 - near**2
    between = np.clip((next_but_one - near**2) / left, -1.0, 1.0)
    x = np.linspace(0.0, HIGHEST, N_NODES)
    limit = x * (1 - near) / np.sqrt(left)
    both = norm.cdf(limit) - 2 * owens_t(limit, np.sqrt((1 - between) / (1 + between)))
    density = norm.pdf(x) * both
    # From above: the tail is what matters, and a difference of sums would lose its digits.
    beyond = np.cumsum((density[1:] + density[:-1])[::-1])[::-1] * (x[1] - x[0]) / 2
    logarithm = np.log(np.append(beyond, beyond[-1]))
    return n_pixels * np.exp(np.interp(height, x, logarithm))


def find_peaks(
    significance: np.ndarray, sigma: float, fdr: float, signs: np.ndarray | int = 1
) -> list[Peak]:
    """Find lines: the peaks of all labels together at one false-discovery rate.

    Parameters
    ----------
    significance : ndarray of shape (n_pixels, n_labels), standard errors
        Smooth along the pixels; NaN where nothing is known.
    sigma : float, pixels
        Of the kernel it was smoothed with.
    fdr : float
        Share of false lines among those found.
    signs : int or ndarray of int of shape (n_labels,), default=1
        2 where `significance` is an absolute value: noise has twice as many peaks there.

    Returns
    -------
    peaks : list of Peak
        The most significant first.

    Notes
    -----
    Benjamini and Hochberg's rule [1]_ for all local maxima that noise alone would have in
    all labels. A discovery is a line: weaker peaks of the same label within the width of a
    stronger line belong to it, as do those of other labels that could be its leakage.

    References
    ----------
    .. [1] Benjamini, Y. & Hochberg, Y. 1995, J. R. Stat. Soc. B, 57, 289.
    """
    filled = np.where(np.isfinite(significance), significance, -np.inf)
    inner = filled[1:-1]
    top = (inner > filled[:-2]) & (inner >= filled[2:]) & (inner > LOWEST)
    pixels, labels = np.nonzero(top)
    heights = inner[pixels, labels]
    order = np.argsort(-heights, kind="stable")
    lines = _claim(pixels[order] + 1, labels[order], heights[order], 2.5 * sigma)
    tops = np.array([height for *_, height in lines])
    tested = int((np.isfinite(significance) * signs).sum())
    q = peaks_expected(tops, tested, sigma)
    q = q / np.arange(1, len(lines) + 1)
    q = np.minimum(1.0, np.minimum.accumulate(q[::-1])[::-1])
    return [Peak(*line, float(rate)) for line, rate in zip(lines, q, strict=True) if rate <= fdr]


def _claim(
    pixels: np.ndarray, labels: np.ndarray, heights: np.ndarray, reach: float
) -> list[tuple[int, int, float]]:
    """Return the peaks, falling in height, that aren't part of a higher one."""
    kept: list[tuple[int, int, float]] = []
    for pixel, label, height in zip(pixels, labels, heights, strict=True):
        near = [line for line in kept if abs(line[0] - pixel) <= reach]
        same = any(line[1] == label for line in near)
        leaked = any(height < LEAKAGE * line[2] for line in near)
        if not (same or leaked):
            kept.append((int(pixel), int(label), float(height)))
    return kept


LEAST_SIGMA = 1.0  # pixels: narrower kernels don't smooth noise


def estimate_sigma(derivatives: np.ndarray) -> float:
    r"""Estimate how wide lines are from the derivatives of spectra.

    Parameters
    ----------
    derivatives : ndarray of shape (n_pixels, n_labels)

    Returns
    -------
    sigma : float, pixels
        For Gaussian lines :math:`\int g^2 / \int g'^2 = 2 \sigma^2`; the median over labels, at
        least 1.
    """
    values = np.nan_to_num(derivatives)
    steps = np.square(np.diff(values, axis=0)).sum(axis=0)
    shown = steps > 0
    if not shown.any():
        return LEAST_SIGMA
    ratio = np.square(values).sum(axis=0)[shown] / steps[shown]
    return max(LEAST_SIGMA, float(np.sqrt(np.median(ratio) / 2)))


def make_line_table(
    peaks: Sequence[Peak],
    names: Sequence[Sequence[str]],
    significance: np.ndarray,
    smooth: np.ndarray,
    derivative: np.ndarray,
    error: np.ndarray,
    explained: np.ndarray,
    offset: np.ndarray,
    wavelength: Any,
    sigma: float,
) -> Table:
    """Return the table of lines, by wavelength.

    Parameters
    ----------
    peaks : sequence of Peak
        Labels are groups of owners.
    names : sequence of sequence of str
        The members of every group: the first is the label, the others are alternatives.
    significance, smooth, derivative, error : ndarray of shape (n_pixels, n_groups)
        Of the slopes; `smooth` are those smoothed by `sigma`, as `significance` is.
    explained : ndarray of bool of shape (n_pixels, n_groups)
        Whether a group makes most of how the line varies; else the line is nobody's.
    offset : ndarray of shape (n_pixels,)
        Mean difference of observed and synthetic flux.
    wavelength : Quantity of shape (n_pixels,) or None
    sigma : float, pixels
        Of the kernel that `significance` was smoothed with.

    Returns
    -------
    table : Table
    """
    peaks = sorted(peaks)
    at = tuple(np.array([(p.pixel, p.label) for p in peaks], dtype=int).reshape(-1, 2).T)
    place = np.array([_summit(significance[:, p.label], p.pixel) for p in peaks])
    width = np.array([_width(smooth[:, p.label], p.pixel, sigma) for p in peaks])
    if wavelength is not None:
        grid, pixels = wavelength.value, np.arange(len(wavelength))
        width = width * np.interp(place, pixels, np.gradient(grid)) * wavelength.unit
        place = np.interp(place, pixels, grid) * wavelength.unit
    members = [names[p.label] if explained[p.pixel, p.label] else [""] for p in peaks]
    return Table(
        {
            "wavelength": place,
            "width": width,
            "depth": -offset[at[0]],
            "label": np.array([group[0] for group in members], dtype=str),
            "derivative": derivative[at],
            "error": error[at],
            "significance": np.array([p.height for p in peaks], dtype=float),
            "q": np.array([p.q for p in peaks], dtype=float),
            "alternatives": np.array([", ".join(group[1:]) for group in members], dtype=str),
        }
    )


def _summit(values: np.ndarray, pixel: int) -> float:
    """Return where the parabola through a maximum and its neighbours has its summit."""
    left, top, right = values[pixel - 1 : pixel + 2]
    curvature = left - 2 * top + right
    if not np.isfinite(curvature) or curvature >= 0:
        return float(pixel)
    return pixel + 0.5 * float((left - right) / curvature)


def _width(values: np.ndarray, pixel: int, sigma: float) -> float:
    """Return the full width at half maximum of a peak, the kernel's taken off, in pixels."""
    filled = np.nan_to_num(values) * np.sign(values[pixel])
    # Down to half of its height, not of its prominence: neighbours don't make a line narrower.
    data = np.array([filled[pixel]]), np.array([0]), np.array([len(filled) - 1])
    measured = float(peak_widths(filled, [pixel], 0.5, prominence_data=data)[0][0])
    return float(np.sqrt(max(measured**2 - (FWHM_PER_SIGMA * sigma) ** 2, 1.0)))


# They change every line, and so own none.
ATMOSPHERE = ("teff", "logg", "vturb", "vmic", "vmacro", "vsini")
LEAST_RELIABILITY = 0.05  # of what is known of a label in the end
ALIKE = 0.9  # correlation of inferred labels
LEAST_OWN = 0.05  # of a label's inferred variance that others must not explain


class Owners(NamedTuple):
    """What lines are attributed to.

    Attributes
    ----------
    groups : list of list of int
        Labels that can be told apart from those of other groups; most have one.
    reliability : ndarray of shape (n_labels,)
        What the spectra tell of every label.
    unattributable : list of int
        Candidates whose reliability is too low.
    """

    groups: list[list[int]]
    reliability: np.ndarray
    unattributable: list[int]


def choose_owners(names: Sequence[str], owners: Sequence[str] | None) -> list[int]:
    """Return the labels that may own lines.

    Parameters
    ----------
    names : sequence of str
        All labels.
    owners : sequence of str or None
        None takes all but those of the atmosphere as a whole.

    Returns
    -------
    indices : list of int

    Raises
    ------
    ValueError
        If a name is unknown, or none is left.
    """
    if owners is None:
        owners = [name for name in names if name.lower() not in ATMOSPHERE]
    unknown = [name for name in owners if name not in names]
    if isinstance(owners, str) or unknown or not len(owners):
        raise ValueError(
            f"`owners` must name labels of the emulator, {', '.join(names)}; got {owners!r}; "
            "list at least one of them."
        )
    return [list(names).index(name) for name in owners]


def own_variance(labels: np.ndarray) -> np.ndarray:
    """Return the variance of every label that no linear function of the others has."""
    covariance = np.atleast_2d(np.cov(labels.T))
    size = np.diag(covariance).max() * 1e-9
    return 1 / np.diag(np.linalg.inv(covariance + size * np.eye(len(covariance))))


def group_owners(inferred: np.ndarray, reliability: np.ndarray, candidates: list[int]) -> Owners:
    """Sort candidates into groups that can be told apart.

    Parameters
    ----------
    inferred : ndarray of shape (n_spectra, n_labels)
        Posterior means of the labels.
    reliability : ndarray of shape (n_labels,)
        What the spectra tell of each label, see `Linearization`.
    candidates : list of int

    Returns
    -------
    owners : Owners
    """
    kept = [i for i in candidates if reliability[i] >= LEAST_RELIABILITY]
    lost = [i for i in candidates if i not in kept]
    if not kept:
        return Owners([], reliability, lost)
    told = reliability >= LEAST_RELIABILITY
    standard = (inferred - inferred.mean(axis=0)) / np.maximum(inferred.std(axis=0), 1e-30)
    crowded = np.zeros(len(reliability), dtype=bool)
    crowded[told] = own_variance(standard[:, told]) < LEAST_OWN
    alike = np.abs(np.atleast_2d(np.corrcoef(standard[:, kept].T))) > ALIKE
    alike &= np.outer(crowded[kept], crowded[kept])
    _, member = connected_components(alike, directed=False)
    groups = [[i for i, m in zip(kept, member, strict=True) if m == g] for g in np.unique(member)]
    return Owners(sorted(groups), reliability, lost)


@dataclass(frozen=True, repr=False, eq=False)
class MissingLines(SummaryMixin):
    """Lines that synthetic spectra lack, as `LineAttribution` found them.

    Attributes
    ----------
    table : Table
        A row per line, by wavelength (a pixel number where there are no wavelengths):
        ``wavelength``, ``width`` (full width at half maximum, in the same unit), ``depth`` (what
        the observed stars lack on average at its centre), ``label``, ``derivative`` (of flux, per
        unit of the label) and ``error``, ``significance`` (in standard errors), ``q`` (the
        false-discovery rate at which it appears), ``alternatives`` (labels that can't be told from
        this one).
    label_names : tuple of str
        All labels.
    owners : tuple of str
        Labels that lines were attributed to.
    unattributable : tuple of str
        Labels that could have owned lines, had the spectra said anything about them.
    wavelength : Quantity of shape (n_pixels,) or None
        The grid.
    synthetic, translated, observed : ndarray of shape (n_pixels, n_labels)
        Mean derivatives of flux, per unit of each label: of the emulator; of the translated
        emulator; and of the observed stars, NaN where unknown.
    error : ndarray of shape (n_pixels, n_labels)
        Standard error of `observed`.
    significance : ndarray of shape (n_pixels, n_labels), standard errors
        By how much a line as wide as the others is missing; NaN for labels that own nothing.
    offset : ndarray of shape (n_pixels,)
        Mean difference of observed and synthetic flux at equal labels.
    used : ndarray of bool of shape (n_pixels,)
        Pixels that labels were inferred from.
    labels, label_errors : ndarray of shape (n_spectra, n_labels)
        Inferred labels of the observed stars, drawn to the population's mean by what isn't known,
        and their errors.
    reliability : ndarray of shape (n_labels,)
        How much of what is known of every label comes from the spectra: 0 to 1.
    fdr : float
        What was asked for.
    """

    table: Table
    label_names: tuple[str, ...]
    owners: tuple[str, ...]
    unattributable: tuple[str, ...]
    wavelength: u.Quantity | None
    synthetic: np.ndarray
    translated: np.ndarray
    observed: np.ndarray
    error: np.ndarray
    significance: np.ndarray
    offset: np.ndarray
    used: np.ndarray
    labels: np.ndarray
    label_errors: np.ndarray
    reliability: np.ndarray
    fdr: float

    def __len__(self) -> int:
        return len(self.table)

    def summary(self) -> str:
        """Return how many lines each label owns, and the strongest of them.

        Returns
        -------
        table : str
            One line per label that could own lines, one for those that couldn't.
        """
        head = f"{'label':<10}{'reliability':>12}{'lines':>7}  strongest"
        rows = [head]
        for name in self.owners:
            own = self.table[self.table["label"] == name]
            own.sort("significance", reverse=True)
            reliability = self.reliability[self.label_names.index(name)]
            strongest = ", ".join(f"{value:.2f}" for value in own["wavelength"][:4])
            rows.append(f"{name:<10}{reliability:>12.2f}{len(own):>7}  {strongest}".rstrip())
        if self.unattributable:
            rows.append(f"no spectrum tells {', '.join(self.unattributable)}")
        return "\n".join([*rows, f"false-discovery rate {self.fdr:g}"])

    def __repr__(self) -> str:
        owned = len(set(self.table["label"])) if len(self.table) else 0
        return f"MissingLines({len(self.table)} lines of {owned} labels, fdr={self.fdr:g})"

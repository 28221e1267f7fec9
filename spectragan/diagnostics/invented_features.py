"""`Inventions`: what `find_inventions` finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from astropy.table import Table

from spectragan.diagnostics.line_peaks import Peak
from spectragan.spectra.summary import SummaryMixin

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

"""What says that fits can't be right, of each star and of all together."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from spectragan.exceptions import FitQualityWarning
from spectragan.fitting.found import LabelFit, chi2_significance

SIGNIFICANT = 5.0  # standard deviations of chi square, either way: no chance in any survey
BAD_RESIDUAL = 9.0  # chi square in units of the table's median, where errors aren't known
MANY_AT_BOUND = 0.1  # of the stars
FEWEST_AT_BOUND = 2
TYPICAL = 0.5  # of the stars: then it isn't a few odd ones, but errors or models
CORRELATED = 0.1  # of neighbouring residuals: errors are 10 % too small then
PLAUSIBLE_SCALE = 2.0  # flux over a model's: normalised spectra don't differ as much


def bad_chi2(fit: LabelFit) -> np.ndarray:
    """Flag spectra that the model and their errors don't describe.

    Parameters
    ----------
    fit : LabelFit

    Returns
    -------
    bad : ndarray of bool of shape (n_spectra,)
    """
    bad = np.abs(chi2_significance(fit.chi2, fit.dof, fit.spread)) > SIGNIFICANT
    with np.errstate(invalid="ignore", divide="ignore"):
        reduced = fit.chi2 / fit.dof
        if not fit.known.all() and np.isfinite(reduced[~fit.known]).any():
            typical = np.nanmedian(reduced[~fit.known])
            bad = np.where(fit.known, bad, reduced > BAD_RESIDUAL * typical)
    return bad


@dataclass
class FitSummary:
    """The little that is kept of each fit, to warn once of all.

    Attributes
    ----------
    at_bound : ndarray of bool of shape (n_spectra, n_labels)
    chi2, dof, known, spread : ndarray of shape (n_spectra,)
    correlation, scale : ndarray of shape (n_checked,)
        Of neighbouring residuals, and median flux over that of the model, of some stars.
    """

    at_bound: np.ndarray
    chi2: np.ndarray
    dof: np.ndarray
    known: np.ndarray
    spread: np.ndarray
    correlation: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, parts: Sequence["FitSummary"]) -> "FitSummary":
        """Return the summary of all chunks.

        Parameters
        ----------
        parts : sequence of FitSummary

        Returns
        -------
        summary : FitSummary
        """
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def warn(self, names: Sequence[str], *, calibrated: bool) -> None:
        """Warn once of all that can't be right with the fits.

        Parameters
        ----------
        names : sequence of n_labels str
        calibrated : bool
            Whether errors of labels are larger than the noise says: large chi squares, and
            correlated residuals, are then allowed for.

        Warns
        -----
        FitQualityWarning
        """
        found = [*self._scales(), *self._bounds(names), *self._too_small()]
        if not calibrated:
            found += [*self._too_large(), *self._noise()]
        if found:
            warnings.warn(
                f"fits of {len(self.chi2)} spectra must not be trusted as they are: "
                f"{'; '.join(found)}; see `fit_table` for each star.",
                FitQualityWarning,
                stacklevel=4,
            )

    def _scales(self) -> list[str]:
        scale = np.median(self.scale) if len(self.scale) else 1.0
        if 1 / PLAUSIBLE_SCALE <= scale <= PLAUSIBLE_SCALE:
            return []
        return [
            f"their flux is {scale:.3g} times that of the models: normalise them as the "
            "emulator's spectra were"
        ]

    def _bounds(self, names: Sequence[str]) -> list[str]:
        fitted = np.isfinite(self.chi2)
        count = self.at_bound[fitted].sum(axis=0)
        many = (count >= FEWEST_AT_BOUND) & (count > MANY_AT_BOUND * max(1, fitted.sum()))
        return [
            f"`{names[i]}` of {count[i]} is at a bound: they may lie beyond the emulator's range, "
            "and their errors don't say so"
            for i in np.flatnonzero(many).tolist()
        ]

    def _share(self, sign: int) -> tuple[float, float]:
        """Return the share of stars with chi squares off to one side, and the typical one."""
        use = self.known & np.isfinite(self.chi2) & (self.dof > 0)
        if not use.any():
            return 0.0, 1.0
        off = sign * chi2_significance(self.chi2[use], self.dof[use], self.spread[use])
        reduced = float(np.median(self.chi2[use] / self.dof[use]))
        return float((off > SIGNIFICANT).mean()), reduced

    def _too_small(self) -> list[str]:
        share, reduced = self._share(-1)
        if share > TYPICAL:
            return [
                f"their chi square is {reduced:.2g} per degree of freedom: is ivar 1 / sigma^2, "
                "and not a variance or an error?"
            ]
        return []

    def _too_large(self) -> list[str]:
        share, reduced = self._share(1)
        if share > TYPICAL:
            return [
                f"their chi square is {reduced:.3g} per degree of freedom: errors of pixels are "
                "too small, or no model describes these stars; fit(spectra, labels) of some known "
                "ones learns what that means for labels"
            ]
        return []

    def _noise(self) -> list[str]:
        correlation = np.median(self.correlation) if len(self.correlation) else 0.0
        if correlation <= CORRELATED:
            return []
        return [
            f"residuals of neighbouring pixels are correlated ({correlation:.2f}), as after "
            "smoothing or resampling: errors of labels are too small by up to "
            f"{np.sqrt((1 + correlation) / (1 - min(correlation, 0.99))):.1f}; fit(spectra) of "
            "some learns what that means, or give `noise_correlation`"
        ]


def neighbour_correlation(residual: np.ndarray, good: np.ndarray) -> np.ndarray:
    """Return the correlation of residuals of neighbouring pixels, where it is significant.

    Parameters
    ----------
    residual : ndarray of shape (n_spectra, n_pixels)
        In units of their errors.
    good : ndarray of bool of shape (n_spectra, n_pixels)

    Returns
    -------
    correlation : ndarray of shape (n_spectra,)
        0 where chance gives as much.
    """
    both = good[:, 1:] & good[:, :-1]
    product = np.where(both, residual[:, 1:] * residual[:, :-1], 0.0).sum(axis=1)
    square = np.where(both, (residual[:, 1:] ** 2 + residual[:, :-1] ** 2) / 2, 0.0).sum(axis=1)
    found = product / np.where(square > 0, square, 1.0)
    n_pairs = np.maximum(1, both.sum(axis=1))
    return np.where(found * np.sqrt(n_pairs) > SIGNIFICANT, found, 0.0)

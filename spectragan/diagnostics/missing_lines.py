"""`MissingLines`: what `LineAttribution` finds."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
from astropy.table import Table

from spectragan.spectra.summary import SummaryMixin


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

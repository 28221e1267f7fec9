"""Fits of many spectra, chunk by chunk, with what is to be told of all of them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spectragan.fitting.errors import LabelErrors
from spectragan.fitting.found import LabelFit
from spectragan.fitting.machine import FitterMachine
from spectragan.fitting.quality import FitSummary
from spectragan.fitting.results import side_by_side
from spectragan.spectra import Spectra, as_spectra
from spectragan.spectra.summary import progress_bar
from spectragan.training.streaming import row_chunks


@dataclass
class FitStream:
    """Fits any number of spectra, some at a time.

    Attributes
    ----------
    machine : FitterMachine
    validate : callable
        Returns spectra on the emulator's grid.
    errors : LabelErrors
    chunk_size : int
        Spectra in memory at a time.
    shows_progress, looks : bool
        Whether to show a bar, and to keep what `warn` tells.
    stars : ndarray of shape (n_spectra, 2, n_shown) or None
        Priors of each star, see `priors_of_stars`.
    examines : bool
        Whether to look for other labels, and second stars, that fit as well or better.
    """

    machine: FitterMachine
    validate: Callable[[Any], Spectra]
    errors: LabelErrors
    chunk_size: int
    shows_progress: bool
    looks: bool = True
    stars: np.ndarray | None = None
    examines: bool = False
    _seen: list[FitSummary] = field(default_factory=list)

    def over(self, X: Any) -> Iterator[tuple[Spectra, LabelFit]]:
        """Yield spectra and their fits, errors widened, chunk by chunk.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)

        Yields
        ------
        spectra : Spectra
        fit : LabelFit
        """
        shape: tuple[int, ...] = getattr(X, "shape", None) or ()
        total = shape[0] if len(shape) == 2 else 0  # 1: the pixels of one spectrum
        hidden = not self.shows_progress or total <= self.chunk_size
        first = 0
        with progress_bar(description="fits", unit="star", total=total, hidden=hidden) as bar:
            for chunk in row_chunks(X, self.chunk_size):
                for part in row_chunks(self.validate(chunk), self.chunk_size):
                    yield part, self._fit(part, first)
                    first += len(part)
                    bar.update(len(part))

    def columns(self, X: Any, n_labels: int, std: bool, covariance: bool) -> np.ndarray:
        """Return labels and what is wanted of errors, and warn: little is kept of each spectrum.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
        n_labels : int
        std, covariance : bool
            Which errors are wanted.

        Returns
        -------
        rows : ndarray of shape (n_spectra, n_columns)
            See `side_by_side`.
        """
        rows = [side_by_side(fit, n_labels, std, covariance) for _, fit in self.over(X)]
        self.warn()
        return np.concatenate(rows)

    def models(self, X: Any) -> Spectra:
        """Return the models that fit best, in the precision of the spectra.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)

        Returns
        -------
        models : Spectra
        """
        models, weights, parts = [], [], []
        for spectra, fit in self.over(X):
            flux, good = self.machine.models(spectra, fit)
            models.append(flux)
            weights.append(good)
            parts.append(spectra)
        everything = as_spectra(X) if len(parts) > 1 else parts[0]
        dtype = everything.dtype
        return everything.with_flux(
            np.concatenate(models).astype(dtype), np.concatenate(weights).astype(dtype), "exact"
        )

    def _fit(self, spectra: Spectra, first: int) -> LabelFit:
        stars = None if self.stars is None else self.stars[first : first + len(spectra)]
        fit = self.machine.fit(spectra, stars, examine=self.examines)
        if self.looks:
            self._seen.append(self.machine.summarize(spectra, fit, look=not self._seen))
        self.errors.widen(fit, self.machine)
        return fit

    def warn(self) -> None:
        """Warn once of what can't be right with the fits."""
        if self._seen:
            summary = FitSummary.of(self._seen)
            summary.warn(self.machine.labels, calibrated=self.errors.are_learned)

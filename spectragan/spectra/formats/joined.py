"""The spectra of many files, joined while they are read: no file is in memory twice."""

from pathlib import Path
from typing import Any

import numpy as np

from spectragan.exceptions import GridMismatchError, SpectrumFileError
from spectragan.spectra.container import Spectra
from spectragan.spectra.joining import grid_difference, in_unit_of
from spectragan.spectra.rows import join_meta

GROWTH = 1.5  # where files hold more spectra than the first one


class JoinedFiles:
    """Rows of spectra on the grid of the first file, in arrays that are made once.

    Parameters
    ----------
    n_files : int
        How many files there are; as many rows as the first has are expected of each.
    """

    def __init__(self, n_files: int) -> None:
        self.n_files, self.n_rows = n_files, 0
        self.first: Spectra | None = None
        self.first_path: Path | None = None
        self.flux, self.ivar = np.empty((0, 0)), np.empty((0, 0))
        self.noise: list[np.ndarray] = []
        self.metas: list[dict[str, Any] | None] = []
        self.medium: str | None = None

    def add(self, path: Path, part: Spectra) -> None:
        """Append the spectra of one file.

        Raises
        ------
        GridMismatchError
            If they are on another grid than those of the first file.
        SpectrumFileError
            If their flux unit doesn't convert.
        """
        if self.first is None:
            self._start(path, part)
        self._check(path, part)
        assert self.first is not None
        flux, ivar = in_unit_of(part, self.first)
        rows = slice(self.n_rows, self.n_rows + len(part))
        self._make_room(rows.stop, np.result_type(self.flux, flux))
        self.flux[rows], self.ivar[rows] = flux, ivar
        self.n_rows = rows.stop
        self.noise.append(part.noise)
        self.metas.append(part.meta)
        self.medium = self.medium or part.medium

    def spectra(self) -> Spectra:
        """Return all rows."""
        assert self.first is not None
        meta = join_meta(self.metas, [len(noise) for noise in self.noise])
        flux, ivar = self.flux[: self.n_rows], self.ivar[: self.n_rows]
        joined = self.first._rebuild(flux, ivar, np.concatenate(self.noise), meta)
        joined._medium = self.medium
        return joined

    def _start(self, path: Path, part: Spectra) -> None:
        self.first, self.first_path = part[:1], path
        shape = (self.n_files * len(part), part.shape[1])
        self.flux, self.ivar = np.empty(shape, part.dtype), np.empty(shape, part.dtype)

    def _make_room(self, n_rows: int, dtype: np.dtype) -> None:
        old = self.flux
        if n_rows <= len(old) and dtype == old.dtype:
            return
        size = len(old) if n_rows <= len(old) else max(n_rows, int(GROWTH * len(old)))
        for name in ("flux", "ivar"):
            larger = np.empty((size, old.shape[1]), dtype)
            larger[: self.n_rows] = getattr(self, name)[: self.n_rows]
            setattr(self, name, larger)

    def _check(self, path: Path, part: Spectra) -> None:
        first, first_path = self.first, self.first_path
        assert first is not None
        difference = grid_difference(first, part)
        if difference is None and self.medium and part.medium and self.medium != part.medium:
            difference = f"wavelengths in {self.medium} and in {part.medium}"
        if difference is not None:
            raise GridMismatchError(
                f"`{first_path}` and `{path}` must be on one wavelength grid; got {difference}; "
                "read the files of each grid apart, or pass `grid` to resample all onto one."
            )
        if not part.unit.is_equivalent(first.unit):
            raise SpectrumFileError(
                f"`{path}`: its flux unit must convert to that of `{first_path}`, "
                f"{str(first.unit)!r}; got {str(part.unit)!r}; pass flux_unit, or normalise both."
            )

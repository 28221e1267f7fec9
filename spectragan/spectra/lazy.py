"""`LazySpectra`: spectra that stay in a file, or in dask, until some of them are needed."""

import os
import re
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import astropy.units as u
import numpy as np

from spectragan.exceptions import NaNFluxWarning
from spectragan.rules import check, count
from spectragan.spectra import checks as validation
from spectragan.spectra.axis import ascending_angstrom
from spectragan.spectra.container import Spectra
from spectragan.spectra.rows import row_index, take_rows
from spectragan.spectra.stored import (
    Rows,
    check_open,
    check_stored,
    chunk_rows,
    is_dask,
    is_hdf5,
    read_rows,
    read_spans,
    read_together,
)


class StoredPlace(NamedTuple):
    """Where a data set is.

    Attributes
    ----------
    path : str
        Of its file, from the root on.
    name : str
        Of the data set in it.
    """

    path: str
    name: str


def as_place(array: Any) -> Any:
    """Return where a data set of HDF5 is, and any other array as it is.

    Parameters
    ----------
    array : object

    Returns
    -------
    place : StoredPlace, or `array`

    Raises
    ------
    ValueError
        If its file is closed, open for writing, or only in memory: no other process can read it.
    """
    if not is_hdf5(array):
        return array
    check_open(array)
    path, mode = os.path.abspath(array.file.filename), array.file.mode
    if mode != "r" or array.name is None or not os.path.isfile(path):
        raise ValueError(
            "a data set of HDF5 must be in a file that is open for reading only to be pickled, or "
            f"sent to another process; got mode {mode!r} and {path!r}; close the file, and open it "
            "with h5py.File(name, 'r')."
        )
    return StoredPlace(path, array.name)


def reopen(place: Any) -> Any:
    """Return the data set at a place, read-only, and anything else as it is.

    Parameters
    ----------
    place : StoredPlace or object

    Returns
    -------
    array : object

    Raises
    ------
    ValueError
        If there is no such file, or no such data set in it.
    """
    if not isinstance(place, StoredPlace):
        return place
    import h5py

    try:
        # The data set keeps its file open, and closes it when nothing reads it any more.
        return h5py.File(place.path, "r")[place.name]
    except (OSError, KeyError) as error:
        raise ValueError(
            f"{place.path!r} must be a file of HDF5 with the data set {place.name!r}, which lazy "
            f"spectra read; got {type(error).__name__} ({error}); put it back there."
        ) from error


BLOCK_VALUES = 2**22  # flux values read at once, 32 MB in float64; at least BLOCK_ROWS rows
BLOCK_ROWS = 512  # what translators and fits work on at a time


class LazySpectra(Spectra):
    """Spectra over arrays that are larger than the memory: rows are read when they are needed.

    Parameters
    ----------
    flux : h5py or zarr data set, dask array, memory map or ndarray of shape (n_spectra, n_pixels)
        Anything with ``shape``, ``dtype`` and ``flux[first:last]``, of real numbers. Masks and
        units that arrays carry count.
    wavelength : Quantity of shape (n_pixels,) or None
        As for `Spectra`.
    ivar : like flux, default=None
        Inverse variance, in units of ``unit**-2``; 0 means: ignore this pixel.
    noise : str or sequence of n_spectra str, default=None
        As for `Spectra`.
    medium : {"air", "vacuum"}, default=None
        What the wavelengths were measured in.
    meta : dict, default=None
        One sequence of n_spectra values per key, in memory.
    unit : astropy.units.UnitBase, default=None
        Of flux; None is the one that flux carries, or dimensionless.

    Attributes
    ----------
    flux, ivar : ndarray of shape (n_spectra, n_pixels)
        All of them: each access reads everything, once.
    is_dask : bool
        Whether flux or ivar are dask arrays: estimators then answer with dask arrays.

    Raises
    ------
    TypeError
        If flux or ivar don't hold real numbers, or wavelength isn't a Quantity.
    ValueError
        If shapes, units or words break a rule of `Spectra`, or the number of rows is unknown.

    See Also
    --------
    Spectra : In memory.

    Notes
    -----
    Indexing reads nothing; `load` reads the rows of the selection and `blocks` all rows, some at a
    time. Values are checked when they are read: NaN then become ivar 0, with one warning for these
    spectra and all selections of them. Stored rows keep the order of ``spectral_axis``; what is
    read is ascending in wavelength. Copies share the arrays. Pickles of data sets of HDF5 hold the
    names of file and data set: they are read from there.
    `transform`, `predict` and `fit_table` read blocks, and so does `fit` of translators;
    everything else that takes `Spectra` works too, and reads all.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from spectragan import LazySpectra
    >>> stored = np.ones((1000, 4), np.float32)  # or h5py.File(...)["flux"]
    >>> s = LazySpectra(stored, [500, 501, 502, 503] * u.nm, ivar=100 * stored)
    >>> s[:10]
    LazySpectra(10 spectra, 4 pixels, 5000-5030 Angstrom, noise known, float32)
    >>> s[:10].load()
    Spectra(10 spectra, 4 pixels, 5000-5030 Angstrom, noise known, float32)
    """

    __slots__ = ("_dtype", "_n_pixels", "_rows", "_stored", "_told")
    _rows: Rows

    def __init__(
        self,
        flux: Any,
        wavelength: u.Quantity | None,
        ivar: Any = None,
        noise: Any = None,
        medium: str | None = None,
        meta: dict[str, Any] | None = None,
        *,
        unit: u.UnitBase | None = None,
    ) -> None:
        n_rows, n_pixels = check_stored(flux, "flux")
        if ivar is not None and check_stored(ivar, "ivar") != (n_rows, n_pixels):
            raise ValueError(
                f"`ivar` must have the shape of flux, {(n_rows, n_pixels)}; got "
                f"{tuple(ivar.shape)}; store one value per pixel."
            )
        check(medium, "medium", validation.MEDIUM)
        self._unit = validation.unit_of(flux) if unit is None else u.Unit(unit)
        self._stored = validation.without_units(flux, ivar, self._unit)
        self._rows = range(n_rows)
        self._n_pixels, self._dtype = n_pixels, _float_type(flux.dtype)
        self._told: set[str] = set()  # of warnings; selections share it
        self._noise = validation.check_noise(noise, n_rows, ivar is not None)
        self._axis, self._medium = validation.check_axis(wavelength, n_pixels), medium
        self._meta = validation.check_meta(meta, n_rows)
        self._wavelength = ascending_angstrom(self._axis)

    @property
    def _flux(self) -> np.ndarray:  # type: ignore[override]
        return self.load()._flux

    @property
    def _ivar(self) -> np.ndarray:  # type: ignore[override]
        return self.load()._ivar

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of spectra and pixels."""
        return len(self._rows), self._n_pixels

    @property
    def dtype(self) -> np.dtype:
        """Type of flux and ivar once read: float32 or float64."""
        return self._dtype

    @property
    def is_dask(self) -> bool:
        """Whether flux or ivar are dask arrays."""
        return any(is_dask(array) for array in self._stored)

    @property
    def block_rows(self) -> int:
        """Rows that `blocks` reads at once: whole chunks of the file where they are small."""
        most = max(BLOCK_ROWS, BLOCK_VALUES // self.shape[1])
        together = min(max(chunk_rows(array) for array in self._stored), 4 * most)
        return max(together, most // 4) // BLOCK_ROWS * BLOCK_ROWS or BLOCK_ROWS

    def stored_rows(self) -> tuple[Any, Any]:
        """Return flux and ivar (or None) of these spectra as they are stored.

        Returns
        -------
        arrays : tuple of two array-like of shape (n_spectra, n_pixels)
            Dask arrays stay lazy; of others, a selection of rows is read.
        """
        if isinstance(self._rows, range) and self._rows == range(self._stored[0].shape[0]):
            return self._stored
        flux, ivar = (None if a is None else _selected(a, self._rows) for a in self._stored)
        return flux, ivar

    def load(self) -> Spectra:
        """Read these spectra.

        Returns
        -------
        Spectra of shape (n_spectra, n_pixels)
            In memory, checked.

        Raises
        ------
        ValueError
            If a value breaks a rule of `Spectra`, or the file was closed.
        """
        flux, ivar = read_together(self._stored, self._rows)
        flux = validation.with_unit(self._masked(flux, ivar), self._unit)
        try:
            return Spectra(flux, self._axis, ivar, self._noise, self._medium, self._meta)
        except ValueError as error:
            words = re.sub(
                r"at row (\d+)", lambda m: f"at stored row {self._rows[int(m[1])]}", str(error)
            )
            raise ValueError(words) from error

    def blocks(self, size: int | None = None) -> Iterator[Spectra]:
        """Read all spectra, some at a time.

        Parameters
        ----------
        size : int, default=None
            Rows of a block; None is some ten MB.

        Returns
        -------
        blocks : iterator of Spectra of shape (at most size, n_pixels)
            In memory, checked. Whole chunks of dask arrays are computed, once each, and cut.

        Raises
        ------
        ValueError
            If `size` isn't an integer of at least 1.
        """
        size = self.block_rows if size is None else check(size, "size", count())
        spans = read_spans(self._stored, self._rows, size)
        return (
            read[start : start + size]
            for read in (self[span].load() for span in spans)
            for start in range(0, len(read), size)
        )

    def filled(self, value: float = 0.0) -> np.ndarray:
        """Read everything, with every pixel whose ivar is 0 set to `value`.

        Parameters
        ----------
        value : float, default=0.0
            What masked pixels hold.

        Returns
        -------
        ndarray of shape (n_spectra, n_pixels)
            A writable copy.
        """
        return self.load().filled(value)

    def select_pixels(self, pixels: Any) -> Spectra:
        """Read everything, and return some pixels of all spectra.

        Parameters
        ----------
        pixels : slice, bool mask or array of int of shape (n_pixels,)
            In ascending wavelength.

        Returns
        -------
        Spectra
            On the smaller grid, in memory.
        """
        return self.load().select_pixels(pixels)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Any) -> "LazySpectra":
        rows = row_index(key, len(self))
        new = object.__new__(LazySpectra)
        for name in ("_stored", *_SHARED):
            setattr(new, name, getattr(self, name))
        new._noise, new._meta = self._noise[rows], take_rows(self._meta, rows)
        new._rows = self._rows[rows] if isinstance(rows, slice) else np.asarray(self._rows)[rows]
        return new

    def _masked(self, flux: np.ndarray, ivar: np.ndarray | None) -> np.ndarray:
        """Return flux with what isn't finite masked, so that `Spectra` don't warn each time."""
        flux, new = validation.mask_nonfinite(flux, ivar)
        if new is not None and "NaN" not in self._told:
            self._told.add("NaN")
            row = self._rows[validation.first_true(new)[0]]
            warnings.warn(
                f"{new.sum()} pixels of `flux` are NaN or infinite in the rows read, the first at "
                f"stored row {row}; these and all later ones are ignored (ivar 0).",
                NaNFluxWarning,
                stacklevel=3,
            )
        return flux

    def __copy__(self) -> "LazySpectra":
        return self[:]

    def __deepcopy__(self, memo: dict[int, Any]) -> "LazySpectra":
        return self[:]  # files aren't copied, and nothing here is ever written to

    def __getstate__(self) -> list[Any]:
        stored = tuple(as_place(array) for array in self._stored)
        return [stored, *(getattr(self, name) for name in _STATE)]

    def __setstate__(self, state: list[Any]) -> None:
        self._stored = tuple(reopen(array) for array in state[0])
        for name, value in zip(_STATE, state[1:], strict=True):
            setattr(self, name, value)


_SHARED = ("_dtype", "_n_pixels", "_axis", "_medium", "_unit", "_wavelength", "_told")
_STATE = ("_rows", "_noise", "_meta", *_SHARED)


def in_memory(spectra: Spectra) -> Spectra:
    """Return spectra whose values have been read.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    spectra : Spectra
        The same object, unless it is lazy.
    """
    return spectra.load() if isinstance(spectra, LazySpectra) else spectra


def any_good(spectra: Spectra) -> bool:
    """Tell whether a pixel isn't masked; of lazy spectra no more is read than needed.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    good : bool
    """
    parts = spectra.blocks() if isinstance(spectra, LazySpectra) else (spectra,)
    return any(bool((part.ivar > 0).any()) for part in parts)


def has_good_pixel(spectra: Spectra) -> np.ndarray:
    """Return which spectra have a pixel with ivar > 0; lazy ones are read block by block.

    Parameters
    ----------
    spectra : Spectra

    Returns
    -------
    good : ndarray of bool of shape (n_spectra,)
    """
    parts = spectra.blocks() if isinstance(spectra, LazySpectra) else [spectra]
    return np.concatenate([(part.ivar > 0).any(axis=1) for part in parts])


def _selected(array: Any, rows: Rows) -> Any:
    if not is_dask(array):
        return read_rows(array, rows)
    if isinstance(rows, range) and rows.step == 1:
        return array[rows.start : rows.stop]
    return array[np.asarray(rows)]


def _float_type(dtype: np.dtype) -> np.dtype:
    """Return the type that `Spectra` keep values of a type in."""
    return validation.native_float(np.empty(0, dtype), "flux").dtype

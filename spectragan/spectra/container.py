"""`Spectra`: many spectra on one wavelength grid, with their errors."""

from typing import Any, ClassVar

import astropy.units as u
import numpy as np

from spectragan.files.layout import refusal
from spectragan.rules import check
from spectragan.spectra import checks as validation
from spectragan.spectra.axis import ascending_angstrom, is_descending, pixel_indices, select_axis
from spectragan.spectra.rows import row_index, take_rows
from spectragan.spectra.summary import FactsMixin

# In the order of the arguments of `_fill`.
_SLOTS = ("_flux", "_ivar", "_noise", "_axis", "_medium", "_meta", "_unit", "_wavelength")


# What numpy would make plain arrays of, with errors, masks and wavelengths gone.
_REARRANGING = {
    *("append", "column_stack", "concatenate", "delete", "dstack", "flip", "hstack", "insert"),
    *("repeat", "roll", "stack", "take", "tile", "vstack"),
}


class Spectra(FactsMixin):
    """Many spectra on one wavelength grid: a frozen container that is indexed by row.

    Parameters
    ----------
    flux : array-like or Quantity of shape (n_spectra, n_pixels)
        Types float32 and float64 are kept, but where float32 can't hold ivar; other numbers
        become float64. Values that are not finite become 0 with ivar 0, with a warning unless
        they were masked already.
    wavelength : Quantity of shape (n_pixels,) or None
        Any spectral unit (Angstrom, nm, 1/cm, Hz, eV, ...), strictly monotonic. None is a grid
        without wavelengths: spectra are then compared pixel by pixel.
    ivar : array-like or Quantity of shape (n_spectra, n_pixels), default=None
        Inverse variance in ``flux.unit**-2``, finite and >= 0; 0 means: ignore this pixel.
    noise : str or sequence of n_spectra str, default=None
        ``"known"`` (ivar is real), ``"exact"`` (a model without noise) or ``"unknown"`` (real,
        but errors aren't given). None is known if `ivar` is given, else unknown.
        Where it isn't known, ivar must hold plain weights: 0 or 1.
    medium : {"air", "vacuum"}, default=None
        What the wavelengths were measured in.
    meta : dict, default=None
        One sequence of n_spectra values per key; rows follow the indexing of spectra.

    Attributes
    ----------
    flux : ndarray of shape (n_spectra, n_pixels)
        Always finite, read-only. Values where ivar is 0 are kept as given and mean nothing.
    ivar : ndarray of shape (n_spectra, n_pixels)
        Inverse variance, same dtype as flux, read-only.
    noise : ndarray of n_spectra str
        Noise words, one per spectrum, read-only.
    wavelength : Quantity of shape (n_pixels,) or None
        In Angstrom, strictly ascending (descending input is flipped with everything else).
    spectral_axis : Quantity of shape (n_pixels,) or None
        The axis as given, in its own unit and order; what `to_specutils` goes back to.
    medium : {"air", "vacuum"} or None
        As given.
    meta : dict or None
        A shallow copy of the metadata.
    unit : astropy.units.UnitBase
        Unit of flux, dimensionless if none was given.

    Raises
    ------
    TypeError
        If flux or ivar aren't real numbers, or wavelength isn't a Quantity.
    ValueError
        If shapes, units, values, words or the order of pixels break a rule above.

    See Also
    --------
    as_spectra : Make `Spectra` of specutils objects or arrays.
    stack_domains : Put two domains on top of each other.

    Notes
    -----
    The arrays of the caller are neither written to nor made read-only, and copied only where they
    must be: don't change them while `Spectra` made of them are in use. ``numpy.asarray(spectra)``
    is flux with NaN where ivar is 0: code that knows no mask fails loudly instead of silently.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from spectragan import Spectra
    >>> s = Spectra(np.ones((3, 4)), [500, 501, 502, 503] * u.nm, meta={"name": ["a", "b", "c"]})
    >>> s
    Spectra(3 spectra, 4 pixels, 5000-5030 Angstrom, noise unknown, float64)
    >>> s[1:].meta
    {'name': ['b', 'c']}
    """

    _kept: ClassVar = {
        "flux": "array n p",
        "ivar": "array n p",
        "noise": "any",
        "spectral_axis": "axis? p",
        "medium": "word?",
        "meta": "any",
        "unit": "unit",
    }

    __slots__ = _SLOTS

    def __init__(
        self,
        flux: Any,
        wavelength: u.Quantity | None,
        ivar: Any = None,
        noise: Any = None,
        medium: str | None = None,
        meta: dict[str, Any] | None = None,
    ) -> None:
        values, unit, mask = validation.check_flux(flux)
        n_rows, n_pixels = values.shape
        axis = validation.check_axis(wavelength, n_pixels)
        check(medium, "medium", validation.MEDIUM)
        words = validation.check_noise(noise, n_rows, ivar is not None)
        if ivar is None:
            weights = np.broadcast_to(np.ones((), values.dtype), values.shape)
        else:
            weights = validation.check_ivar(ivar, values, unit)
            values = values.astype(weights.dtype, copy=False)
        if mask is not None and mask.any():
            weights = np.where(mask, values.dtype.type(0), weights)
        values, weights = validation.drop_nonfinite(values, weights)
        validation.check_ivar_values(weights)
        if ivar is not None and (words != "known").any():
            validation.check_weights(weights, words)
        if is_descending(axis):
            values, weights = (np.ascontiguousarray(a[:, ::-1]) for a in (values, weights))
        self._fill(values, weights, words, axis, medium, validation.check_meta(meta, n_rows), unit)

    def _fill(self, flux, ivar, noise, axis, medium, meta, unit, wavelength=None) -> None:
        """Set all slots from checked parts; arrays become read-only views."""
        self._flux, self._ivar, self._noise = (_frozen(a) for a in (flux, ivar, noise))
        self._axis, self._medium, self._meta, self._unit = axis, medium, meta, unit
        self._wavelength = ascending_angstrom(axis) if wavelength is None else wavelength

    def _rebuild(self, flux, ivar, noise, meta) -> "Spectra":
        """Make Spectra on the same grid from parts that need no check."""
        new = object.__new__(Spectra)
        parts = (self._axis, self._medium, meta, self._unit, self._wavelength)
        new._fill(flux, ivar, noise, *parts)
        return new

    @property
    def flux(self) -> np.ndarray:
        """Flux of shape (n_spectra, n_pixels), finite, read-only."""
        return self._flux

    @property
    def ivar(self) -> np.ndarray:
        """Inverse variance of shape (n_spectra, n_pixels); 0 means ignore; read-only."""
        return self._ivar

    @property
    def noise(self) -> np.ndarray:
        """Noise words of shape (n_spectra,): known, exact or unknown; read-only."""
        return self._noise

    @property
    def wavelength(self) -> u.Quantity | None:
        """Wavelengths of shape (n_pixels,) in Angstrom, ascending, or None."""
        return self._wavelength

    @property
    def spectral_axis(self) -> u.Quantity | None:
        """The axis of shape (n_pixels,) in the unit and order it was given in, or None."""
        return self._axis

    @property
    def medium(self) -> str | None:
        """What the wavelengths were measured in: air, vacuum or None."""
        return self._medium

    @property
    def meta(self) -> dict[str, Any] | None:
        """A shallow copy of the per-row metadata, or None."""
        return None if self._meta is None else dict(self._meta)

    @property
    def unit(self) -> u.UnitBase:
        """Unit of flux."""
        return self._unit

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of spectra and pixels."""
        return self._flux.shape

    @property
    def ndim(self) -> int:
        """Number of dimensions: 2."""
        return 2

    @property
    def dtype(self) -> np.dtype:
        """Type of flux and ivar: float32 or float64."""
        return self._flux.dtype

    @property
    def mask(self) -> np.ndarray:
        """Mask of shape (n_spectra, n_pixels), True = bad."""
        return self._ivar == 0

    @property
    def std(self) -> np.ndarray:
        """Standard deviation of shape (n_spectra, n_pixels), infinite where ivar is 0."""
        with np.errstate(divide="ignore"):
            std = np.sqrt(self._ivar)
            return np.reciprocal(std, out=std)

    def filled(self, value: float = 0.0) -> np.ndarray:
        """Return flux with every pixel whose ivar is 0 set to `value`.

        Parameters
        ----------
        value : float, default=0.0
            What masked pixels hold.

        Returns
        -------
        ndarray of shape (n_spectra, n_pixels)
            A writable copy.
        """
        return np.where(self._ivar > 0, self._flux, self.dtype.type(value))

    def with_flux(
        self,
        flux: Any,
        ivar: Any = None,
        noise: Any = None,
        *,
        unit: u.UnitBase | None = None,
        meta: dict[str, Any] | None = None,
    ) -> "Spectra":
        """Return other flux on the same grid, with medium and meta kept.

        Parameters
        ----------
        flux : array-like of shape (n_spectra, n_pixels)
            Ascending in wavelength, as `flux` of this object is.
        ivar : array-like of shape (n_spectra, n_pixels), default=None
            None keeps ivar if `noise` is None too; otherwise all pixels are good.
        noise, unit, meta : str or sequence of str, astropy.units.UnitBase, dict, default=None
            Replace what these spectra have; None keeps it and ``meta={}`` drops it.

        Returns
        -------
        Spectra
            On the same grid, which goes back to specutils in the same unit and order.
        """
        if ivar is None and noise is None:
            ivar = self._ivar
        if noise is None:
            noise = self._noise
        unit = self._unit if unit is None else unit
        values, weights = _value_in(flux, unit, "flux"), _value_in(ivar, unit**-2, "ivar")
        if np.shape(values) != self.shape:
            raise ValueError(
                f"`flux` must have the shape {self.shape} of these spectra; "
                f"got {np.shape(values)}; make a new Spectra for another grid or number of rows."
            )
        new = Spectra(
            values,
            self._wavelength,
            weights,
            noise,
            self._medium,
            self._meta if meta is None else meta,
        )
        new._axis, new._unit = self._axis, unit
        return new

    def select_pixels(self, pixels: Any) -> "Spectra":
        """Return some pixels of all spectra.

        Parameters
        ----------
        pixels : slice, bool mask or array of int of shape (n_pixels,)
            In ascending wavelength, such as ``s.wavelength > 4000 * u.AA``.

        Returns
        -------
        Spectra
            On the smaller grid.
        """
        keep = pixel_indices(pixels, self.shape[1])
        new = object.__new__(Spectra)
        parts = (select_axis(self._axis, keep), self._medium, self._meta, self._unit)
        new._fill(self._flux[:, keep], self._ivar[:, keep], self._noise, *parts)
        return new

    def to_specutils(self, kind: str = "list", *, uncertainty: str = "std") -> Any:
        """Return specutils objects with axis, unit, uncertainty, mask and meta.

        Parameters
        ----------
        kind : {"list", "stacked", "collection"}, default="list"
            A `~specutils.SpectrumList` of 1-D spectra, one `~specutils.Spectrum` with 2-D flux,
            or a `~specutils.SpectrumCollection`.
        uncertainty : {"std", "var", "ivar"}, default="std"
            Which astropy class holds the errors of spectra whose noise is known.

        Returns
        -------
        SpectrumList, Spectrum or SpectrumCollection
            With the axis in the unit and order it came in; 1-D spectra share one axis.

        Raises
        ------
        ValueError
            If a word is unknown, or `kind` can't hold these spectra.
        """
        from spectragan.spectra.specutils_output import to_specutils

        return to_specutils(self, kind, uncertainty=uncertainty)

    @classmethod
    def _from_file(cls, values: dict[str, Any]) -> "Spectra":
        """Return spectra of what a file keeps, which is not copied."""
        flux, ivar, axis = values["flux"], values["ivar"], values["spectral_axis"]
        noise, medium, meta = (values[name] for name in ("noise", "medium", "meta"))
        if not (np.isfinite(flux).all() and flux.dtype == ivar.dtype):
            raise refusal("flux must be finite and of ivar's type", flux.dtype)
        # All that is checked of spectra that a user hands over.
        checked = cls(flux, None, ivar, noise, medium, meta)
        grid = cls(np.ones((1, flux.shape[1])), axis, medium=medium)
        spectra = object.__new__(cls)
        spectra._fill(flux, ivar, checked.noise, grid._axis, medium, checked.meta, values["unit"])
        return spectra

    def __len__(self) -> int:
        return len(self._flux)

    def __getitem__(self, key: Any) -> "Spectra":
        rows = row_index(key, len(self))
        meta = take_rows(self._meta, rows)
        return self._rebuild(self._flux[rows], self._ivar[rows], self._noise[rows], meta)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy is False:
            raise ValueError(
                "an array of Spectra must be a copy (masked pixels become NaN); got copy=False; "
                "use the attribute `flux` for a view."
            )
        return self.filled(np.nan).astype(dtype or self.dtype, copy=False)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if func.__name__ in _REARRANGING:
            raise TypeError(
                f"numpy.{func.__name__} must not be given Spectra, whose errors, masks and "
                "wavelengths it would drop; got some; join sets with as_spectra([a, b]), choose "
                "spectra with spectra[rows], or give spectra.flux where flux is all you want."
            )
        return np.empty(0).__array_function__(func, (), args, kwargs)  # as for any other object

    def __getstate__(self) -> list[Any]:
        return [getattr(self, name) for name in _SLOTS]

    def __setstate__(self, state: list[Any]) -> None:
        self._fill(*state[:-1])
        if self._axis is not None:
            self._axis.flags.writeable = False


def _frozen(array: np.ndarray) -> np.ndarray:
    """Return a read-only view; the array itself stays as writable as it was."""
    view = array.view(np.ndarray)  # a memory map inside is no business of the user
    view.flags.writeable = False
    return view


def _value_in(values: Any, unit: u.UnitBase, name: str) -> Any:
    """Strip a Quantity to its values in `unit`; pass anything else through."""
    return validation.to_unit(values, unit, name) if isinstance(values, u.Quantity) else values

"""Checks of what makes up `Spectra`; every message says the rule and the remedy."""

import warnings
from collections.abc import Mapping
from functools import partial
from numbers import Number
from typing import Any

import astropy.units as u
import numpy as np
from astropy.utils.masked import Masked

from spectragan.exceptions import NaNFluxWarning
from spectragan.rules import one_of

NOISE_WORDS = ("known", "exact", "unknown")
MEDIUM = one_of("air", "vacuum", None, remedy="say which wavelengths these are")


def check_flux(flux: Any) -> tuple[np.ndarray, u.UnitBase, np.ndarray | None]:
    """Return flux as a 2-D float array, its unit and the mask it carries (True = bad) or None."""
    if hasattr(flux, "ivar"):  # as an array it would lose its errors
        raise TypeError(
            f"`flux` must be an array; got {type(flux).__name__}, which has errors of its own; "
            "take it as it is, or give its parts."
        )
    flux = computed(flux)
    unit = unit_of(flux)
    mask = flux.mask if is_masked(flux) else None
    values = native_float(getattr(flux, "unmasked", flux), "flux")
    if values.size and values.ndim != 2:
        raise ValueError(
            f"`flux` must have the shape (n_spectra, n_pixels); got {values.shape}; "
            "use flux[None, :] for one spectrum."
        )
    if 0 in values.shape:
        raise ValueError(
            f"`flux` must hold at least one spectrum and one pixel; got shape {values.shape}; "
            "check the selection that made it empty."
        )
    if mask is not None:
        mask = np.broadcast_to(np.asarray(mask, dtype=bool), values.shape)
    return values, unit, mask


def check_is_matrix(x: Any, name: str) -> None:
    """Raise one sentence about what can't be an array of spectra, whatever numpy would say.

    Parameters
    ----------
    x : object
    name : str
        What to call `x` in a message.

    Raises
    ------
    TypeError
        If it is an estimator.
    ValueError
        If its rows have different lengths, or it holds labels, or no real numbers.
    """
    if words := label_words(x):
        raise ValueError(
            f"`{name}` must be spectra; got labels, {', '.join(words)}; give the spectra of these "
            "stars."
        )
    if hasattr(x, "fit") and not hasattr(x, "__array__"):
        raise TypeError(
            f"`{name}` must be spectra: `Spectra`, specutils objects or numbers of shape "
            f"(n_spectra, n_pixels); got {type(x).__name__}; of an emulator, give "
            "emulator.predict(labels)."
        )
    lengths = {np.size(row) for row in x} if isinstance(x, list | tuple) else set()
    if len(lengths) > 1:
        raise ValueError(
            f"`{name}` must have equally many pixels in every spectrum; got {min(lengths)} to "
            f"{max(lengths)}; resample the spectra onto one grid first."
        )
    check_numbers(x, name, "(n_spectra, n_pixels)")
    check_two_axes(x, name, "(n_spectra, n_pixels)")


def check_two_axes(x: Any, name: str, shape: str) -> None:
    """Raise one sentence about numbers that are no matrix; their values aren't shown."""
    found = shape_of(x)
    if len(found) != 2 and not hasattr(x, "toarray"):
        raise ValueError(
            f"`{name}` must have the shape {shape}: Expected 2D array, got shape {found}; "
            "Reshape your data, with x[None, :] for one row."
        )


def shape_of(x: Any) -> tuple[int, ...]:
    """Return the shape of what is an array, or can be read as one."""
    return x.shape if hasattr(x, "shape") else np.asarray(x).shape


LABEL_WORDS = {"teff", "logg", "feh", "fe_h", "m_h", "mh"}


def label_words(x: Any) -> list[str]:
    """Return those column names of a table, frame or array that only labels have."""
    fields = getattr(getattr(x, "dtype", None), "names", None)
    own = getattr(x, "names", None) if isinstance(x, np.ndarray) else None
    found = (getattr(x, "colnames", None), own, fields, getattr(x, "columns", None))
    names: Any = next((names for names in found if names is not None), ())
    return [n for n in list(names) if isinstance(n, str) and n.lower() in LABEL_WORDS]


def check_numbers(x: Any, name: str, shape: str) -> None:
    """Raise one sentence about what holds no real numbers, instead of numpy's own.

    Parameters
    ----------
    x : object
    name : str
        What to call it in a message.
    shape : str
        What it must have.

    Raises
    ------
    TypeError, ValueError
        If it is nothing, a word, a number, a dict, or of complex numbers, dates or words.
    """
    if hasattr(x, "toarray"):  # scikit-learn has a sentence for sparse ones
        return
    dtype = getattr(x, "dtype", None)
    kind = dtype.kind if isinstance(dtype, np.dtype) else ""
    remedy = "convert it to float, or select numbers"
    if x is None or isinstance(x, str | bytes | Number | Mapping) or hasattr(x, "fit"):
        found = type(x).__name__ if hasattr(x, "fit") or isinstance(x, Mapping) else repr(x)
        remedy = "give one row for every star"
    elif isinstance(x, list | tuple) and any(isinstance(row, Mapping | str) for row in x):
        found, remedy = "a list of dicts or words", "give one row of numbers for every star"
    elif kind == "c":
        found, remedy = f"{dtype}, Complex data not supported", "take the real part"
    elif kind in ("m", "M"):
        found = f"dates ({dtype})"
    else:
        word = _first_word(x) if kind in ("O", "U", "S") else None
        if word is None:
            return
        found = f"the word {word!r}"
    error = ValueError if kind else TypeError
    raise error(f"`{name}` must hold real numbers of shape {shape}; got {found}; {remedy}.")


def _first_word(x: Any) -> str | None:
    """Return the first word in an array that is no number."""
    for value in np.asarray(x).ravel():
        if isinstance(value, str | bytes):
            try:
                float(value)
            except ValueError:
                return str(value)
    return None


def is_masked(values: Any) -> bool:
    """Tell whether an array of numpy or astropy carries a mask of its own."""
    return isinstance(values, np.ma.MaskedArray | Masked)


def nan_where_masked(values: Any) -> np.ndarray:
    """Return the bare numbers of a column or array: where one is masked, nobody knows it."""
    mask = np.asarray(getattr(values, "mask", False))
    bare = getattr(values, "unmasked", values)
    return np.where(mask, np.nan, np.asarray(getattr(bare, "value", bare), dtype=float))


def computed(values: Any) -> Any:
    """Return a dask array in memory: numpy's own way there drops masks and units of its chunks."""
    return values.compute() if _is_lazy(values) else values


def _is_lazy(values: Any) -> bool:
    return hasattr(values, "__dask_graph__")


def native_float(values: Any, name: str) -> np.ndarray:
    """Return `values` as native float32 or float64 without copying if they already are."""
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(
            f"`{name}` must have as many pixels in every row; got rows of different lengths; "
            "resample all spectra onto one grid."
        ) from error
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"`{name}` must hold real numbers; got dtype {array.dtype}; convert it to float first."
        )
    small = array.dtype.kind == "f" and array.dtype.itemsize <= 4
    return array.astype(np.float32 if small else np.float64, copy=False)


def check_ivar(ivar: Any, flux: np.ndarray, unit: u.UnitBase) -> np.ndarray:
    """Return ivar as an array of the shape of flux; values are checked later.

    It has the dtype of flux, unless that is float32 and can't hold what is known: fluxes of 1e-17
    have an ivar of 1e38, and one that gets too small would become a mask.
    """
    ivar = computed(ivar)
    if isinstance(ivar, u.Quantity):
        ivar = to_unit(ivar, unit**-2, "ivar")
    values = native_float(ivar.filled(0) if is_masked(ivar) else ivar, "ivar")
    if values.shape != flux.shape:
        raise ValueError(
            f"`ivar` must have the shape of flux, {flux.shape}; got {values.shape}; "
            "use np.broadcast_to to repeat one value."
        )
    if flux.dtype.itemsize < values.dtype.itemsize and not _fits_single(values):
        return values
    return values.astype(flux.dtype, copy=False)


def _fits_single(values: np.ndarray) -> bool:
    """Tell whether float32 holds values to its full precision."""
    limits = np.finfo(np.float32)
    known = values[(values > 0) & np.isfinite(values)]
    return not known.size or bool(known.max() <= limits.max and known.min() >= limits.tiny)


def check_ivar_values(ivar: np.ndarray) -> None:
    """Raise unless every value is finite and not negative."""
    if all_finite(ivar) and ivar.min() >= 0:
        return
    row, pixel = first_true(~(np.isfinite(ivar) & (ivar >= 0)))
    infinite = bool(ivar[row, pixel] == np.inf)
    raise ValueError(
        f"`ivar` must be finite and >= 0; got {ivar[row, pixel]} at row {row}, pixel {pixel}; "
        f"set ivar to 0 to ignore a pixel{', and work 1 / sigma**2 out in float64' * infinite}."
    )


def check_noise(noise: Any, n_rows: int, ivar_given: bool) -> np.ndarray:
    """Return one noise word per row; None means known if ivar was given, else unknown."""
    if noise is None:
        noise = "known" if ivar_given else "unknown"
    words = np.asarray(noise, dtype=object)
    strange = [word for word in words.ravel().tolist() if word not in NOISE_WORDS]
    if strange:
        raise ValueError(
            f"`noise` must be one of {', '.join(NOISE_WORDS)}; got {strange[0]!r}; "
            "give one word for all spectra or one per spectrum."
        )
    if words.shape not in ((), (n_rows,)):
        raise ValueError(
            f"`noise` must be one word or {n_rows} words, one per spectrum; "
            f"got shape {words.shape}; check its length."
        )
    if not ivar_given and "known" in words:
        raise ValueError(
            "`ivar` must be given where `noise` is 'known'; got None; "
            "pass ivar, or noise='unknown' if there are no errors."
        )
    return np.broadcast_to(words.astype("<U7"), (n_rows,))


def check_weights(ivar: np.ndarray, noise: np.ndarray) -> None:
    """Raise unless rows without known errors hold 0/1 weights only."""
    rows = np.flatnonzero(noise != "known")
    values = ivar if len(rows) == len(ivar) else ivar[rows]
    strange = (values != 0) & (values != 1)
    if strange.any():
        row, pixel = first_true(strange)
        raise ValueError(
            f"`ivar` must be 0 or 1 where `noise` is 'exact' or 'unknown'; got "
            f"{values[row, pixel]} at row {rows[row]}, pixel {pixel}; "
            "use noise='known' if these are real errors."
        )


def check_axis(wavelength: Any, n_pixels: int) -> u.Quantity | None:
    """Return the spectral axis in its own unit and order, or None for pixel by pixel."""
    if wavelength is None:
        return None
    if not isinstance(wavelength, u.Quantity):
        raise TypeError(
            "`wavelength` must be a Quantity with a spectral unit; got "
            f"{type(wavelength).__name__}; write for example `wavelength * u.AA`."
        )
    if not wavelength.unit.is_equivalent(u.AA, u.spectral()):
        raise ValueError(
            "`wavelength` must have a unit of wavelength, wavenumber, frequency or energy; "
            f"got {str(wavelength.unit)!r}; convert it first."
        )
    if wavelength.shape != (n_pixels,):
        raise ValueError(
            f"`wavelength` must have one value per pixel of flux, ({n_pixels},); "
            f"got shape {wavelength.shape}; resample all spectra onto one grid."
        )
    if is_masked(wavelength) and wavelength.mask.any():
        raise ValueError(
            "`wavelength` must be known for every pixel; got a masked one at pixel "
            f"{int(np.argmax(wavelength.mask))}; drop such pixels."
        )
    axis = u.Quantity(np.array(wavelength.value, dtype=float), wavelength.unit)
    _check_monotonic(axis)
    axis.flags.writeable = False
    return axis


def _check_monotonic(axis: u.Quantity) -> None:
    values = axis.value
    bad = ~(np.isfinite(values) & (values > 0))
    if bad.any():
        pixel = int(np.argmax(bad))
        raise ValueError(
            f"`wavelength` must be finite and positive; got {axis[pixel]} at pixel {pixel}; "
            "drop such pixels."
        )
    steps = np.diff(values)
    if len(steps) == 0 or (steps > 0).all() or (steps < 0).all():
        return
    direction = np.sign(np.median(steps)) or 1.0
    pixel = int(np.argmax(steps * direction <= 0)) + 1
    raise ValueError(
        "`wavelength` must be strictly ascending or descending without repeated values; got "
        f"{axis[pixel]} after {axis[pixel - 1]} at pixel {pixel}; sort and deduplicate the pixels."
    )


def check_meta(meta: Any, n_rows: int) -> dict[str, Any] | None:
    """Return a copy of meta, a mapping of one sequence of `n_rows` values per key, or None."""
    if meta is None:
        return None
    if not isinstance(meta, Mapping):
        raise TypeError(
            f"`meta` must be a dict of one value per spectrum; got {type(meta).__name__}; "
            "write for example meta={'name': names}."
        )
    for key, values in meta.items():
        if isinstance(values, str) or not hasattr(values, "__len__") or len(values) != n_rows:
            got = f"{len(values)} values" if isinstance(values, list | np.ndarray) else repr(values)
            raise ValueError(
                f"`meta[{key!r}]` must hold {n_rows} values, one per spectrum; got {got}; "
                "repeat a common value for every spectrum."
            )
    return dict(meta) or None


def drop_nonfinite(flux: np.ndarray, ivar: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Set non-finite flux to 0 with ivar 0; warn about those that weren't masked already."""
    if all_finite(flux):
        return flux, ivar
    bad = ~np.isfinite(flux)
    n_new = np.count_nonzero(bad & (ivar != 0))
    if n_new:
        warnings.warn(
            f"{n_new} pixels of `flux` are NaN or infinite; they are ignored (ivar 0).",
            NaNFluxWarning,
            stacklevel=4,
        )
    zero = flux.dtype.type(0)
    return np.where(bad, zero, flux), np.where(bad, zero, ivar)


def mask_nonfinite(
    flux: np.ndarray, ivar: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return flux masked where it isn't finite, and where that wasn't masked already, or None."""
    values = np.ma.getdata(flux)
    if not values.size or all_finite(values):
        return flux, None
    masked, bad = np.ma.getmaskarray(flux), ~np.isfinite(values)
    new = bad & ~masked
    if ivar is not None:
        new &= np.ma.filled(ivar, 0) != 0
    return np.ma.array(values, mask=bad | masked), new if new.any() else None


def with_unit(values: np.ndarray, unit: u.UnitBase) -> Any:
    """Return values in a unit, with the mask they carry: `Quantity` alone would drop it."""
    if unit == u.dimensionless_unscaled:
        return values
    quantity = u.Quantity(np.ma.getdata(values), unit, copy=False)
    return Masked(quantity, mask=np.ma.getmaskarray(values)) if is_masked(values) else quantity


def without_units(flux: Any, ivar: Any, unit: u.UnitBase) -> tuple[Any, Any]:
    """Return the values of quantities, flux in `unit`; what isn't one stays as it is."""
    return _values_in(flux, unit, "flux"), _values_in(ivar, unit**-2, "ivar")


def _values_in(array: Any, unit: u.UnitBase, name: str) -> Any:
    sample = _sample(array)
    if not isinstance(sample, u.Quantity):
        return array
    convert = partial(to_unit, unit=unit, name=name)
    converted = convert(sample)  # units that don't convert are met here, not when rows are read
    return array.map_blocks(convert) if _is_lazy(array) else converted


def unit_of(flux: Any) -> u.UnitBase:
    """Return the unit that flux carries, or the chunks of a dask array do."""
    sample = _sample(flux)
    return sample.unit if isinstance(sample, u.Quantity) else u.dimensionless_unscaled


def _sample(array: Any) -> Any:
    """Return what tells the kind of an array: of dask, the empty chunk that it carries."""
    return array._meta if _is_lazy(array) else array


def to_unit(quantity: Any, unit: u.UnitBase, name: str) -> np.ndarray:
    """Return the values of a quantity in another unit, or raise one sentence."""
    if not quantity.unit.is_equivalent(unit):
        raise ValueError(
            f"`{name}` must have a unit that converts to {str(unit)!r}; "
            f"got {str(quantity.unit)!r}; convert it, or give all spectra one unit."
        )
    return quantity.to_value(unit)


def all_finite(values: np.ndarray) -> bool:
    """Tell whether every value is finite, without a temporary of the size of `values`."""
    with np.errstate(invalid="ignore"):
        return bool(np.isfinite(values.min()) and np.isfinite(values.max()))


def first_true(mask: np.ndarray) -> tuple[int, int]:
    """Return the row and column of the first True of a 2-D mask."""
    row, pixel = np.unravel_index(np.argmax(mask), mask.shape)
    return int(row), int(pixel)

"""What readers are told, and what they return: pixels to `Spectra`, or why a file can't be read."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import astropy.units as u
import numpy as np

from spectragan.spectra.checks import native_float
from spectragan.spectra.container import Spectra
from spectragan.spectra.doppler import REST_FRAME_KEY


class Note(NamedTuple):
    """What a user should know of a file that was read: a class of warning and a clause."""

    category: type[Warning]
    text: str


@dataclass(frozen=True)
class ReadOptions:
    """The parameters of `read_spectra` that concern one file.

    Parameters
    ----------
    path : Path
        The file.
    visits : bool, default=False
        Read the visits of a star, too, where a file holds them beside the combined spectrum.
    arm : str, default=None
        Which part of a file that holds several grids.
    medium : {"air", "vacuum"}, default=None
        For files that don't say.
    wavelength_unit : AxisUnit, default=None
        For files that don't say.
    flux_unit : astropy.units.UnitBase, default=None
        For files that don't say.
    checksum : bool, default=True
        Compare data with the checksums of the file.
    columns : sequence of str or dict, default=None
        What the columns of a table are.
    mask : {"bad", "good", "ignore"}, default=None
        What a value other than 0 in a mask means, for files that don't say.
    wavelength : Quantity of shape (n_pixels,), default=None
        The axis of files that have none; what has its own is resampled onto it.
    grid : Quantity of shape (n_new_pixels,), default=None
        What all spectra are resampled onto.
    notes : list of Note
        What the user should know of this file.
    """

    path: Path
    visits: bool = False
    arm: str | None = None
    medium: str | None = None
    wavelength_unit: Any = None
    flux_unit: u.UnitBase | None = None
    checksum: bool = True
    columns: Any = None
    mask: str | None = None
    wavelength: u.Quantity | None = None
    grid: u.Quantity | None = None
    notes: list[Note] = field(default_factory=list)

    def of(self, path: Path) -> "ReadOptions":
        """Return the same for another file, of which nothing is known yet."""
        return replace(self, path=path, notes=[])

    def note(self, category: type[Warning], text: str) -> None:
        """Keep what the user should know of this file."""
        self.notes.append(Note(category, text))

    @property
    def stem(self) -> str:
        """The name of the file without folder and endings."""
        return self.path.name.removesuffix(".gz").rsplit(".", 1)[0]


class FileProblem(Exception):
    """A cause and a remedy, "<cause>; <remedy>."; `read_spectra` puts the file before it."""


def first_line(error: Exception) -> str:
    """Return the first sentence of what an error from below says, short enough for a clause."""
    text = str(error).strip() or "no message"
    line = re.split(r"[.!?] (?=[A-Z])", " ".join(text.splitlines()[0].split()))[0]
    return line if len(line) <= 120 else f"{line[:117]}..."


# Surveys of SDSS, LAMOST and DESI count flux in these.
FLUX_1E17 = u.Unit("1e-17 erg / (s cm2 Angstrom)")
# float32 can hold 1e-38 to 3e38; ivar outside this range is kept in float64.
FLOAT32_SAFE = (1e-36, 1e36)
# km/s. LAMOST writes -9999 for a velocity it doesn't know, APOGEE 999999.
NO_VELOCITY = 9999.0


@dataclass(frozen=True)
class Pixels:
    """The pixels of one file as they are, for `to_spectra`.

    Parameters
    ----------
    flux : ndarray of shape (n_spectra, n_pixels) or (n_pixels,)
        NaN where there is none.
    wavelength : Quantity of shape (n_pixels,)
        In the unit and order of the file.
    ivar, error : ndarray of the shape of flux, default=None
        At most one of them, in `unit`. Values that are not positive mean: ignore.
    bad : ndarray of bool of the shape of flux, default=None
        True where the file says that a pixel is bad.
    unit : astropy.units.UnitBase
        Of flux.
    medium : {"air", "vacuum"}, default=None
        What the file says.
    ids : sequence of str, default=None
        None takes the name of the file.
    snr, rv : sequence of float, default=None
        Signal to noise, radial velocity in km/s; None or NaN where the file doesn't say.
    visit : sequence of int, default=None
        0 for a combined spectrum, else which visit of the star it is.
    at_rest : bool, default=False
        Whether the spectra were shifted to rest.
    rest_velocity : sequence of float, default=None
        By which velocity in km/s at the telescope, if this isn't `rv`.
    """

    flux: np.ndarray
    wavelength: u.Quantity
    ivar: np.ndarray | None = None
    error: np.ndarray | None = None
    bad: np.ndarray | None = None
    unit: u.UnitBase = u.dimensionless_unscaled
    medium: str | None = None
    ids: Sequence[str] | None = None
    snr: Sequence[float] | np.ndarray | None = None
    rv: Sequence[float] | np.ndarray | None = None
    visit: Sequence[int] | np.ndarray | None = None
    at_rest: bool = False
    rest_velocity: Sequence[float] | np.ndarray | None = None


def to_spectra(pixels: Pixels, options: ReadOptions, format_name: str) -> tuple[Spectra, int]:
    """Return the spectra of one file, and how many pixels are NaN though nothing masks them."""
    flux = np.atleast_2d(_real(pixels.flux, "flux"))
    check_possible(pixels.wavelength, medium_of(pixels.medium, options.medium))
    weights, known = _weights(pixels, flux.shape)
    if pixels.bad is not None:
        weights[_like(pixels.bad, flux.shape, "mask").astype(bool)] = 0
    lost = ~np.isfinite(flux)
    n_lost = int(np.count_nonzero(lost & (weights > 0)))
    weights[lost] = 0
    if not weights.any():
        raise FileProblem(
            "no pixel is usable, all are masked, NaN or without a positive error; "
            "check its errors and its mask."
        )
    flux, weights = _same_type(np.where(lost, flux.dtype.type(0), flux), weights)
    return _build(flux, weights, known, pixels, options, format_name), n_lost


def _build(flux, weights, known, pixels, options, format_name) -> Spectra:
    medium = medium_of(pixels.medium, options.medium)
    said = {"ids": pixels.ids, "snr": pixels.snr, "rv": pixels.rv, "visit": pixels.visit}
    meta = row_meta(len(flux), options, format_name, **said)
    if pixels.at_rest:  # NaN, if nothing says by how much: no reason to shift it again
        shifted_by = pixels.rv if pixels.rest_velocity is None else pixels.rest_velocity
        meta[REST_FRAME_KEY] = _velocities(shifted_by, len(flux))
    noise = np.where(known, "known", "unknown")
    try:
        quantity = u.Quantity(flux, pixels.unit, copy=False)
        return Spectra(quantity, pixels.wavelength, weights, noise, medium, meta)
    except (ValueError, TypeError) as error:
        raise FileProblem(str(error)) from error


def _real(values: Any, name: str) -> np.ndarray:
    try:
        return native_float(values, name)
    except (ValueError, TypeError) as error:
        raise FileProblem(str(error)) from error


def _like(values: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    array = np.atleast_2d(values)
    if array.shape != shape:
        raise FileProblem(
            f"the {name} must have the shape of the flux, {shape}; got {array.shape}; "
            "check that both belong to one spectrum."
        )
    return array


def _weights(pixels: Pixels, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Return ivar in float64, and of which rows it is known.

    It is 0 where errors are missing, negative, zero or not finite; a row without a single number
    has no errors, and counts in full.
    """
    if pixels.ivar is None and pixels.error is None:
        return np.ones(shape), np.zeros(shape[0], bool)
    with np.errstate(all="ignore"):
        if pixels.ivar is not None:
            given = ivar = _like(pixels.ivar, shape, "ivar").astype(float)
        else:
            given = _like(pixels.error, shape, "error").astype(float)
            ivar = np.where(given > 0, given, np.nan) ** -2
        known = ~np.isnan(given).all(axis=1)
        weights = np.where(np.isfinite(ivar) & (ivar > 0), ivar, 0.0)
    weights[~known] = 1.0
    return weights, known


def _same_type(flux: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keep float32 where ivar fits in; else a faint star would get an infinite ivar, or none."""
    used = weights[weights > 0]
    fits = used.min() >= FLOAT32_SAFE[0] and used.max() <= FLOAT32_SAFE[1]
    dtype = flux.dtype if fits else np.dtype(float)
    return flux.astype(dtype, copy=False), weights.astype(dtype, copy=False)


def medium_of(said: str | None, given: str | None) -> str | None:
    """Return the medium that a file or the caller says, which must not contradict each other."""
    if said and given and said != given:
        raise FileProblem(
            f"`medium` must be what the file says, {said!r}; got {given!r}; leave it out, or build "
            "Spectra with the right one from what is read."
        )
    return said or given


# Angstrom. Wavelengths below are X-rays, or logarithms of optical ones.
SHORTEST = 50.0
# Angstrom: what logarithms of wavelengths may come to; outside they were something else.
OPTICAL = (900.0, 1e6)
# Angstrom: the logarithms of optical wavelengths, in whatever unit they are labelled.
LONGEST_LOGARITHM = 100.0
# Angstrom, of an axis in a unit of length: outside it is labelled with a wrong unit.
POSSIBLE = (1.0, 1e7)
# Relative: no spectrograph that sees X-rays has pixels as narrow as this.
TINY_STEP = 1e-4
# Angstrom. Below, wavelengths are given in vacuum by convention.
SHORTEST_IN_AIR = 2000.0


def is_optical(axis: u.Quantity) -> bool:
    """Tell whether all values of an axis are wavelengths that stars are observed at."""
    with np.errstate(all="ignore"):
        values = axis.to_value(u.AA, u.spectral())
    return bool(np.all((values >= OPTICAL[0]) & (values <= OPTICAL[1])))


def is_plausible(axis: u.Quantity) -> bool:
    """Tell whether the middle of an axis is a wavelength that stars are observed at."""
    with np.errstate(all="ignore"):
        middle = float(np.median(axis.to_value(u.AA, u.spectral()))) if axis.size else 0.0
    return OPTICAL[0] <= middle <= OPTICAL[1]


def check_possible(axis: u.Quantity, medium: str | None) -> None:
    """Raise if wavelengths are their logarithms, or given in air where that is never done."""
    if axis.ndim != 1 or axis.size < 2 or not axis.unit.is_equivalent(u.AA, u.spectral()):
        return  # `Spectra` says what is wrong
    with np.errstate(all="ignore"):
        values = axis.to_value(u.AA, u.spectral())
    low, high = float(values.min()), float(values.max())
    if not (low > 0 and high < np.inf):
        return
    got = f"{low:.6g}-{high:.6g} Angstrom"
    if axis.unit.is_equivalent(u.AA) and not (high > POSSIBLE[0] and low < POSSIBLE[1]):
        raise FileProblem(
            f"its wavelengths must be possible ones; got {got}; check their unit, and pass "
            "wavelength_unit if the file has none or a wrong one."
        )
    if high < LONGEST_LOGARITHM and _looks_like_logarithms(axis, values):
        raise FileProblem(
            f"its wavelengths must be possible ones; got {got}, which look like logarithms; pass "
            "wavelength_unit='log10(Angstrom)' or 'ln(Angstrom)' if they are, or `wavelength`."
        )
    if medium == "air" and low < SHORTEST_IN_AIR:
        raise FileProblem(
            f"wavelengths in air must be at least {SHORTEST_IN_AIR:.0f} Angstrom, below which they "
            f"are given in vacuum; got {got}; pass `wavelength` with the right ones."
        )


def _looks_like_logarithms(axis: u.Quantity, values: np.ndarray) -> bool:
    step = np.median(np.abs(np.diff(values.astype(float)))) / np.median(values)
    with np.errstate(all="ignore"):
        undone = (10.0**axis.value * axis.unit, np.exp(axis.value) * axis.unit)
    is_tiny, is_log = bool(step < TINY_STEP), any(map(is_optical, undone))
    return is_tiny or is_log if values.max() < SHORTEST else is_log and step < 10 * TINY_STEP


def row_meta(
    n_rows: int,
    options: ReadOptions,
    format_name: str,
    *,
    ids: Sequence[str] | None = None,
    snr: Any = None,
    rv: Any = None,
    visit: Any = None,
) -> dict[str, Any]:
    """Return the metadata that spectra of every format have."""
    if ids is None:
        ids = [options.stem] if n_rows == 1 else [f"{options.stem}-{i}" for i in range(n_rows)]
    return {
        "id": [str(i).strip() for i in ids],
        "snr": _numbers(snr, n_rows, lambda value: value >= 0),
        "rv": _velocities(rv, n_rows),
        "visit": np.zeros(n_rows, dtype=int) if visit is None else np.asarray(visit, dtype=int),
        "file": [str(options.path)] * n_rows,
        "format": [format_name] * n_rows,
    }


def _velocities(values: Any, n_rows: int) -> np.ndarray:
    return _numbers(values, n_rows, lambda value: np.abs(value) < NO_VELOCITY)


def _numbers(values: Any, n_rows: int, is_real: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Return numbers, NaN for those that stand for none."""
    if values is None:
        return np.full(n_rows, np.nan)
    numbers = np.asarray(values, dtype=float)
    return np.where(is_real(numbers), numbers, np.nan)


def has_bits(mask: np.ndarray, bits: Sequence[int]) -> np.ndarray:
    """Tell of every pixel whether one of some bits of its mask is set."""
    array = np.asarray(mask)
    if array.dtype.kind == "f":  # some tables store masks as float; NaN has no bits
        array = np.nan_to_num(array, nan=0.0, posinf=0.0, neginf=0.0)
    return (array.astype(np.int64) & sum(1 << bit for bit in bits)) != 0


def choose_arm(arms: Sequence[str], arm: str | None) -> str:
    """Return which part of a file that holds several grids is asked for, of those that it has."""
    wanted = arms[0] if arm is None else arm.lower()
    if wanted not in arms or (arm is None and len(arms) > 1):
        choices = " or ".join(f"arm={name!r}" for name in arms)
        got = "none, for arms on different grids" if arm is None else repr(arm)
        raise FileProblem(f"`arm` must be one that the file has; got {got}; pass {choices}.")
    return wanted


def log_axis(first: float, step: float, n_pixels: int, crpix: float = 1.0) -> u.Quantity:
    """Return wavelengths of an axis that is linear in log10 of Angstrom."""
    with np.errstate(over="ignore"):
        return 10.0 ** (first + step * (np.arange(n_pixels) + 1 - crpix)) * u.AA

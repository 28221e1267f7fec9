"""What `ParameterFitter` may be told: nuisances, bounds, checked before any work."""

from collections.abc import Mapping, Sequence
from typing import Any

import astropy.units as u
import numpy as np
from sklearn.utils import check_consistent_length

from spectragan.labels import target_labels
from spectragan.rules import VERBOSE, count, number, one_of
from spectragan.spectra.inputs import GRID

NUISANCES = ("velocity", "broadening", "continuum")
SHIFTS = NUISANCES[:2]  # fitted as parameters; the continuum is solved for
DEFAULT_BOUNDS = {"velocity": (-100.0, 100.0), "broadening": (0.0, 50.0)}  # km/s
# Where the emulator's labels had no units: what these words mean throughout the field, and between
# which values the largest label of a training set lies if it is in that unit.
UNITS = {"teff": (u.K, 200.0, 1e6), "vmicro": (u.km / u.s, 0.0, 100.0)}
SHIFT_UNITS = {"velocity": u.km / u.s, "broadening": u.km / u.s}
TABLE_COLUMNS = (
    "chi2",
    "dof",
    "n_iterations",
    "status",
    "at_bound",
    "degenerate",
    "outside_hull",
    "bad_chi2",
    "ambiguous",
    "binary",
)
RULES = {
    "verbose": VERBOSE,
    **dict.fromkeys(("n_starts", "max_steps", "chunk_size"), count()),
    "continuum_degree": count(0, remedy="3 is a good start"),
    "split": one_of("fit", "encode", text='"fit" or "encode"', remedy='"fit" propagates its error'),
    "err_inflation": one_of("auto", text='"auto"', remedy="1 leaves errors as they are") | number(),
}
KEPT = {
    **GRID,
    "emulator_": "SpectrumEmulator|ObservedEmulator",
    "_names": "words l",
    "_range": "array 2 l",
    "_one_dimensional": "flag",
    "err_inflation_": "array l",
    "translation_covariance_?": "array? l l",
    "_fitted_parameters": "parameters",
}
LEFT_OUT = ("_built", "_prepared")


def check_nuisances(nuisances: Any) -> tuple[str, ...]:
    """Return the nuisances as a tuple of known words.

    Parameters
    ----------
    nuisances : sequence of str

    Returns
    -------
    nuisances : tuple of str

    Raises
    ------
    TypeError
        If it is one word, or no sequence.
    ValueError
        If a word is unknown or comes twice.
    """
    choices = ", ".join(f'"{name}"' for name in NUISANCES)
    if isinstance(nuisances, str) or not isinstance(nuisances, Sequence):
        raise TypeError(
            f"`nuisances` must be a sequence of {choices}; got {nuisances!r}; put it into a tuple."
        )
    for name in nuisances:
        if name not in NUISANCES or list(nuisances).count(name) > 1:
            raise ValueError(
                f"`nuisances` must hold each of {choices} at most once, and nothing else; got "
                f"{tuple(nuisances)!r}; drop {name!r}."
            )
    return tuple(nuisances)


def check_label_names(names: Sequence[str], shifts: Sequence[str]) -> None:
    """Raise if a label has the name of something else in a table of fits.

    Parameters
    ----------
    names, shifts : sequence of str

    Raises
    ------
    ValueError
        If names collide.
    """
    taken = {*shifts, *TABLE_COLUMNS}
    taken |= {f"{name}_err" for name in (*names, *shifts)}
    for name in names:
        if name in taken or list(names).count(name) > 1:
            raise ValueError(
                f"a label must not be called {name!r}, as another column of `fit_table` is; got "
                f"{', '.join(names)}; rename it in the emulator's training labels."
            )


def parameter_bounds(
    bounds: Mapping[str, Any] | None,
    names: Sequence[str],
    label_range: np.ndarray,
    shifts: Sequence[str],
    units: Mapping[str, Any] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of labels and of what shifts or broadens spectra.

    Parameters
    ----------
    bounds : dict of str to (low, high), or None
        Where they differ from the default: the emulator's range, and `DEFAULT_BOUNDS`.
    names : sequence of str
        The labels.
    label_range : ndarray of shape (2, n_labels)
    shifts : sequence of str
        Nuisances that are parameters.
    units : dict of str to astropy unit, default=None
        Of the labels, where they are known.

    Returns
    -------
    low, high : ndarrays of shape (n_labels + n_shifts,)

    Raises
    ------
    ValueError
        If a name is unknown, or bounds aren't two finite numbers of which the first isn't larger.
    """
    given = check_keys(bounds, "bounds", (*names, *shifts))
    pairs = [*label_range.T, *(DEFAULT_BOUNDS[name] for name in shifts)]
    for i, name in enumerate((*names, *shifts)):
        if name in given:
            pairs[i] = _check_pair(given[name], name, units or {})
    low, high = np.array(pairs, dtype=float).T
    if "broadening" in shifts and low[len(names) + shifts.index("broadening")] < 0:
        raise ValueError(
            "`bounds` of broadening must be >= 0 km/s; got "
            f"{low[len(names) + shifts.index('broadening')]:g}; start at 0."
        )
    return low, high


def check_keys(
    given: Mapping[str, Any] | None, argument: str, names: Sequence[str]
) -> Mapping[str, Any]:
    """Return a dict by names of parameters, empty if there is none.

    Parameters
    ----------
    given : dict or None
    argument : str
        What to call it in a message.
    names : sequence of str

    Returns
    -------
    given : dict

    Raises
    ------
    TypeError
        If it is no dict.
    ValueError
        If a name is unknown.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise TypeError(
            f"`{argument}` must be a dict from names to pairs; got {given!r}; names are "
            f"{', '.join(names)}."
        )
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(
            f"`{argument}` must name parameters of the fit, {', '.join(names)}; got "
            f"{unknown[0]!r}; rename it, or add it to `nuisances`."
        )
    return given


def _check_pair(pair: Any, name: str, units: Mapping[str, Any]) -> tuple[float, float]:
    values = to_numbers(pair, name, "bounds", units)
    if values.shape != (2,) or not np.isfinite(values).all() or values[0] > values[1]:
        raise ValueError(
            f"`bounds` of {name!r} must be two finite numbers, the lower first; got {pair!r}; "
            "leave it out for the default."
        )
    return float(values[0]), float(values[1])


def to_numbers(pair: Any, name: str, argument: str, units: Mapping[str, Any]) -> np.ndarray:
    """Return a pair of numbers or Quantities in the unit of a parameter.

    Parameters
    ----------
    pair : sequence of 2 numbers or Quantities
    name, argument : str
        Of the parameter, and of what the pair was given as.
    units : dict of str to astropy unit
        Of the labels, where they are known.

    Returns
    -------
    values : ndarray

    Raises
    ------
    ValueError
        If they are no numbers, or of another unit.
    """
    unit = unit_of(name, units)
    try:
        return np.array([float(number_in(value, unit)) for value in pair], dtype=float)
    except (TypeError, ValueError, u.UnitConversionError) as error:
        raise ValueError(
            f"`{argument}` of {name!r} must be two numbers, in {unit.to_string() or 'no unit'} or "
            f"a unit that converts to it; got {pair!r}; convert them."
        ) from error


def unit_of(name: str, units: Mapping[str, Any]) -> Any:
    """Return the unit of a parameter: given, what its name stands for, or none.

    Parameters
    ----------
    name : str
    units : dict of str to astropy unit
    """
    known = {name: unit for name, (unit, _, _) in UNITS.items()} | SHIFT_UNITS | dict(units)
    return known.get(name, u.dimensionless_unscaled)


def number_in(value: Any, unit: Any) -> Any:
    """Return a number or Quantity, or arrays of these, as numbers of a unit.

    Parameters
    ----------
    value : float or Quantity
    unit : astropy unit
    """
    if not isinstance(value, u.Quantity):
        return value
    if unit == u.dimensionless_unscaled and value.unit == u.dex:
        return value.value
    return value.to_value(unit)


def read_labels(
    y: Any,
    n_spectra: int,
    names: tuple[str, ...] | None = None,
    units: dict[str, Any] | None = None,
) -> np.ndarray:
    """Return labels of spectra as an array.

    Parameters
    ----------
    y : array-like, DataFrame or Table of shape (n_spectra, n_labels), or (n_spectra,)
    n_spectra : int
    names : tuple of str, default=None
        Labels of the emulator, to select and order named columns; None takes all.
    units : dict of str to astropy unit, default=None
        What to convert columns with units to.

    Returns
    -------
    labels : ndarray of shape (n_spectra, n_labels)

    Raises
    ------
    ValueError
        If labels are missing, not finite, or not as many as spectra.

    Warns
    -----
    MissingLabelWarning
        If some are codes of a catalogue; these are NaN.
    """
    remedy = "call fit(spectra, labels), or give it a fitted emulator"
    labels = target_labels(y, "ParameterFitter", remedy, names, units)
    check_consistent_length(np.empty(n_spectra), labels)
    if names is not None and labels.shape[1] != len(names):
        raise ValueError(
            f"`y` must have the emulator's labels, {', '.join(names)}; got {labels.shape[1]} "
            "columns; select them in this order."
        )
    return labels


def is_same(part: Any, kept: Any) -> bool:
    """Tell whether two are one object; numbers and words, which pickling copies, if equal."""
    return part is kept or (isinstance(part, int | float | str) and part == kept)

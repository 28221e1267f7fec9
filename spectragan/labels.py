"""Labels with names: arrays, data frames and astropy tables to floats, and the hull around them."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils import check_array

from spectragan.exceptions import LabelExtrapolationWarning
from spectragan.label_checks import (
    as_columns,
    check_columns,
    check_complete,
    check_not_infinite,
    from_rows,
    hide_codes,
    is_mapping,
)
from spectragan.spectra.checks import check_numbers, check_two_axes, is_masked, nan_where_masked
from spectragan.spectra.convert import kind_of
from spectragan.spectra.lazy import LazySpectra

if TYPE_CHECKING:
    from astropy.table import QTable

# What estimators remember of the labels they were given, by the rules of files.
LABELS = {
    "label_names_": "words l",
    "label_range_": "array 2 l",
    "_label_units": "units",
    "_one_dimensional": "flag",
    "unit_": "unit",
}
ROUNDING = 1e-6  # of the range: labels that went through float32 aren't outside
MOST_LABELS = 100  # what has more columns, beside fewer of something else, are spectra


class LabelArray(np.ndarray):
    """An array of labels that knows their names and units: what data sets hold.

    It is a float array like any other. Rows, copies, and selected columns keep the names; results
    of arithmetic and new shapes are plain arrays, of which nobody can say what their columns are.

    Parameters
    ----------
    values : array-like of shape (n_stars, n_labels)
        One row per star; copied.
    names : sequence of n_labels str
        Different from each other.
    units : dict of str to astropy unit or str, default=None
        Of those labels that have one.

    Attributes
    ----------
    names : tuple of str or None
        None in an array of which the columns aren't known any more.
    units : dict of str to astropy unit

    Raises
    ------
    ValueError
        If there isn't one name for each column, or a unit is of another name.

    See Also
    --------
    spectragan.datasets.load_miles : Real stars with such labels.

    Examples
    --------
    >>> from spectragan.datasets import load_miles
    >>> labels = load_miles().labels
    >>> labels.shape, labels.names, str(labels.units["teff"])
    ((440, 3), ('teff', 'logg', 'feh'), 'K')
    >>> labels[:5, [2, 0]].names
    ('feh', 'teff')
    >>> labels.to_table()[:2].colnames
    ['teff', 'logg', 'feh']
    """

    names: tuple[str, ...] | None
    units: dict[str, u.UnitBase]

    def __new__(  # noqa: D102 - the class says it
        cls, values: Any, names: Sequence[str], units: Any = None
    ) -> "LabelArray":
        array = np.array(values, copy=True)
        if array.ndim == 1 and len(names) == 1:
            array = array[:, None]
        chosen = check_names(names)
        if array.ndim != 2 or array.shape[1] != len(chosen):
            raise ValueError(
                f"`names` must name every column of labels of shape (n_stars, n_labels); got "
                f"{len(chosen)} names and shape {array.shape}; give one name per column."
            )
        units = {} if units is None else {name: u.Unit(unit) for name, unit in units.items()}
        strange = sorted(set(units) - set(chosen))
        if strange:
            raise ValueError(
                f"`units` must be of the labels {', '.join(chosen)}; got {', '.join(strange)}; "
                "use the names of the labels."
            )
        return _named(array.view(cls), chosen, units)

    def __array_finalize__(self, obj: Any) -> None:
        # Views and new shapes come through here: whether columns are the same isn't known.
        self.names, self.units = None, {}

    def __array_wrap__(self, array: np.ndarray, *args: Any, **kwargs: Any) -> Any:
        if array is self:  # in place
            return self
        plain = np.asarray(array)
        return plain[()] if plain.ndim == 0 else plain

    def __getitem__(self, key: Any) -> Any:
        values = np.asarray(self)[key]
        if self.names is None or np.ndim(values) != 2:
            return values
        places = np.arange(len(self.names))[_column_key(key)]
        if places.shape != values.shape[1:]:
            return values
        names = tuple(self.names[place] for place in places)
        if len(set(names)) < len(names):
            return values
        units = {name: unit for name, unit in self.units.items() if name in names}
        return _named(values.view(LabelArray), names, units)

    def copy(self, order: Any = "C") -> "LabelArray":
        """Return a copy that keeps the names.

        Parameters
        ----------
        order : {"C", "F", "A", "K"}, default="C"
            As numpy's.

        Returns
        -------
        labels : LabelArray of shape (n_stars, n_labels)
            Owns its values.
        """
        return _named(super().copy(order), self.names, self.units)

    def astype(self, dtype: Any, *args: Any, **kwargs: Any) -> "LabelArray":
        """Return other precision, with the same names.

        Parameters
        ----------
        dtype : dtype
            Such as ``numpy.float32``.
        *args, **kwargs
            As numpy's.

        Returns
        -------
        labels : LabelArray of shape (n_stars, n_labels)
            In that precision.
        """
        return _named(super().astype(dtype, *args, **kwargs), self.names, self.units)

    def sort(self, *args: Any, **kwargs: Any) -> None:
        """Sort in place, as numpy does; a sorted row isn't that of a star, and loses its names.

        Parameters
        ----------
        *args, **kwargs
            As numpy's.
        """
        super().sort(*args, **kwargs)
        self.names, self.units = None, {}

    def to_table(self) -> "QTable":
        """Return a table with a column per label, in its unit.

        Returns
        -------
        table : QTable
            Labels in dex have no unit there.
        """
        from astropy.table import QTable  # tables take a while to import

        table = QTable(np.asarray(self), names=named_columns(self) or None)
        for name, unit in column_units(self).items():
            table[name] = table[name] * unit
        return table

    def __deepcopy__(self, memo: Any) -> "LabelArray":
        return self.copy("K")

    def __reduce__(self) -> Any:
        rebuild, arguments, state = super().__reduce__()[:3]  # type: ignore[misc,str-unpack]
        return rebuild, arguments, (state, self.names, self.units)

    def __setstate__(self, state: Any) -> None:
        values, self.names, self.units = state
        super().__setstate__(values)


def _named(array: Any, names: tuple[str, ...] | None, units: dict[str, Any]) -> LabelArray:
    array.names, array.units = names, dict(units)
    return array


def _column_key(key: Any) -> Any:
    """Return what an index of two axes selects of the columns."""
    if not isinstance(key, tuple) or len(key) < 2 or key[-1] is Ellipsis:
        return slice(None)
    return key[-1]


def check_names(names: Any) -> tuple[str, ...]:
    """Return names of labels, or raise one sentence.

    Parameters
    ----------
    names : sequence of str

    Returns
    -------
    names : tuple of str

    Raises
    ------
    ValueError
        If there is none, or two are alike, or one is no word.
    """
    if isinstance(names, str) or not hasattr(names, "__iter__"):
        chosen: tuple[Any, ...] = ()
    else:
        chosen = tuple(names)
    is_word = [isinstance(name, str) and bool(name) for name in chosen]
    if not chosen or not all(is_word) or len(set(chosen)) < len(chosen):
        raise ValueError(
            f"`label_names` must be a sequence of different names; got {names!r}; "
            "write for example ('teff', 'logg')."
        )
    return tuple(map(str, chosen))


def with_names(labels: Any, label_names: Sequence[str] | None) -> Any:
    """Return labels under given names.

    Parameters
    ----------
    labels : array-like of shape (n_stars, n_labels), DataFrame, Table or QTable
    label_names : sequence of str or None
        Names of the columns of arrays, and what to take of tables. None changes nothing.

    Returns
    -------
    labels : LabelArray, or what came in

    Raises
    ------
    ValueError
        If there isn't one name for each column, or a table lacks one.
    """
    if label_names is None or labels is None:
        return labels
    labels = from_rows(labels)
    names = check_names(label_names)
    if named_columns(labels) is None:
        return LabelArray(labels, names)
    units = {name: unit for name, unit in column_units(labels).items() if name in names}
    return LabelArray(label_array(labels, names, units), names, units)


def check_not_swapped(labels: Any, spectra: Any, call: str) -> None:
    """Raise one sentence where labels stand in the place of spectra, and spectra in theirs.

    Parameters
    ----------
    labels, spectra : object
        What is meant to be such.
    call : str
        The right order.

    Raises
    ------
    ValueError
        If they changed places.
    """
    if kind_of(labels) != "array" or isinstance(labels, LazySpectra):
        found = f"{type(labels).__name__} as labels"
    elif (isinstance(spectra, LabelArray) or hasattr(spectra, "colnames")) and named_columns(
        spectra
    ):
        found = f"columns {', '.join(named_columns(spectra) or ())} as spectra"
    elif _is_wider(labels, spectra):
        found = f"labels of shape {np.shape(labels)} and spectra of shape {np.shape(spectra)}"
    else:
        return
    raise ValueError(
        f"labels and spectra must be given in the order {call}; got {found}; swap the two."
    )


def _is_wider(labels: Any, spectra: Any) -> bool:
    """Tell whether labels are so many, and pixels so few, that it must be the other way round."""
    wide, narrow = (getattr(part, "shape", None) for part in (labels, spectra))
    if wide is None or narrow is None or len(wide) != 2:
        return False
    return wide[1] > MOST_LABELS >= (narrow[1] if len(narrow) == 2 else 1)


def named_columns(labels: Any) -> tuple[str, ...] | None:
    """Return the column names of a data frame, table or label array, or None of anything else.

    Parameters
    ----------
    labels : array-like, LabelArray, DataFrame, Table or QTable

    Returns
    -------
    names : tuple of str or None

    Examples
    --------
    >>> from astropy.table import Table
    >>> from spectragan.labels import named_columns
    >>> named_columns(Table({"teff": [5772.0], "logg": [4.44]}))
    ('teff', 'logg')
    """
    if isinstance(labels, LabelArray):
        return labels.names
    if hasattr(labels, "colnames"):
        return tuple(labels.colnames)
    if is_mapping(labels):
        return tuple(labels)
    fields = getattr(getattr(labels, "dtype", None), "names", None)
    columns = fields or getattr(labels, "columns", None)
    if columns is None or not all(isinstance(name, str) for name in columns):
        return None
    return tuple(columns)


def column_units(labels: Any) -> dict[str, Any]:
    """Return the units of those columns of an astropy table or label array that have one.

    Parameters
    ----------
    labels : array-like, LabelArray, DataFrame, Table or QTable

    Returns
    -------
    units : dict of str to astropy unit
        Without dex: astropy's is a logarithmic unit, whose arithmetic isn't that of a label.
    """
    if isinstance(labels, LabelArray):
        return {name: unit for name, unit in labels.units.items() if unit != u.dex}
    labels = as_columns(labels)
    names = getattr(labels, "colnames", ())
    return {name: labels[name].unit for name in names if labels[name].unit is not None}


def label_array(
    labels: Any,
    names: Sequence[str] | None = None,
    units: dict[str, Any] | None = None,
    *,
    input_name: str = "X",
    missing: bool = False,
) -> np.ndarray:
    """Return labels as a finite array of floats.

    Parameters
    ----------
    labels : array-like of shape (n_samples, n_labels), DataFrame, Table or QTable
        Arrays are taken in the order of `names`; named columns may come in any order and beside
        others.
    names : sequence of str, default=None
        The labels of the fit; None takes all columns.
    units : dict of str to astropy unit, default=None
        What to convert columns with units to.
    input_name : str, default="X"
        What to call `labels` in a message.
    missing : bool, default=False
        Whether labels may be NaN, or masked.

    Returns
    -------
    array : ndarray of shape (n_samples, n_labels)
        float32 stays float32, everything else becomes float64.

    Raises
    ------
    ValueError
        If a named label is missing or has a unit that doesn't convert, or a value isn't finite.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from spectragan.labels import label_array
    >>> label_array(Table({"logg": [4.44], "teff": [5772.0]}), names=("teff", "logg"))
    array([[5.772e+03, 4.440e+00]])
    """
    labels = from_rows(labels)
    columns, labels = named_columns(labels), as_columns(labels)
    _check_form(labels, columns, input_name)
    if columns is not None:
        wanted = columns if names is None else tuple(names)
        if isinstance(labels, LabelArray) and _are_placeholders(wanted):
            wanted = columns  # the fit knew no names: columns are taken in their order
        _check_present(wanted, columns, input_name)
        if names is None:
            table = labels.to_table() if isinstance(labels, LabelArray) else labels
            check_columns(table, columns, input_name)
        if isinstance(labels, LabelArray):
            labels = _convert_columns(labels[:, [columns.index(name) for name in wanted]], units)
        elif hasattr(labels, "colnames"):
            labels = _stack_columns(labels, wanted, units or {})
        else:
            labels = labels[list(wanted)]
    elif is_masked(labels):
        labels = nan_where_masked(labels)
    array = check_array(
        labels,
        dtype=[np.float64, np.float32],
        order="C",
        ensure_all_finite=False,
        input_name=input_name,
    )
    check_not_infinite(array, input_name)
    if not missing:
        check_complete(array, names or columns or number_labels(array), input_name)
    return array


def _check_form(labels: Any, columns: tuple[str, ...] | None, input_name: str) -> None:
    """Raise if labels are no matrix of numbers, or two columns have one name."""
    if columns is None:
        check_numbers(labels, input_name, "(n_samples, n_labels)")
        check_two_axes(labels, input_name, "(n_samples, n_labels)")
    elif len(set(columns)) < len(columns):
        twice = sorted({name for name in columns if columns.count(name) > 1})
        raise ValueError(
            f"`{input_name}` must have one column of a name; got more of {', '.join(twice)}; "
            "rename or drop them."
        )


def number_labels(labels: np.ndarray) -> tuple[str, ...]:
    """Return names for the columns of an array that has none.

    Parameters
    ----------
    labels : ndarray of shape (n_samples, n_labels)

    Returns
    -------
    names : tuple of str
    """
    return tuple(f"label_{i}" for i in range(labels.shape[1]))


def target_labels(
    y: Any,
    estimator: str,
    remedy: str,
    names: Sequence[str] | None = None,
    units: dict[str, Any] | None = None,
    *,
    missing: bool = False,
) -> np.ndarray:
    """Return the labels that an estimator of labels is to learn or to be compared with.

    Parameters
    ----------
    y : array-like of shape (n_spectra,) or (n_spectra, n_labels), DataFrame, Table or QTable
    estimator, remedy : str
        Who needs them, and what to do where there are none.
    names, units, missing : default=None, None, False
        As `label_array` takes them.

    Returns
    -------
    labels : ndarray of shape (n_spectra, n_labels), float64
        NaN where a catalogue has written a code for a label that it doesn't have.

    Raises
    ------
    ValueError
        If there are none, or `label_array` refuses them.

    Warns
    -----
    MissingLabelWarning
        If there are such codes.
    """
    if y is None:
        raise ValueError(
            f"{estimator} requires y to be passed, but the target y is None; {remedy}."
        )
    y = from_rows(y)
    if named_columns(y) is None:
        check_numbers(y, "y", "(n_spectra,) or (n_spectra, n_labels)")
    if named_columns(y) is None and np.asarray(y).ndim == 1:
        y = np.asarray(y).reshape(-1, 1)
    labels = label_array(y, names, units, input_name="y", missing=missing).astype(float)
    return hide_codes(labels, names or named_columns(y) or number_labels(labels), "y")


def score_labels(true: np.ndarray, found: np.ndarray, sample_weight: Any = None) -> float:
    """Return the mean R squared of labels, over the stars that have them.

    Parameters
    ----------
    true, found : ndarray of shape (n_spectra, n_labels)
        Stars without a true label, NaN, are left out.
    sample_weight : array-like of shape (n_spectra,), default=None

    Returns
    -------
    score : float
    """
    known = np.isfinite(true).all(axis=1)
    weight = None if sample_weight is None else np.asarray(sample_weight)[known]
    return float(r2_score(true[known], found[known], sample_weight=weight))


def warn_outside(labels: np.ndarray, label_range: np.ndarray, names: Sequence[str]) -> None:
    """Warn of labels outside the range of the fit: which, and how far.

    Parameters
    ----------
    labels : ndarray of shape (n_samples, n_labels)
    label_range : ndarray of shape (2, n_labels)
        Lowest and highest values of the fit.
    names : sequence of str

    Warns
    -----
    LabelExtrapolationWarning
        Names the label that is furthest outside, relative to its range.
    """
    low, high = label_range.astype(float)
    span = high - low
    excess = np.maximum(low - labels, labels - high)
    allowed = ROUNDING * np.maximum(span, np.abs(label_range).max(0))
    outside = excess > allowed
    if not outside.any():
        return
    relative = excess / np.where(span > 0, span, np.maximum(np.abs(high), 1.0))
    row, label = divmod(int(np.argmax(np.where(outside, relative, 0))), excess.shape[1])
    warnings.warn(
        f"`{names[label]}` must lie within the range of the fit, {low[label]:g} to "
        f"{high[label]:g}, for a spectrum to be trusted; got {labels[row, label]:g} at row {row}, "
        f"{excess[row, label]:.3g} outside ({outside.any(1).sum()} of {len(labels)} rows leave "
        "the range of some label); fit with stars that reach there.",
        LabelExtrapolationWarning,
        stacklevel=4,
    )


def _are_placeholders(names: Sequence[str]) -> bool:
    return all(name == f"label_{i}" for i, name in enumerate(names))


def _convert_columns(labels: LabelArray, units: dict[str, Any] | None) -> np.ndarray:
    """Return the values of labels in the units of the fit."""
    values, given = np.array(labels), column_units(labels)
    for i, name in enumerate(named_columns(labels) or ()):
        unit = (units or {}).get(name)
        if unit is not None and name in given and given[name] != unit:
            values[:, i] = _column_values(values[:, i] * given[name], name, unit)
    return values


def _check_present(wanted: Sequence[str], columns: Sequence[str], input_name: str) -> None:
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise ValueError(
            f"`{input_name}` must have the columns of the fit, {', '.join(wanted)}; got "
            f"{', '.join(columns)}, without {', '.join(missing)}; rename or add columns."
        )


def _stack_columns(table: Any, names: Sequence[str], units: dict[str, Any]) -> np.ndarray:
    """Return the columns `names` of an astropy table as an array (n_samples, n_labels)."""
    return np.column_stack([_column_values(table[name], name, units.get(name)) for name in names])


def _column_values(column: Any, name: str, unit: Any) -> np.ndarray:
    """Return a table's column in `unit`, with NaN where it is masked."""
    values = nan_where_masked(column)
    if unit is None or column.unit is None or column.unit == unit:
        return values
    if not column.unit.is_equivalent(unit):
        raise ValueError(
            f"`{name}` must have a unit that converts to {str(unit)!r}, as in the fit; "
            f"got {str(column.unit)!r}; convert the column."
        )
    return column.unit.to(unit, values)


N_DIRECTIONS = 1000
SLACK = 1e-6  # of the spread along a direction: rounding isn't outside


class LabelHull:
    """The convex hull of labels, judged along many directions.

    The exact hull of thousands of points has too many faces in five dimensions. Along a thousand
    directions few labels that lie outside are missed, and none inside is called outside.

    Parameters
    ----------
    labels : ndarray of shape (n_spectra, n_labels)
        Of the training.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan.labels import LabelHull
    >>> hull = LabelHull(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]))
    >>> hull.outside(np.array([[0.3, 0.3], [0.9, 0.9]]))
    array([False,  True])
    """

    def __init__(self, labels: np.ndarray) -> None:
        self.center, spread = labels.mean(0), labels.std(0)
        self.scale = np.where(spread > 0, spread, 1.0)
        axes = np.eye(labels.shape[1])
        random = np.random.default_rng(0).normal(size=(N_DIRECTIONS, labels.shape[1]))
        self.directions = np.vstack([axes, -axes, random])
        self.furthest = self._along(labels).max(0)

    def _along(self, labels: np.ndarray) -> np.ndarray:
        return (labels - self.center) / self.scale @ self.directions.T

    def outside(self, labels: np.ndarray) -> np.ndarray:
        """Tell which labels lie outside.

        Parameters
        ----------
        labels : ndarray of shape (n_spectra, n_labels)

        Returns
        -------
        outside : ndarray of bool of shape (n_spectra,)
            False for labels that aren't finite.
        """
        excess = self._along(labels) - self.furthest
        return (excess > SLACK * np.abs(self.furthest)).any(1)

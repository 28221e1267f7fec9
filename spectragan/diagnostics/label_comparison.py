"""How far fitted labels are from those of a catalogue, and whether their errors are honest."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import astropy.units as u
import numpy as np
from scipy.stats import median_abs_deviation

from spectragan.label_checks import as_columns, hide_codes, order_of, without_errors
from spectragan.labels import LabelArray, column_units, named_columns
from spectragan.spectra.checks import is_masked
from spectragan.spectra.convert import kind_of
from spectragan.spectra.inputs import draw_seed, make_rng
from spectragan.spectra.summary import SummaryMixin


def choose_names(fitted: Any, catalogue: Any, label_names: Sequence[str] | None) -> tuple:
    """Return the names of the labels to compare."""
    if label_names is None:
        known = named_columns(fitted) or named_columns(catalogue)
        return without_errors(known) if known else _number_columns(_as_float(fitted, "fitted"))
    names = tuple(label_names)
    if isinstance(label_names, str) or not names or len(set(names)) < len(names):
        raise ValueError(
            f"`label_names` must be a sequence of different names; got {label_names!r}; "
            "write for example ('teff', 'logg')."
        )
    return names


def in_order_of(fitted: Any, other: Any, values: np.ndarray) -> np.ndarray:
    """Return the values of another table in the order of the fitted one, if both name stars."""
    rows = order_of(fitted, other)
    return values if rows is None else values[rows]


def _number_columns(array: np.ndarray) -> tuple:
    """Return names for the columns of an array that has none."""
    return tuple(f"label {i}" for i in range(array.shape[1] if array.ndim == 2 else 1))


def read_labels(labels: Any, argument: str, names: tuple, units: dict[str, Any]) -> np.ndarray:
    """Return labels as floats of shape (n_stars, n_labels), NaN where masked or not finite."""
    columns = named_columns(labels)
    if isinstance(labels, u.Quantity):
        raise ValueError(
            f"`{argument}` must be a table where labels have units; got an array in "
            f"{str(labels.unit)!r}; make it a QTable with a column per label."
        )
    if isinstance(labels, LabelArray) and columns is not None:
        labels = labels.to_table()
    if columns is None:
        array = _as_float(labels, argument)
    else:
        missing = [name for name in names if name not in columns]
        if missing:
            raise ValueError(
                f"`{argument}` must have a column for every label, {', '.join(names)}; got "
                f"{', '.join(columns)}; rename its columns, or choose labels by `label_names`."
            )
        read = _read_column if hasattr(labels, "colnames") else _read_series
        array = np.column_stack([read(labels[name], name, argument, units) for name in names])
    if array.ndim != 2 or array.shape[1] != len(names):
        raise ValueError(
            f"`{argument}` must have the shape (n_stars, {len(names)}), one column for each of "
            f"{', '.join(names)}; got {array.shape}; select those columns in that order."
        )
    return hide_codes(np.where(np.isfinite(array), array, np.nan), names, argument)


def _read_series(column: Any, name: str, argument: str, units: dict[str, Any]) -> np.ndarray:
    """Return one column of a data frame, which knows no units."""
    return _as_float(column, argument)


def _read_column(column: Any, name: str, argument: str, units: dict[str, Any]) -> np.ndarray:
    """Return one column of an astropy table in the unit of its label."""
    unit = column.unit
    mask = column.mask if is_masked(column) else False
    bare = getattr(column, "unmasked", column)
    values = np.where(mask, np.nan, _as_float(getattr(bare, "value", bare), argument))
    if unit is None or name not in units:
        return values
    if not unit.is_equivalent(units[name]):
        raise ValueError(
            f"`{name}` of `{argument}` must have a unit that converts to {str(units[name])!r}; "
            f"got {str(unit)!r}; convert the column."
        )
    return unit.to(units[name], values)


def _as_float(values: Any, argument: str) -> np.ndarray:
    """Return an array of float64, or say that these are no numbers."""
    try:
        return np.ma.filled(np.ma.asanyarray(values).astype(float), np.nan)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"`{argument}` must hold numbers in rows of one length; got {error}; "
            "choose its labels by `label_names`."
        ) from error


N_BOOTSTRAP = 5000  # medians drawn: the ends of an interval then move by 1-2 % of its width
# Even the whole range of five values holds the median with 94 % probability only.
MIN_FOR_INTERVAL = 6
PER_STAR = ("fitted", "catalogue", "std")


@dataclass(frozen=True, repr=False, eq=False)
class LabelComparison(SummaryMixin):
    """Fitted labels against a catalogue, as `compare_labels` measured them.

    Attributes
    ----------
    label_names : tuple of str
        The labels, in the order of all arrays.
    units : tuple of str
        Units of the labels; empty where none was given.
    n_used : ndarray of shape (n_labels,)
        Stars with a fitted and a catalogue value.
    n_missing : ndarray of shape (n_labels,)
        Stars without one of the two, which are left out.
    bias : ndarray of shape (n_labels,), in the units of the labels
        Median of fitted minus catalogue value.
    bias_interval : ndarray of shape (n_labels, 2), in the units of the labels
        95 % bootstrap interval of `bias`; NaN with fewer than six stars.
    scatter : ndarray of shape (n_labels,), in the units of the labels
        1.4826 times the median absolute deviation from `bias`: the standard deviation of a
        Gaussian, not moved by outliers.
    rms : ndarray of shape (n_labels,), in the units of the labels
        Root mean square of the differences, with bias and outliers.
    coverage : ndarray of shape (n_labels,) or None
        Share of stars whose difference is at most their `std`: 0.68 where errors are honest.
        None without `std`.
    fitted, catalogue : ndarray of shape (n_stars, n_labels)
        What was compared; NaN where missing.
    std : ndarray of shape (n_stars, n_labels) or None
        The errors of `fitted`; NaN where missing.
    """

    label_names: tuple[str, ...]
    units: tuple[str, ...]
    n_used: np.ndarray
    n_missing: np.ndarray
    bias: np.ndarray
    bias_interval: np.ndarray
    scatter: np.ndarray
    rms: np.ndarray
    coverage: np.ndarray | None
    fitted: np.ndarray
    catalogue: np.ndarray
    std: np.ndarray | None

    def as_dict(self) -> dict[str, dict[str, Any]]:
        """Return the numbers of every label by its name.

        Returns
        -------
        numbers : dict of str to dict of str to int, float, str, tuple or None
            Every attribute but those with a value per star.
        """
        names = [f.name for f in fields(self) if f.name not in ("label_names", *PER_STAR)]
        return {
            label: {name: _plain(getattr(self, name), i) for name in names}
            for i, label in enumerate(self.label_names)
        }

    def summary(self) -> str:
        """Return the comparison as a small table.

        Returns
        -------
        table : str
            One line per label and one on what the columns are.
        """
        head = f"{'label':<14}{'used':>6}{'missing':>9}  {'bias [95 % interval]':<28}"
        lines = [f"{head}{'scatter':>9}{'rms':>9}{'within 1 std':>14}".rstrip()]
        for i, name in enumerate(self.label_names):
            unit = f" [{self.units[i]}]" if self.units[i] else ""
            places = decimals(self.scatter[i])
            coverage = "-" if self.coverage is None else f"{self.coverage[i]:.2f}"
            lines.append(
                f"{name + unit:<14}{self.n_used[i]:>6}{self.n_missing[i]:>9}  "
                f"{self.bias_text(i):<28}{self.scatter[i]:>9.{places}f}"
                f"{self.rms[i]:>9.{places}f}{coverage:>14}"
            )
        expected = "" if self.coverage is None else "; honest errors put 0.68 within 1 std"
        return "\n".join([*lines, f"fitted minus catalogue{expected}"])

    def bias_text(self, index: int) -> str:
        """Return a bias with its interval, rounded to what the interval allows.

        Parameters
        ----------
        index : int
            Which label.

        Returns
        -------
        text : str
            Such as ``"-12 [-20, -5]"``.
        """
        low, high = self.bias_interval[index]
        if not np.isfinite(low):
            return f"{self.bias[index]:z.{decimals(self.scatter[index])}f}"
        places = decimals((high - low) / 2, 1)
        return f"{self.bias[index]:z.{places}f} [{low:z.{places}f}, {high:z.{places}f}]"

    def __repr__(self) -> str:
        labels = ", ".join(
            f"{name}: bias {self.bias_text(i)}, "
            f"scatter {self.scatter[i]:.{decimals(self.scatter[i])}f}"
            for i, name in enumerate(self.label_names)
        )
        return f"LabelComparison({labels})"


def compare_labels(
    fitted: Any,
    catalogue: Any,
    *,
    std: Any = None,
    label_names: Sequence[str] | None = None,
    random_state: int | np.random.RandomState | np.random.Generator | None = None,
) -> LabelComparison:
    r"""Compare fitted labels with a catalogue: bias, scatter, and how honest the errors are.

    Parameters
    ----------
    fitted : array-like of shape (n_stars, n_labels), DataFrame, Table or QTable
        Labels of a fit; NaN where it failed.
    catalogue : array-like of shape (n_stars, n_labels), DataFrame, Table or QTable
        Labels of the same stars row by row; NaN or masked where not known. Data frames whose
        index holds the stars of `fitted` in another order are brought into its order.
    std : array-like of shape (n_stars, n_labels), DataFrame, Table or QTable, default=None
        Standard deviations of `fitted`, for the coverage of their 68 % intervals.
    label_names : sequence of str, default=None
        Names of the columns of arrays, and what to take of tables. None takes all columns of
        `fitted`, or of `catalogue` if only that one has names.
    random_state : int, RandomState, Generator or None, default=None
        Seeds the bootstrap.

    Returns
    -------
    comparison : LabelComparison
        Numbers per label, each from the stars that have that label in both.

    Raises
    ------
    TypeError
        If spectra are given in place of labels.
    ValueError
        If rows or columns don't fit together, a named label is missing, units do not convert, an
        error is negative, or no star has both values of any label.

    Warns
    -----
    MissingLabelWarning
        If codes such as -9999 stand where labels aren't known; they are left out.

    See Also
    --------
    spectragan.diagnostics.LabelComparisonDisplay : Draws the comparison.

    Notes
    -----
    Where tables give units, all values are converted to those of `fitted`.
    The coverage asks whether `std` explains the whole difference: errors of the catalogue are not
    in it and lower it, as does a bias. With n stars it has a standard error of
    :math:`\sqrt{0.68 \cdot 0.32 / n}`, 0.05 for 100 stars.

    References
    ----------
    .. [1] Efron, B. 1979, "Bootstrap methods: another look at the jackknife", Ann. Statist., 7, 1.

    Examples
    --------
    >>> import numpy as np
    >>> from spectragan import compare_labels
    >>> rng = np.random.default_rng(0)
    >>> catalogue = rng.uniform([4500, 1, -2], [6000, 4, 0], size=(200, 3))
    >>> fitted = catalogue + [30, 0, 0] + rng.normal(size=(200, 3)) * [50, 0.1, 0.05]
    >>> fitted[7] = np.nan
    >>> comparison = compare_labels(
    ...     fitted, catalogue, label_names=("teff", "logg", "feh"), random_state=0
    ... )
    >>> comparison.n_missing
    array([1, 1, 1])
    >>> low, high = comparison.bias_interval[0]
    >>> bool(low < 30 < high)
    True
    """
    for name, part in (("fitted", fitted), ("catalogue", catalogue), ("std", std)):
        if part is not None and kind_of(part) != "array":
            raise TypeError(
                f"`{name}` must hold labels, as an array or a table; got {type(part).__name__}, "
                "which holds spectra; give the labels that were fitted to them."
            )
    fitted, catalogue, std = (as_columns(labels) for labels in (fitted, catalogue, std))
    names = choose_names(fitted, catalogue, label_names)
    units = column_units(catalogue) | column_units(fitted)
    y = read_labels(fitted, "fitted", names, units)
    x = in_order_of(fitted, catalogue, read_labels(catalogue, "catalogue", names, units))
    sigma = None if std is None else read_labels(std, "std", names, units)
    sigma = None if sigma is None else in_order_of(fitted, std, sigma)
    _check_stars(y, x, sigma)
    used = np.isfinite(y - x)
    if not used.any():
        raise ValueError(
            f"`fitted` and `catalogue` must share a star with finite labels; got {len(y)} stars "
            "and none with both; check that rows and columns are the same in both."
        )
    seed = draw_seed(make_rng(random_state))
    numbers = [_measure((y - x)[use, i], seed) for i, use in enumerate(used.T)]
    return LabelComparison(
        label_names=names,
        units=tuple(str(units.get(name, "")) for name in names),
        n_used=used.sum(axis=0),
        n_missing=(~used).sum(axis=0),
        **{key: np.array([n[key] for n in numbers]) for key in numbers[0]},
        coverage=None if sigma is None else _coverage(y - x, sigma),
        fitted=y,
        catalogue=x,
        std=sigma,
    )


def decimals(size: float, n_digits: int = 2) -> int:
    """Return how many decimal places leave `n_digits` significant digits of `size`."""
    if not (np.isfinite(size) and size > 0):
        return n_digits
    return max(0, n_digits - 1 - int(np.floor(np.log10(size))))


def with_error(value: float, error: float) -> str:
    """Return ``value ± error``, rounded to two digits of the error."""
    if not np.isfinite(error):
        return f"{value:.4g}"
    places = decimals(error)
    return f"{value:z.{places}f} ± {error:z.{places}f}"


def _plain(values: Any, i: int) -> Any:
    """Return entry `i` of an attribute as a plain Python object."""
    if values is None or isinstance(values, tuple):
        return values and values[i]
    entry = values[i].tolist()
    return tuple(entry) if isinstance(entry, list) else entry


def _check_stars(y: np.ndarray, x: np.ndarray, sigma: np.ndarray | None) -> None:
    """Raise unless all arrays are of the same stars and errors are not negative."""
    for name, other in (("catalogue", x), ("std", sigma)):
        if other is not None and len(other) != len(y):
            raise ValueError(
                f"`{name}` must have the stars of `fitted` row by row, {len(y)}; got {len(other)}; "
                "select matching rows first."
            )
    if sigma is not None and (sigma < 0).any():
        raise ValueError(
            f"`std` must not be negative; got {np.nanmin(sigma):g}; "
            "give standard deviations, NaN where there is none."
        )


def _measure(difference: np.ndarray, seed: int) -> dict[str, Any]:
    """Return bias, its interval, scatter and rms of the differences of one label."""
    if not len(difference):
        return {"bias": np.nan, "bias_interval": (np.nan,) * 2, "scatter": np.nan, "rms": np.nan}
    return {
        "bias": float(np.median(difference)),
        "bias_interval": _median_interval(np.sort(difference), seed),
        "scatter": float(median_abs_deviation(difference, scale="normal")),
        "rms": float(np.sqrt(np.mean(difference**2))),
    }


def _median_interval(ordered: np.ndarray, seed: int) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the median of ascending values.

    The ranks in a resample are n times uniform numbers, and the middle one of n ordered uniform
    numbers is a beta variate: medians of resamples can be drawn without making the resamples.
    """
    n = len(ordered)
    if n < MIN_FOR_INTERVAL:
        return np.nan, np.nan
    rng = np.random.default_rng(seed)  # the same for every label: none depends on the others
    middle = (n + 1) // 2
    u = rng.beta(middle, n + 1 - middle, N_BOOTSTRAP)
    # In even n the median lies between two: the next is the least of n - middle numbers above u.
    above = u if n % 2 else u + (1 - u) * rng.beta(1, n - middle, N_BOOTSTRAP)
    ranks = [np.minimum((n * part).astype(int), n - 1) for part in (u, above)]
    medians = (ordered[ranks[0]] + ordered[ranks[1]]) / 2
    low, high = np.percentile(medians, [2.5, 97.5])
    return float(low), float(high)


def _coverage(difference: np.ndarray, sigma: np.ndarray) -> np.ndarray:
    """Return the share of stars within one standard deviation, NaN where there is none."""
    there = np.isfinite(difference) & np.isfinite(sigma)
    inside = there & (np.abs(difference) <= sigma)
    return np.where(there.any(0), inside.sum(0) / np.maximum(there.sum(0), 1), np.nan)

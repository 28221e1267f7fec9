"""What is wrong with a table of labels before anything is learned from it."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from spectragan.exceptions import MissingLabelWarning

ERROR_WORDS = ("{}_err", "{}_error", "{}_std", "{}_sigma", "{}_unc", "e_{}", "err_{}", "sigma_{}")
FEWEST_NINES = 2  # -99 is the shortest code for a value that isn't there
HUGE = 1e8  # no label is as large: 1e20, 1e30 and the ends of integers are codes, too
APART = 1.0  # of the range of the other values: a code is that far from all of them


def as_columns(labels: Any) -> Any:
    """Return record arrays and dicts of columns as a table, and anything else as it is.

    Parameters
    ----------
    labels : object

    Returns
    -------
    labels : object
        A dict of numbers is a table of one row.
    """
    if getattr(getattr(labels, "dtype", None), "names", None):
        from astropy.table import Table  # tables take a while to import

        return Table(labels)
    if is_mapping(labels):
        from astropy.table import QTable

        return QTable({name: np.atleast_1d(values) for name, values in labels.items()})
    return labels


def from_rows(labels: Any) -> Any:
    """Return a list with a dict for every star as a table, and anything else as it is.

    Parameters
    ----------
    labels : object

    Returns
    -------
    labels : object
    """
    if isinstance(labels, list | tuple) and labels and all(map(is_mapping, labels)):
        from astropy.table import QTable

        names = list(labels[0])
        return QTable({name: [row.get(name, np.nan) for row in labels] for name in names})
    return labels


def check_same_length(labels: Any, spectra: Any) -> None:
    """Raise unless labels and spectra are equally many.

    Parameters
    ----------
    labels, spectra : sized

    Raises
    ------
    ValueError
        Says how many there are.
    """
    if len(labels) != len(spectra):
        raise ValueError(
            "labels and spectra must be of the same stars, row by row: inconsistent numbers of "
            f"samples, got {len(labels)} and {len(spectra)}; drop what one of them lacks."
        )


def is_mapping(labels: Any) -> bool:
    """Tell whether labels are a dict of columns; a kind of sparse matrix is a dict, too."""
    return isinstance(labels, Mapping) and not hasattr(labels, "toarray")


def check_columns(labels: Any, columns: Sequence[str], input_name: str) -> None:
    """Raise if a column of a table that is taken whole is no label.

    Parameters
    ----------
    labels : DataFrame, Table or QTable
    columns : sequence of str
    input_name : str
        What to call `labels` in a message.

    Raises
    ------
    ValueError
        If a column holds words, or the errors of another.
    """
    for name in columns:
        kind = getattr(getattr(labels[name], "dtype", None), "kind", "f")
        # Numbers among objects are told from words by reading them.
        if kind in "USTO" and not _are_numbers(labels[name]):
            raise ValueError(
                f"`{input_name}` must hold a number in every column; got words in {name!r}; select "
                f"the columns of labels first: {_selection(columns, {name})}."
            )
    errors = set(columns) - set(without_errors(columns))
    if errors:
        raise ValueError(
            f"`{input_name}` must hold labels only; got their errors, too, in "
            f"{', '.join(sorted(errors))}; select the columns of labels first: "
            f"{_selection(columns, errors)}."
        )


def without_errors(columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that aren't the errors of another.

    Parameters
    ----------
    columns : sequence of str

    Returns
    -------
    columns : tuple of str
    """
    errors = {word.format(name) for name in columns for word in ERROR_WORDS}
    return tuple(name for name in columns if name not in errors)


def _are_numbers(column: Any) -> bool:
    try:
        np.asarray(column, dtype=float)
    except (TypeError, ValueError):
        return False
    return True


def _selection(columns: Sequence[str], without: set[str]) -> str:
    return f"table[{[name for name in columns if name not in without]}]"


def hide_codes(labels: np.ndarray, names: Sequence[str], input_name: str) -> np.ndarray:
    """Return labels with NaN where a catalogue writes a code for a value that it doesn't have.

    Parameters
    ----------
    labels : ndarray of shape (n_stars, n_labels)
    names : sequence of n_labels str
    input_name : str
        What to call `labels` in a message.

    Returns
    -------
    labels : ndarray of shape (n_stars, n_labels)

    Warns
    -----
    MissingLabelWarning
        If there is any.
    """
    found = np.column_stack([_is_code(column) for column in labels.T]) if labels.size else None
    if found is None or not found.any():
        return labels
    row, column = np.argwhere(found)[0]
    which = ", ".join(f"`{names[i]}`" for i in np.flatnonzero(found.any(axis=0)).tolist())
    warnings.warn(
        f"`{input_name}` must hold NaN, or no row, where a label isn't known; got codes as "
        f"{labels[row, column]:g} at row {row} in {which} ({found.any(axis=1).sum()} of "
        f"{len(labels)} rows), far from all other values; what isn't known is left out.",
        MissingLabelWarning,
        stacklevel=5,
    )
    return np.where(found, np.nan, labels)


def _is_code(values: np.ndarray) -> np.ndarray:
    """Tell which values (n_stars,) are nines or huge, and far from all that aren't."""
    suspects = np.abs(values) >= HUGE
    for value in np.unique(values[np.isfinite(values) & (np.abs(values) >= 10)]):
        digits = f"{abs(value):.6g}".replace(".", "")
        if set(digits) == {"9"} and len(digits) >= FEWEST_NINES:
            suspects |= values == value
    others = values[~suspects & np.isfinite(values)]
    if not len(others):
        return np.zeros(len(values), dtype=bool)
    low, high = others.min(), others.max()
    distance = np.maximum(low - values, values - high)
    return suspects & (distance > APART * max(high - low, np.abs(others).max() * 1e-3))


def check_complete(labels: np.ndarray, names: Sequence[str], input_name: str) -> None:
    """Raise if a label of a star is missing.

    Parameters
    ----------
    labels : ndarray of shape (n_stars, n_labels)
    names : sequence of n_labels str
    input_name : str
        What to call `labels` in a message.

    Raises
    ------
    ValueError
        Says of which star, and what to do.
    """
    missing = np.isnan(labels)
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise ValueError(
            f"Input {input_name} contains NaN: every star must have every label; got none for "
            f"{names[column]!r} at row {row} ({missing.any(axis=1).sum()} of {len(labels)} rows "
            "lack one); drop such rows of labels and spectra, or fill them."
        )


def check_not_infinite(labels: np.ndarray, input_name: str) -> None:
    """Raise if a label is infinite.

    Parameters
    ----------
    labels : ndarray of shape (n_stars, n_labels)
    input_name : str
        What to call `labels` in a message.

    Raises
    ------
    ValueError
        Says of which star.
    """
    infinite = np.isinf(labels)
    if infinite.any():
        row, column = np.argwhere(infinite)[0]
        raise ValueError(
            f"Input {input_name} contains infinity: labels must be finite; got "
            f"{labels[row, column]} at row {row}, column {column}; drop such rows of labels and "
            "spectra."
        )


def check_same_stars(first: Any, second: Any, names: tuple[str, str]) -> None:
    """Raise if two data frames hold the same stars in another order.

    Parameters
    ----------
    first, second : object
        Anything; only data frames know their stars.
    names : (str, str)
        What to call them in a message.

    Raises
    ------
    ValueError
        If their index proves it.
    """
    if order_of(first, second) is not None:
        raise ValueError(
            f"`{names[0]}` and `{names[1]}` must hold the same stars row by row; got data frames "
            f"with the same index in another order; give {names[1]}.loc[{names[0]}.index]."
        )


def order_of(first: Any, second: Any) -> np.ndarray | None:
    """Return the rows of a second data frame in the order of the first, by their index.

    Parameters
    ----------
    first, second : object

    Returns
    -------
    rows : ndarray of int or None
        None where both are in one order, or where an index says nothing: there is none, stars
        come twice, or they are others.
    """
    wanted, index = (getattr(frame, "index", None) for frame in (first, second))
    if wanted is None or index is None:
        return None
    if not all(hasattr(one, "get_indexer") and one.is_unique for one in (wanted, index)):
        return None
    if len(wanted) != len(index) or wanted.equals(index):
        return None
    rows = np.asarray(index.get_indexer(wanted))
    return None if (rows < 0).any() else rows

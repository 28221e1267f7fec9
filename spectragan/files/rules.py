"""What must hold for the attributes of an object that was read from a file.

A rule is a kind and sizes: ``"array k p"`` is an array of floats of two dimensions. A size is a
number, or a letter that stands for one number everywhere in an object and in its parts. A question
mark after the kind allows None. Kinds are the words below or names of classes, ``|`` between them.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spectragan.files.layout import refusal

Sizes = dict[str, int]
LARGEST_SIZE = 2**31
MOST_LAYERS = 64


class SizeBook:
    """Sizes of the objects made so far: parts of an object must agree with it."""

    def __init__(self) -> None:
        self._of: dict[int, tuple[Any, str, Sizes]] = {}

    def note(self, value: Any, name: str, sizes: Sizes) -> None:
        """Remember class and sizes of an object, and the object, so that its id stays its own."""
        self._of[id(value)] = value, name, sizes

    def find(self, value: Any) -> tuple[str, Sizes]:
        """Return class and sizes of an object; nothing of what no object is."""
        _, name, sizes = self._of.get(id(value), (None, "", {}))
        return name, sizes


def check_values(
    owner: str, values: Mapping[str, Any], rules: Mapping[str, str], book: SizeBook
) -> Sizes:
    """Raise unless named values are there and as the rules say; return the sizes found.

    Parameters
    ----------
    owner : str
        Class, for messages.
    values, rules : dict
        By name.
    book : SizeBook

    Returns
    -------
    sizes : dict of str to int

    Raises
    ------
    ModelFileError
        About the first that is missing, unknown or wrong.
    """
    needed = {name for name in rules if not name.endswith("?")}
    allowed = {name.removesuffix("?") for name in rules}
    if not needed <= set(values) <= allowed:
        wrong = sorted(needed - set(values)) or sorted(set(values) - allowed)
        raise refusal(
            f"{owner} must have the attributes of this version of spectragan",
            f"{wrong[0]} {'missing' if wrong[0] in needed else 'besides'}",
            "read it with the version that it was saved with.",
        )
    sizes: Sizes = {}
    for name, rule in rules.items():
        name = name.removesuffix("?")
        if name in values:
            _check(f"{owner}.{name}", values[name], rule, sizes, book)
    return sizes


def _check(name: str, value: Any, rule: str, sizes: Sizes, book: SizeBook) -> None:
    kind, *dimensions = rule.split()
    if value is None and kind.endswith("?"):
        return
    kind = kind.removesuffix("?")
    if kind.startswith("list:"):
        if not isinstance(value, list) or not value:
            raise _wrong(name, kind, value)
        for part in value:
            _check(name, part, " ".join([kind.removeprefix("list:"), *dimensions]), sizes, book)
        return
    if kind in KINDS:
        shape = KINDS[kind](value)
        if shape is None or len(shape) != len(dimensions):
            raise _wrong(name, kind, value)
        found = dict(zip(dimensions, shape, strict=True))
    else:
        part, own = book.find(value)
        if not part or (kind != "object" and part not in kind.split("|")):
            raise _wrong(name, kind, value)
        found = {letter: own[letter] for letter in dimensions if letter in own}
    for letter, size in found.items():
        expected = int(letter) if letter.isdigit() else sizes.setdefault(letter, size)
        if size > expected or (size < expected and kind != "slices"):
            raise refusal(f"{name} must have the size of the rest of the model, {expected}", size)


def _wrong(name: str, kind: str, value: Any) -> Exception:
    got = type(value).__name__
    return refusal(f"{name} must be of kind {kind.replace('|', ' or ')}", got)


def _array(*kinds: str) -> Callable[[Any], Any]:
    def shape(value: Any) -> Any:
        good = type(value) is np.ndarray and value.dtype.kind in kinds
        return value.shape if good else None

    return shape


def _axis(value: Any) -> Any:
    from astropy.units import Quantity

    if type(value) is not Quantity or value.dtype.kind != "f" or value.ndim != 1:
        return None
    return value.shape if np.isfinite(value.value).all() else None


def _unit(value: Any) -> Any:
    from astropy.units import UnitBase
    from astropy.units.function import FunctionUnitBase

    return () if isinstance(value, UnitBase | FunctionUnitBase) else None


def _units(value: Any) -> Any:
    good = isinstance(value, dict) and all(
        isinstance(name, str) and _unit(unit) is not None for name, unit in value.items()
    )
    return () if good else None


def _count(value: Any) -> Any:
    good = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return (int(value),) if good and 0 <= value <= LARGEST_SIZE else None


def _counts(value: Any) -> Any:
    """Return no size of each of some layers' widths: they belong to one class alone."""
    good = isinstance(value, tuple | list) and len(value) <= MOST_LAYERS
    return () if good and all(_count(size) and size > 0 for size in value) else None


def _names(value: Any) -> Any:
    good = type(value) is np.ndarray and value.dtype == object and value.ndim == 1
    return value.shape if good and all(type(name) is str for name in value) else None


def _words(value: Any) -> Any:
    good = isinstance(value, tuple) and all(type(word) is str for word in value)
    return (len(value),) if good else None


def _slices(value: Any) -> Any:
    """Return where the last of ascending slices ends; the pixels may go on."""
    if not isinstance(value, list) or not value or not all(type(s) is slice for s in value):
        return None
    ends = [end for part in value for end in (part.start, part.stop)]
    good = all(_count(end) for end in ends) and all(part.step is None for part in value)
    return (ends[-1],) if good and ends == sorted(ends) else None


def _sparse(value: Any) -> Any:
    from scipy.sparse import csr_array

    return value.shape if type(value) is csr_array and value.dtype.kind == "f" else None


def _shapes(value: Any) -> Any:
    good = isinstance(value, tuple) and all(
        isinstance(shape, tuple) and all(_count(n) for n in shape) for shape in value
    )
    return tuple(math.prod(shape) for shape in value) if good else None


def _history(value: Any) -> Any:
    good = isinstance(value, dict) and all(
        isinstance(name, str)
        and isinstance(epochs, list)
        and all(isinstance(number, int | float) for number in epochs)
        for name, epochs in value.items()
    )
    return () if good else None


def _epochs(value: Any) -> Any:
    good = isinstance(value, list) and all(
        isinstance(row, dict)
        and all(isinstance(k, str) and isinstance(v, int | float | None) for k, v in row.items())
        for row in value
    )
    return () if good else None


def _is(*types: type) -> Callable[[Any], Any]:
    return lambda value: () if isinstance(value, types) else None


# Each kind gives the sizes of a value, or None where it is of another kind.
KINDS: dict[str, Callable[[Any], Any]] = {
    "any": lambda value: (),
    "array": _array("f"),
    "axis": _axis,
    "count": _count,
    "epochs": _epochs,
    "flag": _is(bool, np.bool_),
    "flags": _array("b"),
    "history": _history,
    "names": _names,
    "number": _is(int, float, np.number),
    "parameters": _is(dict),
    "shapes": _shapes,
    "sizes": _counts,
    "slices": _slices,
    "sparse": _sparse,
    "unit": _unit,
    "whole": lambda value: None if _count(value) is None else (),
    "units": _units,
    "word": _is(str),
    "words": _words,
}

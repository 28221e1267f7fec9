"""Rules of parameters: each class has one table of them, and one engine writes the sentence."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from types import NoneType
from typing import Any, Literal

import numpy as np

LONGEST = 200  # characters of a value in a sentence
CLOSED = Literal["neither", "left", "right", "both"]


@dataclass(frozen=True)
class Rule:
    """What a parameter must be. ``a | b`` is the rule that either holds.

    Parameters
    ----------
    text : str
        The rule in words: a parameter "must be" this.
    holds : callable
        Tells whether it holds for a value of any kind; it never raises.
    remedy : str, default=""
        What to do, the end of the sentence; of two rules that of the first which has one.

    Examples
    --------
    >>> from spectragan.rules import NONE, check, count
    >>> check(None, "n_shared", count(1) | NONE)
    >>> check(0, "n_shared", count(1) | NONE)
    Traceback (most recent call last):
    ...
    ValueError: `n_shared` must be an integer >= 1 or None; got 0; give a larger whole number.
    """

    text: str
    holds: Callable[[Any], bool]
    remedy: str = ""

    def __or__(self, other: "Rule") -> "Rule":
        joined = ", " if " or " in other.text else " or "
        return Rule(
            self.text + joined + other.text,
            lambda value: self.holds(value) or other.holds(value),
            self.remedy or other.remedy,
        )


def check(value: Any, name: str, rule: Rule) -> Any:
    """Return a value that keeps its rule, numbers of numpy as Python's, or raise one sentence.

    Parameters
    ----------
    value : object
    name : str
        What to call it.
    rule : Rule

    Returns
    -------
    value : object

    Raises
    ------
    ValueError
        If the rule doesn't hold.
    """
    if not rule.holds(value):
        raise ValueError(f"`{name}` must be {rule.text}; got {_shown(value)}; {rule.remedy}.")
    return value.item() if isinstance(value, np.generic) else value


def _shown(value: Any) -> str:
    """Return what a value looks like, on one line and not too long."""
    words = " ".join(repr(value).split())
    return words if len(words) <= LONGEST else f"{words[: LONGEST - 3]}..."


def check_all(values: Mapping[str, Any], rules: "Rules") -> None:
    """Raise one sentence about the first of some values that breaks its rule.

    Parameters
    ----------
    values : mapping of str to object
        Among them one for every rule.
    rules : mapping of str to Rule

    Raises
    ------
    ValueError
        If a rule doesn't hold.
    """
    for name, rule in rules.items():
        check(values[name], name, rule)


def count(
    least: int = 1, most: int | None = None, *, remedy: str = "give a larger whole number"
) -> Rule:
    """Return the rule of an integer within limits; booleans are none."""
    text = f"an integer >= {least}" if most is None else f"an integer from {least} to {most}"
    high = math.inf if most is None else most
    return Rule(text, lambda value: is_integer(value) and least <= value <= high, remedy)


def counts(least: int = 1, *, fewest: int = 0, remedy: str) -> Rule:
    """Return the rule of a sequence of integers; `fewest` is its least length."""
    one = count(least)

    def holds(value: Any) -> bool:
        return _is_listed(value) and len(value) >= fewest and all(map(one.holds, value))

    return Rule(f"a sequence of integers >= {least}", holds, remedy)


def pair(one: Rule, text: str, *, ascending: bool = False, remedy: str = "") -> Rule:
    """Return the rule of two values that keep one rule each."""

    def holds(value: Any) -> bool:
        if not (_is_listed(value) and len(value) == 2 and all(map(one.holds, value))):
            return False
        return not ascending or value[0] <= value[1]

    return Rule(text, holds, remedy)


def _is_listed(value: Any) -> bool:
    return isinstance(value, Sequence) or (isinstance(value, np.ndarray) and value.ndim == 1)


def number(
    low: float = 0,
    high: float = math.inf,
    *,
    closed: CLOSED = "neither",
    remedy: str = "the default is a good start",
    text: str = "",
) -> Rule:
    """Return the rule of a real number between limits, of which those `closed` belong to it."""

    def holds(value: Any) -> bool:
        return is_real(value) and (
            low < value < high
            or (value == low and closed in ("left", "both"))
            or (value == high and closed in ("right", "both"))
        )

    return Rule(text or f"a {_spell_limits(low, high, closed)}", holds, remedy)


def _spell_limits(low: float, high: float, closed: CLOSED) -> str:
    least = f"{'>=' if closed in ('left', 'both') else '>'} {low:g}"
    if math.isinf(high):
        return f"finite number {least}"
    if closed in ("neither", "both"):
        first, last = ("between", "and") if closed == "neither" else ("from", "to")
        return f"number {first} {low:g} {last} {high:g}"
    return f"number {least} and {'<=' if closed == 'right' else '<'} {high:g}"


def deviations(remedy: str) -> Rule:
    """Return the rule of how far something may be off, in standard deviations; inf is allowed."""
    text = "a positive number of standard deviations"
    return number(0, closed="right", text=text, remedy=remedy)


def one_of(*choices: Any, remedy: str = "choose one of them", text: str = "") -> Rule:
    """Return the rule of one of some words, integers or None."""
    *others, last = map(repr, choices)
    spelled = f"{', '.join(others)} or {last}" if others else last

    def holds(value: Any) -> bool:
        plain = isinstance(value, str | Integral | NoneType) and not isinstance(value, bool)
        return plain and value in choices

    return Rule(text or spelled, holds, remedy)


def is_integer(value: Any) -> bool:
    """Tell whether a value is an integer, and no boolean."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def is_real(value: Any) -> bool:
    """Tell whether a value is a real number that isn't NaN, and no boolean."""
    return isinstance(value, Real) and not isinstance(value, bool) and bool(value == value)


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite real number, and no boolean."""
    return is_real(value) and abs(value) < math.inf


Rules = Mapping[str, Rule]  # of the parameters of a class, by their names
NONE = Rule("None", lambda value: value is None)
FLAG = Rule("True or False", lambda value: isinstance(value, bool | np.bool_), "use one of them")
VERBOSE = count(0, remedy="0 shows no progress bar") | Rule("a boolean", FLAG.holds)

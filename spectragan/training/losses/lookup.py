"""Find a loss by its name, or say which name was probably meant."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import TypeVar

Value = TypeVar("Value")


def look_up(registry: Mapping[str, Value], name: str, *, parameter: str) -> Value:
    """Return the entry of `registry` called `name`.

    Parameters
    ----------
    registry : mapping of str to object
        The known names.
    name : str
        The name asked for.
    parameter : str
        What the user calls the parameter that holds `name`; the error message names it.

    Returns
    -------
    entry : object
        ``registry[name]``.

    Raises
    ------
    ValueError
        If there is no such name.

    Examples
    --------
    >>> from spectragan.training.losses.lookup import look_up
    >>> look_up({"hinge": 1}, "hinge", parameter="adversarial")
    1
    """
    if isinstance(name, str) and name in registry:
        return registry[name]
    known = ", ".join(f"'{key}'" for key in sorted(registry))
    close = get_close_matches(str(name).lower(), registry, n=1)
    advice = f"did you mean '{close[0]}'?" if close else "take one of these names."
    raise ValueError(f"`{parameter}` must be one of {known}; got {name!r}; {advice}")

"""JSON of a stranger: no repeated keys, no NaN, no huge numbers, no deep nesting."""

import json
import re
from typing import Any

import numpy as np

from spectragan.exceptions import ModelFileError
from spectragan.persistence.refusal import refusal

DEEPEST = 60  # levels; models of this package have some 20
LONGEST_NUMBER = 40  # characters; the 128-bit state of a random generator has 39
STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"', flags=re.DOTALL)


def read_json(text: bytes) -> Any:
    """Return what JSON says, or raise one sentence.

    Parameters
    ----------
    text : bytes
        UTF-8.

    Returns
    -------
    value : object

    Raises
    ------
    ModelFileError
        If it isn't JSON, or breaks a rule above.

    Examples
    --------
    >>> from spectragan.persistence.strict_json import read_json
    >>> read_json(b'{"a": [1, 2.5, "x"]}')
    {'a': [1, 2.5, 'x']}
    """
    if _depth(text) > DEEPEST:
        raise refusal(f"the header must be nested at most {DEEPEST} deep", "more")
    try:
        return json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_short_integer,
            parse_float=_finite_float,
        )
    except ModelFileError:
        raise  # has its sentence already
    except (ValueError, RecursionError) as error:
        raise refusal("the header must be JSON", "something else") from error


def write_json(value: Any) -> str:
    """Return JSON without spaces, the same for the same value.

    Parameters
    ----------
    value : object

    Returns
    -------
    text : str

    Examples
    --------
    >>> from spectragan.persistence.strict_json import write_json
    >>> write_json({"a": [1, 2.5]})
    '{"a":[1,2.5]}'
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False)


def _depth(text: bytes) -> int:
    """Return how deep brackets are nested, in one pass without recursion."""
    code = np.frombuffer(STRINGS.sub(b"", text), dtype=np.uint8)
    step = np.isin(code, list(b"[{")).astype(np.int32) - np.isin(code, list(b"]}"))
    return int(np.cumsum(step).max(initial=0))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise refusal("the header must name everything once", "a key twice")
    return found


def _no_constant(name: str) -> float:
    raise refusal("the header must hold finite numbers", name)


def _short_integer(digits: str) -> int:
    if len(digits) > LONGEST_NUMBER:
        raise refusal("the header must hold short numbers", digits)
    return int(digits)


def _finite_float(text: str) -> float:
    value = float(text) if len(text) <= LONGEST_NUMBER else float("inf")
    if not np.isfinite(value):
        raise refusal("the header must hold finite numbers", text)
    return value

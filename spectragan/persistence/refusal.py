"""One sentence about a model file: the rule, what was found, what to do."""

from typing import Any

from spectragan.exceptions import ModelFileError

DAMAGED = "it was damaged or changed: copy it again, or save the model again."
LONGEST_WORD = 60  # characters of what a file says that a message repeats


def refusal(rule: str, got: Any, remedy: str = DAMAGED) -> ModelFileError:
    """Return the error to raise.

    Parameters
    ----------
    rule : str
        What must hold.
    got : object
        What was found; a file's own words are shortened, and escaped.
    remedy : str
        What to do.

    Returns
    -------
    error : ModelFileError

    Examples
    --------
    >>> from spectragan.persistence.refusal import refusal
    >>> print(refusal("the shape must fit", (1, 2), "save it again."))
    the shape must fit; got (1, 2); save it again.
    """
    return ModelFileError(f"{rule}; got {brief(got)}; {remedy}")


def brief(value: Any) -> str:
    """Return a short text in one line: strings as they are spelt, other values as repr."""
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("ascii", "backslashreplace").decode()
    text = text.replace("\n", " ").replace("\r", " ").replace("\0", " ")
    return text if len(text) <= LONGEST_WORD else f"{text[: LONGEST_WORD - 3]}..."

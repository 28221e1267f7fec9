"""Masks of files that nobody describes: which pixels they call bad, or a question."""

import numpy as np

from spectragan.exceptions import FileAssumptionWarning
from spectragan.spectra.formats.pixels import FileProblem, ReadOptions
from spectragan.spectra.formats.roles import Column, good_is_said

# More bad pixels than this are no spectrum, or a mask that marks the good ones; more than that are
# said.
MOST, MANY, FEW = 0.5, 0.25, 5


def bad_pixels(
    column: Column, name: str, usable: np.ndarray, options: ReadOptions
) -> np.ndarray | None:
    """Return which pixels a mask calls bad.

    Parameters
    ----------
    column : Column
        The mask; what isn't 0 is bad, unless its name or the caller says that it is good.
    name : str
        What to call it.
    usable : ndarray of bool of the shape of the flux
        Where there are flux other than 0, which is fill, and a positive error.
    options : ReadOptions
        What the caller says of masks.

    Returns
    -------
    ndarray of bool or None
        None if it says nothing of any pixel, or is to be ignored.

    Raises
    ------
    FileProblem
        If it holds no numbers, or would leave less than half of what is usable.
    """
    values = column.values
    if options.mask == "ignore":
        return None
    if values.dtype.kind not in "biuf":
        raise FileProblem(
            f"the column {name!r} must hold 0 (good) or another number (bad); got dtype "
            f"{values.dtype}; correct it or rename the column."
        )
    if values.dtype.kind == "f" and not np.isfinite(values).any():
        return None
    is_set = values != 0
    says_good = good_is_said(name, column) if options.mask is None else options.mask == "good"
    bad = (
        ~is_set | (np.isnan(values) if values.dtype.kind == "f" else False) if says_good else is_set
    )
    asked = options.mask is None and not says_good and bad.shape == usable.shape
    n_bad, n_usable = int((bad & usable).sum()) if asked else 0, int(usable.sum())
    if n_bad > MOST * n_usable:
        _ask(name, n_bad, n_usable)
    if n_bad > max(MANY * n_usable, FEW):
        options.note(
            FileAssumptionWarning,
            f"{n_bad} of {n_usable} pixels with flux are bad, since {name!r} isn't 0 there; pass "
            "mask='bad' to say so, or mask='good' if it marks good ones",
        )
    return np.asarray(bad)


def _ask(name: str, n_bad: int, n_usable: int) -> None:
    what = f"{n_bad} of {n_usable} pixels are bad" if n_bad < n_usable else "no pixel is usable"
    raise FileProblem(
        f"{what} if {name!r} marks bad pixels with what isn't 0; pass mask='good' if it marks "
        "good ones, mask='bad' if it is right, or mask='ignore'."
    )

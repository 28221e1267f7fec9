"""The arrays that travel inside the package, read once and handed out as copies."""

from functools import cache
from importlib.resources import files

import numpy as np

__all__ = ["load_arrays"]


@cache
def _read(name: str) -> dict[str, np.ndarray]:
    """Read one archive; what it returns never leaves this module."""
    with (
        files("spectragan.datasets").joinpath("data", f"{name}.npz").open("rb") as stream,
        np.load(stream, allow_pickle=False) as archive,
    ):
        return {key: archive[key] for key in archive.files}


def load_arrays(name: str) -> dict[str, np.ndarray]:
    """Return fresh copies of all arrays of one data file.

    Parameters
    ----------
    name : str
        File name in ``spectragan/datasets/data`` without ``.npz``.

    Returns
    -------
    arrays : dict of str to ndarray
        Copies: writing to them changes no later call.

    Examples
    --------
    >>> load_arrays("miles_fgk_440")["flux"].shape
    (440, 3111)
    """
    return {key: array.copy() for key, array in _read(name).items()}

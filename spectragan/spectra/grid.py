"""When two sets of spectra are on one wavelength grid."""

import numpy as np

from spectragan.exceptions import GridMismatchError
from spectragan.spectra.axis import same_axis
from spectragan.spectra.container import Spectra


def same_grid(a: Spectra, b: Spectra) -> bool:
    """Tell whether two sets of spectra share pixels, wavelengths and medium.

    Parameters
    ----------
    a, b : Spectra
        The sets to compare. A medium of None agrees with any.

    Returns
    -------
    bool
        True if flux of both can be compared pixel by pixel.
    """
    return grid_difference(a, b) is None


def check_same_grid(a: Spectra, b: Spectra, names: tuple[str, str] = ("a", "b")) -> None:
    """Raise unless two sets of spectra are on one grid.

    Parameters
    ----------
    a, b : Spectra
        The sets to compare.
    names : tuple of two str
        What to call them in the message.

    Raises
    ------
    GridMismatchError
        If pixels, wavelengths or medium differ.
    """
    difference = grid_difference(a, b)
    if difference is not None:
        raise GridMismatchError(
            f"`{names[0]}` and `{names[1]}` must be on one wavelength grid; got {difference}; "
            "resample one onto the grid of the other."
        )


def grid_difference(a: Spectra, b: Spectra) -> str | None:
    """Say in words how the grids of two sets differ, or return None."""
    if a.shape[1] != b.shape[1]:
        return f"{a.shape[1]} and {b.shape[1]} pixels"
    if (a.wavelength is None) != (b.wavelength is None):
        return "one of them without wavelengths"
    if a.medium and b.medium and a.medium != b.medium:
        return f"wavelengths in {a.medium} and in {b.medium}"
    if a.wavelength is None or same_axis(a.wavelength, b.wavelength):
        return None
    x, y = a.wavelength.value, np.asarray(b.wavelength)
    pixel = int(np.argmax(np.abs(x - y)))
    return f"{x[pixel]:.10g} and {y[pixel]:.10g} Angstrom at pixel {pixel}"

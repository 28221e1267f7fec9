"""Anything that holds spectra to `Spectra`, and back to what it was."""

import sys
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.spectra.checks import check_is_matrix
from spectragan.spectra.container import Spectra
from spectragan.spectra.joining import concatenate


def as_spectra(x: Any, wavelength: Any = None, ivar: Any = None, noise: Any = None) -> Spectra:
    """Return `Spectra` made of anything that holds spectra on one grid.

    Parameters
    ----------
    x : Spectra, specutils object, list of them, or array-like of shape (n_spectra, n_pixels)
        A specutils `Spectrum` (1-D or stacked), `SpectrumList`, `SpectrumCollection` or a list
        of 1-D spectra; or numbers, a Quantity, a masked array (True = bad) or a DataFrame.
    wavelength : Quantity of shape (n_pixels,), default=None
        For arrays only; None is a grid without wavelengths.
    ivar : array-like of shape (n_spectra, n_pixels), default=None
        Inverse variance, for arrays only.
    noise : str or sequence of str, default=None
        Noise words, for arrays only, see `Spectra`.

    Returns
    -------
    Spectra
        `x` itself if it is one already. specutils spectra without uncertainty have noise
        "unknown"; their masks (True = bad) become ivar 0 either way.

    Raises
    ------
    GridMismatchError
        If spectra in a list are on different grids.
    TypeError, ValueError
        If `x` holds no spectra, or breaks a rule of `Spectra`.

    See Also
    --------
    like_input : The way back.

    Examples
    --------
    >>> import astropy.units as u
    >>> from specutils import Spectrum
    >>> from spectragan import as_spectra
    >>> s = Spectrum(flux=[1, 2, 3] * u.Jy, spectral_axis=[3, 2, 1] * u.um)
    >>> as_spectra([s, s])
    Spectra(2 spectra, 3 pixels, 10000-30000 Angstrom, noise unknown, float64, Jy)
    """
    kind = kind_of(x)
    if kind == "array":
        check_is_matrix(x, "x")
        return Spectra(x, wavelength, ivar, noise)
    extras = {"wavelength": wavelength, "ivar": ivar, "noise": noise}
    given = [name for name, value in extras.items() if value is not None]
    if given:
        raise TypeError(
            f"`{given[0]}` must be None where `x` carries its own; got both with "
            f"{type(x).__name__}; pass arrays instead."
        )
    if kind == "spectra":
        return x
    if kind == "spectra list":
        return concatenate(x)
    from spectragan.spectra.specutils_input import from_specutils

    return from_specutils(x, kind)


def like_input(result: Spectra, x: Any) -> Any:
    """Return a result as the kind of object that came in.

    Parameters
    ----------
    result : Spectra
        What was made of `as_spectra(x)`.
    x : Spectra, specutils object, list of them, or array-like
        What came in.

    Returns
    -------
    Spectra, specutils object, list, Quantity or ndarray
        Objects of specutils have the class of uncertainty they came with; arrays are flux with
        NaN where ivar is 0.
    """
    kind = kind_of(x)
    if kind in ("spectra", "spectra list"):
        return result
    if kind == "array":
        flux = np.asarray(result)
        return flux * result.unit if isinstance(x, u.Quantity) else flux
    from spectragan.spectra.specutils_output import specutils_like

    return specutils_like(result, x, kind)


def kind_of(x: Any) -> str:
    """Name what `x` is: "spectra", "spectra list", "array", or a kind of specutils object."""
    if isinstance(x, Spectra):
        return "spectra"
    if isinstance(x, list | tuple) and len(x) and isinstance(x[0], Spectra):
        return "spectra list"
    return _specutils_kind(x) or "array"


def _specutils_kind(x: Any) -> str | None:
    """Name the kind of a specutils object; without specutils loaded there can't be one."""
    specutils = sys.modules.get("specutils")
    if specutils is None:
        return None
    if isinstance(x, specutils.Spectrum):
        return "spectrum"
    if isinstance(x, specutils.SpectrumCollection):
        return "collection"
    is_list = isinstance(x, list | tuple) and len(x) > 0
    return "list" if is_list and isinstance(x[0], specutils.Spectrum) else None

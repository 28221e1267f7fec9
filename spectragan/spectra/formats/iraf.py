"""Axes of IRAF's multispec format: dispersion functions in the cards WAT2_001, WAT2_002, ...

Described in "The IRAF/NOAO Spectral World Coordinate Systems" (Valdes 1993, ASP Conf. 52, 467) and
the help page `specwcs` of IRAF.
"""

import re
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.spectra.formats.axes import iraf_unit, needed, undo_log
from spectragan.spectra.formats.fits_file import number
from spectragan.spectra.formats.pixels import FileProblem, ReadOptions
from spectragan.spectra.formats.units import axis_unit

CARD = 68  # characters of a WAT card; the blanks at its end belong to the text
CHEBYSHEV, LEGENDRE, CUBIC_SPLINE, LINEAR_SPLINE = 1, 2, 3, 4
HEAD = 9  # numbers before the dispersion functions
BROKEN = "the cards WAT2_... of its header must describe the axis in full; got {!r}; {}."
REMEDY = "write it again with IRAF, or pass `wavelength`"


def is_multispec(header: Any) -> bool:
    """Tell whether the axis of an image is in IRAF's multispec cards."""
    said = (str(header.get(name, "")) for name in ("CTYPE1", "WAT0_001"))
    return any("multispe" in word.lower() for word in said) and "WAT2_001" in header


def multispec_axes(header: Any, n_pixels: int, options: ReadOptions) -> list[u.Quantity]:
    """Return the wavelengths of every aperture of an image, in the order of its rows."""
    text = "".join(str(header[name]).ljust(CARD) for name in sorted(_cards(header)))
    specs = re.findall(r'spec(\d+)\s*=\s*"([^"]*)"', text)
    if not specs:
        raise FileProblem(BROKEN.format(text.strip()[:40], REMEDY))
    unit, own = options.wavelength_unit or axis_unit(iraf_unit(header) or header.get("CUNIT1"))
    scale = number(header, "LTM1_1")
    place = np.arange(1, n_pixels + 1) - np.nan_to_num(number(header, "LTV1"))
    place = place / (1 if np.isnan(scale) or scale == 0 else scale)
    return [
        undo_log(_wavelengths(spec, place), own, needed(unit))
        for _, spec in sorted(specs, key=lambda item: int(item[0]))
    ]


def _cards(header: Any) -> list[str]:
    return [name for name in header if re.fullmatch(r"WAT2_\d+", name)]


def _wavelengths(spec: str, place: np.ndarray) -> np.ndarray:
    """Return the wavelengths of one aperture at places in pixels, which count from 1."""
    try:
        # Two numbers that run together, such as "1.5-3.", are written by old versions.
        values = [float(word) for word in re.sub(r"(?<=[\d.])-(?=\d)", " -", spec).split()]
        kind, first, step, redshift = (values[i] for i in (2, 3, 4, 6))
        if kind == 2:
            wave = _functions(values[HEAD:], place)
        elif kind in (0, 1):
            wave = first + step * (place - 1)
            wave = 10.0**wave if kind == 1 else wave
        else:
            raise FileProblem(
                "its axis must be calibrated in wavelength; got pixels (dispersion type "
                f"{kind:.0f}); calibrate it, or pass `wavelength`."
            )
    except (ValueError, IndexError, OverflowError) as error:
        raise FileProblem(BROKEN.format(spec[:40], REMEDY)) from error
    return wave / (1 + redshift)


def _functions(values: list[float], place: np.ndarray) -> np.ndarray:
    """Return the weighted sum of dispersion functions."""
    total = np.zeros(len(place))
    while values:
        weight, zero, kind = values[:3]
        wave, used = _function(int(kind), values[3:], place)
        total = total + weight * (zero + wave)
        values = values[3 + used :]
    return total


def _function(kind: int, values: list[float], place: np.ndarray) -> tuple[np.ndarray, int]:
    """Return one dispersion function, and how many numbers describe it."""
    if kind not in (CHEBYSHEV, LEGENDRE, CUBIC_SPLINE, LINEAR_SPLINE):
        raise FileProblem(
            "its dispersion function must be a Chebyshev or Legendre polynomial or a spline; got "
            f"type {kind}; linearise it with IRAF, or pass `wavelength`."
        )
    order, low, high = int(values[0]), values[1], values[2]
    n = order if kind in (CHEBYSHEV, LEGENDRE) else order + (3 if kind == CUBIC_SPLINE else 1)
    coefficients = np.array(values[3 : 3 + n])
    if order < 1 or len(coefficients) < n or high == low:
        raise ValueError("coefficients are missing")
    if kind in (CHEBYSHEV, LEGENDRE):
        series = np.polynomial.chebyshev.chebval if kind == CHEBYSHEV else _legendre
        return series((2 * place - (high + low)) / (high - low), coefficients), 3 + n
    return _spline(kind, (place - low) / (high - low) * order, order, coefficients), 3 + n


def _legendre(x: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    return np.polynomial.legendre.legval(x, coefficients)


def _spline(kind: int, x: np.ndarray, n_pieces: int, coefficients: np.ndarray) -> np.ndarray:
    """Return a spline of evenly spaced pieces; `x` counts them."""
    piece = np.clip(np.floor(x).astype(int), 0, n_pieces - 1)
    b = x - piece
    a = 1 - b
    if kind == LINEAR_SPLINE:
        basis = [a, b]
    else:
        basis = [a**3, 1 + 3 * a * (1 + a * b), 1 + 3 * b * (1 + a * b), b**3]
    return np.asarray(sum(coefficients[piece + i] * part for i, part in enumerate(basis)))

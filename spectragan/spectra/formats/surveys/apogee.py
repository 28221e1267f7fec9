"""APOGEE: apStar (combined and visits), aspcapStar (normalised) and apVisit (one visit).

The data models are at https://data.sdss.org/datamodel/files/APOGEE_REDUX/ and in SDSS-V the same.
Wavelengths are vacuum; those of apStar and aspcapStar at rest, of apVisit as observed.
"""

import math
from typing import Any

import astropy.units as u
import numpy as np

from spectragan.spectra.formats.fits_file import FitsFile, number, required_number, word
from spectragan.spectra.formats.pixels import (
    FLUX_1E17,
    FileProblem,
    Pixels,
    ReadOptions,
    has_bits,
    log_axis,
)

# APOGEE_PIXMASK (https://www.sdss4.org/dr17/irspec/apogee-bitmasks): what the survey's reduction
# calls bad (BADPIX, CRPIX, SATPIX, UNFIXABLE, BADDARK, BADFLAT, BADERR, NOSKY, NOT_ENOUGH_PSF),
# and SIG_SKYLINE, next to a strong sky line, which ASPCAP gives next to no weight.
BAD_BITS = (0, 1, 2, 3, 4, 5, 6, 7, 12, 14)
# The reduction writes this error, in the unit of flux, where a pixel holds nothing.
NO_ERROR = 1e10


def identify_apstar(file: FitsFile) -> bool:
    """Tell whether a FITS file is an apStar or asStar."""
    return "NVISITS" in file.header() and file.is_image(1) and "CRVAL1" in file.header(1)


def read_apstar(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return the combined spectrum of a star, and its visits if asked for."""
    flux, error, mask = (
        np.atleast_2d(file.image(key, what))
        for key, what in ((1, "flux"), (2, "errors"), (3, "mask"))
    )
    header = file.header()
    rows, visits = _apstar_rows(len(flux), header, options.visits)
    if len(rows) > 1:  # a visit that wasn't combined has an empty row
        seen = [i for i, row in enumerate(rows) if not visits[i] or flux[row].any()]
        rows, visits = [rows[i] for i in seen], [visits[i] for i in seen]
    if not flux.shape == error.shape == mask.shape:
        raise FileProblem(
            f"flux, errors and mask (HDU 1-3) must have one shape; got {flux.shape}, "
            f"{error.shape} and {mask.shape}; check the format of the file."
        )
    name = word(header, "OBJID", "OBJ", "APOGEE_ID") or options.stem
    return Pixels(
        flux[rows],
        _axis(file, flux.shape[1]),
        error=error[rows],
        bad=has_bits(mask[rows], BAD_BITS) | (error[rows] >= NO_ERROR),
        unit=FLUX_1E17,
        medium="vacuum",
        ids=[name] * len(rows),
        snr=[number(header, f"SNRVIS{v}" if v else "SNR") for v in visits],
        rv=[_velocity(header, v) for v in visits],
        visit=visits,
        at_rest=True,
        rest_velocity=[_at_telescope(header, v) for v in visits],
    )


def _apstar_rows(n_rows: int, header: Any, with_visits: bool) -> tuple[list[int], list[int]]:
    """Return which rows to read, and the number of the visit in each; 0 is the combination.

    Several visits are behind two combinations, of which the first (weighted pixel by pixel) is the
    survey's own choice; a single visit is its own combination.
    """
    if not with_visits or n_rows == 1:
        return [0], [0]
    n_visits = int(required_number(header, 0, "NVISITS"))
    if n_visits == 1:  # a second row is empty
        return [0], [0]
    if n_rows not in (n_visits + 1, n_visits + 2):
        raise FileProblem(
            f"the flux (HDU 1) must have a row per visit behind one or two combinations, "
            f"{n_visits + 2} for NVISITS={n_visits}; got {n_rows}; read it with visits=False."
        )
    return [0, *range(n_rows - n_visits, n_rows)], list(range(n_visits + 1))


def _velocity(header: Any, visit: int) -> float:
    """Return the heliocentric radial velocity in km/s; releases name it differently."""
    number_of = str(visit) if visit else ""
    return number(header, *(f"{name}{number_of}" for name in ("VHELIO", "VHBARY", "VRAD", "HRV")))


def _at_telescope(header: Any, visit: int) -> float:
    """Return the velocity in km/s that a spectrum was shifted to rest by, seen from the Earth.

    A combination of several visits has none of its own; the heliocentric one stands for them.
    """
    if not visit and number(header, "NVISITS") != 1:
        return _velocity(header, 0)
    i = visit or 1
    measured = number(header, f"VRAD{i}")
    corrected = _velocity(header, i) - number(header, f"BC{i}")
    return next((v for v in (measured, corrected) if not math.isnan(v)), _velocity(header, visit))


def _visit_velocity(header: Any) -> float:
    """Return the velocity in km/s on the axis of an apVisit, which is as observed.

    VHELIO is VRAD and the Earth's motion, BC, together: on this axis it is wrong by BC.
    """
    measured = number(header, "VRAD")
    return (
        number(header, "VHELIO", "VHBARY") - number(header, "BC")
        if math.isnan(measured)
        else measured
    )


def _axis(file: FitsFile, n_pixels: int) -> u.Quantity:
    header = file.header(1)
    first, step = (required_number(header, 1, name) for name in ("CRVAL1", "CDELT1"))
    return log_axis(first, step, n_pixels, float(header.get("CRPIX1", 1)))


def identify_aspcapstar(file: FitsFile) -> bool:
    """Tell whether a FITS file is an aspcapStar."""
    images = all(file.is_image(key, ndim=(1,)) for key in (1, 2, 3))
    tables = any(file.is_table(4, name) for name in ("aspcapflag", "fparam", "param"))
    return images and tables and "CRVAL1" in file.header(1)


def read_aspcapstar(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return the pseudo-continuum-normalised spectrum that stellar parameters were fitted to.

    The file has no mask: bad pixels and the gaps between detectors have errors of 0 or 1e10.
    """
    flux, error = file.image(1, "normalised flux"), file.image(2, "errors")
    name = file.column(4, "apogee_id")
    in_header = word(file.header(), "OBJID", "APOGEE_ID") or options.stem
    return Pixels(
        flux,
        _axis(file, flux.shape[-1]),
        error=error,
        bad=error >= NO_ERROR,
        medium="vacuum",
        ids=[in_header if name is None else str(name[0])],
        snr=file.numbers(4, "snr"),
        rv=file.numbers(4, "vhelio_avg"),
        at_rest=True,
    )


def identify_apvisit(file: FitsFile) -> bool:
    """Tell whether a FITS file is an apVisit or asVisit."""
    images = all(file.is_image(key, ndim=(2,)) for key in (1, 2, 3, 4))
    unit = str(file.header(4).get("BUNIT", "")).lower()
    return images and unit.startswith("wave") and "NVISITS" not in file.header()


def read_apvisit(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return one visit: the pixels of its three detectors, sorted by wavelength."""
    parts = {1: "flux", 2: "errors", 3: "mask", 4: "wavelengths"}
    images = [file.image(key, what) for key, what in parts.items()]
    if len({image.shape for image in images}) > 1:
        raise FileProblem(
            "flux, errors, mask and wavelengths (HDU 1-4) must have one shape; got "
            f"{', '.join(str(i.shape) for i in images)}; check the format of the file."
        )
    flux, error, mask, wavelength = (image.ravel() for image in images)
    order = np.argsort(wavelength, kind="stable")
    header = file.header()
    name = word(header, "OBJID", "OBJECT", "APOGEE_ID")
    return Pixels(
        flux[order],
        wavelength[order] * u.AA,
        error=error[order],
        bad=(has_bits(mask, BAD_BITS) | (error >= NO_ERROR))[order],
        unit=FLUX_1E17,
        medium="vacuum",
        ids=None if name is None else [name],
        snr=[number(header, "SNR")],
        rv=[_visit_velocity(header)],
    )

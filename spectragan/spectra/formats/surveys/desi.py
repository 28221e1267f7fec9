"""DESI coadd and spectra files: many targets, in the arms b, r and z of the spectrograph.

The data model is https://desidatamodel.readthedocs.io (coadd-SURVEY-PROGRAM-PIXNUM). Wavelengths
are vacuum, in the barycentric frame.
"""

import re

import astropy.units as u
import numpy as np

from spectragan.exceptions import FileAssumptionWarning
from spectragan.spectra.formats.fits_file import FitsFile, check_whole
from spectragan.spectra.formats.pixels import (
    FLUX_1E17,
    FileProblem,
    Pixels,
    ReadOptions,
    choose_arm,
)

# Tables with a target in each row; coadds of coadds have only the second.
FIBERMAPS = ("FIBERMAP", "COADD_FIBERMAP")


def identify_desi(file: FitsFile) -> bool:
    """Tell whether a FITS file is a DESI coadd or spectra file."""
    return any(file.hdu(f"{arm.upper()}_WAVELENGTH") is not None for arm in _arms(file))


def _arms(file: FitsFile) -> list[str]:
    """Return the arms whose flux is there: b, r, z, or brz where they are joined."""
    found = (re.fullmatch(r"([A-Z]+)_FLUX", hdu.name) for hdu in file.hdul)
    return [match[1].lower() for match in found if match]


def read_desi(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return all targets in one arm; any bit of the mask means bad (MASK != 0)."""
    arms = _arms(file)
    if not arms:
        raise FileProblem("it must have an HDU such as B_FLUX; got none; check its format.")
    arm = choose_arm(arms, options.arm).upper()
    flux, ivar = (
        file.image(f"{arm}_{name}", what) for name, what in (("FLUX", "flux"), ("IVAR", "ivar"))
    )
    mask = None  # desispec writes one only if there is one
    if file.hdu(f"{arm}_MASK") is None:
        check_whole(file)
        options.note(
            FileAssumptionWarning,
            f"it has no {arm}_MASK, and ivar alone says which pixels are bad; if it should have "
            "one, download it again",
        )
    else:
        mask = file.image(f"{arm}_MASK", "mask")
    wavelength = file.image(f"{arm}_WAVELENGTH", "wavelengths").astype(float) * u.AA
    found = (file.column(name, "targetid") for name in FIBERMAPS)
    targets = next((column for column in found if column is not None), None)
    if targets is None or len(targets) != len(np.atleast_2d(flux)):
        raise FileProblem(
            f"{' or '.join(FIBERMAPS)} must have a row for each of "
            f"{len(np.atleast_2d(flux))} spectra; got {0 if targets is None else len(targets)}; "
            "check the format of the file."
        )
    snr = (f"{name}_{arm.lower()}" for name in ("median_coadd_snr", "median_calib_snr"))
    return Pixels(
        flux,
        wavelength,
        ivar=ivar,
        bad=None if mask is None else mask != 0,
        unit=FLUX_1E17,
        medium="vacuum",
        ids=[str(target) for target in targets],
        snr=file.numbers("SCORES", *snr),
    )

"""LAMOST low-resolution spectra: DR1 to DR7 (an image of five rows) and DR8 on (a table).

The data models are http://dr5.lamost.org/v3/doc/data-production-description and
http://www.lamost.org/dr8/v1.0/doc/lr-data-production-description. Wavelengths are vacuum, in the
heliocentric frame; flux is relative.
"""

import astropy.units as u
import numpy as np

from spectragan.spectra.formats.fits_file import FitsFile, number, word
from spectragan.spectra.formats.pixels import FileProblem, Pixels, ReadOptions

# The rows of the image up to DR7, and the columns of the table since DR8.
COLUMNS = ("FLUX", "IVAR", "WAVELENGTH", "ANDMASK", "ORMASK")


def identify_lamost(file: FitsFile) -> bool:
    """Tell whether a FITS file is a LAMOST low-resolution spectrum."""
    return "LAMOST" in str(file.header().get("TELESCOP", "")).upper()


def _is_table(file: FitsFile) -> bool:
    return file.is_table(1, *(name.lower() for name in COLUMNS[:4]))


def read_lamost(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return one spectrum, with pixels masked that are bad in all exposures (the AND mask)."""
    if _is_table(file):
        data = file.table(1, "spectrum")
        rows = [np.asarray(data[name]).reshape(-1) for name in COLUMNS[:4]]
    else:
        image = file.image(0, "flux, ivar, wavelengths and masks (low resolution)")
        if image.shape[0] != len(COLUMNS) or image.ndim != 2:
            raise FileProblem(
                f"the image in HDU 0 must have {len(COLUMNS)} rows (flux, ivar, wavelength and two "
                f"masks); got shape {image.shape}; check the format of the file."
            )
        rows = list(image[:4])
    flux, ivar, wavelength, mask = rows
    header = file.header()
    return Pixels(
        flux,
        wavelength.astype(float) * u.AA,
        ivar=ivar,
        bad=mask != 0,
        medium="vacuum",
        ids=[word(header, "OBSID", "DESIG") or options.stem],
        snr=[number(header, "SNRG", "SNRR", "SNRI")],
        rv=[number(header, "HELIO_RV")],
    )

"""PypeIt: coadded spectra (OneSpec), as `pypeit_coadd_1dspec` writes them.

The data model is https://pypeit.readthedocs.io/en/stable/coadd1d.html: a table with wave, flux,
ivar and a mask in which 1 is good. Wavelengths are vacuum; flux is in 1e-17 erg/s/cm2/A if it was
calibrated, else in counts.
"""

import astropy.units as u
import numpy as np

from spectragan.spectra.formats.fits_file import FitsFile, word
from spectragan.spectra.formats.media import header_flag
from spectragan.spectra.formats.pixels import FLUX_1E17, Pixels, ReadOptions

COLUMNS = ("wave", "flux", "ivar", "mask")


def identify_onespec(file: FitsFile) -> bool:
    """Tell whether a FITS file is a OneSpec."""
    said = (file.header(0).get("PYP_CLS"), file.header(1).get("DMODCLS"))
    return "OneSpec" in said and file.is_table(1, *COLUMNS)


def read_onespec(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return one spectrum; here what is 0 in the mask is bad."""
    data = file.table(1, "spectrum", *COLUMNS)
    wave, flux, ivar, mask = (np.asarray(data[name]).reshape(-1) for name in COLUMNS)
    covered = wave > 0  # pixels that nothing was seen in have none
    is_flux = header_flag(file.header(1), "FLUXED")
    return Pixels(
        flux[covered],
        wave[covered].astype(float) * u.AA,
        ivar=ivar[covered],
        bad=mask[covered] == 0,
        unit=u.dimensionless_unscaled if is_flux is None else FLUX_1E17 if is_flux else u.count,
        medium="vacuum",
        ids=[word(file.header(), "TARGET", "OBJECT") or options.stem],
    )

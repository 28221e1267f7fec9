"""GALAH (HERMES) spectra as Data Central delivers them: one file per star and camera.

Described at https://docs.datacentral.org.au/galah/dr3/galah-dr3-spectra/. Wavelengths are air. The
errors in HDU 1 are relative, which specutils 2.4 reads as if they were counts.
"""

import astropy.units as u
import numpy as np

from spectragan.spectra.formats.fits_file import FitsFile, number, required_number, word
from spectragan.spectra.formats.pixels import Pixels, ReadOptions


def identify_galah(file: FitsFile) -> bool:
    """Tell whether a FITS file is a GALAH spectrum."""
    return "GALAH" in str(file.header().get("ORIGIN", "")).upper()


def read_galah(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return the sky-subtracted spectrum in counts, not normalised."""
    flux = file.image(0, "flux")
    relative = file.image(1, "relative errors")
    header = file.header()
    first, step = (required_number(header, 0, name) for name in ("CRVAL1", "CDELT1"))
    pixel = np.arange(flux.shape[-1]) + 1 - float(header.get("CRPIX1", 1))
    same = relative.shape == flux.shape  # a wrong shape is reported where all shapes are
    return Pixels(
        flux,
        (first + step * pixel) * u.AA,
        error=relative * np.abs(flux) if same else relative,
        unit=u.count,
        medium="air",
        ids=[word(header, "SOBJECT_ID", "SOBJ_ID") or options.stem],
        snr=[number(header, "SNR")],
        rv=[number(header, "RVCOM", "RV")],
    )

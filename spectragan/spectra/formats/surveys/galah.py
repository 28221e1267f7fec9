"""GALAH (HERMES) spectra as Data Central delivers them: one file per star and camera.

Described at https://docs.datacentral.org.au/galah/dr3/galah-dr3-spectra/. Wavelengths are air. The
errors in HDU 1 are relative, which specutils 2.4 reads as if they were counts.
"""

import astropy.units as u
import numpy as np

from spectragan.spectra.formats.axes import axis_step
from spectragan.spectra.formats.fits_file import FitsFile, number, required_number, word
from spectragan.spectra.formats.pixels import FileProblem, Pixels, ReadOptions

# Names of the HDU of relative errors: of the releases, and of pipeline 6, where it is HDU 2.
RELATIVE_ERRORS = ("relative_error", "input_sigma", "sigma", "relative_errors")


def identify_galah(file: FitsFile) -> bool:
    """Tell whether a FITS file is a GALAH spectrum."""
    header = file.header()
    is_hermes = "HERMES" in str(header.get("INSTRUME", "")).upper()
    named = "GALAH" in str(header.get("ORIGIN", "")).upper()
    return named or (is_hermes and file.hdu("relative_error") is not None)


def _relative_errors(file: FitsFile) -> np.ndarray:
    """Return the relative errors, of the HDU that is named so; HDU 1 only if it has no name."""
    key = next((name for name in RELATIVE_ERRORS if file.hdu(name) is not None), None)
    if key is not None:
        return file.image(key, "relative errors")
    errors = file.image(1, "relative errors")
    if word(file.header(1), "EXTNAME"):
        raise FileProblem(
            f"an HDU must be named for relative errors, such as {RELATIVE_ERRORS[0]!r}; got "
            f"{word(file.header(1), 'EXTNAME')!r} in HDU 1; pass format='FITS', or build Spectra."
        )
    return errors


def read_galah(file: FitsFile, options: ReadOptions) -> Pixels:
    """Return the sky-subtracted spectrum in counts, not normalised."""
    flux = file.image(0, "flux")
    relative = _relative_errors(file)
    header = file.header()
    first, step = required_number(header, 0, "CRVAL1"), axis_step(header, 0)
    reference = required_number(header, 0, "CRPIX1") if "CRPIX1" in header else 1.0
    pixel = np.arange(flux.shape[-1]) + 1 - reference
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

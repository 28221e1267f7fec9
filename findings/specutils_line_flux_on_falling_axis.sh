#!/usr/bin/env bash
# specutils 2.4.0: `line_flux` where wavelength falls, or where the axis is a frequency, with one pixel masked.
#
# Guess:  the same flux as on the rising axis; without a mask it is the same.
# Seen:   0. One masked pixel anywhere brings the flux of the whole spectrum to nothing, without a warning.
# Means:  spectra in Hz or 1/cm, made of rising wavelengths, have falling axes. Sort them first, or drop masked pixels.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile specutils==2.4.0 astropy==8.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import astropy.units as u
import numpy as np
from astropy.nddata import StdDevUncertainty
from specutils import Spectrum
from specutils.analysis import line_flux

print("version: specutils", version("specutils"))
print("guess:   the same on all axes")
rising = np.arange(5000.0, 5010) * u.AA
axes = {"rising": rising, "falling": rising[::-1], "in THz": rising.to(u.THz, u.spectral())}
one = np.arange(10) == 5


def flux(axis, mask):
    error = StdDevUncertainty(np.full(10, 0.1) * u.Jy)
    return line_flux(Spectrum(np.full(10, 3.0) * u.Jy, axis, uncertainty=error, mask=mask))


for name, axis in axes.items():
    print(f"seen:    {name}: {flux(axis, None):.4g} without a mask, {flux(axis, one):.4g} with one masked pixel")
assert u.isclose(flux(axes["rising"], one), 30 * u.AA * u.Jy)
assert u.isclose(flux(axes["falling"], None), 30 * u.AA * u.Jy)
assert flux(axes["in THz"], None) > 0.5 * u.THz * u.Jy
assert flux(axes["falling"], one).value == 0
assert flux(axes["in THz"], one).value == 0
PYTHON

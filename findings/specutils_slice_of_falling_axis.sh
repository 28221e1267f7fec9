#!/usr/bin/env bash
# specutils 2.4.0: `spectrum[a:b]` with wavelengths, where wavelength falls.
#
# Guess:  the pixels from a up to b, b left out, as on a rising axis; or none.
# Seen:   the slice is one pixel off: it starts with a pixel outside a...b and leaves out the pixel at a.
#         `extract_region` takes the pixel at b, but on a falling axis it loses the one at a.
# Means:  a slice in frequency and the same slice in wavelength hold other pixels.
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
from specutils import SpectralRegion, Spectrum
from specutils.manipulation import extract_region

print("version: specutils", version("specutils"))
print("guess:   5002 to 5004 (5005 is left out) on both axes")
rising = np.arange(5000.0, 5010) * u.AA
a, b = 5002 * u.AA, 5005 * u.AA
seen = {}
for name, axis in (("rising", rising), ("falling", rising[::-1])):
    spectrum = Spectrum(np.ones(10) * u.Jy, axis)
    cut, region = spectrum[a:b], extract_region(spectrum, SpectralRegion(a, b))
    seen[name] = [s.spectral_axis.value.tolist() for s in (cut, region)]
    print(f"seen:    {name}: slice {seen[name][0]}, extract_region {seen[name][1]}")
assert seen["rising"] == [[5002, 5003, 5004], [5002, 5003, 5004, 5005]]
assert seen["falling"] == [[5006, 5005, 5004, 5003], [5005, 5004, 5003]]
PYTHON

#!/usr/bin/env bash
# specutils 2.4.0: a spectrum with a NaN, made with `mask=None` and made without saying anything of masks.
#
# Guess:  the same: None is the default, and a mask is made of the NaN when none is given.
# Seen:   without the word a mask is made of the NaN; with `mask=None` there is none; with a mask of one's own the NaN is
#         not added to it. Code that hands its own optional mask on (`mask=mask`) loses the NaN that way.
# Means:  the same spectrum has one bad pixel or none, by how it was made. Look for NaN yourself.
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
from specutils import Spectrum

print("version: specutils", version("specutils"))
print("guess:   the NaN is masked in the first two")
axis = np.arange(5000.0, 5005) * u.AA
flux = np.array([1, np.nan, 1, 1, 1]) * u.Jy
seen = {
    "nothing said": Spectrum(flux, axis).mask,
    "mask=None": Spectrum(flux, axis, mask=None).mask,
    "a mask of zeros": Spectrum(flux, axis, mask=np.zeros(5, bool)).mask,
}
for name, mask in seen.items():
    print(f"seen:    {name}: mask {mask}")
assert seen["nothing said"].tolist() == [False, True, False, False, False]
assert seen["mask=None"] is None
assert not seen["a mask of zeros"].any()
PYTHON

#!/usr/bin/env bash
# muler 0.5.6: the errors of a spectrum that `flatten` divides by its own smooth trend.
#
# Guess:  flux and errors are divided by the same trend: the signal-to-noise ratio stays. `normalize` does that.
# Seen:   the trend carries the errors of the spectrum, too, and they are added: errors are the square root of 2 too
#         large, as if every pixel of the trend had been measured anew.
#         `smooth_spectrum` and `instrumental_broaden` leave errors as they are.
# Means:  chi-square of a flattened spectrum is half of what it should be.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile muler==0.5.6 specutils==2.4.0 astropy==8.0.2 numpy==2.4.6 astroquery tynt h5py
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import astropy.units as u
import numpy as np
from astropy.nddata import StdDevUncertainty
from muler.echelle import EchelleSpectrum

print("version: muler", version("muler"), "specutils", version("specutils"))
print("guess:   a signal-to-noise ratio of 100 stays 100")
w = np.linspace(10000, 10100, 2001) * u.AA
flux = (3 + 0.01 * (w.value - 10050)) * u.ct


def spectrum():
    meta = {"x_values": np.arange(2001), "header": {}, "m": 1}
    return EchelleSpectrum(spectral_axis=w, flux=flux, uncertainty=StdDevUncertainty(0.01 * flux), meta=meta)


def snr(s):
    return float(np.median(s.flux.value / s.uncertainty.array))


seen = {
    "as it was": snr(spectrum()),
    "normalize": snr(spectrum().normalize()),
    "flatten": snr(spectrum().flatten()),
    "instrumental_broaden": snr(spectrum().instrumental_broaden(5000)),
}
for name, value in seen.items():
    print(f"seen:    {name}: S/N {value:.1f}")
assert abs(seen["normalize"] - 100) < 0.1
assert abs(seen["flatten"] - 100 / np.sqrt(2)) < 0.5
assert abs(seen["instrumental_broaden"] - 100) < 1
PYTHON

#!/usr/bin/env bash
# pyspeckit 1.0.4 and PyAstronomy 0.25.0: rows of the page on smoothing, arithmetic, and air.
#
# Guess:  pyspeckit's smoothing keeps the pixels and makes errors smaller by the square root of their number; a spectrum
#         times two has errors times two; `vactoair2` reaches to the end of the H band.
# Seen:   none of that; see below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile pyspeckit==1.0.4 PyAstronomy==0.25.0 astropy==8.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import warnings
from importlib.metadata import version

import astropy.units as u
import numpy as np

warnings.simplefilter("ignore")
import pyspeckit
from PyAstronomy import pyasl

print("version:", *(f"{p} {version(p)}" for p in ("pyspeckit", "PyAstronomy")))
w = np.linspace(5000, 5010, 401)


def spectrum():
    return pyspeckit.Spectrum(xarr=w * u.AA, data=np.ones(401), error=np.full(401, 0.01))


print("-- pyspeckit")
smooth = spectrum()
smooth.smooth(4)
print("seen:    401 pixels, smoothed by 4:", len(smooth.data), "flux", smooth.data[[0, 50]], "errors", smooth.error[[0, 50]])
assert len(smooth.data) == 101 and smooth.data[0] < 0.6
assert smooth.error[0] < 0.006 and np.isclose(smooth.error[50], 0.01)
one, twice = spectrum(), spectrum() * 2
print("seen:    times 2: flux", twice.data[0], "error", twice.error[0])
assert twice.data[0] == 2 and np.isclose(twice.error[0], 0.01)

print("-- PyAstronomy")
try:
    pyasl.vactoair2(np.array([15168.0, 16937.0]))
except Exception as error:
    print("seen:    15168-16937 Angstrom:", " ".join(str(error).split())[-130:-70])
else:
    raise AssertionError("vactoair2 takes the whole H band now")
kept = pyasl.vactoair2(np.array([15168.0, 16899.0]))
print("seen:    15168-16899 Angstrom:", kept)
assert np.all((kept > 15160) & (kept < 16895))
PYTHON

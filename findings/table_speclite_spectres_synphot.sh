#!/usr/bin/env bash
# speclite 1.0.0, spectres 2.2.2 and synphot 1.8.0: rows of the page on resampling.
#
# Guess:  a pixel with inverse variance 0 has no say in speclite's resampling; spectres' errors are smooth and a falling
#         axis is refused; synphot is 0 outside a spectrum.
# Seen:   none of that; see below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile speclite==1.0.0 spectres==2.2.2 synphot==1.8.0 astropy==8.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import warnings
from importlib.metadata import version

import numpy as np

warnings.simplefilter("ignore")
from speclite.downsample import downsample
from speclite.resample import resample
from spectres import spectres
from synphot import SourceSpectrum, units
from synphot.models import Empirical1D

print("version:", *(f"{p} {version(p)}" for p in ("speclite", "spectres", "synphot")))
w = np.arange(5000.0, 5010)

print("-- speclite")
data = np.zeros(10, dtype=[("wavelength", float), ("flux", float), ("ivar", float)])
data["wavelength"], data["flux"], data["ivar"] = w, 1, 100
data["flux"][4], data["ivar"][4] = 1000, 0
moved = resample(data, x_in="wavelength", x_out=w[:-1] + 0.5, y=("flux", "ivar"))
print("seen:    beside a pixel of 1000 with ivar 0: flux", moved["flux"][4], "with ivar", moved["ivar"][4])
assert moved["flux"][4] == 500.5 and moved["ivar"][4] == 50
fours = downsample(data, 4, weight="ivar")
print("seen:    10 pixels by fours:", len(fours), "pixels, flux", fours["flux"])
assert len(fours) == 2 and np.array_equal(fours["flux"], [1, 1])
unweighted = downsample(data, 4)
print("seen:    without weight='ivar':", unweighted["flux"])
assert unweighted["flux"][1] > 200

print("-- spectres")
flux, errors = spectres(np.arange(5002, 5006, 0.5), w, np.ones(10), np.full(10, 0.1))
print("seen:    errors of 0.1 on pixels half as wide:", errors.round(3))
assert np.allclose(errors[::2], 0.1) and np.allclose(errors[1::2], 0.0707, atol=1e-3)
falling = spectres(np.arange(5002, 5006, 0.5), w[::-1], np.ones(10))
print("seen:    of a falling axis:", falling)
assert np.isnan(falling).all()

print("-- synphot")
flat = SourceSpectrum(Empirical1D, points=[5000.0, 5500, 6000], lookup_table=np.ones(3) * units.FLAM)
outside = flat(np.array([4000.0, 5500, 7500]), flux_unit=units.FLAM).value
print("seen:    a flat 1 per Angstrom of 5000-6000 at 4000, 5500 and 7500:", outside)
assert np.allclose(outside, [1.25, 1, 0.8])
PYTHON

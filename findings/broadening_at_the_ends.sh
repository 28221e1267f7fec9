#!/usr/bin/env bash
# PyAstronomy 0.25.0, ppxf 9.5.2, gollum 0.4.3: what broadening makes of the ends of a spectrum that is 1 everywhere.
#
# Guess:  PyAstronomy's three functions all fall at the ends, ppxf's two keep 1, gollum's two fall. gollum's kernel has
#         one width in Angstrom, right in the middle only.
# Seen:   `rotBroad` and `varsmooth` and gollum's `instrumental_broaden` keep 1. `fastRotBroad`, `instrBroadGaussFast`,
#         ppxf's `gaussian_filter1d` and gollum's `rotationally_broaden` fall to about a half.
#         gollum's resolving power is the same at 1 and at 2 micron, to 0.1 %.
# Means:  cut half a kernel off each end, unless you know which of a package's functions you called.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile PyAstronomy==0.25.0 gollum==0.4.3 ppxf==9.5.2 specutils==2.4.0 astropy==8.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import astropy.units as u
import numpy as np
import ppxf.ppxf_util
from gollum.precomputed_spectrum import PrecomputedSpectrum
from PyAstronomy import pyasl

print("version:", *(f"{p} {version(p)}" for p in ("PyAstronomy", "ppxf", "gollum", "specutils")))
print("guess:   1 at the ends for ppxf only")
w, one = np.linspace(5000, 5010, 401), np.ones(401)
model = PrecomputedSpectrum(spectral_axis=w * u.AA, flux=one * u.dimensionless_unscaled)
ends = {
    "pyasl.rotBroad": pyasl.rotBroad(w, one, 0.6, 30),
    "pyasl.fastRotBroad": pyasl.fastRotBroad(w, one, 0.6, 30),
    "pyasl.instrBroadGaussFast": pyasl.instrBroadGaussFast(w, one, 20000),
    "ppxf gaussian_filter1d": ppxf.ppxf_util.gaussian_filter1d(one, np.full(401, 2.0)),
    "ppxf varsmooth": ppxf.ppxf_util.varsmooth(w, one, 0.1),
    "gollum rotationally_broaden": model.rotationally_broaden(30.0).flux.value,
    "gollum instrumental_broaden": model.instrumental_broaden(20000).flux.value,
}
ends = {name: (flux[0], flux[200], flux[-1]) for name, flux in ends.items()}
for name, flux in ends.items():
    print(f"seen:    {name}: {flux[0]:.2f} {flux[1]:.2f} {flux[2]:.2f}")
keep = {"pyasl.rotBroad", "ppxf varsmooth", "gollum instrumental_broaden"}
for name, flux in ends.items():
    assert abs(flux[1] - 1) < 1e-6
    assert abs(flux[0] - 1) < 1e-3 if name in keep else flux[0] < 0.7

wide = np.geomspace(10000, 20000, 60001)
spikes = np.ones(60001)
spikes[[2000, 58000]] = 0
model = PrecomputedSpectrum(spectral_axis=wide * u.AA, flux=spikes * u.dimensionless_unscaled)
depth = 1 - model.instrumental_broaden(3000).flux.value
for centre in (2000, 58000):
    part = slice(centre - 1500, centre + 1500)
    mean = np.average(wide[part], weights=depth[part])
    sigma = np.sqrt(np.average((wide[part] - mean) ** 2, weights=depth[part]))
    print(f"seen:    gollum, asked for 3000, at {mean:.0f} Angstrom: R = {mean / sigma / 2.3548:.0f}")
    assert abs(mean / sigma / 2.3548 - 3000) < 5
PYTHON

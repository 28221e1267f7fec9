#!/usr/bin/env bash
# mpdaf 3.6 and linetools 0.3.2: rows of the page on masks, coadding, rebinning, smoothing and air.
#
# Guess:  linetools leaves out pixels with error 0 as soon as a spectrum is made; its rebinning keeps a flat 1;
#         mpdaf's round trip between air and vacuum is good to 1e-4 Angstrom.
# Seen:   none of that; see below.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile mpdaf==3.6 linetools==0.3.2 astropy==8.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import warnings
from importlib.metadata import version

import astropy.units as u
import numpy as np

warnings.simplefilter("ignore")
from linetools.spectra.xspectrum1d import XSpectrum1D
from mpdaf.obj import Spectrum, WaveCoord, airtovac, vactoair

print("version: mpdaf", version("mpdaf"), "linetools", version("linetools"))
w = np.arange(5000.0, 5020)
bad = np.arange(20) == 5
hit = np.where(bad, 50.0, 1.0)

print("-- linetools")
marked = XSpectrum1D.from_tuple((w * u.AA, hit, np.where(bad, 0, 0.1)))
smooth = marked.gauss_smooth(4)
print("seen:    pixels of a spectrum of 20 with one of error 0:", marked.npix)
print("seen:    beside that pixel of 50, after gauss_smooth:", smooth.flux.value[4], "error", smooth.sig.value[4])
assert marked.npix == 20 and smooth.flux.value[4] > 5 and np.isclose(smooth.sig.value[4], 0.1)
flat = XSpectrum1D.from_tuple((w * u.AA, np.ones(20), np.full(20, 0.1)))
ends = flat.box_smooth(3)
print("seen:    box_smooth(3) of a flat 1:", ends.flux.value[:2], "errors", ends.sig.value[:2])
assert ends.flux.value[0] < 0.7 and ends.sig.value[0] < ends.sig.value[1]
half = flat.rebin((w + 0.5) * u.AA, do_sig=True)
print("seen:    a flat 1, rebinned by half a pixel:", half.flux.value[[0, 1, -2, -1]], "errors", half.sig.value[[0, 1, -2, -1]])
assert half.flux.value[0] > 1.4 and half.flux.value[-1] < -10 and half.sig.value[-1] == 0

print("-- mpdaf")
wave = WaveCoord(crval=5000.0, cdelt=1.0, cunit=u.AA, shape=20)


def spectrum(data, var, mask=None):
    return Spectrum(wave=wave, data=data.copy(), var=var.copy(), mask=np.zeros(20, bool) if mask is None else mask)


variance = np.full(20, 0.01)
low = spectrum(hit, variance, bad).fftconvolve(np.ones(3) / 3)
print("seen:    a flat 1 beside a masked pixel, after a running mean of 3:", low.data[4], "masked", bool(low.mask[4]))
assert np.isclose(low.data[4], 2 / 3) and not low.mask[4]
bridged = spectrum(hit, variance, bad)
bridged.interp_mask()
print("seen:    interp_mask: flux", bridged.data[5], "variance", bridged.var[5], "masked", bool(np.any(bridged.mask)))
assert bridged.data[5] == 1 and bridged.var[5] == 0.01 and not np.any(bridged.mask)
star = spectrum(np.where(np.arange(20) == 4, 3.0, 1.0), np.where(np.arange(20) == 4, 1e-4, 0.01))
print("seen:    sum of 1, 3, 1, 1:", star.sum(5003, 5006)[0].round(2), "and unweighted", star.sum(5003, 5006, weight=False)[0])
assert star.sum(5003, 5006)[0] > 11 and star.sum(5003, 5006, weight=False)[0] == 6
wide = np.array([5000.0, 10000, 20000])
off = airtovac(vactoair(wide)) - wide
print("seen:    vacuum to air and back:", off, "Angstrom")
assert off[0] < -0.001 and off[1] < -0.005 and off[2] < -0.015
PYTHON

#!/usr/bin/env bash
# dask 2026.8.0 with astropy 8.0.2 and specutils 2.4.0: a large array on disk times a unit.
#
# Guess:  `array * unit` and `unit * array` are the same: both stay lazy, or both read everything.
# Seen:   `array * unit` reads the whole array at once into a Quantity. `unit * array` stays a dask array, of chunks
#         that have a unit; specutils refuses it ("Flux must be a `Quantity` object").
# Means:  the usual way to build a Spectrum of a dask array reads all of it; the lazy way can't make a Spectrum.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile dask[array]==2026.8.0 specutils==2.4.0 astropy==8.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import astropy.units as u
import dask.array as da
import numpy as np
from specutils import Spectrum

print("version: dask", version("dask"), "astropy", version("astropy"), "specutils", version("specutils"))
print("guess:   both orders do the same")
read = []


def load(block_info=None):
    read.append(block_info)
    return np.ones((2, 10))


array = da.map_blocks(load, chunks=((2,) * 5, (10,)), dtype=float, meta=np.ones((0, 0)))
right = array * u.Jy
print(f"seen:    array * unit: {type(right).__name__}, {len(read)} of 5 chunks read")
assert type(right) is u.Quantity and len(read) == 5
left = u.Jy * array
print(f"seen:    unit * array: {type(left).__name__} of {type(left._meta).__name__}, {len(read) - 5} of 5 chunks read")
assert isinstance(left, da.Array) and type(left._meta) is u.Quantity and len(read) == 5
assert left[:1].compute().unit == u.Jy
try:
    Spectrum(flux=left, spectral_axis=np.arange(5000.0, 5010) * u.AA)
except ValueError as error:
    print("seen:    specutils:", error)
else:
    raise AssertionError("specutils takes a dask array of quantities now")
PYTHON

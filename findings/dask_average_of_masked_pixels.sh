#!/usr/bin/env bash
# dask 2026.8.0: coadding masked spectra that are dask arrays of numpy masked arrays.
#
# Guess:  `da.average` with weights leaves masked pixels out, as `mean`, `sum`, `std` and `tensordot` do.
# Seen:   the flux of the masked pixel is left out, its weight is not: 1.5 where all good pixels are 2.
#         `da.einsum` uses the masked flux itself. `da.ma.average` is right.
# Means:  a coadd is too faint wherever a spectrum is masked, in proportion to the weight that is masked.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile dask[array]==2026.8.0 zarr==3.1.6 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import dask.array as da
import numpy as np

print("version: dask", version("dask"), "numpy", version("numpy"))
print("guess:   2 at every pixel")
flux = np.full((4, 3), 2.0)
flux[1, 1] = 100
masked = da.from_array(np.ma.MaskedArray(flux, flux > 50), chunks=(2, 3))
weights = da.ones((4, 3), chunks=(2, 3))
seen = {
    "mean": masked.mean(axis=0),
    "tensordot": da.tensordot(da.ones(4, chunks=2), masked, 1) / 4,
    "average": da.average(masked, axis=0, weights=weights),
    "einsum": da.einsum("ij,ij->j", weights, masked) / 4,
    "ma.average": da.ma.average(masked, axis=0, weights=weights),
}
seen = {name: np.asarray(value.compute()).tolist() for name, value in seen.items()}
for name, value in seen.items():
    print(f"seen:    {name}: {value}")
assert seen["mean"] == seen["ma.average"] == [2, 2, 2]
assert seen["average"] == [2, 1.5, 2]
assert seen["einsum"] == [2, 26.5, 2]
assert seen["tensordot"] == [2, 1.5, 2]
PYTHON

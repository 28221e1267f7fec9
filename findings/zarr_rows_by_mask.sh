#!/usr/bin/env bash
# zarr 3.1.6 beside h5py 3.16.0: choosing stored spectra by a boolean array, in any order, or none of them.
#
# Guess:  `stored[good]` with a boolean of the rows works in zarr, as it does in numpy and h5py; unsorted rows work in
#         neither; no rows at all give an array of no rows; a masked array can be stored, and loses its mask.
# Seen:   zarr refuses the boolean array, yet takes it as a list, or beside a slice. It takes unsorted and repeated
#         rows, h5py refuses them. An empty list of rows is refused. h5py stores a masked array without its mask in
#         silence, zarr refuses it with a message about shapes.
# Means:  code that reads rows from either needs its own way to choose them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile zarr==3.1.6 h5py==3.16.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import h5py
import numpy as np
import zarr

print("version: zarr", version("zarr"), "h5py", version("h5py"))
print("guess:   zarr takes a boolean array of rows, and an empty list, as numpy does")
flux = np.arange(40.0).reshape(10, 4)
stored = zarr.create_array(store="flux.zarr", data=flux, chunks=(2, 4))
file = h5py.File("flux.h5", "w")
dataset = file.create_dataset("flux", data=flux)
good = np.arange(10) > 7
keys = {"boolean": good, "list of it": good.tolist(), "beside a slice": (good, slice(None))}
keys |= {"unsorted": [3, 1, 1], "no rows": []}
seen = {}
for name, key in keys.items():
    for package, array in (("numpy", flux), ("zarr", stored), ("h5py", dataset)):
        try:
            seen[name, package] = np.asarray(array[key])[:, 0].tolist()
        except Exception as error:
            seen[name, package] = type(error).__name__
    print(f"seen:    {name}:", {p: seen[name, p] for p in ("numpy", "zarr", "h5py")})
masked = np.ma.MaskedArray(flux, flux > 30)
kept = file.create_dataset("masked", data=masked)[:].max()
print("seen:    h5py keeps the masked flux", kept)
try:
    zarr.create_array(store="masked.zarr", data=masked)
except ValueError as error:
    print("seen:    zarr refuses it:", error)
else:
    raise AssertionError("zarr stores masked arrays now")
assert seen["boolean", "zarr"] == "VindexInvalidSelectionError"
assert seen["boolean", "h5py"] == seen["list of it", "zarr"] == seen["beside a slice", "zarr"] == [32, 36]
assert seen["unsorted", "zarr"] == [12, 4, 4] and seen["unsorted", "h5py"] == "TypeError"
assert seen["no rows", "zarr"] == "IndexError"
assert kept == 39
PYTHON

#!/usr/bin/env bash
# astropy 8.0.2: means and weighted sums of a masked column with a unit (`Masked`, what QTable makes of it).
#
# Guess:  masked pixels are left out everywhere, as they are in `mean`, `std`, `median` and `max`; what can't do that,
#         raises.
# Seen:   `sum`, `np.average` and `@` are masked as a whole. `np.einsum`, `np.convolve` and `np.polyfit` use the
#         masked value in silence and drop unit and mask. `np.nansum` leaves it out and drops the mask.
# Means:  an ivar-weighted sum written with einsum, or a fitted continuum, is that of the cosmic ray.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile astropy==8.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import astropy.units as u
import numpy as np
from astropy.utils.masked import Masked

print("version: astropy", version("astropy"), "numpy", version("numpy"))
print("guess:   masked pixels have no say in any of them")
flux = Masked(np.array([1.0, 1, 1, 1, 96]) * u.Jy, mask=[False] * 4 + [True])
left_out = {"mean": flux.mean(), "std": flux.std(), "median": np.median(flux), "max": flux.max()}
all_masked = {"sum": flux.sum(), "average": np.average(flux, weights=np.ones(5)), "@": np.ones((1, 5)) @ flux}
used = {
    "einsum": np.einsum("i,i", np.ones(5), flux),
    "convolve": np.convolve(flux, np.ones(5), mode="valid"),
    "polyfit": np.polyfit(np.arange(5), flux, 0),
}
for what, results in (("left out of", left_out), ("masks all of", all_masked), ("used by", used)):
    print(f"seen:    masked pixel {what}", {k: str(v) for k, v in results.items()})
print("seen:    nansum", repr(np.nansum(flux)))
assert left_out["mean"] == 1 * u.Jy and left_out["max"] == 1 * u.Jy
assert left_out["median"] == 1 * u.Jy and left_out["std"] == 0 * u.Jy
assert all(np.all(result.mask) for result in all_masked.values())
assert used["einsum"] == 100 and used["convolve"] == 100 and np.isclose(used["polyfit"][0], 20)
assert not any(hasattr(result, "unit") or hasattr(result, "mask") for result in used.values())
assert not hasattr(np.nansum(flux), "mask")
PYTHON

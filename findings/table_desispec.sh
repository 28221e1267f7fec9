#!/usr/bin/env bash
# desispec 0.70.0: rows of the page on coadding and resampling.
#
# Guess:  masked pixels have weight 0 in both coadditions, and a pixel that is masked everywhere comes out with ivar 0.
# Seen:   `coadd` gives such a pixel its bad flux and full weight, with the mask kept; `coadd_cameras` averages masked
#         pixels in and clears the mask. `resample_flux` with ivar is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile desispec==0.70.0 astropy==8.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
import warnings
from importlib.metadata import version

import numpy as np
from astropy.table import Table

warnings.simplefilter("ignore")
from desispec.coaddition import coadd, coadd_cameras
from desispec.interpolation import resample_flux
from desispec.spectra import Spectra

print("version: desispec", version("desispec"))


def spectra(waves, n):
    """Fluxes of 1 with inverse variances of 4."""
    columns = {"TARGETID": np.ones(n, int), "FIBERSTATUS": np.zeros(n, int), "EXPID": np.arange(n)}
    columns |= {name: np.zeros(n) for name in ("TARGET_RA", "TARGET_DEC")}
    columns |= {name: np.ones(n, int) for name in ("TILEID", "FIBER", "NIGHT")}
    resolution = np.zeros((n, 5, 10))
    resolution[:, 2] = 1
    return Spectra(
        bands=list(waves),
        wave=waves,
        flux={band: np.ones((n, 10)) for band in waves},
        ivar={band: np.full((n, 10), 4.0) for band in waves},
        mask={band: np.zeros((n, 10), np.uint32) for band in waves},
        resolution_data={band: resolution.copy() for band in waves},
        fibermap=Table(columns),
    )


exposures = spectra({"b": np.arange(5000.0, 5010)}, 3)
exposures.flux["b"][:, 5], exposures.mask["b"][:, 5] = 100, 1  # masked in all three
exposures.flux["b"][0, 7], exposures.mask["b"][0, 7] = 100, 1  # masked in one
coadd(exposures)
flux, ivar, mask = (getattr(exposures, name)["b"][0] for name in ("flux", "ivar", "mask"))
print("seen:    coadd, masked in one of three: flux", flux[7], "ivar", ivar[7], "mask", mask[7])
print("seen:    coadd, masked in all three: flux", flux[5], "ivar", ivar[5], "mask", mask[5])
assert np.isclose(flux[7], 1) and (ivar[7], mask[7]) == (8, 0)
assert np.isclose(flux[5], 100) and (ivar[5], mask[5]) == (12, 1)

cameras = spectra({"b": np.arange(5000.0, 5010), "r": np.arange(5005.0, 5015)}, 1)
for pixel in (2, 7):  # alone, and where the cameras overlap
    cameras.flux["b"][:, pixel], cameras.mask["b"][:, pixel] = 100, 1
both = coadd_cameras(cameras)
flux, ivar, mask = (getattr(both, name)["br"][0] for name in ("flux", "ivar", "mask"))
for pixel in (2, 7):
    print(f"seen:    coadd_cameras, pixel {pixel}: flux", flux[pixel], "ivar", ivar[pixel], "mask", mask[pixel])
assert np.allclose(flux[[2, 7]], [100, 50.5]) and not mask.any()

f, iv = np.where(np.arange(10) == 5, 1000.0, 1), np.where(np.arange(10) == 5, 0, 4.0)
new, new_ivar = resample_flux(np.arange(0.5, 9), np.arange(10.0), f, iv)
print("seen:    resample_flux beside a pixel of 1000 with ivar 0: flux", new[4], "ivar", new_ivar[4])
assert new[4] == 1 and new_ivar[4] == 2
PYTHON

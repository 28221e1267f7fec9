#!/usr/bin/env bash
# specutils 2.4.0: which measurements of a line leave masked pixels out.
#
# Guess:  all of them do, since `centroid` does.
# Seen:   `centroid` and `gaussian_fwhm` do. `moment`, `fwhm` and `find_lines_threshold` use the masked pixel as if it
#         were good, and `line_flux` puts a straight line in its place.
# Means:  a cosmic ray that is masked still moves a line, narrows it, or is reported as one.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile specutils==2.4.0 astropy==8.0.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import astropy.units as u
import numpy as np
from astropy.nddata import StdDevUncertainty
from specutils import Spectrum
from specutils.analysis import centroid, fwhm, gaussian_fwhm, line_flux, moment
from specutils.fitting import find_lines_threshold

print("version: specutils", version("specutils"))
print("guess:   the masked cosmic ray changes nothing")
axis = np.linspace(5000, 5100, 201) * u.AA
emission = np.exp(-0.5 * ((axis.value - 5050) / 3) ** 2)
cosmic = np.arange(201) == 180


def spectrum(flux, mask=None):
    error = StdDevUncertainty(np.full(len(flux), 0.01) * u.Jy)
    return Spectrum(flux * u.Jy, axis[: len(flux)], uncertainty=error, mask=mask)


hit = spectrum(np.where(cosmic, 100, emission), cosmic)
clean = spectrum(emission)
seen = {
    "centroid": (centroid(clean), centroid(hit)),
    "gaussian_fwhm": (gaussian_fwhm(clean), gaussian_fwhm(hit)),
    "moment, order 1": (moment(clean, order=1), moment(hit, order=1)),
    "fwhm": (fwhm(clean), fwhm(hit)),
}
for name, (without, with_ray) in seen.items():
    print(f"seen:    {name}: {without:.2f} without the ray, {with_ray:.2f} with it masked")
lines = find_lines_threshold(hit, noise_factor=3)
print("seen:    lines found at", lines["line_center"].value)
flat = line_flux(spectrum(np.where(np.arange(10) == 5, 100, 3.0), np.arange(10) == 5))
print(f"seen:    ten pixels of 3 Jy, 0.5 Angstrom wide, one masked: flux {flat:.2f}; nine are {9 * 1.5}")
for name in ("centroid", "gaussian_fwhm"):
    assert u.isclose(*seen[name])
assert u.isclose(seen["moment, order 1"][1], 5084.77 * u.AA, atol=0.01 * u.AA)
assert seen["fwhm"][0] > 7 * u.AA and seen["fwhm"][1] < 1 * u.AA
assert list(lines["line_center"].value) == [5050, 5090]
assert u.isclose(flat, 15 * u.AA * u.Jy)
PYTHON

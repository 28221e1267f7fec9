#!/usr/bin/env bash
# specutils 2.4.0 with astropy 8.0.2: rows of the page on smoothing, resampling, masks, errors, files and air.
#
# Guess:  smoothing by 2 pixels states errors 2.7 times smaller; resamplers keep masks and classes of uncertainty;
#         masked pixels have no say in smoothing and matching; falling axes are resampled like rising ones.
# Seen:   none of that; see below.
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
from astropy.nddata import InverseVariance, StdDevUncertainty
from specutils import Spectrum
from specutils.analysis import template_match
from specutils.manipulation import (
    FluxConservingResampler,
    LinearInterpolatedResampler,
    box_smooth,
    gaussian_smooth,
)
from specutils.utils.wcs_utils import air_to_vac, vac_to_air

print("version: specutils", version("specutils"), "astropy", version("astropy"))
axis = np.arange(5000.0, 5100) * u.AA
inner = np.arange(5000.5, 5099) * u.AA
cosmic = np.arange(100) == 50
hit = np.where(cosmic, 1000.0, 1.0)


def spectrum(flux=None, mask=None, uncertainty=None):
    flux = np.ones(100) if flux is None else flux
    if uncertainty is None:
        uncertainty = StdDevUncertainty(np.full(100, 0.1) * u.Jy)
    return Spectrum(flux * u.Jy, axis, uncertainty=uncertainty, mask=mask)


print("-- smoothing")
rng = np.random.default_rng(0)
smoothed = gaussian_smooth(spectrum(), 2)
draws = [gaussian_smooth(spectrum(rng.normal(0, 0.1, 100)), 2).flux.value[50] for _ in range(300)]
stated, true = smoothed.uncertainty.array[50], np.std(draws)
print(f"seen:    error of 0.1 after gaussian_smooth: stated {stated:.3f}, true {true:.3f}")
assert stated > 0.25 and true < 0.045
ends = [float(f(spectrum(), n).flux.value[0]) for f, n in ((gaussian_smooth, 2), (box_smooth, 3))]
print("seen:    the first pixel of a flat 1 after gaussian_smooth and box_smooth:", ends)
assert ends[0] < 0.65 and ends[1] < 0.7
spread = gaussian_smooth(spectrum(hit, cosmic), 2)
print("seen:    beside one masked pixel of 1000:", spread.flux.value[49].round(1), "not masked")
assert spread.flux.value[49] > 100 and not spread.mask[49] and spread.mask[50]

print("-- resampling")
resampled = FluxConservingResampler()(spectrum(hit, cosmic), inner)
print("seen:    one masked pixel of 1000:", resampled.flux.value[48:52], "mask", resampled.mask)
assert resampled.mask is None and resampled.flux.value[50] > 400
ivar = InverseVariance(np.full(100, 100.0) / u.Jy**2)
wide = np.arange(4998.0, 5003) * u.AA
filled = FluxConservingResampler(extrapolation_treatment="zero_fill")(spectrum(uncertainty=ivar), wide)
print("seen:    zero_fill:", filled.flux.value, "with inverse variances", filled.uncertainty.array)
assert np.isinf(filled.uncertainty.array[:2]).all() and not filled.flux.value[:2].any()
try:
    LinearInterpolatedResampler()(spectrum(uncertainty=ivar), inner)
except u.UnitConversionError as error:
    print("seen:    linear, with inverse variances:", error)
else:
    raise AssertionError("inverse variances are interpolated now")
falling = Spectrum(np.array([20.0, 15, 10]) * u.Jy, [5002, 5001, 5000] * u.AA)
nan = LinearInterpolatedResampler()(falling, [5000, 5001, 5002] * u.AA).flux.value
print("seen:    linear, of a falling axis:", nan)
assert np.isnan(nan).all()

print("-- masks")
chi2 = template_match(spectrum(hit, cosmic), spectrum())[-1][0]
print(f"seen:    template_match with one masked pixel: chi-square {chi2:.3g}")
assert chi2 > 1e7
lost = np.ma.MaskedArray([1.0, 2.0], [False, True]) * u.Jy
print("seen:    a numpy masked array times a unit:", repr(lost))
assert type(lost) is u.Quantity

print("-- files")
spectrum(hit, cosmic, ivar).write("one.fits", format="tabular-fits")
back = Spectrum.read("one.fits")
print("seen:    inverse variances come back as", type(back.uncertainty).__name__, "and the mask is kept")
assert type(back.uncertainty) is StdDevUncertainty and np.array_equal(back.mask, cosmic)

print("-- air and vacuum")
w = np.array([3000.0, 5000, 10000, 20000]) * u.AA
there_and_back = (air_to_vac(vac_to_air(w)) - w).to_value(u.AA)
print("seen:    vacuum to air and back, by default:", there_and_back, "Angstrom")
assert np.all(there_and_back > 3e-6) and np.all(there_and_back < 1e-4)
PYTHON

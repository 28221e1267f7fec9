#!/usr/bin/env bash
# specutils 2.4.0: what is left of inverse variances when the unit of flux is changed.
#
# Guess:  `with_flux_unit` gives inverse variances in the new unit; `with_spectral_axis_unit` leaves them as they are.
# Seen:   the second is right. The first turns inverse variances and variances into standard deviations: the errors
#         are right, but `uncertainty.array` now holds something else under the same name.
# Means:  code that reads `spectrum.uncertainty.array` as ivar weighs by sigma from then on. Ask for the class:
#         `uncertainty.represent_as(InverseVariance)`.
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
from astropy.nddata import InverseVariance, StdDevUncertainty, VarianceUncertainty
from specutils import Spectrum

print("version: specutils", version("specutils"))
print("guess:   InverseVariance of 1e-4 1/mJy2 and VarianceUncertainty of 1e4 mJy2")
axis = np.arange(5000.0, 5010) * u.AA
given = {InverseVariance: 100.0 / u.Jy**2, VarianceUncertainty: 0.01 * u.Jy**2}
for kind, value in given.items():
    spectrum = Spectrum(np.ones(10) * u.Jy, axis, uncertainty=kind(np.full(10, value.value) * value.unit))
    changed = spectrum.with_flux_unit(u.mJy).uncertainty
    print(f"seen:    {kind.__name__} became {type(changed).__name__} of {changed.array[0]:.4g} {changed.unit}")
    assert type(changed) is StdDevUncertainty
    assert np.allclose(changed.array, 100) and changed.unit == u.mJy
    assert type(spectrum.with_spectral_axis_unit(u.nm).uncertainty) is kind
PYTHON

#!/usr/bin/env bash
# PyAstronomy 0.25.0: velocities from `pyasl.crosscorrRV`, without noise, in steps of 0.5 km/s.
#
# Guess:  right to a step: five deep lines, the template is the truth, edges are skipped.
# Seen:   velocities snap to whole pixels (6 km/s here): 2 km/s is found as 0, 3 as 5.5, 20 as 18.
#         Between pixels the template is interpolated linearly, which makes its lines shallower, and the products are
#         summed without being divided by what the template has left: whole pixels win. It doesn't help to subtract 1.
# Means:  make pixels much narrower than the precision you want, first; a small step does nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile PyAstronomy==0.25.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from PyAstronomy import pyasl

print("version: PyAstronomy", version("PyAstronomy"))
print("guess:   within 0.5 km/s of the truth each time")
c = 299792.458
lines = ((5050, 0.3), (5081, 0.4), (5100, 0.3), (5133, 0.2), (5160, 0.5))


def spectrum(at):
    return 1 - sum(depth * np.exp(-0.5 * ((at - centre) / 0.15) ** 2) for centre, depth in lines)


def found(velocity, n_pixels=2001, subtracted=0.0):
    w = np.linspace(5000, 5200, n_pixels)
    shifted, template = spectrum(w / (1 + velocity / c)), spectrum(w)
    velocities, correlation = pyasl.crosscorrRV(
        w, shifted - subtracted, w, template - subtracted, -30, 30, 0.5, skipedge=n_pixels // 20
    )
    return float(velocities[np.argmax(correlation)])


truth = (0, 2, 3, 6, 20)
seen = [found(v) for v in truth]
print("seen:    true velocities", truth, "found", seen)
print("seen:    with 1 subtracted", [found(v, subtracted=1.0) for v in truth])
fine = [found(v, n_pixels=20001) for v in truth]
print("seen:    with pixels of a tenth", fine)
assert seen[1] == 0 and seen[2] >= 5 and 17 < seen[4] < 18.5
assert [found(v, subtracted=1.0) for v in truth] == seen
assert np.allclose(fine, truth, atol=0.5)
PYTHON

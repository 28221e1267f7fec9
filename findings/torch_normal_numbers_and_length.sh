#!/usr/bin/env bash
# torch 2.13.0: the noise that one seed gives to spectra of different lengths.
#
# Guess:  `torch.randn(n)` gives the first n of one stream, whatever n is, as numpy and `torch.rand` do.
# Seen:   below 16 numbers, and in the last 16 where n is no multiple of 16, they are other numbers.
#         So a spectrum that is cut by one pixel has other noise in its first pixels, too, if it is short, and in the
#         last 16 if it is long. float64 is another stream altogether. Threads change nothing.
# Means:  draw noise for the full grid and cut afterwards; don't compare runs of float32 and float64 by seed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile torch==2.13.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import numpy as np
import torch

print("version: torch", version("torch"))
print("guess:   n numbers are the first n of 64")


def draw(n, function=torch.randn, **how):
    return function(n, generator=torch.Generator().manual_seed(1), **how).numpy()


first, seen = draw(64), {}
for n in (8, 15, 16, 17, 32, 40, 48):
    seen[n] = int((draw(n) != first[:n]).sum())
    print(f"seen:    randn({n}): {seen[n]} numbers differ from the first {n} of randn(64)")
uniform = {n: int((draw(n, torch.rand) != draw(64, torch.rand)[:n]).sum()) for n in seen}
print("seen:    rand:", uniform)
stream = [np.random.default_rng(1).standard_normal(n) for n in (17, 64)]
print("seen:    numpy:", int((stream[0] != stream[1][:17]).sum()))
double = np.abs(draw(64, dtype=torch.float64) - first)
print(f"seen:    float64: the largest difference from float32 is {double.max():.1f}")
assert seen[16] == seen[32] == seen[48] == 0
assert seen[8] == 8 and seen[15] == 15 and 8 <= seen[17] <= 16 and 8 <= seen[40] <= 16
assert not any(uniform.values()) and np.array_equal(stream[0], stream[1][:17])
assert double.max() > 1
PYTHON

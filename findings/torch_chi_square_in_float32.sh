#!/usr/bin/env bash
# torch 2.13.0 and numpy 2.4.6: chi-square of 7,214 pixels in float32, written in six ways.
#
# Guess:  all are right to about 1e-7, since sums are added pairwise.
# Seen:   `(r**2).sum(1)` is. `einsum` and a batched product are an order of magnitude worse, 0.01 to 0.03 of a
#         chi-square of 7,214, as are numpy's einsum, and numpy's sum where rows are not contiguous in memory.
# Means:  differences of chi-square near 0.01 are noise there, and a row's value depends on how the array lies in
#         memory. Sum the squares in a row-contiguous array, or in float64.
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

print("version: torch", version("torch"), "numpy", version("numpy"))
print("guess:   relative errors of 1e-7 in all of them")
torch.set_num_threads(1)
r = np.random.default_rng(0).standard_normal((1000, 7214)).astype("float32")
t, exact = torch.from_numpy(r), (r.astype("float64") ** 2).sum(1)
ways = {
    "torch sum": (t**2).sum(1),
    "torch einsum": torch.einsum("ij,ij->i", t, t),
    "torch batched product": (t[:, None] @ t[..., None])[:, 0, 0],
    "numpy sum": (r**2).sum(1),
    "numpy einsum": np.einsum("ij,ij->i", r, r),
    "numpy sum, columns contiguous": (np.asfortranarray(r) ** 2).sum(1),
}
seen = {name: float(np.abs(np.asarray(value, "float64") - exact).max()) for name, value in ways.items()}
for name, value in seen.items():
    print(f"seen:    {name}: chi-square off by up to {value:.4f} ({value / 7214:.1e})")
good = max(seen["torch sum"], seen["numpy sum"])
assert good < 0.003
for name in ("torch einsum", "numpy einsum", "numpy sum, columns contiguous"):
    assert seen[name] > 2.5 * good
PYTHON

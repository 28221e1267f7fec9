#!/usr/bin/env bash
# openTSNE 1.0.4: one seed, one thread and two.
#
# Guess:  the maps differ with the number of threads at every size, since sums are added up in another order.
# Seen:   up to 1,000 spectra they are equal bit by bit. From there on neighbours are found approximately, by as many
#         workers as there are threads, and the whole map is another one. With `neighbors="exact"` it stays the same.
# Means:  a map of more than 1,000 spectra can't be redrawn on a machine with other threads, seed or not.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile openTSNE==1.0.4 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from openTSNE import TSNE

print("version: openTSNE", version("openTSNE"))
print("guess:   maps of one and two threads differ at 300 and at 1,200 spectra")


def furthest(n_spectra, **parameters):
    X = np.random.default_rng(0).normal(size=(n_spectra, 20))
    X[: n_spectra // 2] += 2
    maps = [
        np.asarray(
            TSNE(n_jobs=n_jobs, random_state=0, early_exaggeration_iter=60, n_iter=60, **parameters).fit(X)
        )
        for n_jobs in (1, 1, 2)
    ]
    assert np.array_equal(maps[0], maps[1])
    return float(np.abs(maps[2] - maps[0]).max() / np.ptp(maps[0]))


seen = {"300": furthest(300), "1,200": furthest(1200), "1,200 exact": furthest(1200, neighbors="exact")}
for name, value in seen.items():
    print(f"seen:    {name} spectra: a point moves by up to {100 * value:.0f} % of the map")
assert seen["300"] == 0 and seen["1,200 exact"] == 0
assert seen["1,200"] > 0.05
PYTHON

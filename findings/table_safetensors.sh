#!/usr/bin/env bash
# safetensors 0.8.0, its numpy face: rows of the page on storing.
#
# Guess:  an array that is a transposed view is stored as it looks, or refused.
# Seen:   its numbers are stored in the order in which they lie in memory: the array comes back reordered, in silence.
#         Metadata of one and the same model come in another order each time, so files of equal models differ.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile safetensors==0.8.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from safetensors.numpy import load, save

print("version: safetensors", version("safetensors"))
flux = np.arange(6.0).reshape(2, 3)
back = load(save({"flux": flux.T}))["flux"]
print("seen:    stored", flux.T.tolist(), "came back as", back.tolist())
assert back.shape == (3, 2) and not np.array_equal(back, flux.T)
contiguous = load(save({"flux": np.ascontiguousarray(flux.T)}))["flux"]
assert np.array_equal(contiguous, flux.T)
files = {save({"flux": flux}, metadata={letter: letter for letter in "abcdefgh"}) for _ in range(10)}
print("seen:    files of ten equal models:", len(files))
assert len(files) > 1
PYTHON

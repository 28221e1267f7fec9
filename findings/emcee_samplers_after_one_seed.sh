#!/usr/bin/env bash
# emcee 3.1.6: two samplers made after one `np.random.seed`, and a chain that is continued from its file.
#
# Guess:  two samplers run one after the other give different chains. A chain continued in a new sampler differs from
#         one that was never interrupted, unless its random state is set by hand.
# Seen:   both the other way round. Every sampler starts from a copy of the global state, which a run does not move:
#         the second chain is the first, number by number. A continued chain is bit-identical to an uninterrupted one,
#         whatever the global seed is then: the file holds the random state.
# Means:  two chains run to check convergence agree perfectly, since they are one. Give each sampler its own seed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile emcee==3.1.6 h5py==3.16.0 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

import emcee
import numpy as np

print("version: emcee", version("emcee"))
print("guess:   two chains differ; a continued chain differs from an uninterrupted one")
start = np.random.default_rng(0).normal(size=(8, 2))


def log_prob(x):
    return -0.5 * np.sum(x**2)


def sampler(backend=None):
    return emcee.EnsembleSampler(8, 2, log_prob, backend=backend)


def chain():
    one = sampler()
    one.run_mcmc(start, 20)
    return one.get_chain()


np.random.seed(1)
first, second = chain(), chain()
np.random.seed(2)
other = chain()
print("seen:    two samplers after one seed: identical", np.array_equal(first, second))
print("seen:    after another seed: identical", np.array_equal(first, other))
np.random.seed(1)
backend = emcee.backends.HDFBackend("chain.h5")
sampler(backend).run_mcmc(start, 10)
np.random.seed(99)
continued = sampler(emcee.backends.HDFBackend("chain.h5"))
continued.run_mcmc(None, 10)
same = np.array_equal(continued.get_chain(), first)
print("seen:    10 + 10 steps from a file, under another seed: identical to 20 steps", same)
assert np.array_equal(first, second) and not np.array_equal(first, other) and same
PYTHON

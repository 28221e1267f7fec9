"""Settings for every test: one thread, no screen, reproducible property tests."""

import os
import sys

# Before torch is loaded, and for the processes that tests start: two threads of theirs on a core
# that tests share wait for each other, and an example took twice the processor time.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib
import pytest
import sklearn.utils  # noqa: F401 - loads all there is to be limited
import torch
from hypothesis import settings
from threadpoolctl import threadpool_limits

# The tests run in parallel processes on few cores, and most networks here are small.
torch.set_num_threads(1)
threadpool_limits(1)
matplotlib.use("Agg")

# A shared machine may stall for a moment: no deadline. Derandomised: a failure can be repeated.
settings.register_profile("spectragan", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("spectragan")


@pytest.fixture(autouse=True)
def _close_figures():
    """Close the figures a test has left open; pyplot would keep them all and then warn."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")

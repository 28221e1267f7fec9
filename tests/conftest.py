"""Settings for every test: one thread, no screen, reproducible property tests."""

import matplotlib
import pytest
import torch
from hypothesis import settings

# The tests run in parallel processes on few cores, and most networks here are small.
torch.set_num_threads(1)
matplotlib.use("Agg")

# A shared machine may stall for a moment: no deadline. Derandomised: a failure can be repeated.
settings.register_profile("spectragan", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("spectragan")


@pytest.fixture(autouse=True)
def _close_figures():
    """Close the figures a test has left open; pyplot would keep them all and then warn."""
    yield
    from matplotlib import pyplot as plt

    plt.close("all")

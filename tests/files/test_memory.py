"""Memory doesn't grow with the number of models that were fitted, saved and loaded."""

import gc
import os

import numpy as np
import pytest

import spectragan
from spectragan import load

N_CYCLES = 1000
N_WARM = 100  # until caches are full and the allocator has its arenas
MOST_GROWTH = 20e6  # bytes


def resident():
    """Return the bytes of this process in memory."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cycle(number, domains, folder):
    """Fit, use, save and load a model: a step, a translator or a network in turn."""
    labels, synthetic, observed = domains
    network = {"filters": (2,), "hidden": (4,), "max_epochs": 1}
    starnet = spectragan.StarNetRegressor(1, **network, random_state=0, verbose=0, device="cpu")
    model, target = [
        (spectragan.Resampler(synthetic.wavelength[2:-2]), None),
        (spectragan.LinearTranslator(5), observed),
        (starnet, labels),
    ][number % 3]
    model.fit(synthetic, target).save(folder / "model")
    loaded = load(folder / "model")
    for used in (model, loaded):
        predicts = hasattr(used, "predict")
        found = used.predict(synthetic) if predicts else used.transform(synthetic).flux
        assert np.isfinite(found).all()


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads Linux's /proc")
def test_a_thousand_cycles_need_no_more_memory(domains, tmp_path):
    few = tuple(part[:20] for part in domains)
    for number in range(N_WARM):
        cycle(number, few, tmp_path)
    gc.collect()
    before = resident()
    for number in range(N_CYCLES):
        cycle(number, few, tmp_path)
    gc.collect()
    assert resident() - before < MOST_GROWTH

"""``import spectragan`` is fast and quiet: nothing heavy, nothing global."""

import subprocess
import sys

import pytest

# pandas is not among them: scikit-learn imports it wherever it is installed.
HEAVY = ("torch", "skorch", "matplotlib", "specutils", "openTSNE")
MAX_SECONDS = 0.5  # of CPU time


def run(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def heavy_after(code: str) -> set[str]:
    loaded = run(f"{code}\nimport sys; print(*[m for m in {HEAVY} if m in sys.modules])")
    return set(loaded.split())


def test_import_loads_nothing_heavy():
    assert heavy_after("import spectragan; dir(spectragan)") == set()


@pytest.mark.parametrize(
    ("code", "may_load"),
    [
        ("from spectragan import Spectra, as_spectra, stack_domains", set()),
        ("from spectragan import ContinuumNormalizer", set()),
        ("from spectragan.datasets import load_miles; load_miles()", set()),
        ("import spectragan.networks", {"torch"}),
        ("from spectragan import CycleGANTranslator, SpectrumEmulator", {"torch", "skorch"}),
    ],
)
def test_a_name_loads_only_what_it_needs(code, may_load):
    assert heavy_after(code) <= may_load


def test_diagnostics_draw_and_embed_late():
    loaded = heavy_after("from spectragan.diagnostics import TSNEGapDisplay, tsne_gap")
    assert not loaded & {"matplotlib", "openTSNE", "specutils"}


def test_import_is_fast():
    code = "import time; t = time.process_time(); import spectragan; print(time.process_time() - t)"
    assert min(float(run(code)) for _ in range(5)) < MAX_SECONDS


def test_import_prints_nothing():
    assert run("import spectragan; spectragan.CycleGANTranslator") == ""


def test_import_leaves_global_state_alone():
    # The packages we build on are imported first: what they change is not ours.
    code = """
import random, warnings
import astropy.units, matplotlib, numpy as np, openTSNE, sklearn, skorch, specutils, torch

def state():
    return repr((
        random.getstate(), np.random.get_state(legacy=False), torch.get_rng_state().tolist(),
        torch.get_default_dtype(), torch.get_default_device(), torch.get_num_threads(),
        torch.are_deterministic_algorithms_enabled(), sklearn.get_config(), np.geterr(),
        dict(matplotlib.rcParams), warnings.filters,
    ))

before = state()
import spectragan
[getattr(spectragan, name) for name in spectragan.__all__]
import spectragan.datasets
assert state() == before
"""
    run(code)

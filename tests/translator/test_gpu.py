"""Training on a CUDA GPU: as good as on the CPU, and at home on machines that have none."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from spectragan import CycleGANTranslator, StarNetRegressor, SubspaceTruncationWarning, load
from spectragan.datasets import make_mock_domains

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU"),
    pytest.mark.filterwarnings(f"ignore::spectragan.{SubspaceTruncationWarning.__name__}"),
]

GPU = "cuda"
ORDER_OF_SUMS = 1e-3  # of flux: kernels add up in an order of their own, for some epochs
LOAD_AND_TRANSLATE = """
import pickle, sys
import numpy as np
translator = pickle.load(open(sys.argv[1], "rb"))
np.save(sys.argv[3], translator.transform(np.load(sys.argv[2])))
"""


@pytest.fixture(scope="module")
def pair():
    return make_mock_domains(600, 600, n_pixels=100, random_state=0)


@pytest.fixture(scope="module")
def on_gpu(mock, quick):
    """Return a translator trained on the GPU, which no test may change."""
    return quick(device=GPU).fit(mock.synthetic, mock.observed)


def flux_of(translator, mock):
    return translator.transform(mock.synthetic).flux


def left(pair, **parameters):
    """Return the part of the gap that a short training leaves."""
    translator = CycleGANTranslator(max_epochs=12, warmup_epochs=4, verbose=0, **parameters)
    raw, truth = pair.synthetic_of_observed, pair.observed_truth.flux
    flux = translator.fit(pair.synthetic, pair.observed).transform(raw).flux
    return np.std(flux - truth) / np.std(raw.flux - truth)


def test_a_gpu_is_as_good_as_the_cpu(pair):
    expected = left(pair, random_state=0, device="cpu")
    assert left(pair, random_state=0, device=GPU) < expected + 0.1


def test_nothing_is_left_on_the_gpu(on_gpu, mock, tmp_path):
    """Or the model could be unpickled nowhere else."""
    net = on_gpu.net_
    tensors = [w for m in (net.module_, net.critic_, net.average_) for w in m.state_dict().values()]
    tensors += [t for t in net.settings.pixel_map if t is not None]
    for optimizer in (net.optimizer_, net.critic_optimizer_):
        moments = optimizer.state_dict()["state"].values()
        tensors += [value for some in moments for value in some.values() if torch.is_tensor(value)]
    assert {tensor.device.type for tensor in tensors} == {"cpu"}


def test_a_machine_without_gpu_unpickles_and_loads(on_gpu, mock, tmp_path):
    expected = on_gpu.transform(mock.synthetic.flux)
    (tmp_path / "model.pickle").write_bytes(pickle.dumps(on_gpu))
    np.save(tmp_path / "flux.npy", mock.synthetic.flux)
    files = [tmp_path / name for name in ("model.pickle", "flux.npy", "found.npy")]
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-c", LOAD_AND_TRANSLATE, *files], env=hidden, check=True)
    np.testing.assert_allclose(np.load(files[2]), expected, rtol=1e-12)
    on_gpu.save(tmp_path / "model.spectragan")
    loaded = load(tmp_path / "model.spectragan")
    np.testing.assert_array_equal(loaded.transform(mock.synthetic.flux), expected)


@pytest.mark.parametrize("network", ["subspace", "conv"])
@pytest.mark.parametrize("device", [GPU, "cpu"])
def test_a_checkpoint_of_a_gpu_is_resumed(mock, quick, tmp_path, network, device):
    parameters = {"network": network, "checkpoint": tmp_path, "batch_size": 32}
    whole = quick(device=GPU, **parameters).fit(mock.synthetic, mock.observed)
    max(tmp_path.glob("*.safetensors")).unlink()  # as if killed after one epoch
    rest = quick(device=device, **parameters).fit(mock.synthetic, mock.observed, resume=True)
    assert len(rest.history_["cycle"]) == 2
    # Another device has random numbers of its own.
    atol = ORDER_OF_SUMS if device == GPU else 0.05
    np.testing.assert_allclose(flux_of(rest, mock), flux_of(whole, mock), rtol=0, atol=atol)


def test_training_goes_on_with_warm_start(mock, quick):
    translator = quick(device=GPU, warm_start=True).fit(mock.synthetic, mock.observed)
    translator.fit(mock.synthetic, mock.observed)
    assert len(translator.history_["cycle"]) == 4
    assert np.isfinite(flux_of(translator, mock)).all()


def test_starnet_is_trained_on_a_gpu_and_pickled(mock, tmp_path):
    regressor = StarNetRegressor(
        1, hidden=(8,), max_epochs=2, random_state=0, verbose=0, device=GPU
    )
    regressor.fit(mock.synthetic, mock.labels_synthetic)
    again = pickle.loads(pickle.dumps(regressor))
    found, expected = (r.predict(mock.synthetic) for r in (again, regressor))
    np.testing.assert_array_equal(found, expected)

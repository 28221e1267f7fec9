"""Scripts change torch's defaults for other packages: nothing here notices, and they stay."""

from contextlib import contextmanager

import numpy as np
import pytest
import torch

from spectragan import (
    ObservedEmulator,
    ParameterFitter,
    SpectrumEmulator,
    StarNetRegressor,
    load,
)
from spectragan.training.devices import plain_torch


@contextmanager
def float64():
    torch.set_default_dtype(torch.float64)
    try:
        yield
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


STATES = {
    "float64": float64,
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "device": lambda: torch.device("meta"),  # as torch.set_default_device("cuda") does
}


def emulator(mock):
    labels = mock.labels_synthetic
    emulator = SpectrumEmulator(5, n_centers=40, max_epochs=1, random_state=0, verbose=0)
    return emulator.fit(labels, mock.synthetic)


def results(mock, quick, path):
    """Return what every estimator that uses torch computes."""
    model = emulator(mock)
    labels, stars = mock.labels_synthetic[:4], mock.observed[:3]
    net = StarNetRegressor(1, max_epochs=1, random_state=0, verbose=0, device="cpu")
    net.fit(mock.synthetic, mock.labels_synthetic)
    translator = quick().fit(mock.synthetic, mock.observed)
    translator.save(path)
    both = ObservedEmulator(model, load(path))
    conv = quick(network="conv", batch_size=16).fit(mock.synthetic[:40], mock.observed[:40])
    fitter = ParameterFitter(model, translator, nuisances=("velocity",), verbose=0)
    return [
        model.predict(labels),
        model.jacobian(labels),
        *net.predict(stars, return_std=True),
        translator.transform(mock.synthetic[:3]).flux,
        translator.inverse_transform(stars).flux,
        translator.decode(*translator.encode(stars, 1)),
        both.jacobian(labels),
        conv.transform(mock.synthetic[:3]).flux,
        *fitter.predict(stars, return_std=True),
        fitter.log_prob(np.r_[labels[0], np.zeros(len(fitter.parameter_names_) - 3)], stars[:1]),
    ]


@pytest.fixture(scope="module")
def expected(mock, quick, tmp_path_factory):
    return results(mock, quick, tmp_path_factory.mktemp("plain") / "model")


@pytest.mark.parametrize("state", STATES)
def test_results_do_not_depend_on_torch_defaults(mock, quick, expected, tmp_path, state):
    with STATES[state]():
        found = results(mock, quick, tmp_path / "model")
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_loaded_without_gradients_has_derivatives_elsewhere(mock, tmp_path):
    emulator(mock).save(tmp_path / "emulator")
    with torch.inference_mode():
        loaded = load(tmp_path / "emulator")
    assert loaded.jacobian(mock.labels_synthetic[:2]).shape == (2, 80, 3)


def test_plain_torch_restores_what_it_finds():
    with float64(), torch.no_grad(), torch.device("meta"):
        with plain_torch():
            assert torch.ones(1).dtype == torch.float32
            assert torch.ones(1).device.type == "cpu"
            assert torch.is_grad_enabled()
        assert torch.ones(1).dtype == torch.float64
        assert torch.ones(1).device.type == "meta"
        assert not torch.is_grad_enabled()


def test_model_files_of_two_equal_fits_are_equal(mock, tmp_path):
    makers = {
        "emulator": lambda: SpectrumEmulator(
            3, n_centers=20, max_epochs=2, random_state=0, verbose=0
        ).fit(mock.labels_synthetic, mock.synthetic),
        "starnet": lambda: StarNetRegressor(
            1, max_epochs=2, random_state=0, verbose=0, device="cpu"
        ).fit(mock.synthetic, mock.labels_synthetic),
    }
    for name, make in makers.items():
        files = [make().save(tmp_path / f"{name}{i}") or tmp_path / f"{name}{i}" for i in (1, 2)]
        contents = [file.read_bytes() for file in files]
        assert contents[0] == contents[1], name

"""The published method: its own layers, and binary cross-entropy between two logits."""

import numpy as np
import pytest

from spectragan.datasets import make_mock_domains
from spectragan.translator.networks.conv import AdaptedConvTranslator, ConvCritic, ConvTranslator

N_PIXELS = 300
SHORT = {"adversarial": "bce", "max_epochs": 2, "warmup_epochs": 1, "steps_per_epoch": 2}


@pytest.fixture(scope="module")
def small():
    return make_mock_domains(60, 60, n_pixels=N_PIXELS, random_state=0)


@pytest.mark.parametrize("given", ["by name", "as modules"])
def test_published_network_and_losses_train(quick, small, given):
    networks = {"network": "conv-published", "width": 0.25}
    if given == "as modules":
        modules = ConvTranslator(N_PIXELS, width=0.25), ConvCritic(N_PIXELS, width=0.25)
        networks = {"network": modules[0], "critic": modules[1]}
    translator = quick(**networks, **SHORT).fit(small.synthetic, small.observed)
    assert isinstance(translator.network_.network, ConvTranslator)
    history = translator.history_
    assert np.isfinite(history["critic"][-1])
    assert np.isfinite(history["adversarial"][-1])
    assert history["reconstruction"][-1] < history["reconstruction"][0]
    assert np.isfinite(translator.transform(small.synthetic).flux).all()


def test_named_networks_have_the_layers_they_promise(quick, small):
    widths = {"conv-published": 32, "conv": 8}  # channels of the first layer by default
    for name, cls in {"conv-published": ConvTranslator, "conv": AdaptedConvTranslator}.items():
        translator = quick(network=name, max_epochs=0).fit(small.synthetic, small.observed)
        network = translator.network_.network
        assert type(network) is cls
        encoder = network.encoder if name == "conv" else network.domain_encoders[0]
        assert encoder[0].out_channels == widths[name]

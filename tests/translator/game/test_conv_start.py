import numpy as np
import pytest
import torch

from spectragan import CycleGANTranslator, LinearTranslator, MeanShiftTranslator
from spectragan.datasets import make_mock_domains
from spectragan.translator.game.start import fit_affine


@pytest.fixture(scope="module")
def mock():
    return make_mock_domains(400, 400, n_pixels=300, random_state=0)


@pytest.fixture(scope="module")
def untrained(mock):
    translator = CycleGANTranslator("conv", max_epochs=0, n_codes=2, random_state=0, verbose=0)
    return translator.fit(mock.synthetic, mock.observed)


def rms(difference):
    return np.sqrt(np.mean(np.square(difference)))


def test_convolutional_translator_starts_near_the_linear_translation(mock, untrained):
    truth, raw = mock.observed_truth.flux, mock.synthetic_of_observed
    left = rms(untrained.transform(raw).flux - truth)
    shift, linear = (
        rms(t.fit(mock.synthetic, mock.observed).transform(raw).flux - truth)
        for t in (MeanShiftTranslator(), LinearTranslator())
    )
    assert left < 0.8 * shift
    assert left < 1.5 * linear


def test_convolutional_translator_starts_with_cycles_that_close(mock, untrained):
    flux = mock.synthetic.flux
    cycle = untrained.inverse_transform(untrained.transform(mock.synthetic)).flux
    assert rms(cycle - flux) < 0.2 * rms(flux - flux.mean(axis=0))


def test_affine_fit_finds_the_map_of_many_outputs():
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(200, 5, generator=generator)
    weight, bias = torch.randn(3, 5, generator=generator), torch.arange(3.0)
    found = fit_affine(inputs, inputs @ weight.T + bias, torch.arange(200) % 4 == 0)
    torch.testing.assert_close(found[0], weight, atol=1e-4, rtol=0)
    torch.testing.assert_close(found[1], bias, atol=1e-4, rtol=0)


def test_affine_fit_does_not_chase_noise():
    generator = torch.Generator().manual_seed(0)
    inputs, noise = (
        torch.randn(60, 40, generator=generator),
        torch.randn(60, 1, generator=generator),
    )
    weight, _ = fit_affine(inputs, noise, torch.arange(60) % 4 == 0)
    assert (inputs @ weight.T).var() < 0.5 * noise.var()


def test_affine_fit_survives_inputs_that_never_vary():
    weight, bias = fit_affine(torch.ones(20, 3), torch.full((20, 2), 5.0), torch.arange(20) < 5)
    assert torch.isfinite(weight).all()
    torch.testing.assert_close(bias, torch.full((2,), 5.0))

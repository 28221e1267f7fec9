"""The convolutional networks: published sizes, any length, padding, options."""

import pytest
import torch

from spectragan.translator.networks.contract import CriticNetwork, TranslatorNetwork
from spectragan.translator.networks.conv import AdaptedConvTranslator, ConvCritic, ConvTranslator
from spectragan.translator.networks.conv_layers import (
    PUBLISHED_CRITIC_STRIDES,
    PUBLISHED_STRIDES,
    ConvGeometry,
    PixelHead,
)

LENGTHS = (1, 30, 300, 343, 1011, 1024, 3111, 7167, 7214)
NARROW = {"width": 0.125}
every_translator = pytest.mark.parametrize(
    "network_class", [ConvTranslator, AdaptedConvTranslator], ids=["published", "adapted"]
)


def count_parameters(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


@pytest.fixture
def spectra():
    return 1.0 + 0.1 * torch.randn(3, 300, generator=torch.Generator().manual_seed(0))


def test_conv_has_the_published_sizes_at_the_published_length():
    translator = ConvTranslator(7167)
    critic = ConvCritic(7167, critic_strides=PUBLISHED_CRITIC_STRIDES)
    with torch.no_grad():
        shared, split = translator.encode(torch.ones(1, 7167), 1)
    assert shared.shape == (1, 25, 24)
    assert split.shape == (1, 4, 24)
    assert translator.geometry.padding == (0, 0)
    assert [part.score.in_features for part in critic.critics] == [13_824, 13_824]
    assert count_parameters(translator, critic) == 3_676_833


@every_translator
@pytest.mark.parametrize("n_pixels", LENGTHS)
def test_conv_maps_any_length_to_latents_and_back(n_pixels, network_class):
    translator = network_class(n_pixels, **NARROW)
    critic = ConvCritic(n_pixels, **NARROW)
    strided = ConvCritic(n_pixels, critic_strides=PUBLISHED_CRITIC_STRIDES, **NARROW)
    x = torch.ones(2, n_pixels)
    with torch.no_grad():
        shared, nothing = translator.encode(x, 0)
        _, split = translator.encode(x, 1)
        assert nothing.shape == (2, 0, shared.shape[2])
        assert translator.decode(shared, nothing, 0).shape == x.shape
        assert translator.decode(shared, split, 1).shape == x.shape
        for judge in (critic, strided):
            assert judge(x, shared, nothing, 0).shape == (2,)
            assert judge(x, shared, split, 1).shape == (2,)
    assert shared.shape[2] >= 4, "too short a latent space carries no information"


@pytest.mark.parametrize("n_pixels", LENGTHS)
def test_geometry_pads_to_a_length_that_the_strides_reproduce(n_pixels):
    geometry = ConvGeometry(n_pixels)
    length = geometry.n_padded
    for stride in geometry.strides:
        length, rest = divmod(length - 7, stride)
        length += 1
        assert rest == 0
    assert length == geometry.n_latent
    assert geometry.n_padded == n_pixels + sum(geometry.padding)
    x = torch.arange(2.0 * n_pixels).reshape(2, n_pixels)
    assert torch.equal(geometry.crop(geometry.pad(x)), x)


def test_geometry_shortens_strides_for_short_spectra_only():
    assert ConvGeometry(7214).strides == ConvGeometry(3111).strides == PUBLISHED_STRIDES
    assert ConvGeometry(1024).strides == (4, 2, 2, 2, 2)
    assert ConvGeometry(300).strides == (2, 2, 2, 2, 2)
    assert ConvGeometry(1).strides == (1, 1, 1, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_pixels": 0}, "`n_pixels` must be at least 1; got 0"),
        ({"n_pixels": 300, "min_latent": 0}, "`min_latent` must be at least 1; got 0"),
        ({"n_pixels": 300, "strides": (4, 0)}, r"`strides` must be at least 1; got \(4, 0\)"),
    ],
)
def test_geometry_refuses_sizes_that_are_not_positive(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConvGeometry(**arguments)


@pytest.mark.parametrize("network", [ConvTranslator, AdaptedConvTranslator, ConvCritic])
@pytest.mark.parametrize("width", [0.0, -1.0, float("nan")])
def test_conv_refuses_a_width_that_is_not_positive(network, width):
    with pytest.raises(ValueError, match=r"`width` must be > 0; got .*; use 1\.0"):
        network(300, width=width)


@every_translator
def test_conv_keeps_the_contract(network_class):
    assert isinstance(network_class(300, **NARROW), TranslatorNetwork)
    assert isinstance(ConvCritic(300, **NARROW), CriticNetwork)


@every_translator
def test_conv_width_scales_the_cost(network_class):
    narrow, published = network_class(300, width=0.5), network_class(300, width=1.0)
    assert count_parameters(narrow) < 0.3 * count_parameters(published)


@every_translator
def test_conv_generator_of_zero_gives_the_centre(network_class):
    centre = 1.0 + torch.rand(2, 300)
    translator = network_class(300, centre=centre, scale=0.01, **NARROW)
    for name, parameter in translator.named_parameters():
        if "head" in name:
            torch.nn.init.zeros_(parameter)
    with torch.no_grad():
        shared, split = translator.encode(centre[1:], 1)
        assert torch.equal(translator.decode(shared, split, 0), centre[:1])
        assert torch.equal(translator.decode(shared, split, 1), centre[1:])


@every_translator
def test_conv_centre_and_scale_are_undone_by_the_generator(spectra, network_class):
    plain = network_class(300, **NARROW)
    scaled = network_class(300, centre=3.0, scale=2.0, **NARROW)
    scaled.load_state_dict(plain.state_dict() | {"centre": scaled.centre, "scale": scaled.scale})
    with torch.no_grad():
        expected = plain.decode(*plain.encode(spectra, 1), 1) - 1.0
        found = scaled.decode(*scaled.encode(3.0 + 2.0 * (spectra - 1.0), 1), 1) - 3.0
    assert torch.allclose(found, 2.0 * expected, atol=1e-4)


def test_adapted_conv_starts_with_translation_equal_to_reconstruction_plus_mean_shift(spectra):
    centre = torch.stack([torch.ones(300), 1.0 + torch.linspace(0.1, 0.3, 300)])
    shift = centre[1] - centre[0]
    translator = AdaptedConvTranslator(300, centre=centre, **NARROW)
    with torch.no_grad():
        shared, nothing = translator.encode(spectra, 0)
        shared_of_shifted, split = translator.encode(spectra + shift, 1)
        reconstructed = translator.decode(shared, nothing, 0)
        translated = translator.decode(shared, split, 1)
    assert torch.allclose(shared, shared_of_shifted, atol=1e-3)
    assert torch.allclose(translated, reconstructed + shift, atol=1e-5)


def test_adapted_conv_learns_what_differs_between_the_domains(spectra):
    translator = AdaptedConvTranslator(300, **NARROW)
    optimizer = torch.optim.Adam(translator.parameters(), 1e-2)
    for _ in range(2):  # adapters that start at zero pass gradients on from the second step
        shared, split = translator.encode(spectra, 1)
        optimizer.zero_grad()
        translator.decode(shared, split, 1).square().mean().backward()
        optimizer.step()
    for part in (translator.split_encoder, translator.split_decoder, translator.domain_heads[1]):
        assert all((parameter.grad != 0).any() for parameter in part.parameters())
    assert (translator.input_gains.grad[1] != 0).any()
    assert (translator.input_gains.grad[0] == 0).all()


def test_conv_latents_are_normalised_as_published(spectra):
    shared, split = ConvTranslator(300, **NARROW).encode(spectra, 1)
    for latents in (shared, split):
        assert latents.mean(dim=2).abs().max() < 1e-4


@every_translator
def test_conv_synthetic_side_never_sees_the_split_latents(spectra, network_class):
    translator, critic = network_class(300, **NARROW), ConvCritic(300, **NARROW)
    with torch.no_grad():
        shared, split = translator.encode(spectra, 1)
        for garbage in (split, split * float("nan")):
            assert torch.isfinite(translator.decode(shared, garbage, 0)).all()
            assert torch.isfinite(critic(spectra, shared, garbage, 0)).all()


@every_translator
def test_conv_rows_do_not_depend_on_each_other(spectra, network_class):
    translator, critic = network_class(300, **NARROW), ConvCritic(300, **NARROW)
    with torch.no_grad():
        shared, split = translator.encode(spectra, 1)
        alone, _ = translator.encode(spectra[:1], 1)
        assert torch.allclose(alone, shared[:1], atol=1e-4)
        scores = critic(spectra, shared, split, 1)
        assert torch.allclose(critic(spectra[:1], shared[:1], split[:1], 1), scores[:1], atol=1e-5)


def test_pixel_head_starts_at_zero_and_learns_where_it_is():
    head = PixelHead(4, 10)
    features = torch.ones(2, 4, 10)
    assert torch.equal(head(features), torch.zeros(2, 1, 10))
    head(features)[..., 3].sum().backward()
    assert torch.count_nonzero(head.weight.grad.sum(dim=0)) == 1

"""StarNet: published sizes, any number of pixels, variances that can't overflow."""

import pytest
import torch

from spectragan.starnet.network import LOG_VARIANCE_RANGE, StarNet


def test_starnet_has_the_published_layers():
    network = StarNet(7214, 3)
    shapes = [tuple(p.shape) for p in network.parameters() if p.dim() > 1]
    assert shapes == [
        (4, 1, 1, 8),
        (16, 4, 1, 8),
        (256, 16 * 1803),
        (128, 256),
        (3, 128),
        (3, 128),
    ]


@pytest.mark.parametrize("n_pixels", [1, 2, 3, 7, 8, 10, 33, 3111])
def test_starnet_takes_any_number_of_pixels(n_pixels):
    for output in StarNet(n_pixels, 2, hidden=(8,))(torch.randn(3, n_pixels)):
        assert output.shape == (3, 2)
        assert torch.isfinite(output).all()


@pytest.mark.parametrize("n_pixels", [2, 5, 12, 40])
def test_every_pixel_but_a_rest_of_the_pool_reaches_the_labels(n_pixels):
    torch.manual_seed(0)
    flux = torch.randn(64, n_pixels, requires_grad=True)
    StarNet(n_pixels, 2)(flux)[0].sum().backward()
    assert (flux.grad.abs().sum(0) > 0).all(), "convolutions reach over the last few pixels"


def test_pool_before_the_relu_equals_the_published_order():
    torch.manual_seed(0)
    network = StarNet(40, 1)
    x = torch.randn(5, 1, 1, 40)
    published = torch.nn.Sequential(*network.convolutions[:-2], torch.nn.ReLU())
    expected = torch.nn.functional.max_pool2d(published(x), (1, 4))
    torch.testing.assert_close(network.convolutions(x), expected)


def test_convolutions_equal_one_dimensional_ones():
    torch.manual_seed(0)
    network, x = StarNet(21, 1, filters=(3,)).double(), torch.randn(4, 21, dtype=torch.float64)
    weight, bias = network.convolutions[1].weight[:, :, 0], network.convolutions[1].bias
    padded = torch.nn.functional.pad(x[:, None], (3, 4))
    expected = torch.relu(torch.nn.functional.conv1d(padded, weight, bias))
    expected = torch.nn.functional.max_pool1d(expected, 4)
    found = network.convolutions(x[:, None, None])[:, :, 0]
    torch.testing.assert_close(found, expected)


def test_log_variance_is_bounded():
    network = StarNet(10, 2)
    with torch.no_grad():
        network.log_variance.bias.copy_(torch.tensor([-1e6, 1e6]))
        log_variance = network(torch.zeros(1, 10))[1]
    assert log_variance.tolist() == [list(LOG_VARIANCE_RANGE)]

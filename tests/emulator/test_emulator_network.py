import numpy as np
import pytest
import torch

from spectragan.emulator.network import (
    EmulatorNetwork,
    component_groups,
    row_median,
    squared_exponential,
    warp_labels,
)


def network(n_pixels=21, **flags):
    torch.manual_seed(0)
    built = EmulatorNetwork(3, n_pixels, 9, n_centers=12, hidden=(16, 16), **flags).double()
    with torch.no_grad():
        for tensor in (*built.kernel.buffers(), *built.trunk.parameters()):
            tensor.normal_(std=0.3)
        built.kernel.lengths.fill_(1.5)
        built.components.normal_(std=0.2)
        built.components[0] = torch.linspace(1, 2, n_pixels)
        built.label_mean.copy_(torch.tensor([5000.0, 3.0, 0.0]))
        built.label_scale.copy_(torch.tensor([700.0, 1.0, 0.5]))
    return built


def some_labels(n_rows=5):
    rng = np.random.RandomState(1)
    return torch.tensor(rng.normal([5000, 3, 0], [700, 1, 0.5], (n_rows, 3)))


@pytest.mark.parametrize("flags", [{}, {"unit_median": True}, {"log_level": True}], ids=str)
@pytest.mark.parametrize("n_pixels", [20, 21])
def test_jacobian_equals_central_differences(flags, n_pixels):
    built, labels = network(n_pixels, **flags), some_labels()
    jacobian = built.jacobian(labels)
    for label, step in enumerate((1e-2, 1e-5, 1e-5)):
        shift = torch.zeros(3, dtype=torch.float64)
        shift[label] = step
        with torch.no_grad():
            difference = (built(labels + shift) - built(labels - shift)) / (2 * step)
        scale = difference.abs().max()
        assert (jacobian[:, :, label] - difference).abs().max() < 1e-6 * scale


@pytest.mark.parametrize("flag", ["unit_median", "log_level"])
def test_spectra_are_coefficients_times_components(flag):
    built = network(**{flag: True})
    with torch.no_grad():
        product = built.coefficients(some_labels()) @ built.components
        assert torch.equal(product, built(some_labels()))


def test_unit_median_spectra_have_a_median_of_1():
    with torch.no_grad():
        flux = network(unit_median=True)(some_labels())
    np.testing.assert_allclose(np.median(flux.numpy(), axis=1), 1, rtol=1e-14)


def test_network_starts_as_the_kernel_emulator():
    built = EmulatorNetwork(2, 10, 4, n_centers=3)
    labels = torch.randn(5, 2)
    assert torch.equal(built.trunk(labels), torch.zeros(5, 4))


@pytest.mark.parametrize("n_pixels", [4, 5])
def test_row_median_is_numpys(n_pixels):
    rows = torch.randn(6, n_pixels)
    np.testing.assert_array_equal(row_median(rows)[:, 0], np.median(rows.numpy(), axis=1))


def test_warp_labels_is_continuous_where_curvature_vanishes():
    labels = torch.linspace(-3, 3, 7, dtype=torch.float64)[:, None]
    near, far = (torch.tensor([c], dtype=torch.float64) for c in (0.999e-3, 1.001e-3))
    torch.testing.assert_close(
        warp_labels(labels, near), warp_labels(labels, far), atol=2e-5, rtol=0
    )
    assert torch.equal(warp_labels(labels, torch.zeros(1, dtype=torch.float64)), labels)


def test_warp_labels_learns_from_zero_curvature():
    curvature = torch.zeros(1, requires_grad=True)
    warp_labels(torch.ones(2, 1), curvature).sum().backward()
    assert curvature.grad > 0.5


def test_squared_exponential_is_1_for_equal_rows():
    rows = 100 + torch.randn(4, 3)
    assert (torch.diagonal(squared_exponential(rows, rows)) <= 1).all()


@pytest.mark.parametrize("n_components", [1, 2, 3, 64, 100])
def test_component_groups_hold_every_component_once(n_components):
    assert sum(component_groups(n_components)) == n_components

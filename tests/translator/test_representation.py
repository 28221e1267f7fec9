import numpy as np
import pytest
import torch

from spectragan.translator.domain_data import DomainData
from spectragan.translator.representation import (
    ERROR_FLOOR,
    PixelRepresentation,
    SubspaceRepresentation,
)
from spectragan.translator.subspace import Subspace

N_STARS, N_PIXELS = 30, 50


@pytest.fixture
def subspace():
    components = np.linalg.qr(np.random.default_rng(0).normal(size=(N_PIXELS, 3)))[0].T
    return Subspace(np.array([np.ones(N_PIXELS), np.full(N_PIXELS, 1.1)]), components, np.ones(3))


def stars(subspace, known=True, masked=0.2, sigma=0.1):
    rng = np.random.default_rng(1)
    flux = subspace.reconstruct(rng.normal(size=(N_STARS, 3)), 1)
    weights = np.full(flux.shape, max(sigma, 1e-9) ** -2 if known else 1.0)
    weights[:10][rng.random((10, N_PIXELS)) < masked] = 0
    everywhere = np.full(N_STARS, known)
    return DomainData(flux + sigma * rng.normal(size=flux.shape), weights, everywhere, ~everywhere)


def training_rows(representation, data):
    projected = representation.subspace.project(data.flux, data.weights, 1)
    return representation.rows(data, 1, *projected), projected


def test_fill_reconstructs_rows_with_masks_and_keeps_the_others(subspace):
    data = stars(subspace)
    filled = SubspaceRepresentation(subspace).fill(data, 1)
    np.testing.assert_array_equal(filled[10:], data.flux[10:])
    truth = stars(subspace, sigma=0).flux
    bad = ~data.good
    naive = np.where(data.good, data.flux, subspace.means[1])
    assert np.abs(filled - truth)[bad].mean() < 0.3 * np.abs(naive - truth)[bad].mean()


def test_fill_makes_plain_projection_the_weighted_one(subspace):
    """Networks project what `fill` returns, without weights."""
    data = stars(subspace)
    filled = SubspaceRepresentation(subspace).fill(data, 1)
    plain = (filled - subspace.means[1]) @ subspace.components.T
    weighted, _ = subspace.project(data.flux, data.weights, 1)
    np.testing.assert_allclose(plain, weighted, atol=1e-5)


def test_subspace_rows_carry_the_noise_of_every_star(subspace):
    rows, (_, covariance) = training_rows(SubspaceRepresentation(subspace), stars(subspace))
    noise = rows["noise"].numpy()
    np.testing.assert_allclose(noise @ noise.transpose(0, 2, 1), covariance, atol=1e-5)
    metric = rows["metric"].numpy()
    error = covariance + ERROR_FLOOR**2 * np.eye(3)
    precision = np.linalg.inv(error)
    np.testing.assert_allclose(metric.transpose(0, 2, 1) @ metric, precision, rtol=1e-4, atol=1e-2)


def test_exact_rows_have_no_noise_and_the_floor_as_error(subspace):
    rows, _ = training_rows(SubspaceRepresentation(subspace), stars(subspace, known=False))
    assert not rows["noise"].any()
    np.testing.assert_allclose(rows["metric"], np.tile(np.eye(3) / ERROR_FLOOR, (N_STARS, 1, 1)))


@pytest.mark.parametrize("kind", [SubspaceRepresentation, PixelRepresentation])
def test_a_floor_far_below_the_scatter_is_refused(subspace, kind):
    with pytest.raises(
        ValueError, match=r"`error_floor` must be at least a millionth .* got 1e-200"
    ):
        kind(subspace, 1e-200)
    assert kind(subspace, 0.01 * float(subspace.spread.max())).error_floor > 0


def test_subspace_start_applies_the_translation_to_unscaled_coefficients(subspace):
    scaled = Subspace(subspace.means, subspace.components, np.array([2.0, 1.0, 0.5]))
    translation = np.random.default_rng(2).normal(size=(3, 3))
    coefficients = np.random.default_rng(3).normal(size=(5, 3))
    x = torch.tensor(coefficients / scaled.spread, dtype=torch.float32)
    found = SubspaceRepresentation(scaled).start(x, translation).numpy() * scaled.spread
    np.testing.assert_allclose(found, coefficients @ translation.T, rtol=1e-4, atol=1e-6)


def test_pixel_map_turns_coefficients_into_flux(subspace):
    matrix, shift = SubspaceRepresentation(subspace).pixel_map()
    np.testing.assert_allclose(shift, 0.1, rtol=1e-5)
    change = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(matrix.numpy() @ change, change @ subspace.components, atol=1e-5)


def test_pixel_rows_weigh_masked_pixels_by_zero(subspace):
    data = stars(subspace)
    rows, _ = training_rows(PixelRepresentation(subspace), data)
    masked = torch.tensor(~data.good)
    assert not rows["metric"][masked].any()
    assert not rows["noise"][masked].any()
    np.testing.assert_allclose(rows["x"][masked], 1.1, rtol=1e-6)
    np.testing.assert_allclose(rows["noise"][~masked], 0.1, rtol=1e-6)


@pytest.mark.parametrize(("floor", "expected"), [(0.05, 0.1), (0.25, 0.25)])
def test_no_pixel_has_an_error_below_the_floor(subspace, floor, expected):
    data = stars(subspace)
    rows, _ = training_rows(PixelRepresentation(subspace, floor), data)
    metric = rows["metric"].numpy()
    np.testing.assert_allclose(metric[data.good], 1 / expected, rtol=1e-6)
    assert not metric[~data.good].any()
    exact, _ = training_rows(PixelRepresentation(subspace, floor), stars(subspace, known=False))
    np.testing.assert_allclose(exact["metric"].numpy()[10:], 1 / floor, rtol=1e-6)


def test_no_coefficient_has_an_error_below_the_floor(subspace):
    exact = stars(subspace, known=False)
    rows, _ = training_rows(SubspaceRepresentation(subspace, 0.02), exact)
    np.testing.assert_allclose(rows["metric"], np.tile(np.eye(3) / 0.02, (N_STARS, 1, 1)))


def test_both_representations_start_from_the_same_translation(subspace):
    translation = np.random.default_rng(2).normal(size=(3, 3))
    coefficients = np.random.default_rng(3).normal(size=(5, 3))
    small = SubspaceRepresentation(subspace).start(torch.tensor(coefficients).float(), translation)
    flux = torch.tensor(subspace.reconstruct(coefficients, 0)).float()
    large = PixelRepresentation(subspace).start(flux, translation).numpy()
    np.testing.assert_allclose(large, subspace.reconstruct(small.numpy(), 1), atol=1e-5)

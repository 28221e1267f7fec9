"""Masked pixels must not count, and what is there must be found."""

import numpy as np
import pytest

from spectragan.diagnostics.projection import joint_scores, scale_within, standardise


def low_rank(seed=0, n=80, p=50, rank=3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, rank)) @ rng.normal(size=(rank, p)) + 1.0, rng


def test_joint_scores_equal_principal_components_without_a_mask():
    flux, _ = low_rank()
    u, s, _ = np.linalg.svd(flux - flux.mean(axis=0), full_matrices=False)
    scores = joint_scores(flux, np.ones_like(flux), 3)
    np.testing.assert_allclose(np.abs(scores), np.abs((u * s)[:, :3]), atol=1e-8)


def test_joint_scores_recover_distances_under_a_mask():
    flux, rng = low_rank()
    full = joint_scores(flux, np.ones_like(flux), 3)
    weights = (rng.random(flux.shape) > 0.3).astype(float)
    masked = joint_scores(flux, weights, 3)

    def distances(z):
        return np.linalg.norm(z[:, None] - z, axis=2)

    error = np.abs(distances(full) - distances(masked)).max()
    assert error < 0.02 * distances(full).max()


def test_joint_scores_never_see_masked_values():
    flux, rng = low_rank()
    weights = (rng.random(flux.shape) > 0.3).astype(float)
    weights[:, 5] = 0.0  # a pixel that no spectrum has
    other = np.where(weights > 0, flux, 1e6)
    np.testing.assert_array_equal(joint_scores(flux, weights, 3), joint_scores(other, weights, 3))


def test_joint_scores_stay_small_for_a_nearly_empty_row():
    flux, _ = low_rank()
    weights = np.ones_like(flux)
    weights[0, 1:] = 0.0
    scores = joint_scores(flux, weights, 3)
    assert np.abs(scores[0]).max() <= 3 * np.abs(scores[1:]).max()


@pytest.mark.parametrize("n_components", [1, 5, 500])
def test_joint_scores_take_no_more_components_than_there_are(n_components):
    flux, _ = low_rank(n=12, p=8)
    assert joint_scores(flux, np.ones_like(flux), n_components).shape[1] == min(n_components, 8)


def test_standardise_leaves_constant_columns_at_zero():
    z = standardise(np.column_stack([np.arange(5.0), np.full(5, 3.0)]))
    assert z[:, 0].std() == pytest.approx(1.0)
    np.testing.assert_array_equal(z[:, 1], 0.0)


def test_scale_within_keeps_the_size_of_a_gap():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 500, 3))
    near, far = (scale_within(7 * a, 7 * (b + gap)) for gap in (1.0, 2.0))
    np.testing.assert_allclose((near[1] - near[0]).mean(axis=0), 1.0, atol=0.15)
    np.testing.assert_allclose((far[1] - far[0]).mean(axis=0), 2.0, atol=0.15)


def test_scale_within_stays_finite_without_scatter():
    a, b = scale_within(np.zeros((5, 2)), np.tile([0.0, 1.0], (5, 1)))
    np.testing.assert_array_equal(a, 0.0)
    np.testing.assert_array_equal(b[:, 0], 0.0)
    assert 100 < b[0, 1] <= 201

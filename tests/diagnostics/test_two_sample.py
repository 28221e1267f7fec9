"""The statistics must be calibrated without a gap and see the gaps that matter."""

import numpy as np
import pytest

from spectragan.diagnostics.gap import auc_interval, classifier_auc, mmd_permutation
from spectragan.translator.base import sliced_wasserstein


def two_sets(n, seed, n_dims=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, n_dims)), rng.normal(size=(n, n_dims)), rng


def test_auc_interval_covers_a_half_without_a_gap():
    covered = []
    for seed in range(50):
        a, b, rng = two_sets(40, seed)
        low, high = classifier_auc(a, b, rng)[1]
        covered.append(low <= 0.5 <= high)
    assert np.mean(covered) >= 0.88


@pytest.mark.parametrize("kind", ["shift", "spread", "curve"])
def test_auc_sees_gaps_of_every_kind(kind):
    a, b, rng = two_sets(200, 0)
    if kind == "shift":
        b[:, 0] += 1.0
    elif kind == "spread":
        b[:, :3] *= 2.0
    else:
        b[:, 0] = b[:, 1] ** 2 / 1.5
    auc, (low, _) = classifier_auc(a, b, rng)
    assert low > 0.5
    assert auc > 0.65


def test_auc_interval_keeps_a_width_for_separable_sets():
    low, high = auc_interval(1.0, 50, 50)
    assert 0.85 < low < 0.99
    assert high == 1.0


@pytest.mark.parametrize("auc", [0.0, 0.2, 0.5, 0.8, 0.999, 1.0])
def test_auc_interval_is_ordered_symmetric_and_narrows(auc):
    low, high = auc_interval(auc, 30, 30)
    assert 0 <= low <= auc <= high <= 1
    np.testing.assert_allclose(auc_interval(1 - auc, 30, 30), (1 - high, 1 - low), atol=1e-6)
    wide = high - low
    low, high = auc_interval(auc, 300, 300)
    assert high - low < wide


def test_mmd_p_value_is_uniform_without_a_gap():
    p_values = [
        mmd_permutation(*two_sets(30, seed)[:2], 99, two_sets(30, seed)[2])[1]
        for seed in range(120)
    ]
    for level in (0.1, 0.25, 0.5, 0.75):
        assert np.mean(np.array(p_values) <= level) == pytest.approx(level, abs=0.12)


def test_mmd_is_unbiased_and_agrees_with_its_definition():
    values = [
        mmd_permutation(*two_sets(30, seed)[:2], 1, two_sets(30, seed)[2])[0] for seed in range(150)
    ]
    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(len(values))
    a, b, rng = two_sets(8, 0)
    points = np.vstack([a, b])
    squared = ((points[:, None] - points) ** 2).sum(axis=2)
    kernel = np.exp(-squared / np.median(squared[np.triu_indices(16, 1)]))
    h = kernel[:8, :8] + kernel[8:, 8:] - kernel[:8, 8:] - kernel[8:, :8]
    expected = (h.sum() - np.trace(h)) / 56
    assert mmd_permutation(a, b, 1, rng)[0] == pytest.approx(expected)


def test_scores_of_pairs_without_a_gap_are_calibrated():
    covered, p_values = [], []
    for seed in range(40):
        a, _, rng = two_sets(40, seed)
        b = a + rng.normal(scale=0.05, size=a.shape)
        a += rng.normal(scale=0.05, size=a.shape)
        low, high = classifier_auc(a, b, rng)[1]
        covered.append(low <= 0.5 <= high)
        p_values.append(mmd_permutation(a, b, 99, rng)[1])
    assert np.mean(covered) >= 0.88
    assert 0.35 < np.mean(p_values) < 0.65


def test_mmd_sees_a_shift():
    a, b, rng = two_sets(60, 0)
    assert mmd_permutation(a, b + 0.7, 99, rng)[1] == 0.01


def test_mmd_of_identical_points_is_no_gap():
    same = np.ones((10, 3))
    assert mmd_permutation(same, same, 20, np.random.default_rng(0)) == (0.0, 1.0)


def test_sliced_wasserstein_of_a_shift_is_its_mean_projection():
    a, _, rng = two_sets(50, 0, n_dims=3)
    # The mean of |cos| over directions in three dimensions is one half.
    assert sliced_wasserstein(a, a + np.array([4.0, 0, 0]), 4000, rng) == pytest.approx(
        2.0, rel=0.05
    )


def test_sliced_wasserstein_ignores_row_order():
    a, _, rng = two_sets(50, 0)
    assert sliced_wasserstein(a, rng.permutation(a), 20, rng) == pytest.approx(0, abs=1e-12)

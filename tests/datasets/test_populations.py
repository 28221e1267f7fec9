"""Simulated stars are stars: within the model's validity, clumpy, and movable on demand."""

import numpy as np
import pytest

from spectragan.datasets.populations import (
    POPULATION_MEAN,
    POPULATION_STD,
    draw_reweighted_stars,
    draw_stars,
)


def test_population_has_the_moments_it_declares():
    labels = draw_stars(100_000, np.random.default_rng(1))
    np.testing.assert_allclose((labels.mean(0) - POPULATION_MEAN) / POPULATION_STD, 0, atol=0.02)
    np.testing.assert_allclose(labels.std(0) / POPULATION_STD, 1, atol=0.02)


def test_population_holds_dwarfs_and_giants_within_validity():
    labels = draw_stars(5000, np.random.default_rng(0))
    assert labels[:, 0].min() >= 4000
    assert labels[:, 0].max() <= 7200
    giants = labels[:, 1] < 3.5
    assert 0.3 < giants.mean() < 0.6
    assert labels[giants, 0].mean() < labels[~giants, 0].mean() - 500
    assert np.corrcoef(labels[:, 0], labels[:, 1])[0, 1] > 0.5


@pytest.mark.parametrize(
    "shift", [(0.5, 0.25, 0.25), (-1.0, -0.5, -0.5), (0.0, 0.0, -1.0), (1.0, 0.0, 0.0)]
)
def test_reweighting_moves_the_means_as_asked(shift):
    labels = draw_reweighted_stars(5000, np.random.default_rng(0), np.array(shift), np.ones(3))
    moved = (labels.mean(axis=0) - POPULATION_MEAN) / POPULATION_STD
    np.testing.assert_allclose(moved, shift, atol=0.08)
    assert len(np.unique(labels[:, 0])) == 5000, "stars must not be repeated"


def test_reweighting_changes_the_widths_as_asked():
    rng = np.random.default_rng(0)
    labels = draw_reweighted_stars(5000, rng, np.zeros(3), np.array([0.5, 0.5, 0.5]))
    np.testing.assert_allclose(labels.std(axis=0) / POPULATION_STD, 0.5, atol=0.03)


def test_reweighting_refuses_what_no_population_has():
    with pytest.raises(ValueError, match="must be reachable by re-weighting"):
        draw_reweighted_stars(10, np.random.default_rng(0), np.full(3, 3.0), np.ones(3))

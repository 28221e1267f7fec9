import numpy as np
import pytest

from spectragan.translator.base import sliced_wasserstein


def distance(a, b, seed=0):
    return sliced_wasserstein(a, b, 500, np.random.default_rng(seed))


def points(n=2000, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 3))


def test_a_shift_has_the_distance_of_its_mean_projection():
    a = points()
    shift = np.array([0.0, 2.0, 0.0])
    expected = 2.0 * 0.5  # |cosine| of a random direction in three dimensions is 1/2 on average
    assert distance(a, a + shift) == pytest.approx(expected, rel=0.05)


def test_order_of_rows_is_irrelevant():
    a, b = points(), points(seed=1)
    assert distance(a, b) == pytest.approx(distance(a[::-1], b), rel=1e-12)


def test_distance_is_symmetric_and_scales():
    a, b = points(), points(seed=1) + 0.5
    assert distance(a, b) == pytest.approx(distance(b, a))
    assert distance(3 * a, 3 * b) == pytest.approx(3 * distance(a, b))


def test_sets_of_one_distribution_are_nearer_than_those_of_two():
    a, alike, wider = points(), points(seed=1), 1.3 * points(seed=2)
    assert 0 < distance(a, alike) < 0.3 * distance(a, wider)

"""The mixing score must be 1 without a gap, whatever the sizes, and 0 for sets apart."""

import numpy as np
import pytest

from spectragan.diagnostics.tsne import neighbour_mixing, null_mixing


@pytest.mark.parametrize("sizes", [(100, 100), (40, 160), (12, 12)])
def test_neighbour_mixing_is_one_on_average_without_a_gap(sizes):
    values = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        values.append(neighbour_mixing(*(rng.normal(size=(n, 3)) for n in sizes)))
    assert np.mean(values) == pytest.approx(1.0, abs=0.06)


def test_neighbour_mixing_falls_with_the_gap():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 100, 3))
    values = [neighbour_mixing(a, b + shift) for shift in (0.0, 1.0, 2.0, 20.0)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == 0.0


def test_neighbour_mixing_counts_neighbours_as_defined():
    a, b = np.array([[0.0], [1.0]]), np.array([[1.4], [9.0]])
    # Nearest others: 0 -> 1 (own), 1 -> 1.4 (other), 1.4 -> 1 (other), 9 -> 1.4 (own); chance 2/3.
    assert neighbour_mixing(a, b, n_neighbors=1) == pytest.approx(0.5 / (2 / 3))


def test_neighbour_mixing_leaves_partners_out():
    rng = np.random.default_rng(0)
    b = rng.normal(size=(100, 3))
    a = b + 1e-3 * rng.normal(size=b.shape)
    assert neighbour_mixing(a, b) > 1.05
    assert neighbour_mixing(a, b, paired=True) == pytest.approx(1.0, abs=0.05)
    with pytest.raises(ValueError, match="paired sets must have one size; got 99 and 100 rows"):
        neighbour_mixing(a[1:], b, paired=True)


def test_null_mixing_is_about_one():
    rng = np.random.default_rng(0)
    assert null_mixing(rng.normal(size=(80, 3)), rng) == pytest.approx(1.0, abs=0.1)

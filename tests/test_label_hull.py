"""The hull calls nothing inside outside."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spectragan.labels import LabelHull


@given(st.integers(1, 6), st.integers(0, 1000))
def test_mixtures_of_training_labels_are_inside(n_labels, seed):
    rng = np.random.default_rng(seed)
    labels = rng.normal(size=(50, n_labels)) * 10.0 ** rng.integers(-3, 4, n_labels)
    mixed = rng.dirichlet(np.ones(50), size=20) @ labels
    assert not LabelHull(labels).outside(np.vstack([labels, mixed])).any()


def test_labels_beyond_a_diagonal_are_outside():
    rng = np.random.default_rng(0)
    teff = rng.uniform(4000, 7000, 500)
    labels = np.column_stack([teff, teff / 1500 + rng.normal(0, 0.05, 500)])
    within_both_ranges = np.array([[4100.0, 4.5], [6900.0, 2.8]])
    assert LabelHull(labels).outside(within_both_ranges).all()


def test_a_constant_label_is_no_obstacle():
    hull = LabelHull(np.array([[1.0, 5.0], [2.0, 5.0]]))
    assert hull.outside(np.array([[1.5, 5.0], [1.5, 6.0]])).tolist() == [False, True]


def test_labels_that_are_not_finite_are_not_called_outside():
    assert not LabelHull(np.eye(3)).outside(np.full((1, 3), np.nan)).any()

import numpy as np
import pytest

from spectragan.translator.subspace import intrinsic_dimension


def manifold(n_dims, n_points=1500):
    """Return points of a curved manifold in 20 dimensions."""
    rng = np.random.default_rng(n_dims)
    latents = rng.uniform(-1, 1, size=(n_points, n_dims))
    return np.tanh(latents @ rng.normal(size=(n_dims, 20)) * 0.7 + rng.normal(size=20))


# At the edge of a set neighbours are missing, which many dimensions have more of: 5 comes out low.
@pytest.mark.parametrize(("n_dims", "tolerance"), [(1, 0.1), (2, 0.1), (3, 0.1), (5, 0.2)])
def test_intrinsic_dimension_of_a_planted_manifold(n_dims, tolerance):
    assert intrinsic_dimension(manifold(n_dims)) == pytest.approx(n_dims, rel=tolerance)


def test_intrinsic_dimension_is_not_that_of_the_space_around():
    curved = manifold(2)
    rank = (np.linalg.svd(curved - curved.mean(axis=0))[1] > 0.1).sum()
    assert rank > 3
    assert intrinsic_dimension(curved) < 2.5


def test_intrinsic_dimension_ignores_repeated_points():
    points = manifold(2, 500)
    assert intrinsic_dimension(np.tile(points, (3, 1))) == intrinsic_dimension(points)


@pytest.mark.parametrize("n_points", [1, 2])
def test_intrinsic_dimension_of_too_few_points_is_one(n_points):
    assert intrinsic_dimension(np.arange(2.0 * n_points).reshape(n_points, 2)) == 1.0

import numpy as np
import pytest

from spectragan.translator import subspace as module
from spectragan.translator.subspace import align_latents

N_PIXELS, N_LATENTS = 200, 2


def planted(n_changed=20, seed=0):
    """Return a basis and the loadings of both domains, which differ much in a few pixels."""
    rng = np.random.default_rng(seed)
    synthetic = rng.normal(size=(N_PIXELS, N_LATENTS)) * [1.0, 0.9]
    observed = synthetic.copy()
    observed[:n_changed] += 3 * rng.normal(size=(n_changed, N_LATENTS))
    components = np.linalg.qr(np.hstack([synthetic, observed]))[0].T
    return components, components @ synthetic, components @ observed


def error(alignment, synthetic, observed):
    """Return how wrong translated loadings are, in units of the gap."""
    wrong = alignment.translation @ synthetic - observed
    return np.linalg.norm(wrong) / np.linalg.norm(observed - synthetic)


@pytest.mark.parametrize("seed", range(3))
def test_align_latents_finds_the_rotation_that_squares_miss(seed, monkeypatch):
    components, synthetic, observed = planted(seed=seed)
    covariances = synthetic @ synthetic.T, observed @ observed.T
    robust = error(align_latents(components, covariances, N_LATENTS, 0), synthetic, observed)
    monkeypatch.setattr(module, "ITERATIONS", 1)  # equal weights: orthogonal Procrustes
    plain = error(align_latents(components, covariances, N_LATENTS, 0), synthetic, observed)
    assert robust < 0.3 * plain
    assert robust < 0.1


def test_align_latents_encodes_what_it_generates():
    rng = np.random.default_rng(0)
    components = np.linalg.qr(rng.normal(size=(50, 6)))[0].T
    covariances = tuple(np.cov(rng.normal(size=(6, 30))) for _ in range(2))
    found = align_latents(components, covariances, 3, 2)
    synthetic, observed = found.generators
    np.testing.assert_allclose(found.encoders[0] @ synthetic, np.eye(3), atol=1e-12)
    both = np.vstack([found.encoders[1], found.split_encoder])
    np.testing.assert_allclose(both @ observed, np.eye(5), atol=1e-12)


def test_align_latents_gives_unit_variance_latents():
    rng = np.random.default_rng(0)
    covariances = tuple(np.cov(rng.normal(size=(4, 30))) for _ in range(2))
    found = align_latents(np.eye(4), covariances, 2, 2)
    for encoder, covariance in zip(found.encoders, covariances, strict=True):
        np.testing.assert_allclose(encoder @ covariance @ encoder.T, np.eye(2), atol=1e-12)


def test_align_latents_without_split_latents_has_no_columns_for_them():
    found = align_latents(np.eye(3), (np.eye(3), np.eye(3)), 3, 0)
    assert found.split_encoder.shape == (0, 3)
    assert found.generators[1].shape == (3, 3)


def test_align_latents_survives_directions_without_variance():
    flat = np.diag([1.0, 0.0])
    found = align_latents(np.eye(2), (flat, np.diag([1.0, -1e-9])), 2, 0)
    assert np.isfinite(found.translation).all()
    assert found.translation[0, 0] == pytest.approx(1.0)

"""Lent noise must have the lender's size and mask, and go to exact rows only."""

import numpy as np

from spectragan.spectra import Spectra
from spectragan.spectra.noise import lend_noise, match_noise, relative_weights


def test_lend_noise_draws_the_lenders_noise():
    exact = Spectra(np.ones((4000, 2)), None, noise="exact")
    lender = Spectra(np.ones((1, 2)), None, ivar=[[100.0, 25.0]])
    noisy = lend_noise(exact, lender, np.random.default_rng(0))
    np.testing.assert_allclose(noisy.flux.std(axis=0), [0.1, 0.2], rtol=0.05)
    assert set(noisy.noise) == {"known"}


def test_lend_noise_joins_masks_and_spares_masked_pixels():
    exact = Spectra(np.ones((1, 3)), None, ivar=[[0.0, 1.0, 1.0]], noise="exact")
    lender = Spectra(np.ones((1, 3)), None, ivar=[[4.0, 4.0, 0.0]])
    noisy = lend_noise(exact, lender, np.random.default_rng(0))
    np.testing.assert_array_equal(noisy.ivar, [[0.0, 4.0, 0.0]])
    assert noisy.flux[0, 1] != 1.0


def test_lend_noise_leaves_observed_rows_and_the_caller_alone(world):
    synthetic, observed, _ = world
    before = synthetic.flux.copy()
    assert lend_noise(observed, observed, np.random.default_rng(0)) is observed
    assert lend_noise(synthetic, synthetic, np.random.default_rng(0)) is synthetic
    lend_noise(synthetic, observed, np.random.default_rng(0))
    np.testing.assert_array_equal(synthetic.flux, before)


def test_match_noise_lends_only_masks_where_noise_is_unknown():
    exact = Spectra(np.ones((5, 3)), None, noise="exact")
    unknown = Spectra(np.ones((5, 3)), None, ivar=[[1.0, 0.0, 1.0]] * 5, noise="unknown")
    a, b, matched = match_noise(exact, unknown, np.random.default_rng(0))
    assert not matched
    assert b is unknown
    np.testing.assert_array_equal(a.flux, exact.flux)
    np.testing.assert_array_equal(a.ivar, unknown.ivar)


def test_match_noise_works_both_ways(world):
    synthetic, observed, _ = world
    _, b, matched = match_noise(observed, synthetic, np.random.default_rng(0))
    assert matched
    assert set(b.noise) == {"known"}


def test_relative_weights_are_soft_only_where_all_noise_is_known():
    known = Spectra(np.ones((2, 3)), None, ivar=[[8.0, 4.0, 1.0], [0.0, 0.0, 0.0]])
    exact = Spectra(np.ones((1, 3)), None, noise="exact")
    np.testing.assert_array_equal(relative_weights([known])[0], [[1, 1, 0.25], [0, 0, 0]])
    np.testing.assert_array_equal(relative_weights([known, exact])[0], [[1, 1, 1], [0, 0, 0]])

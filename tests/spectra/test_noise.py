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
    (a, b), difference = match_noise([exact, unknown], np.random.default_rng(0))
    assert difference == "errors unknown"
    assert b is unknown
    np.testing.assert_array_equal(a.flux, exact.flux)
    np.testing.assert_array_equal(a.ivar, unknown.ivar)


def test_match_noise_works_both_ways(world):
    synthetic, observed, _ = world
    (_, b), difference = match_noise([observed, synthetic], np.random.default_rng(0))
    assert not difference
    assert set(b.noise) == {"known"}


def stars(std, n_pixels=400, seed=0):
    """Return spectra of pure noise, one standard deviation a row."""
    std = np.broadcast_to(np.asarray(std, float)[:, None], (len(std), n_pixels))
    flux = 1 + std * np.random.default_rng(seed).normal(size=std.shape)
    return Spectra(flux, None, std**-2)


def test_match_noise_raises_the_cleaner_row_of_each_rank():
    first, second = stars([0.03, 0.01, 0.02]), stars([0.02, 0.02, 0.02], seed=1)
    (a, b), difference = match_noise([first, second], np.random.default_rng(0))
    assert not difference
    np.testing.assert_allclose(a.ivar[:, 0] ** -0.5, [0.03, 0.02, 0.02])
    np.testing.assert_allclose(np.sort(b.ivar[:, 0] ** -0.5), [0.02, 0.02, 0.03])
    for part in (a, b):
        np.testing.assert_allclose(part.flux.std(axis=1), part.ivar[:, 0] ** -0.5, rtol=0.15)
    np.testing.assert_array_equal(a.flux[0], first.flux[0])
    np.testing.assert_allclose(first.ivar[:, 0] ** -0.5, [0.03, 0.01, 0.02])


def test_match_noise_adds_none_to_equal_errors_and_shares_masks():
    first, second = stars([0.02] * 4), stars([0.02] * 6, seed=1)
    ivar = first.ivar.copy()
    ivar[:, 3] = 0
    first = first.with_flux(first.flux, ivar)
    (a, b), difference = match_noise([first, second], np.random.default_rng(0))
    assert not difference
    np.testing.assert_array_equal(a.filled(), first.filled())
    assert not b.ivar[:, 3].any()
    np.testing.assert_allclose(np.delete(b.ivar, 3, 1), np.delete(second.ivar, 3, 1))


def test_match_noise_tells_errors_too_different_to_match():
    first, second = stars([0.005] * 4), stars([0.02] * 4)
    (a, b), difference = match_noise([first, second], np.random.default_rng(0))
    assert difference == "errors differ by a factor of 4"
    assert a is first
    assert b is second


def test_match_noise_of_three_sets_takes_the_largest():
    sets = [stars([0.02] * 3), stars([0.03] * 3), stars([0.025] * 3)]
    matched, difference = match_noise(sets, np.random.default_rng(0))
    assert not difference
    for part in matched:
        np.testing.assert_allclose(part.ivar**-0.5, 0.03)


def test_relative_weights_are_soft_only_where_all_noise_is_known():
    known = Spectra(np.ones((2, 3)), None, ivar=[[8.0, 4.0, 1.0], [0.0, 0.0, 0.0]])
    exact = Spectra(np.ones((1, 3)), None, noise="exact")
    np.testing.assert_array_equal(relative_weights([known])[0], [[1, 1, 0.25], [0, 0, 0]])
    np.testing.assert_array_equal(relative_weights([known, exact])[0], [[1, 1, 1], [0, 0, 0]])

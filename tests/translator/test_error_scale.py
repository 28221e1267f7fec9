"""Factors on standard deviations come back, with noise and without, and by rank."""

import numpy as np
import pytest
from scipy.stats import norm

from spectragan.translator.residuals import (
    COVERAGES,
    LARGEST,
    conformal_scales,
    likeliest_scale,
    scale_at,
)


def made(factor, n=40_000, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    spread = rng.uniform(0.5, 2, n)
    variance = noise * rng.uniform(0.2, 1, n)
    residual = rng.normal(size=n) * np.sqrt((factor * spread) ** 2 + variance)
    return residual, spread, variance


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_likeliest_factor_is_the_true_one_behind_noise(factor):
    assert likeliest_scale(*made(factor)) == pytest.approx(factor, rel=0.05)


def test_factors_by_rank_agree_where_errors_are_normal():
    factors = conformal_scales(*made(2.0, noise=0.1), np.arange(40_000) // 10)
    np.testing.assert_allclose(factors, 2.0, rtol=0.1)


def test_factors_by_rank_come_back_from_under_noise():
    # 100 stars, and noise of ten times the variance: the correction for 100 must not be of noise.
    factors = conformal_scales(*made(1.0, n=200_000, noise=40.0), np.arange(200_000) // 2000)
    assert scale_at(factors, 0.95) == pytest.approx(1.05, abs=0.06)


def test_factors_by_rank_follow_the_tails():
    rng = np.random.default_rng(0)
    heavy, ones = rng.standard_t(3, 40_000), np.ones(40_000)
    factors = conformal_scales(heavy, ones, 0 * ones, np.arange(40_000) // 10)
    assert (np.diff(factors) > 0).all()
    assert scale_at(factors, 0.95) * 1.96 == pytest.approx(3.18, rel=0.05)  # of a t with 3 degrees


def test_stars_count_the_same_whatever_their_pixels():
    # One star with many pixels errs ten times as much as forty stars with one pixel each.
    residual = np.concatenate([np.full(1000, 10.0), np.linspace(0.1, 1, 40)])
    stars = np.concatenate([np.zeros(1000, dtype=int), np.arange(1, 41)])
    ones = np.ones(1040)
    assert conformal_scales(residual, ones, 0 * ones, stars)[0] < 1.0


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_few_stars_with_heavy_tails_are_covered_as_often_as_asked_for(coverage):
    rng, inside = np.random.default_rng(0), 0
    for _ in range(1000):
        *seen, new = rng.standard_cauchy(21)
        factors = conformal_scales(np.array(seen), np.ones(20), np.zeros(20), np.arange(20))
        half = scale_at(factors, coverage) * norm.ppf((1 + coverage) / 2)
        inside += abs(new) <= half
    assert inside / 1000 >= coverage - 0.02


@pytest.mark.parametrize("n_stars", [10, 19])  # 0.95 (1 + 1/19) is 1, but for rounding
def test_few_stars_leave_wide_intervals_unbounded(n_stars):
    residual, spread, variance = made(1.0, n=n_stars)
    factors = conformal_scales(residual, spread, 0 * variance, np.arange(n_stars))
    assert factors[np.searchsorted(COVERAGES, 0.95)] == LARGEST
    assert factors[0] < LARGEST


def test_noise_that_explains_all_leaves_nothing():
    residual, spread, _ = made(0.0, noise=0.0)
    assert (conformal_scales(residual, spread, np.ones(40_000), np.arange(40_000)) == 0).all()

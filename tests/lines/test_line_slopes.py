"""Slopes of residuals have errors that hold, and labels come from other pixels."""

import numpy as np
import pytest

from spectragan.lines.slopes import PixelFolds, crossfit_slopes, fit_slopes, smooth_rows


def test_errors_of_slopes_hold_for_unequal_noise():
    rng = np.random.default_rng(0)
    features = np.column_stack([np.ones(300), rng.standard_normal((300, 2))])
    noise = np.exp(rng.normal(0, 0.5, 300))[:, None] * (1 + np.abs(features[:, 1:2]))
    residual = features @ [[0.5], [1.0], [-2.0]] + noise * rng.standard_normal((300, 2000))
    slopes, covariance, _ = fit_slopes(features, residual, np.ones_like(residual))
    pull = (slopes - [0.5, 1.0, -2.0]) / np.sqrt(np.einsum("jff->jf", covariance))
    assert pull.std(axis=0) == pytest.approx(1.0, abs=0.08)
    assert pull.mean(axis=0) == pytest.approx(0.0, abs=0.1)


def test_masked_values_change_no_slope():
    rng = np.random.default_rng(0)
    features = np.column_stack([np.ones(80), rng.standard_normal(80)])
    good = rng.random((80, 30)) > 0.2
    residual = np.where(good, rng.standard_normal((80, 30)), 0.0)
    spoilt = np.where(good, residual, 1e6)
    results = []
    for rows in (residual, spoilt):
        smoothed, share = smooth_rows(rows, good, 1.5)
        results.append(fit_slopes(features, smoothed, share)[0])
    np.testing.assert_array_equal(*results)


def test_smoothing_keeps_a_constant_beside_masked_pixels():
    good = np.ones((1, 40), dtype=bool)
    good[0, 18:21] = False
    smoothed, share = smooth_rows(np.where(good, 0.3, 9.9), good, 2.0)
    assert smoothed[share > 0] == pytest.approx(0.3)
    everywhere = np.zeros((1, 40), dtype=bool)
    assert not smooth_rows(np.ones((1, 40)), everywhere, 2.0)[1].any()


def test_folds_hold_every_pixel_once_and_leave_their_surroundings_out():
    folds = PixelFolds(n_pixels=103, n_folds=4, block=10, reach=3)
    inner = np.zeros(103, dtype=int)
    for fold in range(4):
        for outer, block in folds.blocks(fold):
            inner[block] += 1
            assert outer.start <= block.start
            assert outer.stop >= block.stop
    assert (inner == 1).all()
    groups = folds.groups()
    assert groups[0].all()
    assert groups[1:, 9:13].sum(axis=0).tolist() == [2, 2, 2, 2]


class Flat:
    def predict(self, parameters):
        return np.ones((len(parameters), 40))


def test_labels_unknown_to_a_fold_have_no_slope_there():
    rng = np.random.default_rng(0)
    labels = rng.standard_normal((60, 2))
    flux = 1 + 0.1 * labels[:, :1] + 0.001 * rng.standard_normal((60, 40))

    def features_of(fold):
        features = np.column_stack([np.ones(60), labels])
        if fold == 1:
            features[:, 2] = np.nan
        return labels, features

    folds = PixelFolds(n_pixels=40, n_folds=2, block=10, reach=2)
    (slopes,) = crossfit_slopes(Flat(), flux, np.ones_like(flux), features_of, folds, (0.0,))
    assert slopes.values[:, 1] == pytest.approx(0.1, abs=0.002)
    assert np.isnan(slopes.values[10:20, 2]).all()
    assert np.isfinite(slopes.errors[:10]).all()

"""Missing and altered lines of the simulated synthetic domain."""

import numpy as np

from spectragan.datasets import mock as lines
from spectragan.datasets.populations import POPULATION_MEAN

GRID = np.arange(5000.0, 5100.0, 0.9)
TYPICAL = POPULATION_MEAN[None, :]


def test_find_lines_finds_them_and_leaves_out_deep_ones():
    flux = np.ones((1, GRID.size))
    for center, depth in ((20, 0.1), (60, 0.5)):
        flux[0] -= depth * np.exp(-0.5 * ((np.arange(GRID.size) - center) / 1.5) ** 2)
    np.testing.assert_array_equal(lines.find_lines(flux, GRID), GRID[[20, 60]])
    np.testing.assert_array_equal(lines.find_lines(flux, GRID, max_depth=0.3), GRID[[20]])


def test_altered_lines_change_only_their_neighbourhood():
    altered = lines.AlteredLines(GRID[[50]], np.array([[0.3], [1.0], [0.0], [0.0], [0.0]]))
    factor = altered.scale(TYPICAL, GRID)[0]
    np.testing.assert_allclose(factor[50], 10**0.3, rtol=1e-5)
    np.testing.assert_allclose(factor[[30, 70]], 1.0, atol=1e-6)
    hotter = altered.scale(TYPICAL + np.array([500.0, 0.0, 0.0]), GRID)[0]
    assert hotter[50] < factor[50], "the error must depend on the labels"


def test_altered_lines_never_emit():
    altered = lines.AlteredLines(GRID[[50, 51]], np.full((5, 2), -20.0))
    assert (altered.scale(TYPICAL, GRID) >= 0).all()


def test_missing_lines_saturate():
    missing = lines.MissingLines(GRID[[50]], np.array([[-1.0], [0.0], [0.0], [1.0]]))
    labels = TYPICAL + np.array([[0.0, 0.0, x] for x in (-1.0, 0.0, 1.0, 3.0)])
    core = missing.optical_depth(labels, GRID)[:, 50]
    assert (np.diff(core) > 0).all(), "more metal must give a deeper line"
    assert core[1] / core[0] > core[2] / core[1] > core[3] / core[2] / 10
    assert core[3] < 0.5


def test_draws_have_the_numbers_asked_for():
    rng = np.random.default_rng(0)
    assert lines.draw_altered_lines(GRID, 0.25, rng).centers.size == round(0.25 * GRID.size)
    missing = lines.draw_missing_lines(30, (5000.0, 5100.0), rng)
    assert missing.log_strength.shape == (4, 30)
    assert ((missing.centers > 5000) & (missing.centers < 5100)).all()

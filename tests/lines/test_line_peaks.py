"""The error rate of a list of lines is the one asked for."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter1d

from spectragan.lines.table import LEAKAGE, find_peaks, peaks_expected

SIGMA = 2.0


def smooth_noise(n_pixels, n_labels, seed):
    rows = np.random.default_rng(seed).standard_normal((n_pixels, n_labels))
    rows = gaussian_filter1d(rows, SIGMA, axis=0)
    return rows / rows.std(axis=0)


def add_lines(significance, heights, spacing=60):
    profile = np.exp(-(np.arange(-30, 31) ** 2) / (4 * SIGMA**2))
    for i, height in enumerate(heights):
        center = spacing * (i + 1)
        significance[center - 30 : center + 31, i % significance.shape[1]] += height * profile
    return significance


@pytest.mark.parametrize("sigma", [1.0, 1.35, 3.0])
def test_number_of_peaks_in_noise_is_the_one_expected(sigma):
    noise = gaussian_filter1d(np.random.default_rng(0).standard_normal(1_000_000), sigma)
    noise /= noise.std()
    inner = noise[1:-1]
    top = inner[(inner > noise[:-2]) & (inner >= noise[2:])]
    heights = np.array([1.0, 2.0, 3.0, 3.5])
    counts = (top > heights[:, None]).sum(axis=1)
    expected = peaks_expected(heights, len(noise), sigma)
    assert (np.abs(counts - expected) < 4 * np.sqrt(expected)).all()


def test_noise_alone_yields_no_lines():
    found = [len(find_peaks(smooth_noise(3000, 10, seed), SIGMA, 0.05)) for seed in range(20)]
    # With nothing to find, the rate is the probability of any false line.
    assert np.mean(np.array(found) > 0) <= 0.2


def test_false_discovery_rate_is_the_one_asked_for():
    wrong, total = 0, 0
    for seed in range(10):
        rows = add_lines(smooth_noise(4000, 6, seed), np.linspace(4.5, 12, 60))
        peaks = find_peaks(rows, SIGMA, 0.2)
        right = [
            abs(p.pixel % 60) in (0, 1, 2, 3, 57, 58, 59)
            and p.label == (round(p.pixel / 60) - 1) % 6
            for p in peaks
        ]
        wrong, total = wrong + right.count(False), total + len(right)
    assert 0.1 <= wrong / total <= 0.25


def test_wings_and_leakage_of_a_line_are_part_of_it():
    rows = add_lines(np.zeros((200, 2)), [50.0])
    rows[61, 1] = 0.5 * LEAKAGE * 50.0
    (peak,) = find_peaks(rows, SIGMA, 0.05)
    assert (peak.pixel, peak.label) == (60, 0)


def test_a_blend_of_two_labels_is_two_lines():
    rows = add_lines(np.zeros((200, 2)), [50.0])
    rows[:, 1] = 0.5 * np.roll(rows[:, 0], 2)
    assert {(p.pixel, p.label) for p in find_peaks(rows, SIGMA, 0.05)} == {(60, 0), (62, 1)}


def test_unknown_pixels_are_no_lines_and_are_not_counted():
    rows = np.full((100, 2), np.nan)
    assert find_peaks(rows, SIGMA, 0.05) == []
    rows[:, 0] = add_lines(np.zeros((100, 1)), [9.0])[:, 0]
    (peak,) = find_peaks(rows, SIGMA, 0.05)
    assert peak.q == pytest.approx(float(peaks_expected(np.array(9.0), 100, SIGMA)))

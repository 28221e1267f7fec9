"""What the simulated telescope does to a spectrum."""

import numpy as np
import pytest

from spectragan.datasets import instrument


def test_broaden_gives_a_line_the_width_asked_for_and_keeps_its_area():
    pixels = np.arange(201.0)
    flux = np.ones((2, 201))
    flux[:, 100] -= 0.5
    depth = 1.0 - instrument.broaden(flux, np.array([2.0, 5.0]))
    np.testing.assert_allclose(depth.sum(axis=1), 0.5, rtol=1e-6)
    width = np.sqrt((depth * (pixels - 100) ** 2).sum(axis=1) / depth.sum(axis=1))
    np.testing.assert_allclose(width, [2.0, 5.0], rtol=1e-3)


def test_broaden_by_nothing_changes_nothing():
    flux = np.random.default_rng(0).normal(1, 0.1, (3, 50)).astype(np.float32)
    np.testing.assert_allclose(instrument.broaden(flux, np.zeros(3)), flux, atol=1e-6)


def test_broaden_does_not_wrap_around_the_edges():
    flux = np.ones((1, 100))
    flux[:, :50] = 0.5
    result = instrument.broaden(flux, np.array([3.0]))
    assert result[0, 0] == pytest.approx(0.5, abs=1e-6)
    assert result[0, -1] == pytest.approx(1.0, abs=1e-6)


def test_add_noise_declares_the_noise_it_adds():
    flux = np.full((200, 300), 0.8)
    response = np.linspace(0.5, 1.0, 300)
    snr = np.full(200, 100.0)
    noisy, ivar = instrument.add_noise(flux, snr, response, np.random.default_rng(0))
    assert np.mean((noisy - flux) ** 2 * ivar) == pytest.approx(1.0, abs=0.03)
    assert (np.diff(ivar[0]) > 0).all(), "a better response must give a larger ivar"


def test_draw_bad_pixels_stay_on_the_detector():
    rng = np.random.default_rng(0)
    rows, columns = instrument.draw_bad_pixels((50, 40), np.array([0, 39]), rng)
    assert ((rows >= 0) & (rows < 50)).all()
    assert ((columns >= 0) & (columns < 40)).all()

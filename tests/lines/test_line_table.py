"""Positions, widths and depths of lines are those of the profiles they come from."""

import astropy.units as u
import numpy as np
import pytest

from spectragan.lines.table import Peak, estimate_sigma, make_line_table
from spectragan.spectra.steps.broadening import FWHM_PER_SIGMA


def profile(center, sigma, n=200):
    return np.exp(-0.5 * ((np.arange(n) - center) / sigma) ** 2)


def table_of(wavelength, explained=True):
    smooth = 20 * profile(80.3, np.hypot(2.0, 1.5))[:, None]
    return make_line_table(
        [Peak(80, 0, 20.0, 1e-9)],
        [("Fe", "Ni")],
        smooth,
        -0.1 * smooth,
        -0.2 * profile(80.3, 2.0)[:, None],
        np.full((200, 1), 0.01),
        np.full((200, 1), explained),
        -0.1 * profile(80.3, 2.0),
        wavelength,
        1.5,
    )


def test_table_says_where_a_line_is_and_how_wide_and_deep():
    (row,) = table_of((5000 + 0.5 * np.arange(200)) * u.AA)
    assert row["wavelength"] == pytest.approx(5040.15, abs=0.02)
    assert row["width"] == pytest.approx(0.5 * FWHM_PER_SIGMA * 2.0, rel=0.03)
    assert row["depth"] == pytest.approx(0.1, rel=0.02)
    assert (row["label"], row["alternatives"]) == ("Fe", "Ni")
    assert row["derivative"] == pytest.approx(-0.2, rel=0.02)


def test_table_counts_pixels_where_there_are_no_wavelengths():
    (row,) = table_of(None)
    assert row["wavelength"] == pytest.approx(80.3, abs=0.05)


def test_a_line_whose_owner_does_not_explain_it_is_nobodys():
    (row,) = table_of(None, explained=False)
    assert row["label"] == ""


def test_a_table_without_lines_has_all_columns():
    empty = make_line_table(
        [], [("Fe",)], *(np.zeros((9, 1)),) * 4, np.ones((9, 1), bool), np.zeros(9), None, 1.0
    )
    assert len(empty) == 0
    assert empty.colnames[:4] == ["wavelength", "width", "depth", "label"]


@pytest.mark.parametrize("sigma", [1.5, 3.0])
def test_width_of_lines_is_read_from_derivatives(sigma):
    rows = np.column_stack([profile(50, sigma) + profile(120, sigma), profile(90, sigma)])
    assert estimate_sigma(-rows) == pytest.approx(sigma, rel=0.06)
    assert estimate_sigma(np.zeros((9, 2))) == 1.0

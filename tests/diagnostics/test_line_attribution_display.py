"""The picture of missing lines shows what was found, and says what it can't show."""

from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

from spectragan.diagnostics import LineAttributionDisplay


@pytest.fixture
def lines():
    values = np.random.default_rng(0).normal(size=(50, 3))
    return SimpleNamespace(
        table=Table({"wavelength": [5010.0, 5030.0], "label": ["Fe", "Mg"]}),
        label_names=("teff", "Fe", "Mg"),
        owners=("Fe", "Mg"),
        wavelength=np.linspace(5000, 5049, 50) * u.AA,
        synthetic=values,
        observed=values - 1,
        error=np.full((50, 3), 0.1),
        offset=np.zeros(50),
    )


TRUTH = Table({"wavelength": [5010.2, 5020.0], "element": ["Fe", "Fe"], "missing": [True, False]})


def test_display_has_a_panel_per_label_with_both_derivatives(lines):
    display = LineAttributionDisplay(lines).plot()
    assert [ax.get_title(loc="left") for ax in display.axes_] == ["Fe", "Mg"]
    observed, synthetic = display.axes_[0].lines[:2]
    np.testing.assert_array_equal(observed.get_ydata(), lines.observed[:, 1])
    np.testing.assert_array_equal(synthetic.get_ydata(), lines.synthetic[:, 1])


def test_display_marks_found_and_missing_lines_of_each_label(lines):
    display = LineAttributionDisplay(lines, TRUTH).plot(labels=["Fe"])
    found, missing = display.axes_[0].lines[2:]
    assert found.get_xdata().tolist() == [5010.0]
    # A line that both domains have is no missing one.
    assert missing.get_xdata().tolist() == [5010.2]


def test_display_cuts_to_limits_and_takes_axes(lines):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2)
    display = LineAttributionDisplay(lines).plot(axes, limits=(5005, 5012))
    assert display.figure_ is figure
    assert display.axes_[0].get_xlim() == (5005, 5012)


def test_display_counts_pixels_without_wavelengths(lines):
    lines.wavelength = None
    lines.table["wavelength"] = [10.0, 30.0]
    assert LineAttributionDisplay(lines).plot().axes_[-1].get_xlabel() == "pixel"


def test_display_refuses_unknown_labels_and_empty_limits(lines):
    with pytest.raises(ValueError, match="`labels` must name at least one of teff, Fe, Mg"):
        LineAttributionDisplay(lines).plot(labels=["Zr"])
    with pytest.raises(ValueError, match="`limits` must hold a pixel"):
        LineAttributionDisplay(lines).plot(limits=(1, 2))

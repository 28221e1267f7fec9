"""Data sets: real stars, true syntheses, a synthetic model and pairs with known truth."""

from spectragan.datasets.mock import make_mock_domains
from spectragan.datasets.mock_lines import make_line_domains
from spectragan.datasets.real import load_gaia_xp, load_miles, load_turbospectrum
from spectragan.datasets.synthetic import SyntheticModel, make_synthetic_spectra

__all__ = [
    "SyntheticModel",
    "load_gaia_xp",
    "load_miles",
    "load_turbospectrum",
    "make_line_domains",
    "make_mock_domains",
    "make_synthetic_spectra",
]

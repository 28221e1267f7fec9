"""Spectra as data: the container, conversion from and to specutils, and transformers."""

from spectragan.spectra.container import Spectra
from spectragan.spectra.continuum import ContinuumNormalizer
from spectragan.spectra.convert import as_spectra, like_input
from spectragan.spectra.domains import (
    check_domain,
    check_domain_scales,
    concatenate,
    split_domains,
    stack_domains,
)
from spectragan.spectra.estimator_input import validate_spectra
from spectragan.spectra.grid import check_same_grid, same_grid

__all__ = [
    "ContinuumNormalizer",
    "Spectra",
    "as_spectra",
    "check_domain",
    "check_domain_scales",
    "check_same_grid",
    "concatenate",
    "like_input",
    "same_grid",
    "split_domains",
    "stack_domains",
    "validate_spectra",
]

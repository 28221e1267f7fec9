"""Spectra as data: the container, conversion from and to specutils, and transformers."""

from spectragan.spectra.broadening import Broadener
from spectragan.spectra.container import Spectra
from spectragan.spectra.continuum import ContinuumNormalizer
from spectragan.spectra.convert import as_spectra, like_input
from spectragan.spectra.domains import (
    check_domain,
    check_domain_scales,
    split_domains,
    stack_domains,
)
from spectragan.spectra.estimator_input import validate_spectra
from spectragan.spectra.grid import check_same_grid, same_grid
from spectragan.spectra.harmonization import HarmonizationReport, harmonize
from spectragan.spectra.joining import concatenate
from spectragan.spectra.lazy import LazySpectra
from spectragan.spectra.medium import AirVacuumConverter
from spectragan.spectra.noise_injection import NoiseInjector
from spectragan.spectra.outliers import OutlierInterpolator
from spectragan.spectra.range_masks import SkyLineMasker, TelluricMasker
from spectragan.spectra.resampling import Resampler
from spectragan.spectra.velocity import RestFrameShifter

__all__ = [
    "AirVacuumConverter",
    "Broadener",
    "ContinuumNormalizer",
    "HarmonizationReport",
    "LazySpectra",
    "NoiseInjector",
    "OutlierInterpolator",
    "Resampler",
    "RestFrameShifter",
    "SkyLineMasker",
    "Spectra",
    "TelluricMasker",
    "as_spectra",
    "check_domain",
    "check_domain_scales",
    "check_same_grid",
    "concatenate",
    "harmonize",
    "like_input",
    "same_grid",
    "split_domains",
    "stack_domains",
    "validate_spectra",
]

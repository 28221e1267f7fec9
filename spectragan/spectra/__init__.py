"""Spectra as data: the container, conversion from and to specutils, and transformers."""

from spectragan.spectra.container import Spectra
from spectragan.spectra.convert import as_spectra, like_input
from spectragan.spectra.domains import (
    check_domain,
    check_domain_scales,
    split_domains,
    stack_domains,
)
from spectragan.spectra.inputs import validate_spectra
from spectragan.spectra.joining import check_same_grid, concatenate, same_grid
from spectragan.spectra.lazy import LazySpectra
from spectragan.spectra.steps.broadening import Broadener
from spectragan.spectra.steps.continuum import ContinuumNormalizer
from spectragan.spectra.steps.harmonization import HarmonizationReport, harmonize
from spectragan.spectra.steps.medium import AirVacuumConverter
from spectragan.spectra.steps.noise_injection import NoiseInjector
from spectragan.spectra.steps.outliers import OutlierInterpolator
from spectragan.spectra.steps.range_masks import SkyLineMasker, TelluricMasker
from spectragan.spectra.steps.resampling import Resampler
from spectragan.spectra.steps.velocity import RestFrameShifter

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

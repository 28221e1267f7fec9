"""Translate synthetic stellar spectra into observed ones, and back, without pairs.

The public names below are loaded on first use, so that ``import spectragan`` stays fast and
does not import torch, skorch, specutils or matplotlib.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_HOMES = {
    "spectragan.spectra": (
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
        "harmonize",
        "stack_domains",
    ),
    # A home of its own: FITS and tables take a while to import, and most steps need neither.
    "spectragan.spectra.reading": ("read_spectra",),
    "spectragan.exceptions": (
        "CheckpointError",
        "CheckpointWarning",
        "AttributionWarning",
        "ContinuumWarning",
        "DomainScaleWarning",
        "FewSpectraWarning",
        "FileAssumptionWarning",
        "FitQualityWarning",
        "GridMismatchError",
        "LabelExtrapolationWarning",
        "LabelMismatchWarning",
        "LabelUnitWarning",
        "MissingLabelWarning",
        "MissingWavelengthWarning",
        "ModelFileError",
        "NaNFluxWarning",
        "NoiseWarning",
        "OddSpectraWarning",
        "SkippedFileWarning",
        "SpectraganWarning",
        "SpectrumFileError",
        "SubspaceTruncationWarning",
        "SwappedDomainsWarning",
        "TrainingHealthWarning",
        "UnusedDataWarning",
        "VelocityWarning",
    ),
    "spectragan.labels": ("LabelArray",),
    "spectragan.emulator.estimator": ("SpectrumEmulator",),
    "spectragan.starnet.estimator": ("StarNetRegressor",),
    "spectragan.translator.estimator": ("CycleGANTranslator",),
    "spectragan.translator.baselines": ("LinearTranslator", "MeanShiftTranslator"),
    "spectragan.translator.closed_form": ("PseudoPairTranslator",),
    "spectragan.translator.matching.known_stars": ("RoughLabels",),
    "spectragan.translator.ensemble": ("TranslatorEnsemble",),
    "spectragan.translator.observed": ("ObservedEmulator",),
    "spectragan.translator.scores": ("cycle_scorer", "cycle_scores", "pseudo_pair_score"),
    "spectragan.fitting.estimator": ("ParameterFitter",),
    "spectragan.lines.attribution": ("LineAttribution",),
    "spectragan.lines.inventions": ("find_inventions",),
    "spectragan.diagnostics": (
        "compare_labels",
        "gap_scores",
        "label_drift",
        "out_of_distribution",
        "translation_report",
        "tsne_gap",
    ),
    "spectragan.files": ("load", "model_card"),
    "spectragan.versions": ("show_versions",),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}
_SUBPACKAGES = ("datasets", "diagnostics", "exceptions", "interop", "networks", "spectra")

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    """Load a public name, or a subpackage, on first use (PEP 562)."""
    if name in _MODULE_OF:
        value = getattr(import_module(_MODULE_OF[name]), name)
        globals()[name] = value
        return value
    if name in _SUBPACKAGES:
        return import_module(f"spectragan.{name}")
    raise AttributeError(f"module 'spectragan' has no attribute {name!r}")


def __dir__() -> list[str]:
    """List the public names, loaded or not."""
    return sorted([*globals(), *__all__, *_SUBPACKAGES])

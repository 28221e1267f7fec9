"""Errors and warnings a user may meet; importable from every layer.

Everything else that goes wrong is a plain `ValueError` or `TypeError`.
"""

__all__ = [
    "ContinuumWarning",
    "DomainScaleWarning",
    "GridMismatchError",
    "LabelExtrapolationWarning",
    "MissingWavelengthWarning",
    "NaNFluxWarning",
    "NoiseWarning",
    "SkippedFileWarning",
    "SpectraganWarning",
    "SpectrumFileError",
    "SubspaceTruncationWarning",
    "VelocityWarning",
]


class SpectraganWarning(UserWarning):
    """Base of all warnings of this package.

    Silence one of them, or all, with the standard library::

        import warnings
        from spectragan import NaNFluxWarning, SpectraganWarning

        warnings.simplefilter("ignore", NaNFluxWarning)  # one
        warnings.simplefilter("ignore", SpectraganWarning)  # all
    """


class NaNFluxWarning(SpectraganWarning):
    """Flux holds NaN or infinite values that no mask announced; they get ivar 0."""


class ContinuumWarning(SpectraganWarning):
    """The continuum of some spectra can't be fitted or isn't positive; they get ivar 0 there."""


class DomainScaleWarning(SpectraganWarning):
    """The flux scales of the two domains differ grossly: normalise both the same way first."""


class LabelExtrapolationWarning(SpectraganWarning):
    """Labels lie outside the range that the model was trained on."""


class MissingWavelengthWarning(SpectraganWarning):
    """Spectra lack wavelengths, or those that a step is about: it changes nothing."""


class NoiseWarning(SpectraganWarning):
    """Some spectra can't be given noise; they stay as they are."""


class VelocityWarning(SpectraganWarning):
    """The velocity of some spectra can't be measured; they get ivar 0."""


class SubspaceTruncationWarning(SpectraganWarning):
    """Real structure of the spectra lies outside the subspace that the model works in."""


class GridMismatchError(ValueError):
    """Two sets of spectra aren't on one wavelength grid; resample one onto the other first."""


class SkippedFileWarning(SpectraganWarning):
    """Some files can't be read and are left out; ask for the table of them."""


class SpectrumFileError(ValueError):
    """A file can't be read as spectra; the message names the file, the cause and a remedy."""

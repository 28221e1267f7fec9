"""Errors and warnings a user may meet; importable from every layer.

Everything else that goes wrong is a plain `ValueError` or `TypeError`.
"""

__all__ = [
    "AttributionWarning",
    "CheckpointError",
    "CheckpointWarning",
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
]


class SpectraganWarning(UserWarning):
    """Base of all warnings of this package.

    Silence one of them, or all, with the standard library::

        import warnings
        from spectragan import NaNFluxWarning, SpectraganWarning

        warnings.simplefilter("ignore", NaNFluxWarning)  # one
        warnings.simplefilter("ignore", SpectraganWarning)  # all
    """


class AttributionWarning(SpectraganWarning):
    """Spectra or translator say too little about labels to attribute lines to them."""


class NaNFluxWarning(SpectraganWarning):
    """Flux holds NaN or infinite values that no mask announced; they get ivar 0."""


class ContinuumWarning(SpectraganWarning):
    """The continuum of some spectra can't be fitted or isn't positive; they get ivar 0 there."""


class DomainScaleWarning(SpectraganWarning):
    """Flux scales differ grossly, between domains or stars: normalise all the same way first."""


class SwappedDomainsWarning(SpectraganWarning):
    """Spectra of one domain seem to have been given as those of the other."""


class FewSpectraWarning(SpectraganWarning):
    """A domain has so few spectra that a baseline may translate better; the message names it."""


class FitQualityWarning(SpectraganWarning):
    """Many fitted labels can't be right: at a bound, or of spectra that no model describes."""


class LabelExtrapolationWarning(SpectraganWarning):
    """Labels lie outside the range that the model was trained on."""


class LabelMismatchWarning(SpectraganWarning):
    """The labels of the two domains seem to be distributed differently."""


class LabelUnitWarning(SpectraganWarning):
    """Labels can't be in the unit that their name stands for; their columns get none."""


class MissingLabelWarning(SpectraganWarning):
    """Codes such as -9999 stand where stars have no label; what isn't known is left out."""


class TrainingHealthWarning(SpectraganWarning):
    """The adversarial game went wrong; the message says how, and what was done."""


class MissingWavelengthWarning(SpectraganWarning):
    """Spectra lack wavelengths, or those that a step is about: it changes nothing."""


class NoiseWarning(SpectraganWarning):
    """Some spectra can't be given noise, or errors can't be what they are said to be."""


class OddSpectraWarning(SpectraganWarning):
    """Some spectra don't look like data: filled gaps, wild pixels, copies of each other."""


class VelocityWarning(SpectraganWarning):
    """The velocity of some spectra can't be measured; they get ivar 0."""


class SubspaceTruncationWarning(SpectraganWarning):
    """Real structure of the spectra lies outside the subspace that the model works in."""


class CheckpointWarning(SpectraganWarning):
    """A checkpoint can't be written, or can't be read and an older one takes its place."""


class GridMismatchError(ValueError):
    """Two sets of spectra aren't on one wavelength grid; resample one onto the other first."""


class ModelFileError(ValueError):
    """A model can't be saved as a file, or a file isn't a model; the message says why."""


class SkippedFileWarning(SpectraganWarning):
    """Some files can't be read and are left out; ask for the table of them."""


class FileAssumptionWarning(SpectraganWarning):
    """A file leaves something open that was assumed; the message says what, and how to say it."""


class UnusedDataWarning(SpectraganWarning):
    """Parts of a file are as long as the flux and aren't used; the message names them."""


class SpectrumFileError(ValueError):
    """A file can't be read as spectra; the message names the file, the cause and a remedy."""


class CheckpointError(ValueError):
    """A fit can't be kept in, or resumed from, a directory; the message names the difference."""

"""Which classes a model file may hold, by their names, and where they are written.

This table is all that reading looks classes up in: a name that isn't here is refused, and none is
ever imported because a file says so. What a file keeps of a class, the class says itself:

``_kept``
    Rules of its fitted attributes, or of its fields, in words of `spectragan.files.rules`: a kind,
    followed by sizes that must agree within an object. A name with a question mark may be missing.
    Those of its bases hold, too.
``_kept_arguments``
    Of a network instead: rules of its ``arguments``, the sizes that it was made with.
``_left_out``
    Fitted attributes that a file doesn't keep.
``_gone``
    Parameters of earlier versions, which said how to train and nothing of the result.
``_from_file(values)``
    Makes an object of its fields where the constructor takes others.
``_after_loading()``
    Checks what only shows in use, and adds what follows from the rest.
"""

from importlib import import_module
from typing import Any

Rules = dict[str, str]

PLACE = "checkpoint"  # the parameter that names a directory: files, and who loads one, have None
UNKEPT = (PLACE, "callbacks")  # parameters about one training alone
HOMES: dict[str, tuple[str, ...]] = {
    "sklearn.frozen": ("FrozenEstimator",),
    "spectragan.emulator.estimator": ("SpectrumEmulator",),
    "spectragan.emulator.network": ("EmulatorNetwork",),
    "spectragan.files.decoding": ("LoadedNet",),
    "spectragan.fitting.estimator": ("ParameterFitter",),
    "spectragan.spectra.container": ("Spectra",),
    "spectragan.spectra.steps.broadening": ("Broadener",),
    "spectragan.spectra.steps.continuum": ("ContinuumNormalizer",),
    "spectragan.spectra.steps.medium": ("AirVacuumConverter",),
    "spectragan.spectra.steps.noise_injection": ("NoiseInjector",),
    "spectragan.spectra.steps.outliers": ("OutlierInterpolator",),
    "spectragan.spectra.steps.range_masks": ("SkyLineMasker", "TelluricMasker"),
    "spectragan.spectra.steps.resampling": ("Resampler",),
    "spectragan.spectra.steps.velocity": ("RestFrameShifter",),
    "spectragan.starnet.estimator": ("StarNetRegressor",),
    "spectragan.starnet.inputs": ("PixelScaling",),
    "spectragan.starnet.network": ("StarNet",),
    "spectragan.translator.baselines": ("LinearTranslator", "MeanShiftTranslator"),
    "spectragan.translator.closed_form": ("PseudoPairTranslator",),
    "spectragan.translator.ensemble": ("TranslatorEnsemble",),
    "spectragan.translator.estimator": ("CycleGANTranslator",),
    "spectragan.translator.game.health": ("TrainingHealth",),
    "spectragan.translator.matching.mismatch": ("LabelMismatch",),
    "spectragan.translator.matching.own_changes": ("OwnChanges",),
    "spectragan.translator.matching.pseudo_map": ("PseudoMap",),
    "spectragan.translator.networks.conv": (
        "AdaptedConvTranslator",
        "ConvCritic",
        "ConvTranslator",
    ),
    "spectragan.translator.networks.pixels": ("PixelTranslator", "SubspacePixels"),
    "spectragan.translator.networks.subspace": ("SubspaceTranslator",),
    "spectragan.translator.observed": ("ObservedEmulator",),
    "spectragan.translator.representation": ("PixelRepresentation", "SubspaceRepresentation"),
    "spectragan.translator.subspace": ("Subspace",),
}
HOME_OF = {name: home for home, names in HOMES.items() for name in names}
FOREIGN: dict[str, Rules] = {"FrozenEstimator": {"estimator": "object"}}
_NAMES = {
    **{f"{home}.{name}": name for name, home in HOME_OF.items()},
    # skorch nets, of which a file keeps module and history only.
    "spectragan.emulator.training.EmulatorNet": "LoadedNet",
    "spectragan.starnet.training.StarNetNet": "LoadedNet",
    # Where scikit-learn has written it, beside where it is public.
    "sklearn.frozen._frozen.FrozenEstimator": "FrozenEstimator",
}


def name_of(value: Any) -> str | None:
    """Return the name under which a file holds a value's class, or None.

    Parameters
    ----------
    value : object

    Returns
    -------
    name : str or None
    """
    kind = type(value)
    return _NAMES.get(f"{kind.__module__}.{kind.__qualname__}")


def class_of(name: str) -> Any:
    """Return a class of the table.

    Parameters
    ----------
    name : str
        In the table.

    Returns
    -------
    cls : type
    """
    return getattr(import_module(HOME_OF[name]), name)


def kind_of(name: str) -> str:
    """Return how an object of the table is made.

    Parameters
    ----------
    name : str
        Of its class, in the table.

    Returns
    -------
    kind : {"estimator", "object", "network"}
        Of parameters, and then given attributes; of its fields; of sizes, and then given tensors.
    """
    cls = class_of(name)
    if hasattr(cls, "_kept_arguments"):
        return "network"
    return "estimator" if hasattr(cls, "get_params") and name not in FOREIGN else "object"


def rules_of(name: str) -> Rules:
    """Return what must hold for the attributes, fields or arguments of an object.

    Parameters
    ----------
    name : str
        Of its class, in the table.

    Returns
    -------
    rules : dict of str to str
    """
    cls = class_of(name)
    if name in FOREIGN:
        return FOREIGN[name]
    if hasattr(cls, "_kept_arguments"):
        return cls._kept_arguments
    own = [vars(base).get("_kept", {}) for base in reversed(cls.__mro__)]
    return {name: rule for rules in own for name, rule in rules.items()}

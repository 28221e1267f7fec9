"""What a model file may hold: every class by name, and what must be known of each.

This table is all that reading looks classes up in: a name that isn't here is refused, and none is
ever imported because a file says so. Rules are words of `spectragan.files.rules`: a kind,
followed by sizes that must agree within an object. A name with a question mark may be missing.
"""

from importlib import import_module
from typing import Any, NamedTuple

Rules = dict[str, str]

SPECTRA = "spectragan.spectra."
PLACE = "checkpoint"  # the parameter that names a directory: files, and who loads one, have None
STEPS = "spectragan.spectra.steps."
TRANSLATOR = "spectragan.translator."
NETWORKS_HOME = "spectragan.translator.networks."


class Entry(NamedTuple):
    """One class that files may hold.

    Attributes
    ----------
    home : str
        The module it is written in.
    kind : {"estimator", "object", "network"}
        Made of parameters and then given attributes; made of its fields; made of sizes and then
        given tensors.
    rules : dict of str to str
        What must hold for its attributes, fields or sizes.
    left_out : tuple of str
        Attributes that a file doesn't keep.
    gone : tuple of str
        Parameters of earlier versions, which said how to train and nothing of the result.
    """

    home: str
    kind: str
    rules: Rules
    left_out: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


_GRID: Rules = {
    "n_features_in_": "count p",
    "wavelength_": "axis? p",
    "medium_": "word?",
    "feature_names_in_?": "names p",
    "_sklearn_output_config?": "any",
}
_TRANSLATOR: Rules = {
    **_GRID,
    "unit_": "unit",
    "subspace_": "Subspace k p",
}
_LABELS: Rules = {
    "label_names_": "words l",
    "label_range_": "array 2 l",
    "_label_units": "units",
    "_one_dimensional": "flag",
    "unit_": "unit",
}
_MEMBERS = "CycleGANTranslator|LinearTranslator|MeanShiftTranslator|PseudoPairTranslator"
# An affine map has one shared latent per component, and no split ones.
_AFFINE: Rules = {
    **_TRANSLATOR,
    "n_shared_": "count k",
    "n_split_": "count 0",
    "_matrix": "array k k",
}


def _spectra(module: str, **rules: str) -> Entry:
    return Entry(STEPS + module, "estimator", {**_GRID, **rules})


def _network(home: str, **rules: str) -> Entry:
    return Entry(home, "network", rules)


_CONV = {
    "n_pixels": "count p",
    "n_shared": "whole",
    "n_split": "whole",
    "width": "number",
    "strides": "sizes",
}

CLASSES: dict[str, Entry] = {
    # Transformers of spectra
    "AirVacuumConverter": _spectra(
        "medium", initial_medium_="word?", old_axis_="axis? p", new_axis_="axis? p"
    ),
    "Broadener": _spectra("broadening", matrix_="sparse? p p"),
    "ContinuumNormalizer": _spectra("continuum", chunks_="slices p", continuum_pixels_="flags? p"),
    "NoiseInjector": _spectra("noise_injection", unit_="unit", std_="array? n p"),
    "OutlierInterpolator": _spectra(
        "outliers", unit_="unit", median_="array p", scatter_="array p"
    ),
    "Resampler": _spectra(
        "resampling", old_axis_="axis? p", new_axis_="axis? q", matrix_="sparse? q p"
    ),
    "RestFrameShifter": _spectra("velocity", template_="Spectra? n p"),
    "SkyLineMasker": _spectra("range_masks", ranges_="array r 2"),
    "TelluricMasker": _spectra("range_masks", ranges_="array r 2"),
    # Translators, emulators, and what finds labels
    "CycleGANTranslator": Entry(
        TRANSLATOR + "estimator",
        "estimator",
        {
            **_TRANSLATOR,
            "_representation": "SubspaceRepresentation|PixelRepresentation k p",
            "network_": "SubspacePixels|PixelTranslator p k s t",
            "n_shared_": "count s",
            "n_split_": "count t",
            "split_codes_": "array c t",
            "_latent_shapes": "shapes s t",
            "history_": "history",
            "health_?": "TrainingHealth",
            "mismatch_?": "LabelMismatch?",
            "offset_covariance_?": "array? s s",
        },
        ("net_",),
        ("compile", "precision"),
    ),
    "LinearTranslator": Entry(TRANSLATOR + "baselines", "estimator", _AFFINE),
    "MeanShiftTranslator": Entry(TRANSLATOR + "baselines", "estimator", _AFFINE),
    "PseudoPairTranslator": Entry(
        TRANSLATOR + "closed_form",
        "estimator",
        {
            **_TRANSLATOR,
            "map_": "PseudoMap s p",
            "mismatch_": "LabelMismatch?",
            "offset_covariance_": "array? s s",
            "n_shared_": "count s",
            "n_split_": "count 0",
        },
    ),
    "TranslatorEnsemble": Entry(
        TRANSLATOR + "ensemble",
        "estimator",
        {
            **_TRANSLATOR,
            "members_": f"list:{_MEMBERS} p",
            "n_shared_": "count s",
            "n_split_": "count t",
            "floor_": "number",
            "factors_": "array 10",
            "offset_factors_?": "array 10",
        },
    ),
    "SpectrumEmulator": Entry(
        "spectragan.emulator.estimator",
        "estimator",
        {
            **_LABELS,
            "n_features_in_": "count l",
            "feature_names_in_?": "names l",
            "wavelength_": "axis? p",
            "medium_": "word?",
            "net_": "LoadedNet l p",
        },
    ),
    "StarNetRegressor": Entry(
        "spectragan.starnet.estimator",
        "estimator",
        {
            **_GRID,
            **_LABELS,
            "_named": "flag",
            "_label_mean": "array l",
            "_label_scale": "array l",
            "_scaling": "PixelScaling p",
            "std_factor_": "array l",
            "history_": "history",
            "nets_": "list:LoadedNet l p",
        },
    ),
    "ParameterFitter": Entry(
        "spectragan.fitting.estimator",
        "estimator",
        {
            **_GRID,
            "emulator_": "SpectrumEmulator|ObservedEmulator",
            "_names": "words l",
            "_range": "array 2 l",
            "_one_dimensional": "flag",
            "err_inflation_": "array l",
            "translation_covariance_?": "array? l l",
            "_fitted_parameters": "parameters",
        },
        ("_built", "_prepared"),
    ),
    "ObservedEmulator": Entry(
        TRANSLATOR + "observed",
        "object",
        {
            "emulator": "SpectrumEmulator|FrozenEstimator",
            "translator": "CycleGANTranslator|LinearTranslator|MeanShiftTranslator"
            "|TranslatorEnsemble|FrozenEstimator",
            "split": "any",
        },
    ),
    "FrozenEstimator": Entry("sklearn.frozen", "object", {"estimator": "object"}),
    # Their parts
    "Spectra": Entry(
        SPECTRA + "container",
        "object",
        {
            "flux": "array n p",
            "ivar": "array n p",
            "noise": "any",
            "spectral_axis": "axis? p",
            "medium": "word?",
            "meta": "any",
            "unit": "unit",
        },
    ),
    "Subspace": Entry(
        "spectragan.translator.subspace",
        "object",
        {"means": "array 2 p", "components": "array k p", "spread": "array k"},
    ),
    "SubspaceRepresentation": Entry(
        "spectragan.translator.representation", "object", {"subspace": "Subspace k p"}
    ),
    "PixelRepresentation": Entry(
        "spectragan.translator.representation", "object", {"subspace": "Subspace k p"}
    ),
    "TrainingHealth": Entry(
        "spectragan.translator.game.health",
        "object",
        {"problems": "words n", "penalty": "number", "healthy": "flag"},
    ),
    "PseudoMap": Entry(
        TRANSLATOR + "matching.pseudo_map",
        "object",
        {
            "mean": "array p",
            "encoder": "array s p",
            "synthetic": "array t p",
            "change": "array t p",
            "emphasis": "array p",
            "limits": "array 2 s",
            "degree": "whole",
        },
    ),
    "LabelMismatch": Entry(
        "spectragan.translator.matching.mismatch",
        "object",
        {
            "offset": "array n",
            "offset_error": "array n",
            "scale": "array n",
            "p_value": "number",
            "shares": "any",
            "matched": "flag",
            "common?": "array 4 2",
            "bounded?": "flag",
        },
    ),
    "PixelScaling": Entry(
        "spectragan.starnet.inputs",
        "object",
        {"mean": "array p", "scale": "array p", "seen": "flags p"},
    ),
    "LoadedNet": Entry(
        "spectragan.files.decoding",
        "object",
        {"module_": "EmulatorNetwork|StarNet l p", "history": "epochs"},
    ),
    "PixelTranslator": Entry(
        NETWORKS_HOME + "pixels",
        "object",
        {"network": "ConvTranslator|AdaptedConvTranslator|own p"},
    ),
    "SubspacePixels": Entry(
        NETWORKS_HOME + "pixels",
        "object",
        {
            "network": "SubspaceTranslator k s t",
            "means": "array 2 p",
            "components": "array k p",
            "scale": "array k",
            "synthetic_head": "array f p",
            "observed_head": "array g p",
        },
    ),
    # Networks
    "SubspaceTranslator": _network(
        NETWORKS_HOME + "subspace",
        n_components="count k",
        n_shared="count s",
        n_split="count t",
        hidden="sizes",
    ),
    "ConvCritic": _network(NETWORKS_HOME + "conv", **_CONV),
    "ConvTranslator": _network(NETWORKS_HOME + "conv", **_CONV),
    "AdaptedConvTranslator": _network(NETWORKS_HOME + "conv", **_CONV, components="whole"),
    "EmulatorNetwork": _network(
        "spectragan.emulator.network",
        n_labels="count l",
        n_pixels="count p",
        n_components="whole",
        n_centers="whole",
        hidden="sizes",
        unit_median="flag",
    ),
    "StarNet": _network(
        "spectragan.starnet.network",
        n_pixels="count p",
        n_labels="count l",
        filters="sizes",
        hidden="sizes",
    ),
}

_NAMES = {
    **{f"{entry.home}.{name}": name for name, entry in CLASSES.items()},
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


def class_of(name: str) -> type:
    """Return a class of the table.

    Parameters
    ----------
    name : str
        In the table.

    Returns
    -------
    cls : type
    """
    return getattr(import_module(CLASSES[name].home), name)

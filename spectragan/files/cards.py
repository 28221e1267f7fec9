"""A model in words: what its file says in the header, and the card made of it."""

import os
import platform
from collections.abc import Mapping
from copy import copy
from importlib.metadata import version
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from spectragan.exceptions import ModelFileError
from spectragan.files.classes import HOME_OF, PLACE
from spectragan.files.layout import brief, read_model_file, refusal

PACKAGES = ("spectragan", "torch", "numpy", "scikit-learn", "astropy")
LONGEST_VALUE = 200  # characters of a parameter's value


def describe(model: Any) -> dict[str, Any]:
    """Return what is said about a fitted model, as plain data.

    Parameters
    ----------
    model : estimator or ObservedEmulator
        Fitted.

    Returns
    -------
    about : dict
        Class, versions, grid, labels, parameters and scores.
    """
    return {
        "class": type(model).__name__,
        "versions": {name: version(name) for name in PACKAGES}
        | {"python": platform.python_version()},
        "grid": _grid(model),
        "labels": _labels(model),
        "parameters": _parameters(model),
        "sizes": _sizes(model),
        "last_epoch": _last_epoch(model),
    }


def _grid(model: Any) -> dict[str, Any]:
    """Return the pixels: how many, from where to where, in what medium and flux unit."""
    axis = getattr(model, "wavelength_", None)
    n_pixels = getattr(model, "n_features_in_", None) if axis is None else len(axis)
    if hasattr(model, "components_"):
        n_pixels = model.components_.shape[1]
    grid = {"n_pixels": n_pixels, "medium": getattr(model, "medium_", None)}
    if axis is not None:
        grid["wavelength"] = f"{axis.value[0]:.10g} to {axis.value[-1]:.10g} {axis.unit}"
    unit = getattr(model, "unit_", None)
    grid["flux_unit"] = None if unit is None else str(unit) or "dimensionless"
    return {name: value for name, value in grid.items() if value is not None}


def _labels(model: Any) -> list[dict[str, Any]]:
    """Return name, lowest and highest value, and the unit where one is known, of every label."""
    names, span = getattr(model, "label_names_", None), getattr(model, "label_range_", None)
    if names is None or span is None:
        return []
    units = getattr(model, "_label_units", None) or getattr(model, "_units", {})
    return [
        {"name": name, "low": float(low), "high": float(high), "unit": str(units.get(name, ""))}
        for name, low, high in zip(names, *np.asarray(span, dtype=float), strict=True)
    ]


def _parameters(model: Any) -> dict[str, str]:
    parameters = model.get_params(deep=False) if hasattr(model, "get_params") else {}
    return {n: _short(_without_place(v)) for n, v in parameters.items() if n != PLACE}


def _without_place(value: Any) -> Any:
    """Return a parameter without the directory that an estimator in it was trained in."""
    if not hasattr(type(value), "model_card") and not isinstance(value, FrozenEstimator):
        return value
    value = copy(value)
    for name, part in vars(value).items():
        setattr(value, name, None if name == PLACE else _without_place(part))
    return value


def _short(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 3]}..."


def _sizes(model: Any) -> dict[str, int]:
    """Return what the fit counted."""
    found = {
        "shared latents": getattr(model, "n_shared_", None),
        "split latents": getattr(model, "n_split_", None),
        "members": len(getattr(model, "nets_", [])) or None,
    }
    return {name: int(count) for name, count in found.items() if count is not None}


def _last_epoch(model: Any) -> dict[str, float]:
    """Return losses and scores of the last epoch that are finite numbers."""
    history = getattr(model, "history_", None) or {}
    last = {name: float(values[-1]) for name, values in history.items() if values}
    if last:
        last["epochs"] = float(max(len(values) for values in history.values()))
    return {name: value for name, value in last.items() if np.isfinite(value)}


GENERAL = "Valid for spectra like those it was fitted on: same grid, resolution and normalisation."
CYCLE_STARNET = "O'Briain, T. et al. 2021, ApJ, 906, 130, arXiv:2007.03109"
TRANSLATES = "Translates between synthetic and observed spectra"
EQUAL_LABELS = (
    "Learned without pairs: if the labels of the two domains were distributed differently, part "
    "of that difference is in the translation."
)
# Per class: what it does, what to beware of, and the paper of the method.
WORDS: dict[str, tuple[str, list[str], str]] = {
    "CycleGANTranslator": (
        f"{TRANSLATES}, learned by an adversarial game.",
        [
            EQUAL_LABELS,
            "Translated spectra are averages over the split latents of observed stars; their "
            "spread is in `sample`, not in an ivar.",
        ],
        CYCLE_STARNET,
    ),
    "LinearTranslator": (
        f"{TRANSLATES} by Gaussian optimal transport in the leading components.",
        [EQUAL_LABELS, "A baseline: the map is linear."],
        "Peyré, G. & Cuturi, M. 2019, arXiv:1803.00567",
    ),
    "MeanShiftTranslator": (
        f"{TRANSLATES} by the difference of the mean spectra.",
        [EQUAL_LABELS, "A baseline: every spectrum changes alike."],
        CYCLE_STARNET,
    ),
    "ObservedEmulator": (
        "Turns labels into observed spectra: an emulator, translated.",
        ["Outside the range of labels it extrapolates, and warns.", EQUAL_LABELS],
        CYCLE_STARNET,
    ),
    "ParameterFitter": (
        "Fits labels to observed spectra with an emulator and a translator.",
        ["Errors along the labels leave no residual: only stars with known labels show them."],
        "Ting, Y.-S. et al. 2019, ApJ, 879, 69",
    ),
    "SpectrumEmulator": (
        "Turns labels into synthetic spectra, with exact derivatives.",
        ["Outside the range of labels it extrapolates, and warns."],
        "Ting, Y.-S. et al. 2019, ApJ, 879, 69",
    ),
    "TranslatorEnsemble": (
        f"{TRANSLATES}, by several translators trained on spectra drawn anew.",
        [EQUAL_LABELS, "What all members have wrong shows in no standard deviation."],
        "Lakshminarayanan, B., Pritzel, A. & Blundell, C. 2017, arXiv:1612.01474",
    ),
    "StarNetRegressor": (
        "Predicts labels of spectra, with standard deviations.",
        [
            "Standard deviations hold for spectra like the held-out ones of the fit.",
            "Labels outside the range of the fit are not found.",
        ],
        "Fabbro, S. et al. 2018, MNRAS, 475, 2978",
    ),
}


def model_card(model: Any) -> str:
    """Describe a fitted model, or a model file, in Markdown.

    Parameters
    ----------
    model : estimator, ObservedEmulator or path-like
        Fitted; or the file it was saved as. Of a file the header alone is read.

    Returns
    -------
    card : str
        What the model is, grid and labels of its training, parameters, losses and scores of the
        last epoch, versions of the packages (of a file: those it was saved with), caveats and
        the paper. Fitted models don't keep how many spectra they were trained on.

    Raises
    ------
    ModelFileError
        If the file is damaged or no model.
    NotFittedError
        If the model isn't fitted.
    TypeError
        If it is something else.

    See Also
    --------
    load : Load the model itself.

    Examples
    --------
    >>> from spectragan import MeanShiftTranslator, model_card
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(50, 50, n_pixels=100, random_state=0)
    >>> translator = MeanShiftTranslator().fit(mock.synthetic, mock.observed)
    >>> print(model_card(translator).splitlines()[0])
    # MeanShiftTranslator
    """
    if isinstance(model, str | os.PathLike):
        return _write(_about_file(model))
    if not hasattr(type(model), "model_card"):
        raise TypeError(
            "`model` must be a fitted model of spectragan, or a model file; got "
            f"{brief(model)}; give a model that has `save`, or the path of its file."
        )
    if isinstance(model, BaseEstimator):
        check_is_fitted(model)
    return _write(describe(model))


def _about_file(path: str | os.PathLike) -> Mapping[str, Any]:
    try:
        about = read_model_file(path, tensors=False).about
        if str(about.get("class")) not in HOME_OF:
            raise refusal("the file must hold an estimator", about.get("class", "none"))
        return about
    except ModelFileError as error:
        raise ModelFileError(f"'{os.fspath(path)}' can't be described: {error}") from error


def _write(about: Mapping[str, Any]) -> str:
    name = str(about.get("class"))
    task, caveats, paper = WORDS.get(name, ("A step that prepares spectra.", [], ""))
    parts = [
        f"# {_text(name)}",
        task,
        _section("Trained on", _table(about.get("grid")) + _label_table(about.get("labels"))),
        _section("Parameters", _table(about.get("parameters"), code=True)),
        _section("Found by the fit", _table(about.get("sizes"))),
        _section("Last epoch", _table(about.get("last_epoch"))),
        _section("Versions", _table(about.get("versions"))),
        _section("Caveats", [f"- {caveat}" for caveat in [GENERAL, *caveats]]),
        _section("Paper", [paper] if paper else []),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, lines: list[str]) -> str:
    return "\n".join([f"## {title}", "", *lines]) if lines else ""


def _table(entries: Any, *, code: bool = False) -> list[str]:
    """Return the lines of a list; what a file says is no more than text in it."""
    entries = entries if isinstance(entries, dict) else {}
    mark = "`" if code else ""
    return [f"- {mark}{_text(k)}{mark}: {mark}{_text(v)}{mark}" for k, v in entries.items()]


def _label_table(labels: Any) -> list[str]:
    if not isinstance(labels, list) or not all(isinstance(label, dict) for label in labels):
        return []
    return [
        f"- label `{_text(label.get('name'))}`: {_text(label.get('low'))} to "
        f"{_text(label.get('high'))} {_text(label.get('unit', ''))}".rstrip()
        for label in labels
    ]


def _text(value: Any) -> str:
    """Return a value as text without the signs that mean something in Markdown and HTML."""
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return brief(text).replace("`", "'").replace("<", "(").replace(">", ")")

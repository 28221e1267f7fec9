"""What `ParameterFitter` does before and around a fit: training, calibration, chunks."""

import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from astropy.table import Table
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.metrics import r2_score
from sklearn.utils import check_array, check_consistent_length
from sklearn.utils.validation import check_is_fitted
from tqdm import tqdm

from spectragan.estimators.emulator import SpectrumEmulator
from spectragan.estimators.fitter_calibration import (
    inflation_from_labels,
    inflation_from_residuals,
)
from spectragan.estimators.fitter_machine import FitterMachine
from spectragan.estimators.fitter_model import thaw
from spectragan.estimators.fitter_table import standard_errors
from spectragan.estimators.fitter_translation import translation_covariance
from spectragan.estimators.labels import label_array, named_columns
from spectragan.estimators.observed import check_grids, count_pixels, is_fitted
from spectragan.estimators.streaming import row_chunks
from spectragan.persistence.mixin import SaveMixin
from spectragan.spectra import Spectra, validate_spectra
from spectragan.spectra.convert import kind_of
from spectragan.spectra.inputs import make_rng
from spectragan.training.label_fit import LabelFit, join_fits

HELD_OUT = 0.2  # of the spectra an emulator is trained on, to measure errors first
FEWEST_HELD_OUT = 20  # errors from fewer stars would be worse than none


class BaseFitter(SaveMixin, RegressorMixin, BaseEstimator):
    """Base of `ParameterFitter`: holds a fitted emulator and the machine that fits with it."""

    emulator: Any
    translator: Any
    err_inflation: float | str
    chunk_size: int
    random_state: Any
    verbose: int

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the share of the labels' variance that the fits explain.

        Parameters
        ----------
        X : spectra of shape (n_spectra, n_pixels)
            Observed.
        y : array-like, DataFrame or Table of shape (n_spectra, n_labels)
            Columns with names may come in any order.
        sample_weight : array-like of shape (n_spectra,), default=None
            How much each spectrum counts.

        Returns
        -------
        score : float
            The mean over labels of R squared.
        """
        ready = self._ready()
        labels = ready.predict(X)  # type: ignore[attr-defined]
        truth = read_labels(y, len(labels), ready._names, ready._units)
        return float(r2_score(truth, labels, sample_weight=sample_weight))

    def _train(self, X: Any, y: Any, emulator: Any) -> None:
        """Train the emulator, after a part of it has told how far errors are from the truth."""
        spectra = validate_spectra(self, X, reset=True)
        labels = read_labels(y, len(spectra))
        columns = named_columns(y)
        base = _unfitted(emulator, self.random_state, self.verbose)
        factors = np.ones(labels.shape[1])
        rows = _hold_out(len(spectra), self.random_state)
        # Through a translator, spectra of the training's domain say nothing about the errors.
        if self.err_inflation == "auto" and rows is not None and self.translator is None:
            some = labels[~rows] if columns is None else Table(labels[~rows], names=columns)
            part = self._with(emulator=clone(base).fit(some, spectra[~rows])).fit()
            factors = part._calibrate(spectra[rows], labels[rows])
        single = columns is None and np.asarray(y).ndim == 1
        self._adopt(base.fit(labels if single else y, spectra))
        self._one_dimensional = single
        self.translation_covariance_ = translation_covariance(self, self.emulator_)
        if self.err_inflation == "auto":
            self.err_inflation_ = factors

    def _adopt(self, emulator: Any) -> None:
        """Set what follows from a fitted emulator."""
        if self.translator is not None:
            check_grids(emulator, thaw(self.translator))
        built = FitterMachine(self, emulator)
        self.emulator_ = emulator
        self._names, self._range = tuple(emulator.label_names_), built.label_range
        self.wavelength_ = getattr(emulator, "wavelength_", None)
        self.medium_ = getattr(emulator, "medium_", None)
        self.n_features_in_ = count_pixels(emulator)
        self._one_dimensional = False
        factor = 1.0 if self.err_inflation == "auto" else float(self.err_inflation)
        self.err_inflation_ = np.full(len(self._names), factor)
        self._built = built
        self.translation_covariance_ = None
        # What an unpickled fitter is built from again, whatever its parameters are then.
        self._fitted_parameters = {**self.get_params(deep=False)}

    @property
    def label_names_(self) -> tuple[str, ...]:
        """Labels in the order of the columns."""
        return self._ready()._names

    @property
    def label_range_(self) -> np.ndarray:
        """Lowest and highest label of the emulator, of shape (2, n_labels)."""
        return self._ready()._range

    @property
    def parameter_names_(self) -> tuple[str, ...]:
        """Names of all fitted parameters, in the order of `log_prob`."""
        return self._ready()._machine.names

    @property
    def _machine(self) -> FitterMachine:
        if not hasattr(self, "_built"):  # after unpickling
            self._built = FitterMachine(SimpleNamespace(**self._fitted_parameters), self.emulator_)
        return self._built

    @property
    def _units(self) -> dict[str, Any]:
        """Units of labels, where the emulator knows them."""
        return getattr(self.emulator_, "_label_units", {})

    def _calibrate(self, spectra: Spectra, labels: np.ndarray | None) -> np.ndarray:
        """Return the factors that make errors large enough for spectra not trained on."""
        pairs = list(self._fits(spectra))
        n_labels = len(self._names)
        if labels is None and self.translation_covariance_ is not None:
            return np.ones(n_labels)  # residuals show the translation's error a second time
        if labels is None:
            lack = [self._machine.lack_of_fit(*pair) for pair in pairs]
            return np.full(n_labels, inflation_from_residuals(np.concatenate(lack)))
        fit = join_fits([part for _, part in pairs])
        offset = fit.parameters[:, :n_labels] - labels
        return inflation_from_labels(offset, standard_errors(fit.covariance)[:, :n_labels])

    def _fits(self, X: Any, *, quiet: bool = False) -> Iterator[tuple[Spectra, LabelFit]]:
        """Yield spectra and their fits, chunk by chunk, errors inflated."""
        shape: tuple[int, ...] = getattr(X, "shape", None) or ()
        total = shape[0] if len(shape) == 2 else 0  # 1: the pixels of one spectrum
        hidden = quiet or not self.verbose or total <= self.chunk_size
        with tqdm(total=total, desc="fits", unit="star", file=sys.stderr, disable=hidden) as bar:
            for part, fit in self._fitted_chunks(X):
                bar.update(len(part))
                yield part, fit

    def _fitted_chunks(self, X: Any) -> Iterator[tuple[Spectra, LabelFit]]:
        factors = np.full(len(self._machine.names), self._typical_inflation())
        factors[: len(self._names)] = self.err_inflation_
        added = getattr(self, "translation_covariance_", None)  # older pickles have none
        for chunk in row_chunks(X, self.chunk_size):
            spectra = validate_spectra(self, chunk, reset=False)
            self._check_unit(spectra, chunk)
            for part in row_chunks(spectra, self.chunk_size):
                fit = self._machine.fit(part)
                if added is not None:
                    fit.covariance[:, : len(added), : len(added)] += added
                fit.covariance *= factors[:, None] * factors
                yield part, fit

    def _typical_inflation(self) -> float:
        return float(np.median(self.err_inflation_))

    def _ready(self) -> Any:
        """Return this fitter if it is fitted, or one that took over a fitted emulator."""
        if hasattr(self, "emulator_"):
            return self
        if not is_fitted(thaw(self.emulator)):
            check_is_fitted(self)
        key = self._state_of_parts()
        kept_key, kept = getattr(self, "_prepared", (None, None))
        if kept_key != key:
            kept = self._with().fit()
            self._prepared = key, kept
        return kept

    def _state_of_parts(self) -> tuple[Any, ...]:
        """Return what changes when a parameter does, or a part is fitted again."""
        parameters = self.get_params(deep=False)
        parts = [thaw(parameters.pop(name)) for name in ("emulator", "translator")]
        learned = ("net_", "subspace_", "network_", "members_")
        ids = [id(getattr(part, name, None)) for part in parts for name in learned]
        return (*map(id, parts), *ids, repr(sorted(parameters.items())))

    def _check_unit(self, spectra: Spectra, given: Any) -> None:
        """Raise unless spectra that have a unit of flux have the emulator's."""
        expected = getattr(self.emulator_, "unit_", None)
        if expected is None or kind_of(given) == "array" or spectra.unit == expected:
            return
        raise ValueError(
            f"`X` must have the flux unit of the emulator, {str(expected)!r}; got "
            f"{str(spectra.unit)!r}; convert it, or normalise both the same way first."
        )

    def _with(self, **changes: Any) -> Any:
        return type(self)(**{**self.get_params(deep=False), **changes})

    def _shaped(self, labels: np.ndarray) -> np.ndarray:
        return labels[:, 0] if self._one_dimensional else labels

    def __getstate__(self) -> dict[str, Any]:
        state = dict(super().__getstate__())  # not the fitter's own
        for name in ("_built", "_prepared"):  # hold functions; built again when needed
            state.pop(name, None)
        return state

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "emulator_")

    def __sklearn_tags__(self) -> Any:
        """Say that several labels, and NaN in spectra, are fine."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        # Maximum likelihood isn't drawn to the mean of the training set, as a regression is.
        tags.regressor_tags.poor_score = True
        tags.input_tags.allow_nan = True
        return tags


def read_labels(
    y: Any,
    n_spectra: int,
    names: tuple[str, ...] | None = None,
    units: dict[str, Any] | None = None,
) -> np.ndarray:
    """Return labels of spectra as an array.

    Parameters
    ----------
    y : array-like, DataFrame or Table of shape (n_spectra, n_labels), or (n_spectra,)
    n_spectra : int
    names : tuple of str, default=None
        Labels of the emulator, to select and order named columns; None takes all.
    units : dict of str to astropy unit, default=None
        What to convert columns with units to.

    Returns
    -------
    labels : ndarray of shape (n_spectra, n_labels)

    Raises
    ------
    ValueError
        If labels are missing, not finite, or not as many as spectra.
    """
    if y is None:
        raise ValueError(
            "ParameterFitter requires y to be passed, but the target y is None; call "
            "fit(spectra, labels), or give it a fitted emulator."
        )
    if named_columns(y) is None:
        y = check_array(y, ensure_2d=False, dtype=[np.float64, np.float32], input_name="y")
        y = y[:, None] if y.ndim == 1 else y
    labels = label_array(y, names, units, input_name="y").astype(float)
    check_consistent_length(np.empty(n_spectra), labels)
    if names is not None and labels.shape[1] != len(names):
        raise ValueError(
            f"`y` must have the emulator's labels, {', '.join(names)}; got {labels.shape[1]} "
            "columns; select them in this order."
        )
    return labels


def _unfitted(emulator: Any, random_state: Any, verbose: int) -> Any:
    """Return the emulator to train."""
    if emulator is None:
        return SpectrumEmulator(random_state=random_state, verbose=verbose)
    return clone(emulator)


def _hold_out(n_spectra: int, random_state: Any) -> np.ndarray | None:
    """Return which spectra to measure errors on, or None if there are too few."""
    n_held = round(HELD_OUT * n_spectra)
    if n_held < FEWEST_HELD_OUT:
        return None
    # An instance is the emulator's to advance: the same state must give the same emulator.
    seed = random_state if isinstance(random_state, int) else 0
    rows = np.zeros(n_spectra, dtype=bool)
    rows[make_rng(seed).permutation(n_spectra)[:n_held]] = True
    return rows

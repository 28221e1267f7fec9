"""`ObservedEmulator`: labels to observed spectra, with exact derivatives."""

from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from spectragan.emulator.model import FunctionModel, SpectrumModel
from spectragan.exceptions import GridMismatchError
from spectragan.files.saving import SaveMixin
from spectragan.spectra import Spectra
from spectragan.spectra.axis import same_axis
from spectragan.spectra.transformer import EmulatedSpectraMixin
from spectragan.translator.networks.contract import SYNTHETIC


class ObservedEmulator(EmulatedSpectraMixin, SaveMixin):
    """Emulate observed spectra: labels to a synthetic spectrum, translated.

    Parameters
    ----------
    emulator : SpectrumEmulator, or another one of `spectragan.interop`
        Fitted; labels to synthetic spectra.
    translator : CycleGANTranslator, TranslatorEnsemble or other translator
        Fitted, on the same grid.
    split : array-like of shape (n_split,) or (n_codes, n_split), default=None
        Split latents to translate with, averaged over if there are several. None averages over
        the translator's own ``split_codes_``.

    Attributes
    ----------
    label_names_ : tuple of str
        Labels in the order of the columns.
    label_range_ : ndarray of shape (2, n_labels)
        Lowest and highest label the emulator was trained on.
    wavelength_ : Quantity of shape (n_pixels,) or None
        The grid, in Angstrom.

    Raises
    ------
    GridMismatchError
        If the two are on different grids.
    NotFittedError
        If one of them isn't fitted.
    ValueError
        If `split` doesn't fit the translator.

    See Also
    --------
    SpectrumEmulator : Labels to synthetic spectra.

    Notes
    -----
    It is no estimator: there is nothing left to fit.

    Examples
    --------
    >>> from spectragan import MeanShiftTranslator, ObservedEmulator, SpectrumEmulator
    >>> from spectragan.datasets import make_mock_domains
    >>> mock = make_mock_domains(60, 60, n_pixels=50, random_state=0)
    >>> emulator = SpectrumEmulator(verbose=0).fit(mock.labels_synthetic, mock.synthetic)
    >>> translator = MeanShiftTranslator().fit(mock.synthetic, mock.observed)
    >>> observed = ObservedEmulator(emulator, translator)
    >>> observed.predict(mock.labels_synthetic[:2]).shape
    (2, 50)
    """

    _kept: ClassVar = {
        "emulator": "SpectrumEmulator|FrozenEstimator",
        "translator": "CycleGANTranslator|LinearTranslator|MeanShiftTranslator"
        "|PseudoPairTranslator|TranslatorEnsemble|FrozenEstimator",
        "split": "any",
    }

    def __init__(self, emulator: Any, translator: Any, split: Any = None) -> None:
        check_is_emulator(emulator)
        if isinstance(emulator, BaseEstimator):  # others, such as functions, have no fit
            check_is_fitted(emulator)
        check_is_fitted(translator)
        check_grids(emulator, translator)
        self.emulator = emulator
        self.translator = translator
        self.split = split
        self._codes = _check_codes(translator, split)
        self.label_names_ = emulator.label_names_
        self.label_range_ = emulator.label_range_
        self.wavelength_ = getattr(emulator, "wavelength_", None)
        self.medium_ = getattr(emulator, "medium_", None)
        self.unit_ = getattr(translator, "unit_", None)
        self._label_units = getattr(emulator, "_label_units", {})

    def __repr__(self) -> str:
        return f"ObservedEmulator({self.emulator!r}, {self.translator!r})"

    def predict(self, labels: Any, return_std: bool = False) -> Any:
        """Return observed spectra.

        Parameters
        ----------
        labels : array-like, DataFrame or Table of shape (n_spectra, n_labels)
            As the emulator takes them.
        return_std : bool, default=False
            Also return the error of the translation; needs a `TranslatorEnsemble`.

        Returns
        -------
        flux : ndarray of shape (n_spectra, n_pixels)
            In the emulator's precision.
        std : ndarray of shape (n_spectra, n_pixels)
            Only if asked for: 68 % of the pixels of a star are to lie within it.

        Raises
        ------
        ValueError
            If the labels aren't those of the emulator, or errors are asked for that the
            translator doesn't know.

        Warns
        -----
        LabelExtrapolationWarning
            If a label is outside the range of training.
        """
        synthetic = np.asarray(self.emulator.predict(labels))
        filled = self._fill(synthetic)
        translated = self.translator._translate(filled, SYNTHETIC, self._codes)
        flux = translated.astype(synthetic.dtype)
        return (flux, self._ensemble()._error(filled)) if return_std else flux

    def sample(
        self,
        labels: Any,
        n_draws: int = 16,
        random_state: int | np.random.RandomState | None = None,
    ) -> np.ndarray:
        """Draw observed spectra that stars of these labels may have.

        Parameters
        ----------
        labels : array-like, DataFrame or Table of shape (n_spectra, n_labels)
            As the emulator takes them.
        n_draws : int, default=16
            Spectra for each row.
        random_state : int, RandomState, Generator or None, default=None
            Draws members of the ensemble, and split latents.

        Returns
        -------
        draws : ndarray of shape (n_draws, n_spectra, n_pixels)
            Less their mean over the draws, and divided by the square root of `n_draws`, they are
            factors of the covariance between pixels.

        Raises
        ------
        ValueError
            If the translator is no `TranslatorEnsemble`, or `split` is given.
        """
        filled = self._fill(np.asarray(self.emulator.predict(labels)))
        return self._ensemble()._draw(filled, n_draws, random_state)

    def _ensemble(self) -> Any:
        if not hasattr(self.translator, "members_") or self._codes is not None:
            raise ValueError(
                "`translator` must be a TranslatorEnsemble, and `split` None, for errors of the "
                f"translation; got {type(self.translator).__name__}; fit one first."
            )
        return self.translator

    def jacobian(self, labels: Any) -> np.ndarray:
        """Return the exact derivatives of observed spectra.

        Parameters
        ----------
        labels : array-like, DataFrame or Table of shape (n_spectra, n_labels)
            As the emulator takes them.

        Returns
        -------
        jacobian : ndarray of shape (n_spectra, n_pixels, n_labels)
            Change of flux per unit of each label.

        Raises
        ------
        ValueError
            If the labels aren't those of the emulator.

        Warns
        -----
        LabelExtrapolationWarning
            If a label is outside the range of training.
        """
        tangents = np.nan_to_num(self.emulator.jacobian(labels))
        synthetic = self._fill(self.emulator.predict(labels))
        return self.translator._push_forward(synthetic, tangents, self._codes)

    def as_model(self) -> SpectrumModel:
        """Return the emulator as a model: see `SpectrumEmulator.as_model`.

        Returns
        -------
        model : SpectrumModel
            As fast as the translator makes it where nothing is averaged over.
        """
        averages = hasattr(self.translator, "members_") or self.translator.n_split_
        return FunctionModel(self) if averages else self.translator.compose(self.emulator)

    def _fill(self, synthetic: np.ndarray) -> np.ndarray:
        """Return spectra without the NaN of pixels that were masked in all syntheses."""
        good = np.isfinite(synthetic)
        flux = np.where(good, synthetic, 0.0).astype(float)
        spectra = Spectra(flux, None, good.astype(float), "exact")
        return self.translator._input(spectra, SYNTHETIC)


def count_pixels(emulator: Any) -> int:
    """Return the number of pixels of a fitted emulator's spectra.

    Parameters
    ----------
    emulator : SpectrumEmulator or the like

    Returns
    -------
    n_pixels : int
    """
    middle = np.asarray(emulator.label_range_, dtype=float).mean(axis=0)[None]
    return np.size(emulator.predict(middle))


def check_is_emulator(emulator: Any) -> None:
    """Raise if something else has taken an emulator's place.

    Parameters
    ----------
    emulator : object

    Raises
    ------
    TypeError
        If it doesn't predict spectra.
    """
    learned = is_fitted(emulator)
    if not hasattr(emulator, "predict") or (learned and not hasattr(emulator, "label_range_")):
        raise TypeError(
            "`emulator` must make spectra of labels, with `predict` and `label_range_`; got "
            f"{type(emulator).__name__}; give the emulator first and the translator second."
        )


def is_fitted(estimator: Any) -> bool:
    """Tell whether an estimator, or anything that emulates spectra, is ready.

    Parameters
    ----------
    estimator : object or None

    Returns
    -------
    fitted : bool
    """
    if not isinstance(estimator, BaseEstimator):
        return hasattr(estimator, "label_range_")
    try:
        check_is_fitted(estimator)
    except NotFittedError:
        return False
    return True


def check_grids(emulator: Any, translator: Any) -> None:
    """Raise unless emulator and translator are on one grid.

    Parameters
    ----------
    emulator : SpectrumEmulator or the like
    translator : translator
        Both fitted.

    Raises
    ------
    GridMismatchError
        If pixels, wavelengths or media differ.
    NotFittedError
        If `translator` isn't fitted.
    """
    check_is_fitted(translator)
    axes = getattr(emulator, "wavelength_", None), getattr(translator, "wavelength_", None)
    differ = all(axis is not None for axis in axes) and not same_axis(*axes)
    media = getattr(emulator, "medium_", None), getattr(translator, "medium_", None)
    n_pixels = count_pixels(emulator)
    n_translated = getattr(translator, "n_features_in_", n_pixels)  # one of your own may not tell
    if differ or n_pixels != n_translated:
        raise GridMismatchError(
            "`emulator` and `translator` must be on one grid; got "
            f"{n_pixels} and {n_translated} pixels"
            f"{' of other wavelengths' * differ}; fit both on spectra of one grid."
        )
    if all(media) and media[0] != media[1]:
        raise GridMismatchError(
            "`emulator` and `translator` must have wavelengths in one medium; got "
            f"{media[0]} and {media[1]}; convert the spectra of one before its fit."
        )


def _check_codes(translator: Any, split: Any) -> np.ndarray | None:
    if split is None:
        return None
    codes = np.atleast_2d(np.asarray(split, dtype=float))
    n_split = getattr(translator, "n_split_", 0)
    if (
        codes.ndim != 2
        or not len(codes)
        or codes.shape[1] != n_split
        or not np.isfinite(codes).all()
    ):
        raise ValueError(
            f"`split` must hold {n_split} finite split latents per code; got shape "
            f"{codes.shape}; use rows of translator.encode(observed, domain=1).split."
        )
    return codes

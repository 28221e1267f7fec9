"""Estimators with scikit-learn's interface."""

from spectragan.estimators.baselines import LinearTranslator, MeanShiftTranslator
from spectragan.estimators.emulator import SpectrumEmulator
from spectragan.estimators.observed import ObservedEmulator
from spectragan.estimators.parameter_fitter import ParameterFitter
from spectragan.estimators.starnet import StarNetRegressor
from spectragan.estimators.translator import CycleGANTranslator
from spectragan.estimators.translator_ensemble import TranslatorEnsemble

__all__ = [
    "CycleGANTranslator",
    "LinearTranslator",
    "MeanShiftTranslator",
    "ObservedEmulator",
    "ParameterFitter",
    "SpectrumEmulator",
    "StarNetRegressor",
    "TranslatorEnsemble",
]

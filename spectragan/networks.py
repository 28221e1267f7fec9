"""Networks: torch modules that know tensors, and neither spectra nor scikit-learn."""

from spectragan.translator.networks.contract import CriticNetwork, TranslatorNetwork
from spectragan.translator.networks.conv import ConvCritic, ConvTranslator

__all__ = ["ConvCritic", "ConvTranslator", "CriticNetwork", "TranslatorNetwork"]

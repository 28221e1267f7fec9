"""Networks: torch modules that know tensors, and neither spectra nor scikit-learn."""

from spectragan.networks.contract import CriticNetwork, TranslatorNetwork
from spectragan.networks.conv import ConvTranslator
from spectragan.networks.conv_critic import ConvCritic

__all__ = ["ConvCritic", "ConvTranslator", "CriticNetwork", "TranslatorNetwork"]

"""Models as files: one safetensors file each, with a checksum and without code."""

from spectragan.persistence.cards import model_card
from spectragan.persistence.saving import load

__all__ = ["load", "model_card"]

"""Models as files: one safetensors file each, with a checksum and without code."""

from spectragan.files.cards import model_card
from spectragan.files.saving import load

__all__ = ["load", "model_card"]

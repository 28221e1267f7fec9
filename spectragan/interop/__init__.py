"""Emulators that users already have: The Payne's network files, and any function of labels."""

from spectragan.interop.emulators import CallableEmulator
from spectragan.interop.payne import PayneNetwork, read_payne

__all__ = ["CallableEmulator", "PayneNetwork", "read_payne"]
